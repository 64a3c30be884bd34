--- Turns the items of a response into neutral events, for streams and unary answers alike.
---
--- Items are told apart by output_index, since some proxies change ids on every event. What was not
--- streamed is taken from the event that ends a part, an item or the response, and never twice.

local errors = require('protocol.openai_responses.errors')
local ids = require('protocol._ids')
local json = require('px.json')
local logprobs = require('protocol._logprobs')
local media = require('protocol._media')
local read = require('protocol._read')
local usage = require('protocol.openai_responses._usage')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

local text_of = read.maybe_text

--- @class px.ResponsesReader
--- @field ctx px.Context
--- @field count integer Blocks so far.
--- @field slots table<integer, table> Items by output_index.
--- @field last integer The highest output_index so far.
--- @field seen table<string, boolean> Ids of items and calls.
--- @field started boolean
--- @field called boolean A tool call of the client's was seen.
--- @field done boolean
--- @field held? px.Logprob[] Tokens that wait for the text that they make.
local Reader = {}
Reader.__index = Reader

--- @param ctx px.Context
--- @return px.ResponsesReader
function M.new(ctx)
  return setmetatable({
    ctx = ctx, count = 0, slots = {}, last = -1, seen = {}, started = false, called = false,
    done = false, held = later,
  }, Reader)
end

function Reader:next_index()
  self.count = self.count + 1
  return self.count - 1
end

--- Takes the response of created, or a whole answer.
function Reader:start(events, response)
  if not self.started then
    self.started = true
    events[#events + 1] = {
      kind = 'start', id = text_of(response.id), model = text_of(response.model),
    }
  end
end

--- The item at an output_index. Without one the last item is meant, or a new one.
---
--- @param at any
--- @param fresh? boolean
--- @return table slot
function Reader:slot(at, fresh)
  at = read.maybe_number(at) or (fresh and self.last + 1) or math.max(self.last, 0)
  local slot = self.slots[at]
  if not slot then
    slot = { parts = {}, summaries = {}, part = later }
    self.slots[at] = slot
    self.last = math.max(self.last, at)
  end
  return slot
end

