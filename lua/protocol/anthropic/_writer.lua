--- Writes neutral events as an Anthropic stream.
---
--- Clients expect one open block, numbered without gaps. Text and thinking close each other at
--- once. What comes while a tool call is open waits behind it, block by block, until it ends.

local json = require('px.json')
local errors = require('protocol.anthropic.errors')
local finish = require('protocol.anthropic._finish')
local ids = require('protocol._ids')
local signature = require('protocol._signature')
local usage = require('protocol.anthropic._usage')

local M = {}

local encode = json.encode

local DELTA_HEAD = 'event: content_block_delta\ndata: {"type":"content_block_delta","index":'
local START_HEAD = 'event: content_block_start\ndata: {"type":"content_block_start","index":'
local STOP_HEAD = 'event: content_block_stop\ndata: {"type":"content_block_stop","index":'
local TAIL = '}}\n\n'
local PING = 'event: ping\ndata: {"type":"ping"}\n\n'

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

local function citation_of(event)
  if event.protocol == 'anthropic' and event.json then
    return event.json
  end
  return {
    type = 'web_search_result_location',
    cited_text = event.text or '',
    encrypted_index = '',
    title = event.title or event.url or json.null,
    url = event.url or '',
  }
end

M.citation = citation_of

--- @param ctx px.Context
--- @return px.Writer
function M.new(ctx)
  local count = 0
  local current, current_kind -- The neutral index of the open block, and its kind.
  local heads = {}            -- For the open block: delta kind to precomputed bytes.
  local text_head
  local signed = false
  local closed, queue, waiting = {}, {}, {}
  local started, over, reason, stop_text, used = false, false, nil, nil, nil
  local written = 0

  local function start(event)
    started = true
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

  local function open_block(event, kind)
    local number = ('%d'):format(count)
    count = count + 1
    current, current_kind, signed = event.index, kind, false
    local head = DELTA_HEAD .. number
    heads.args, heads.thinking = head .. DELTA.args, head .. DELTA.thinking
    heads.signature, heads.refusal = head .. DELTA.signature, head .. DELTA.refusal
    heads.text, heads.citation = head .. DELTA.text, head
    heads.stop = STOP_HEAD .. number .. '}\n\n'
    text_head = kind == 'text' and heads.text or nil
    if BLOCK[kind] then
      return START_HEAD .. number .. BLOCK[kind]
    end
    local block
    if kind == 'tool' then
      block = { type = 'tool_use', id = ids.call(event.id or ''), name = event.name or '',
        input = json.object({}) }
    elseif kind == 'redacted' then
      block = { type = 'redacted_thinking',
        data = signature.tag('anthropic', ctx.origin, event.data) }
    else
      block = event.json
    end
    return START_HEAD .. number .. ',"content_block":' .. encode(block) .. '}\n\n'
  end

  local function delta(event)
    local kind = event.kind
    if kind == 'citation' then
      return heads.citation .. ',"delta":{"type":"citations_delta","citation":'
        .. encode(citation_of(event)) .. TAIL
    elseif kind == 'signature' then
      if signed then
        return ''
      end
      signed = true
      return heads.signature .. encode(signature.tag('anthropic', ctx.origin, event.text)) .. TAIL
    end
    local head = heads[kind]
    if not head or kind == 'tool_start' or event.text == '' then
      return ''
    end
    written = written + #event.text
    return head .. encode(event.text) .. TAIL
  end

  local function close()
    if current == nil then
      return ''
    end
    local bytes = heads.stop
    closed[current] = true
    current, current_kind, text_head = nil, nil, nil
    return bytes
  end

  local function wait(event)
    local entry = waiting[event.index]
    if not entry then
      entry = { index = event.index, events = {} }
      waiting[event.index] = entry
      queue[#queue + 1] = entry
    end
    if event.kind == 'block_stop' then
      entry.stopped = true
    else
      entry.events[#entry.events + 1] = event
    end
    return ''
  end

  -- Takes waiting blocks in order until one is open that has not ended.
  local function drain()
    local out = {}
    while not current and queue[1] do
      local entry = table.remove(queue, 1)
      waiting[entry.index] = nil
      local first = entry.events[1]
      if first then
        out[#out + 1] = open_block(first, OPENS[first.kind])
        for _, event in ipairs(entry.events) do
          out[#out + 1] = delta(event)
        end
        if entry.stopped or (queue[1] and current_kind ~= 'tool') then
          out[#out + 1] = close()
        end
      end
    end
    return table.concat(out)
  end

  local function block_event(event)
    local index, kind = event.index, event.kind
    if index == current then
      if kind == 'block_stop' then
        return close() .. (queue[1] and drain() or '')
      end
      return delta(event)
    elseif kind == 'block_stop' then
      return waiting[index] and wait(event) or ''
    elseif current_kind == 'tool' or waiting[index] then
      return wait(event)
    end
    -- Nothing may be added to a tool call or a proof that is over; late text opens a new block.
    if closed[index] and OPENS[kind] ~= 'text' and kind ~= 'thinking' then
      return ''
    end
    return close() .. open_block(event, OPENS[kind]) .. delta(event)
  end

  local function write_end()
    if over then
      return nil
    end
    over = true
    local out = { started and '' or start(), close(), drain(), close() }
    while queue[1] do
      out[#out + 1] = drain() .. close()
    end
    local last = used or { input = ctx.estimate or 0, output = math.ceil(written / 4) }
    out[#out + 1] = 'event: message_delta\ndata: ' .. encode({
      type = 'message_delta',
      delta = {
        stop_reason = finish.write(reason),
        stop_sequence = stop_text or json.null,
      },
      usage = usage.write(last),
    }) .. '\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
    return table.concat(out)
  end

  local function special(event)
    local kind = event.kind
    if kind == 'ping' then
      return PING
    elseif kind == 'finish' then
      reason, stop_text = event.reason, event.stop
    elseif kind == 'usage' then
      used = event
    elseif kind == 'error' then
      over = true
      local _, body = errors.write(errors.failure(event))
      return 'event: error\ndata: ' .. encode(body) .. '\n\n'
    elseif kind == 'start' and not started then
      return start(event)
    end
    return nil
  end

  return function(event)
    if not event then
      return write_end()
    elseif over then
      return nil
    elseif event.index ~= nil and event.index == current and event.kind == 'text' and text_head then
      local text = event.text
      written = written + #text
      return text ~= '' and text_head .. encode(text) .. TAIL or nil
    elseif event.index == nil then
      return special(event)
    elseif event.kind == 'opaque' and event.protocol ~= 'anthropic' then
      if ctx.lost then
        ctx.lost('reply.opaque')
      end
      return nil
    end
    local bytes = block_event(event)
    if not started then
      bytes = start() .. bytes
    end
    return bytes ~= '' and bytes or nil
  end
end

return M
