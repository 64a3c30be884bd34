--- Ollama: models on a machine of one's own, and the hosted service at https://ollama.com.

local judge = require('provider._judge')

local CHAT = '/api/chat'

--- @type px.Provider
local M = {
  name = 'ollama',
  label = 'Ollama',
  base_url = 'http://localhost:11434',
  speaks = { { protocol = 'ollama', path = CHAT } },
  lists = { path = '/api/tags' },
  embeds = { protocol = 'ollama', path = '/api/embed', single = '/api/embeddings' },
  settings = {
    num_ctx = {
      type = 'number',
      doc = 'Tokens of context to run models with; without it long prompts are cut in silence.',
    },
    keep_alive = {
      type = 'string',
      doc = 'How long a model stays loaded after a request: 5m, 24h, -1s for ever.',
    },
  },
  judge = judge.judge,
}

--- Returns the headers that sign one request. A server of one's own wants none.
---
--- @param account px.Account
--- @return table<string, string>
function M.headers(account)
  if account.secret and account.secret ~= '' then
    return { authorization = 'Bearer ' .. account.secret }
  end
  return {}
end

--- A generation that is relayed goes to the path that answers in its form.
---
--- @param at px.Attempt
function M.shape(at)
  if at.path and at.path:find('/api/generate$') and at.url:sub(-#CHAT) == CHAT then
    at.url = at.url:sub(1, -#CHAT - 1) .. '/api/generate'
  end
end

--- Reads a list of models.
---
--- @param body any Decoded JSON.
--- @return px.Model[]
function M.parse_models(body)
  local out = {}
  local list = type(body) == 'table' and body.models
  for _, item in ipairs(type(list) == 'table' and list or {}) do
    local id = type(item) == 'table' and (item.model or item.name)
    if type(id) == 'string' then
      local details = type(item.details) == 'table' and item.details or {}
      local family = details.family
      out[#out + 1] = {
        id = id,
        owned_by = type(family) == 'string' and family ~= '' and family or nil,
      }
    end
  end
  return out
end

return M
