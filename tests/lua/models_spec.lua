local engine = require('engine')
local t = require('harness')

local describe, it, eq, raises = t.describe, t.it, t.eq, t.raises

local function models(settings)
  engine.load({ models = settings })
  return require('policy.models')
end

describe('policy.models', function()
  it('takes the exact name first, then the glob with the longest text', function()
    local m = models({ ['gpt-*'] = 'a', ['gpt-4*'] = 'b', ['gpt-4o'] = 'c', ['*'] = 'd' })
    eq('c', m.alias('gpt-4o'))
    eq('b', m.alias('gpt-4.1'))
    eq('a', m.alias('gpt-5'))
    eq('d', m.alias('claude'))
  end)

  it('lets Lua win over the configuration', function()
    local m = models({ ['x'] = 'file', ['y*'] = 'file' })
    m.declare({ ['x'] = 'lua', ['y*'] = 'lua' })
    eq('lua', m.alias('x'))
    eq('lua', m.alias('yy'))
    m.check()
  end)

  it('refuses what is equally exact', function()
    local m = models({ ['ab*'] = 'a', ['*ba'] = 'b' })
    raises('equally exact', m.check)
    models({ ['ab*'] = 'a', ['cd*'] = 'b' }).check()
  end)

  it('knows nothing without an alias, and lists names without globs', function()
    local m = models({ b = '1', a = '2', ['c*'] = '3' })
    eq(nil, m.alias('zzz'))
    eq({ 'a', 'b' }, m.names())
  end)

  it('refuses mistakes', function()
    local m = models()
    raises('takes a table', function() m.declare(5) end)
    raises('are strings', function() m.declare({ a = 5 }) end)
    raises('are strings', function() m.declare({ 'a' }) end)
  end)
end)

t.finish()
