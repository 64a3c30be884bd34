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

--- Tells what a model of a list does: answer, make embeddings, neither.
local function does(item)
  local methods, embeds = item.supportedGenerationMethods, false
  if type(methods) ~= 'table' then
    return true, false
  end
  for _, method in ipairs(methods) do
    if method == 'generateContent' then
      return true, false
    end
    embeds = embeds or method == 'embedContent'
  end
  return false, embeds
end

--- Reads a list of models: those that answer or embed.
---
--- @param body any Decoded JSON.
--- @return px.Model[]
function M.parse_models(body)
  local out = {}
  local list = type(body) == 'table' and body.models
  for _, item in ipairs(type(list) == 'table' and list or {}) do
    local name = type(item) == 'table' and item.name
    local answers, embeds = false, false
    if type(name) == 'string' then
      answers, embeds = does(item)
    end
    if answers or embeds then
      local label = item.displayName
      out[#out + 1] = {
        id = (name:gsub('^models/', '')),
        display_name = type(label) == 'string' and label or nil,
        owned_by = 'google',
        embeds = embeds or nil,
        input_limit = whole(item.inputTokenLimit),
        output_limit = whole(item.outputTokenLimit),
      }
    end
  end
  return out
end

return M
