--- Unary answers of the Anthropic Messages API, and its list of models.

local json = require('px.json')
local errors = require('protocol.anthropic.errors')
local finish = require('protocol.anthropic._finish')
local fold = require('protocol._fold')
local ids = require('protocol._ids')
local pages = require('protocol._pages')
local read = require('protocol._read')
local reader = require('protocol.anthropic._reader')
local retry = require('protocol._retry')
local signature = require('protocol._signature')
local usage = require('protocol.anthropic._usage')
local writer = require('protocol.anthropic._writer')

local M = {}

--- Walks an answer as the events that a stream of it would give.
---
--- @param body any
--- @param ctx px.Context
--- @return px.Event[]
function M.read(body, ctx)
  local state = reader.new(ctx)
  if type(body) ~= 'table' or type(body.content) ~= 'table' then
    return state:fail(json.encode(body == nil and json.null or body))
  end
  local events = {}
  state:start(events, body)
  for i, block in ipairs(body.content) do
    if type(block) == 'table' then
      state:block_start(events, i, block)
      state:block_stop(events, i)
    end
  end
  state:finish(body, nil)
  for _, event in ipairs(state:close(true)) do
    events[#events + 1] = event
  end
  return events
end

local function last_text(content)
  for i = #content, 1, -1 do
    if content[i].type == 'text' then
      return content[i]
    end
  end
end

-- Kind of block: the block of the wire. Called with (block, ctx, content): what is there so far.
local make = {}

--- A text is never empty here: the sources of one that is belong to the text before.
function make.text(block, ctx, content)
  local own = block.text ~= '' and { type = 'text', text = block.text } or nil
  local cited = own or block.citations and last_text(content)
  for _, citation in ipairs(block.citations or read.NONE) do
    if cited and writer.can_cite(citation) then
      cited.citations = cited.citations or {}
      table.insert(cited.citations, writer.citation(citation))
    else
      ctx.lost('reply.citations')
    end
  end
  return own
end

function make.refusal(block)
  return { type = 'text', text = block.text }
end

function make.thinking(block, ctx)
  local proof = block.signature
  return {
    type = 'thinking',
    thinking = block.text or '',
    signature = proof and signature.tag('anthropic', ctx.origin, proof) or '',
  }
end

function make.redacted(block, ctx)
  return {
    type = 'redacted_thinking',
    data = signature.tag('anthropic', ctx.origin, block.data),
  }
end

--- Arguments as an object; what a cut left unreadable is kept as text.
local function input_of(block)
  local args = block.args or ''
  if block.custom then
    return { input = args }
  elseif not args:find('%S') then
    return json.object({})
  end
  local value = json.decode(args)
  if type(value) == 'table' and not json.is_array(value) then
    return value
  elseif value == json.null then
    return json.object({})
  end
  return value == nil and { _raw = args } or { value = value }
end

function make.tool_call(block)
  return {
    type = 'tool_use', id = ids.call(block.id or ''), name = block.name, input = input_of(block),
  }
end

function make.opaque(block, ctx)
  if block.protocol == 'anthropic' then
    return block.json
  end
  ctx.lost('reply.opaque')
  return nil
end

--- Makes the answer that events tell.
---
--- @param events px.Event[]
--- @param ctx px.Context
--- @return table body
function M.write(events, ctx)
  local folded = fold.fold(events, ctx, 'anthropic')
  if folded.failure then
    local _, body = errors.write(errors.failure(folded.failure))
    return body
  end
  local content = json.array({})
  for _, block in ipairs(folded.blocks) do
    content[#content + 1] = make[block.kind](block, ctx, content)
  end
  return {
    id = 'msg_' .. (ctx.id or '0'),
    type = 'message',
    role = 'assistant',
    model = ctx.model or folded.model or '',
    content = content,
    stop_reason = finish.write(folded.finish),
    stop_sequence = folded.stop or json.null,
    usage = usage.write(folded.usage or read.NONE),
  }
end

--- The answer to a request that asks how many tokens it has.
---
--- @param tokens integer
--- @return table body
function M.count(tokens)
  return { input_tokens = tokens }
end

local function model_of(model)
  return {
    type = 'model',
    id = model.id,
    display_name = model.display_name or model.id,
    created_at = retry.iso(model.created or 0),
    max_input_tokens = model.input_limit,
    max_tokens = model.output_limit,
    lifecycle = 'active',  -- The SDK for Python wants one.
  }
end

--- Lists models. All at once, unless the client wants pages.
---
--- @param list px.Model[]
--- @param query? fun(name: string): string? Parameters: limit, after_id, before_id.
--- @return table body
function M.models(list, query)
  local limit = pages.number(query, 'limit', 1) or #list
  local after, before = query and query('after_id'), query and query('before_id')
  local first = after and (pages.place(list, after) or #list) + 1 or 1
  local last = math.min(#list, first + limit - 1)
  local has_more = last < #list
  if before and not after then
    last = (pages.place(list, before) or 1) - 1
    first = math.max(1, last - limit + 1)
    has_more = first > 1
  end
  local data = json.array({})
  for i = first, last do
    data[#data + 1] = model_of(list[i])
  end
  return {
    data = data,
    has_more = has_more,
    first_id = data[1] and data[1].id or json.null,
    last_id = data[1] and data[#data].id or json.null,
  }
end

--- Tells of one model.
---
--- @param model px.Model
--- @return table body
function M.model(model)
  return model_of(model)
end

return M
