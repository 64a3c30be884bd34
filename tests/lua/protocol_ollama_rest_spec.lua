--- What Ollama refuses and lists, its parameters by meaning, and the providers ollama and forward.

local json = require('px.json')
local bodies = require('px.body')
local errors = require('protocol.ollama.errors')
local forward = require('provider.forward')
local ollama = require('provider.ollama')
local params = require('protocol.ollama.params')
local reply = require('protocol.ollama.reply')
local t = require('harness')

local describe, it, eq, raises = t.describe, t.it, t.eq, t.raises

describe('a refusal of Ollama\'s', function()
  for _, case in ipairs({
    { 404, '{"error":"model \'x\' not found"}', 'not_found' },
    { 400, '{"error":"\\"m\\" does not support thinking"}', 'unsupported' },
    { 400, '{"error":"registry.ollama.ai/library/m does not support tools"}', 'unsupported' },
    { 400, '{"error":"model is required"}', 'bad_request' },
    { 400, '{"error":"the request exceeds the available context size"}', 'context_length' },
    { 401, '{"error":"unauthorized","signin_url":"https://ollama.com/connect"}', 'auth' },
    { 429, '{"error":"you have reached your weekly usage limit"}', 'rate_limit' },
    { 500, '{"error":"model runner has unexpectedly stopped"}', 'internal' },
    { 500, '{"error":"server busy, please try again"}', 'overloaded' },
    { 503, '{"error":"server busy, please try again"}', 'overloaded' },
    { 502, '<html><title>502 Bad Gateway</title></html>', 'internal' },
    { nil, '{"error":"unauthorized"}', 'auth' },
    { nil, '{"error":"x","StatusCode":402}', 'quota' },
  }) do
    it(('is understood: %s %s'):format(tostring(case[1]), case[2]), function()
      local failure = errors.read(case[1], case[2], { ['retry-after'] = '7' }, 0)
      eq({ case[3], true, 7 }, { failure.code, failure.upstream, failure.retry_after })
      eq(case[1] or failure.status, failure.status)
      assert(failure.message ~= '')
    end)
  end
end)

describe('what a model is said not to support', function()
  for word, member in pairs({ thinking = 'think', tools = 'tools', insert = 'suffix' }) do
    it(word .. ' is the member ' .. member, function()
      eq(member, errors.read(400, '{"error":"\\"m\\" does not support ' .. word .. '"}').param)
    end)
  end
end)

describe('a refusal for an Ollama client', function()
  for code, status in pairs({
    auth = 401, bad_request = 400, connect = 502, context_length = 400, cut = 502, filter = 400,
    forbidden = 403, internal = 500, not_found = 404, overloaded = 503, quota = 429,
    rate_limit = 429, timeout = 504, too_large = 413, unsupported = 400, unheard_of = 500,
  }) do
    it('has status ' .. status .. ' for ' .. code, function()
      local got, body = errors.write({ code = code, message = 'no', status = status })
      eq({ status, { error = 'no' } }, { got, body })
    end)
  end

  it('does not blame the client for the gateway\'s account', function()
    local status, _, headers = errors.write({ code = 'auth', message = 'no', upstream = true })
    eq({ 502, 'false' }, { status, headers['x-should-retry'] })
  end)

  it('says when to come back', function()
    local _, _, headers = errors.write({ code = 'rate_limit', message = 'no', retry_after = 1.2 })
    eq('2', headers['retry-after'])
  end)
end)

