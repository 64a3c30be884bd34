local json = require('px.json')
local t = require('harness')

local describe, it, eq, raises = t.describe, t.it, t.eq, t.raises

--- Gives a text's way through Lua and back.
local function round(text)
  return json.encode(assert(json.decode(text)))
end

describe('json.decode', function()
  it('reads scalars', function()
    eq(12, json.decode('12'))
    eq(-0.5, json.decode(' -0.5 '))
    eq(true, json.decode('true'))
    eq(false, json.decode('false'))
    eq('a"b\\/\b\f\n\r\t\0é😀', json.decode([["a\"b\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude00"]]))
    assert(json.decode('null') == json.null)
  end)

  it('reads containers', function()
    eq({ a = { 1, 2, { b = 'x' } }, c = {} }, json.decode('{"a":[1,2,{"b":"x"}],"c":{}}'))
  end)

  it('gives nil and the offset of a mistake', function()
    local value, message = json.decode('{"a":1,}')
    eq(nil, value)
    eq("JSON: byte 7: expected a member's name", message)
    eq('JSON: byte 0: expected a value', select(2, json.decode('')))
  end)
end)

describe('a round trip', function()
  for _, text in ipairs({
    '{"z":1,"a":2,"m":{"y":[],"b":{}}}',
    '[1.0,1e5,0.10,-0,-0.0,1E+2,0,100,0.1]',
    '{"a":1.0,"b":[1e5],"c":0.10,"d":1}',
    '12345678901234567890',
    '[9007199254740992,9007199254740993,0.1234567890123456789,1e400,-1e-400]',
    '["\\u0000\\ud83d","\\udc00 x",{"\\ud83d":1}]',
    '[[],{},[[]],[{}]]',
    '{"":0,"a.b":null,"é":"\\u001f"}',
    'null',
    '"x"',
  }) do
    it('keeps ' .. text, function()
      eq(text, round(text))
    end)
  end

  it('keeps the order of more members than a shape may have', function()
    for _, count in ipairs({ 63, 64, 65, 66, 300 }) do
      local parts = {}
      for i = 1, count do
        parts[i] = ('"k%d":%d'):format((i * 7919) % 1000, i)
      end
      local text = '{' .. table.concat(parts, ',') .. '}'
      eq(text, round(text))
    end
  end)

  it('keeps order whatever number of shapes has been seen', function()
    for i = 1, 20000 do
      local text = ('{"k%d":1,"b%d":2,"a":3}'):format(i * 7 % 5000, i)
      if round(text) ~= text then
        eq(text, round(text))
      end
    end
  end)

  it('finds a shape among many that begin alike', function()
    for _ = 1, 2 do
      for i = 1, 20 do
        local text = ('{"same":1,"k%d":2,"l%d":3}'):format(i, i)
        eq(text, round(text))
      end
    end
  end)

  it('keeps order when one text brings more shapes than may be made at once', function()
    local parts = {}
    for i = 1, 400 do
      parts[i] = ('{"x%d":%d,"b":{},"a":[]}'):format(i, i)
    end
    local text = '[' .. table.concat(parts, ',') .. ']'
    eq(text, round(text))
    eq(text, round(text))
  end)

  it('keeps long strings with escapes', function()
    local text = '["' .. ('x'):rep(70000) .. '\\n"]'
    eq(text, round(text))
  end)

  it('keeps long keys', function()
    local text = ('{"b%s":1,"a":2}'):format(('x'):rep(100))
    eq(text, round(text))
  end)

  it('joins halves of a character that have come together', function()
    eq('"\\ud83d\\ude00"', json.encode(json.decode('"\\ud83d"') .. json.decode('"\\ude00"')))
  end)

  it('writes a repeated member once, with its last value, in its first place', function()
    eq('{"a":3,"b":2}', round('{"a":1,"b":2,"a":3}'))
    eq('{"a":3,"b":2}', round('{"a":1.0,"b":2,"a":3}'))
    eq('{"a":3.0,"b":2}', round('{"a":1,"b":2,"a":3.0}'))
    eq('{"a":1,"b":2}', round('{"a":1.0,"b":2,"a":1}'))
  end)
end)

