--- Writes neutral events as Gemini chunks: SSE frames, or the elements of one JSON array.
---
--- A chunk holds whole parts: the arguments of a call wait until it ends. Calls are told in the
--- order in which they began. Nothing but data frames is sent, since the official client loses an
--- event that shares a read with a comment.

local json = require('px.json')
local errors = require('protocol.gemini.errors')
local finish = require('protocol.gemini._finish')
local grounding = require('protocol.gemini._grounding')
local logprobs = require('protocol._logprobs')
local media = require('protocol._media')
local NONE = require('protocol._read').NONE
local outgoing = require('protocol.gemini._outgoing')
local add_piece = require('protocol._pieces').add
local proof = require('protocol.gemini._proof')
local usage = require('protocol.gemini._usage')

local M = {}

local encode = json.encode

--- The part that a finished call makes.
---
--- @param call table id, name, custom
--- @param args string
--- @return table
function M.call(call, args)
  return json.object({ functionCall = json.object({
    id = call.id, name = call.name, args = outgoing.args(args, call.custom),
  }) })
end

--- @class px.GeminiWriter
--- @field ctx px.Context
--- @field head? string Bytes in front of the parts of every chunk; nil before the first.
--- @field tail string ... behind them.
--- @field text string[] The pieces of a chunk of text, which are not joined: see px.Writer.
--- @field calls table[] Calls in order that have not been told.
--- @field by_index table<integer, table>
--- @field proof? string A signature that waits for the part that it belongs to.
--- @field texts string[]
--- @field citations px.Event[]

local function begin(self, event)
  local ctx = self.ctx
  local model = ctx.model or (event and event.model) or ''
  -- In an array elements are parted by a comma.
  self.open = ctx.array and '' or 'data: '
  self.close = ctx.array and '' or '\r\n\r\n'
  self.common = '"modelVersion":' .. encode(model) .. ',"responseId":' .. encode(ctx.id or '0')
    .. '}'
  self.head = self.open .. '{"candidates":[{"content":{"parts":['
  self.tail = '],"role":"model"},"index":0}],' .. self.common .. self.close
  self.text = { '', self.head .. '{"text":', '', '}' .. self.tail }
end

--- Puts what parts elements of an array in front of one.
local function element(self, bytes)
  if not self.ctx.array then
    return bytes
  end
  local first = not self.wrote
  self.wrote = true
  return (first and '[' or ',\r\n') .. bytes
end

--- @param likely? px.Logprob[]
local function parts(self, list, likely)
  local out = {}
  for i, part in ipairs(list) do
    out[i] = encode(part)
  end
  local tail = not likely and self.tail or '],"role":"model"},"index":0,"logprobsResult":'
    .. encode(logprobs.gemini(likely)) .. '}],' .. self.common .. self.close
  return element(self, self.head .. table.concat(out, ',') .. tail)
end

--- Takes the signature that waits, as the client gets it.
local function take_proof(self)
  local text = self.proof
  self.proof = nil
  return text and proof.pack(self.ctx.origin, text)
end

--- A signature that no part came for goes in a part of its own.
local function flush_proof(self)
  local signed = take_proof(self)
  return signed and parts(self, { json.object({ text = '', thoughtSignature = signed }) }) or ''
end

--- Tells the calls at the front that are complete.
local function drain(self, all)
  local list = {}
  while self.calls[1] and (all or self.calls[1].stopped) do
    local call = table.remove(self.calls, 1)
    self.by_index[call.index] = nil
    local part = M.call(call, table.concat(call.pieces))
    part.thoughtSignature = call.proof
    list[#list + 1] = part
  end
  return #list > 0 and parts(self, list) or ''
end

-- Kind of event: what it writes. Called with (self, event).
local on = {}

function on.text(self, event)
  if event.text == '' then
    return nil
  end
  add_piece(self.texts, event.text)
  if self.proof or event.logprobs then
    local part = json.object({ text = event.text, thoughtSignature = take_proof(self) })
    return parts(self, { part }, event.logprobs)
  end
  local pieces = self.text
  pieces[1], pieces[3] = element(self, ''), encode(event.text)
  return pieces
end

on.refusal = on.text

function on.thinking(self, event)
  if event.text == '' then
    return nil
  end
  return flush_proof(self)
    .. element(self, self.head .. '{"text":' .. encode(event.text) .. ',"thought":true}'
      .. self.tail)
end

function on.signature(self, event)
  local out = flush_proof(self)
  local own = proof.after(proof.ON_THOUGHT, event.text)
  if own then
    local part = json.object({ text = '', thought = true, thoughtSignature = own })
    return out .. parts(self, { part })
  end
  self.proof = event.text
  return out
end

function on.redacted(self, event)
  local out = flush_proof(self)
  self.proof = proof.REDACTED .. event.data
  return out
end

function on.tool_start(self, event)
  local call = {
    index = event.index, id = event.id, name = event.name, custom = event.custom, pieces = {},
    proof = take_proof(self),
  }
  self.calls[#self.calls + 1] = call
  self.by_index[event.index] = call
end

function on.args(self, event)
  local call = self.by_index[event.index]
  if call then
    call.pieces[#call.pieces + 1] = event.text
  end
end

function on.block_stop(self, event)
  local call = self.by_index[event.index]
  if call then
    call.stopped = true
    return drain(self)
  end
end

function on.citation(self, event)
  self.citations[#self.citations + 1] = event
end

function on.opaque(self, event)
  if event.protocol == 'gemini' then
    return flush_proof(self) .. parts(self, { event.json })
  else
    self.ctx.lost('reply.opaque')
  end
end

function on.image(self, event)
  event = media.instead(event, self.ctx, 'gemini')
  return on[event.kind](self, event)
end

function on.finish(self, event)
  self.reason = event.reason
end

function on.usage(self, event)
  self.used = event
end

local function write_end(self)
  local out = drain(self, true) .. flush_proof(self)
  local sources = grounding.write(self.citations, table.concat(self.texts), self.ctx)
  local candidate = '{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},'
    .. '"finishReason":"' .. finish.write(self.reason) .. '","index":0'
    .. (sources and ',"groundingMetadata":' .. encode(sources) or '') .. '}],'
  local used = self.used or NONE
  return out .. element(self, self.open .. candidate .. '"usageMetadata":'
    .. encode(usage.write(used)) .. ',' .. self.common .. self.close)
    .. (self.ctx.array and ']' or '')
end

local function write_error(self, event)
  local _, body = errors.write(errors.failure(event))
  return element(self, self.open .. encode(body) .. self.close) .. (self.ctx.array and ']' or '')
end

--- @param ctx px.Context
--- @return px.Writer
function M.new(ctx)
  local self = { ctx = ctx, calls = {}, by_index = {}, texts = {}, citations = {} }
  local over = false

  return function(event)
    if over then
      return nil
    elseif not self.head then
      begin(self, event)
    end
    if not event then
      over = true
      return write_end(self)
    elseif event.kind == 'error' then
      over = true
      return write_error(self, event)
    end
    local write = on[event.kind]
    local bytes = write and write(self, event)
    return bytes ~= '' and bytes or nil
  end
end

return M
