--- Ids and names that every target accepts.
---
--- A changed id is a hash of the old one, so that a call and its result change alike in every
--- request of a conversation without anything being remembered.

local M = {}

local ID_MAX = 40
local NAME_MAX = 64

--- Hashes a text to 16 hexadecimal digits. Not for secrets.
---
--- @param text string
--- @return string
function M.hash(text)
  local a, b = 5381, 52711
  for i = 1, #text do
    local byte = text:byte(i)
    a = (a * 33 + byte) % 4294967296
    b = (b * 65599 + byte) % 4294967296
  end
  return ('%08x%08x'):format(a, b)
end

--- An id of a tool call as every vendor accepts it: at most 40 of A-Z a-z 0-9 _ and -.
---
--- @param id string
--- @return string
function M.call(id)
  if #id > ID_MAX or id == '' then
    return 'call_' .. M.hash(id)
  end
  return (id:gsub('[^%w_-]', '_'))
end

local ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

local function letters(number, count)
  local out = {}
  for i = 1, count do
    local at = number % #ALPHABET
    out[i], number = ALPHABET:sub(at + 1, at + 1), (number - at) / #ALPHABET
  end
  return table.concat(out)
end

--- The same as Mistral alone wants it: nine letters and digits. Any other form is a 400 there.
---
--- @param id string
--- @return string
function M.nine(id)
  if #id == 9 and not id:find('%W') then
    return id
  end
  local hash = M.hash(id)
  return letters(tonumber(hash:sub(1, 8), 16), 5) .. letters(tonumber(hash:sub(9), 16), 4)
end

--- A tool's name as every vendor accepts it. What had to change is remembered in ctx.names, by
--- which readers of replies give it back.
---
--- @param ctx px.Context
--- @param name string
--- @return string
function M.shorten(ctx, name)
  if #name <= NAME_MAX and name ~= '' and not name:find('[^%w_-]') then
    return name
  end
  local short = name:gsub('[^%w_-]', '_'):sub(1, NAME_MAX - 9) .. '_' .. M.hash(name):sub(1, 8)
  ctx.names = ctx.names or {}
  ctx.names[short] = name
  return short
end

--- Gives back the name that the client knows.
---
--- @param ctx px.Context
--- @param name string
--- @return string
function M.restore(ctx, name)
  return ctx.names and ctx.names[name] or name
end

return M
