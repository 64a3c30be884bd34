--- Gemini requests (generateContent): read from a client, written for an upstream.
---
--- The model and whether to stream are told by the path. Gemini refuses every member that it does
--- not know, so writing names each one.

local json = require('px.json')
local config = require('protocol.gemini._config')
local incoming = require('protocol.gemini._incoming')
local names = require('protocol.gemini._names')
local outgoing = require('protocol.gemini._outgoing')
local read = require('protocol._read')
local tools = require('protocol.gemini._tools')
local unescape = require('px.url').unescape

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

--- The body has no model.
M.model_in_path = true

--- @type px.Path[]
M.paths = {
  { method = 'POST', path = '/v1beta/models/*', operation = 'chat' },
  { method = 'POST', path = '/v1/models/*', operation = 'chat' },
  { method = 'GET', path = '/v1beta/models', operation = 'models' },
  { method = 'GET', path = '/v1beta/models/*', operation = 'model' },
  { method = 'GET', path = '/v1/models', operation = 'models' },
  { method = 'GET', path = '/v1/models/*', operation = 'model' },
}

local bad, get = read.bad, names.get

local KNOWN = names.set([[contents systemInstruction tools toolConfig generationConfig model
  generateContentRequest]])

-- Neutral parameters that Gemini has no word for.
local DROPS = { 'verbosity', 'user', 'service_tier' }

local VERBS = {
  generateContent = { operation = 'chat', stream = false },
  streamGenerateContent = { operation = 'chat', stream = true },
  countTokens = { operation = 'count', stream = false },
  embedContent = { operation = 'embed', stream = false, single = true },
  batchEmbedContents = { operation = 'embed', stream = false },
}

--- Takes apart what follows the path's prefix: `<model>:<verb>`.
---
--- @param rest string
--- @param query fun(name: string): string?
--- @return table? found operation, model, stream; `array`: the stream is to be one JSON array;
---   `single`: one text is embedded. Nil for a verb that is not known.
function M.locate(rest, query)
  local model, verb = unescape(rest):match('^(.+):([^:]*)$')
  local found = model and VERBS[verb]
  if not found then
    return nil
  end
  local array = found.stream and (query == nil or query('alt') ~= 'sse') or nil
  return {
    operation = found.operation, model = model, stream = found.stream, array = array,
    single = found.single,
  }
end

--- A request to count may wrap the request that it counts.
local function unwrap(body)
  local inner = get(body, 'generateContentRequest')
  if inner == nil then
    return body
  end
  return read.object(inner, 'generateContentRequest')
end

--- @param body table
--- @param ctx px.Context
--- @return px.Request
function M.read(body, ctx)
  local lost = ctx.lost
  if type(body) ~= 'table' or json.is_array(body) then
    bad('the body must be a JSON object')
  end
  body = unwrap(body)
  local request = {
    model = ctx.model or read.maybe_text(body.model) or '',
    system = incoming.system(get(body, 'systemInstruction'), lost),
    turns = incoming.read(get(body, 'contents'), lost),
    tools = tools.read(get(body, 'tools'), lost),
    tool_choice = tools.read_choice(get(body, 'toolConfig'), lost),
    stream = ctx.stream == true,
    include_usage = true,
  }
  if not request.tools then
    request.tool_choice = nil
  end
  config.read(body, request, lost)
  read.unknown(body, KNOWN, 'request.', lost)
  return request
end

--- Only a system prompt: it becomes the user's, since a conversation needs one.
local function write_prompt(body, request, state)
  if #request.turns == 0 then
    body.contents = outgoing.contents({ { role = 'user', blocks = request.system } }, state)
    return
  end
  body.systemInstruction = outgoing.system(request.system, state)
  body.contents = outgoing.contents(request.turns, state)
end

--- @param request px.Request
--- @param ctx px.Context
--- @return table body
function M.write(request, ctx)
  local lost = ctx.lost
  local body = {
    contents = later, generationConfig = later, systemInstruction = later, toolConfig = later,
    tools = later,
  }
  write_prompt(body, request, {
    ctx = ctx, knowledge = ctx.knowledge or {}, lost = lost, origin = ctx.origin or 'gemini',
  })
  tools.set(body, request, ctx, lost)
  config.write(body, request, ctx, lost)
  for _, name in ipairs(DROPS) do
    if request[name] ~= nil then
      lost('params.' .. name)
    end
  end
  if request.metadata and next(request.metadata) ~= nil then
    lost('params.metadata')
  end
  return json.object(body)
end

--- Tells whether a block that names an address is worth its bytes to an upstream of this protocol.
---
--- Where nobody knows whether the model takes addresses, bytes are better.
---
--- @param block px.Block
--- @param ctx px.Context
--- @return boolean|'rather'
function M.wants_bytes(block, ctx)
  local takes = (ctx.knowledge or {}).file_urls
  if takes or block.url:find('^https?://[%w.]*youtu') then
    return false
  end
  return takes == false or 'rather'
end

return M
