--- Loads modules afresh over a configuration, and stands in for the exchange with a client.

local core = require('px.core')
local json = require('px.json')

local M = {}

local REAL = {
  ['px.body'] = true, ['px.cache'] = true, ['px.core'] = true, ['px.crypto'] = true,
  ['px.json'] = true, ['px.transfer'] = true, ['px.vector'] = true,
}

--- Forgets what an earlier configuration left: modules of lua/px, lua/policy and lua/provider,
--- which read `settings` when they are next required.
---
--- @param settings? table As the configuration says it.
--- @param fakes? table<string, table> Modules that take the place of others.
function M.load(settings, fakes)
  for name in pairs(package.loaded) do
    local folder = name:match('^(%l+)')
    if (folder == 'px' or folder == 'policy' or folder == 'provider') and not REAL[name] then
      package.loaded[name] = nil
    end
  end
  package.loaded['px.settings'] = settings or {}
  for name, fake in pairs(fakes or {}) do
    package.loaded[name] = fake
  end
end

--- Replaces functions of px.core until `body` returns.
---
--- @param functions table<string, function>
--- @param body fun()
function M.with_core(functions, body)
  local kept = {}
  for name, fn in pairs(functions) do
    kept[name], core[name] = core[name], fn
  end
  local ok, err = pcall(body)
  for name, fn in pairs(kept) do
    core[name] = fn
  end
  if not ok then
    error(err, 0)
  end
end

local Exchange = {}
Exchange.__index = Exchange

function Exchange:header(name)
  return self.request_headers[name]
end

function Exchange:head()
  return 'POST', self.asked_path or '/v1/chat/completions', ''
end

function Exchange:headers()
  local copy = {}
  for name, value in pairs(self.request_headers) do
    copy[name] = value
  end
  return copy
end

function Exchange:answer(status, headers, body)
  assert(not self.status, 'answered twice')
  self.status, self.answered = status, headers
  self.body = type(body) == 'table' and json.encode(body) or body
end

function Exchange:start(status, headers)
  assert(not self.status, 'answered twice')
  self.status, self.answered, self.body = status, headers, ''
end

function Exchange:write(text)
  assert(self.status, 'written before the head')
  self.longest = math.max(self.longest or 0, type(text) == 'table' and #table.concat(text) or #text)
  self.body = self.body .. (type(text) == 'table' and table.concat(text) or text)
end

function Exchange:started()
  return self.status ~= nil
end

function Exchange:sent()
  return #(self.body or '')
end

function Exchange:finish()
  self.finished = true
end

function Exchange:abort()
  self.aborted = true
end

function Exchange:release()
  self.released = true
end

function Exchange:keep() -- luacheck: no self
end

function Exchange:cancel()
  self.canceled = true
end

--- @param url string
function Exchange:send(url, headers, body, options)
  self.sent_to = { url = url, headers = headers, options = options,
    body = type(body) == 'userdata' and body:text() or body }
  self.sends = (self.sends or 0) + 1
  self.upstream = self.replies and self.replies[self.sends] or self.upstream
  local reply = self.upstream
  if not reply.status then
    return nil, reply.code, reply.text
  end
  return reply.status
end

function Exchange:reply_headers()
  return self.upstream.headers or {}
end

function Exchange:reply_header(name)
  return (self.upstream.headers or {})[name]
end

function Exchange:collect()
  if self.upstream.cut then
    return nil, 'cut', 'it broke'
  end
  return self.upstream.body or '', false
end

function Exchange:events()
  self.at = 0
end

--- Gives the scripted events: { type, data }, or false for a silence.
function Exchange:next()
  self.at = self.at + 1
  local event = self.upstream.events[self.at]
  if event == nil then
    return nil
  elseif event == false then
    return false
  end
  return event[1], event[2]
end

function Exchange:ended()
  if self.upstream.cut then
    return nil, 'cut', 'it broke'
  end
  return true
end

function Exchange:relay(status, headers, framing, taps, keepalive)
  self.relayed = { framing = framing, taps = taps, keepalive = keepalive }
  if self.upstream.cut and (framing == 'whole' or framing == 'json') then
    return nil, 'cut', 'it broke'
  end
  self.status, self.answered, self.body = status, headers, self.upstream.body or ''
  if self.upstream.cut then
    return nil, 'cut', 'it broke'
  end
  return true
end

function Exchange:tapped()
  return self.upstream.tapped or {}
end

--- A client's exchange.
---
--- @param headers? table<string, string> Of its request.
--- @param upstream? table What an upstream answers: status, headers, body, events, cut, tapped.
function M.exchange(headers, upstream)
  return setmetatable({ request_headers = headers or {}, upstream = upstream or {} }, Exchange)
end

return M
