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

-- Delta type on the wire: its neutral kind, and the member that carries its text.
local DELTA = {
  input_json_delta = { 'args', 'partial_json' },
  signature_delta = { 'signature', 'signature' },
  text_delta = { 'text', 'text' },
  thinking_delta = { 'thinking', 'thinking' },
}

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

--- @param ctx px.Context
function M.new(ctx)
  local count, blocks = 0, {}
  local started, done, called, refused = false, false, false, nil
  local reason, stop_text
  local used = {}
  local self = {}

  local function next_index()
    count = count + 1
    return count - 1
  end

  --- Takes the message of message_start, or a whole answer.
  function self.start(events, message)
    usage.merge(used, message.usage)
    if not started then
      started = true
      events[#events + 1] = {
        kind = 'start',
        id = read.maybe_text(message.id),
        model = read.maybe_text(message.model),
      }
    end
  end

  local on_start = {}

  function on_start.text(events, block, content)
    local text = read.maybe_text(content.text)
    block.kind = 'text'
    if text and text ~= '' then
      block.begun = true
      events[#events + 1] = { kind = 'text', index = block.index, text = text }
    end
    for _, citation in ipairs(read.maybe_table(content.citations)) do
      if type(citation) == 'table' then
        block.begun = true
        events[#events + 1] = citation_event(block.index, citation)
      end
    end
  end

  function on_start.thinking(events, block, content)
    local text, proof = read.maybe_text(content.thinking), read.maybe_text(content.signature)
    block.kind = 'thinking'
    if text and text ~= '' then
      block.begun = true
      events[#events + 1] = { kind = 'thinking', index = block.index, text = text }
    end
    if proof and proof ~= '' then
      block.begun = true
      events[#events + 1] = { kind = 'signature', index = block.index, text = proof }
    end
  end

  function on_start.redacted_thinking(events, block, content)
    block.kind, block.begun = 'redacted', true
    events[#events + 1] =
      { kind = 'redacted', index = block.index, data = read.maybe_text(content.data) or '' }
  end

  function on_start.tool_use(events, block, content)
    local name = ids.restore(ctx, read.maybe_text(content.name) or '')
    block.kind, block.content = 'tool', content
    if name == ctx.format_tool then
      block.kind = 'format'
      return
    end
    called, block.begun = true, true
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
  function self.block_start(events, wire_index, content)
    local old = blocks[wire_index]
    if old and not old.stopped then
      self.block_stop(events, wire_index)
    end
    local block = { index = next_index() }
    blocks[wire_index] = block
    local start = on_start[content.type]
    if start then
      start(events, block, content)
    else
      block.kind, block.content = 'opaque', content
    end
  end

  local function emit_args(events, block, text)
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

  --- Takes content_block_delta.
  function self.delta(events, wire_index, delta)
    local block = blocks[wire_index]
    if not block or block.stopped then
      self.block_start(events, wire_index, { type = delta.type == 'text_delta' and 'text'
        or delta.type == 'thinking_delta' and 'thinking' or 'unknown' })
      block = blocks[wire_index]
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
    end
    block.begun = true
    if known[1] == 'args' then
      block.filled = true
      emit_args(events, block, text)
    else
      events[#events + 1] = { kind = known[1], index = block.index, text = text }
    end
  end

  local function stop_opaque(events, block)
    local content = block.content
    if content.type == 'unknown' then
      return
    end
    block.begun = true
    if block.pieces then
      content.input = json.decode(table.concat(block.pieces)) or content.input
    end
    events[#events + 1] =
      { kind = 'opaque', index = block.index, json = content, protocol = 'anthropic' }
  end

  --- Takes content_block_stop.
  function self.block_stop(events, wire_index)
    local block = blocks[wire_index]
    if not block or block.stopped then
      return
    end
    block.stopped = true
    local input = block.content and block.content.input
    if (block.kind == 'tool' or block.kind == 'custom' or block.kind == 'format')
      and not block.filled and type(input) == 'table' and next(input) ~= nil then
      block.begun = true
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

  --- Tells whether blocks have begun, and whether a tool call is open.
  function self.progress()
    for _, block in pairs(blocks) do
      if not block.stopped and block.kind == 'tool' then
        return count > 0, true
      end
    end
    return count > 0, false
  end

  --- Takes stop_reason and usage, of message_delta or of a whole answer.
  function self.finish(delta, body_usage)
    usage.merge(used, body_usage)
    local word = read.maybe_text(delta.stop_reason)
    if word then
      reason = word
      stop_text = read.maybe_text(delta.stop_sequence)
    end
    refused = read.maybe_text(read.maybe_table(delta.stop_details).explanation) or refused
  end

  local function close_blocks(events)
    local open = {}
    for wire_index, block in pairs(blocks) do
      if not block.stopped then
        open[#open + 1] = wire_index
      end
    end
    table.sort(open, function(a, b)
      return blocks[a].index < blocks[b].index
    end)
    for _, wire_index in ipairs(open) do
      self.block_stop(events, wire_index)
    end
  end

  --- Ends the reply. `earned` says that its terminator came.
  ---
  --- @return px.Event[]?
  function self.close(earned)
    if done then
      return nil
    end
    done = true
    if not reason and not earned then
      return { { kind = 'error', code = 'cut', status = 502,
        message = 'the upstream ended its answer in the middle' } }
    end
    local events = {}
    close_blocks(events)
    local meant = finish.read(reason, called)
    if refused and meant == 'filter' then
      local index = next_index()
      events[#events + 1] = { kind = 'refusal', index = index, text = refused }
      events[#events + 1] = { kind = 'block_stop', index = index }
    end
    events[#events + 1] = { kind = 'finish', reason = meant, stop = stop_text }
    events[#events + 1] = usage.event(used)
    return events
  end

  --- Ends the reply with an error, told by the upstream in `text` or by ourselves.
  ---
  --- @return px.Event[]?
  function self.fail(text, code)
    if done then
      return nil
    end
    done = true
    if code then
      return { { kind = 'error', code = code, status = 502, message = text } }
    end
    local failure = errors.read(nil, text)
    return { { kind = 'error', code = failure.code, message = failure.message,
      status = failure.status, type = failure.type } }
  end

  function self.over()
    return done
  end

  return self
end

return M
