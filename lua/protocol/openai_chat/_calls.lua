--- Gathers the tool calls of one reply, whose pieces come late, mixed and in odd spellings.
---
--- A call starts once its id and name are known; what came before is kept until then. A call whose
--- arguments are complete JSON is closed when another block begins; others stay open to the end,
--- since their pieces may still come.

local json = require('px.json')
local details = require('protocol.openai_chat._details')
local ids = require('protocol._ids')
local read = require('protocol._read')

local M = {}

--- @class px.Calls
--- @field seen boolean Some call has started.
--- @field slots table[] Calls in order of appearance.
local Calls = {}
Calls.__index = Calls

--- @param reader px.ChatReader Numbers blocks and closes an open text ahead of a call.
--- @return px.Calls
function M.new(reader)
  return setmetatable({
    reader = reader, seen = false, slots = {}, by_index = {}, by_id = {},
  }, Calls)
end

--- The call that a piece belongs to: by index, by id, or the last one.
function Calls:slot_for(delta)
  local at = json.is_number(delta.index) and json.tonumber(delta.index) or -1
  local id = read.maybe_text(delta.id)
  id = id ~= '' and id or nil
  local slot
  if at >= 0 then
    slot = self.by_index[at]
    -- Some number every call 0 and tell them apart by id alone.
    if slot and id and slot.id and slot.id ~= id then
      slot = self.by_id[id]
    end
  elseif id then
    slot = self.by_id[id]
  else
    slot = self.slots[#self.slots]
  end
  if not slot then
    slot = { pieces = {} }
    self.slots[#self.slots + 1] = slot
  end
  if at >= 0 then
    self.by_index[at] = slot
  end
  if id then
    self.by_id[id] = slot
    slot.id = slot.id or id
  end
  return slot
end

function Calls:start(slot, events)
  local reader = self.reader
  reader:close_text(events)
  if slot.proof then
    local index = reader:next_index()
    events[#events + 1] = { kind = 'signature', index = index, text = slot.proof }
    events[#events + 1] = { kind = 'block_stop', index = index }
  end
  self.seen = true
  slot.index = reader:next_index()
  events[#events + 1] = {
    kind = 'tool_start',
    index = slot.index,
    id = slot.id,
    name = ids.restore(reader.ctx, slot.name),
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
function Calls:settle(events)
  for _, slot in ipairs(self.slots) do
    if slot.index and not slot.stopped and complete(slot) then
      stop(slot, events)
    end
  end
end

--- Notes what a piece says of its call. Names that come again, empty or null, change nothing.
---
--- @return any piece Of the arguments.
local function note(slot, delta)
  -- Snowflake sends an empty `custom` beside every function.
  local custom = delta.type == 'custom'
    or (type(delta.custom) == 'table' and type(delta['function']) ~= 'table')
  local inner = read.maybe_table(custom and delta.custom or delta['function'])
  slot.custom = custom or slot.custom or nil
  local name = read.maybe_text(inner.name)
  if name and name ~= '' and not slot.name then
    slot.name = name
  end
  local google = read.maybe_table(read.maybe_table(delta.extra_content).google)
  local proof = read.maybe_text(google.thought_signature)
  slot.proof = proof and details.ON_CALL .. proof or slot.proof
  if custom then
    return inner.input
  end
  return inner.arguments
end

--- Takes one element of `tool_calls`.
---
--- @param delta table
--- @param events px.Event[]
function Calls:take(delta, events)
  local slot = self:slot_for(delta)
  local piece = note(slot, delta)
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
    self:settle(events)
    self:start(slot, events)
  end
end

--- Ends all calls. Those that never got an id get one that repeats for the same request.
---
--- @param events px.Event[]
function Calls:finish(events)
  for i, slot in ipairs(self.slots) do
    if not slot.index and slot.name then
      slot.id = slot.id or ('call_%s_%d'):format(self.reader.ctx.id or '0', i)
      self:start(slot, events)
    elseif not slot.index then
      self.reader:lose('reply.tool_call')
    end
    if slot.index and not slot.stopped then
      stop(slot, events)
    end
  end
end

return M