describe('what Ollama lists', function()
  local LIST = { { id = '[Kiro] claude', owned_by = 'Kiro', created = 1767225600 }, { id = 'b' } }

  it('are models by the names that they have', function()
    local body = reply.models(LIST)
    local first = body.models[1]
    eq({ '[Kiro] claude', '[Kiro] claude', '2026-01-01T00:00:00Z', 'kiro', 64 }, { first.name,
      first.model, first.modified_at, first.details.family, #first.digest })
    assert(first.digest:find('^%x+$') and first.digest ~= body.models[2].digest)
    eq('{"models":[]}', json.encode(reply.models({})))
    eq(body, reply.models(LIST))
  end)

  it('are what a model can and holds', function()
    local body = reply.show(LIST[1], { effort = { 'low' } })
    eq('["completion","tools","vision","thinking"]', json.encode(body.capabilities))
    local family = body.model_info['general.architecture']
    eq(131072, body.model_info[family .. '.context_length'])
    local plain = reply.show({ id = 'b', input_limit = 5 }, { thinking = 'none' })
    eq({ 3, 5 }, { #plain.capabilities, plain.model_info['proxima.context_length'] })
    assert(json.encode(body) and json.encode(reply.model(LIST[2])))
  end)

  it('are what runs, and the version', function()
    local body = reply.ps(LIST, 1767225600)
    eq({ '2026-01-01T00:05:00Z', 131072, 'b' }, { body.models[1].expires_at,
      body.models[1].context_length, body.models[2].model })
    eq('{"models":[]}', json.encode(reply.ps({}, 0)))
    assert(reply.version().version:find('^%d+%.%d+%.%d+$'))
  end)
end)

describe('parameters of an Ollama request', function()
  -- Body, name, what it means, what is set, the body after.
  for _, case in ipairs({
    { '{"options":{"temperature":0}}', 'temperature', 0, 1, '{"options":{"temperature":1}}' },
    { '{"a":1}', 'top_k', nil, 3, '{"a":1,"options":{"top_k":3}}' },
    { '{"options":{"num_predict":-1}}', 'max_tokens', nil, 5, '{"options":{"num_predict":5}}' },
    { '{"options":{"num_predict":9}}', 'max_tokens', 9, nil, '{"options":{}}' },
    { '{"options":{"stop":"a"}}', 'stop', { 'a' }, 'b', '{"options":{"stop":["b"]}}' },
    { '{"think":true}', 'reasoning', 'auto', 'off', '{"think":false}' },
    { '{"think":false}', 'reasoning', 'off', 'auto', '{"think":true}' },
    { '{"think":"low"}', 'reasoning', 'low', 9000, '{"think":"high"}' },
    { '{"think":"low"}', 'reasoning', 'low', 'xhigh', '{"think":"max"}' },
    { '{"think":"low"}', 'reasoning', 'low', nil, '{}' },
    { '{"format":"json"}', 'response_format', { kind = 'json' }, nil, '{}' },
    { '{"format":{"type":"object"}}', 'response_format', { kind = 'schema',
      schema = { type = 'object' } }, { kind = 'json' }, '{"format":"json"}' },
    { '{}', 'response_format', nil, { kind = 'schema', schema = { type = 'array' } },
      '{"format":{"type":"array"}}' },
    { '{}', 'tool_choice', nil, nil, '{}' },
  }) do
    it(case[2] .. ' of ' .. case[1], function()
      local body = bodies.new(case[1])
      eq(case[3], params.get(body, case[2]))
      params.set(body, case[2], case[4], {})
      eq(case[5], body:text())
    end)
  end

  it('are refused where there is none', function()
    raises('no parameter tool_choice', function()
      params.set(bodies.new('{}'), 'tool_choice', 'auto', {})
    end)
    raises('not an effort', function()
      params.set(bodies.new('{}'), 'reasoning', 'very', {})
    end)
  end)
end)

describe('knowledge of Ollama\'s models', function()
  for model, thinking in pairs({
    ['gpt-oss:20b'] = 'always', ['qwen3:latest'] = 'switch', ['qwen3-coder:30b'] = 'none',
    ['hf.co/x/DeepSeek-R1-GGUF:Q4'] = 'switch', ['llama3.2'] = false,
  }) do
    it(('of %s: thinking is %s'):format(model, tostring(thinking)), function()
      eq(thinking or nil, require('policy.knowledge').lookup(model, 'ollama').thinking)
    end)
  end
end)

describe('provider.ollama', function()
  it('signs where there is a key', function()
    eq({ authorization = 'Bearer k' }, ollama.headers({ secret = 'k' }))
    eq({}, ollama.headers({ kind = 'none' }))
  end)

  it('sends a relayed generation where its form is spoken', function()
    for path, url in pairs({ ['/api/generate'] = 'http://h/x/api/generate',
      ['/ollama/api/generate'] = 'http://h/x/api/generate', ['/api/chat'] = 'http://h/x/api/chat',
      ['/v1/messages'] = 'http://h/x/api/chat' }) do
      local at = { url = 'http://h/x/api/chat', path = path }
      ollama.shape(at)
      eq(url, at.url)
    end
  end)

  it('reads its list', function()
    eq({ { id = 'a:1', owned_by = 'q' }, { id = 'b' } }, ollama.parse_models(json.decode(
      '{"models":[{"name":"a:1","details":{"family":"q"}},{"model":"b"},3,{}]}')))
    eq({}, ollama.parse_models(nil))
  end)

  it('judges like the others', function()
    eq('next_account', (ollama.judge({ code = 'overloaded' })))
  end)
end)

describe('provider.forward', function()
  it('puts the key into the header that it is told', function()
    eq({ authorization = 'Bearer k' }, forward.headers({ secret = 'k', settings = {} }))
    eq({ ['x-key'] = 'k' }, forward.headers({ secret = 'k', settings = { header = 'X-Key' } }))
    eq({ ['x-key'] = 'Token k' },
      forward.headers({ secret = 'k', settings = { header = 'X-Key', prefix = 'Token ' } }))
    eq({}, forward.headers({ kind = 'none' }))
  end)

  it('keeps path and query, but for the client\'s key', function()
    eq('https://h/v2/a/b?x=1&y=%20', forward.url('https://h/v2/', '/a/b', 'x=1&key=s&y=%20'))
    eq('https://h/', forward.url('https://h', '/', 'key=s'))
    eq('https://h/a', forward.url('https://h', '/a'))
  end)

  it('passes headers, but what is the gateway\'s or of one connection', function()
    eq({ ['content-type'] = 'a/b', ['x-b'] = '1', authorization = 'Bearer k' }, forward.pass({
      ['content-type'] = 'a/b', ['x-b'] = '1', host = 'h', connection = 'keep-alive, X-Hop',
      ['x-hop'] = '1', authorization = 'Bearer mine', ['x-api-key'] = 'mine',
      ['transfer-encoding'] = 'chunked', ['content-length'] = '5', cookie = 'c',
    }, { authorization = 'Bearer k' }))
  end)
end)

t.finish()
