--- What models there are, told in the client's protocol.

local core = require('px.core')
local knowledge = require('policy.knowledge')
local refuse = require('policy.refuse')
local route = require('policy.route')
local upstreams = require('policy.upstreams')
local unescape = require('px.url').unescape

local M = {}

local HEADERS = {
  ['content-type'] = 'application/json', ['access-control-allow-origin'] = '*',
}

local function listed(provider)
  local only = provider and upstreams.get(provider)
  upstreams.want(only)
  return upstreams.models(only)
end

local function find(provider, id)
  local upstream, rest = route.split(id)  -- '[Label] model', 'provider:model'
  if upstream then
    provider, id = upstream.id, rest
  end
  for _, model in ipairs(listed(provider)) do
    if model.id == id then
      return model
    end
  end
end

local function answer_one(ex, op, provider, id, write)
  local model = type(id) == 'string' and find(provider, id)
  if model then
    local target = route.target(id, provider)
    local at = target and target.upstream
    local known = at and knowledge.lookup(target.model, at.first or op.protocol, at.id) or {}
    ex:answer(200, HEADERS, write(model, known))
  else
    refuse.own(ex, op, 404, 'not_found', ('There is no model %q.'):format(tostring(id)))
  end
end

local OPERATIONS = {}

function OPERATIONS.models(ex, op, provider, reply)
  local ok, body = pcall(reply.models, listed(provider), function(name)
    return (ex:query(name))
  end)
  if ok then
    ex:answer(200, HEADERS, body)
  elseif type(body) == 'table' and body.status then
    refuse.answer(ex, refuse.protocol_of(ex, op), {
      status = body.status, code = 'bad_request', param = body.param, message = body.message,
    })
  else
    error(body, 0)
  end
end

function OPERATIONS.model(ex, op, provider, reply, id)
  -- SDKs escape the slashes, spaces and brackets of a name in a path.
  answer_one(ex, op, provider, unescape(id), reply.model)
end

--- Ollama's /api/show: the name is in the body.
function OPERATIONS.show(ex, op, provider, reply)
  local body = ex:body()
  if not body or not body:head() then
    return refuse.own(ex, op, 400, 'bad_request', 'A JSON object with `model` is expected.')
  end
  local name = body:get('model')
  answer_one(ex, op, provider, name == nil and body:get('name') or name, reply.show)
end

function OPERATIONS.ps(ex, _, provider, reply)
  ex:answer(200, HEADERS, reply.ps(listed(provider), math.floor(core.now())))
end

--- Ollama's /api/pull, /api/delete and the like.
function OPERATIONS.manage(ex, op)
  refuse.own(ex, op, 400, 'unsupported', 'This is a gateway: it keeps no models, so that none can '
    .. 'be pulled, made, copied or deleted here. GET /api/tags lists those of its providers.')
end

function OPERATIONS.version(ex, _, _, reply)
  ex:answer(200, HEADERS, reply.version())
end

--- Answers what is asked of the catalog. False: the operation is none of it.
---
--- @param op { protocol: string, operation: string }
--- @param provider? string
--- @param id? string The model that the path names.
function M.answer(ex, op, provider, id)
  local operation = OPERATIONS[op.operation]
  if operation then
    operation(ex, op, provider, route.protocol(op.protocol).reply, id)
  end
  return operation ~= nil
end

return M
