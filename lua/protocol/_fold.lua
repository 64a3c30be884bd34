--- Folds events back into the reply that they tell: blocks in order, finish and usage.

--- @class px.Fold
--- @field id? string
--- @field model? string
--- @field blocks px.Block[] With `citations` as events, `logprobs`; kinds as in requests.
--- @field finish? string
--- @field stop? string
--- @field usage? px.Event
--- @field failure? px.Event The error event, if one came.

local media = require('protocol._media')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

-- The member of a block that pieces make, '' where there are none.
local MADE = { text = 'text', thinking = 'text', refusal = 'text', tool_call = 'args' }

--- Adds a piece to a block; most have one.
local function add(block, text)
  local made = MADE[block.kind]
  if block.pieces then
    block.pieces[#block.pieces + 1] = text
  elseif block[made] then
    block.pieces = { block[made], text }
  else
    block[made] = text
  end
end

local function block_of(out, event, kind)
  local block = out.by_index[event.index]
  if not block then
    block = { kind = kind, text = later, args = later }
    out.by_index[event.index] = block
    out.blocks[#out.blocks + 1] = block
  end
  return block
end

local function add_likely(block, list)
  block.logprobs = block.logprobs or {}
  for _, one in ipairs(list) do
    table.insert(block.logprobs, one)
  end
end

-- Kind of event: what it tells. Called with (out, event).
local take = {}

function take.text(out, event)
  local block = block_of(out, event, event.kind)
  add(block, event.text)
  if event.logprobs then
    add_likely(block, event.logprobs)
  end
end
take.thinking, take.refusal = take.text, take.text

function take.args(out, event)
  add(block_of(out, event, 'tool_call'), event.text)
end

function take.tool_start(out, event)
  local block = block_of(out, event, 'tool_call')
  block.id, block.name, block.custom = event.id, event.name, event.custom
end

function take.signature(out, event)
  block_of(out, event, 'thinking').signature = event.text
end

function take.redacted(out, event)
  block_of(out, event, 'redacted').data = event.data
end

function take.opaque(out, event)
  local block = block_of(out, event, 'opaque')
  block.json, block.protocol = event.json, event.protocol
end

function take.image(out, event)
  if out.ctx then
    local other = media.instead(event, out.ctx, out.protocol)
    take[other.kind](out, other)
  else
    block_of(out, event, 'image').url = event.url
  end
end

function take.citation(out, event)
  local block = block_of(out, event, 'text')
  block.citations = block.citations or {}
  table.insert(block.citations, event)
end

function take.start(out, event)
  out.id, out.model = event.id, event.model
end

function take.finish(out, event)
  out.finish, out.stop = event.reason, event.stop
end

function take.usage(out, event)
  out.usage = event
end

function take.error(out, event)
  out.failure = event
end

--- @param events px.Event[]
--- @param ctx? px.Context Given with `protocol` where that has no place for images.
--- @param protocol? string
--- @return px.Fold
function M.fold(events, ctx, protocol)
  local out = {
    blocks = {}, by_index = {}, ctx = ctx, protocol = protocol,
    id = later, model = later, finish = later, stop = later, usage = later,
  }
  for _, event in ipairs(events) do
    local told = take[event.kind]
    if told then
      told(out, event)
    end
  end
  for _, block in ipairs(out.blocks) do
    local made = MADE[block.kind]
    if block.pieces then
      block[made], block.pieces = table.concat(block.pieces), nil
    elseif made then
      block[made] = block[made] or ''
    end
  end
  return out
end

return M
