--- OpenAI Chat Completions, at OpenAI and at everyone who imitates it.

local judge = require('provider._judge')
local whole = require('provider._whole')

--- @type px.Provider
local M = {
  name = 'openai',
  label = 'OpenAI',
  base_url = 'https://api.openai.com/v1',
  speaks = {
    { protocol = 'openai_chat', path = '/chat/completions' },
    { protocol = 'openai_completions', path = '/completions', setting = 'completions' },
  },
  lists = { path = '/models' },
  embeds = { protocol = 'openai_chat', path = '/embeddings' },
  images_audio = 'openai_chat',
  many_vendors = true,
  settings = {
    organization = { type = 'string', doc = 'Sent as OpenAI-Organization.' },
    project = { type = 'string', doc = 'Sent as OpenAI-Project.' },
    completions = {
      type = 'boolean',
      doc = 'The upstream has the legacy /completions: requests to it pass as they are.',
    },
    custom_tools = {
      type = 'boolean',
      doc = 'The upstream takes tools of type custom; unless said, OpenAI\'s own models do.',
    },
    cache_control = {
      type = 'boolean',
      doc = 'The upstream takes cache_control in parts (OpenRouter does).',
    },
    mistral_ids = {
      type = 'boolean',
      doc = 'Ids of tool calls are nine letters and digits there (Mistral refuses others).',
    },
    tool_images = {
      type = 'boolean',
      doc = 'The upstream takes images inside tool messages (OpenRouter does).',
    },
  },
  judge = judge.judge,
}

--- Returns the headers that sign one request.
---
--- @param account px.Account
--- @return table<string, string>
function M.headers(account)
  local settings = account.settings or {}
  local headers = {
    ['openai-organization'] = settings.organization,
    ['openai-project'] = settings.project,
  }
  if account.secret and account.secret ~= '' then
    headers.authorization = 'Bearer ' .. account.secret
  end
  return headers
end

--- Reads a list of models in any of the shapes that imitators give it.
---
--- @param body any Decoded JSON.
--- @return px.Model[]
function M.parse_models(body)
  local list = type(body) == 'table' and (body.data or body.models or body)
  local out = {}
  for _, item in ipairs(type(list) == 'table' and list or {}) do
    local id = type(item) == 'string' and item
    if type(item) == 'table' then
      id = item.id or item.model or item.name
    end
    if type(id) == 'string' then
      local known = type(item) == 'table' and item or {}
      out[#out + 1] = {
        id = id,
        owned_by = type(known.owned_by) == 'string' and known.owned_by or nil,
        created = whole(known.created),
        input_limit = whole(known.context_length, known.context_window, known.max_model_len),
      }
    end
  end
  return out
end

return M
