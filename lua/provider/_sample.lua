--- Makes a value that fits a JSON Schema well enough to try something with it.

local json = require('px.json')

local M = {}

local DEPTH_MAX = 8

local sample

local function first_type(schema)
  local kind = schema.type
  if type(kind) == 'table' then
    for _, name in ipairs(kind) do
      if name ~= 'null' then
        return name
      end
    end
  end
  return kind
end

local function object_of(schema, text, depth)
  local out = {}
  local properties = type(schema.properties) == 'table' and schema.properties or {}
  for _, name in ipairs(type(schema.required) == 'table' and schema.required or {}) do
    out[name] = sample(properties[name], text, depth + 1)
  end
  return json.object(out)
end

local function array_of(schema, text, depth)
  local out = json.array({})
  for i = 1, math.min(json.tonumber(schema.minItems or 1) or 1, 4) do
    out[i] = sample(schema.items, text, depth + 1)
  end
  return out
end

local function number_of(schema)
  local least = schema.minimum or schema.exclusiveMinimum
  return json.is_number(least) and math.max(1, (json.tonumber(least) or 0) + 1) or 1
end

--- @param schema any
--- @param text string What strings hold.
--- @param depth integer
function sample(schema, text, depth)
  if type(schema) ~= 'table' or depth > DEPTH_MAX then
    return text
  elseif schema.const ~= nil then
    return schema.const
  elseif schema.default ~= nil then
    return schema.default
  elseif type(schema.enum) == 'table' and schema.enum[1] ~= nil then
    return schema.enum[1]
  end
  local either = schema.anyOf or schema.oneOf or schema.allOf
  if type(either) == 'table' and not schema.type then
    return sample(either[1], text, depth + 1)
  end
  local kind = first_type(schema)
  if kind == 'object' or (not kind and schema.properties) then
    return object_of(schema, text, depth)
  elseif kind == 'array' then
    return array_of(schema, text, depth)
  elseif kind == 'integer' or kind == 'number' then
    return number_of(schema)
  elseif kind == 'boolean' then
    return true
  elseif kind == 'null' then
    return json.null
  end
  return text
end

--- @param schema? table
--- @param text string
--- @return any
function M.of(schema, text)
  return sample(schema or { type = 'object' }, text, 0)
end

return M
