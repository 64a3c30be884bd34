--- Writes neutral events as a stream of lines.
---
--- A call is one line, written when it is whole: calls wait for those before them. The bytes around
--- a text are made once, and not joined to it: see px.Writer.

local json = require('px.json')
local arguments = require('protocol.ollama._arguments')
local errors = require('protocol.ollama.errors')
local logprobs = require('protocol._logprobs')
local media = require('protocol._media')
local metrics = require('protocol.ollama._metrics')
local NONE = require('protocol._read').NONE

local M = {}

local encode = json.encode

--- @class px.OllamaWriter
--- @field ctx px.Context
--- @field model? string The upstream's name of it.
--- @field generate boolean The lines are those of /api/generate.
--- @field head? string Bytes in front of a message; nil before the first line.
--- @field text string[] The pieces of a line of text.
--- @field thinking string[] The same of thinking.
--- @field calls table[] Calls that are not yet written, in order.
--- @field by_index table<integer, table> The same by block.
--- @field count integer Calls written.

--- Makes the bytes that lines share.
local function prepare(self)
  local line = metrics.line(self.ctx, self.model)
  self.generate = metrics.is_generation(self.ctx)
  local start = '{"model":' .. encode(line.model) .. ',"created_at":' .. encode(line.created_at)
  if self.generate then
    self.head = start .. ','
    self.tail = ',"done":false}\n'
    self.thinking = { self.head .. '"response":"","thinking":', '', self.tail }
  else
    self.head = start .. ',"message":{"role":"assistant",'
    self.tail = '},"done":false}\n'
    self.thinking = { self.head .. '"content":"","thinking":', '', self.tail }
  end
  self.text = { self.head .. (self.generate and '"response":' or '"content":'), '', self.tail }
end

--- Puts a text between the bytes of its kind of line.
local function around(pieces, text)
  pieces[2] = encode(text)
  return pieces
end

local function lose(self, path)
  self.ctx.lost(path)
  return nil
end

-- Kind of event: what it writes. Called with (self, event).
local on = {}

function on.text(self, event)
  if event.text == '' then
    return nil
  end
  if event.logprobs then
    local list = encode(logprobs.openai(event.logprobs))
    return self.text[1] .. encode(event.text) .. (self.generate and ',"logprobs":'
      or '},"logprobs":') .. list .. ',"done":false}\n'
  end
  return around(self.text, event.text)
end
on.refusal = on.text

function on.thinking(self, event)
  if event.text == '' then
    return nil
  end
  return around(self.thinking, event.text)
end

function on.signature(self)
  return lose(self, 'reply.signature')
end

function on.redacted(self)
  return lose(self, 'reply.thinking')
end

function on.citation(self)
  return lose(self, 'reply.citations')
end

function on.opaque(self)
  return lose(self, 'reply.opaque')
end

function on.image(self, event)
  return on.text(self, media.instead(event, self.ctx, 'ollama'))
end

function on.tool_start(self, event)
  local call = { id = event.id, name = event.name, custom = event.custom, pieces = {} }
  self.calls[#self.calls + 1] = call
  self.by_index[event.index] = call
end

function on.args(self, event)
  local call = self.by_index[event.index]
  if call and not call.over then
    call.pieces[#call.pieces + 1] = event.text
  end
end

--- A call as this wire has it.
---
--- @param call table id, name, args, custom
--- @param index integer
--- @return table
function M.call(call, index)
  return {
    id = call.id,
    ['function'] = {
      index = index, name = call.name, arguments = arguments.object(call.args, call.custom),
    },
  }
end

local function write_call(self, call)
  call.args = table.concat(call.pieces)
  self.count = self.count + 1
  return self.text[1] .. '"","tool_calls":[' .. encode(M.call(call, self.count - 1)) .. ']'
    .. self.tail
end

--- Writes the calls that are over, up to the first that is not.
local function drain(self, all)
  local out = ''
  while self.calls[1] and (all or self.calls[1].over) do
    out = out .. write_call(self, table.remove(self.calls, 1))
  end
  return out ~= '' and out or nil
end

function on.block_stop(self, event)
  local call = self.by_index[event.index]
  if not call or call.over then
    return nil
  end
  call.over = true
  return drain(self, false)
end

function on.start(self, event)
  if not self.head then
    self.model = event.model
  end
end

function on.finish(self, event)
  self.reason = event.reason
end

function on.usage(self, event)
  self.used = event
end

local function write_end(self)
  local out = drain(self, true) or ''
  local used = self.used or NONE
  local line = metrics.line(self.ctx, self.model)
  if self.generate then
    line.response = ''
  else
    line.message = { role = 'assistant', content = '' }
  end
  return out .. encode(metrics.add(line, self.ctx, self.reason, used)) .. '\n'
end

local function write_error(event)
  local _, body = errors.write(errors.failure(event))
  return encode(body) .. '\n'
end

--- @param ctx px.Context
--- @return px.Writer
function M.new(ctx)
  local self = { ctx = ctx, calls = {}, by_index = {}, count = 0 }
  local over = false

  return function(event)
    if over then
      return nil
    elseif event and event.kind == 'error' then
      over = true
      return write_error(event)
    end
    if not self.head and not (event and event.kind == 'start') then
      prepare(self)
    end
    if not event then
      over = true
      return write_end(self)
    end
    local write = on[event.kind]
    return write and write(self, event)
  end
end

return M
