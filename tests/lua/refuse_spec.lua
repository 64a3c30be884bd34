local engine = require('engine')
local json = require('px.json')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function load()
  engine.load({})
  local route = require('policy.route')
  require('policy.upstreams').load()
  route.load()
  return require('policy.refuse'), route
end

local ACCOUNT = { name = 'a', public = { secret = 'sk-secret' } }

describe('policy.refuse', function()
  local refuse, route = load()

  it('has the shape of the client\'s protocol', function()
    local ex = engine.exchange()
    refuse.own(ex, { protocol = 'anthropic' }, 404, 'not_found', 'gone')
    local body = json.decode(ex.body)
    eq(404, ex.status)
    eq('error', body.type)
    eq('gone', body.error.message)
    eq('*', ex.answered['access-control-allow-origin'])
    eq('application/json', ex.answered['content-type'])

    ex = engine.exchange()
    refuse.own(ex, { protocol = 'openai_chat' }, 401, 'auth', 'who?')
    eq('who?', json.decode(ex.body).error.message)
    eq(401, ex.status)
  end)

  it('guesses the protocol of an unknown path by its headers', function()
    eq('anthropic', refuse.protocol_of(engine.exchange({ ['anthropic-version'] = '1' })).id)
    eq('openai_chat', refuse.protocol_of(engine.exchange()).id)
  end)

  for _, case in ipairs({
    { 'x', 'x' }, { 'sk-secret', '***' }, { 'a sk-secret b sk-secret', 'a *** b ***' },
    { 'sk-secretsk-secret', '******' },
  }) do
    it('takes the secret out of ' .. case[1], function()
      eq(case[2], refuse.without_secret(case[1], ACCOUNT))
    end)
  end

  it('leaves texts alone where there is no secret', function()
    eq('abc', refuse.without_secret('abc', nil))
    eq('abc', refuse.without_secret('abc', { public = {} }))
    eq('abc', refuse.without_secret('abc', { public = { secret = 'abc' } }))  -- No secret at all.
  end)

  it('tells codes by status', function()
    eq('rate_limit', (refuse.code_of(429)))
    eq('internal', (refuse.code_of(500)))
    eq('bad_request', (refuse.code_of(418)))
    eq('quota', (refuse.code_of(429, 'quota')))
    local code, own = refuse.code_of(403, 'mine')
    eq('forbidden', code)
    eq('mine', own)
  end)

  it('says how a transfer failed without saying where to', function()
    local failure = refuse.transfer({ id = 'up' }, 'connect', 'cannot connect to 10.0.0.1:80')
    eq(502, failure.status)
    eq(true, failure.message:find('up cannot be reached', 1, true) ~= nil)
    eq(nil, failure.message:find('10.0.0.1', 1, true))
    eq(504, refuse.transfer({ id = 'up' }, 'timeout', 'x').status)
    eq(nil, refuse.transfer({ id = 'up' }, 'cut', 'see https://up.example/x?key=1').message
      :find('up.example', 1, true))
    eq('internal', refuse.transfer({ id = 'up' }, 'protocol', nil).code)
  end)

  it('names no address of an upstream, wherever the words have it', function()
    for words, want in pairs({
      ['127.0.0.1:443 closed the connection before its answer']
        = 'it closed the connection before its answer',
      ['the proxy p.example:3128 did not connect to h.example:443: refused']
        = 'the proxy it did not connect: refused',
      ['[::1]:8080: a line in the head of the answer is too long']
        = 'it: a line in the head of the answer is too long',
      ['TLS with h.example:443 failed: handshake'] = 'TLS with it failed: handshake',
    }) do
      local message = refuse.transfer({ id = 'up' }, 'cut', words).message
      eq('The upstream up ended its answer before it was complete: ' .. want, message)
    end
  end)

  it('keeps the upstream\'s own words and retry-after', function()
    local text = '{"type":"error","error":{"type":"overloaded_error","message":"Busy sk-secret"}}'
    local failure = refuse.read(route.protocol('anthropic'), 529, text, { ['retry-after'] = '7' },
      ACCOUNT)
    eq('Busy ***', failure.message)
    local ex = engine.exchange()
    refuse.answer(ex, route.protocol('openai_chat'), failure)
    eq('529 overloaded_error', ex.answered['x-proxima-upstream'])
    eq('7', ex.answered['retry-after'])
    eq('Busy ***', json.decode(ex.body).error.message)
  end)

  it('passes a refusal of the same protocol as it is, but for secrets and odd headers', function()
    local text = '{"error":{"message":"No sk-secret","type":"x"}}'
    local ex = engine.exchange()
    local headers = { ['retry-after'] = '3', ['x-request-id'] = 'r', ['set-cookie'] = 'c',
      ['x-ratelimit-limit'] = 'sk-secret' }
    refuse.pass(ex, { upstream_status = 429, type = 'x' }, 429, text, headers, ACCOUNT)
    eq('{"error":{"message":"No ***","type":"x"}}', ex.body)
    eq('3', ex.answered['retry-after'])
    eq('r', ex.answered['x-request-id'])
    eq('***', ex.answered['x-ratelimit-limit'])
    eq(nil, ex.answered['set-cookie'])
    eq('429 x', ex.answered['x-proxima-upstream'])
  end)
end)

t.finish()
