--- Arguments of tool calls: an object on this wire, raw JSON text in the neutral model.

local json = require('px.json')

local M = {}

--- Arguments as the object that Ollama asks for, exact to the letter where they are one.
---
--- @param args? string
--- @param custom? boolean The free text of a custom tool.
--- @return table
function M.object(args, custom)
  args = args or ''
  if custom then
    return json.object({ input = args })
  elseif not args:find('%S') then
    return json.object({})
  end
  local value = json.decode(args)
  if value == nil then
    return json.object({ _raw = args })
  elseif type(value) ~= 'table' or json.is_array(value) then
    return json.object(value ~= json.null and { value = value } or {})
  end
  return value
end

--- Arguments as text. Some write a text where the object should be.
---
--- @param value any Decoded.
--- @return string
function M.text(value)
  if value == nil or value == json.null then
    return '{}'
  elseif type(value) == 'string' then
    return value:find('%S') and value or '{}'
  elseif type(value) == 'table' and json.is_array(value) and #value == 0 then
    return '{}' -- Languages with one kind of table write an empty object so.
  end
  return json.encode(value)
end

--- The free text in the arguments of a function that stands for a custom tool.
---
--- @param args string
--- @return string
function M.free_text(args)
  local value = json.decode(args)
  if type(value) == 'table' and type(value.input) == 'string' then
    return value.input
  end
  return args
end

return M
