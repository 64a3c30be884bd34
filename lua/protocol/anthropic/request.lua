--- Anthropic Messages requests: read from a client, written for an upstream.
---
--- Anthropic refuses every member that it does not know, so writing names each one.

local choices = require('protocol._choice')
local custom = require('protocol._custom')
local search = require('protocol._search')
local json = require('px.json')
local effort = require('protocol._effort')
local ids = require('protocol._ids')
local incoming = require('protocol.anthropic._incoming')
local outgoing = require('protocol.anthropic._outgoing')
local read = require('protocol._read')
local schema = require('protocol._schema')
local thinking = require('protocol.anthropic._thinking')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

--- @type px.Path[]
M.paths = {
  { method = 'POST', path = '/v1/messages', operation = 'chat' },
  { method = 'POST', path = '/v1/messages/count_tokens', operation = 'count' },
  { method = 'GET', path = '/v1/models', operation = 'models' },
  { method = 'GET', path = '/v1/models/*', operation = 'model' },
}

local bad, opt = read.bad, read.opt

-- Members that are read below, and others that change nothing of the answer when they are left out.
local KNOWN = {}
for name in ([[
  model messages max_tokens system stop_sequences stream temperature top_p top_k tools tool_choice
  thinking output_config output_format metadata service_tier
  diagnostics billing_policy betas
]]):gmatch('%S+') do
  KNOWN[name] = true
end
local KNOWN_OUTPUT = { effort = true, format = true }
local KNOWN_METADATA = { user_id = true }
local KNOWN_TOOL = {
  name = true, description = true, input_schema = true, strict = true, cache_control = true,
  type = true, eager_input_streaming = true,
}

-- Neutral parameters that Anthropic has no word for.
local DROPS = { 'seed', 'presence_penalty', 'frequency_penalty', 'verbosity', 'logprobs' }

local JSON_TOOL = 'json_response'

-- Reading -----------------------------------------------------------------------------------------

local function read_tools(body, lost)
  local list = read.table(body.tools, 'tools', 'an array')
  local tools = {}
  for i, tool in ipairs(list or {}) do
    local path = 'tools[' .. (i - 1) .. ']'
    read.object(tool, path)
    local name = read.text(tool.name, path .. '.name')
    local kind = opt(tool.type)
    if kind and kind ~= 'custom' then
      tools[i] = { name = name or tostring(kind), hosted = tool, protocol = 'anthropic' }
    else
      read.unknown(tool, KNOWN_TOOL, 'request.tools.', lost)
      tools[i] = {
        name = name or bad(path .. '.name is missing', path .. '.name'),
        description = read.text(tool.description, path .. '.description'),
        schema = read.table(tool.input_schema, path .. '.input_schema', 'an object'),
        strict = opt(tool.strict),
        cache = opt(tool.cache_control),
      }
    end
  end
  return #tools > 0 and tools or nil
end

local MODES = { auto = 'auto', any = 'any', none = 'none', tool = 'one' }

local function read_choice(body, request)
  local choice = read.table(body.tool_choice, 'tool_choice', 'an object')
  if not choice then
    return
  end
  local mode = MODES[choice.type]
    or bad('tool_choice.type must be auto, any, tool or none', 'tool_choice.type')
  request.tool_choice = { mode = mode, name = read.text(choice.name, 'tool_choice.name') }
  if mode == 'one' and not request.tool_choice.name then
    bad('tool_choice.name is missing', 'tool_choice.name')
  end
  if choice.disable_parallel_tool_use == true then
    request.parallel = false
  end
end

local function read_reasoning(body, output, lost)
  local wish = read.table(body.thinking, 'thinking', 'an object')
  local word = read.maybe_text(output.effort)
  word = word and effort.known(word) and word or nil
  local off = wish and (wish.type == 'disabled' or wish.type == 'between_tools')
  if opt(output.effort) ~= nil and (off or not word) then
    lost('request.output_config.effort')
  end
  if not wish then
    return word and { effort = word } or nil
  elseif off then
    return { effort = 'off' }
  elseif wish.type == 'enabled' then
    local budget = read.count(wish.budget_tokens, 'thinking.budget_tokens')
    return {
      budget = budget,
      effort = word or (budget and effort.of_budget(budget)) or 'auto',
      visible = wish.display ~= 'omitted',
    }
  elseif wish.type == 'adaptive' then
    return { effort = word or 'auto', visible = wish.display == 'summarized' }
  end
  bad('thinking.type is unknown', 'thinking.type')
