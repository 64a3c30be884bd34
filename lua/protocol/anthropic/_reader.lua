--- Turns Anthropic's blocks and deltas into neutral events, for streams and unary answers alike.
---
--- Blocks are numbered anew, since proxies splice streams and indices start again. What the request
--- emulated is turned back: a forced tool that stood for structured output becomes text, a function
--- that stood for a custom tool gives back its free text.

local json = require('px.json')
local errors = require('protocol.anthropic.errors')
local finish = require('protocol.anthropic._finish')
local ids = require('protocol._ids')
local read = require('protocol._read')
local usage = require('protocol.anthropic._usage')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

-- Delta type on the wire: its neutral kind, and the member that carries its text.
local DELTA = {
  input_json_delta = { 'args', 'partial_json' },
  signature_delta = { 'signature', 'signature' },
  text_delta = { 'text', 'text' },
  thinking_delta = { 'thinking', 'thinking' },
}

-- Stands for a block that a stream never started.
local UNKNOWN = 'unknown'

--- A citation of the wire as an event.
local function citation_event(index, citation)
  return {
    kind = 'citation',
    index = index,
    url = read.maybe_text(citation.url),
    title = read.maybe_text(citation.title),
    json = citation,
    protocol = 'anthropic',
  }
end

--- The free text in the arguments of an emulated custom tool.
local function free_text(args)
  local value = json.decode(args)
  if type(value) == 'table' and type(value.input) == 'string' then
    return value.input
  end
  return args
end

--- @class px.ClaudeReader
--- @field ctx px.Context
--- @field count integer Blocks so far.
--- @field blocks table<integer, table> Blocks by their index on the wire.
--- @field used table Usage so far.
--- @field started boolean
--- @field called boolean A tool call of the client's was seen.
--- @field done boolean
local Reader = {}
Reader.__index = Reader

--- @param ctx px.Context
--- @return px.ClaudeReader
function M.new(ctx)
  return setmetatable({
    ctx = ctx, count = 0, blocks = {}, used = usage.new(), started = false, called = false,
    done = false, reason = later, stop = later, refused = later,
  }, Reader)
end

--- Takes the message of message_start, or a whole answer.
function Reader:start(events, message)
  usage.merge(self.used, message.usage)
  if not self.started then
    self.started = true
    events[#events + 1] = {
      kind = 'start',
      id = read.maybe_text(message.id),
      model = read.maybe_text(message.model),
    }
  end
end

-- Type of block: what its start says. Called with (self, events, block, content).
local on_start = {}

