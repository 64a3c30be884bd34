--- Folds events back into the reply that they tell: blocks in order, finish and usage.

--- @class px.Fold
--- @field id? string
--- @field model? string
--- @field blocks px.Block[] With `citations` as events, `logprobs`; kinds as in requests.
--- @field finish? string
--- @field stop? string
--- @field usage? px.Event
--- @field failure? px.Event The error event, if one came.

local M = {}

local TEXT = { text = true, thinking = true, refusal = true }

local function join(block)
  local pieces = block.pieces
  block.pieces = nil
  local text = table.concat(pieces)
  if block.kind == 'tool_call' then
    block.args = text
  elseif TEXT[block.kind] then
    block.text = text
  end
end

--- @param events px.Event[]
--- @return px.Fold
function M.fold(events)
  local out, by_index = { blocks = {} }, {}

  local function block_of(event, kind)
    local block = by_index[event.index]
    if not block then
      block = { kind = kind, pieces = {} }
      by_index[event.index] = block
      out.blocks[#out.blocks + 1] = block
    end
    return block
  end

  for _, event in ipairs(events) do
    local kind = event.kind
    if TEXT[kind] then
      local block = block_of(event, kind)
      table.insert(block.pieces, event.text)
      for _, one in ipairs(event.logprobs or {}) do
        block.logprobs = block.logprobs or {}
        table.insert(block.logprobs, one)
      end
    elseif kind == 'args' then
      table.insert(block_of(event, 'tool_call').pieces, event.text)
    elseif kind == 'tool_start' then
      local block = block_of(event, 'tool_call')
      block.id, block.name, block.custom = event.id, event.name, event.custom
    elseif kind == 'signature' then
      block_of(event, 'thinking').signature = event.text
    elseif kind == 'redacted' then
      block_of(event, 'redacted').data = event.data
    elseif kind == 'opaque' then
      local block = block_of(event, 'opaque')
      block.json, block.protocol = event.json, event.protocol
    elseif kind == 'image' then
      block_of(event, 'image').url = event.url
    elseif kind == 'citation' then
      local block = block_of(event, 'text')
      block.citations = block.citations or {}
      table.insert(block.citations, event)
    elseif kind == 'start' then
      out.id, out.model = event.id, event.model
    elseif kind == 'finish' then
      out.finish, out.stop = event.reason, event.stop
    elseif kind == 'usage' then
      out.usage = event
    elseif kind == 'error' then
      out.failure = event
    end
  end
  for _, block in ipairs(out.blocks) do
    join(block)
  end
  return out
end

return M
