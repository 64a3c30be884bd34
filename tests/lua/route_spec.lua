local engine = require('engine')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local SETTINGS = {
  default_provider = 'fallback',
  models = { ['gpt-4o'] = 'claude:claude-x', ['my-*'] = 'listed', ['plain'] = 'unheard-of' },
  providers = {
    claude = { type = 'anthropic', accounts = { { name = 'a', api_key = 'k1' } } },
    fallback = { type = 'openai', accounts = { { name = 'b', api_key = 'k2' } } },
    other = { type = 'openai', models = { 'listed', 'with:colon' },
      accounts = { { name = 'c', api_key = 'k3' } } },
    own = { type = 'openai', label = 'My Own', accounts = { { name = 'd', api_key = 'k4' } } },
    off = { type = 'openai', enabled = false, models = { 'hidden' }, accounts = {} },
  },
}

local function load()
  engine.load(SETTINGS)
  local route = require('policy.route')
  require('policy.upstreams').load()
  route.load()
  return route
end

describe('policy.route paths', function()
  local route = load()
  local function find(method, path, headers)
    local op, provider, rest = route.find(method, path, engine.exchange(headers))
    return op and op.protocol .. ' ' .. op.operation, provider, rest
  end

  for _, case in ipairs({
    { 'POST', '/v1/chat/completions', 'openai_chat chat' },
    { 'POST', '/v1/messages', 'anthropic chat' },
    { 'POST', '//v1//messages/', 'anthropic chat' },
    { 'POST', '/claude/v1/messages', 'anthropic chat', 'claude' },
    { 'POST', '/nobody/v1/messages', nil },
    { 'POST', '/off/v1/messages', nil },
    { 'POST', '/v1/v1/chat/completions', 'openai_chat chat' },
    { 'POST', '/v1/chat/completions/v1/chat/completions', 'openai_chat chat' },
    { 'POST', '/v1/chat/completions/chat/completions', 'openai_chat chat' },
    { 'POST', '/other/v1/v1/chat/completions', 'openai_chat chat', 'other' },
    { 'GET', '/v1/chat/completions', nil },
    { 'GET', '/', nil },
    { 'GET', '/v1/models', 'openai_chat models' },
  }) do
    it(case[1] .. ' ' .. case[2], function()
      local op, provider = find(case[1], case[2])
      eq(case[3], op)
      eq(case[4], provider)
    end)
  end

  it('tells the lists of models apart by headers', function()
    eq('anthropic models', (find('GET', '/v1/models', { ['anthropic-version'] = '2023-06-01' })))
    eq('gemini models', (find('GET', '/v1/models', { ['x-goog-api-client'] = 'google-genai-sdk' })))
    eq('gemini model', (find('GET', '/v1/models/m', { ['x-goog-api-key'] = 'k' })))
    eq('gemini models', (find('GET', '/v1beta/models', {})))
  end)

  it('gives the model that a path names', function()
    local _, _, rest = find('GET', '/v1/models/gpt-x')
    eq('gpt-x', rest)
  end)

  it('knows the methods of a path and the nearest one', function()
    eq('POST', route.methods('/v1/messages', engine.exchange()))
    eq(nil, route.methods('/nothing', engine.exchange()))
    eq('/v1/messages', route.nearest('/v1/mesages'))
    eq('/v1/chat/completions', route.nearest('/v1/chat/completion' .. 's'))
  end)
end)

describe('policy.route targets', function()
  local route = load()
  local function target(model, provider)
    local found = route.target(model, provider)
    return found and found.upstream.id .. ' ' .. found.model
  end

  for _, case in ipairs({
    { 'claude:claude-y', nil, 'claude claude-y' },
    { 'gpt-4o', nil, 'claude claude-x' },
    { 'my-own', nil, 'other listed' },
    { 'plain', nil, 'fallback unheard-of' },
    { 'listed', nil, 'other listed' },
    { 'with:colon', nil, 'other with:colon' },
    { 'nobody:model', nil, 'fallback nobody:model' },
    { 'hidden', nil, 'fallback hidden' },
    { 'new', nil, 'fallback new' },
    { 'new', 'claude', 'claude new' },
    { 'claude:new', 'claude', 'claude new' },
    { 'other:new', 'claude', 'claude other:new' },
    { 'new', 'nobody', nil },
    { '[My Own] m', nil, 'own m' },
    { '[my own]m', nil, 'own m' },
    { '[own] other:m', nil, 'own other:m' },
    { '[Claude] gpt-4o', nil, 'claude gpt-4o' },
    { '[My Own] m', 'own', 'own m' },
    { '[My Own] m', 'claude', 'claude [My Own] m' },
    { '[Nobody] m', nil, 'fallback [Nobody] m' },
    { '[off] m', nil, 'fallback [off] m' },
    { '[My Own]', nil, 'fallback [My Own]' },
    { '[] m', nil, 'fallback [] m' },
    { '[My Own m', nil, 'fallback [My Own m' },
  }) do
    it(case[1] .. (case[2] and ' of ' .. case[2] or ''), function()
      eq(case[3], target(case[1], case[2]))
      eq(case[3], target(case[1], case[2]))  -- From what was kept.
    end)
  end

  it('reads what rules name', function()
    local function named(value)
      local found, err = route.named(value, 'asked')
      return found and found.upstream.id .. ' ' .. found.model or err
    end
    eq('claude asked', named('claude'))
    eq('claude m', named('claude:m'))
    eq('claude m', named({ provider = 'claude', model = 'm' }))
    eq('claude asked', named({ provider = 'claude' }))
    eq('other asked', named({ 'other', 'claude' }))
    eq('no provider is called "nobody"', named({ provider = 'nobody' }))
    eq(true, named(5):find('a target is', 1, true) ~= nil)
  end)
end)

t.finish()
