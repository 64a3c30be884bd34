--- What clients say that want a list in pages.

local read = require('protocol._read')

local M = {}

--- Reads a parameter that must be a whole number.
---
--- @param query? fun(name: string): string?
--- @param name string
--- @param least integer Less is refused.
--- @return integer? number nil when it is not said
function M.number(query, name, least)
  local text = query and query(name)
  if text == nil or text == '' then
    return nil
  end
  local number = #text <= 9 and text:find('^%-?%d+$') and tonumber(text)
  if not number or number < least then
    read.bad(('%s must be a whole number, %d or more.'):format(name, least), name)
  end
  return number
end

--- The place of a model in a list.
---
--- @param list px.Model[]
--- @param id string
--- @return integer?
function M.place(list, id)
  for i, model in ipairs(list) do
    if model.id == id then
      return i
    end
  end
end

return M
