--- Globs: `*` stands for any characters, `!x` excludes.

local M = {}

local function escaped(text)
  return (text:gsub('[%^%$%(%)%%%.%[%]%+%-%?]', '%%%0'))
end

--- Compiles one glob.
---
--- @param text string
--- @return fun(value: string): boolean
function M.one(text)
  local star = text:find('*', 1, true)
  if not star then
    return function(value)
      return value == text
    end
  elseif text:find('^%*+$') then
    return function()
      return true
    end
  elseif star == #text then
    local prefix, len = text:sub(1, -2), #text - 1
    return function(value)
      return value:sub(1, len) == prefix
    end
  end
  local pattern = '^' .. escaped(text):gsub('%*+', '.-') .. '$'
  return function(value)
    return value:find(pattern) ~= nil
  end
end

--- Compiles a glob or a list of them: one of the plain ones must hold (if there are any), and none
--- of the excluding ones.
---
--- @param globs string|string[]
--- @param empty? boolean An empty list matches nothing; else everything.
--- @return fun(value: string?): boolean
function M.list(globs, empty)
  if type(globs) == 'string' then
    globs = { globs }
  end
  local yes, no = {}, {}
  for _, text in ipairs(globs) do
    if text:sub(1, 1) == '!' then
      no[#no + 1] = M.one(text:sub(2))
    else
      yes[#yes + 1] = M.one(text)
    end
  end
  if #yes == 1 and #no == 0 then
    local only = yes[1]
    return function(value)
      return value ~= nil and only(value)
    end
  end
  return function(value)
    if value == nil then
      return false
    end
    for i = 1, #no do
      if no[i](value) then
        return false
      end
    end
    for i = 1, #yes do
      if yes[i](value) then
        return true
      end
    end
    return #yes == 0 and not empty
  end
end

--- Tells whether two globs can match the same text.
---
--- @param a string
--- @param b string
--- @return boolean
function M.overlap(a, b)
  local known = {}
  local function meet(i, j)
    local key = i * 65536 + j
    if known[key] == nil then
      known[key] = false
      local x, y = a:sub(i, i), b:sub(j, j)
      if x == '*' then
        known[key] = meet(i + 1, j) or (y ~= '' and meet(i, j + 1))
      elseif y == '*' then
        known[key] = meet(i, j + 1) or (x ~= '' and meet(i + 1, j))
      elseif x == y then
        known[key] = x == '' or meet(i + 1, j + 1)
      end
    end
    return known[key]
  end
  return meet(1, 1)
end

--- Length of a glob's literal text: the longer one is the more exact one.
function M.weight(text)
  return #(text:gsub('%*', ''))
end

return M
