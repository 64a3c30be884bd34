--- Members of Gemini's JSON, which may be spelled in camelCase or in snake_case.

local json = require('px.json')

local M = {}

local null = json.null

local snakes, camels = {}, {}

--- @param camel string
--- @return string
function M.snake(camel)
  local found = snakes[camel]
  if not found then
    found = camel:gsub('%u', function(letter)
      return '_' .. letter:lower()
    end)
    snakes[camel] = found
  end
  return found
end

--- A member by its camelCase name, nil for null.
---
--- @param object table
--- @param name string
--- @return any
function M.get(object, name)
  local value = object[name]
  if value == nil then
    value = object[snakes[name] or M.snake(name)]
  end
  if value == null then
    return nil
  end
  return value
end

--- The camelCase spelling of a member's name.
---
--- @param name string
--- @return string
function M.camel(name)
  if not name:find('_', 1, true) then
    return name
  end
  local found = camels[name]
  return found or (name:gsub('_(%l)', string.upper))
end

--- Makes a set of names in both spellings.
---
--- @param text string camelCase names with spaces between.
--- @return table<string, boolean>
function M.set(text)
  local out = {}
  for name in text:gmatch('%S+') do
    out[name], out[M.snake(name)] = true, true
    camels[M.snake(name)] = name
  end
  return out
end

return M