local function said(events, block, kind, text)
  if type(text) == 'string' and text ~= '' then
    block.begun = true
    events[#events + 1] = { kind = kind, index = block.index, text = text }
  end
end

function on_start.text(_, events, block, content)
  block.kind = 'text'
  said(events, block, 'text', content.text)
  for _, citation in ipairs(read.maybe_table(content.citations)) do
    if type(citation) == 'table' then
      block.begun = true
      events[#events + 1] = citation_event(block.index, citation)
    end
  end
end

function on_start.thinking(_, events, block, content)
  block.kind = 'thinking'
  said(events, block, 'thinking', content.thinking)
  said(events, block, 'signature', content.signature)
end

function on_start.redacted_thinking(_, events, block, content)
  block.kind, block.begun = 'redacted', true
  events[#events + 1] =
    { kind = 'redacted', index = block.index, data = read.maybe_text(content.data) or '' }
end

function on_start.tool_use(self, events, block, content)
  local ctx = self.ctx
  local name = ids.restore(ctx, read.maybe_text(content.name) or '')
  block.kind, block.content = 'tool', content
  if name == ctx.format_tool then
    block.kind = 'format'
    return
  end
  self.called, block.begun = true, true
  if ctx.customs and ctx.customs[name] then
    block.kind, block.pieces = 'custom', {}
  end
  local id = read.maybe_text(content.id)
  events[#events + 1] = {
    kind = 'tool_start',
    index = block.index,
    id = id and id ~= '' and id or ('toolu_%s_%d'):format(ctx.id or '0', block.index),
    name = name,
    custom = block.kind == 'custom' or nil,
  }
end

--- Takes content_block_start.
function Reader:block_start(events, wire_index, content)
  local old = self.blocks[wire_index]
  if old and not old.stopped then
    self:block_stop(events, wire_index)
  end
  local block = {
    index = self.count, kind = later, begun = later, content = later, stopped = later,
  }
  self.count = self.count + 1
  self.blocks[wire_index] = block
  local start = on_start[content.type]
  if start then
    start(self, events, block, content)
  else
    block.kind, block.content = 'opaque', content
  end
end

local function emit_args(events, block, text)
  block.begun = true
  if block.kind == 'custom' then
    block.pieces[#block.pieces + 1] = text
  elseif block.kind == 'format' then
    events[#events + 1] = { kind = 'text', index = block.index, text = text }
  elseif block.kind == 'opaque' then
    block.pieces = block.pieces or {}
    block.pieces[#block.pieces + 1] = text
  else
    events[#events + 1] = { kind = 'args', index = block.index, text = text }
  end
end

local STARTS = { text_delta = 'text', thinking_delta = 'thinking' }

--- Takes content_block_delta.
function Reader:delta(events, wire_index, delta)
  local block = self.blocks[wire_index]
  if not block or block.stopped then
    self:block_start(events, wire_index, { type = STARTS[delta.type] or UNKNOWN })
    block = self.blocks[wire_index]
  end
  local known = DELTA[delta.type]
  if not known then
    if delta.type == 'citations_delta' and type(delta.citation) == 'table' then
      block.begun = true
      events[#events + 1] = citation_event(block.index, delta.citation)
    end
    return
  end
  local text = delta[known[2]]
  if type(text) ~= 'string' or text == '' then
    return
  elseif known[1] == 'args' then
    block.filled = true
    emit_args(events, block, text)
  else
    block.begun = true
    events[#events + 1] = { kind = known[1], index = block.index, text = text }
  end
end

local function stop_opaque(events, block)
  local content = block.content
  if content.type == UNKNOWN then
    return
  end
  block.begun = true
  if block.pieces then
    content.input = json.decode(table.concat(block.pieces)) or content.input
  end
  events[#events + 1] =
    { kind = 'opaque', index = block.index, json = content, protocol = 'anthropic' }
end

local CALLS = { tool = true, custom = true, format = true }

--- Takes content_block_stop.
function Reader:block_stop(events, wire_index)
  local block = self.blocks[wire_index]
  if not block or block.stopped then
    return
  end
  block.stopped = true
  local input = block.content and block.content.input
  -- Some upstreams put the whole input into the start.
  if CALLS[block.kind] and not block.filled and type(input) == 'table' and next(input) ~= nil then
    emit_args(events, block, json.encode(input))
  end
  if block.kind == 'custom' then
    local text = free_text(table.concat(block.pieces))
    events[#events + 1] = { kind = 'args', index = block.index, text = text }
  elseif block.kind == 'opaque' then
    stop_opaque(events, block)
  end
  -- A block starts with its first event: an empty one never was.
  if block.begun then
    events[#events + 1] = { kind = 'block_stop', index = block.index }
  end
end

--- Tells whether a tool call is open.
function Reader:in_call()
  for _, block in pairs(self.blocks) do
    if not block.stopped and CALLS[block.kind] then
      return true
    end
  end
  return false
end

--- Takes stop_reason and usage, of message_delta or of a whole answer.
function Reader:finish(delta, body_usage)
  usage.merge(self.used, body_usage)
  local word = read.maybe_text(delta.stop_reason)
  if word then
    self.reason = word
    self.stop = read.maybe_text(delta.stop_sequence)
  end
  local details = read.maybe_table(delta.stop_details)
  self.refused = read.maybe_text(details.explanation) or self.refused
end

function Reader:close_blocks(events)
  local open
  for wire_index, block in pairs(self.blocks) do
    if not block.stopped then
      open = open or {}
      open[#open + 1] = wire_index
    end
  end
  if not open then
    return
  end
  table.sort(open, function(a, b)
    return self.blocks[a].index < self.blocks[b].index
  end)
  for _, wire_index in ipairs(open) do
    self:block_stop(events, wire_index)
  end
end

--- Ends the reply. `earned` says that its terminator came.
---
--- @param earned boolean
--- @return px.Event[]?
function Reader:close(earned)
  if self.done then
    return nil
  elseif not self.reason and not earned then
    return self:fail('the upstream ended its answer in the middle', 'cut')
  end
  self.done = true
  local events = {}
  self:close_blocks(events)
  local reason = finish.read(self.reason, self.called)
  if self.refused and reason == 'filter' then
    events[#events + 1] = { kind = 'refusal', index = self.count, text = self.refused }
    events[#events + 1] = { kind = 'block_stop', index = self.count }
  end
  events[#events + 1] = { kind = 'finish', reason = reason, stop = self.stop }
  events[#events + 1] = usage.event(self.used)
  return events
end

--- Ends the reply with an error, told by the upstream in `text`, or by ourselves under a `code`.
---
--- @param text string
--- @param code? string
--- @return px.Event[]?
function Reader:fail(text, code)
  if self.done then
    return nil
  end
  self.done = true
  if code then
    return { { kind = 'error', code = code, status = 502, message = text } }
  end
  local failure = errors.read(nil, text)
  return { { kind = 'error', code = failure.code, message = failure.message,
    status = failure.status, type = failure.type } }
end

return M
