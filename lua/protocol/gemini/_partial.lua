--- Arguments of a call that come in pieces, each with the JSONPath of its place.

local json = require('px.json')
local names = require('protocol.gemini._names')
local read = require('protocol._read')

local M = {}

local STEPS_MAX, INDEX_MAX = 64, 10000
-- Of one call: few bytes of paths can ask for many nulls.
local FILLED_MAX = 10000

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

--- Fills an array up to a step with null, since an array has no holes.
---
--- @return boolean filled False where the call has too many nulls already.
local function fill(call, at, step)
  local missing = type(step) == 'number' and step - 1 - #at or 0
  if missing > 0 then
    local filled = (call.filled or 0) + missing
    if filled > FILLED_MAX then
      return false
    end
    call.filled = filled
    for i = #at + 1, step - 1 do
      at[i] = json.null
    end
  end
  return true
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
--- @param call table args
--- @param piece table
--- @return boolean placed
function M.add(call, piece)
  local path = read.maybe_text(names.get(piece, 'jsonPath'))
  local steps = path and steps_of(path)
  if not steps then
    return false
  end
  local at, last = call.args, steps[#steps]
  for i, step in ipairs(steps) do
    if not fits(at, step) or not fill(call, at, step) then
      return false
    end
    at = i < #steps and enter(at, step, steps[i + 1]) or at
  end
  local value, old = value_of(piece), at[last]
  if type(value) == 'string' and type(old) == 'string' then
    value = old .. value
  end
  at[last] = value
  return true
end

return M
