--- JSON Schemas cut down to what Gemini's Schema can say, for models that take nothing else.
---
--- What cannot be said moves into the description. Keys are walked by their role, so that a
--- property may be named like a keyword. References are put in place; one that leads back into
--- itself becomes an object of any shape.

local json = require('px.json')
local read = require('protocol._read')
local unescape = require('px.url').unescape

local M = {}

local null = json.null
local is_list, is_object = read.is_list, read.is_object

-- Keywords that stay as they are.
local KEEP = {
  'title', 'minItems', 'maxItems', 'minProperties', 'maxProperties', 'minimum', 'maximum',
  'minLength', 'maxLength', 'pattern', 'default',
}
-- Keywords whose meaning moves into the description.
local TOLD = {
  'multipleOf', 'uniqueItems', 'not', 'propertyNames', 'patternProperties', 'contains',
  'dependentRequired', 'if', 'then', 'else',
}
local TYPES = {
  string = true, number = true, integer = true, boolean = true, array = true, object = true,
  null = true,
}
local FORMATS = {
  string = { ['date-time'] = true }, number = { float = true, double = true },
  integer = { int32 = true, int64 = true },
}
local EXCLUSIVE = { { 'exclusiveMinimum', 'minimum' }, { 'exclusiveMaximum', 'maximum' } }
local DEPTH_MAX = 48
-- References put in place may make much of little.
local NODES_MAX = 5000

local clean

local function note(state, out, text)
  state.notes = true
  local old = out.description
  out.description = (old and old ~= '' and old .. ' ' or '') .. '(' .. text .. ')'
end

local function anything()
  return json.object({ type = 'STRING' })
end

--- Finds what "#/$defs/x" points to.
local function resolve(root, pointer)
  if type(pointer) ~= 'string' or pointer:sub(1, 1) ~= '#' then
    return nil
  end
  local at = root
  for step in pointer:sub(2):gmatch('[^/]+') do
    step = unescape(step):gsub('~1', '/'):gsub('~0', '~')
    local list = type(at) == 'table' and json.is_array(at)
    at = type(at) == 'table' and at[list and tonumber(step) and tonumber(step) + 1 or step]
    if type(at) ~= 'table' then
      return nil
    end
  end
  return at
end

local function shallow(schema)
  local out = json.object({})
  for _, name in ipairs(json.keys(schema)) do
    out[name] = schema[name]
  end
  return out
end

