--- px.json: writing to the end of a list, where long strings are not copied.

local json = require('px.json')
local t = require('harness')

local describe, it, eq, raises = t.describe, t.it, t.eq, t.raises

describe('json.append', function()
  local long = ('a "b"\n'):rep(600)

  it('writes what encode writes, to the end of a list', function()
    for _, value in ipairs({
      1, 'x', true, json.null, long, { a = 1 }, { long }, { 'x', long, long, 2 },
      { a = long, b = { c = { long, 'y' } } }, json.decode('{"z":1.0,"a":[],"b":{}}'),
      ('\255'):rep(3000), { [long] = long }, ('x'):rep(2047), ('x'):rep(2048),
    }) do
      local list = { 'before' }
      json.append(list, value, {})
      eq('before' .. json.encode(value), table.concat(list))
    end
  end)

  it('gives a long string a place of its own, and quotes it once', function()
    local list, known = {}, {}
    json.append(list, { a = long, b = 1 }, known)
    json.append(list, { long }, known)
    eq({ '{"a":', json.encode(long), ',"b":1}', '[', json.encode(long), ']' }, list)
    eq({ [long] = json.encode(long) }, known)
    known[long] = '"known"'
    json.append(list, long, known)
    eq('"known"', list[7])
  end)

  it('finds room for long strings 128 levels deep', function()
    local value = long
    for _ = 1, 128 do
      value = { value, long }
    end
    local list = {}
    json.append(list, value, {})
    eq(json.encode(value), table.concat(list))
  end)

  it('raises as encode does, and stays whole', function()
    local list = {}
    raises('JSON: [1]: a function cannot be written', function()
      json.append(list, { long, print }, {})
    end)
    for _, args in ipairs({ { 'x', 1, {} }, { {}, 1 }, {} }) do
      raises('bad argument', function()
        json.append(unpack(args, 1, 3))
      end)
    end
    list = {}
    json.append(list, { 1 }, {})
    eq({ '[1]' }, list)
  end)
end)

t.finish()
