--- Ollama's requests, of /api/chat and of /api/generate: read from a client, written for an
--- upstream (always as a chat).

local choices = require('protocol._choice')
local custom = require('protocol._custom')
local json = require('px.json')
local effort = require('protocol._effort')
local incoming = require('protocol.ollama._incoming')
local logprobs = require('protocol._logprobs')
local metrics = require('protocol.ollama._metrics')
local options = require('protocol.ollama._options')
local outgoing = require('protocol.ollama._outgoing')
local read = require('protocol._read')
local reply = require('protocol.ollama.reply')
local schema = require('protocol.ollama._schema')
local schemas = require('protocol._schema')

-- Documents that are text: others are nothing to it, even whole.
local TEXTS = {
  csv = true, json = true, log = true, md = true, txt = true, xml = true, yaml = true, yml = true,
}

local M = {}

M.streams_by_default = true

--- @type px.Path[]
M.paths = {}
for _, prefix in ipairs({ '', '/ollama' }) do
  for _, entry in ipairs({
    { 'POST', '/api/chat', 'chat' },
    { 'POST', '/api/generate', 'chat' },
    { 'POST', '/api/embed', 'embed' },
    { 'POST', '/api/embeddings', 'embed' },
    { 'GET', '/api/tags', 'models' },
    { 'POST', '/api/show', 'show' },
    { 'GET', '/api/ps', 'ps' },
    { 'GET', '/api/version', 'version' },
    { 'POST', '/api/pull', 'manage' },
    { 'POST', '/api/push', 'manage' },
    { 'POST', '/api/create', 'manage' },
    { 'POST', '/api/copy', 'manage' },
    { 'DELETE', '/api/delete', 'manage' },
  }) do
    M.paths[#M.paths + 1] =
      { method = entry[1], path = prefix .. entry[2], operation = entry[3] }
  end
end

local bad, opt = read.bad, read.opt

local function set_of(names)
  local out = {}
  for name in names:gmatch('%S+') do
    out[name] = true
  end
  return out
end

-- Members that are read below; others are recorded.
local CHAT = set_of('model messages stream tools format think options logprobs top_logprobs')
local GENERATE = set_of([[model prompt system images stream format think options logprobs
  top_logprobs]])

local TOOL = set_of('type function name description parameters')

local function is_empty(value)
  return value == '' or type(value) == 'table' and next(value) == nil
end

-- Values that say what is so anyway.
local HARMLESS = {
  context = is_empty, suffix = is_empty, template = is_empty,
  raw = function(value) return value == false end,
  truncate = function(value) return value == true end,
  shift = function(value) return value == true end,
}

local HARMLESS_TOOL = {
  strict = function(value) return value == false end,
}

local THINK = { low = true, medium = true, high = true, max = true }
local TO_THINK = { off = false, auto = true, minimal = 'low', xhigh = 'max' }

-- Reading -----------------------------------------------------------------------------------------

local function read_tool(tool, path, lost)
  read.object(tool, path)
  local kind = opt(tool.type) or 'function'
  if kind ~= 'function' then
    lost('request.tools.' .. (type(kind) == 'string' and kind or 'unknown'))
    return nil
  end
  local inner = type(tool['function']) == 'table' and tool['function'] or tool
  local at = path .. '.function'
  local name = read.text(inner.name, at .. '.name')
  if not name or name == '' then
    bad(at .. '.name is missing', at .. '.name')
  end
  read.unknown(tool, TOOL, 'request.tools.', lost, HARMLESS_TOOL)
  if inner ~= tool then
    read.unknown(inner, TOOL, 'request.tools.', lost, HARMLESS_TOOL)
  end
  return {
    name = name,
    description = read.text(inner.description, at .. '.description'),
    schema = read.table(inner.parameters, at .. '.parameters', 'an object'),
  }
end

local function read_tools(body, lost)
  local tools = {}
  for i, tool in ipairs(read.table(body.tools, 'tools', 'an array') or {}) do
    tools[#tools + 1] = read_tool(tool, ('tools[%d]'):format(i - 1), lost)
  end
  return #tools > 0 and tools or nil
end

local function read_format(body)
  local format = opt(body.format)
  if format == nil or format == '' then
    return nil
  elseif format == 'json' then
    return { kind = 'json' }
  elseif type(format) ~= 'table' or json.is_array(format) and #format > 0 then
    bad('format must be "json" or a JSON Schema', 'format')
  end
  return { kind = 'schema', schema = read.table(format, 'format', 'an object') or json.object({}) }
end

local function read_think(body)
  local think = opt(body.think)
  if think == nil then
    return nil
  elseif type(think) == 'boolean' then
    return { effort = think and 'auto' or 'off', visible = think }
  elseif not THINK[think] then
    bad(('think: unknown value %s; it is true, false, "low", "medium", "high" or "max"')
      :format(json.encode(think)), 'think')
  end
  return { effort = think, visible = true }
end

local function read_prompt(body, request)
  local system, blocks = {}, {}
  incoming.content(system, body.system, nil, '', 'system')
  incoming.content(blocks, body.prompt, body.images, '', 'prompt')
  request.system = system
  request.turns = { { role = 'user', blocks = blocks } }
  if #blocks == 0 then
    bad('prompt is missing', 'prompt')
  end
end

--- @param body table
--- @param ctx px.Context Gets `generate` when the reply has that form.
--- @return px.Request
function M.read(body, ctx)
  local lost = ctx.lost
  if type(body) ~= 'table' or json.is_array(body) then
    bad('the body must be a JSON object')
  end
  local stream = opt(body.stream)
  if stream ~= nil and type(stream) ~= 'boolean' then
    bad('stream must be true or false', 'stream')
  end
  local request = {
    model = read.text(body.model, 'model') or bad('model is missing', 'model'),
    response_format = read_format(body),
    reasoning = read_think(body),
    logprobs = logprobs.read(body),
    stream = stream ~= false,
    include_usage = true,
  }
  options.read(body, request, lost)
  ctx.generate = metrics.is_generation(ctx, body)
  if ctx.generate then
    read.unknown(body, GENERATE, 'request.', lost, HARMLESS)
    read_prompt(body, request)
    return request
  end
  local messages = read.table(body.messages, 'messages', 'an array')
  if not messages or #messages == 0 then
    bad('messages must hold at least one message', 'messages')
  end
  read.unknown(body, CHAT, 'request.', lost, HARMLESS)
  incoming.read(messages, request, lost)
  request.tools = read_tools(body, lost)
  return request
end

--- Usage is always in the last line.
---
--- @return boolean
function M.include_usage()
  return true
end

--- The answer to a request that only loads or unloads a model: one without messages or a prompt.
---
--- @param body px.Body
--- @param path string The client's.
--- @param make fun(): px.Context
--- @return table? body nil for a request that asks a model something.
function M.at_once(body, path, make)
  local generate = path:find('/api/generate$') ~= nil
  local asked = opt(body:get(generate and 'prompt' or 'messages[0]'))
  if asked ~= nil and asked ~= '' then
    return nil
  elseif generate and (opt(body:get('images[0]')) or opt(body:get('suffix'))) then
    return nil
  end
  local keep = opt(body:get('keep_alive'))
  local unload = json.is_number(keep) and json.tonumber(keep) == 0
    or type(keep) == 'string' and keep:find('^0+%a*$') ~= nil
  local ctx = make()
  ctx.generate = generate
  return reply.loaded(ctx, unload)
end

-- Writing -----------------------------------------------------------------------------------------

--- The tools that a choice leaves. There is no other way to say one.
local function offered(request, lost)
  local choice, tools = choices.among(request, choices.is_own, lost), request.tools or {}
  local mode = choice and choice.mode or 'auto'
  if mode == 'auto' then
    return tools
  elseif mode == 'none' then
    return {}
  elseif mode ~= 'subset' or choice.required then
    lost('tool_choice')
  end
  local out = {}
  for _, tool in ipairs(tools) do
    local left = mode == 'one' and tool.name == choice.name
      or mode ~= 'one' and choices.leaves(choice, tool.name)
    out[#out + 1] = (left or tool.hosted) and tool or nil
  end
  return out
end

local function write_tool(tool, ctx, lost)
  if tool.hosted then
    lost('tools.' .. (read.maybe_text(tool.hosted.type) or 'hosted'))
    return nil
  end
  if tool.cache then
    lost('tools.cache')
  end
  if tool.strict then
    lost('tools.strict')
  end
  if tool.custom then
    custom.note(ctx, tool)
  end
  local parameters, changed = custom.SCHEMA, false
  if not tool.custom then
    parameters, changed = schema.tool(tool.schema)
  end
  if changed then
    lost('tools.schema')
  end
  return {
    type = 'function',
    ['function'] = {
      name = tool.name,
      description = tool.custom and custom.description(tool) or tool.description,
      parameters = parameters,
    },
  }
end

local function write_tools(request, ctx, lost)
  local out = {}
  for _, tool in ipairs(offered(request, lost)) do
    out[#out + 1] = write_tool(tool, ctx, lost)
  end
  if #out > 0 and request.parallel == false then
    lost('params.parallel')
  end
  return #out > 0 and out or nil
end

local function write_format(request)
  local format = request.response_format
  if not format then
    return nil
  end
  return format.kind == 'schema' and format.schema and schemas.of_format(format) or 'json'
end

--- Models that do not think refuse to be told to, so only those are told that are known to.
local function write_think(request, knowledge, lost)
  local wish = request.reasoning and effort.wish(request.reasoning)
  if not wish then
    return nil
  elseif wish == 'off' then
    if knowledge.thinking == 'always' then
      lost('params.reasoning')
      return knowledge.effort and knowledge.effort[1] or nil
    end
    return false
  elseif knowledge.effort and wish ~= 'auto' then
    local given = effort.clamp(wish, knowledge.effort)
    if given ~= wish then
      lost('params.reasoning')
    end
    return TO_THINK[given] == nil and given or TO_THINK[given]
  elseif knowledge.thinking and knowledge.thinking ~= 'none' then
    if wish ~= 'auto' then
      lost('params.reasoning')
    end
    return true
  elseif wish ~= 'auto' or knowledge.thinking == 'none' then
    lost('params.reasoning')
  end
  return nil
end

local DROPS = { 'verbosity', 'user', 'service_tier' }

local function note_rest(request, lost)
  for _, name in ipairs(DROPS) do
    local value = request[name]
    if value ~= nil and value ~= '' and not (name == 'service_tier' and value == 'auto') then
      lost('params.' .. name)
    end
  end
  if request.metadata and next(request.metadata) ~= nil then
    lost('params.metadata')
  end
end

--- @param request px.Request
--- @param ctx px.Context
--- @return table body
function M.write(request, ctx)
  local lost = ctx.lost
  local knowledge, settings = ctx.knowledge or {}, ctx.settings or {}
  local body = {
    model = ctx.model or request.model,
    messages = outgoing.write(request, ctx, lost),
    tools = write_tools(request, ctx, lost),
    format = write_format(request),
    think = write_think(request, knowledge, lost),
    options = options.write(request, ctx, lost),
    keep_alive = settings.keep_alive,
    stream = request.stream == true,
  }
  logprobs.write(body, request, ctx)
  note_rest(request, lost)
  return json.object(body)
end

--- Tells whether a block that names an address is worth its bytes to an upstream of this protocol.
---
--- @param block px.Block
--- @param ctx px.Context
--- @return boolean
function M.wants_bytes(block, ctx)
  local kind = block.kind
  if kind == 'document' then
    local ending = block.url:gsub('[?#].*$', ''):match('%.(%w+)$')
    return (block.media or ''):find('^text/') ~= nil or TEXTS[(ending or ''):lower()] or false
  end
  return kind == 'image' or (kind == 'audio' and (ctx.knowledge or {}).audio or false)
end

return M
