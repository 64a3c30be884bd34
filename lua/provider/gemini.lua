--- Google Gemini API (generativelanguage.googleapis.com).

local judge = require('provider._judge')
local whole = require('provider._whole')

--- @type px.Provider
local M = {
  name = 'gemini',
  label = 'Gemini',
  base_url = 'https://generativelanguage.googleapis.com',
  speaks = {
    {
      protocol = 'gemini',
      path = '/v1beta/models/{model}:generateContent',
      stream_path = '/v1beta/models/{model}:streamGenerateContent?alt=sse',
    },
  },
  counts = { protocol = 'gemini', path = '/v1beta/models/{model}:countTokens' },
  lists = {
    path = '/v1beta/models?pageSize=1000',
    next = function(body)
      return 'pageToken', body.nextPageToken
    end,
  },
  embeds = {
    protocol = 'gemini',
    path = '/v1beta/models/{model}:batchEmbedContents',
    single = '/v1beta/models/{model}:embedContent',
  },
  settings = {
    project = { type = 'string', doc = 'Sent as x-goog-user-project: who pays with OAuth.' },
  },
  judge = judge.judge,
}

--- Returns the headers that sign one request.
---
--- @param account px.Account
--- @return table<string, string>
function M.headers(account)
  local headers = { ['x-goog-user-project'] = (account.settings or {}).project }
  local secret = account.secret
  if not secret or secret == '' then
    return headers
  elseif account.kind == 'oauth' then
    headers.authorization = 'Bearer ' .. secret
  else
    headers['x-goog-api-key'] = secret
  end
  return headers
end

local function generates(item)
  local methods = item.supportedGenerationMethods
  if type(methods) ~= 'table' then
    return true
  end
  for _, method in ipairs(methods) do
    if method == 'generateContent' or method == 'embedContent' then
      return true
    end
  end
  return false
end

--- Reads a list of models: those that answer.
---
--- @param body any Decoded JSON.
--- @return px.Model[]
function M.parse_models(body)
  local out = {}
  local list = type(body) == 'table' and body.models
  for _, item in ipairs(type(list) == 'table' and list or {}) do
    local name = type(item) == 'table' and item.name
    if type(name) == 'string' and generates(item) then
      local label = item.displayName
      out[#out + 1] = {
        id = (name:gsub('^models/', '')),
        display_name = type(label) == 'string' and label or nil,
        owned_by = 'google',
        input_limit = whole(item.inputTokenLimit),
        output_limit = whole(item.outputTokenLimit),
      }
    end
  end
  return out
end

return M
