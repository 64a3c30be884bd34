--- Brings a conversation into the order that strict upstreams ask for.
---
--- Neighbouring turns of one role become one. Each tool call gets an id of its own and exactly one
--- result, and results stand first in the turn right after their calls, in the order of the calls.
--- A result is paired with the nearest call before it that has its id and no result yet, since ids
--- may come again in a later step. Of calls that share an id in one step the last one counts,
--- unless each has a result of its own. The turns that came in are left as they are.

local ids = require('protocol._ids')
local json = require('px.json')

local M = {}

local function is_empty(block, blank)
  if block.kind ~= 'text' and block.kind ~= 'refusal' then
    return false
  end
  local text = block.text or ''
  return text == '' or (blank and not text:find('%S'))
end

--- Joins neighbouring turns of one role (and, in protocols that know names, of one speaker).
local function merge(turns, blank)
  local out, last = {}, nil
  for _, turn in ipairs(turns) do
    local blocks = {}
    for _, block in ipairs(turn.blocks) do
      if not is_empty(block, blank) then
        blocks[#blocks + 1] = block
      end
    end
    if last and last.role == turn.role and turn.role ~= 'system' and last.name == turn.name then
      for _, block in ipairs(blocks) do
        last.blocks[#last.blocks + 1] = block
      end
    elseif #blocks > 0 then
      last = { role = turn.role, name = turn.name, blocks = blocks }
      out[#out + 1] = last
    end
  end
  return out
end

--- Counts the results of an id up to the next assistant turn.
local function count_results(turns, place, id)
  local count = 0
  for i = place + 1, #turns do
    if turns[i].role == 'assistant' then
      break
    end
    for _, block in ipairs(turns[i].blocks) do
      count = count + (block.kind == 'tool_result' and block.id == id and 1 or 0)
    end
  end
  return count
end

--- Tells whether calls of one id in one step are several calls: they differ, and each has a result.
local function are_several(turns, place, calls)
  local differ = false
  for _, call in ipairs(calls) do
    differ = differ or call.name ~= calls[1].name or call.args ~= calls[1].args
  end
  return differ and count_results(turns, place, calls[1].id) >= #calls
end

--- The calls of an assistant turn by their ids: lists of those that count. Of an id that comes
--- twice the last call counts, unless they are several.
local function calls_by_id(turns, place, lost)
  local by_id = {}
  for _, block in ipairs(turns[place].blocks) do
    if block.kind == 'tool_call' then
      local id = block.id or ''
      by_id[id] = by_id[id] or {}
      table.insert(by_id[id], block)
    end
  end
  for id, calls in pairs(by_id) do
    if #calls > 1 and id ~= '' and not are_several(turns, place, calls) then
      by_id[id] = { calls[#calls] }
      lost('messages.tool_call')
    end
  end
  return by_id
end

--- Names the calls of one assistant turn.
local function take_calls(turns, place, state, lost)
  local turn = turns[place]
  local by_id = calls_by_id(turns, place, lost)
  local blocks = {}
  turn.calls = {}
  for _, block in ipairs(turn.blocks) do
    local id = block.id or ''
    local same = by_id[id]
    if block.kind ~= 'tool_call' then
      blocks[#blocks + 1] = block
    elseif id == '' or #same > 1 or same[1] == block then
      local call = json.copy(block)
      local base = ids.call(id ~= '' and id or 'call ' .. state.count)
      call.id = base
      local n = 2
      while state.used[call.id] do
        call.id, n = base .. '_' .. n, n + 1
      end
      state.used[call.id] = true
      state.count = state.count + 1
      local record = { call = call, step = place, several = #same > 1 }
      state.calls[id] = state.calls[id] or {}
      table.insert(state.calls[id], record)
      table.insert(turn.calls, record)
      blocks[#blocks + 1] = call
    end
  end
  turn.blocks = blocks
end

--- An orphan's content, told as text.
local function orphan(block, blocks)
  local texts = {}
  for _, inner in ipairs(block.blocks or {}) do
    if inner.kind == 'text' then
      texts[#texts + 1] = inner.text
    else
      blocks[#blocks + 1] = inner
    end
  end
  local text = 'Result of an earlier tool call: ' .. table.concat(texts, '\n')
  blocks[#blocks + 1] = { kind = 'text', text = text }
end

--- The call that a result belongs to: the last one of its id that has no result yet, or has it of
--- the same turn. Of several calls in one step it is the first without a result.
local function record_of(records, place)
  local found
  for _, record in ipairs(records) do
    local free = not record.result or record.place == place
    local later = found and found.several and found.step == record.step and not found.result
    if free and not later then
      found = record
    end
  end
  return found
end

--- Gives each result of a user turn to its call; what is left stays in the turn.
local function take_results(turn, place, state, lost)
  local blocks = {}
  for _, block in ipairs(turn.blocks) do
    if block.kind ~= 'tool_result' then
      blocks[#blocks + 1] = block
    else
      local found = record_of(state.calls[block.id or ''] or {}, place)
      if found then
        if found.result then
          lost('messages.tool_result')
        end
        local result = json.copy(block)
        result.id, result.name = found.call.id, found.call.name
        found.result, found.place = result, place
      else
        orphan(block, blocks)
        lost('messages.tool_result')
      end
    end
  end
  turn.blocks = blocks
end

local function results_of(turn)
  local out = {}
  for i, record in ipairs(turn.calls) do
    out[i] = record.result or {
      kind = 'tool_result',
      id = record.call.id,
      name = record.call.name,
      is_error = true,
      blocks = { { kind = 'text', text = 'No result: the call was not finished.' } },
    }
  end
  return out
end

--- Puts results behind their calls.
local function place_results(turns)
  local out, pending = {}, nil
  local function flush()
    if pending then
      out[#out + 1] = { role = 'user', blocks = pending }
      pending = nil
    end
  end
  for _, turn in ipairs(turns) do
    if pending and turn.role == 'user' then
      for _, block in ipairs(turn.blocks) do
        pending[#pending + 1] = block
      end
      out[#out + 1] = { role = 'user', name = turn.name, blocks = pending }
      pending = nil
    else
      flush()
      out[#out + 1] = { role = turn.role, name = turn.name, blocks = turn.blocks }
      if turn.calls and #turn.calls > 0 then
        pending = results_of(turn)
      end
    end
  end
  flush()
  return out
end

--- Tells whether nothing is to be repaired: no tools, no empty texts, and roles that take turns.
local function in_order(turns, blank)
  local last
  for _, turn in ipairs(turns) do
    if not turn.blocks[1] or (last and last.role == turn.role and turn.role ~= 'system'
      and last.name == turn.name) then
      return false
    end
    for _, block in ipairs(turn.blocks) do
      if block.kind == 'tool_call' or block.kind == 'tool_result' or is_empty(block, blank) then
        return false
      end
    end
    last = turn
  end
  return true
end

--- @param turns px.Turn[] Left as they are; what comes back may be they themselves.
--- @param lost fun(path: string)
--- @param blank? boolean Also drop texts of nothing but white space.
--- @return px.Turn[]
function M.repair(turns, lost, blank)
  if in_order(turns, blank) then
    return turns
  end
  local state = { calls = {}, used = {}, count = 0 }
  local merged = merge(turns, blank)
  for place, turn in ipairs(merged) do
    if turn.role == 'assistant' then
      take_calls(merged, place, state, lost)
    elseif turn.role == 'user' then
      take_results(turn, place, state, lost)
    end
  end
  return merge(place_results(merged), blank)
end

--- Takes names away, for protocols that have none for speakers.
---
--- @param turns px.Turn[] Left as they are; they come back if nobody has a name.
--- @param lost fun(path: string)
--- @return px.Turn[]
function M.unnamed(turns, lost)
  local out
  for i, turn in ipairs(turns) do
    if turn.name and not out then
      lost('messages.name')
      out = json.copy(turns)
    end
    if turn.name then
      out[i] = { role = turn.role, blocks = turn.blocks }
    end
  end
  return out or turns
end

--- A turn of the system in mid-conversation as one of the user, where none may stand there.
---
--- @param turn px.Turn
--- @return px.Turn
function M.reminder(turn)
  local blocks = {}
  for i, block in ipairs(turn.blocks) do
    blocks[i] = block
    if block.kind == 'text' and block.text ~= '' then
      blocks[i] = {
        kind = 'text', cache = block.cache,
        text = '<system-reminder>\n' .. block.text .. '\n</system-reminder>',
      }
    end
  end
  return { role = 'user', blocks = blocks }
end

return M
