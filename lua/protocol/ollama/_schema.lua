--- Schemas of tools as Ollama reads them: a few keywords, each with a fixed type, nothing else.
---
--- What it does not know it would drop without a word, and of a wrong type it refuses the whole
--- request. So the rest is told in the description, where a model can still read it.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

local is_list, is_object = read.is_list, read.is_object

local DEPTH_MAX = 32

-- Keywords that constrain a value: they move into the description.
local TOLD = {}
for name in ([[
  additionalProperties const contains default dependentRequired else exclusiveMaximum
  exclusiveMinimum format if items maxItems maxLength maxProperties maximum minItems minLength
  minProperties minimum multipleOf not pattern patternProperties prefixItems propertyNames then
  uniqueItems
]]):gmatch('%S+') do
  TOLD[#TOLD + 1] = name
end

-- Values of keywords that say what is so anyway.
local HARMLESS = {
  additionalProperties = function(value) return type(value) ~= 'table' or next(value) == nil end,
  const = function() return true end, -- It becomes an enumeration of one.
  items = function(value) return type(value) ~= 'table' or is_object(value) end,
  minItems = function(value) return value == 0 end,
}

local clean

-- The order of members stays, since models write arguments in it.
local function map_of(value, depth, state)
  for _, name in ipairs(json.keys(value)) do
    value[name] = clean(value[name], depth, state)
  end
  return value
end

local function list_of(value, depth, state)
  local out = json.array({})
  for i, item in ipairs(value) do
    out[i] = clean(item, depth, state)
  end
  return out
end

local function texts_of(value)
  local out = json.array({})
  for _, item in ipairs(value) do
    if type(item) == 'string' then
      out[#out + 1] = item
    end
  end
  return out
end

local function description_of(schema, state)
  local notes = {}
  for _, name in ipairs(TOLD) do
    local value, harmless = schema[name], HARMLESS[name]
    if value ~= nil and not (harmless and harmless(value)) then
      notes[#notes + 1] = name .. ': ' .. json.encode(value)
    end
  end
  local text = read.maybe_text(schema.description) or read.maybe_text(schema.title)
  if #notes == 0 then
    return text
  end
  state.changed = true
  return (text and text .. ' ' or '') .. '(' .. table.concat(notes, ', ') .. ')'
end

-- The alternatives of a schema. All of `allOf` holds at once, which only words could say.
local function alternatives(schema)
  for _, name in ipairs({ 'anyOf', 'oneOf' }) do
    if type(schema[name]) == 'table' and is_list(schema[name]) and #schema[name] > 0 then
      return schema[name]
    end
  end
  return nil
end

--- Merges the parts of `allOf` into one schema.
local function merged(schema)
  local parts = schema.allOf
  if type(parts) ~= 'table' or not is_list(parts) then
    return schema
  end
  local out = json.object({})
  for _, name in ipairs(json.keys(schema)) do
    out[name] = name ~= 'allOf' and schema[name] or nil
  end
  local properties, required = json.object({}), json.array({})
  for _, part in ipairs({ schema, unpack(parts) }) do
    for _, name in ipairs(is_object(part) and json.keys(part) or {}) do
      if name == 'properties' and is_object(part.properties) then
        for _, key in ipairs(json.keys(part.properties)) do
          properties[key] = part.properties[key]
        end
      elseif name == 'required' and type(part.required) == 'table' then
        for _, key in ipairs(part.required) do
          required[#required + 1] = key
        end
      elseif out[name] == nil and name ~= 'allOf' then
        out[name] = part[name]
      end
    end
  end
  out.properties = next(properties) ~= nil and properties or nil
  out.required = #required > 0 and required or nil
  return out
end

--- @param schema any
--- @param depth integer
--- @param state table
--- @return table
function clean(schema, depth, state)
  if not is_object(schema) or depth > DEPTH_MAX then
    state.changed = state.changed or depth > DEPTH_MAX
    return json.object({})
  end
  schema = merged(schema)
  local out = json.object({})
  local kind = schema.type
  if type(kind) == 'string' then
    out.type = kind
  elseif type(kind) == 'table' and is_list(kind) then
    out.type = texts_of(kind)
  end
  out.description = description_of(schema, state)
  if type(schema.enum) == 'table' and is_list(schema.enum) then
    out.enum = schema.enum
  elseif schema.const ~= nil then
    out.enum = json.array({ schema.const })
  end
  if is_object(schema.properties) then
    out.properties = map_of(schema.properties, depth + 1, state)
  end
  if type(schema.required) == 'table' and is_list(schema.required) then
    out.required = texts_of(schema.required)
  end
  if is_object(schema.items) then
    out.items = clean(schema.items, depth + 1, state)
  end
  local either = alternatives(schema)
  out.anyOf = either and list_of(either, depth + 1, state) or nil
  local defs = is_object(schema['$defs']) and schema['$defs'] or schema.definitions
  if is_object(defs) then
    out['$defs'] = map_of(defs, depth + 1, state)
  end
  local ref = read.maybe_text(schema['$ref'])
  out['$ref'] = ref and ref:gsub('^#/definitions/', '#/$defs/') or nil
  return out
end

--- A tool's schema, whose root is an object.
---
--- @param schema? table
--- @return table
--- @return boolean changed Something could only be told in words.
function M.tool(schema)
  local state = { changed = false }
  -- What is cleaned is a copy.
  local out = clean(schema and json.decode(json.encode(schema)), 0, state)
  state.changed = state.changed or (type(out.type) == 'string' and out.type ~= 'object')
  out.type = 'object'
  out.properties = out.properties or json.object({})
  return out, state.changed
end

return M
