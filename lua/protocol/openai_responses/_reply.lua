--- The response object and its items, for streams and unary answers alike.

local ids = require('protocol._ids')
local json = require('px.json')
local logprobs = require('protocol._logprobs')
local read = require('protocol._read')
local signature = require('protocol._signature')

local M = {}

local null = json.null

-- Marks the data of redacted thinking in `encrypted_content`; base64 holds no ":".
local REDACTED = 'redacted:'
local CALL_ID_MAX = 64

M.REDACTED = REDACTED

--- Proof of thinking, as a client of this protocol carries it.
---
--- @param ctx px.Context
--- @param kind string thinking or redacted
--- @param proof string
--- @return string
function M.seal(ctx, kind, proof)
  local own = ctx.origin and ctx.origin:match('^[^:]+') == 'openai_responses'
  if kind == 'redacted' and not own then
    proof = REDACTED .. proof
  end
  return signature.tag('openai_responses', ctx.origin, proof)
end

--- @param event px.Event
--- @return table
function M.annotation(event)
  if event.protocol == 'openai_responses' and event.json then
    return event.json
  end
  return {
    type = 'url_citation',
    url = event.url,
    title = event.title or event.url,
    start_index = event.first or 0,
    end_index = event.last or 0,
  }
end

--- Tells whether a citation can be an annotation.
function M.can_annotate(event)
  return event.url ~= nil or (event.protocol == 'openai_responses' and event.json ~= nil)
end

--- @param list? px.Logprob[]
--- @return table
function M.logprobs(list)
  return logprobs.openai(list, json.array({}))
end

--- @param text string
--- @param notes? table[]
--- @param likely? px.Logprob[]
--- @return table
function M.text_part(text, notes, likely)
  return {
    type = 'output_text', text = text, annotations = json.array(notes or {}),
    logprobs = M.logprobs(likely),
  }
end

--- @param text string
--- @return table
function M.refusal_part(text)
  return { type = 'refusal', refusal = text }
end

--- @param id string
--- @param status string
--- @param parts table[]
--- @return table item
function M.message(id, status, parts)
  return {
    type = 'message', id = id, role = 'assistant', status = status, content = json.array(parts),
  }
end

--- @param id string
--- @param status string
--- @param text? string nil when there is none yet.
--- @param proof? string
--- @return table item
function M.reasoning(id, status, text, proof)
  local summary = json.array({})
  if text and text ~= '' then
    summary[1] = { type = 'summary_text', text = text }
  end
  return {
    type = 'reasoning', id = id, status = status, summary = summary, encrypted_content = proof,
  }
end

--- Tells whether a call is of a custom tool which its upstream took for a function.
---
--- @param call table name, custom
--- @param ctx px.Context
function M.is_wrapped(call, ctx)
  return not call.custom and ctx.declared ~= nil and ctx.declared[call.name] == true
end

--- The free text in the arguments of such a call.
---
--- @param args string
--- @return string
function M.free_text(args)
  local value = json.decode(args)
  return type(value) == 'table' and type(value.input) == 'string' and value.input or args
end

--- A call of a function or of a custom tool. What was flattened gets its namespace back.
---
--- @param id string
--- @param status string
--- @param call table id, name, custom
--- @param text string Arguments or input.
--- @param ctx px.Context
--- @return table item
function M.call(id, status, call, text, ctx)
  local call_id = call.id or ''
  if #call_id > CALL_ID_MAX or call_id == '' then
    call_id = ids.call(call_id ~= '' and call_id or id)
  end
  local spaced = ctx.namespaces and ctx.namespaces[call.name]
  return {
    type = call.custom and 'custom_tool_call' or 'function_call',
    id = id,
    call_id = call_id,
    name = spaced and spaced.name or call.name or '',
    namespace = spaced and spaced.namespace,
    status = status,
    [call.custom and 'input' or 'arguments'] = text,
  }
end

-- What stands for nothing in what a response repeats of its request.
local NO_METADATA = json.object({})
local NO_REASONING = { effort = null, summary = null }
local PLAIN_TEXT = { format = { type = 'text' } }

--- @param ctx px.Context
--- @param model? string The upstream's word for it.
--- @param id? string The upstream's; it stays where the upstream speaks Responses, and so may keep
---   the response.
--- @return table response In progress, without output.
function M.response(ctx, model, id)
  local own = ctx.origin == 'openai_responses' and id and id:find('^resp')
  local echo = ctx.echo or read.NONE
  return {
    id = own and id or 'resp_' .. (ctx.id or '0'),
    object = 'response',
    created_at = ctx.now or 0,
    status = 'in_progress',
    background = false,
    error = null,
    incomplete_details = null,
    instructions = null,
    model = ctx.model or model or '',
    output = json.array({}),
    tools = json.array({}),
    usage = null,
    -- What the request said.
    max_output_tokens = echo.max_output_tokens or null,
    metadata = echo.metadata or NO_METADATA,
    parallel_tool_calls = echo.parallel_tool_calls ~= false,
    previous_response_id = echo.previous_response_id or null,
    reasoning = echo.reasoning or NO_REASONING,
    service_tier = 'default',
    store = echo.store or false,
    temperature = echo.temperature or 1,
    text = echo.text or PLAIN_TEXT,
    tool_choice = echo.tool_choice or 'auto',
    top_p = echo.top_p or 1,
    truncation = echo.truncation or 'disabled',
    user = echo.user or null,
  }
end

local REASON = { length = 'max_output_tokens', filter = 'content_filter' }

--- Ends a response.
---
--- @param body table
--- @param reason? string Neutral finish reason.
--- @return string event Type of the event that ends a stream so.
function M.finish(body, reason)
  if reason == 'error' then
    body.status = 'failed'
    body.error = { code = 'server_error', message = 'the upstream ended its answer with an error' }
    return 'response.failed'
  elseif REASON[reason] then
    body.status, body.incomplete_details = 'incomplete', { reason = REASON[reason] }
    return 'response.incomplete'
  end
  body.status = 'completed'
  return 'response.completed'
end

--- Status of the last item of a response that ends so.
function M.last_status(reason)
  return REASON[reason] and 'incomplete' or 'completed'
end

--- What a relayed stream has said so far: its response, and the number of the next event.
---
--- @return integer number
--- @return table? response
function M.relayed(found)
  local last = read.maybe_table(found and found.sequence_number
    and json.decode(found.sequence_number))
  local said = read.maybe_table(found and found.response and json.decode(found.response))
  local response = said.response
  return (tonumber(last.sequence_number) or -1) + 1, type(response) == 'table' and response or nil
end

return M
