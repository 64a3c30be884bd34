--- OpenAI Responses, at OpenAI and at everyone who imitates it.

local judge = require('provider._judge')
local openai = require('provider.openai')

--- @type px.Provider
local M = {
  name = 'responses',
  label = 'OpenAI Responses',
  base_url = 'https://api.openai.com/v1',
  speaks = { { protocol = 'openai_responses', path = '/responses' } },
  counts = { protocol = 'openai_responses', path = '/responses/input_tokens' },
  lists = openai.lists,
  embeds = { protocol = 'openai_chat', path = '/embeddings' },
  images_audio = 'openai_chat',
  settings = {
    organization = openai.settings.organization,
    project = openai.settings.project,
    reasoning_content = {
      type = 'boolean',
      doc = 'The upstream wants its thinking back as text (open models do).',
    },
  },
  judge = judge.judge,
  headers = openai.headers,
  parse_models = openai.parse_models,
}

return M
