--- OpenAI Responses requests: read from a client, written for an upstream.

local effort = require('protocol._effort')
local ids = require('protocol._ids')
local incoming = require('protocol.openai_responses._incoming')
local json = require('px.json')
local logprobs = require('protocol._logprobs')
local outgoing = require('protocol.openai_responses._outgoing')
local read = require('protocol._read')
local sampling = require('protocol._sampling')
local tools = require('protocol.openai_responses._tools')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

--- @type px.Path[]
M.paths = {
  { method = 'POST', path = '/v1/responses', operation = 'chat' },
  { method = 'POST', path = '/responses', operation = 'chat' },
  { method = 'POST', path = '/v1/responses/input_tokens', operation = 'count' },
  { method = 'GET', path = '/v1/responses/*', operation = 'stored' },
  { method = 'DELETE', path = '/v1/responses/*', operation = 'stored' },
  { method = 'POST', path = '/v1/responses/*', operation = 'stored' },
}

--- Requests may go on from what was answered before.
M.stateful = true

local bad, opt = read.bad, read.opt

-- Members that are read below, and others that change nothing of the answer when they are left out.
local KNOWN = {}
for name in ([[
  model input instructions stream stream_options max_output_tokens tools tool_choice
  parallel_tool_calls reasoning text temperature top_p metadata user safety_identifier service_tier
  include store previous_response_id conversation client_metadata top_logprobs
  prompt_cache_key prompt_cache_options prompt_cache_retention
]]):gmatch('%S+') do
  KNOWN[name] = true
end

-- Values that say what is so anyway.
local HARMLESS = {
  background = function(value) return value == false end,
  truncation = function(value) return value == 'disabled' end,
}
local LIKELY = 'message.output_text.logprobs'
local INCLUDED = { ['reasoning.encrypted_content'] = true, [LIKELY] = true }

local FROM_EFFORT = { none = 'off' }
local TO_EFFORT = { off = 'none' }
local TIERS = { auto = true, default = true, flex = true, scale = true, priority = true }
local LEAST_OUTPUT = 16

-- Reading -----------------------------------------------------------------------------------------

local function read_format(text)
  local format = read.table(text.format, 'text.format', 'an object')
  if not format or format.type == 'text' or opt(format.type) == nil then
    return nil
  elseif format.type == 'json_object' then
    return { kind = 'json' }
  elseif format.type ~= 'json_schema' then
    bad('text.format.type: unknown value ' .. json.encode(format.type), 'text.format.type')
  end
  return {
    kind = 'schema',
    name = read.maybe_text(format.name),
    description = read.maybe_text(format.description),
    schema = read.table(format.schema, 'text.format.schema', 'an object'),
    strict = opt(format.strict),
  }
end

local REASONING = { effort = true, summary = true, generate_summary = true }

local function read_reasoning(body, lost)
  local given = read.table(body.reasoning, 'reasoning', 'an object')
  if not given then
    return nil
  end
  read.unknown(given, REASONING, 'request.reasoning.', lost)
  local word = read.text(given.effort, 'reasoning.effort')
  local summary = opt(given.summary) or opt(given.generate_summary)
  word = FROM_EFFORT[word] or word
  if word and not effort.known(word) then
    bad('reasoning.effort: unknown value ' .. json.encode(word), 'reasoning.effort')
  end
  word = word or (summary and 'auto') or nil
  return word and { effort = word, visible = word ~= 'off' and summary ~= nil }
end

local function read_logprobs(body)
  local count = logprobs.count(body.top_logprobs, 'top_logprobs')
  for _, name in ipairs(read.maybe_table(body.include)) do
    if name == LIKELY then
      return count or 0
    end
  end
  return count and count > 0 and count or nil
end

local STATE = { 'previous_response_id', 'conversation' }

