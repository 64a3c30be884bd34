--- Streams repeat themselves: a chunk is often the bytes of the one before it, but for one text.
---
--- What is learnt from a chunk that was decoded is all that stands before and behind its text. A
--- chunk that begins and ends with the same bytes, and whose middle is the inside of one JSON
--- string, can only mean the same with another text: it need not be decoded as a whole.

local json = require('px.json')

local decode, encode = json.decode, json.encode
local find, sub = string.find, string.sub

local M = {}

-- So many chunks in a row that were not alike, and the stream is one of those that never are.
local PATIENCE = 8

--- @param label string How the member is written whose value the text is: '"content":"'.
--- @return fun(data: string): string? match Gives the text of a chunk that is alike.
--- @return fun(data: string, text: string) learn Tells a chunk that was decoded, and its text.
function M.new(label)
  local before, behind, front, back
  local misses = 0

  local function match(data)
    if not before then
      return nil
    elseif sub(data, 1, front) ~= before or sub(data, -back) ~= behind or #data <= front + back then
      misses = misses + 1
      return nil
    end
    misses = 0
    local text = decode(sub(data, front, -back))  -- Both quotes are part of what does not change.
    return type(text) == 'string' and text or nil
  end

  local function learn(data, text)
    if misses > PATIENCE then
      before = nil
      return
    end
    local written = label .. sub(encode(text), 2)
    local first, last = find(data, written, 1, true)
    if first and not find(data, written, last + 1, true) then
      before, behind = sub(data, 1, first + #label - 1), sub(data, last)
      front, back = #before, #behind
    end
  end

  return match, learn
end

return M
