--- Refusals: what the client is told when there is no answer, in its own protocol.

local core = require('px.core')
local route = require('policy.route')

local M = {}

local CORS = { ['access-control-allow-origin'] = '*' }

-- Headers of an upstream's refusal that clients use.
local PASSED = { '^retry%-after', '^x%-ratelimit%-', '^anthropic%-ratelimit%-', '^x%-request%-id$',
  '^request%-id$', '^x%-should%-retry$' }

local function passed(name)
  for i = 1, #PASSED do
    if name:find(PASSED[i]) then
      return true
    end
  end
  return false
end

--- Takes an account's secret out of a text.
function M.without_secret(text, account)
  local secret = account and account.public.secret
  if secret and #secret > 3 then
    local at, last = text:find(secret, 1, true)
    while at do
      text = text:sub(1, at - 1) .. '***' .. text:sub(last + 1)
      at, last = text:find(secret, at + 3, true)
    end
  end
  return text
end

--- Finds the protocol whose shape an error has that belongs to no known path.
function M.protocol_of(ex, op)
  if op then
    return route.protocol(op.protocol)
  end
  local _, path = ex:head()
  return route.protocol(route.owner(path)
    or ex:header('anthropic-version') and 'anthropic' or 'openai_chat')
end

--- The words of `x-proxima-upstream`: what the upstream said itself.
local function origin(failure)
  local word = failure.type or failure.raw_code
  local text = tostring(failure.upstream_status) .. (word and ' ' .. tostring(word) or '')
  return (text:gsub('[^\32-\126]', '?'):sub(1, 200))
end

--- Answers with a failure.
---
--- @param ex table
--- @param protocol table The client's.
--- @param failure px.Failure
--- @param extra? table<string, string> Headers.
function M.answer(ex, protocol, failure, extra)
  local status, body, headers = protocol.errors.write(failure)
  status = failure.exact or status
  local out = { ['content-type'] = 'application/json' }
  for _, more in ipairs({ CORS, extra or {}, headers or {} }) do
    for name, value in pairs(more) do
      out[name] = tostring(value)
    end
  end
  if failure.upstream_status then
    out['x-proxima-upstream'] = origin(failure)
  end
  ex:answer(status, out, body)
  return status
end

local CODES = {
  [400] = 'bad_request', [401] = 'auth', [402] = 'quota', [403] = 'forbidden', [404] = 'not_found',
  [413] = 'too_large', [429] = 'rate_limit', [503] = 'overloaded', [504] = 'timeout',
}

local NEUTRAL = {
  auth = true, bad_request = true, connect = true, context_length = true, cut = true, empty = true,
  filter = true, forbidden = true, internal = true, not_found = true, overloaded = true,
  quota = true, rate_limit = true, timeout = true, too_large = true, unsupported = true,
}

--- The neutral code that a status means by itself, or that a rule gave. A code of a rule's own is
--- kept beside it, for clients whose protocol has codes.
---
--- @return string code
--- @return string? own_code
function M.code_of(status, given)
  if given and NEUTRAL[given] then
    return given
  end
  return CODES[status] or (status >= 500 and 'internal' or 'bad_request'), given
end

--- Answers a request with a failure, and notes for its record that it failed.
---
--- @param q table The request: see main.lua.
--- @param failure px.Failure
function M.request(q, failure)
  q.failed = failure.code
  q.status = M.answer(q.ex, q.speaks, failure)
end

--- The gateway's own refusal.
function M.own(ex, op, status, code, message, extra)
  return M.answer(ex, M.protocol_of(ex, op), { status = status, code = code, message = message },
    extra)
end

-- Where an upstream lives is the operator's business: the log has it.
local function without_address(text)
  return (text:gsub(' to %S+:%d+', ''):gsub('https?://%S+', '***'):gsub('%S+:%d+', 'it'))
end

--- A transfer that failed before an answer came, as a failure.
function M.transfer(upstream, code, text)
  local status = code == 'timeout' and 504 or 502
  local words = {
    connect = 'cannot be reached', timeout = 'did not answer in time',
    cut = 'ended its answer before it was complete', protocol = 'answered with nonsense',
  }
  return {
    status = status,
    code = words[code] and code ~= 'protocol' and code or 'internal',
    message = ('The upstream %s %s: %s'):format(upstream.id, words[code] or 'failed',
      without_address(text or '')),
  }
end

--- Reads an upstream's refusal.
---
--- @return px.Failure
function M.read(protocol, status, text, headers, account)
  local failure = protocol.errors.read(status, M.without_secret(text, account), headers,
    math.floor(core.now()))
  failure.upstream = true
  failure.upstream_status = status
  return failure
end

--- Passes an upstream's refusal to a client of the same protocol: its own body.
function M.pass(ex, failure, status, text, headers, account)
  local out = {
    ['content-type'] = 'application/json',
    ['access-control-allow-origin'] = '*',
    ['x-proxima-upstream'] = origin(failure),
  }
  for name, value in pairs(headers) do
    if passed(name) then
      out[name] = M.without_secret(value, account)
    end
  end
  ex:answer(status, out, M.without_secret(text, account))
end

return M
