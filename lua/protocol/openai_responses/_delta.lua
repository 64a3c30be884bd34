--- Text deltas that are like the one before them: they need not be decoded as a whole.
---
--- What is learnt from a delta that was decoded is what stands before its text, but for the number
--- that counts events. Behind the text may stand anything: OpenAI pads its events there.

local byte, find, sub = string.byte, string.find, string.sub

local M = {}

local LABEL = '"delta":"'
local NUMBER = '"sequence_number":'
-- So many deltas in a row that were not alike, and the stream is one of those that never are.
local PATIENCE = 8
local LAST = ('}'):byte()

--- @return fun(data: string): string? match Gives the text of a delta that is alike.
--- @return fun(data: string) learn Tells a text delta that was decoded.
function M.new()
  local front, mid, misses = nil, nil, 0

  local function text_at(data)
    local at = find(data, LABEL, #front, true)
    if not at or sub(data, 1, #front) ~= front or byte(data, -1) ~= LAST then
      return nil
    elseif mid and (sub(data, at - #mid, at - 1) ~= mid
        or find(sub(data, #front + 1, at - #mid - 1), '%D')) then
      return nil
    elseif not mid and at ~= #front + 1 then
      return nil
    end
    local first = at + #LABEL
    local stop = find(data, '"', first, true)
    return stop and sub(data, first, stop - 1)
  end

  local function match(data)
    if not front then
      return nil
    end
    local text = text_at(data)
    if not text then
      misses = misses + 1
      return nil
    end
    misses = 0
    -- What is escaped is for the decoder.
    return not find(text, '\\', 1, true) and text or nil
  end

  local function learn(data)
    if misses > PATIENCE then
      front = nil
      return
    end
    local at = find(data, LABEL, 1, true)
    local head = at and sub(data, 1, at - 1)
    local first, last = find(head or '', NUMBER .. '%d+')
    if first then
      front, mid = sub(head, 1, first + #NUMBER - 1), sub(head, last + 1)
    else
      front, mid = head, nil
    end
  end

  return match, learn
end

return M
