--- Requests that go on as they are: any path and body, signed with the account's key, to an API
--- that the gateway does not know.

local json = require('px.json')
local refuse = require('policy.refuse')

local M = {}

local HEADERS = { ['access-control-allow-origin'] = '*' }

--- Sends a request as it is and passes the answer back, byte for byte.
---
--- @param upstream px.Upstream
--- @param account table
--- @param to { method: string, url: string, headers: table<string, string> }
function M.send(ex, upstream, account, to)
  local options = json.copy(account.stream_options)
  options.method = to.method
  local status, code, text, own = ex:send(to.url, to.headers, ex:upload() or ex:body(), options)
  local protocol = refuse.protocol_of(ex)
  if code == 'upload' then
    return refuse.own(ex, nil, own, refuse.code_of(own), text)
  elseif not status then
    return refuse.answer(ex, protocol, refuse.transfer(upstream, code,
      refuse.without_secret(text, account)))
  elseif status == 401 then
    local words = refuse.without_secret(ex:collect(1024 * 1024) or '', account)
    return refuse.answer(ex, protocol,
      refuse.read(protocol, status, words, ex:reply_headers(), account))
  end
  ex:release()
  local kind = ex:reply_header('content-type') or ''
  local framing = kind:find('text/event-stream', 1, true) and 'sse' or 'whole'
  local ok
  ok, code, text = ex:relay(status, HEADERS, framing)
  if ok then
    ex:finish()
  elseif ex:started() then
    ex:abort()
  else
    refuse.answer(ex, protocol, refuse.transfer(upstream, code, text))
  end
end

--- Passes a request on to an API that the gateway does not know.
---
--- @param upstream px.Upstream
--- @param method string
--- @param rest string The path behind the provider's name.
--- @param query string
function M.run(ex, upstream, method, rest, query)
  local account = upstream.accounts[1]
  if not account then
    return refuse.own(ex, nil, 503, 'overloaded',
      ('The provider %s has no enabled account.'):format(upstream.id))
  end
  local provider = upstream.type
  M.send(ex, upstream, account, {
    method = method,
    url = provider.url(upstream.base, rest, query),
    headers = provider.pass(ex:headers(), account.headers),
  })
end

return M
