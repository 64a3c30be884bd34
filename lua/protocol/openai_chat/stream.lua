--- Chat Completions streams: read from an upstream, written for a client, watched while relayed.

local alike = require('protocol._alike')
local json = require('px.json')
local read = require('protocol._read')
local reader = require('protocol.openai_chat._reader')
local stops = require('protocol._stops')
local usage = require('protocol.openai_chat._usage')
local writer = require('protocol.openai_chat._writer')

local M = {}

M.content_type = 'text/event-stream; charset=utf-8'
M.keepalive = writer.KEEPALIVE

--- @type px.Tap
M.tap = { 'usage', 'x_groq', 'finish_reason', 'error' }

local decode, null = json.decode, json.null

local function decoded(text)
  local body = text and decode(text)
  return type(body) == 'table' and body or {}
end

local function has_finish(body)
  local choice = type(body.choices) == 'table' and body.choices[1]
  local word = type(choice) == 'table' and choice.finish_reason
  return type(word) == 'string' and word ~= ''
end

-- An error that the upstream told itself ends a stream too: the client knows.
local function told_error(body)
  return body.error ~= nil and body.error ~= null
end

--- Reads the usage of a relayed stream.
---
--- @param found table<string, string>
--- @return boolean complete
--- @return px.Event? used
function M.tapped(found)
  local used = decoded(found.usage).usage
  local groq = decoded(found.x_groq).x_groq
  if type(used) ~= 'table' and type(groq) == 'table' then
    used = groq.usage
  end
  local complete = found.done ~= nil or has_finish(decoded(found.finish_reason))
    or told_error(decoded(found.error))
  return complete, type(used) == 'table' and usage.read(used) or nil
end

--- Only the first choice is read: the neutral model has one.
local function is_first(choice)
  if type(choice) ~= 'table' then
    return false
  end
  local index = choice.index
  return index == 0 or index == nil or index == null
end

--- Takes the choices of one chunk.
local function take_choices(state, events, choices)
  for _, choice in ipairs(type(choices) == 'table' and choices or {}) do
    if is_first(choice) then
      local delta = choice.delta or choice.message
      if type(delta) == 'table' then
        state:delta(events, delta)
      end
      if choice.logprobs then
        state:probs(events, choice.logprobs)
      end
      if choice.finish_reason then
        state:finish(choice.finish_reason)
      end
    else
      state:lose('reply.choices')
    end
  end
end

local function says_something(delta)
  for name, value in pairs(type(delta) == 'table' and delta or {}) do
    local empty = value == null or value == '' or (type(value) == 'table' and next(value) == nil)
    if name ~= 'role' and not empty then
      return true
    end
  end
  return false
end

--- Tells what one of the first chunks is, without a reader: see px.Begins.
---
--- @return 'content'|'error'|nil
function M.begins(_, data)
  if data == '[DONE]' then
    return 'content'
  end
  local body = decode(data)
  if type(body) ~= 'table' or (body.error ~= nil and body.error ~= null) then
    return 'error'
  end
  for _, choice in ipairs(type(body.choices) == 'table' and body.choices or {}) do
    local reason = type(choice) == 'table' and choice.finish_reason
    if reason and reason ~= null and reason ~= '' then
      return 'content'
    elseif type(choice) == 'table' and says_something(choice.delta or choice.message) then
      return 'content'
    end
  end
end

--- @param ctx px.Context
--- @return px.Reader
function M.reader(ctx)
  local state = reader.new(ctx)
  local match, learn = alike.new('"content":"')
  local last  -- Block of the text, when the last chunk was nothing else.

  return stops.behind(function(_, data)
    if not data then
      return state:close(false)
    elseif state.done then
      return nil
    elseif data == '[DONE]' then
      return state:close(true)
    end
    local text = last and match(data)
    if text and text ~= '' then
      return { { kind = 'text', index = last, text = text } }
    end
    local body = decode(data)
    if type(body) ~= 'table' then
      return state:fail(read.nonsense(data), 'internal')
    elseif body.error and body.error ~= null then
      return state:fail(data)
    end
    local events = {}
    state:head(events, body)
    take_choices(state, events, body.choices)
    local only = events[1]
    last = only and not events[2] and only.kind == 'text' and not only.logprobs
      and only.index or nil
    if last then
      learn(data, only.text)
    end
    return only and events or nil
  end, ctx.stops)
end

M.writer = writer.new

return M
