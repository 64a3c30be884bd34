local glob = require('px.glob')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

describe('px.glob', function()
  for _, case in ipairs({
    { 'a', 'a', true }, { 'a', 'ab', false }, { '', '', true }, { '', 'a', false },
    { '*', '', true }, { '**', 'x/y', true }, { 'a*', 'a', true }, { 'a*', 'ba', false },
    { '*b', 'ab', true }, { '*b', 'abc', false }, { 'a*c', 'abbc', true }, { 'a*c', 'ab', false },
    { 'a*b*c', 'axxbyyc', true }, { '*-mini', 'gpt-5-mini', true }, { 'gpt-4.1', 'gpt-4x1', false },
    { 'a.b*', 'axb', false }, { '*(x)*', 'a(x)b', true }, { '*%d*', 'a1', false },
    { '*[a]*', 'a', false }, { 'claude*haiku*', 'claude-3-haiku-1', true },
    { '*\n*', 'a\nb', true },
  }) do
    it((('%q on %q'):format(case[1], case[2]):gsub('\\?\n', ' ')), function()
      eq(case[3], glob.one(case[1])(case[2]))
    end)
  end

  for place, case in ipairs({
    { { 'a', 'b' }, 'b', true }, { { 'a', 'b' }, 'c', false }, { { '!a' }, 'b', true },
    { { '!a' }, 'a', false }, { { 'a*', '!ab' }, 'ab', false }, { { 'a*', '!ab' }, 'ac', true },
    { '!a', 'a', false }, { {}, 'a', true }, { 'a', nil, false }, { '!a', nil, false },
  }) do
    it('list ' .. place .. ' on ' .. tostring(case[2]), function()
      eq(case[3], glob.list(case[1])(case[2]))
    end)
  end

  it('lets an empty list match nothing where that is asked for', function()
    eq(false, glob.list({}, true)('a'))
  end)

  for _, case in ipairs({
    { 'a*', '*b', true }, { 'a*', 'b*', false }, { 'a*c', 'ab', false }, { 'a*c', 'a*b', false },
    { '*', '', true }, { 'ab', 'ab', true }, { 'ab', 'a', false }, { 'gpt-*', '*-mini', true },
  }) do
    it(('overlap of %q and %q'):format(case[1], case[2]), function()
      eq(case[3], glob.overlap(case[1], case[2]))
      eq(case[3], glob.overlap(case[2], case[1]))
    end)
  end

  it('weighs literal text', function()
    eq(4, glob.weight('a*bc*d'))
  end)
end)

t.finish()
