--- Gemini's refusals, parameters, models and provider.

local body = require('px.body')
local errors = require('protocol.gemini.errors')
local json = require('px.json')
local knowledge = require('policy.knowledge')
local params = require('protocol.gemini.params')
local provider = require('provider.gemini')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function refusal(code, status, message, details)
  return ('{"error":{"code":%d,"message":%s,"status":"%s"%s}}'):format(code, json.encode(message),
    status, details and ',"details":[' .. details .. ']' or '')
end

local function detail(kind, members)
  return '{"@type":"type.googleapis.com/google.rpc.' .. kind .. '",' .. members .. '}'
end

-- Status, body, code, parameter, seconds.
local READS = {
  { 400, refusal(400, 'INVALID_ARGUMENT', 'bad'), 'bad_request' },
  { 400, refusal(400, 'INVALID_ARGUMENT', 'API key not valid.',
    detail('ErrorInfo', '"reason":"API_KEY_INVALID"')), 'auth' },
  { 400, refusal(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass one.'), 'auth' },
  { 400, refusal(400, 'INVALID_ARGUMENT', 'The input token count (9) exceeds the maximum number '
    .. 'of tokens allowed (8).'), 'context_length' },
  { 400, refusal(400, 'INVALID_ARGUMENT', 'Invalid JSON payload received. Unknown name "foo" at '
    .. "'generation_config': Cannot find field."), 'unsupported', 'generation_config.foo' },
  { 400, refusal(400, 'INVALID_ARGUMENT', 'Penalty is not enabled for models/x'), 'unsupported',
    'generationConfig.presencePenalty' },
  { 400, refusal(400, 'INVALID_ARGUMENT', 'Thinking level is not supported for this model.'),
    'unsupported', 'generationConfig.thinkingConfig.thinkingLevel' },
  { 400, refusal(400, 'INVALID_ARGUMENT', 'x', detail('BadRequest',
    '"fieldViolations":[{"field":"contents","description":"d"}]')), 'bad_request', 'contents' },
  { 400, refusal(400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.'),
    'forbidden' },
  { 400, refusal(400, 'FAILED_PRECONDITION', 'Please enable billing'), 'quota' },
  { 401, refusal(401, 'UNAUTHENTICATED', 'x'), 'auth' },
  { 403, refusal(403, 'PERMISSION_DENIED', 'x'), 'forbidden' },
  { 403, refusal(403, 'PERMISSION_DENIED', 'Method doesn\'t allow unregistered callers'), 'auth' },
  { 404, refusal(404, 'NOT_FOUND', 'models/x is not found'), 'not_found' },
  { 429, refusal(429, 'RESOURCE_EXHAUSTED', 'x', detail('RetryInfo', '"retryDelay":"34.4s"')),
    'rate_limit', nil, 34.4 },
  { 429, refusal(429, 'RESOURCE_EXHAUSTED', 'x', detail('QuotaFailure',
    '"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]') .. ','
    .. detail('RetryInfo', '"retryDelay":"34s"')), 'quota' },
  { 500, refusal(500, 'INTERNAL', 'x'), 'internal' },
  { 503, refusal(503, 'UNAVAILABLE', 'x'), 'overloaded' },
  { 504, refusal(504, 'DEADLINE_EXCEEDED', 'x'), 'timeout' },
  { nil, refusal(503, 'UNAVAILABLE', 'x'), 'overloaded' },
  { nil, refusal(429, 'RESOURCE_EXHAUSTED', 'x'), 'rate_limit' },
  { 400, '[' .. refusal(400, 'INVALID_ARGUMENT', 'x', detail('ErrorInfo',
    '"reason":"API_KEY_INVALID"')) .. ']', 'auth' },
  { 502, '<html><title>Bad gateway</title></html>', 'internal' },
  { 400, '{"error":{"details":[7,{"@type":7},{"@type":"x.RetryInfo"}],"message":"x"}}',
    'bad_request' },
}

describe('a refusal of Gemini', function()
  for _, case in ipairs(READS) do
    it('is read: ' .. case[2], function()
      local failure = errors.read(case[1], case[2], {}, 0)
      eq({ case[3], case[4], case[5], true },
        { failure.code, failure.param, failure.retry_after, failure.upstream })
      assert(failure.message ~= '')
    end)
  end

  it('tells no keys', function()
    for _, text in ipairs({ 'GET https://x/v1?key=SECRET-1&a=b', 'x?a=b&key=SECRET_2 y',
      "Consumer 'api_key:SECRET' has been suspended.", 'key AIzaSECRETSECRETSECRET is bad' }) do
      local message = errors.read(400, refusal(400, 'INVALID_ARGUMENT', text)).message
      assert(not message:find('SECRET', 1, true), message)
    end
  end)
end)

-- Failure, status, word, details by type.
local WRITES = {
  { { code = 'bad_request' }, 400, 'INVALID_ARGUMENT', '' },
  { { code = 'bad_request', param = 'contents' }, 400, 'INVALID_ARGUMENT', 'BadRequest' },
  { { code = 'auth' }, 400, 'INVALID_ARGUMENT', 'ErrorInfo:API_KEY_INVALID' },
  { { code = 'auth', upstream = true }, 502, 'UNAVAILABLE', 'ErrorInfo:UPSTREAM_AUTH' },
  { { code = 'forbidden' }, 403, 'PERMISSION_DENIED', '' },
  { { code = 'not_found' }, 404, 'NOT_FOUND', '' },
  { { code = 'bad_request', status = 405 }, 405, 'INVALID_ARGUMENT', '' },
  { { code = 'rate_limit', retry_after = 34.4 }, 429, 'RESOURCE_EXHAUSTED', 'RetryInfo:34.4s' },
  { { code = 'quota', retry_after = 60 }, 429, 'RESOURCE_EXHAUSTED', 'RetryInfo:60s' },
  { { code = 'overloaded', own_code = 'MINE' }, 503, 'UNAVAILABLE', 'ErrorInfo:MINE' },
  { { code = 'timeout' }, 504, 'DEADLINE_EXCEEDED', '' },
  { { code = 'internal' }, 500, 'INTERNAL', '' },
  { { code = 'cut' }, 502, 'UNAVAILABLE', '' },
  { { code = 'never heard of' }, 500, 'INTERNAL', '' },
}

describe('a refusal for a client of Gemini', function()
  for _, case in ipairs(WRITES) do
    it(('is written: %s %d %s'):format(case[1].code, case[2], case[4]), function()
      case[1].message = 'm'
      local status, made, headers = errors.write(case[1])
      local details = {}
      for i, entry in ipairs(made.error.details or {}) do
        local value = entry.reason or entry.retryDelay
        details[i] = entry['@type']:match('[^.]+$') .. (value and ':' .. value or '')
      end
      eq({ case[2], case[2], case[3], case[4], 'm' }, { status, made.error.code, made.error.status,
        table.concat(details, ' '), made.error.message })
      eq(case[1].retry_after and ('%d'):format(math.ceil(case[1].retry_after)),
        headers['retry-after'])
    end)
  end
end)

describe('parameters of a Gemini request', function()
  local function get(text, name)
    return params.get(body.new(text), name)
  end

  local function set(text, name, value, model)
    local it_is = body.new(text)
    params.set(it_is, name, value, knowledge.lookup(model or 'gemini-2.5-flash', 'gemini'))
    return json.encode(it_is:json())
  end

  it('are found in either spelling', function()
    for _, text in ipairs({ '{"generationConfig":{"topP":0.5,"maxOutputTokens":9}}',
      '{"generation_config":{"top_p":0.5,"max_output_tokens":9}}' }) do
      eq({ 0.5, 9, nil }, { get(text, 'top_p'), get(text, 'max_tokens'), get(text, 'top_k') })
    end
  end)

  it('are set where they are, else in camelCase', function()
    eq('{"generation_config":{"top_p":0.7}}',
      set('{"generation_config":{"top_p":0.5}}', 'top_p', 0.7))
    eq('{"contents":[],"generationConfig":{"topP":0.7}}', set('{"contents":[]}', 'top_p', 0.7))
    eq('{"generationConfig":{}}', set('{"generationConfig":{"seed":1}}', 'seed', nil))
    eq('{"generationConfig":{"stopSequences":["x"]}}', set('{}', 'stop', 'x'))
  end)

  it('say how to think in the dialect of the model', function()
    eq('{"generationConfig":{"thinkingConfig":{"thinkingBudget":8192}}}',
      set('{}', 'reasoning', 'medium'))
    eq('{"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"LOW"}}}',
      set('{"generationConfig":{"thinkingConfig":{"thinkingBudget":5,"includeThoughts":true}}}',
        'reasoning', 'medium', 'gemini-3-pro-preview'))
    eq('{"generationConfig":{"thinkingConfig":{"thinkingBudget":128}}}',
      set('{}', 'reasoning', 'off', 'gemini-2.5-pro'))
    eq({ 'off', 'auto', 'high', 500 }, {
      get('{"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}', 'reasoning'),
      get('{"generationConfig":{"thinkingConfig":{"thinkingBudget":-1}}}', 'reasoning'),
      get('{"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}}}', 'reasoning'),
      get('{"generationConfig":{"thinkingConfig":{"thinkingBudget":500}}}', 'reasoning') })
    t.raises('is not an effort', function()
      set('{}', 'reasoning', 'hard')
    end)
  end)

  it('say what form the answer has and which tool it must call', function()
    eq({ kind = 'json' }, get('{"generationConfig":{"responseMimeType":"application/json"}}',
      'response_format'))
    eq('{"generationConfig":{"responseMimeType":"application/json",'
      .. '"responseJsonSchema":{"type":"object"}}}',
      set('{}', 'response_format', { kind = 'schema', schema = { type = 'object' } }))
    eq('{"toolConfig":{"functionCallingConfig":{"allowedFunctionNames":["f"],"mode":"ANY"}}}',
      set('{}', 'tool_choice', { name = 'f' }))
    eq({ name = 'f' }, get('{"toolConfig":{"functionCallingConfig":{"mode":"ANY",'
      .. '"allowedFunctionNames":["f"]}}}', 'tool_choice'))
    eq('{"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}', set('{}', 'tool_choice', 'none'))
    eq('{"toolConfig":{}}', set('{"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}',
      'tool_choice', nil))
    t.raises('has no parameter parallel', function()
      set('{}', 'parallel', true)
    end)
  end)
end)

-- Model, member, value.
local KNOWN = {
  { 'gemini-1.5-pro', 'thinking', 'none' },
  { 'gemini-2.0-flash', 'json_schema', nil },
  { 'gemini-2.5-pro', 'thinking_always', true },
  { 'gemini-2.5-pro', 'budget_min', 128 },
  { 'gemini-2.5-flash', 'budget_max', 24576 },
  { 'gemini-2.5-flash-lite', 'budget_min', 512 },
  { 'gemini-2.5-flash-preview-tts', 'thinking', 'none' },
  { 'models/gemini-2.5-flash', 'thinking', 'budget' },
  { 'gemini-3-pro-preview', 'signatures', true },
  { 'gemini-3.5-flash', 'thinking', 'level' },
  { 'gemini-flash-latest', 'json_schema', true },
  { 'claude-opus-4-5', 'thinking', nil },
}

describe('knowledge of Gemini models', function()
  for _, case in ipairs(KNOWN) do
    it(('of %s: %s is %s'):format(case[1], case[2], tostring(case[3])), function()
      eq(case[3], knowledge.lookup(case[1], 'gemini')[case[2]])
    end)
  end

  it('has the levels of each', function()
    local function levels(model)
      return table.concat(knowledge.lookup(model, 'gemini').effort, ' ')
    end
    eq({ 'low high', 'low medium high', 'minimal low medium high' }, {
      levels('gemini-3-pro-preview'), levels('gemini-3.1-pro-preview'),
      levels('gemini-3.1-flash-lite') })
  end)
end)

describe('provider.gemini', function()
  it('signs with a key, with a token, and not at all', function()
    eq({ ['x-goog-api-key'] = 'k' },
      provider.headers({ kind = 'key', secret = 'k', settings = {} }))
    eq({ authorization = 'Bearer k', ['x-goog-user-project'] = 'p' },
      provider.headers({ kind = 'oauth', secret = 'k', settings = { project = 'p' } }))
    eq({}, provider.headers({ kind = 'none' }))
  end)

  it('lists the models that answer', function()
    eq({ { id = 'a', display_name = 'A', owned_by = 'google' },
        { id = 'e', owned_by = 'google', embeds = true }, { id = 'b', owned_by = 'google' } },
      provider.parse_models(json.decode('{"models":[{"name":"models/a","displayName":"A",'
        .. '"supportedGenerationMethods":["generateContent"]},{"name":"models/e",'
        .. '"supportedGenerationMethods":["embedContent"]},{"name":"models/v",'
        .. '"supportedGenerationMethods":["predictLongRunning"]},{"name":"b"},7,{}]}')))
    eq({}, provider.parse_models(nil))
  end)

  it('says where each request goes', function()
    local speaks = provider.speaks[1]
    eq({ '/v1beta/models/{model}:generateContent',
      '/v1beta/models/{model}:streamGenerateContent?alt=sse' },
      { speaks.path, speaks.stream_path })
  end)
end)

t.finish()
