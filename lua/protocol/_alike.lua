--- Streams repeat themselves: a chunk is often the bytes of the one before it, but for one text.
---
--- What is learnt from a chunk that was decoded is all that stands before and behind its text. A
--- chunk that begins and ends with the same bytes, and whose middle is the inside of one JSON
--- string, can only mean the same with another text: it need not be decoded as a whole.

local json = require('px.json')

local encode, inside = json.encode, json.between
local find, sub = string.find, string.sub

local M = {}

-- So many chunks in a row that were not alike, and the stream is one of those that never are.
local PATIENCE = 8

--- @param label string How the member is written whose value the text is: '"content":"'.
--- @param varying? string The same of a member before it whose value is another one each time.
--- @return fun(data: string): string? match Gives the text of a chunk that is alike.
--- @return fun(data: string, text: string) learn Tells a chunk that was decoded, and its text.
function M.new(label, varying)
  local before, behind, front
  local between  -- What stands from the end of the varying value on, when there is one.
  local misses = 0

  --- What stands before the text: all of it, or where its first quote is if one member varies.
  local function before_of(data)
    if not between then
      return before
    end
    if sub(data, 1, front) ~= before then
      return nil
    end
    local stop = find(data, '"', front + 1, true)
    local last = stop and stop + #between - 1
    if not last or sub(data, stop, last) ~= between
      or find(sub(data, front + 1, stop - 1), '[%c\\]') then
      return nil
    end
    return last
  end

  local function match(data)
    local where = before and before_of(data)
    local text = where and inside(data, where, behind)
    if before then
      misses = text and 0 or misses + 1
    end
    return text
  end

  --- Parts what stands before the text where the varying value is.
  local function part(data)
    local _, last = find(data, varying, 1, true)
    local stop = last and find(data, '"', last + 1, true)
    if stop then
      return sub(data, 1, last), sub(data, stop)
    end
    return data, nil
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
      if varying then
        before, between = part(before)
      end
      front = #before
    end
  end

  return match, learn
end

return M