local function union(a, b)
  local out, seen = json.array({}), {}
  for _, list in ipairs({ a, b }) do
    for _, item in ipairs(type(list) == 'table' and list or {}) do
      if not seen[item] then
        seen[item] = true
        out[#out + 1] = item
      end
    end
  end
  return out
end

--- Adds what `from` says to `into`, which comes first where both say something.
local function merge(into, from)
  for _, name in ipairs(json.keys(from)) do
    local mine, theirs = into[name], from[name]
    if mine == nil then
      into[name] = theirs
    elseif name == 'properties' and is_object(mine) and is_object(theirs) then
      local all = json.decode(json.encode(mine)) -- A copy that keeps the order.
      for _, key in ipairs(json.keys(theirs)) do
        all[key] = all[key] == nil and theirs[key] or all[key]
      end
      into[name] = all
    elseif name == 'required' then
      into[name] = union(mine, theirs)
    end
  end
end

--- Puts references and allOf in place. Gives the schema and how to leave it again, or nil where a
--- reference leads back into itself.
local function expand(schema, state)
  local entered = {}
  local out = schema
  while out['$ref'] ~= nil do
    local pointer = out['$ref']
    local target = resolve(state.root, pointer)
    if not is_object(target) or state.open[pointer] then
      return nil, entered, out.description
    end
    state.open[pointer] = true
    entered[#entered + 1] = pointer
    local mine = shallow(out)
    mine['$ref'] = nil
    merge(mine, target)
    out = mine
  end
  if is_list(read.maybe_table(out.allOf)) then
    local all = shallow(out)
    all.allOf = nil
    for _, item in ipairs(out.allOf) do
      local inner, more = item, {}
      if is_object(item) then
        inner, more = expand(item, state)
      end
      for _, pointer in ipairs(more) do
        entered[#entered + 1] = pointer
      end
      if is_object(inner) then
        merge(all, inner)
      end
    end
    out = all
  end
  return out, entered
end

--- The type of values, where a schema does not say it.
local function guess(schema)
  if schema.properties or schema.required then
    return 'object'
  elseif schema.items or schema.prefixItems then
    return 'array'
  end
  local first = schema.const
  if first == nil then
    first = read.maybe_table(schema.enum)[1]
  end
  if type(first) == 'boolean' then
    return 'boolean'
  elseif json.is_number(first) then
    return 'number'
  elseif type(first) == 'string' or schema.pattern or schema.minLength or schema.format then
    return 'string'
  end
  return nil
end

local function enum_of(schema, out, state)
  local list = schema.enum
  if schema.const ~= nil and schema.const ~= null then
    list = { schema.const }
  end
  if type(list) ~= 'table' then
    return
  end
  local kept, seen = json.array({}), {}
  for _, value in ipairs(list) do
    if value == null then
      out.nullable = true
    elseif type(value) ~= 'table' and tostring(value) ~= '' and not seen[tostring(value)] then
      seen[tostring(value)] = true
      kept[#kept + 1] = tostring(value)
    end
  end
  if out.type == 'BOOLEAN' then
    note(state, out, 'one of: ' .. table.concat(kept, ', '))
  elseif #kept > 0 and (out.type == 'NUMBER' or out.type == 'INTEGER') then
    -- Only strings may be listed; the answer must stay a number.
    note(state, out, 'one of: ' .. table.concat(kept, ', '))
  elseif #kept > 0 then
    out.type, out.enum, out.format = 'STRING', kept, 'enum'
  end
end

local function bounds_of(schema, out, state)
  for _, pair in ipairs(EXCLUSIVE) do
    local word, name = pair[1], pair[2]
    local bound = schema[word]
    if json.is_number(bound) then
      if out[name] == nil then
        out[name] = bound
      end
      note(state, out, word .. ': ' .. tostring(bound))
    elseif bound == true then
      note(state, out, word)
    end
  end
end

local function object_of(schema, out, state, depth)
  local listed = {}
  if is_object(schema.properties) then
    for i, name in ipairs(json.keys(schema.properties)) do
      listed[i] = json.encode(name) .. ':'
        .. json.encode(clean(schema.properties[name], state, depth + 1))
    end
  end
  if #listed == 0 then
    return
  end
  -- Through text, so that properties keep their order.
  local properties = json.decode('{' .. table.concat(listed, ',') .. '}')
  out.properties = properties
  local required = json.array({})
  for _, name in ipairs(read.maybe_table(schema.required)) do
    if properties[name] ~= nil then
      required[#required + 1] = name
    end
  end
  out.required = #required > 0 and required or nil
end

local function array_of(schema, out, state, depth)
  local items = schema.items
  if items == nil and is_list(read.maybe_table(schema.prefixItems)) then
    items = schema.prefixItems
  end
  if type(items) == 'table' and is_list(items) then
    local list = json.array({})
    for i, item in ipairs(items) do
      list[i] = clean(item, state, depth + 1)
    end
    out.items = #list == 1 and list[1] or #list > 1 and json.object({ anyOf = list }) or anything()
    note(state, out, 'items in this order')
    return
  end
  out.items = items ~= nil and clean(items, state, depth + 1) or anything()
end

--- Splits a list of types: the real ones, and whether null is among them.
local function split_types(list)
  local kinds, nullable = {}, nil
  for _, kind in ipairs(list) do
    if kind == 'null' or kind == 'NULL' then
      nullable = true
    elseif type(kind) == 'string' then
      kinds[#kinds + 1] = kind
    end
  end
  return kinds, nullable
end

--- Alternatives, of anyOf, oneOf or several types.
local function alternatives(schema)
  local list = schema.anyOf or schema.oneOf
  if type(list) == 'table' and is_list(list) then
    return list, schema.anyOf and 'anyOf' or 'oneOf'
  elseif type(schema.type) == 'table' then
    local kinds, nullable = split_types(schema.type)
    if #kinds > 1 then
      local out = {}
      for i, kind in ipairs(kinds) do
        out[i] = shallow(schema)
        out[i].type, out[i].description, out[i].title, out[i].default = kind, nil, nil, nil
      end
      return out, 'type', nullable
    end
  end
  return nil
end

local function is_null(schema)
  return is_object(schema) and (schema.type == 'null' or schema.type == 'NULL'
    or (schema.const == null and schema.const ~= nil))
end

local function any_of(schema, list, word, nullable, state, depth)
  local said = read.maybe_text(schema.description)
  local out = json.object({ description = said, nullable = nullable })
  local real = {}
  for _, item in ipairs(list) do
    if is_null(item) then
      out.nullable = true
    else
      real[#real + 1] = item
    end
  end
  local base = shallow(schema)
  for _, name in ipairs({ 'anyOf', 'oneOf', 'description', 'title', 'default' }) do
    base[name] = nil
  end
  if word == 'type' then
    base = json.object({})
  end
  local made = json.array({})
  for i, item in ipairs(real) do
    local whole = is_object(item) and shallow(item) or item
    if is_object(whole) and next(base) ~= nil and not whole['$ref'] then
      merge(whole, base)
    end
    made[i] = clean(whole, state, depth + 1)
  end
  if #made == 1 then
    local only = made[1]
    only.description = out.description or only.description
    only.nullable = out.nullable or only.nullable
    return only
  elseif #made == 0 then
    local only = anything()
    only.description, only.nullable = out.description, out.nullable
    return only
  end
  out.anyOf = made
  return out
end

local function plain(schema, state, depth)
  local kind, nullable = schema.type, schema.nullable == true or nil
  if type(kind) == 'table' then
    local kinds, null_too = split_types(kind)
    kind, nullable = kinds[1], null_too or nullable
  end
  kind = type(kind) == 'string' and kind:lower()
  kind = TYPES[kind] and kind or guess(schema) or 'string'
  if kind == 'null' then
    kind, nullable = 'string', true
  end
  local out = json.object({
    type = kind:upper(), description = read.maybe_text(schema.description), nullable = nullable,
  })
  for _, name in ipairs(KEEP) do
    if schema[name] ~= nil and schema[name] ~= null then
      out[name] = schema[name]
    end
  end
  local format = read.maybe_text(schema.format)
  if format and read.maybe_table(FORMATS[kind])[format] then
    out.format = format
  elseif format then
    note(state, out, 'format: ' .. format)
  end
  enum_of(schema, out, state)
  bounds_of(schema, out, state)
  for _, name in ipairs(TOLD) do
    if schema[name] ~= nil and schema[name] ~= false then
      note(state, out, name .. ': ' .. json.encode(schema[name]))
    end
  end
  local more = schema.additionalProperties
  if is_object(more) and next(more) ~= nil then
    note(state, out, 'additionalProperties: ' .. json.encode(more))
  end
  if kind == 'object' then
    object_of(schema, out, state, depth)
  elseif kind == 'array' then
    array_of(schema, out, state, depth)
  end
  return out
end

function clean(schema, state, depth)
  if not is_object(schema) or next(schema) == nil then
    return anything()
  end
  state.nodes = state.nodes + 1
  if depth > DEPTH_MAX or state.nodes > NODES_MAX then
    state.notes = true
    return json.object({ type = 'OBJECT' })
  end
  local whole, entered, told = expand(schema, state)
  local out
  if not whole then
    state.notes = true
    out = json.object({ type = 'OBJECT', description = read.maybe_text(told) })
  else
    local list, word, nullable = alternatives(whole)
    out = list and any_of(whole, list, word, nullable, state, depth)
      or plain(whole, state, depth)
  end
  for _, pointer in ipairs(entered) do
    state.open[pointer] = nil
  end
  return out
end

--- @param schema table JSON Schema.
--- @return table Schema
--- @return boolean changed Something could only be told in words.
function M.clean(schema)
  local state = { root = schema, open = {}, nodes = 0, notes = false }
  local out = clean(schema, state, 0)
  return out, state.notes
end

--- Tells whether a schema asks for no property: Gemini wants such parameters left out.
---
--- @param schema? table
--- @return boolean
function M.is_empty(schema)
  if type(schema) ~= 'table' or next(schema) == nil then
    return true
  end
  local mixed = schema.anyOf or schema.oneOf or schema.allOf or schema['$ref']
  local properties = schema.properties
  local open = schema.additionalProperties or schema.patternProperties
  return not mixed and not open and (type(properties) ~= 'table' or next(properties) == nil)
    and (schema.type == nil or schema.type == 'object' or schema.type == 'OBJECT')
end

return M
