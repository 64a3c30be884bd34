--- Unary answers of Responses, and its list of models.

local chat = require('protocol.openai_chat.reply')
local errors = require('protocol.openai_responses.errors')
local fold = require('protocol._fold')
local json = require('px.json')
local read = require('protocol._read')
local reader = require('protocol.openai_responses._reader')
local shape = require('protocol.openai_responses._reply')
local stops = require('protocol._stops')
local usage = require('protocol.openai_responses._usage')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

--- Walks an answer as the events that a stream of it would give.
---
--- @param body any
--- @param ctx px.Context
--- @return px.Event[]
function M.read(body, ctx)
  local state = reader.new(ctx)
  if type(body) ~= 'table' or type(body.output) ~= 'table'
    or (body.error and body.error ~= json.null) then
    return state:fail(type(body) == 'table' and errors.text_of(body)
      or json.encode(body == nil and json.null or body))
  end
  local events = {}
  state:finish(events, body, read.maybe_text(body.status) or 'completed')
  return ctx.stops and stops.filter(ctx.stops)(events) or events
end

local function next_id(state, prefix)
  return ('%s%s_%d'):format(prefix, state.ctx.id or '0', #state.output)
end

local function add_item(state, item)
  state.output[#state.output + 1] = item
  state.last = item
end

--- Adds a part to the message that is open, or to a new one.
local function add_part(state, part)
  local parts = state.parts
  if parts then
    parts[#parts + 1] = part
    return
  end
  state.parts = json.array({ part })
  add_item(state, shape.message(next_id(state, 'msg_'), 'completed', state.parts))
end

-- Kind of block: what it adds. Called with (state, block).
local add = {}

local function lose(state, path)
  state.ctx.lost(path)
end

function add.text(state, block)
  local notes
  for _, citation in ipairs(block.citations or read.NONE) do
    if shape.can_annotate(citation) then
      notes = notes or {}
      notes[#notes + 1] = shape.annotation(citation)
    else
      lose(state, 'reply.citations')
    end
  end
  add_part(state, shape.text_part(block.text, notes, block.logprobs))
end

function add.refusal(state, block)
  add_part(state, shape.refusal_part(block.text))
end

function add.thinking(state, block)
  local proof = block.kind == 'redacted' and block.data or block.signature
  proof = proof and shape.seal(state.ctx, block.kind, proof)
  add_item(state, shape.reasoning(next_id(state, 'rs_'), 'completed', block.text, proof))
end
add.redacted = add.thinking

function add.tool_call(state, block)
  local text = block.args or ''
  local wrapped = shape.is_wrapped(block, state.ctx)
  local call = { id = block.id, name = block.name, custom = block.custom or wrapped or nil }
  if wrapped then
    text = shape.free_text(text)
  elseif text == '' and not call.custom then
    text = '{}'
  end
  local id = next_id(state, call.custom and 'ctc_' or 'fc_')
  add_item(state, shape.call(id, 'completed', call, text, state.ctx))
end

function add.opaque(state, block)
  if block.protocol ~= 'openai_responses' then
    return lose(state, 'reply.opaque')
  end
  state.output[#state.output + 1] = block.json
  state.last = nil  -- It says its status itself.
end

local IN_MESSAGE = { text = true, refusal = true }

--- Makes the answer that events tell.
---
--- @param events px.Event[]
--- @param ctx px.Context
--- @return table body
function M.write(events, ctx)
  local folded = fold.fold(events, ctx, 'openai_responses')
  if folded.failure then
    local _, body = errors.write(errors.failure(folded.failure))
    return body
  end
  local body = shape.response(ctx, folded.model, folded.id)
  local state = { ctx = ctx, output = body.output, parts = later, last = later }
  for _, block in ipairs(folded.blocks) do
    if not IN_MESSAGE[block.kind] then
      state.parts = nil
    end
    add[block.kind](state, block)
  end
  if state.last then
    state.last.status = shape.last_status(folded.finish)
  end
  local kind = shape.finish(body, folded.finish)
  body.usage = usage.write(folded.usage or read.NONE)
  if ctx.keep and kind ~= 'response.failed' then
    ctx.keep(body)
  end
  return body
end

M.models, M.model = chat.models, chat.model

--- Tells how many tokens a request has.
---
--- @param tokens integer
--- @return table body
function M.count(tokens)
  return { object = 'response.input_tokens', input_tokens = tokens }
end

return M
