--- Parameters of a legacy completion, by meaning.

local params = require('protocol._params')

return params.module('OpenAI completions', {
  temperature = 'temperature',
  top_p = 'top_p',
  seed = 'seed',
  presence_penalty = 'presence_penalty',
  frequency_penalty = 'frequency_penalty',
  max_tokens = 'max_tokens',
  stop = 'stop',
})