--- What was said before and is kept by nobody here.
local function check_state(body, ctx)
  for _, name in ipairs(STATE) do
    local value = opt(body[name])
    if value ~= nil and not ctx.previous then
      local id = type(value) == 'table' and value.id or value
      error({
        status = 400, param = name, raw_code = 'previous_response_not_found',
        message = ('%s: %s is not kept here; send the whole conversation as input')
          :format(name, json.encode(id)),
      }, 0)
    end
  end
end

local function read_included(body, lost)
  for _, name in ipairs(read.maybe_table(body.include)) do
    if not INCLUDED[name] then
      lost('request.include')
    end
  end
end

local ECHOED = {
  max_output_tokens = true, metadata = true, parallel_tool_calls = true,
  previous_response_id = true, reasoning = true, temperature = true, text = true,
  tool_choice = true, top_p = true, truncation = true, user = true,
}

--- What the response repeats.
local function echo(body, ctx)
  local out = { store = ctx.keep ~= nil }
  for name, value in pairs(body) do
    if ECHOED[name] and value ~= json.null then
      out[name] = value
    end
  end
  return out
end

--- @param body table
--- @param ctx px.Context Gets `namespaces` and `echo`, for the writers of the answer.
--- @return px.Request
function M.read(body, ctx)
  local lost = ctx.lost
  if type(body) ~= 'table' or json.is_array(body) then
    bad('the body must be a JSON object')
  end
  check_state(body, ctx)
  local text = read.table(body.text, 'text', 'an object') or read.NONE
  local request = {
    model = read.text(body.model, 'model') or bad('model is missing', 'model'),
    tool_choice = tools.read_choice(body.tool_choice),
    parallel = opt(body.parallel_tool_calls),
    temperature = read.number(body.temperature, 'temperature'),
    top_p = read.number(body.top_p, 'top_p'),
    logprobs = read_logprobs(body),
    max_tokens = read.count(body.max_output_tokens, 'max_output_tokens'),
    response_format = read_format(text),
    reasoning = read_reasoning(body, lost),
    verbosity = read.text(text.verbosity, 'text.verbosity'),
    user = read.maybe_text(body.safety_identifier) or read.text(body.user, 'user'),
    metadata = read.table(body.metadata, 'metadata', 'an object'),
    service_tier = read.text(body.service_tier, 'service_tier'),
    stream = body.stream == true,
    include_usage = true,
    system = later, turns = later, tools = later,
  }
  read.unknown(body, KNOWN, 'request.', lost, HARMLESS)
  read_included(body, lost)
  local offered = read.table(body.tools, 'tools', 'an array')
  if offered then
    local list = {}
    tools.read(list, offered, 'tools', ctx)
    request.tools = #list > 0 and list or nil
  end
  incoming.read(body, request, ctx, lost)
  ctx.echo = echo(body, ctx)
  return request
end

--- Usage stands in the last event, whatever a client asks for.
---
--- @return boolean
function M.include_usage()
  return true
end

-- Writing -----------------------------------------------------------------------------------------

local function write_text(body, request)
  local format = request.response_format
  local text = { verbosity = request.verbosity, format = later }
  if format and format.kind == 'schema' and format.schema then
    text.format = {
      type = 'json_schema',
      name = format.name and ids.shorten({}, format.name) or 'response',
      description = format.description,
      schema = format.schema,
      strict = format.strict or false,
    }
  elseif format then
    text.format = { type = 'json_object' }
    if not outgoing.mentions_json(body) then
      table.insert(body.input, 1, {
        type = 'message', role = 'developer',
        content = { { type = 'input_text', text = 'Answer with one JSON object.' } },
      })
    end
  end
  body.text = next(text) and text or nil
end

