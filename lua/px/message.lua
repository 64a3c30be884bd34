--- The object that `request` and `attempt` rules work on: one message in one protocol.
---
--- It is made only when a rule concerns the request. Reading and writing by path splices the bytes;
--- nothing is decoded unless somebody asks for it.

local knowledge = require('policy.knowledge')
local route = require('policy.route')
local rules = require('policy.rules')

local Message = {}

--- The value at a path of the body, decoded; nil when there is none.
function Message:get(path)
  return self.body:get(path)
end

--- Sets the value at a path. Gives how many places changed.
function Message:set(path, value)
  if path == 'model' then
    self.model = value
    return 1
  end
  return self.body:set(path, value)
end

--- Removes what a path names. Gives how many places changed.
function Message:remove(path)
  return self.body:remove(path)
end

--- The whole body, decoded: a copy.
function Message:json()
  return self.body:json()
end

--- Sends the request to a target: 'provider:model', { provider =, model = }, or a list of them. The
--- last call wins.
function Message:route(target)
  if self.phase ~= 'request' then
    error('route() belongs to the phase request', 2)
  end
  local found, err = route.named(target, self.model)
  if not found then
    error(err, 2)
  end
  self.target = found
end

--- Refuses the request. Does not return.
---
--- @param status integer
--- @param message string
--- @param options? { code: string?, retry_after: number? }
function Message:deny(status, message, options)
  if self.phase ~= 'request' then
    error('deny() belongs to the phase request', 2)
  end
  options = options or {}
  rules.leave({
    deny = {
      status = status or 403, message = message or 'Refused by a rule of this gateway.',
      code = options.code, retry_after = options.retry_after,
    },
  })
end

local function params_of(message)
  local module = require('protocol.' .. message.protocol .. '.params')
  local known = knowledge.lookup(message.model, message.protocol, message.provider)
  return setmetatable({}, {
    __index = function(_, name)
      return module.get(message.body, name)
    end,
    __newindex = function(_, name, value)
      module.set(message.body, name, value, known)
    end,
    __metatable = 'locked',
  })
end

local LAZY = {
  upload = function(message)
    return message.body.upload
  end,
  bytes = function(message)
    return message.body:text()
  end,
  headers = function(message)
    local headers = message.ex:headers()
    -- The client's key is the gateway's business alone.
    headers['authorization'], headers['x-api-key'], headers['x-goog-api-key'] = nil, nil, nil
    rawset(message, 'headers', headers)
    return headers
  end,
  params = function(message)
    local params = params_of(message)
    rawset(message, 'params', params)
    return params
  end,
}

local MT = {
  __index = function(message, name)
    local lazy = LAZY[name]
    if lazy then
      return lazy(message)
    end
    return Message[name]
  end,
  __tostring = function(message)
    return ('%s request for %s'):format(message.protocol, message.model)
  end,
  __metatable = 'locked',
}

--- @param fields table phase, ex, body, protocol, model, client, stream, path, tags, state
return function(fields)
  return setmetatable(fields, MT)
end
