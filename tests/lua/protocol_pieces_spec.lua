local pieces = require('protocol._pieces')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

describe('protocol._pieces', function()
  it('is the whole text at any time, in few strings', function()
    local list, said = {}, ''
    for i = 1, 1000 do
      local piece = i % 7 == 0 and '' or ('<%d>'):format(i)
      said = said .. piece
      pieces.add(list, piece)
      if table.concat(list) ~= said then
        eq(said, table.concat(list))
      end
    end
    eq(said, table.concat(list))
    eq(true, #list < 100)
  end)

  it('begins with nothing', function()
    local list = {}
    eq(0, #list)
    pieces.add(list, 'a')
    eq('a', table.concat(list))
  end)
end)

t.finish()
