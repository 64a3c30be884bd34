--- Gemini streams: read from an upstream, written for a client, watched while relayed.

local alike = require('protocol._alike')
local finish = require('protocol.gemini._finish')
local json = require('px.json')
local names = require('protocol.gemini._names')
local add_piece = require('protocol._pieces').add
local read = require('protocol._read')
local reader = require('protocol.gemini._reader')
local stops = require('protocol._stops')
local usage = require('protocol.gemini._usage')
local writer = require('protocol.gemini._writer')

local M = {}

M.content_type = 'text/event-stream; charset=utf-8'

M.writer = writer.new

--- @type px.Tap
M.tap = { 'finishReason', 'usageMetadata', 'blockReason', 'error' }

local decode = json.decode
local get = names.get

local function object_of(text)
  local body = text and decode(text)
  return type(body) == 'table' and body or {}
end

--- Reads the usage of a relayed stream.
---
--- @param found table<string, string>
--- @return boolean complete
--- @return px.Event? used
function M.tapped(found)
  local merged = {}
  usage.merge(merged, get(object_of(found.usageMetadata), 'usageMetadata'))
  local last = read.maybe_table(get(object_of(found.finishReason), 'candidates'))[1]
  local complete = read.maybe_text(get(read.maybe_table(last), 'finishReason')) ~= nil
  local feedback = read.maybe_table(get(object_of(found.blockReason), 'promptFeedback'))
  complete = complete or get(feedback, 'blockReason') ~= nil
  -- An error that the upstream told itself ends a stream too: the client knows.
  complete = complete or type(object_of(found.error).error) == 'table'
  return complete, usage.event(merged)
end

local function is_error(body)
  return read.maybe_table(body[1]).error or (body.error and body.error ~= json.null)
end

local function says_something(candidate)
  local content = read.maybe_table(get(candidate, 'content'))
  for _, part in ipairs(read.maybe_table(get(content, 'parts'))) do
    if type(part) == 'table' and next(part) ~= nil and get(part, 'text') ~= '' then
      return true
    end
  end
  local word = read.maybe_text(get(candidate, 'finishReason'))
  -- A failure with nothing said is told when the stream is over, as one.
  return word ~= nil and finish.read(word, false, false) ~= 'error'
end

--- Tells what one of the first chunks is, without a reader: see px.Begins.
---
--- @return 'content'|'error'|nil
function M.begins(_, data)
  local body = decode(data)
  if type(body) ~= 'table' or is_error(body) then
    return 'error'
  end
  for _, candidate in ipairs(read.maybe_table(get(body, 'candidates'))) do
    if type(candidate) == 'table' and says_something(candidate) then
      return 'content'
    end
  end
  return get(read.maybe_table(get(body, 'promptFeedback')), 'blockReason') and 'content' or nil
end

local PLAIN = {
  body = names.set('candidates usageMetadata modelVersion responseId createTime'),
  candidate = names.set('content index safetyRatings'),
  content = names.set('parts role'),
  part = { text = true },
}

local function has_only(value, known)
  if type(value) ~= 'table' then
    return false
  end
  for name in next, value do
    if not known[name] then
      return false
    end
  end
  return true
end

--- The text of a chunk that holds nothing but more of it: most are so.
local function plain_text(body)
  local list = body.candidates
  local candidate = type(list) == 'table' and list[1]
  if not candidate or list[2] or not has_only(body, PLAIN.body)
    or not has_only(candidate, PLAIN.candidate)
    or not has_only(candidate.content, PLAIN.content) then
    return nil
  end
  local parts = candidate.content.parts
  local part = type(parts) == 'table' and parts[1]
  if not part or parts[2] or not has_only(part, PLAIN.part) or (candidate.index or 0) ~= 0 then
    return nil
  end
  return type(part.text) == 'string' and part.text ~= '' and part.text or nil
end

--- @param ctx px.Context
--- @return px.Reader
function M.reader(ctx)
  local state = reader.new(ctx)
  local match, learn = alike.new('"text":"')

  local function step(_, data)
    if not data then
      return state:close()
    elseif state.done or data == '[DONE]' then
      return nil
    end
    local text = state.open_kind == 'text' and match(data)
    if text and text ~= '' then
      add_piece(state.texts, text)
      return { { kind = 'text', index = state.open, text = text } }
    end
    local body = decode(data)
    if type(body) ~= 'table' then
      return state:fail(read.nonsense(data), 'internal')
    elseif is_error(body) then
      return state:fail(data)
    end
    text = state.open_kind == 'text' and plain_text(body)
    if text then
      usage.merge(state.used, body.usageMetadata)
      add_piece(state.texts, text)
      if not state.reason then
        learn(data, text)
      end
      return { { kind = 'text', index = state.open, text = text } }
    end
    local events = {}
    state:chunk(events, body)
    local only = events[1]
    if only and not events[2] and only.kind == 'text' and not only.logprobs
      and not state.reason then
      learn(data, only.text)
    end
    return only and events or nil
  end

  return stops.behind(step, ctx.stops)
end

return M
