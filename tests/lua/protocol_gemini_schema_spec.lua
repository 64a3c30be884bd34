--- Schemas: cut down for older Gemini models, and Gemini's own read as JSON Schema.

local json = require('px.json')
local clean = require('protocol.gemini._clean')
local schema = require('protocol.gemini._schema')
local strict_gemini = require('strict_gemini')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function cut(text)
  local given = json.decode(text)
  local made = json.decode(json.encode((clean.clean(given))))
  strict_gemini.schema(made)
  eq(text, json.encode(given)) -- What came in stays as it was.
  return json.encode(made)
end

local function object(properties, more)
  return '{"type":"object","properties":' .. properties .. (more or '') .. '}'
end

local function made(properties, more)
  return '{"properties":' .. properties .. (more or '') .. ',"type":"OBJECT"}'
end

local CASES = {
  { 'capitals', object('{"a":{"type":"integer","minimum":1}}'),
    made('{"a":{"minimum":1,"type":"INTEGER"}}') },
  { 'properties named like keywords, in their order', object('{"type":{"type":"string"},'
    .. '"$ref":{"type":"number"},"format":{"type":"string"},"properties":{"type":"object",'
    .. '"properties":{"required":{"type":"boolean"}}},"const":{"type":"string"}}',
    ',"required":["type","const"]'),
    made('{"type":{"type":"STRING"},"$ref":{"type":"NUMBER"},"format":{"type":"STRING"},'
      .. '"properties":{"properties":{"required":{"type":"BOOLEAN"}},"type":"OBJECT"},'
      .. '"const":{"type":"STRING"}}', ',"required":["type","const"]') },
  { 'what is refused, without a word where it says nothing', '{"$schema":"s","$id":"i",'
    .. '"$comment":"c",' .. object('{"a":{"type":"string","examples":["x"],"readOnly":true}}',
    ',"additionalProperties":false,"x-y":1'):sub(2), made('{"a":{"type":"STRING"}}') },
  { 'references', '{"$defs":{"p":{"type":"string","description":"P"}},'
    .. object('{"a":{"$ref":"#/$defs/p"},"b":{"$ref":"#/$defs/p","description":"mine"}}'):sub(2),
    made('{"a":{"description":"P","type":"STRING"},"b":{"description":"mine","type":"STRING"}}') },
  { 'references under other names', '{"definitions":{"a/b":{"type":"number"}},'
    .. object('{"a":{"$ref":"#/definitions/a~1b"}}'):sub(2), made('{"a":{"type":"NUMBER"}}') },
  { 'references that lead nowhere', object('{"a":{"$ref":"#/$defs/none"},"b":{"$ref":"http://x"}}'),
    made('{"a":{"type":"OBJECT"},"b":{"type":"OBJECT"}}') },
  { 'references in a circle', '{"$defs":{"n":{"type":"object","properties":{"next":'
    .. '{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"}', made('{"next":{"type":"OBJECT"}}') },
  { 'references to themselves', '{"$defs":{"n":{"$ref":"#/$defs/n"}},"$ref":"#/$defs/n"}',
    '{"type":"OBJECT"}' },
  { 'a reference to the root', object('{"a":{"$ref":"#"},"b":{"type":"string"}}'),
    made('{"a":{"properties":{"a":{"type":"OBJECT"},"b":{"type":"STRING"}},"type":"OBJECT"},'
      .. '"b":{"type":"STRING"}}') },
  { 'const', '{"const":"x"}', '{"enum":["x"],"format":"enum","type":"STRING"}' },
  { 'const of a number', '{"type":"integer","const":3}',
    '{"description":"(one of: 3)","type":"INTEGER"}' },
  { 'enum without what cannot be in one', '{"type":"string","enum":["a","",null,"a","b"]}',
    '{"enum":["a","b"],"format":"enum","nullable":true,"type":"STRING"}' },
  { 'enum of numbers', '{"type":"integer","enum":[1,2],"description":"D"}',
    '{"description":"D (one of: 1, 2)","type":"INTEGER"}' },
  { 'enum without a type', '{"enum":["a"]}', '{"enum":["a"],"format":"enum","type":"STRING"}' },
  { 'enum of booleans', '{"enum":[true]}', '{"description":"(one of: true)","type":"BOOLEAN"}' },
  { 'a type or null', '{"type":["string","null"],"description":"D"}',
    '{"description":"D","nullable":true,"type":"STRING"}' },
  { 'several types', '{"type":["string","integer","null"],"description":"D"}',
    '{"anyOf":[{"type":"STRING"},{"type":"INTEGER"}],"description":"D","nullable":true}' },
  { 'null alone', '{"type":"null"}', '{"nullable":true,"type":"STRING"}' },
  { 'oneOf', '{"oneOf":[{"type":"string"},{"type":"array","items":{"type":"number"}}]}',
    '{"anyOf":[{"type":"STRING"},{"items":{"type":"NUMBER"},"type":"ARRAY"}]}' },
  { 'anyOf with null', '{"anyOf":[{"type":"string"},{"type":"null"}],"description":"D"}',
    '{"description":"D","nullable":true,"type":"STRING"}' },
  { 'anyOf beside properties', object('{"a":{"type":"string"}}',
    ',"anyOf":[{"required":["a"]},{"properties":{"b":{"type":"number"}}}]'),
    '{"anyOf":[{"properties":{"a":{"type":"STRING"}},"required":["a"],"type":"OBJECT"},'
      .. '{"properties":{"b":{"type":"NUMBER"},"a":{"type":"STRING"}},"type":"OBJECT"}]}' },
  { 'allOf', '{"allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},'
    .. '{"properties":{"b":{"type":"number"}},"required":["b"]}]}',
    made('{"a":{"type":"STRING"},"b":{"type":"NUMBER"}}', ',"required":["a","b"]') },
  { 'allOf with a reference', '{"$defs":{"p":{"type":"object","properties":{"a":'
    .. '{"type":"string"}}}},"allOf":[{"$ref":"#/$defs/p"}],"description":"D"}',
    '{"description":"D","properties":{"a":{"type":"STRING"}},"type":"OBJECT"}' },
  { 'exclusive bounds', '{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":5,"maximum":4}',
    '{"description":"(exclusiveMinimum: 0) (exclusiveMaximum: 5)","maximum":4,"minimum":0,'
      .. '"type":"NUMBER"}' },
  { 'boolean schemas', object('{"a":true,"b":{},"c":false}'),
    made('{"a":{"type":"STRING"},"b":{"type":"STRING"},"c":{"type":"STRING"}}') },
  { 'arrays without items', '{"type":"array"}', '{"items":{"type":"STRING"},"type":"ARRAY"}' },
  { 'tuples', '{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}]}',
    '{"description":"(items in this order)","items":{"anyOf":[{"type":"STRING"},'
      .. '{"type":"NUMBER"}]},"type":"ARRAY"}' },
  { 'required without what is not there', object('{"a":{"type":"string"}}',
    ',"required":["a","gone"]'), made('{"a":{"type":"STRING"}}', ',"required":["a"]') },
  { 'formats', '{"type":"string","format":"email"}',
    '{"description":"(format: email)","type":"STRING"}' },
  { 'formats that are known', '{"type":"string","format":"date-time"}',
    '{"format":"date-time","type":"STRING"}' },
  { 'other constraints in words', '{"type":"number","multipleOf":2,"description":"D"}',
    '{"description":"D (multipleOf: 2)","type":"NUMBER"}' },
  { 'a description that is no text', '{"type":"string","description":7}', '{"type":"STRING"}' },
}

