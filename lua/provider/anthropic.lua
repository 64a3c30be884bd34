--- Anthropic Messages API.

local judge = require('provider._judge')
local whole = require('provider._whole')

local API_VERSION = '2023-06-01'
local OAUTH_BETA = 'oauth-2025-04-20'

--- @type px.Provider
local M = {
  name = 'anthropic',
  label = 'Claude',
  base_url = 'https://api.anthropic.com',
  speaks = { { protocol = 'anthropic', path = '/v1/messages' } },
  counts = { protocol = 'anthropic', path = '/v1/messages/count_tokens' },
  lists = {
    path = '/v1/models?limit=1000',
    next = function(body)
      return 'after_id', body.has_more == true and body.last_id
    end,
  },
  settings = {
    bearer = {
      type = 'boolean',
      doc = 'Sends the key as Authorization: Bearer, as some imitators want it.',
    },
    auto_cache = {
      type = 'boolean',
      doc = 'Asks for caching where the client of another protocol set no marks.',
    },
  },
  judge = judge.judge,
}

--- Returns the headers that sign one request.
---
--- @param account px.Account
--- @return table<string, string>
function M.headers(account)
  local headers = { ['anthropic-version'] = API_VERSION }
  local secret = account.secret
  if not secret or secret == '' then
    return headers
  elseif account.kind == 'oauth' then
    headers.authorization = 'Bearer ' .. secret
    headers['anthropic-beta'] = OAUTH_BETA
  elseif (account.settings or {}).bearer then
    headers.authorization = 'Bearer ' .. secret
  else
    headers['x-api-key'] = secret
  end
  return headers
end

--- Lets a client of this protocol choose the version and the betas.
---
--- @param at px.Attempt
function M.shape(at)
  local client = at.client_headers or {}
  at.headers['anthropic-version'] = client['anthropic-version'] or at.headers['anthropic-version']
  local own, asked = at.headers['anthropic-beta'], client['anthropic-beta']
  if own and asked then
    if not (',' .. asked:gsub('%s', '') .. ','):find(',' .. own .. ',', 1, true) then
      asked = asked .. ',' .. own
    end
  end
  at.headers['anthropic-beta'] = asked or own
end

--- Reads a list of models.
---
--- @param body any Decoded JSON.
--- @return px.Model[]
function M.parse_models(body)
  local out = {}
  local list = type(body) == 'table' and body.data
  for _, item in ipairs(type(list) == 'table' and list or {}) do
    if type(item) == 'table' and type(item.id) == 'string' then
      local label = item.display_name
      out[#out + 1] = {
        id = item.id,
        display_name = type(label) == 'string' and label or nil,
        owned_by = 'anthropic',
        input_limit = whole(item.max_input_tokens),
        output_limit = whole(item.max_tokens),
      }
    end
  end
  return out
end

return M
