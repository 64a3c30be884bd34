--- Arguments of a call that come in pieces, each with the JSONPath of its place.

local json = require('px.json')
local names = require('protocol.gemini._names')
local read = require('protocol._read')

local M = {}

local STEPS_MAX, INDEX_MAX = 64, 10000

--- Takes a path apart: names and, from 1, indices.
---
--- @param text string `$.items[0].name`, `$['a b']`
--- @return (string|integer)[]?
local function steps_of(text)
  local out, at = {}, text:match('^%$()') or 1
  while at <= #text do
    local name, after = text:match('^%.([^.%[]+)()', at)
    if not name then
      name, after = text:match("^%['([^']*)'%]()", at)
    end
    if not name then
      name, after = text:match('^%["([^"]*)"%]()', at)
    end
    if not name then
      local index, behind = text:match('^%[(%d+)%]()', at)
      if not index or tonumber(index) > INDEX_MAX then
        return nil
      end
      name, after = tonumber(index) + 1, behind
    end
    out[#out + 1], at = name, after
  end
  return #out > 0 and #out <= STEPS_MAX and out or nil
end

--- Gives the table that a step leads to, made if it is not there.
local function enter(at, step, next_step)
  local inner = at[step]
  if type(inner) ~= 'table' or json.is_number(inner) then
    inner = type(next_step) == 'number' and json.array({}) or json.object({})
    at[step] = inner
  end
  return inner
end

local function fits(at, step)
  return (type(step) == 'number') == json.is_array(at)
end

local function value_of(piece)
  for _, name in ipairs({ 'stringValue', 'numberValue', 'boolValue' }) do
    local value = names.get(piece, name)
    if value ~= nil then
      return value
    end
  end
  return json.null
end

--- Puts one piece in its place; text is added to the text that is there.
---
--- @param args table
--- @param piece table
function M.add(args, piece)
  local path = read.maybe_text(names.get(piece, 'jsonPath'))
  local steps = path and steps_of(path)
  if not steps then
    return
  end
  local at = args
  for i = 1, #steps - 1 do
    if not fits(at, steps[i]) then
      return
    end
    at = enter(at, steps[i], steps[i + 1])
  end
  local last = steps[#steps]
  if not fits(at, last) then
    return
  end
  -- An array has no holes.
  for i = 1, type(last) == 'number' and last - 1 or 0 do
    at[i] = at[i] == nil and json.null or at[i]
  end
  local value, old = value_of(piece), at[last]
  if type(value) == 'string' and type(old) == 'string' then
    value = old .. value
  end
  at[last] = value
end

return M
