--- OpenAI Chat Completions requests: read from a client, written for an upstream.
---
--- Reading is liberal, since many clients speak this protocol in their own way. Writing is strict:
--- nothing that Chat Completions does not know reaches an upstream.

local json = require('px.json')
local effort = require('protocol._effort')
local ids = require('protocol._ids')
local incoming = require('protocol.openai_chat._incoming')
local logprobs = require('protocol._logprobs')
local outgoing = require('protocol.openai_chat._outgoing')
local read = require('protocol._read')
local sampling = require('protocol._sampling')
local tools_of = require('protocol.openai_chat._tools')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

--- @type px.Path[]
M.paths = {
  { method = 'POST', path = '/v1/chat/completions', operation = 'chat' },
  { method = 'POST', path = '/chat/completions', operation = 'chat' },
  { method = 'POST', path = '/v1/embeddings', operation = 'embed' },
  { method = 'POST', path = '/embeddings', operation = 'embed' },
  { method = 'GET', path = '/v1/models', operation = 'models' },
  { method = 'GET', path = '/v1/models/*', operation = 'model' },
}

-- Images and sound: what is asked is the same below an upstream's address.
for _, place in ipairs({
  '/images/generations', '/images/edits', '/images/variations',
  '/audio/speech', '/audio/transcriptions', '/audio/translations',
}) do
  for _, path in ipairs({ '/v1' .. place, place }) do
    M.paths[#M.paths + 1] = {
      method = 'POST', path = path, operation = 'images_audio', place = place,
    }
  end
end

local bad, opt = read.bad, read.opt

-- Members that are read below, and others that change nothing of the answer when they are left out.
local KNOWN = {}
for name in ([[
  model messages stream stream_options max_completion_tokens max_tokens temperature top_p top_k
  frequency_penalty presence_penalty n stop seed tools tool_choice parallel_tool_calls functions
  function_call response_format reasoning_effort reasoning thinking enable_thinking verbosity
  service_tier metadata user safety_identifier web_search_options logprobs top_logprobs
  store prompt_cache_key prompt_cache_options prompt_cache_retention
]]):gmatch('%S+') do
  KNOWN[name] = true
end

-- Values that say what is so anyway.
local HARMLESS = {
  logit_bias = function(value) return type(value) == 'table' and next(value) == nil end,
  modalities = function(value)
    return type(value) == 'table' and value[1] == 'text' and value[2] == nil
  end,
}

local STOPS_MAX = 4
local FROM_EFFORT = { none = 'off' }
local TO_EFFORT = { off = 'none' }
local TIERS = { auto = true, default = true, flex = true, scale = true, priority = true }

-- Reading -----------------------------------------------------------------------------------------

local function read_tool(tool, path, lost)
  read.object(tool, path)
  local kind = opt(tool.type) or 'function'
  if kind ~= 'function' and kind ~= 'custom' then
    lost('request.tools.' .. (type(kind) == 'string' and kind or 'unknown'))
    return nil
  end
  local inner = tool[kind]
  if type(inner) ~= 'table' then
    inner = type(tool.name) == 'string' and tool or bad(path .. '.' .. kind .. ' is missing',
      path .. '.' .. kind)
  end
  local name = read.text(inner.name, path .. '.' .. kind .. '.name')
  if not name or name == '' then
    bad(path .. '.' .. kind .. '.name is missing', path .. '.' .. kind .. '.name')
  end
  tools_of.note_rest(tool, inner, lost)
  local at = path .. '.' .. kind
  return {
    name = name,
    description = read.text(inner.description, at .. '.description'),
    schema = kind == 'function'
      and read.table(inner.parameters, at .. '.parameters', 'an object') or nil,
    strict = opt(inner.strict),
    custom = kind == 'custom' and (opt(inner.format) or true) or nil,
    cache = opt(tool.cache_control),
  }
end

