local body = require('px.body')
local engine = require('engine')
local json = require('px.json')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local SETTINGS = {
  default_provider = 'gpt',
  providers = {
    gpt = { type = 'openai', base_url = 'http://gpt/v1',
      accounts = { { name = 'a', api_key = 'sk-secret' } } },
    claude = { type = 'anthropic', base_url = 'http://claude',
      accounts = { { name = 'b', api_key = 'sk-other', models = { 'c*' } } } },
    strict = { type = 'anthropic', base_url = 'http://strict', loss = 'refuse',
      accounts = { { name = 'b', api_key = 'sk-other' } } },
    demo = { type = 'demo', accounts = { { name = 'demo' } } },
  },
}

local CHAT = '{ "model":"m", "messages":[{"role":"user","content":"Hi"}], "odd":1.0 }'
local REPLY = '{"id":"x","object":"chat.completion","created":1,"model":"m",' ..
  '"choices":[{"index":0,' ..
  '"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],' ..
  '"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'

--- Runs one attempt; `name` is the target.
local function run(name, upstream, options)
  options = options or {}
  engine.load(SETTINGS)
  local rules, route = require('policy.rules'), require('policy.route')
  require('policy.upstreams').load()
  route.load()
  rules.load('rules/test.lua', function()
    if options.rule then
      rules.on('attempt', options.rule)
    end
  end)
  rules.finish()
  local ex = engine.exchange(options.headers, upstream)
  local id = options.protocol or 'openai_chat'
  local text = options.text or CHAT
  local _, model, stream = body.new(text):head()
  local q = {
    ex = ex, op = { protocol = id, operation = 'chat' }, client = 'me', path = '/x', protocol = id,
    speaks = route.protocol(id), body = body.new(text), asked = model, model = model,
    stream = stream,
  }
  require('policy.attempt').run(q, route.target(name))
  return ex, q
end

local OK = { status = 200, headers = { ['content-type'] = 'application/json' }, body = REPLY }

describe('policy.attempt', function()
  it('passes bytes untouched to the same protocol, signed', function()
    local ex = run('gpt:m', OK)
    eq('http://gpt/v1/chat/completions', ex.sent_to.url)
    eq(CHAT, ex.sent_to.body)
    eq('Bearer sk-secret', ex.sent_to.headers.authorization)
    eq(REPLY, ex.body)
    eq(true, ex.finished)
  end)

  it('splices another model\'s name alone', function()
    eq((CHAT:gsub('"m"', '"other"')), run('gpt:other', OK).sent_to.body)
  end)

  it('converts for another protocol and back', function()
    local ex = run('claude:c', { status = 200, headers = { ['content-type'] = 'application/json' },
      body = '{"id":"1","type":"message","role":"assistant","model":"c",' ..
        '"content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn",' ..
        '"usage":{"input_tokens":1,"output_tokens":2}}' })
    eq('http://claude/v1/messages', ex.sent_to.url)
    eq('sk-other', ex.sent_to.headers['x-api-key'])
    eq('Hi', json.decode(ex.sent_to.body).messages[1].content[1]
      and json.decode(ex.sent_to.body).messages[1].content[1].text
      or json.decode(ex.sent_to.body).messages[1].content)
    local answer = json.decode(ex.body)
    eq('Hello', answer.choices[1].message.content)
    eq('stop', answer.choices[1].finish_reason)
  end)

  it('says what a conversion lost, or refuses where that is asked for', function()
    local text = '{"model":"m","seed":5,"messages":[{"role":"user","content":"Hi"}]}'
    local ex = run('strict:c', {}, { text = text })
    eq(400, ex.status)
    eq(nil, ex.sent_to)
    eq(true, json.decode(ex.body).error.message:find('seed', 1, true) ~= nil)
  end)

  it('answers 503 and says why when no account serves the model', function()
    local ex = run('claude:x', {})
    eq(503, ex.status)
    eq(true, json.decode(ex.body).error.message:find('x', 1, true) ~= nil)
  end)

  it('gives the words of a refusal of the same protocol as they are', function()
    local text = '{"error":{"message":"Slow sk-secret","type":"rate_limit","odd":1.0}}'
    local ex = run('gpt:m', { status = 429, headers = { ['retry-after'] = '5' }, body = text })
    eq(429, ex.status)
    eq((text:gsub('sk%-secret', '***')), ex.body)
    eq('5', ex.answered['retry-after'])
  end)

  it('does not make our account\'s 401 the client\'s', function()
    local ex = run('gpt:m', { status = 401, body = '{"error":{"message":"bad key sk-secret"}}' })
    eq(502, ex.status)
    eq('false', ex.answered['x-should-retry'])
    eq(nil, ex.body:find('sk-secret', 1, true))
    eq(true, ex.body:find('bad key ***', 1, true) ~= nil)
  end)

  it('follows no redirect', function()
    local ex = run('gpt:m', { status = 302, headers = { location = 'http://evil' } })
    eq(502, ex.status)
    eq(nil, ex.body:find('evil', 1, true))
  end)

  it('tells how a transfer failed', function()
    eq(502, run('gpt:m', { code = 'connect', text = 'refused' }).status)
    eq(504, run('gpt:m', { code = 'timeout', text = 'idle' }).status)
  end)

  it('lets attempt rules see everything but the secret', function()
    local seen
    local ex = run('gpt:m', OK, { rule = function(m)
      seen = m.headers.authorization
      m.headers['x-mine'] = '1'
      m:set('added', true)
      m.model = 'renamed'
      m.url = m.url .. '?x=1'
    end })
    eq(nil, seen)
    eq('1', ex.sent_to.headers['x-mine'])
    eq('Bearer sk-secret', ex.sent_to.headers.authorization)
    eq('http://gpt/v1/chat/completions?x=1', ex.sent_to.url)
    eq('renamed', json.decode(ex.sent_to.body).model)
    eq(true, json.decode(ex.sent_to.body).added)
    local again = run('gpt:m', OK)
    eq(nil, again.sent_to.headers['x-mine'])
  end)

  it('answers without a network where the provider does', function()
    local ex = run('demo:demo', {})
    eq(200, ex.status)
    eq(nil, ex.sent_to)
    eq('chat.completion', json.decode(ex.body).object)
  end)

  it('refuses a body that breaks its protocol before anything is sent', function()
    local ex = run('claude:c', {}, { text = '{"model":"m","messages":5}' })
    eq(400, ex.status)
    eq(nil, ex.sent_to)
  end)
end)

t.finish()
