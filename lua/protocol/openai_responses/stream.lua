--- Responses streams: read from an upstream, written for a client, watched while relayed.

local deltas = require('protocol.openai_responses._delta')
local errors = require('protocol.openai_responses.errors')
local json = require('px.json')
local read = require('protocol._read')
local reader = require('protocol.openai_responses._reader')
local stops = require('protocol._stops')
local usage = require('protocol.openai_responses._usage')
local writer = require('protocol.openai_responses._writer')

local M = {}

M.content_type = 'text/event-stream; charset=utf-8'
M.keepalive = writer.KEEPALIVE
M.writer = writer.new

--- 'response' finds the events that hold the whole response, of which the last ends the stream;
--- 'error' and 'message' find the two forms of an error event; 'sequence_number' is in every event,
--- so it finds the last one.
--- @type px.Tap
M.tap = { 'response', 'error', 'message', 'sequence_number' }

local decode, null = json.decode, json.null

-- Type of event: the status that it ends a response with.
local TERMINAL = {
  ['response.completed'] = 'completed', ['response.done'] = 'completed',
  ['response.incomplete'] = 'incomplete', ['response.failed'] = 'failed',
  ['response.cancelled'] = 'cancelled',
}

local function decoded(text)
  local body = text and decode(text)
  return type(body) == 'table' and body or {}
end

--- Reads the usage of a relayed stream.
---
--- @param found table<string, string>
--- @return boolean complete
--- @return px.Event? used
function M.tapped(found)
  local last = decoded(found.response)
  local used = read.maybe_table(last.response).usage
  -- An error that the upstream told itself ends a stream too: the client knows.
  local complete = TERMINAL[last.type] ~= nil or decoded(found.error).type == 'error'
    or decoded(found.message).type == 'error'
  return complete, type(used) == 'table' and usage.read(used) or nil
end

-- Type of event: what it does. Called with (state, events, body).
local on = {}

local function begin(state, events, body)
  state:start(events, read.maybe_table(body.response))
end
on['response.created'], on['response.in_progress'], on['response.queued'] = begin, begin, begin

on['response.output_item.added'] = function(state, events, body)
  state:item_added(events, body.output_index, read.maybe_table(body.item))
end

on['response.output_item.done'] = function(state, events, body)
  state:item_done(events, body.output_index, read.maybe_table(body.item))
end

local function on_text(kind)
  return function(state, events, body)
    state:add_text(events, state:slot(body.output_index), body.content_index, kind, body.delta,
      body.logprobs)
  end
end
on['response.output_text.delta'] = on_text('text')
on['response.refusal.delta'] = on_text('refusal')

on['response.content_part.done'] = function(state, events, body)
  local part = read.maybe_table(body.part)
  if part.type == 'reasoning_text' then
    state:add_thinking(events, state:slot(body.output_index), 'content', body.content_index,
      part.text, true)
  else
    state:end_part(events, state:slot(body.output_index), body.content_index, part)
  end
end

on['response.output_text.annotation.added'] = function(state, events, body)
  state:add_note(events, state:slot(body.output_index), body.content_index, body.annotation)
end

local function on_thinking(channel, at, whole)
  local member = whole and 'text' or 'delta'
  return function(state, events, body)
    state:add_thinking(events, state:slot(body.output_index), channel, body[at], body[member],
      whole)
  end
end
on['response.reasoning_summary_text.delta'] = on_thinking('summary', 'summary_index')
on['response.reasoning_summary_text.done'] = on_thinking('summary', 'summary_index', true)
on['response.reasoning_text.delta'] = on_thinking('content', 'content_index')
on['response.reasoning_text.done'] = on_thinking('content', 'content_index', true)

local function on_args(member, whole)
  return function(state, events, body)
    state:add_args(events, state:slot(body.output_index), body[member], whole)
  end
end
on['response.function_call_arguments.delta'] = on_args('delta')
on['response.function_call_arguments.done'] = on_args('arguments', true)
on['response.custom_tool_call_input.delta'] = on_args('delta')
on['response.custom_tool_call_input.done'] = on_args('input', true)

for kind, status in pairs(TERMINAL) do
  on[kind] = function(state, events, body)
    local response = read.maybe_table(body.response)
    local told = status == 'completed' and read.maybe_text(response.status)
    state:finish(events, response, told == 'incomplete' and told or status)
  end
end

-- Items that say nothing yet when they begin.
local EMPTY = { message = true, reasoning = true }

--- Tells what one of the first events is, without a reader: see px.Begins.
---
--- @return 'content'|'error'|nil
function M.begins(_, data)
  if data == '[DONE]' then
    return nil
  end
  local body = decode(data)
  local kind = type(body) == 'table' and body.type
  local status = TERMINAL[kind]
  if type(kind) ~= 'string' or kind == 'error' or status == 'failed' or status == 'cancelled' then
    return 'error'
  elseif status or kind:find('%.delta$') or kind == 'response.output_item.done' then
    return 'content'
  elseif kind == 'response.output_item.added' and not EMPTY[read.maybe_table(body.item).type] then
    return 'content'
  end
  return not on[kind] and body.error and body.error ~= null and 'error' or nil
end

--- @param ctx px.Context
--- @return px.Reader
function M.reader(ctx)
  local state = reader.new(ctx)
  local match, learn = deltas.new()
  local last  -- Block of the text, when the last event was nothing else.

  return stops.behind(function(_, data)
    if state.done then
      return nil
    elseif not data then
      return state:fail('the upstream ended its answer in the middle', 'cut')
    elseif data == '[DONE]' then
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
    end
    local events, take = {}, on[body.type]
    if body.type == 'error' or (not take and body.error and body.error ~= null) then
      return state:fail(errors.text_of(body))
    elseif take then
      take(state, events, body)
    end
    local only = events[1]
    if not ctx.logprobs and only and not events[2] and only.kind == 'text'
      and body.type == 'response.output_text.delta' then
      last = only.index
      learn(data)
    end
    return only and events or nil
  end, ctx.stops)
end

return M
