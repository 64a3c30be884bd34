--- Small readers of decoded JSON: what is null is absent, what is wrong is the client's mistake.

local json = require('px.json')

local M = {}

local null = json.null

-- What is not there, as a table. It is one for all, so nothing may be put into it.
local NONE = setmetatable({}, {
  __newindex = function()
    error('a table that is not there takes no members', 2)
  end,
})

M.NONE = NONE

--- Raises a px.Bad. `param` is the path of the member that is wrong.
---
--- @param message string
--- @param param? string
function M.bad(message, param)
  error({ status = 400, message = message, param = param }, 0)
end

--- Gives nil for null.
function M.opt(value)
  if value == null then
    return nil
  end
  return value
end

--- A member that must be a string when it is there.
---
--- @param value any
--- @param param string
--- @return string?
function M.text(value, param)
  if value == nil or value == null then
    return nil
  end
  if type(value) ~= 'string' then
    M.bad(param .. ' must be a string', param)
  end
  return value
end

--- A member that must be a number when it is there.
---
--- @param value any
--- @param param string
--- @return number?
function M.number(value, param)
  if value == nil or value == null then
    return nil
  end
  if not json.is_number(value) then
    M.bad(param .. ' must be a number', param)
  end
  return value
end

--- A member that must be a positive whole number when it is there.
---
--- @param value any
--- @param param string
--- @return integer?
function M.count(value, param)
  local number = json.tonumber(M.number(value, param) or 0)
  if number == 0 and (value == nil or value == null) then
    return nil
  end
  if number < 1 or number % 1 ~= 0 then
    M.bad(param .. ' must be a positive integer', param)
  end
  return number
end

--- A number of answers: conversions give one, and more are refused, not ignored.
---
--- @param value any
--- @param param string
function M.one_answer(value, param)
  if (M.count(value, param) or 1) > 1 then
    M.bad(param .. ': one answer at a time', param)
  end
end

--- A member that must be a table when it is there.
---
--- @param value any
--- @param param string
--- @param what 'an array'|'an object'
--- @return table?
function M.table(value, param, what)
  if value == nil or value == null then
    return nil
  end
  if type(value) == 'table' and what == 'an object' and json.is_array(value) and #value == 0 then
    return nil -- Languages with one kind of table write an empty object so.
  end
  if type(value) ~= 'table' or (what == 'an array') ~= M.is_list(value) then
    M.bad(param .. ' must be ' .. what, param)
  end
  return value
end

--- A member that must be there and an object.
---
--- @param value any
--- @param param string
--- @return table
function M.object(value, param)
  if type(value) ~= 'table' or json.is_array(value) then
    M.bad(param .. ' must be an object', param)
  end
  return value
end

--- Tells whether a table is an array: by its mark, or for a plain one by its first member.
function M.is_list(value)
  return json.is_array(value) or (not json.is_object(value) and value[1] ~= nil)
end

--- Gives a string as it is and nil for anything else. For answers of upstreams, which may be odd.
function M.maybe_text(value)
  if type(value) == 'string' then
    return value
  end
  return nil
end

--- Gives a table as it is and an empty one, only to be read, for anything else.
function M.maybe_table(value)
  if type(value) == 'table' then
    return value
  end
  return NONE
end

--- Tells whether a value is an object of an answer.
function M.is_object(value)
  return type(value) == 'table' and not json.is_array(value)
end

--- A number of an upstream's answer as a Lua number, or nil.
function M.maybe_number(value)
  return json.is_number(value) and json.tonumber(value) or nil
end

--- A list, nil for anything else and for an empty one.
function M.maybe_list(value)
  return type(value) == 'table' and M.is_list(value) and #value > 0 and value or nil
end

--- Says that an event of an upstream is no JSON.
---
--- @param data string
--- @return string message
function M.nonsense(data)
  local start = data:sub(1, 100):gsub('%c', ' '):gsub('[\192-\247][\128-\191]*$', '')
  return 'the upstream sent an event that is not JSON: ' .. start
end

--- Tells whether a member is lost: neither known nor saying what is so anyway.
local function is_lost(key, value, known, harmless)
  if known[key] or value == null then
    return false
  end
  local is_harmless = harmless and harmless[key]
  return not (is_harmless and is_harmless(value))
end

--- Records members that a reader does not know. Order follows the body, so that it repeats.
---
--- @param body table
--- @param known table<string, any> Names that the reader uses or that mean nothing here.
--- @param prefix string
--- @param lost fun(path: string)
--- @param harmless? table<string, fun(value: any): boolean> Tells of a value whether it can be left
---   out and nothing is lost.
function M.unknown(body, known, prefix, lost, harmless)
  local any = false
  for key, value in pairs(body) do
    if not known[key] and is_lost(key, value, known, harmless) then
      any = true
      break
    end
  end
  for _, key in ipairs(any and json.keys(body) or NONE) do
    if is_lost(key, body[key], known, harmless) then
      lost(prefix .. key)
    end
  end
end

return M