describe('json.encode', function()
  it('keeps the order of a decoded object that was changed', function()
    local value = json.decode('{"z":1,"a":1.0,"m":{"q":1}}')
    value.new, value.also, value.z = true, false, nil
    value.m.q = nil
    eq('{"a":1.0,"m":{},"also":false,"new":true}', json.encode(value))
    value.a, value.z = 2, 'x'
    eq('{"z":"x","a":2,"m":{},"also":false,"new":true}', json.encode(value))
  end)

  it('writes the text of a number only while its value is unchanged', function()
    local value = json.decode('{"a":[1.0,2.0],"b":5e0}')
    value.a[2], value.b = 3, 5
    eq('{"a":[1.0,3],"b":5e0}', json.encode(value))
  end)

  it('sorts the keys of a plain table by bytes', function()
    eq('{"A":1,"a":2,"aa":3,"b":4,"é":5}', json.encode({ b = 4, aa = 3, a = 2, A = 1, ['é'] = 5 }))
  end)

  it('sorts keys that begin alike, however many there are', function()
    for _, count in ipairs({ 2, 17, 32, 33, 100 }) do
      local keys, plain = {}, {}
      for i = 1, count do
        local tail = string.char(i * 37 % 256):rep(i % 5)
        keys[i] = ('a'):rep(i % 11) .. tail
      end
      for _, key in ipairs(keys) do
        plain[key] = 1
      end
      keys = {}
      for key in pairs(plain) do
        keys[#keys + 1] = key
      end
      table.sort(keys, function(a, b)
        return a < b
      end)
      eq(keys, json.keys(plain))
    end
  end)

  it('sorts many keys', function()
    local value, expected = {}, {}
    for i = 1, 100 do
      value[('k%03d'):format(i)] = i
      expected[i] = ('"k%03d":%d'):format(i, i)
    end
    eq('{' .. table.concat(expected, ',') .. '}', json.encode(value))
  end)

  it('prints the shortest number that reads back', function()
    for number, text in pairs({
      [0] = '0',
      [1] = '1',
      [-1] = '-1',
      [2 ^ 53] = '9007199254740992',
      [2 ^ 53 + 2] = '9007199254740994',
      [1e20] = '100000000000000000000',
      [1e21] = '1e+21',
      [1.5e300] = '1.5e+300',
      [0.1] = '0.1',
      [0.1 + 0.2] = '0.30000000000000004',
      [1 / 3] = '0.3333333333333333',
      [1e-6] = '0.000001',
      [1e-7] = '1e-7',
      [5e-324] = '5e-324',
      [123456.789] = '123456.789',
    }) do
      eq(text, json.encode(number))
    end
  end)

  it('replaces bytes that are not UTF-8', function()
    eq('"a\239\191\189b"', json.encode('a\255b'))
    eq('"\239\191\189\239\191\189"', json.encode('\240\159'))
    eq('"\239\191\189\239\191\189"', json.encode('\192\128'))
  end)

  it('escapes what must be escaped and nothing else', function()
    eq([["\"\\/\b\f\n\r\t\u0000\u001f]] .. '\127é"', json.encode('"\\/\b\f\n\r\t\0\31\127é'))
  end)

  it('raises what is ambiguous or cannot be written, with its path', function()
    raises('JSON: an empty table', function()
      json.encode({})
    end)
    raises('JSON: a.b[1]["x.y"]: an empty table', function()
      json.encode({ a = { b = { 1, { ['x.y'] = {} } } } })
    end)
    raises('JSON: ["a\\u0000\\n"][""]: a function', function()
      json.encode({ ['a\0\n'] = { [''] = print } })
    end)
    raises('JSON: m: a table has keys of different kinds', function()
      json.encode({ m = { 1, x = 2 } })
    end)
    raises('JSON: an object has a key that is no string', function()
      local value = json.decode('{"a":1}')
      value[1] = 2
      json.encode(value)
    end)
    raises('JSON: an object has a key that is no string', function()
      json.encode(json.object({ 1 }))
    end)
    raises('JSON: an array has a key that is no index', function()
      local value = json.decode('[1]')
      value.x = 2
      json.encode(value)
    end)
    raises('JSON: [1]: an array has a hole', function()
      json.encode({ 1, nil, 3 })
    end)
    raises('JSON: [0]: an array has a hole', function()
      json.encode({ [1.5] = 1 })
    end)
    raises('JSON: [0]: NaN', function()
      json.encode({ 0 / 0 })
    end)
    raises('JSON: a: NaN and infinity', function()
      json.encode({ a = -math.huge })
    end)
    raises('JSON: f: a function cannot be written', function()
      local value = json.decode('{"a":1}')
      value.f = print
      json.encode(value)
    end)
    raises('JSON: a nil cannot be written', function()
      json.encode(nil)
    end)
    raises('JSON: a userdata cannot be written', function()
      json.encode(io.stdout)
    end)
    raises('a table has keys of different kinds', function()
      json.encode({ [true] = 1 })
    end)
  end)

  it('stays whole after it has raised', function()
    pcall(json.encode, { a = { b = { c = print } } })
    eq('{"a":{"b":1}}', json.encode({ a = { b = 1 } }))
  end)

  it('raises for cycles and for more than 128 levels', function()
    local value = {}
    value.a = value
    raises('nests deeper than 128 levels', function()
      json.encode(value)
    end)
    raises('...: nests', function()
      json.encode(value)
    end)
    local deep = ('['):rep(128) .. (']'):rep(128)
    eq(deep, round(deep))
    eq(nil, (json.decode('[' .. deep .. ']')))
    raises('[0][0]', function()
      json.encode({ json.decode(deep) })
    end)
    raises('nests deeper than 128 levels', function()
      json.encode({ json.raw(deep) })
    end)
  end)

  it('raises when the text grows beyond 64 MiB', function()
    local value, part = {}, ('x'):rep(2 ^ 20)
    for i = 1, 64 do
      value[i] = part
    end
    raises('[63]: the text grows beyond its limit', function()
      json.encode(value)
    end)
    value[64] = nil
    assert(#json.encode(value) > 63 * 2 ^ 20)
  end)

  it('never calls metamethods', function()
    local plain = setmetatable({ a = 1 }, {
      __index = error,
      __tostring = error,
      __len = error,
    })
    eq('{"a":1}', json.encode(plain))
  end)
end)

describe('marks', function()
  it('tell arrays from objects', function()
    eq('[]', json.encode(json.array()))
    eq('{}', json.encode(json.object()))
    eq('[1]', json.encode(json.array({ 1 })))
    eq('{"a":1,"b":2}', json.encode(json.object({ b = 2, a = 1 })))
    eq(true, json.is_array(json.decode('[]')))
    eq(false, json.is_array(json.decode('{}')))
    eq(true, json.is_array(json.decode('[1.0]')))
    eq(true, json.is_object(json.decode('{"a":1.0}')))
    eq(true, json.is_object(json.object()))
    eq(false, json.is_object({}))
    eq(false, json.is_array({}))
    eq(false, json.is_array(json.null))
    eq(false, json.is_array(nil))
  end)

  it('leave a table that has the mark as it is', function()
    eq('{"z":1,"a":1.0}', json.encode(json.object(json.decode('{"z":1,"a":1.0}'))))
    eq('[1.0]', json.encode(json.array(json.decode('[1.0]'))))
  end)

  it('may be changed', function()
    eq('{}', json.encode(json.object(json.array())))
    eq('[]', json.encode(json.array(json.decode('{}'))))
  end)

  it('do not touch a table with a metatable of its own', function()
    raises('metatable of its own', function()
      json.array(setmetatable({}, {}))
    end)
  end)

  it('are out of a script\'s reach', function()
    eq('px.json', getmetatable(json.decode('{}')))
    raises('protected', function()
      setmetatable(json.decode('[]'), nil)
    end)
    eq('{"a":1}', json.encode(setmetatable({ a = 1 }, { [0] = json.null, json.number('1.0') })))
  end)

  it('leave nothing in the table', function()
    local seen = {}
    for key in pairs(json.decode('{"a":1.0,"b":2}')) do
      seen[key] = true
    end
    eq({ a = true, b = true }, seen)
    eq(2, #json.decode('[1.0,2]'))
  end)
end)

describe('json.keys', function()
  it('lists members in the order in which they are written', function()
    local value = json.decode('{"z":1,"a":2,"m":3}')
    eq({ 'z', 'a', 'm' }, json.keys(value))
    value.b, value.A, value.a = 1, 2, nil
    eq({ 'z', 'm', 'A', 'b' }, json.keys(value))
    eq({ 'a', 'b' }, json.keys({ b = 1, a = 2 }))
    eq({ 'z', 'a' }, json.keys(json.decode('{"z":1.0,"a":2}')))
    eq({}, json.keys({}))
    eq({}, json.keys(json.object()))
  end)

  it('raises for arrays', function()
    raises('an object is needed', function()
      json.keys({ 1 })
    end)
  end)
end)

describe('json.between', function()
  local between = json.between

  it('gives the one string between two texts', function()
    eq('x', between('{"a":"x"}', '{"a":"', '"}'))
    eq('', between('{"a":""}', '{"a":"', '"}'))
    eq('a"\\\né😀', between([["a\"\\\n\u00e9\ud83d\ude00"]], '"', '"'))
    eq('x', between('{"n":7,"a":"x"}', 12, '"}'))
  end)

  it('gives nil for anything else', function()
    for _, case in ipairs({
      { '{"a":"x"}', '{"b":"', '"}' }, { '{"a":"x"}', '{"a":"', '"]' }, { '{"a":"x"}', '', '"}' },
      { '{"a":"x"}', '{"a":"', '' }, { '{"a":"x","b":"y"}', '{"a":"', '"}' }, { '"', '"', '"' },
      { '', '"', '"' }, { '"x"', 2, '"' }, { '"x"', 0, '"' }, { '"x"', 4, '"' }, { '"x"', 3, '"' },
      { '"x"', -1, '"' }, { '"x"', 1e300, '"' }, { '"x"', 0 / 0, '"' }, { '"x"', 1, '"x"' },
      { '"\1"', '"', '"' }, { '"\255"', '"', '"' }, { [["\x"]], '"', '"' }, { [["x\"]], '"', '"' },
      { 'x"y"', 'x', '"' }, { '"a" "b"', '"', '"' }, { '"x"', '"x"y', '"' },
    }) do
      eq(nil, between(case[1], case[2], case[3]))
    end
  end)
end)

describe('json.copy', function()
  it('is written as what it was copied from', function()
    local text = '{"z":1.0,"a":[1,2.50],"m":{},"n":null,"l":[]}'
    local value = json.decode(text)
    local copy = json.copy(value)
    eq(text, json.encode(copy))
    copy.a, copy.b = 1, 2
    eq('{"z":1.0,"a":1,"m":{},"n":null,"l":[],"b":2}', json.encode(copy))
    eq(text, json.encode(value))
    copy = json.copy(value.a)
    copy[3] = 3
    eq('[1,2.50,3]', json.encode(copy))
    eq('[]', json.encode(json.copy(value.l)))
    eq('[]', json.encode(json.copy(json.array())))
    eq('{}', json.encode(json.copy(json.object())))
  end)

  it('copies plain tables, and no metatable but its own', function()
    eq({ 1, 2, x = 3 }, json.copy({ 1, 2, x = 3 }))
    eq(nil, getmetatable(json.copy(setmetatable({ 1 }, { __index = error }))))
    raises('table expected', function()
      json.copy('x')
    end)
  end)
end)

describe('json.number', function()
  it('holds what a double cannot', function()
    local big = json.decode('[12345678901234567890]')[1]
    eq('12345678901234567890', tostring(big))
    eq(12345678901234567890, json.tonumber(big))
    eq(true, json.is_number(big))
    eq('userdata', type(big))
    assert(big == json.number('12345678901234567890'))
    assert(big ~= json.number('12345678901234567891'))
    eq('{"id":12345678901234567890}', json.encode({ id = big }))
  end)

  it('is a Lua number where that is written as the same text', function()
    eq(5, json.number('5'))
    eq('1.0', json.encode(json.number('1.0')))
    eq(1, json.tonumber(json.number('1.0')))
  end)

  it('raises for what is no number', function()
    for _, text in ipairs({ '', '1 ', ' 1', '01', '1.', '"1"', 'nan', '0x10', '1,' }) do
      raises('a JSON number is needed', function()
        json.number(text)
      end)
    end
    eq(nil, json.tonumber('1'))
    eq(false, json.is_number('1'))
    eq(true, json.is_number(1))
  end)
end)

describe('json.raw', function()
  it('is written as it is', function()
    local raw = json.raw('{ "b" : 1.0, "a":[ ] }')
    eq('{"args":{ "b" : 1.0, "a":[ ] }}', json.encode({ args = raw }))
    eq('{ "b" : 1.0, "a":[ ] }', tostring(raw))
    eq(true, json.is_raw(raw))
    eq(false, json.is_raw({}))
    eq(false, json.is_raw(json.number('1.0')))
  end)

  it('raises when it is not JSON', function()
    raises('JSON: byte 5: expected', function()
      json.raw('{"a":')
    end)
  end)
end)

t.finish()
