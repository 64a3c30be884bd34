--- Streams of OpenAI's legacy completions.

local chat = require('protocol.openai_chat.stream')
local errors = require('protocol.openai_chat.errors')
local json = require('px.json')
local logprobs = require('protocol._logprobs')
local media = require('protocol._media')
local NONE = require('protocol._read').NONE
local reply = require('protocol.openai_completions.reply')
local usage = require('protocol.openai_chat._usage')

local M = {}

M.content_type, M.keepalive = chat.content_type, chat.keepalive
M.tap, M.tapped = chat.tap, chat.tapped

local decode, encode, null = json.decode, json.encode, json.null

--- A chunk as Chat would say it.
local function as_chat(data)
  local body = data and data ~= '[DONE]' and decode(data)
  local choice = type(body) == 'table' and type(body.choices) == 'table' and body.choices[1]
  if type(choice) ~= 'table' then
    return data
  end
  choice.delta, choice.text = { content = choice.text }, nil
  return encode(body)
end

--- Tells what one of the first chunks is: see px.Begins.
---
--- @return 'content'|'error'|nil
function M.begins(type, data)
  return chat.begins(type, as_chat(data))
end

--- @param ctx px.Context
--- @return px.Reader
function M.reader(ctx)
  local read = chat.reader(ctx)
  return function(type, data)
    return read(type, as_chat(data))
  end
end

local function frame(body)
  return 'data: ' .. encode(body) .. '\n\n'
end

local Writer = {}
Writer.__index = Writer

function Writer:chunk(text, reason, list)
  local body = reply.head(self.ctx, self.model)
  local likely = list and logprobs.legacy(list, self.at)
  self.at = self.at + logprobs.characters(text)
  body.choices = json.array({ reply.choice(text, reason, likely) })
  if self.ctx.include_usage then
    body.usage = null
  end
  return frame(body)
end

--- What the client sees before the first text: its own prompt, if it asked for it.
function Writer:open()
  local echo = not self.begun and self.ctx.echo
  self.begun = true
  return echo and self:chunk(echo) or ''
end

function Writer:finish()
  local reason = self.reason == 'tool' and 'stop' or self.reason or 'stop'
  local out = self:open() .. self:chunk('', reason)
  if self.ctx.include_usage then
    local body = reply.head(self.ctx, self.model)
    body.choices = json.array()
    body.usage = usage.write(self.used or NONE)
    out = out .. frame(body)
  end
  return out .. 'data: [DONE]\n\n'
end

local on = {}

function on.start(self, event)
  self.model = event.model
end

function on.text(self, event)
  return event.text ~= '' and self:open() .. self:chunk(event.text, nil, event.logprobs) or nil
end
on.refusal = on.text

function on.image(self, event)
  return on.text(self, media.instead(event, self.ctx, 'openai_completions'))
end

function on.finish(self, event)
  self.reason = event.reason
end

function on.usage(self, event)
  self.used = event
end

function on.ping()
  return M.keepalive
end

function on.error(self, event)
  self.over = true
  local _, body = errors.write(errors.failure(event))
  return frame(body)
end

-- Kind of event: what an answer of nothing but text loses with it.
local LOST = {
  thinking = 'thinking', redacted = 'redacted', tool_start = 'tool_call', opaque = 'opaque',
  citation = 'citations',
}

--- @param ctx px.Context
--- @return px.Writer
function M.writer(ctx)
  local self = setmetatable({ ctx = ctx, at = 0 }, Writer)
  return function(event)
    if self.over then
      return nil
    elseif not event then
      self.over = true
      return self:finish()
    end
    local write, lost = on[event.kind], LOST[event.kind]
    if lost then
      ctx.lost('reply.' .. lost)
    end
    return write and write(self, event) or nil
  end
end

return M