end

local function read_format(body, output, lost)
  local format = opt(output.format) or opt(body.output_format)
  if type(format) == 'table' and type(format.schema) == 'table' then
    return { kind = 'schema', schema = format.schema }
  elseif format ~= nil then
    lost('params.response_format')
  end
  return nil
end

local function read_stop(body)
  local list = read.table(body.stop_sequences, 'stop_sequences', 'an array')
  local out = {}
  for i, text in ipairs(list or {}) do
    out[i] = read.text(text, 'stop_sequences[' .. (i - 1) .. ']')
  end
  return #out > 0 and out or nil
end

-- A thread lives on the server; clients go on without one when they are told so in these words.
local function refuse_thread(body)
  if opt(body.thread) ~= nil then
    error({
      status = 400,
      message = 'thread: this gateway keeps no threads',
      param = 'thread',
      raw_code = 'thread_unsupported_request',
    }, 0)
  end
end

--- @param body table
--- @param ctx px.Context
--- @return px.Request
function M.read(body, ctx)
  local lost = ctx.lost
  if type(body) ~= 'table' or json.is_array(body) then
    bad('the body must be a JSON object')
  end
  refuse_thread(body)
  local messages = read.table(body.messages, 'messages', 'an array')
  if not messages or #messages == 0 then
    bad('messages must hold at least one message', 'messages')
  end
  local output = read.table(body.output_config, 'output_config', 'an object') or {}
  local metadata = read.table(body.metadata, 'metadata', 'an object') or {}
  local request = {
    model = read.text(body.model, 'model') or bad('model is missing', 'model'),
    system = incoming.blocks(body.system, 'system', lost),
    turns = incoming.read(messages, lost),
    tools = read_tools(body, lost),
    temperature = read.number(body.temperature, 'temperature'),
    top_p = read.number(body.top_p, 'top_p'),
    top_k = read.number(body.top_k, 'top_k'),
    max_tokens = read.count(body.max_tokens, 'max_tokens'),
    stop = read_stop(body),
    response_format = read_format(body, output, lost),
    reasoning = read_reasoning(body, output, lost),
    user = read.maybe_text(metadata.user_id),
    service_tier = read.text(body.service_tier, 'service_tier'),
    stream = body.stream == true,
    include_usage = true,
  }
  read_choice(body, request)
  read.unknown(body, KNOWN, 'request.', lost)
  read.unknown(output, KNOWN_OUTPUT, 'request.output_config.', lost)
  read.unknown(metadata, KNOWN_METADATA, 'request.metadata.', lost)
  return request
end

-- Writing -----------------------------------------------------------------------------------------

local function write_search(wish, lost)
  search.lose(wish, { 'size', wish.allowed and 'blocked' or nil }, lost)
  return {
    type = 'web_search_20250305', name = 'web_search', max_uses = wish.most,
    allowed_domains = wish.allowed, blocked_domains = not wish.allowed and wish.blocked or nil,
    user_location = search.place(wish),
  }
end

local function write_tool(tool, state)
  if tool.hosted then
    if tool.protocol == 'anthropic' then
      return tool.hosted
    end
    local wish = search.read(tool)
    if wish then
      return write_search(wish, state.lost)
    end
    state.lost('tools.' .. (read.maybe_text(tool.hosted.type) or tool.name or 'hosted'))
    return nil
  end
  local name = ids.shorten(state.ctx, tool.name)
  if tool.custom then
    custom.note(state.ctx, tool)
    local text = custom.description(tool)
    return {
      name = name, description = text ~= '' and text or nil, input_schema = custom.SCHEMA,
    }
  end
  local strict = tool.strict
  if strict and not state.knowledge.output_format then
    state.lost('tools.strict')
    strict = nil
  end
  local input, changed = schema.root(tool.schema)
  local closed = false
  if strict then
    input, closed = schema.closed(input)
  end
  if changed or closed then
    state.lost('tools.schema')
  end
  return {
    name = name,
    description = tool.description,
    input_schema = input,
    strict = strict or nil,
  }
