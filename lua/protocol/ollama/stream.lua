--- Ollama's streams: read from an upstream, written for a client, watched while relayed.
---
--- They are lines of JSON. There is nothing to keep a client waiting with: a line of its own would
--- be content, and an empty one breaks clients.

local alike = require('protocol._alike')
local json = require('px.json')
local read = require('protocol._read')
local reader = require('protocol.ollama._reader')
local metrics = require('protocol.ollama._metrics')
local stops = require('protocol._stops')
local writer = require('protocol.ollama._writer')

local M = {}

M.content_type = 'application/x-ndjson'
M.framing = 'lines'

--- Every line has `done`, so that what is found is the last one.
--- @type px.Tap
M.tap = { 'done', 'error' }

local function decoded(text)
  local body = text and json.decode(text)
  return type(body) == 'table' and body or {}
end

--- Reads the usage of a relayed stream.
---
--- @param found table<string, string>
--- @return boolean complete
--- @return px.Event? used
function M.tapped(found)
  local last = decoded(found.done)
  local complete = last.done == true or reader.is_error(decoded(found.error))
  return complete, metrics.read(last)
end

--- Tells what one of the first lines is, without a reader: see px.Begins.
---
--- @return 'content'|'error'|nil
function M.begins(_, data)
  if not data:find('%S') then
    return nil
  end
  local body = json.decode(data)
  if type(body) ~= 'table' or reader.is_error(body) then
    return 'error'
  end
  return reader.says_something(body) and 'content' or nil
end

--- @param ctx px.Context
--- @return px.Reader
function M.reader(ctx)
  local state = reader.new(ctx)
  local match, learn = alike.new('"content":"', '"created_at":"')
  local last  -- Block of the text, when the last line was nothing else.

  return stops.behind(function(_, data)
    if not data then
      return state:close()
    elseif state.done then
      return nil
    end
    local text = last and match(data)
    if text and text ~= '' then
      return { { kind = 'text', index = last, text = text } }
    elseif not data:find('%S') then
      return nil
    end
    local body = json.decode(data)
    if type(body) ~= 'table' then
      return state:fail(read.nonsense(data), 'internal')
    elseif reader.is_error(body) then
      return state:fail(data)
    end
    local events = {}
    state:take(events, body)
    local only = events[1]
    last = only and not events[2] and only.kind == 'text' and not ctx.logprobs and only.index
    if last then
      learn(data, only.text)
    end
    return only and events or nil
  end, ctx.stops)
end

M.writer = writer.new

return M
