--- Gemini's Schema read as JSON Schema. Keys are walked by their role: a property may have any
--- name.

local json = require('px.json')
local names = require('protocol.gemini._names')
local read = require('protocol._read')

local M = {}

local null = json.null

local TYPES = {
  STRING = 'string', NUMBER = 'number', INTEGER = 'integer', BOOLEAN = 'boolean',
  ARRAY = 'array', OBJECT = 'object', NULL = 'null',
}
-- int64 members, which may come as strings.
local COUNTS = names.set('minItems maxItems minLength maxLength minProperties maxProperties')
-- Keywords whose value is one schema, a list of schemas, or maps names to schemas.
local ONES = names.set([[items additionalProperties not if then else contains propertyNames
  unevaluatedProperties unevaluatedItems additionalItems]])
local LISTS = names.set('anyOf oneOf allOf prefixItems')
local MAPS = names.set('properties patternProperties dependentSchemas')
MAPS['$defs'], MAPS.definitions, MAPS.defs = true, true, true
-- Members that only Gemini has.
local GONE = names.set('propertyOrdering nullable')

local convert

local function list_of(list)
  local out = json.array({})
  for i, item in ipairs(list) do
    out[i] = convert(item)
  end
  return out
end

local function map_of(map)
  local out = json.copy(map)
  for name, value in next, map do
    out[name] = convert(value)
  end
  return out
end

local function type_of(value)
  if type(value) ~= 'table' then
    local word = TYPES[value] or value
    return word ~= 'TYPE_UNSPECIFIED' and word or nil
  end
  local out = json.array({})
  for i, one in ipairs(value) do
    out[i] = TYPES[one] or one
  end
  return out
end

local function value_of(name, value)
  if value == null then
    return name == 'default' and value or nil
  elseif name == 'type' then
    return type_of(value)
  elseif COUNTS[name] and type(value) == 'string' and value:find('^%d+$') then
    return json.number(value)
  elseif type(value) ~= 'table' then
    return value
  elseif (ONES[name] or name == 'items') and read.is_list(value) then
    return list_of(value)
  elseif ONES[name] then
    return convert(value)
  elseif LISTS[name] then
    return list_of(value)
  elseif MAPS[name] and not json.is_array(value) then
    return map_of(value)
  end
  return value
end

--- Lets null in where `nullable` said so.
local function allow_null(out)
  if type(out.type) == 'string' and out.type ~= 'null' then
    out.type = json.array({ out.type, 'null' })
  elseif type(out.anyOf) == 'table' then
    out.anyOf[#out.anyOf + 1] = json.object({ type = 'null' })
  end
  if type(out.enum) == 'table' then
    local all, has = json.array({}), false
    for i, value in ipairs(out.enum) do
      all[i], has = value, has or value == null
    end
    if not has then
      all[#all + 1] = null
    end
    out.enum = all
  end
end

--- @param schema any
--- @return any
function convert(schema)
  if type(schema) ~= 'table' or json.is_array(schema) then
    return schema
  end
  local out = json.copy(schema)
  for name, value in next, schema do
    local camel = names.camel(name)
    out[name] = nil
    if not GONE[name] and (camel == name or schema[camel] == nil) then
      value = value_of(camel, value)
      if camel == 'format' and value == 'enum' then
        value = nil
      elseif camel == 'example' and value ~= nil then
        camel, value = 'examples', json.array({ value })
      end
      out[camel] = value
    end
  end
  if names.get(schema, 'nullable') == true then
    allow_null(out)
  end
  return out
end

--- Reads a Schema, or a JSON Schema in which some words are spelled as in a Schema.
---
--- @param schema table
--- @return table JSON Schema
function M.read(schema)
  return convert(schema)
end

return M
