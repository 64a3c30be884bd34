--- Writes neutral events as a Responses stream.
---
--- Items are numbered without gaps and one is open at a time. Text and refusals in a row are parts
--- of one message. Text and thinking close each other at once; what comes while a call is open
--- waits behind it. An item is ended by what follows it, since only the end of the reply tells
--- whether its last item is complete.

local errors = require('protocol.openai_responses.errors')
local json = require('px.json')
local add_piece = require('protocol._pieces').add
local media = require('protocol._media')
local NONE = require('protocol._read').NONE
local shape = require('protocol.openai_responses._reply')
local usage = require('protocol.openai_responses._usage')

local M = {}

M.KEEPALIVE = ': ping\n\n'

local append, encode = json.append, json.encode

-- Neutral kind of the first event of a block: the kind of block.
local OPENS = {
  args = 'call', citation = 'text', opaque = 'opaque', redacted = 'reasoning',
  refusal = 'refusal', signature = 'reasoning', text = 'text', thinking = 'reasoning',
  tool_start = 'call',
}
local PREFIX = { text = 'msg_', refusal = 'msg_', reasoning = 'rs_', call = 'fc_' }
local IN_MESSAGE = { text = true, refusal = true }

--- @class px.ResponsesWriter
--- @field ctx px.Context
--- @field out string[] What the event at hand writes.
--- @field quoted table<string, string> Long texts that were written.
--- @field number integer sequence_number of the next event.
--- @field output table[] Items that are over.
--- @field item? table The open item: id, at, kind, parts of a message.
--- @field block? table The open block: index, kind, pieces, notes.
--- @field closed table<integer, boolean> Blocks that are over.
--- @field queue table[] Blocks that wait behind an open call, in order.
--- @field waiting table<integer, table> The same by index.
local Writer = {}
Writer.__index = Writer