local function stop(events, block)
  if block and block.index and not block.stopped then
    block.stopped = true
    events[#events + 1] = { kind = 'block_stop', index = block.index }
  end
end

--- Adds text to a part of a message.
---
--- @param slot table
--- @param at any content_index
--- @param kind 'text'|'refusal'
--- @param text any
--- @param likely any How likely its tokens were.
function Reader:add_text(events, slot, at, kind, text, likely)
  local tokens = self.ctx.logprobs and kind == 'text' and likely and logprobs.of_openai(likely)
  if text == '' and tokens then
    self.held = logprobs.attach({}, tokens, self.held)
  end
  if type(text) ~= 'string' or text == '' or slot.done then
    return
  end
  at = read.maybe_number(at) or 0
  local part = slot.parts[at]
  if not part then
    stop(events, slot.part)
    part = { index = self:next_index(), kind = kind }
    slot.parts[at], slot.part = part, part
  elseif part.stopped then
    return
  end
  part.said = true
  events[#events + 1] = { kind = part.kind, index = part.index, text = text }
  if tokens then
    self.held = logprobs.attach(events, tokens, self.held)
  end
end

--- Adds a citation to a part of a message.
function Reader:add_note(events, slot, at, note)
  at = read.maybe_number(at) or 0
  local part = slot.parts[at]
  if type(note) ~= 'table' then
    return
  elseif not part and not slot.done then
    stop(events, slot.part)
    part = { index = self:next_index(), kind = 'text' }
    slot.parts[at], slot.part = part, part
  end
  if not part or part.stopped or part.kind ~= 'text' then
    return
  end
  part.noted = true
  events[#events + 1] = {
    kind = 'citation',
    index = part.index,
    url = text_of(note.url),
    title = text_of(note.title),
    first = read.maybe_number(note.start_index),
    last = read.maybe_number(note.end_index),
    json = note,
    protocol = 'openai_responses',
  }
end

--- Ends a part, filling in what was not streamed.
function Reader:end_part(events, slot, at, body)
  at = read.maybe_number(at) or 0
  local part = slot.parts[at]
  local refused = body.type == 'refusal'
  if not (part and part.said) then
    local text = text_of(body.text) or text_of(body.refusal)
    self:add_text(events, slot, at, refused and 'refusal' or 'text', text, body.logprobs)
    part = slot.parts[at]
  end
  if not (part and part.noted) then
    for _, note in ipairs(read.maybe_table(body.annotations)) do
      self:add_note(events, slot, at, note)
    end
  end
  stop(events, slot.parts[at])
end

--- Adds thinking. One channel counts, the summary or the text itself, whichever speaks first.
---
--- @param slot table
--- @param channel 'summary'|'content'
--- @param at any summary_index or content_index
--- @param text any
--- @param whole? boolean The text is complete: nothing if some of it came before.
function Reader:add_thinking(events, slot, channel, at, text, whole)
  if type(text) ~= 'string' or text == '' or slot.done or slot.kind then
    return
  end
  slot.channel = slot.channel or channel
  at = read.maybe_number(at) or 0
  if slot.channel ~= channel or (whole and slot.summaries[at]) then
    return
  end
  slot.index = slot.index or self:next_index()
  if slot.at and slot.at ~= at and not slot.summaries[at] then
    events[#events + 1] = { kind = 'thinking', index = slot.index, text = '\n\n' }
  end
  slot.summaries[at], slot.at = true, at
  events[#events + 1] = { kind = 'thinking', index = slot.index, text = text }
end

--- A tool's name with its namespace in front, which writers of this protocol give back.
local function flat_name(ctx, space, name)
  if not space or space == '' then
    return name
  end
  local flat = space .. '__' .. name
  ctx.namespaces = ctx.namespaces or {}
  ctx.namespaces[flat] = ctx.namespaces[flat] or { namespace = space, name = name }
  return flat
end

--- Starts a call once its id and name are known.
function Reader:start_call(events, slot, item)
  if slot.index or slot.done then
    return
  end
  slot.kind = item.type
  slot.id = slot.id or text_of(item.call_id)
  local name = text_of(item.name)
  slot.name = slot.name or (name ~= '' and name) or nil
  if not slot.name or not slot.id then
    return
  end
  self.called, slot.index = true, self:next_index()
  events[#events + 1] = {
    kind = 'tool_start',
    index = slot.index,
    id = slot.id,
    name = ids.restore(self.ctx, flat_name(self.ctx, text_of(item.namespace), slot.name)),
    custom = slot.kind == 'custom_tool_call' or nil,
  }
  if slot.early then
    events[#events + 1] = { kind = 'args', index = slot.index, text = table.concat(slot.early) }
    slot.early = nil
  end
end

--- Adds arguments.
---
--- @param whole? boolean The text is complete: nothing if some of it came before.
function Reader.add_args(_, events, slot, text, whole)
  if type(text) == 'table' then
    text = json.encode(text)
  end
  if type(text) ~= 'string' or text == '' or slot.done or (whole and slot.filled) then
    return
  end
  slot.filled = true
  if slot.index and slot.kind then
    events[#events + 1] = { kind = 'args', index = slot.index, text = text }
  else
    slot.early = slot.early or {}
    table.insert(slot.early, text)
  end
end

-- Type of item: what its end says. Called with (self, events, slot, item).
local on_done = {}

function on_done.message(self, events, slot, item)
  for i, part in ipairs(read.maybe_table(item.content)) do
    if type(part) == 'table' then
      self:end_part(events, slot, i - 1, part)
    end
  end
  stop(events, slot.part)
end

function on_done.reasoning(self, events, slot, item)
  for i, part in ipairs(read.maybe_table(item.content)) do
    self:add_thinking(events, slot, 'content', i - 1, read.maybe_table(part).text, true)
  end
  for i, part in ipairs(read.maybe_table(item.summary)) do
    self:add_thinking(events, slot, 'summary', i - 1, read.maybe_table(part).text, true)
  end
  local proof = text_of(item.encrypted_content)
  if proof and proof ~= '' then
    slot.index = slot.index or self:next_index()
    events[#events + 1] = { kind = 'signature', index = slot.index, text = proof }
  end
  stop(events, slot)
end

local UNPACK = { ['multi_tool_use.parallel'] = true, ['functions.multi_tool_use.parallel'] = true }

--- Takes a wrapper apart in which some models put several calls.
local function unpack_calls(self, events, item)
  local inner = read.maybe_table(json.decode(text_of(item.arguments) or ''))
  for i, use in ipairs(read.maybe_table(inner.tool_uses)) do
    local name = type(use) == 'table' and text_of(use.recipient_name)
    if name then
      local index, given = self:next_index(), use.parameters
      self.called = true
      events[#events + 1] = {
        kind = 'tool_start',
        index = index,
        id = ('%s_%d'):format(text_of(item.call_id) or 'call', i),
        name = ids.restore(self.ctx, (name:gsub('^functions%.', ''))),
      }
      local args = type(given) == 'table' and json.encode(given) or text_of(given) or '{}'
      events[#events + 1] = { kind = 'args', index = index, text = args }
      events[#events + 1] = { kind = 'block_stop', index = index }
    end
  end
end

function on_done.function_call(self, events, slot, item)
  if UNPACK[item.name] then
    return unpack_calls(self, events, item)
  end
  slot.id = slot.id or text_of(item.call_id)
    or ('call_%s_%d'):format(self.ctx.id or '0', self.count)
  self:start_call(events, slot, item)
  self:add_args(events, slot, item.arguments, true)
  stop(events, slot)
end

function on_done.custom_tool_call(self, events, slot, item)
  slot.id = slot.id or text_of(item.call_id)
    or ('call_%s_%d'):format(self.ctx.id or '0', self.count)
  self:start_call(events, slot, item)
  self:add_args(events, slot, item.input, true)
  stop(events, slot)
end

local function opaque(self, events, _, item)
  local made = item.type == 'image_generation_call' and read.maybe_text(item.result)
  if made and made ~= '' then
    local format = read.maybe_text(item.output_format) or 'png'
    media.add_image(events, self:next_index(), media.image_url('image/' .. format, made), item,
      'openai_responses')
    return
  end
  local index = self:next_index()
  events[#events + 1] =
    { kind = 'opaque', index = index, json = item, protocol = 'openai_responses' }
  events[#events + 1] = { kind = 'block_stop', index = index }
end

--- Takes output_item.added.
function Reader:item_added(events, at, item)
  local slot = self:slot(at, true)
  slot.type = slot.type or text_of(item.type)
  local called = item.type == 'function_call' or item.type == 'custom_tool_call'
  if called and not UNPACK[item.name] then
    self:start_call(events, slot, item)
    slot.starting = item.arguments or item.input
  end
end

--- Closes what is open of an item.
function Reader:end_slot(events, slot)
  stop(events, slot.part)
  stop(events, slot)
  slot.done = true
  if slot.kind and not slot.index and self.ctx.lost then
    self.ctx.lost('reply.tool_call')
  end
end

--- Takes output_item.done, or an item of a whole answer.
function Reader:item_done(events, at, item)
  local slot = self:slot(at, true)
  if slot.done then
    return
  end
  local take = on_done[item.type] or (type(item.type) == 'string' and opaque)
  if take then
    take(self, events, slot, item)
  end
  self:end_slot(events, slot)
  for _, id in ipairs({ text_of(item.id) or '', text_of(item.call_id) or '' }) do
    self.seen[id] = id ~= '' or nil
  end
end

--- Takes the items of a whole answer that were not streamed.
function Reader:items(events, list)
  for i, item in ipairs(read.maybe_table(list)) do
    local slot = self.slots[i - 1]
    local known = slot and slot.done
    if type(item) == 'table' and not known
      and not self.seen[item.id or ''] and not self.seen[item.call_id or ''] then
      self:item_done(events, i - 1, item)
    end
  end
end

-- Closes what an upstream left open.
function Reader:close_items(events)
  local places = {}
  for at in pairs(self.slots) do
    places[#places + 1] = at
  end
  table.sort(places)
  for _, at in ipairs(places) do
    local slot = self.slots[at]
    if not slot.done then
      self:add_args(events, slot, slot.starting, true)
      self:end_slot(events, slot)
    end
  end
end

local REASON = { max_output_tokens = 'length', max_tokens = 'length', content_filter = 'filter' }

local function reason_of(self, response, status)
  if status == 'incomplete' then
    local details = read.maybe_table(response.incomplete_details)
    return REASON[details.reason] or 'stop'
  end
  return self.called and 'tool' or 'stop'
end

local FAILED = { failed = true, cancelled = true }
local UNFINISHED = { queued = true, in_progress = true }

--- Ends the reply with a response.
---
--- @param events px.Event[]
--- @param response table
--- @param status string
function Reader:finish(events, response, status)
  if self.done then
    return
  elseif FAILED[status] or UNFINISHED[status] then
    local told = UNFINISHED[status] and self:fail('the upstream has not finished its answer', 'cut')
      or self:fail(errors.text_of({ response = response }))
    events[#events + 1] = told[1]
    return
  end
  self:start(events, response)
  self:items(events, response.output)
  self:close_items(events)
  self.done = true
  events[#events + 1] = { kind = 'finish', reason = reason_of(self, response, status) }
  if type(response.usage) == 'table' then
    events[#events + 1] = usage.read(response.usage)
  end
end

--- Ends the reply with an error, told by the upstream in `text`, or by ourselves under a `code`.
---
--- @param text string
--- @param code? string
--- @return px.Event[]
function Reader:fail(text, code)
  if self.done then
    return {}
  end
  self.done = true
  if code then
    return { { kind = 'error', code = code, status = 502, message = text } }
  end
  local failure = errors.read(nil, text)
  return { { kind = 'error', code = failure.code, message = failure.message,
    status = failure.status, type = failure.type, retry_after = failure.retry_after } }
end

return M
