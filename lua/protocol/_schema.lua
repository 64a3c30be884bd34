--- JSON Schemas as strict targets want them. Nothing here changes the schema that it is given.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

local is_list, is_object = read.is_list, read.is_object

-- Keywords that Anthropic's structured output refuses; their meaning moves into the description.
local REFUSED = {
  'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength',
  'maxLength', 'minItems', 'maxItems', 'uniqueItems', 'minProperties', 'maxProperties', 'not',
  'pattern', 'propertyNames', 'patternProperties',
}
local FORMATS = {
  ['date-time'] = true, time = true, date = true, duration = true, email = true, hostname = true,
  uri = true, ipv4 = true, ipv6 = true, uuid = true,
}
-- Keywords whose value maps names to schemas, is a list of schemas, or is one schema.
local MAPS = { 'properties', '$defs', 'definitions' }
local LISTS = { 'anyOf', 'allOf', 'oneOf', 'prefixItems' }

-- A copy that keeps the order of members.
local function copy(schema)
  return assert(json.decode(json.encode(schema)))
end

--- The schema of a tool without arguments.
function M.empty()
  return json.object({ type = 'object', properties = json.object({}) })
end

local function add_required(counts, schema)
  for _, name in ipairs(type(schema.required) == 'table' and schema.required or {}) do
    if type(name) == 'string' then
      counts[name] = (counts[name] or 0) + 1
    end
  end
end

-- What a part of `allOf` may say and be merged as a whole.
local MERGES = { type = true, properties = true, required = true, description = true, title = true }

--- Tells whether merging a list of alternatives takes something from it.
local function loses(root, keyword, list)
  if keyword ~= 'allOf' then
    return #list > 1
  end
  for _, item in ipairs(list) do
    for name in pairs(is_object(item) and item or {}) do
      if not MERGES[name] then
        return true
      end
    end
    for name in pairs(is_object(item) and is_object(item.properties) and item.properties or {}) do
      if root.properties[name] ~= nil then
        return true
      end
    end
  end
  return false
end

-- Merges the alternatives under `keyword` into the root itself. Tells whether something is lost.
local function flatten(root, keyword)
  local list = root[keyword]
  root[keyword] = nil
  if type(list) ~= 'table' then
    return false
  end
  local changed = loses(root, keyword, list)
  local counts = json.object({})
  for _, item in ipairs(list) do
    if is_object(item) then
      for name, property in pairs(is_object(item.properties) and item.properties or {}) do
        if root.properties[name] == nil then
          root.properties[name] = property
        end
      end
      add_required(counts, item)
    end
  end
  local required, seen = {}, {}
  for _, name in ipairs(type(root.required) == 'table' and root.required or {}) do
    required[#required + 1], seen[name] = name, true
  end
  for _, name in ipairs(json.keys(counts)) do
    if not seen[name] and (keyword == 'allOf' or counts[name] == #list) then
      required[#required + 1] = name
    end
  end
  root.required = #required > 0 and json.array(required) or nil
  return changed
end

local function has_type(schema, name)
  local kind = schema.type
  if type(kind) == 'table' then
    for _, one in ipairs(kind) do
      if one == name then
        return true
      end
    end
  end
  return kind == name
end

--- A tool's schema whose root is an object without alternatives.
---
--- @param schema? table
--- @return table
--- @return boolean? changed It does not say all that the given one says.
function M.root(schema)
  if type(schema) ~= 'table' or is_list(schema) or next(schema) == nil then
    return M.empty()
  end
  local mixed = schema.anyOf or schema.oneOf or schema.allOf
  if schema.type == 'object' and not mixed then
    return schema
  end
  local root = copy(schema)
  local changed = root.type ~= nil and not has_type(root, 'object')
  root.type = 'object'
  if not is_object(root.properties) then
    root.properties = json.object({})
  end
  if mixed then
    for _, keyword in ipairs({ 'allOf', 'anyOf', 'oneOf' }) do
      changed = flatten(root, keyword) or changed
    end
  end
  return root, changed
end

local function note(state, schema, text)
  state.changed = true
  local old = type(schema.description) == 'string' and schema.description .. ' ' or ''
  schema.description = old .. '(' .. text .. ')'
end

local function close(schema, state)
  if type(schema) ~= 'table' then
    return
  end
  for _, keyword in ipairs(REFUSED) do
    local value = schema[keyword]
    if value ~= nil and not (keyword == 'minItems' and (value == 0 or value == 1)) then
      note(state, schema, keyword .. ': ' .. json.encode(value))
      schema[keyword] = nil
    end
  end
  if schema.format and not FORMATS[schema.format] then
    note(state, schema, 'format: ' .. json.encode(schema.format))
    schema.format = nil
  end
  if schema.oneOf and not schema.anyOf then
    schema.anyOf, schema.oneOf = schema.oneOf, nil
  end
  if has_type(schema, 'object') or schema.properties then
    local more = schema.additionalProperties
    if more then
      note(state, schema, 'additionalProperties: ' .. json.encode(more))
    end
    schema.additionalProperties = false
  end
  for _, keyword in ipairs(MAPS) do
    for _, inner in pairs(type(schema[keyword]) == 'table' and schema[keyword] or {}) do
      close(inner, state)
    end
  end
  for _, keyword in ipairs(LISTS) do
    for _, inner in ipairs(type(schema[keyword]) == 'table' and schema[keyword] or {}) do
      close(inner, state)
    end
  end
  close(schema.items, state)
end

--- A schema for Anthropic's structured output: closed objects, refused keywords described.
---
--- @param schema table
--- @return table
--- @return boolean changed Something could only be told in words.
function M.closed(schema)
  local out, state = copy(schema), { changed = false }
  close(out, state)
  return out, state.changed
end

--- The schema of a format for answers, with what the format is for in its description.
---
--- @param format table
--- @return table
function M.of_format(format)
  local schema, text = format.schema, format.description
  if not text or text == '' then
    return schema
  end
  local out = copy(schema)
  local old = read.maybe_text(out.description)
  out.description = text .. (old and '\n' .. old or '')
  return out
end

return M
