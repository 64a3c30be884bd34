--- Passes any path and body on to a base URL, as they are, signed with the account's key.
---
--- For APIs that the gateway does not know: nothing is converted, and no model is read.

local judge = require('provider._judge')

--- @type px.Provider
local M = {
  name = 'forward',
  label = 'Forward',
  speaks = {},
  forward = true,
  settings = {
    header = { type = 'string', doc = 'The header that carries the key: authorization.' },
    prefix = {
      type = 'string',
      doc = 'What stands in front of the key: "Bearer " in authorization, else nothing.',
    },
  },
  judge = judge.judge,
}

-- Of one connection only, or written anew for the next one.
local HOP = {}
for name in ([[
  connection content-length expect host http2-settings keep-alive proxy-authenticate
  proxy-authorization proxy-connection te trailer transfer-encoding upgrade
]]):gmatch('%S+') do
  HOP[name] = true
end

-- By these a client shows the gateway its own key, or speaks to the gateway itself.
local OWN = {
  ['authorization'] = true, ['x-api-key'] = true, ['x-goog-api-key'] = true,
  ['api-key'] = true, ['cookie'] = true, ['model-provider'] = true,
}

--- Returns the headers that sign one request.
---
--- @param account px.Account
--- @return table<string, string>
function M.headers(account)
  local settings = account.settings or {}
  local header = (settings.header or 'authorization'):lower()
  if not account.secret or account.secret == '' then
    return {}
  end
  local prefix = settings.prefix or header == 'authorization' and 'Bearer ' or ''
  return { [header] = prefix .. account.secret }
end

--- The URL of a request: what stands behind the provider's name in the path, on the base.
---
--- @param base string
--- @param rest string '/v1/things'
--- @param query? string Without the question mark; a client's key is taken out of it.
--- @return string
function M.url(base, rest, query)
  local kept = {}
  for pair in (query or ''):gmatch('[^&]+') do
    if pair ~= 'key' and pair:sub(1, 4) ~= 'key=' then
      kept[#kept + 1] = pair
    end
  end
  return base:gsub('/+$', '') .. rest .. (kept[1] and '?' .. table.concat(kept, '&') or '')
end

--- The client's headers that go on, with those of the account over them.
---
--- @param client table<string, string> Names in lower case.
--- @param signed table<string, string> Of the account.
--- @return table<string, string>
function M.pass(client, signed)
  local named, out = {}, {}
  for name in (client.connection or ''):lower():gmatch('[%w-]+') do
    named[name] = true
  end
  for name, value in pairs(client) do
    if not (HOP[name] or OWN[name] or named[name]) then
      out[name] = value
    end
  end
  for name, value in pairs(signed) do
    out[name] = value
  end
  return out
end

return M