--- Writes one event. What a stream has said is said again when its part, its item and the response
--- end: it is quoted once.
---
--- @param kind string
--- @param members string They follow its type and number.
--- @param value? any Of the last of `members`, which then end in a colon.
--- @param more? string Members behind it.
function Writer:event(kind, members, value, more)
  local out = self.out
  local number = ('%d'):format(self.number)
  self.number = self.number + 1
  out[#out + 1] = 'event: ' .. kind .. '\ndata: {"type":"' .. kind
    .. '","sequence_number":' .. number .. ',' .. members
  if value then
    append(out, value, self.quoted)
  end
  out[#out + 1] = (more or '') .. '}\n\n'
end

--- The members that place an event: item, its number, and the part of it.
local function place(item, part, at)
  return '"item_id":' .. encode(item.id) .. ',"output_index":' .. ('%d'):format(item.at)
    .. (part and (',"' .. part .. '":' .. ('%d'):format(at)) or '')
end

function Writer:begin(event)
  self.response = shape.response(self.ctx, event and event.model, event and event.id)
  local members = '"response":' .. encode(self.response)
  self:event('response.created', members)
  self:event('response.in_progress', members)
end

function Writer:item_event(kind, json_item)
  self:event('response.output_item.' .. kind,
    '"output_index":' .. ('%d'):format(self.item.at) .. ',"item":', json_item)
end

--- The open item as it stands.
function Writer:item_body(status)
  local item, block = self.item, self.block
  if item.kind == 'message' then
    return shape.message(item.id, status, item.parts)
  elseif item.kind == 'reasoning' then
    return shape.reasoning(item.id, status, table.concat(block.pieces), block.proof)
  elseif item.kind == 'call' then
    return shape.call(item.id, status, block.call, table.concat(block.pieces), self.ctx)
  end
  return item.json
end

--- Starts an item for the block at hand.
function Writer:open_item(block)
  local at = #self.output
  local custom = block.call and block.call.custom
  local id = ('%s%s_%d'):format(custom and 'ctc_' or PREFIX[block.kind] or '',
    self.ctx.id or '0', at)
  local kind = IN_MESSAGE[block.kind] and 'message' or block.kind
  self.item = { id = id, at = at, kind = kind, parts = {}, json = block.json }
  if kind == 'opaque' and type(block.json.id) ~= 'string' then
    block.json.id = 'item_' .. id
  end
  self:item_event('added', kind == 'opaque' and block.json or self:item_body('in_progress'))
end

local TEXT_HEAD = 'event: response.output_text.delta\ndata: '
  .. '{"type":"response.output_text.delta","sequence_number":'
local TEXT_TAIL = ',"logprobs":[]}\n\n'

-- Kind of block: how its part begins and ends. Called with (self, item, block).
local part_begin, part_end = {}, {}

local function text_begin(make)
  return function(self, item, block)
    block.at = #item.parts
    block.place = place(item, 'content_index', block.at)
    block.delta = { TEXT_HEAD, '', '', ',' .. block.place .. ',"delta":', '', TEXT_TAIL }
    self:event('response.content_part.added', block.place .. ',"part":' .. encode(make('')))
  end
end
part_begin.text = text_begin(shape.text_part)
part_begin.refusal = text_begin(shape.refusal_part)

function part_end.text(self, item, block)
  local text = table.concat(block.pieces)
  local part = shape.text_part(text, block.notes, block.likely)
  item.parts[#item.parts + 1] = part
  self:event('response.output_text.done', block.place .. ',"text":', text,
    ',"logprobs":' .. encode(part.logprobs))
  self:event('response.content_part.done', block.place .. ',"part":', part)
end

function part_end.refusal(self, item, block)
  local text = table.concat(block.pieces)
  local part = shape.refusal_part(text)
  item.parts[#item.parts + 1] = part
  self:event('response.refusal.done', block.place .. ',"refusal":', text)
  self:event('response.content_part.done', block.place .. ',"part":', part)
end

function part_begin.reasoning(_, item, block)
  block.place = place(item, 'summary_index', 0)
end

function part_end.reasoning(self, _, block)
  if #block.pieces > 0 then
    local text = table.concat(block.pieces)
    self:event('response.reasoning_summary_text.done', block.place .. ',"text":', text)
    self:event('response.reasoning_summary_part.done', block.place .. ',"part":',
      { type = 'summary_text', text = text })
  end
end

function part_begin.call(_, item, block)
  block.place = place(item)
end

function part_end.call(self, item, block)
  local custom = block.call.custom
  local inner = block.wrapped and shape.free_text(table.concat(block.wrapped)) or ''
  if inner ~= '' then
    self:args(item, block, inner)
  elseif #block.pieces == 0 and not custom then
    self:args(item, block, '{}') -- Clients parse the arguments of every call.
  end
  local text = table.concat(block.pieces)
  if custom then
    self:event('response.custom_tool_call_input.done', block.place .. ',"input":', text)
  else
    self:event('response.function_call_arguments.done', block.place .. ',"name":'
      .. encode(self:item_body('completed').name) .. ',"arguments":', text)
  end
end

--- Ends the open block, but not yet its item.
function Writer:close_block()
  local block = self.block
  if block and not block.over then
    block.over = true
    self.closed[block.index] = true
    if part_end[block.kind] then
      part_end[block.kind](self, self.item, block)
    end
  end
end

--- Ends the open item.
function Writer:close_item(status)
  self:close_block()
  if self.item then
    local body = self:item_body(status or 'completed')
    self:item_event('done', body)
    self.output[#self.output + 1] = body
    self.item, self.block = nil, nil
  end
end

--- Opens a block with its first event.
function Writer:open(event)
  local kind = OPENS[event.kind]
  local joins = IN_MESSAGE[kind] and self.item and self.item.kind == 'message'
  if joins then
    self:close_block()
  else
    self:close_item()
  end
  local block = { index = event.index, kind = kind, pieces = {}, json = event.json }
  if kind == 'call' then
    local wrapped = shape.is_wrapped(event, self.ctx)
    block.call = { id = event.id, name = event.name, custom = event.custom or wrapped or nil }
    block.wrapped = wrapped and {} or nil
  end
  self.block = block
  if not joins then
    self:open_item(block)
  end
  if part_begin[kind] then
    part_begin[kind](self, self.item, block)
  end
end

function Writer:args(_, block, text)
  add_piece(block.pieces, text)
  self:event(block.call.custom and 'response.custom_tool_call_input.delta'
    or 'response.function_call_arguments.delta', block.place .. ',"delta":' .. encode(text))
end

-- Kind of event: what it adds to the open block. Called with (self, block, event).
local add = {}

function add.text(self, block, event)
  local kind = block.kind == 'refusal' and 'response.refusal.delta' or 'response.output_text.delta'
  add_piece(block.pieces, event.text)
  for _, one in ipairs(event.logprobs or {}) do
    block.likely = block.likely or {}
    table.insert(block.likely, one)
  end
  self:event(kind, block.place .. ',"delta":' .. encode(event.text)
    .. (block.kind == 'text' and ',"logprobs":' .. encode(shape.logprobs(event.logprobs)) or ''))
end
add.refusal = add.text

function add.thinking(self, block, event)
  if #block.pieces == 0 then
    self:event('response.reasoning_summary_part.added',
      block.place .. ',"part":{"type":"summary_text","text":""}')
  end
  add_piece(block.pieces, event.text)
  self:event('response.reasoning_summary_text.delta',
    block.place .. ',"delta":' .. encode(event.text))
end

function add.args(self, block, event)
  if block.wrapped then
    table.insert(block.wrapped, event.text) -- Free text inside of JSON: it must come whole.
  else
    self:args(self.item, block, event.text)
  end
end

function add.signature(self, block, event)
  block.proof = block.proof or shape.seal(self.ctx, 'thinking', event.text)
end

function add.redacted(self, block, event)
  block.proof = shape.seal(self.ctx, 'redacted', event.data)
end

function add.citation(self, block, event)
  if not shape.can_annotate(event) then
    return self:lose('reply.citations')
  end
  local note = shape.annotation(event)
  block.notes = block.notes or {}
  self:event('response.output_text.annotation.added', block.place .. ',"annotation_index":'
    .. ('%d'):format(#block.notes) .. ',"annotation":' .. encode(note))
  block.notes[#block.notes + 1] = note
end

function Writer:lose(path)
  self.ctx.lost(path)
end

function Writer:add(event)
  local block = self.block
  local take = add[event.kind]
  if take and event.text ~= '' and OPENS[event.kind] == block.kind then
    take(self, block, event)
  end
end

function Writer:wait(event)
  local entry = self.waiting[event.index]
  if not entry then
    entry = { index = event.index, events = {} }
    self.waiting[event.index] = entry
    self.queue[#self.queue + 1] = entry
  end
  if event.kind == 'block_stop' then
    entry.stopped = true
  else
    entry.events[#entry.events + 1] = event
  end
end

--- Takes waiting blocks in order until one is open that has not ended.
function Writer:drain()
  local queue = self.queue
  while queue[1] and (not self.block or self.block.over) do
    local entry = table.remove(queue, 1)
    self.waiting[entry.index] = nil
    self:open(entry.events[1])
    for _, event in ipairs(entry.events) do
      self:add(event)
    end
    if entry.stopped or (queue[1] and self.block.kind ~= 'call') then
      self:close_block()
    end
  end
end

--- Takes an event of a block.
function Writer:take(event)
  local index, kind, block = event.index, event.kind, self.block
  local current = block and not block.over
  if current and index == block.index then
    if kind == 'block_stop' then
      self:close_block()
      self:drain()
    else
      self:add(event)
    end
  elseif kind == 'block_stop' then
    if self.waiting[index] then
      self:wait(event)
    end
  elseif kind == 'args' and not self.waiting[index] then
    return -- Of a call that never began, or is over.
  elseif OPENS[kind] and (self.waiting[index] or (current and block.kind == 'call')) then
    self:wait(event)
  elseif OPENS[kind] and not (self.closed[index] and OPENS[kind] ~= 'text'
      and kind ~= 'thinking' and kind ~= 'refusal') then
    -- Nothing may be added to a call or a proof that is over; late text opens a new block.
    self:open(event)
    self:add(event)
  end
end

--- The end of the stream: the response with all its items.
function Writer:finish()
  if not self.response then
    self:begin()
  end
  self:close_block()
  while self.queue[1] do
    self:drain()
    self:close_block()
  end
  self:close_item(shape.last_status(self.reason))
  local body = self.response
  local kind = shape.finish(body, self.reason)
  body.output = json.array(self.output)
  body.usage = usage.write(self.used or NONE)
  if self.ctx.keep and kind ~= 'response.failed' then
    self.ctx.keep(body)
  end
  self:event(kind, '"response":', body)
end

--- An error ends the stream: items that are open stay so, for clients act on items that end. An
--- error that comes first is told alone, since a relayed stream may have begun before it.
function Writer:fail(event)
  self.response = self.response or shape.response(self.ctx)
  local wire, code = errors.in_stream(event)
  self:event('error', ('"code":%s,"message":%s,"param":null,"error":%s'):format(
    encode(wire.code), encode(wire.message), encode(wire)))
  local body = self.response
  body.status, body.error = 'failed', { code = code, message = wire.message }
  body.output = json.array(self.output)
  if self.used then
    body.usage = usage.write(self.used)
  end
  self:event('response.failed', '"response":', body)
end

-- Events that belong to no block.
local on = {}

function on.ping(self)
  self.out[#self.out + 1] = M.KEEPALIVE
end

function on.finish(self, event)
  self.reason = event.reason
end

function on.usage(self, event)
  self.used = event
end

function on.error(self, event)
  self.over = true
  self:fail(event)
end

function on.start(self, event)
  if not self.response then
    self:begin(event)
  end
end

local DIGITS = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }

--- The same as add.text, for the event that comes most often; nil when it is not that. A number
--- costs as much to write as all the rest, so that its tens are kept.
local function write_text(self, event)
  local block, text = self.block, event.text
  if not block or block.over or block.kind ~= 'text' or block.index ~= event.index
    or text == '' or event.logprobs then
    return nil
  end
  local number = self.number
  local digit = number % 10
  if block.ten ~= number - digit then
    block.ten = number - digit
    block.tens = number > 9 and ('%d'):format(block.ten / 10) or ''
  end
  self.number = number + 1
  add_piece(block.pieces, text)
  local pieces = block.delta
  pieces[2], pieces[3], pieces[5] = block.tens, DIGITS[digit], encode(text)
  return pieces
end

local function write_event(self, event)
  if event.index == nil then
    local write = on[event.kind]
    return write and write(self, event)
  elseif event.kind == 'image' then
    event = media.instead(event, self.ctx, 'openai_responses')
  elseif event.kind == 'opaque' and event.protocol ~= 'openai_responses' then
    return self:lose('reply.opaque')
  end
  if not self.response then
    self:begin()
  end
  self:take(event)
end

--- @param ctx px.Context
--- @return px.Writer
function M.new(ctx)
  local number, response = shape.relayed(ctx.relayed)
  local self = setmetatable({
    ctx = ctx, out = {}, number = number, response = response, output = {}, closed = {},
    queue = {}, waiting = {}, quoted = {}, over = false,
  }, Writer)

  return function(event)
    if self.over then
      return nil
    end
    local text = event and event.kind == 'text' and write_text(self, event)
    if text then
      return text
    elseif not event then
      self.over = true
      self:finish()
    else
      write_event(self, event)
    end
    local out = self.out
    if out[1] then
      self.out = {}
      return out
    end
  end
end

return M
