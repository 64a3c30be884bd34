local body = require('px.body')
local engine = require('engine')
local t = require('harness')

local describe, it, eq, raises = t.describe, t.it, t.eq, t.raises

local function message(fields, text)
  engine.load({
    default_provider = 'one',
    providers = { one = { type = 'openai', accounts = { { name = 'a', api_key = 'k' } } } },
  })
  require('policy.upstreams').load()
  require('policy.route').load()
  local out = {
    phase = 'request', protocol = 'openai_chat', model = 'm', client = 'me', tags = {}, state = {},
    ex = engine.exchange({
      ['authorization'] = 'Bearer s', ['x-api-key'] = 's', ['x-goog-api-key'] = 's', ['x-b'] = '1',
    }),
    body = body.new(text or '{ "model":"m", "n": 1.0 }'),
  }
  for key, value in pairs(fields or {}) do
    out[key] = value
  end
  return require('px.message')(out)
end

describe('px.message', function()
  it('reads and splices by path', function()
    local m = message()
    eq(1, m:get('n'))
    eq(nil, m:get('none'))
    eq(1, m:set('n', 2))
    eq('{ "model":"m", "n": 2 }', m.bytes)
    eq(1, m:remove('n'))
    eq(0, m:remove('n'))
    eq('m', m:json().model)
  end)

  it('renames by the path model without touching the body', function()
    local m = message()
    eq(1, m:set('model', 'other'))
    eq('other', m.model)
    eq('m', m:get('model'))
  end)

  it('hides the client\'s key', function()
    local m = message()
    eq({ ['x-b'] = '1' }, m.headers)
  end)

  it('reads and writes parameters by meaning', function()
    local m = message(nil, '{"model":"m","max_tokens":5}')
    eq(5, m.params.max_tokens)
    m.params.temperature = 0
    eq(0, m:get('temperature'))
    m.params.temperature = nil
    eq(nil, m:get('temperature'))
  end)

  it('reads a form of the answer whose members are null', function()
    local m = message(nil, '{"model":"m","response_format":{"type":"json_schema",'
      .. '"json_schema":null}}')
    eq({ kind = 'schema' }, m.params.response_format)
    m = message({ protocol = 'openai_responses' }, '{"model":"m","text":{"format":{"type":'
      .. '"json_schema","name":null,"schema":null,"strict":null}}}')
    eq({ kind = 'schema' }, m.params.response_format)
  end)

  it('routes in the phase request alone', function()
    local m = message()
    m:route('one:x')
    eq('one x', m.target.upstream.id .. ' ' .. m.target.model)
    m:route({ provider = 'one' })
    eq('m', m.target.model)
    raises('no provider is called "two"', function() m:route({ provider = 'two' }) end)
    local later = message({ phase = 'attempt' })
    raises('belongs to the phase request', function() later:route('one:x') end)
    raises('belongs to the phase request', function() later:deny(403) end)
  end)

  it('denies by leaving the rule', function()
    local m = message()
    local ok, control = pcall(m.deny, m, 429, 'slow down', { code = 'mine', retry_after = 3 })
    eq(false, ok)
    eq({ status = 429, message = 'slow down', code = 'mine', retry_after = 3 }, control.deny)
    local _, plain = pcall(m.deny, m)
    eq(403, plain.deny.status)
  end)

  it('says what it is', function()
    eq('openai_chat request for m', tostring(message()))
    eq('locked', getmetatable(message()))
  end)
end)

t.finish()
