--- Anthropic Messages streams: read from an upstream, written for a client, watched while relayed.

local alike = require('protocol._alike')
local json = require('px.json')
local read = require('protocol._read')
local reader = require('protocol.anthropic._reader')
local usage = require('protocol.anthropic._usage')
local writer = require('protocol.anthropic._writer')

local M = {}

M.content_type = 'text/event-stream; charset=utf-8'
M.keepalive = writer.PING
M.writer = writer.new

--- 'role' finds message_start, where the input is told; 'stop_reason' has a value once, at the end.
--- @type px.Tap
M.tap = { 'role', 'usage', 'stop_reason', 'error' }

local decode = json.decode

--- Reads the usage of a relayed stream: both ends of it tell a part.
---
--- @param found table<string, string>
--- @return boolean complete
--- @return px.Event? used
function M.tapped(found)
  local merged = {}
  local first = found.role and decode(found.role)
  local last = found.usage and decode(found.usage)
  if type(first) == 'table' and type(first.message) == 'table' then
    usage.merge(merged, first.message.usage)
  end
  if type(last) == 'table' then
    usage.merge(merged, type(last.message) == 'table' and last.message.usage or last.usage)
  end
  -- An error that the upstream told itself ends a stream too: the client knows.
  local failed = found.error and decode(found.error)
  local told = type(failed) == 'table' and failed.type == 'error'
  return found.stop_reason ~= nil or told, usage.event(merged)
end

local on = {}

function on.message_start(state, events, body)
  if state:in_call() then
    return state:fail('the upstream began its answer again inside a tool call', 'cut')
  end
  state:start(events, type(body.message) == 'table' and body.message or {})
  return nil
end

function on.content_block_start(state, events, body)
  if type(body.content_block) == 'table' then
    state:block_start(events, body.index or 0, body.content_block)
  end
end

function on.content_block_delta(state, events, body)
  if type(body.delta) == 'table' then
    state:delta(events, body.index or 0, body.delta)
  end
end

function on.content_block_stop(state, events, body)
  state:block_stop(events, body.index or 0)
end

function on.message_delta(state, _, body)
  state:finish(type(body.delta) == 'table' and body.delta or {}, body.usage)
end

function on.message_stop(state)
  return state:close(true)
end

function on.ping(_, events)
  events[#events + 1] = { kind = 'ping' }
end

-- What an event of the wire is at the start of a stream.
local BEGINS = {
  content_block_delta = 'content', content_block_stop = 'content', message_delta = 'content',
  message_stop = 'content', error = 'error',
}

--- Tells what one of the first events is, without a reader: see px.Begins.
---
--- @return 'content'|'error'|nil
function M.begins(kind, data)
  local known = BEGINS[kind]
  if known then
    return known
  end
  local body = decode(data)
  if type(body) ~= 'table' or (body.error ~= nil and body.error ~= json.null) then
    return 'error'
  end
  local block = body.content_block
  if type(block) == 'table' and block.type ~= 'text' and block.type ~= 'thinking' then
    return 'content'
  end
  return BEGINS[body.type]
end

--- @param ctx px.Context
--- @return px.Reader
function M.reader(ctx)
  local state = reader.new(ctx)
  local match, learn = alike.new('"text":"')
  local last  -- Block of the text, when the last event was nothing else.

  return function(_, data)
    if not data then
      return state:close(false)
    elseif state.done or data == '[DONE]' then
      return nil
    end
    local text = last and match(data)
    if text and text ~= '' then
      return { { kind = 'text', index = last, text = text } }
    end
    last = nil
    local body = decode(data)
    if type(body) ~= 'table' then
      return state:fail(read.nonsense(data), 'internal')
    elseif body.type == 'error' or (body.error and body.error ~= json.null) then
      return state:fail(data)
    end
    local take = on[body.type]
    if not take then
      return nil
    end
    local events = {}
    for _, event in ipairs(take(state, events, body) or {}) do
      events[#events + 1] = event
    end
    local only = events[1]
    if only and not events[2] and only.kind == 'text' then
      last = only.index
      learn(data, only.text)
    end
    return only and events or nil
  end
end

return M