local function write_reasoning(body, request, knowledge, lost)
  local given = request.reasoning
  local wish = given and effort.wish(given)
  if knowledge.effort then
    -- Nothing is kept at the upstream, so that its thinking must come along to be sent back.
    body.include = { 'reasoning.encrypted_content' }
  end
  if not wish then
    return
  elseif not knowledge.effort then
    if wish ~= 'auto' and (wish ~= 'off' or knowledge.thinking ~= 'none') then
      lost('params.reasoning')
    end
    return
  end
  local word = wish ~= 'auto' and effort.clamp(wish, knowledge.effort) or nil
  if word and word ~= wish then
    lost('params.reasoning')
  end
  local summary = given.visible and word ~= 'off' and 'auto' or nil
  if word or summary then
    body.reasoning = { effort = TO_EFFORT[word] or word, summary = summary }
  end
end

local function write_logprobs(body, request, ctx)
  local count = request.logprobs
  body.include = body.include or {}
  table.insert(body.include, LIKELY)
  body.top_logprobs = count > 0 and count or nil
  ctx.logprobs = true
end

local RANGES = { 'temperature', 'top_p' }
local PENALTIES = { 'presence_penalty', 'frequency_penalty' }
local UNKNOWN = { 'top_k', 'seed' }

local function write_sampling(body, request, knowledge, ctx, lost)
  local free = not knowledge.no_sampling or (body.reasoning and body.reasoning.effort == 'none')
  for _, name in ipairs(RANGES) do
    local value = request[name]
    if value ~= nil and free then
      body[name] = value
    elseif value ~= nil and value ~= 1 then
      lost('params.' .. name)
    end
  end
  body.temperature = sampling.temperature(body.temperature, lost)
  if request.logprobs and free then
    write_logprobs(body, request, ctx)
  elseif request.logprobs then
    lost('params.logprobs')
  end
  for _, name in ipairs(PENALTIES) do
    if request[name] ~= nil and request[name] ~= 0 then
      lost('params.' .. name)
    end
  end
  for _, name in ipairs(UNKNOWN) do
    if request[name] ~= nil then
      lost('params.' .. name)
    end
  end
end

local function write_limits(body, request, knowledge, lost)
  local most = request.max_tokens
  if most and knowledge.max_output and most > knowledge.max_output then
    most = knowledge.max_output
    lost('params.max_tokens')
  elseif most and most < LEAST_OUTPUT then
    most = LEAST_OUTPUT
    lost('params.max_tokens')
  end
  body.max_output_tokens = most
end

local function write_rest(body, request, lost)
  local user = request.user
  body.user = user and (#user > 64 and 'user_' .. ids.hash(user) or user) or nil
  body.metadata = request.metadata
  body.store = false
  if request.service_tier and TIERS[request.service_tier] then
    body.service_tier = request.service_tier
  elseif request.service_tier then
    lost('params.service_tier')
  end
  if request.stream then
    body.stream = true
  end
end

--- @param request px.Request
--- @param ctx px.Context
--- @return table body
function M.write(request, ctx)
  local lost, knowledge = ctx.lost, ctx.knowledge or {}
  local body = {
    model = ctx.model or request.model,
    include = later, input = later, instructions = later, max_output_tokens = later,
    metadata = later, parallel_tool_calls = later, prompt_cache_options = later,
    reasoning = later, store = later, stream = later, text = later, tool_choice = later,
    tools = later, user = later,
  }
  outgoing.write(body, request, ctx, lost)
  body.tools = tools.write(request, ctx, lost)
  local choice = tools.write_choice(request, ctx, lost)
  if body.tools then
    body.tool_choice, body.parallel_tool_calls = choice, request.parallel
  end
  write_text(body, request)
  write_reasoning(body, request, knowledge, lost)
  write_sampling(body, request, knowledge, ctx, lost)
  write_limits(body, request, knowledge, lost)
  write_rest(body, request, lost)
  ctx.stops = request.stop -- This protocol has none: the answer is watched for them.
  return json.object(body)
end

--- Tells whether a block that names an address is worth its bytes to an upstream of this protocol.
---
--- @param block px.Block
--- @return boolean
function M.wants_bytes(block)
  return block.kind == 'audio'
end

return M