end

--- Stand-ins for the tools of a history whose request offers none: Anthropic asks for them.
local function stubs(messages)
  local out, seen
  for _, message in ipairs(messages) do
    for _, block in ipairs(message.content) do
      if block.type == 'tool_use' and not (seen and seen[block.name]) then
        out, seen = out or {}, seen or {}
        seen[block.name] = true
        out[#out + 1] = { name = block.name, input_schema = schema.empty() }
      end
    end
  end
  return out
end

local function fits(tool)
  return not tool.hosted or tool.protocol == 'anthropic' or search.read(tool)
end

local function write_tools(request, choice, state)
  local tools = {}
  for _, tool in ipairs(request.tools or read.NONE) do
    if choices.leaves(choice, tool.name) or not fits(tool) then
      local made = write_tool(tool, state)
      if made and tool.cache and state.caches < 4 then
        state.caches = state.caches + 1
        made.cache_control = tool.cache
      elseif made and tool.cache then
        state.lost('tools.cache')
      end
      tools[#tools + 1] = made
    end
  end
  return tools
end

--- What a tool is called that is offered: a search has one name here.
local function name_of(request, name, ctx)
  for _, tool in ipairs(request.tools) do
    if tool.name == name and tool.hosted and tool.protocol ~= 'anthropic' then
      return 'web_search'
    end
  end
  return ids.shorten(ctx, name)
end

local function write_choice(body, request, choice, state)
  local out
  if not choice or choice.mode == 'auto' or (choice.mode == 'subset' and not choice.required) then
    out = (choice or request.parallel == false) and { type = 'auto' } or nil
  elseif choice.mode == 'none' then
    out = { type = 'none' }
  elseif choice.mode == 'one' then
    out = { type = 'tool', name = name_of(request, choice.name, state.ctx) }
  else
    out = { type = 'any' }
  end
  local forced = out and (out.type == 'any' or out.type == 'tool')
  local budget = body.thinking and body.thinking.type == 'enabled'
  if forced and (budget or state.knowledge.thinking == 'always') then
    state.lost('tool_choice')
    out = { type = 'auto' }
  end
  if request.parallel == false and out and out.type ~= 'none' then
    out.disable_parallel_tool_use = true
  end
  body.tool_choice = out
end

local function instruct(body, text)
  body.system = body.system or {}
  table.insert(body.system, { type = 'text', text = text })
end

--- Structured output: natively, else by a tool that must be called, else by asking for it.
local function write_format(body, request, state)
  local format = request.response_format
  if not format then
    return
  elseif format.kind == 'schema' and format.schema and state.knowledge.output_format then
    body.output_config = body.output_config or {}
    local closed, changed = schema.closed(schema.of_format(format))
    if changed then
      state.lost('params.response_format')
    end
    body.output_config.format = { type = 'json_schema', schema = closed }
    return
  end
  local thinks = body.thinking and body.thinking.type ~= 'disabled'
  local free = not body.tools and not thinks and state.knowledge.thinking ~= 'always'
  if format.kind == 'schema' and format.schema and free and format.schema.type == 'object' then
    state.ctx.format_tool = JSON_TOOL
    local input, changed = schema.root(format.schema)
    -- A tool that is not strict promises nothing of its input.
    if changed or format.strict then
      state.lost('params.response_format')
    end
    body.tools = { {
      name = JSON_TOOL,
      description = format.description or 'Gives the answer. It must be called exactly once.',
      input_schema = input,
    } }
    body.tool_choice = { type = 'tool', name = JSON_TOOL, disable_parallel_tool_use = true }
    return
  end
  state.lost('params.response_format')
  if format.kind == 'schema' and format.schema then
    instruct(body, 'Answer with one JSON value only, without a code fence or any other text. It '
      .. 'must match this JSON Schema:\n' .. json.encode(schema.of_format(format)))
  else
    instruct(body, 'Answer with one JSON object only, without a code fence or any other text.')
  end
end

local function write_sampling(body, request, knowledge, lost)
  local thinks = body.thinking and body.thinking.type ~= 'disabled'
  local temperature, top_p, top_k = request.temperature, request.top_p, request.top_k
  local warm = temperature and json.tonumber(temperature)
  if warm and (knowledge.no_sampling or thinks) then
    if warm ~= 1 then
      lost('params.temperature')
    end
    temperature = nil
  elseif warm and warm > 1 then
    lost('params.temperature')
    temperature = 1
  end
  local low = top_p and json.tonumber(top_p) < (thinks and 0.95 or 1)
  local refused = knowledge.no_sampling or (thinks and low)
    or (knowledge.one_sampler and temperature)
  if top_p and refused then
    if low then
      lost('params.top_p')
    end
    top_p = nil
  end
  if top_k and (knowledge.no_sampling or thinks) then
    lost('params.top_k')
    top_k = nil
  end
  body.temperature, body.top_p, body.top_k = temperature, top_p, top_k
end

local function write_stop(body, request, lost)
  local out
  for _, text in ipairs(request.stop or read.NONE) do
    if text:find('%S') then
      out = out or {}
      out[#out + 1] = text
    else
      lost('params.stop')
    end
  end
  body.stop_sequences = out
end

local TIERS = { auto = true, standard_only = true }

local function write_rest(body, request, lost)
  for _, name in ipairs(DROPS) do
    if request[name] ~= nil then
      lost('params.' .. name)
    end
  end
  if request.metadata and next(request.metadata) ~= nil then
    lost('params.metadata')
  end
  if request.user and request.user ~= '' then
    body.metadata = { user_id = request.user }
  end
  if request.service_tier and TIERS[request.service_tier] then
    body.service_tier = request.service_tier
  elseif request.service_tier and request.service_tier ~= 'default' then
    lost('params.service_tier')
  end
  if request.stream then
    body.stream = true
  end
end

--- Only a system prompt: it becomes the user's, since a conversation needs one.
local function write_prompt(body, request, state)
  if #request.turns == 0 then
    local turn = { role = 'user', blocks = request.system }
    body.messages = outgoing.messages({ turns = { turn } }, state)
    return
  end
  body.system = outgoing.system(request.system or {}, state)
  body.messages = outgoing.messages(request, state)
end

--- @param request px.Request
--- @param ctx px.Context
--- @return table body
function M.write(request, ctx)
  local knowledge, lost = ctx.knowledge or {}, ctx.lost
  local state = {
    ctx = ctx, knowledge = knowledge, lost = lost, origin = ctx.origin or 'anthropic', caches = 0,
  }
  local body = {
    model = ctx.model or request.model,
    cache_control = later, max_tokens = later, messages = later, metadata = later,
    output_config = later, service_tier = later, stop_sequences = later, stream = later,
    system = later, temperature = later, thinking = later, tool_choice = later, tools = later,
    top_k = later, top_p = later,
  }
  local choice = choices.among(request, fits, lost)
  local tools = write_tools(request, choice, state)
  write_prompt(body, request, state)
  thinking.set(body, request, knowledge, lost)
  local budget = body.thinking and body.thinking.type ~= 'disabled'
  outgoing.finish_prefill(body.messages, not knowledge.no_prefill and not budget, lost)
  if #tools > 0 then
    body.tools = tools
    write_choice(body, request, choice, state)
  else
    tools = stubs(body.messages)
    if tools then
      body.tools, body.tool_choice = tools, { type = 'none' }
    end
  end
  write_format(body, request, state)
  write_sampling(body, request, knowledge, lost)
  write_stop(body, request, lost)
  write_rest(body, request, lost)
  if ctx.settings and ctx.settings.auto_cache and state.caches == 0 then
    body.cache_control = { type = 'ephemeral' }
  end
  return json.object(body)
end

return M
