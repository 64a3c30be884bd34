--- Writes neutral events as an Anthropic stream.
---
--- Clients expect one open block, numbered without gaps. Text and thinking close each other at
--- once. What comes while a tool call is open waits behind it, block by block, until it ends.

local json = require('px.json')
local errors = require('protocol.anthropic.errors')
local finish = require('protocol.anthropic._finish')
local ids = require('protocol._ids')
local media = require('protocol._media')
local NONE = require('protocol._read').NONE
local signature = require('protocol._signature')
local usage = require('protocol.anthropic._usage')

local M = {}

M.PING = 'event: ping\ndata: {"type":"ping"}\n\n'

local encode = json.encode

local DELTA_HEAD = 'event: content_block_delta\ndata: {"type":"content_block_delta","index":'
local START_HEAD = 'event: content_block_start\ndata: {"type":"content_block_start","index":'
local STOP_HEAD = 'event: content_block_stop\ndata: {"type":"content_block_stop","index":'
local TAIL = '}}\n\n'

-- Neutral kind of a delta: its form on the wire up to the text.
local DELTA = {
  args = ',"delta":{"type":"input_json_delta","partial_json":',
  refusal = ',"delta":{"type":"text_delta","text":',
  signature = ',"delta":{"type":"signature_delta","signature":',
  text = ',"delta":{"type":"text_delta","text":',
  thinking = ',"delta":{"type":"thinking_delta","thinking":',
}

-- Neutral kind of the first event of a block: the kind of block.
local OPENS = {
  args = 'tool', citation = 'text', opaque = 'opaque', redacted = 'redacted', refusal = 'text',
  signature = 'thinking', text = 'text', thinking = 'thinking', tool_start = 'tool',
}

local BLOCK = {
  text = ',"content_block":{"type":"text","text":""}}\n\n',
  thinking = ',"content_block":{"type":"thinking","thinking":"","signature":""}}\n\n',
}

--- Tells whether a citation can be told here: what has no address is only for who made it.
local function can_cite(event)
  return event.url ~= nil or (event.protocol == 'anthropic' and event.json ~= nil)
end

M.can_cite = can_cite

local function citation_of(event)
  if event.protocol == 'anthropic' and event.json then
    return event.json
  end
  return {
    type = 'web_search_result_location',
    cited_text = event.text or '',
    encrypted_index = '',
    title = event.title or event.url,
    url = event.url,
  }
end

M.citation = citation_of

--- @class px.ClaudeWriter
--- @field ctx px.Context
--- @field count integer Blocks so far, which number them on the wire.
--- @field current? integer The neutral index of the open block.
--- @field current_kind? string
--- @field heads table<string, string> For the open block: bytes in front of each kind of delta.
--- @field text string[] The pieces of a delta of its text, which are not joined: see px.Writer.
--- @field signed boolean The open block has its proof.
--- @field free? string The open block calls a custom tool: what stands before its next text.
--- @field closed table<integer, boolean> Blocks that are over.
--- @field queue table[] Blocks that wait behind an open tool call, in order.
--- @field waiting table<integer, table> The same by index.

local FREE = '{"input":"'

local function start(self, event)
  local ctx = self.ctx
  self.started = true
  return 'event: message_start\ndata: ' .. encode({
    type = 'message_start',
    message = {
      id = 'msg_' .. (ctx.id or '0'),
      type = 'message',
      role = 'assistant',
      model = ctx.model or (event and event.model) or '',
      content = json.array({}),
      stop_reason = json.null,
      stop_sequence = json.null,
      usage = usage.write({ input = ctx.estimate or 0, output = 0 }),
    },
  }) .. '\n\n'
end

--- The block of the wire that has members of its own.
local function block_of(self, event, kind)
  if kind == 'tool' then
    return { type = 'tool_use', id = ids.call(event.id or ''), name = event.name or '',
      input = json.object({}) }
  elseif kind == 'redacted' then
    return { type = 'redacted_thinking',
      data = signature.tag('anthropic', self.ctx.origin, event.data) }
  end
  return event.json
end

local function open_block(self, event)
  local kind, heads = OPENS[event.kind], self.heads
  local number = ('%d'):format(self.count)
  self.count = self.count + 1
  self.current, self.current_kind, self.signed = event.index, kind, false
  self.free = kind == 'tool' and event.custom and FREE or nil
  local head = DELTA_HEAD .. number
  for name, form in pairs(DELTA) do
    heads[name] = head .. form
  end
  heads.citation = head
  self.text = { heads.text, '', TAIL }
  heads.stop = STOP_HEAD .. number .. '}\n\n'
  if BLOCK[kind] then
    return START_HEAD .. number .. BLOCK[kind]
  end
  return START_HEAD .. number .. ',"content_block":' .. encode(block_of(self, event, kind))
    .. '}\n\n'