describe('a schema is cut down:', function()
  for _, case in ipairs(CASES) do
    it(case[1], function()
      eq(case[3], cut(case[2]))
    end)
  end

  it('however deep it is', function()
    local text = ('{"type":"array","items":'):rep(80) .. '{"type":"string"}' .. ('}'):rep(80)
    assert(#cut(text) < #text)
  end)

  it('however much its references would make', function()
    local defs = {}
    for i = 1, 40 do
      defs[i] = ('"d%d":{"type":"object","properties":{"a":{"$ref":"#/$defs/d%d"},'
        .. '"b":{"$ref":"#/$defs/d%d"}}}'):format(i, i + 1, i + 1)
    end
    local text = '{"$defs":{' .. table.concat(defs, ',') .. '},"$ref":"#/$defs/d1"}'
    assert(#cut(text) < 500000)
  end)

  it('and says whether something went into words', function()
    local _, words = clean.clean(json.decode('{"type":"number","multipleOf":2}'))
    local _, none = clean.clean(json.decode('{"type":"number"}'))
    eq({ true, false }, { words, none })
  end)

  it('is empty without properties, not with others', function()
    eq({ true, true, true, false, false }, {
      clean.is_empty(nil), clean.is_empty(json.decode('{}')),
      clean.is_empty(json.decode('{"type":"OBJECT","properties":{}}')),
      clean.is_empty(json.decode('{"$ref":"#/$defs/a"}')),
      clean.is_empty(json.decode('{"type":"string"}')) })
  end)
end)

local READS = {
  { '{"type":"STRING","nullable":true,"enum":["a"]}',
    '{"type":["string","null"],"enum":["a",null]}' },
  { '{"type":"OBJECT","properties":{"type":{"type":"STRING"},"nullable":{"type":"BOOLEAN"}},'
    .. '"property_ordering":["type"],"min_properties":"1"}',
    '{"type":"object","properties":{"type":{"type":"string"},"nullable":{"type":"boolean"}},'
      .. '"minProperties":1}' },
  { '{"any_of":[{"type":"STRING"},{"type":"NUMBER"}],"nullable":true}',
    '{"anyOf":[{"type":"string"},{"type":"number"},{"type":"null"}]}' },
  { '{"type":"ARRAY","items":{"type":"TYPE_UNSPECIFIED","example":3},'
    .. '"maxItems":"9007199254740993"}',
    '{"type":"array","items":{"examples":[3]},"maxItems":9007199254740993}' },
  { '{"type":["STRING","null"],"$defs":{"Type":{"type":"INTEGER","format":"int64"}},'
    .. '"not":{"type":"OBJECT"},"additionalProperties":{"type":"STRING"}}',
    '{"type":["string","null"],"$defs":{"Type":{"type":"integer","format":"int64"}},'
      .. '"not":{"type":"object"},"additionalProperties":{"type":"string"}}' },
  { '{"type":"STRING","format":"enum","enum":["STRING","OBJECT"],"default":null}',
    '{"type":"string","enum":["STRING","OBJECT"],"default":null}' },
  { '{"type":"OBJECT","properties":{"my_name":{"type":"STRING"}},"required":["my_name"]}',
    '{"type":"object","properties":{"my_name":{"type":"string"}},"required":["my_name"]}' },
}

describe('a Schema of Gemini is read:', function()
  for _, case in ipairs(READS) do
    it(case[1], function()
      local made_of = schema.read(json.decode(case[1]))
      eq(case[2], json.encode(made_of))
    end)
  end

  it('and cut down again is what it was', function()
    local text = '{"nullable":true,"properties":{"b":{"enum":["x"],"format":"enum",'
      .. '"type":"STRING"},"a":{"items":{"type":"INTEGER"},"type":"ARRAY"}},"required":["b"],'
      .. '"type":"OBJECT"}'
    eq(text, json.encode((clean.clean(schema.read(json.decode(text))))))
  end)
end)

t.finish()
