--- Turns lines (or a unary answer, which is one long line) into neutral events.
---
--- Each line of a stream tells a piece of text, a piece of thinking, or whole calls.

local json = require('px.json')
local arguments = require('protocol.ollama._arguments')
local errors = require('protocol.ollama.errors')
local ids = require('protocol._ids')
local logprobs = require('protocol._logprobs')
local media = require('protocol._media')
local metrics = require('protocol.ollama._metrics')
local read = require('protocol._read')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

--- @class px.OllamaReader
--- @field ctx px.Context
--- @field count integer Blocks so far.
--- @field open? integer The open block of text or thinking.
--- @field open_kind? string
--- @field calls integer
--- @field used table<string, boolean> Ids of calls.
--- @field started boolean
--- @field done boolean
--- @field held? px.Logprob[] Tokens that wait for the text that they make.
local Reader = {}
Reader.__index = Reader

--- @param ctx px.Context
--- @return px.OllamaReader
function M.new(ctx)
  return setmetatable({
    ctx = ctx, count = 0, calls = 0, used = {}, started = false, done = false, open = later,
    open_kind = later,
  }, Reader)
end

local function said(text)
  return type(text) == 'string' and text ~= ''
end

function Reader:lose(path)
  self.ctx.lost(path)
end

local function next_index(self)
  self.count = self.count + 1
  return self.count - 1
end

local function close_block(self, events)
  if self.open then
    events[#events + 1] = { kind = 'block_stop', index = self.open }
    self.open, self.open_kind = nil, nil
  end
end

local function add(self, events, kind, text)
  if self.open_kind ~= kind then
    close_block(self, events)
    self.open, self.open_kind = next_index(self), kind
  end
  events[#events + 1] = { kind = kind, index = self.open, text = text }
end

--- An image that the model made, in base64.
local function add_image(self, events, data)
  if said(data) then
    close_block(self, events)
    media.add_image(events, next_index(self), media.image_url(nil, data))
  end
end

--- The call's own id, or one that repeats for the same request.
local function id_of(self, call)
  local id = read.maybe_text(call.id)
  if not said(id) or self.used[id] then
    id = ('call_%s_%d'):format(self.ctx.id or '0', self.calls)
  end
  self.used[id] = true
  return id
end

local function add_call(self, events, call)
  local inner = type(call) == 'table' and read.maybe_table(call['function']) or {}
  local name = read.maybe_text(inner.name)
  if not said(name) then
    self:lose('reply.tool_call')
    return
  end
  close_block(self, events)
  self.calls = self.calls + 1
  name = ids.restore(self.ctx, name)
  local custom = self.ctx.customs and self.ctx.customs[name] or nil
  local args = arguments.text(inner.arguments)
  local index = next_index(self)
  events[#events + 1] =
    { kind = 'tool_start', index = index, id = id_of(self, call), name = name, custom = custom }
  events[#events + 1] =
    { kind = 'args', index = index, text = custom and arguments.free_text(args) or args }
  events[#events + 1] = { kind = 'block_stop', index = index }
end

--- @param events px.Event[]
--- @param body table A line.
function Reader:take(events, body)
  if not self.started then
    self.started = true
    events[1] = { kind = 'start', model = read.maybe_text(body.model) }
  end
  local message = body.message
  if type(message) ~= 'table' then
    message = body
  end
  if said(message.thinking) then
    add(self, events, 'thinking', message.thinking)
  end
  local text = message.content or message.response
  if said(text) then
    add(self, events, 'text', text)
  end
  if self.ctx.logprobs and body.logprobs then
    self.held = logprobs.attach(events, logprobs.of_openai(body.logprobs), self.held)
  end
  for _, call in ipairs(read.maybe_table(message.tool_calls)) do
    add_call(self, events, call)
  end
  add_image(self, events, message.image)
  if body ~= message then
    add_image(self, events, body.image)
  end
  for _, data in ipairs(read.maybe_table(message.images)) do
    add_image(self, events, data)
  end
  if body.done == true then
    self:finish(events, body)
  end
end

--- Takes what the last line has.
function Reader:finish(events, body)
  self.done = true
  if self.held then
    self:lose('reply.logprobs')
  end
  close_block(self, events)
  events[#events + 1] =
    { kind = 'finish', reason = metrics.finish(body.done_reason, self.calls > 0) }
  events[#events + 1] = metrics.read(body)
end

--- Ends the reply with an error, told by the upstream in `text`, or by ourselves under a `code`.
---
--- @param text string
--- @param code? string
--- @return px.Event[]
function Reader:fail(text, code)
  self.done = true
  if code then
    return { { kind = 'error', code = code, status = 502, message = text } }
  end
  local failure = errors.read(nil, text)
  return { { kind = 'error', code = failure.code, message = failure.message,
    status = failure.status, type = failure.type } }
end

--- The upstream's bytes ended.
---
--- @return px.Event[]?
function Reader:close()
  if self.done then
    return nil
  end
  return self:fail('the upstream ended its answer in the middle', 'cut')
end

--- Tells whether a line has more than its frame.
function M.says_something(body)
  local message = type(body.message) == 'table' and body.message or body
  return body.done == true or said(message.content) or said(message.response)
    or said(message.thinking) or read.maybe_table(message.tool_calls)[1] ~= nil
end

--- Tells whether a body is an error's.
function M.is_error(body)
  local failed = body.error
  return failed ~= nil and failed ~= json.null and failed ~= ''
end

return M
