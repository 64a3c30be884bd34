--- Unary answers of Chat Completions, and its list of models.

local json = require('px.json')
local details = require('protocol.openai_chat._details')
local errors = require('protocol.openai_chat.errors')
local finish = require('protocol.openai_chat._finish')
local fold = require('protocol._fold')
local logprobs = require('protocol._logprobs')
local read = require('protocol._read')
local reader = require('protocol.openai_chat._reader')
local signature = require('protocol._signature')
local stops = require('protocol._stops')
local usage = require('protocol.openai_chat._usage')
local writer = require('protocol.openai_chat._writer')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

--- Walks an answer as the events that a stream of it would give.
---
--- @param body any
--- @param ctx px.Context
--- @return px.Event[]
function M.read(body, ctx)
  local state = reader.new(ctx)
  local choices = type(body) == 'table' and body.choices
  if type(choices) ~= 'table' or (body.error and body.error ~= json.null) then
    return state:fail(json.encode(body == nil and json.null or body))
  end
  local events = {}
  state:head(events, body)
  local choice = choices[1]
  if type(choice) == 'table' then
    if type(choice.message) == 'table' then
      state:delta(events, choice.message)
    elseif type(choice.text) == 'string' then
      state:delta(events, { content = choice.text })
    end
    state:probs(events, choice.logprobs)
    state:finish(choice.finish_reason)
  end
  if #choices > 1 and ctx.lost then
    ctx.lost('reply.choices')
  end
  for _, event in ipairs(state:close(true)) do
    events[#events + 1] = event
  end
  return ctx.stops and stops.filter(ctx.stops)(events) or events
end

local function write_call(block)
  local text = block.args or ''
  if block.custom then
    return { id = block.id, type = 'custom', custom = { name = block.name, input = text } }
  end
  return {
    id = block.id,
    type = 'function',
    ['function'] = { name = block.name, arguments = text ~= '' and text or '{}' },
  }
end

--- Adds to one of the lists that a message is made of. Most stay away.
local function add(lists, name, value)
  local list = lists[name]
  if list then
    list[#list + 1] = value
  else
    lists[name] = { value }
  end
end

local function add_thought(lists, block, ctx)
  if block.text then
    add(lists, 'thoughts', block.text)
  end
  local proof = block.kind == 'redacted' and block.data or block.signature
  if proof then
    local place = #(lists.proofs or read.NONE)
    add(lists, 'proofs', details.item(block.kind, block.text,
      signature.tag('openai_chat', ctx.origin, proof), place))
  end
end

local function add_text(lists, block, ctx)
  add(lists, 'texts', block.text)
  for _, citation in ipairs(block.citations or read.NONE) do
    if citation.url then
      add(lists, 'notes', writer.annotation(citation))
    else
      ctx.lost('reply.citations')
    end
  end
end

local function write_message(folded, ctx)
  local lists = { texts = later, thoughts = later, calls = later }
  for _, block in ipairs(folded.blocks) do
    if block.kind == 'text' then
      add_text(lists, block, ctx)
    elseif block.kind == 'thinking' or block.kind == 'redacted' then
      add_thought(lists, block, ctx)
    elseif block.kind == 'refusal' then
      add(lists, 'refusals', block.text)
    elseif block.kind == 'tool_call' then
      add(lists, 'calls', write_call(block))
    elseif block.kind == 'image' then
      add(lists, 'images', writer.image(block.url))
    else
      ctx.lost('reply.' .. block.kind)
    end
  end
  local silent = not lists.calls and not lists.refusals
  return {
    role = 'assistant',
    content = lists.texts and table.concat(lists.texts) or silent and '' or json.null,
    refusal = lists.refusals and table.concat(lists.refusals) or json.null,
    reasoning_content = lists.thoughts and table.concat(lists.thoughts),
    reasoning_details = lists.proofs,
    tool_calls = lists.calls,
    annotations = lists.notes,
    images = lists.images,
  }
end

--- Makes the answer that events tell.
---
--- @param events px.Event[]
--- @param ctx px.Context
--- @return table body
function M.write(events, ctx)
  local folded = fold.fold(events)
  if folded.failure then
    local _, body = errors.write(errors.failure(folded.failure))
    return body
  end
  local likely = logprobs.folded(folded.blocks)
  return {
    id = 'chatcmpl-' .. (ctx.id or '0'),
    object = 'chat.completion',
    created = ctx.now or 0,
    model = ctx.model or folded.model or '',
    choices = { {
      index = 0,
      message = write_message(folded, ctx),
      logprobs = likely and writer.logprobs(likely) or json.null,
      finish_reason = finish.write(folded.finish or 'stop'),
    } },
    usage = usage.write(folded.usage or read.NONE),
  }
end

local function model_of(model)
  return {
    id = model.id,
    object = 'model',
    created = model.created or 0,
    owned_by = model.owned_by or 'proxima',
  }
end

--- Lists models.
---
--- @param list px.Model[]
--- @return table body
function M.models(list)
  local data = json.array({})
  for i, model in ipairs(list) do
    data[i] = model_of(model)
  end
  return { object = 'list', data = data }
end

--- Tells of one model.
---
--- @param model px.Model
--- @return table body
function M.model(model)
  return model_of(model)
end

return M
