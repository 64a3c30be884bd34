--- Gathers the tool calls of one reply, whose pieces come late, mixed and in odd spellings.
---
--- A call starts once its id and name are known; what came before is kept until then. A call whose
--- arguments are complete JSON is closed when another block begins; others stay open to the end,
--- since their pieces may still come.

local json = require('px.json')
local ids = require('protocol._ids')
local read = require('protocol._read')

local M = {}

--- @class px.Calls
--- @field seen boolean Some call has started.

--- @param ctx px.Context
--- @param next_index fun(): integer Numbers the blocks of the reply.
function M.new(ctx, next_index)
  local slots, by_index, by_id = {}, {}, {}
  local out = { seen = false }

  local function slot_for(delta)
    local at = json.is_number(delta.index) and json.tonumber(delta.index) or -1
    local id = read.maybe_text(delta.id)
    id = id ~= '' and id or nil
    local slot
    if at >= 0 then
      slot = by_index[at]
      -- Some number every call 0 and tell them apart by id alone.
      if slot and id and slot.id and slot.id ~= id then
        slot = by_id[id]
      end
    elseif id then
      slot = by_id[id]
    else
      slot = slots[#slots]
    end
    if not slot then
      slot = { pieces = {} }
      slots[#slots + 1] = slot
    end
    if at >= 0 then
      by_index[at] = slot
    end
    if id then
      by_id[id] = slot
      slot.id = slot.id or id
    end
    return slot
  end

  local function start(slot, events)
    if slot.proof then
      local index = next_index()
      events[#events + 1] = { kind = 'signature', index = index, text = slot.proof }
      events[#events + 1] = { kind = 'block_stop', index = index }
    end
    out.seen = true
    slot.index = next_index()
    events[#events + 1] = {
      kind = 'tool_start',
      index = slot.index,
      id = slot.id,
      name = ids.restore(ctx, slot.name),
      custom = slot.custom,
    }
    local text = table.concat(slot.pieces)
    if text ~= '' then
      events[#events + 1] = { kind = 'args', index = slot.index, text = text }
    end
  end

  local function stop(slot, events)
    slot.stopped = true
    events[#events + 1] = { kind = 'block_stop', index = slot.index }
  end

  local function complete(slot)
    return not slot.custom and #slot.pieces > 0
      and json.decode(table.concat(slot.pieces)) ~= nil
  end

  --- Closes the calls that are complete.
  function out.settle(events)
    for _, slot in ipairs(slots) do
      if slot.index and not slot.stopped and complete(slot) then
        stop(slot, events)
      end
    end
  end

  --- Takes one element of `tool_calls`.
  ---
  --- @param delta table
  --- @param events px.Event[]
  --- @param before fun(events: px.Event[]) Called ahead of a new block.
  function out.take(delta, events, before)
    -- Snowflake sends an empty `custom` beside every function.
    local custom = delta.type == 'custom'
      or (type(delta.custom) == 'table' and type(delta['function']) ~= 'table')
    local inner = read.maybe_table(custom and delta.custom or delta['function'])
    local slot = slot_for(delta)
    slot.custom = custom or slot.custom or nil
    local name = read.maybe_text(inner.name)
    if name and name ~= '' and not slot.name then
      slot.name = name
    end
    local google = read.maybe_table(read.maybe_table(delta.extra_content).google)
    local proof = read.maybe_text(google.thought_signature)
    slot.proof = proof and 'google:' .. proof or slot.proof
    local piece = inner.arguments
    if custom then
      piece = inner.input
    end
    if type(piece) == 'table' then
      piece = json.encode(piece)
    end
    if type(piece) == 'string' and piece ~= '' then
      slot.pieces[#slot.pieces + 1] = piece
      if slot.index and not slot.stopped then
        events[#events + 1] = { kind = 'args', index = slot.index, text = piece }
        return
      end
    end
    if not slot.index and slot.id and slot.name then
      out.settle(events)
      before(events)
      start(slot, events)
    end
  end

  --- Ends all calls. Those that never got an id get one that repeats for the same request.
  function out.finish(events, before)
    for i, slot in ipairs(slots) do
      if not slot.index and slot.name then
        slot.id = slot.id or ('call_%s_%d'):format(ctx.id or '0', i)
        before(events)
        start(slot, events)
      elseif not slot.index and ctx.lost then
        ctx.lost('reply.tool_call')
      end
      if slot.index and not slot.stopped then
        stop(slot, events)
      end
    end
  end

  return out
end

return M