local function read_tools(body, request, lost)
  local tools = {}
  local list = read.table(body.tools, 'tools', 'an array')
  for i, tool in ipairs(list or read.NONE) do
    tools[#tools + 1] = read_tool(tool, 'tools[' .. (i - 1) .. ']', lost)
  end
  local old = read.table(body.functions, 'functions', 'an array')
  for i, tool in ipairs(old or read.NONE) do
    tools[#tools + 1] = read_tool({ ['function'] = tool }, 'functions[' .. (i - 1) .. ']', lost)
  end
  local wish = read.table(body.web_search_options, 'web_search_options', 'an object')
  if wish then
    tools[#tools + 1] = tools_of.read_search(wish, lost)
  end
  if #tools > 0 then
    request.tools = tools
  end
end

local MODES = { auto = 'auto', none = 'none', required = 'any', any = 'any' }

local function read_choice(body)
  local choice = opt(body.tool_choice) or opt(body.function_call)
  if choice == nil then
    return nil
  elseif type(choice) == 'string' then
    return MODES[choice] and { mode = MODES[choice] }
      or bad('tool_choice: unknown value ' .. json.encode(choice), 'tool_choice')
  elseif type(choice) ~= 'table' then
    bad('tool_choice must be a string or an object', 'tool_choice')
  end
  local allowed = type(choice.allowed_tools) == 'table' and choice.allowed_tools
  if allowed then
    local names = {}
    for i, tool in ipairs(read.maybe_table(allowed.tools)) do
      read.object(tool, ('tool_choice.allowed_tools.tools[%d]'):format(i - 1))
      local named = read.maybe_table(tool[tool.type or 'function'])
      names[#names + 1] = read.maybe_text(named.name) or read.maybe_text(tool.name)
    end
    return { mode = 'subset', names = names, required = allowed.mode == 'required' }
  end
  local named = opt(choice['function']) or opt(choice.custom) or choice
  local name = type(named) == 'table' and read.maybe_text(named.name)
  if not name then
    bad('tool_choice must name a function', 'tool_choice')
  end
  return { mode = 'one', name = name }
end

local function read_format(body)
  local format = read.table(body.response_format, 'response_format', 'an object')
  if not format or format.type == 'text' or opt(format.type) == nil then
    return nil
  elseif format.type == 'json_object' then
    return { kind = 'json' }
  elseif format.type ~= 'json_schema' then
    bad('response_format.type: unknown value ' .. json.encode(format.type), 'response_format.type')
  end
  local inner = read.table(format.json_schema, 'response_format.json_schema', 'an object') or {}
  return {
    kind = 'schema',
    name = read.maybe_text(inner.name),
    description = read.maybe_text(inner.description),
    schema = read.table(inner.schema, 'response_format.json_schema.schema', 'an object'),
    strict = opt(inner.strict),
  }
end

local KNOWN_REASONING = { effort = true, max_tokens = true, enabled = true, exclude = true }
local KNOWN_THINKING = { type = true, budget_tokens = true }
-- Words of those whose thinking is one or the other; each maps to an effort.
local THINKING = { enabled = 'auto', adaptive = 'auto', auto = 'auto', disabled = 'off' }

local function note_reasoning(body, lost)
  if read.is_object(body.reasoning) then
    read.unknown(body.reasoning, KNOWN_REASONING, 'request.reasoning.', lost)
  end
  if read.is_object(body.thinking) then
    read.unknown(body.thinking, KNOWN_THINKING, 'request.thinking.', lost)
    local kind = opt(body.thinking.type)
    if kind ~= nil and not THINKING[kind] then
      lost('request.thinking.type')
    end
  end
end

local function read_reasoning(body, lost)
  note_reasoning(body, lost)
  local object = read.maybe_table(body.reasoning)
  local word = read.text(body.reasoning_effort, 'reasoning_effort')
    or read.maybe_text(object.effort)
  if word then
    word = FROM_EFFORT[word] or word
    if not effort.known(word) then
      bad('reasoning_effort: unknown value ' .. json.encode(word), 'reasoning_effort')
    end
  end
  local budget = read.maybe_number(object.max_tokens)
  local old = read.maybe_table(body.thinking)
  if not word and not budget then
    budget = read.maybe_number(old.budget_tokens)
    local kind = THINKING[old.type]
    if kind == 'off' or body.enable_thinking == false or object.enabled == false then
      word = 'off'
    elseif kind or body.enable_thinking == true or object.enabled == true then
      word = not budget and 'auto' or nil
    end
  end
  if not word and not budget then
    return nil
  end
  return { effort = word, budget = budget, visible = word ~= 'off' and object.exclude ~= true }
end

local function read_stop(body)
  local stop = opt(body.stop)
  if type(stop) == 'string' then
    stop = { stop }
  elseif stop ~= nil and type(stop) ~= 'table' then
    bad('stop must be a string or an array of strings', 'stop')
  end
  local list
  for i, text in ipairs(stop or read.NONE) do
    list = list or {}
    list[#list + 1] = read.text(text, 'stop[' .. (i - 1) .. ']')
  end
  return list and list[1] and list
end

--- @param body table
--- @param ctx px.Context
--- @return px.Request
function M.read(body, ctx)
  local lost = ctx.lost
  if type(body) ~= 'table' or json.is_array(body) then
    bad('the body must be a JSON object')
  end
  local messages = read.table(body.messages, 'messages', 'an array')
  if not messages or #messages == 0 then
    bad('messages must hold at least one message', 'messages')
  end
  read.one_answer(body.n, 'n')
  local options = read.maybe_table(body.stream_options)
  local request = {
    model = read.text(body.model, 'model') or bad('model is missing', 'model'),
    tool_choice = read_choice(body),
    parallel = opt(body.parallel_tool_calls),
    temperature = read.number(body.temperature, 'temperature'),
    top_p = read.number(body.top_p, 'top_p'),
    top_k = read.number(body.top_k, 'top_k'),
    max_tokens = read.count(body.max_completion_tokens, 'max_completion_tokens')
      or read.count(body.max_tokens, 'max_tokens'),
    stop = read_stop(body),
    seed = read.number(body.seed, 'seed'),
    logprobs = logprobs.read(body),
    presence_penalty = read.number(body.presence_penalty, 'presence_penalty'),
    frequency_penalty = read.number(body.frequency_penalty, 'frequency_penalty'),
    response_format = read_format(body),
    reasoning = read_reasoning(body, lost),
    verbosity = read.text(body.verbosity, 'verbosity'),
    user = read.maybe_text(body.safety_identifier) or read.text(body.user, 'user'),
    metadata = read.table(body.metadata, 'metadata', 'an object'),
    service_tier = read.text(body.service_tier, 'service_tier'),
    stream = body.stream == true,
    include_usage = options.include_usage == true,
  }
  read.unknown(body, KNOWN, 'request.', lost, HARMLESS)
  incoming.read(messages, request, lost)
  read_tools(body, request, lost)
  return request
end

--- Tells whether a client asks for usage in its stream, without decoding the whole body.
---
--- @param body px.Body
--- @return boolean
function M.include_usage(body)
  return body:get('stream_options.include_usage') == true
end

-- Writing -----------------------------------------------------------------------------------------

local function write_format(body, request)
  local format = request.response_format
  if not format then
    return
  elseif format.kind == 'schema' and format.schema then
    body.response_format = {
      type = 'json_schema',
      json_schema = {
        name = format.name and ids.shorten({}, format.name) or 'response',
        description = format.description,
        schema = format.schema,
        strict = format.strict,
      },
    }
    return
  end
  body.response_format = { type = 'json_object' }
  if not outgoing.mentions_json(body.messages) then
    table.insert(body.messages, 1, { role = 'system', content = 'Answer with one JSON object.' })
  end
end

local function write_reasoning(body, request, knowledge, lost)
  local wish = request.reasoning and effort.wish(request.reasoning)
  if not wish or wish == 'auto' then
    return
  end
  if not knowledge.effort then
    -- Some models never think; one that nobody knows may do so all the same.
    if wish ~= 'off' or knowledge.thinking ~= 'none' then
      lost('params.reasoning')
    end
    return
  end
  local given = effort.clamp(wish, knowledge.effort)
  if given ~= wish then
    lost('params.reasoning')
  end
  body.reasoning_effort = TO_EFFORT[given] or given
end

local SAMPLING = { 'temperature', 'top_p', 'presence_penalty', 'frequency_penalty' }
local DEFAULTS = { temperature = 1, top_p = 1, presence_penalty = 0, frequency_penalty = 0 }

local function write_sampling(body, request, knowledge, ctx, lost)
  local free = not knowledge.no_sampling or body.reasoning_effort == 'none'
  for _, name in ipairs(SAMPLING) do
    local value, default = request[name], DEFAULTS[name]
    if value ~= nil and (free or value == default) then
      body[name] = free and value or nil
    elseif value ~= nil then
      lost('params.' .. name)
    end
  end
  body.temperature, body.seed = sampling.temperature(body.temperature, lost), request.seed
  if free then
    logprobs.write(body, request, ctx)
  elseif request.logprobs then
    lost('params.logprobs')
  end
  if request.top_k then
    lost('params.top_k')
  end
end

--- Stops that the upstream does not take are watched for in its answer.
local function write_stop(body, request, knowledge, ctx)
  local stops = request.stop
  if not stops then
    return
  elseif knowledge.no_stop then
    ctx.stops = stops
    return
  end
  body.stop = {}
  for i = 1, math.min(STOPS_MAX, #stops) do
    body.stop[i] = stops[i]
  end
  if #stops > STOPS_MAX then
    ctx.stops = stops
  end
end

local function write_limits(body, request, knowledge, lost)
  local most = request.max_tokens
  if most and knowledge.max_output and most > knowledge.max_output then
    most = knowledge.max_output
    lost('params.max_tokens')
  end
  body[knowledge.max_completion_tokens and 'max_completion_tokens' or 'max_tokens'] = most
end

local function write_rest(body, request, lost)
  local user = request.user
  body.user = user and (#user > 128 and 'user_' .. ids.hash(user) or user) or nil
  body.metadata = request.metadata
  body.verbosity = request.verbosity
  if request.service_tier and TIERS[request.service_tier] then
    body.service_tier = request.service_tier
  elseif request.service_tier then
    lost('params.service_tier')
  end
  if request.stream then
    body.stream = true
    body.stream_options = { include_usage = true }
  end
end

--- @param request px.Request
--- @param ctx px.Context
--- @return table body
function M.write(request, ctx)
  local lost = ctx.lost
  local knowledge = ctx.knowledge or {}
  local tools, customs = tools_of.write(request, ctx, lost)
  local messages, cache = outgoing.write(request, ctx, lost)
  local body = {
    model = ctx.model or request.model,
    messages = messages,
    prompt_cache_options = cache,
    tools = tools,
    web_search_options = ctx.search and json.object(ctx.search),
    max_completion_tokens = later, max_tokens = later, metadata = later,
    parallel_tool_calls = later, seed = later, stream = later, stream_options = later,
    temperature = later, tool_choice = later, user = later, verbosity = later,
  }
  local choice = tools_of.write_choice(request, ctx, customs, lost)
  if tools then
    body.tool_choice, body.parallel_tool_calls = choice, request.parallel
  end
  write_format(body, request)
  write_reasoning(body, request, knowledge, lost)
  write_sampling(body, request, knowledge, ctx, lost)
  write_stop(body, request, knowledge, ctx)
  write_limits(body, request, knowledge, lost)
  write_rest(body, request, lost)
  return json.object(body)
end

--- Tells whether a block that names an address is worth its bytes to an upstream of this protocol.
---
--- @param block px.Block
--- @return boolean
function M.wants_bytes(block)
  return block.kind == 'document' or block.kind == 'audio'
end

return M
