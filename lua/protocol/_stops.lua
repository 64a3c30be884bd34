--- Stop sequences for upstreams that take none: the text is cut here.
---
--- Text that could be the beginning of a stop sequence is held back until the next piece decides.
--- After a match nothing of the reply passes but the rest of a call that had begun. Then the reply
--- is over, whatever the upstream still says.

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

--- The likelihoods of the tokens that a text of `length` bytes ends. A token that goes on behind
--- it is told with the rest.
local function likely(state, length)
  local waiting, out = state.waiting, {}
  state.credit = state.credit + length
  while waiting[1] and #(waiting[1].bytes or waiting[1].token) <= state.credit do
    local one = table.remove(waiting, 1)
    state.credit = state.credit - #(one.bytes or one.token)
    out[#out + 1] = one
  end
  if not waiting[1] then
    state.credit = 0 -- What is over has no tokens.
  end
  return out[1] and out or nil
end

local function tell(state, out, index, text)
  local found = state.waiting and likely(state, #text)
  out[#out + 1] = { kind = 'text', index = index, text = text, logprobs = found }
end

local function flush(state, out)
  if state.held ~= '' then
    tell(state, out, state.index, state.held)
    state.begun[state.index] = true
    state.held = ''
  end
end

--- Ends the reply after a match. A call that is open needs its rest, and only the upstream's own
--- end tells whether it got that.
local function close(state, out)
  local calling = false
  for index, what in pairs(state.begun) do
    if what == 'call' then
      calling = true
    else
      out[#out + 1] = { kind = 'block_stop', index = index }
      state.begun[index] = nil
    end
  end
  if not calling then
    out[#out + 1] = state.called and { kind = 'finish', reason = 'tool' }
      or { kind = 'finish', reason = 'stop_seq', stop = state.matched }
    state.over = true
  end
end

local function take_text(state, out, event)
  if state.index ~= event.index then
    flush(state, out)
  end
  for _, one in ipairs(event.logprobs or {}) do
    state.waiting = state.waiting or {}
    table.insert(state.waiting, one)
  end
  local index, begun = event.index, state.begun
  state.index = index
  local all = state.held .. event.text
  local at, found = earliest(all, state.stops)
  local keep = found and #all - at + 1 or held_length(all, state.stops, state.longest)
  local passed = all:sub(1, #all - keep)
  state.held = found and '' or all:sub(#all - keep + 1)
  if passed ~= '' then
    tell(state, out, index, passed)
    begun[index] = true
  end
  if found then
    state.matched = found
    close(state, out)
  end
end

local function take_other(state, out, event)
  flush(state, out)
  -- A block of held text alone, which was then cut away, never began.
  if event.kind ~= 'block_stop' or state.begun[event.index] then
    out[#out + 1] = event
  end
  local index, kind = event.index, event.kind
  if kind == 'tool_start' then
    state.begun[index], state.called = 'call', true
  elseif kind == 'block_stop' then
    state.begun[index] = nil
  elseif index then
    state.begun[index] = state.begun[index] or true
  end
end

local function after_match(state, out, event)
  local index, kind = event.index, event.kind
  if state.over then
    out[#out + 1] = kind == 'usage' and event or nil
  elseif not index or state.begun[index] then
    out[#out + 1] = event
  end
end

--- Makes a filter of lists of events.
---
--- @param list string[] Stop sequences.
--- @return fun(events: px.Event[]?): px.Event[]?, boolean? filter `true`: the reply is over.
function M.filter(list)
  local state = { stops = {}, longest = 0, held = '', begun = {}, credit = 0 }
  for _, stop in ipairs(list) do
    if stop ~= '' then
      table.insert(state.stops, stop)
      state.longest = math.max(state.longest, #stop)
    end
  end
  return function(events)
    local out = {}
    for _, event in ipairs(events or {}) do
      local take = state.matched and after_match or event.kind == 'text' and take_text
        or take_other
      take(state, out, event)
    end
    return #out > 0 and out or nil, state.over
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
