--- Stop sequences for upstreams that take none: the text is cut here.
---
--- Text that could be the beginning of a stop sequence is held back until the next piece decides.
--- After a match nothing of the reply passes but its end.

local M = {}

--- The earliest match in a text: where it begins and which it is.
local function earliest(text, stops)
  local at, found
  for _, stop in ipairs(stops) do
    local place = text:find(stop, 1, true)
    if place and (not at or place < at) then
      at, found = place, stop
    end
  end
  return at, found
end

--- Length of the longest end of `text` that begins a stop sequence.
local function held_length(text, stops, longest)
  for length = math.min(#text, longest - 1), 1, -1 do
    local tail = text:sub(-length)
    for _, stop in ipairs(stops) do
      if #stop > length and stop:sub(1, length) == tail then
        return length
      end
    end
  end
  return 0
end

--- Makes a filter of lists of events.
---
--- @param list string[] Stop sequences.
--- @return fun(events: px.Event[]?): px.Event[]?
function M.filter(list)
  local stops, longest = {}, 0
  for _, stop in ipairs(list) do
    if stop ~= '' then
      stops[#stops + 1] = stop
      longest = math.max(longest, #stop)
    end
  end
  local held, held_index = '', nil
  local begun, matched = {}, nil

  local function flush(out)
    if held ~= '' then
      out[#out + 1] = { kind = 'text', index = held_index, text = held }
      begun[held_index] = true
      held = ''
    end
  end

  local function text(out, event)
    if held_index ~= event.index then
      flush(out)
    end
    held_index = event.index
    local all = held .. event.text
    local at, found = earliest(all, stops)
    local keep = found and #all - at + 1 or held_length(all, stops, longest)
    local passed = all:sub(1, #all - keep)
    held = found and '' or all:sub(#all - keep + 1)
    if passed ~= '' then
      out[#out + 1] = { kind = 'text', index = event.index, text = passed }
      begun[event.index] = true
    end
    if found then
      matched = found
      if begun[event.index] then
        out[#out + 1] = { kind = 'block_stop', index = event.index }
        begun[event.index] = nil
      end
    end
  end

  local function after_match(out, event)
    if event.kind == 'finish' then
      local called = event.reason == 'tool'
      out[#out + 1] = called and event or { kind = 'finish', reason = 'stop_seq', stop = matched }
    elseif not event.index or (event.kind == 'block_stop' and begun[event.index]) then
      out[#out + 1] = event
    end
  end

  return function(events)
    local out = {}
    for _, event in ipairs(events or {}) do
      if matched then
        after_match(out, event)
      elseif event.kind == 'text' then
        text(out, event)
      else
        flush(out)
        -- A block of held text alone, which was then cut away, never began.
        if event.kind ~= 'block_stop' or begun[event.index] then
          out[#out + 1] = event
        end
        if event.index then
          begun[event.index] = event.kind ~= 'block_stop' or nil
        end
      end
    end
    return #out > 0 and out or nil
  end
end

--- Puts a filter behind a reader.
---
--- @param read px.Reader
--- @param list? string[]
--- @return px.Reader
function M.behind(read, list)
  if not list then
    return read
  end
  local filter = M.filter(list)
  return function(type, data)
    return filter(read(type, data))
  end
end

return M