end

--- A piece of the free text of a custom tool, which here is a member of an object.
local function free_text(self, text)
  local piece = self.free .. encode(text):sub(2, -2)
  self.free = ''
  return self.heads.args .. encode(piece) .. TAIL
end

local function delta(self, event)
  local kind = event.kind
  local head = self.heads[kind]
  if kind == 'args' and self.free then
    return free_text(self, event.text)
  end
  if kind == 'citation' then
    return head .. ',"delta":{"type":"citations_delta","citation":' .. encode(citation_of(event))
      .. TAIL
  elseif kind == 'signature' then
    if self.signed then
      return ''
    end
    self.signed = true
    return head .. encode(signature.tag('anthropic', self.ctx.origin, event.text)) .. TAIL
  elseif not DELTA[kind] or event.text == '' then
    return ''
  end
  return head .. encode(event.text) .. TAIL
end

local function close(self)
  if self.current == nil then
    return ''
  end
  local rest = ''
  if self.free then
    rest = self.heads.args .. encode(self.free .. '"}') .. TAIL
    self.free = nil
  end
  self.closed[self.current] = true
  self.current, self.current_kind = nil, nil
  return rest .. self.heads.stop
end

local function wait(self, event)
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
  return ''
end

--- Takes waiting blocks in order until one is open that has not ended.
local function drain(self)
  local out, queue = {}, self.queue
  while not self.current and queue[1] do
    local entry = table.remove(queue, 1)
    self.waiting[entry.index] = nil
    out[#out + 1] = open_block(self, entry.events[1])
    for _, event in ipairs(entry.events) do
      out[#out + 1] = delta(self, event)
    end
    if entry.stopped or (queue[1] and self.current_kind ~= 'tool') then
      out[#out + 1] = close(self)
    end
  end
  return table.concat(out)
end

local function block_event(self, event)
  local index, kind = event.index, event.kind
  if index == self.current then
    if kind == 'block_stop' then
      return close(self) .. (self.queue[1] and drain(self) or '')
    end
    return delta(self, event)
  elseif kind == 'block_stop' then
    return self.waiting[index] and wait(self, event) or ''
  elseif not OPENS[kind] then
    return ''
  elseif self.current_kind == 'tool' or self.waiting[index] then
    return wait(self, event)
  end
  -- Nothing may be added to a tool call or a proof that is over; late text opens a new block.
  if self.closed[index] and OPENS[kind] ~= 'text' and kind ~= 'thinking' then
    return ''
  end
  return close(self) .. open_block(self, event) .. delta(self, event)
end

local function write_end(self)
  local out = { self.started and '' or start(self), close(self) }
  while self.queue[1] do
    out[#out + 1] = drain(self) .. close(self)
  end
  local used = self.used or NONE
  out[#out + 1] = 'event: message_delta\ndata: ' .. encode({
    type = 'message_delta',
    delta = {
      stop_reason = finish.write(self.reason),
      stop_sequence = self.stop or json.null,
    },
    usage = usage.write(used),
  }) .. '\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
  return table.concat(out)
end

-- Events that belong to no block. Called with (self, event).
local on = {}

function on.ping()
  return M.PING
end

function on.finish(self, event)
  self.reason, self.stop = event.reason, event.stop
end

function on.usage(self, event)
  self.used = event
end

function on.start(self, event)
  return not self.started and start(self, event) or nil
end

function on.error(self, event)
  self.over = true
  local _, body = errors.write(errors.failure(event))
  return 'event: error\ndata: ' .. encode(body) .. '\n\n'
end

local function write_event(self, event)
  if event.index == nil then
    local write = on[event.kind]
    return write and write(self, event)
  elseif event.kind == 'image' then
    event = media.instead(event, self.ctx, 'anthropic')
  elseif event.kind == 'opaque' and event.protocol ~= 'anthropic' then
    self.ctx.lost('reply.opaque')
    return nil
  elseif event.kind == 'citation' and not can_cite(event) then
    self.ctx.lost('reply.citations')
    return nil
  end
  local bytes = block_event(self, event)
  if not self.started then
    bytes = start(self) .. bytes
  end
  return bytes ~= '' and bytes or nil
end

--- @param ctx px.Context
--- @return px.Writer
function M.new(ctx)
  local self = {
    ctx = ctx, count = 0, heads = {}, signed = false, closed = {}, queue = {}, waiting = {},
    started = false, over = false,
  }

  return function(event)
    if self.over then
      return nil
    elseif not event then
      self.over = true
      return write_end(self)
    elseif event.kind == 'text' and event.index == self.current
      and self.current_kind == 'text' and event.text ~= '' then
      local pieces = self.text
      pieces[2] = encode(event.text)
      return pieces
    end
    return write_event(self, event)
  end
end

return M
