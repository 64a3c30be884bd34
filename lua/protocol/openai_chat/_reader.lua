--- Turns deltas (or the message of a unary answer, which is one large delta) into neutral events.
---
--- Text, thinking and refusal share one open block: a change of kind closes it. Finish and usage
--- are held to the end, since upstreams send them early, twice, or after the finish.

local calls = require('protocol.openai_chat._calls')
local details = require('protocol.openai_chat._details')
local errors = require('protocol.openai_chat.errors')
local finish = require('protocol.openai_chat._finish')
local logprobs = require('protocol._logprobs')
local media = require('protocol._media')
local read = require('protocol._read')
local usage = require('protocol.openai_chat._usage')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

--- @class px.ChatReader
--- @field ctx px.Context
--- @field count integer Blocks so far.
--- @field open? integer The open block of text, thinking or refusal.
--- @field open_kind? string
--- @field calls px.Calls
--- @field plain boolean Thinking comes as plain text, beside which details only prove.
--- @field started boolean
--- @field done boolean
--- @field held? px.Logprob[] Tokens that wait for the text that they make.
local Reader = {}
Reader.__index = Reader

--- @param ctx px.Context
--- @return px.ChatReader
function M.new(ctx)
  local self = setmetatable({
    ctx = ctx, count = 0, plain = false, started = false, done = false, calls = later,
    open = later, open_kind = later,
  }, Reader)
  self.calls = calls.new(self)
  return self
end

local function said(text)
  return type(text) == 'string' and text ~= ''
end

function Reader:lose(path)
  self.ctx.lost(path)
end

function Reader:next_index()
  self.count = self.count + 1
  return self.count - 1
end

--- Closes the open block of text, thinking or refusal.
function Reader:close_text(events)
  if self.open then
    events[#events + 1] = { kind = 'block_stop', index = self.open }
    self.open, self.open_kind = nil, nil
  end
end

function Reader:open_block(events, kind)
  self:close_text(events)
  if self.calls.seen then
    self.calls:settle(events)
  end
  self.open, self.open_kind = self:next_index(), kind
end

function Reader:add(events, kind, text)
  if self.open_kind ~= kind then
    self:open_block(events, kind)
  end
  events[#events + 1] = { kind = kind, index = self.open, text = text }
end

-- Content as a list of parts (Mistral).
function Reader:add_parts(events, parts)
  for _, part in ipairs(parts) do
    if type(part) == 'table' and part.type == 'thinking' then
      for _, piece in ipairs(read.maybe_table(part.thinking)) do
        if type(piece) == 'table' and said(piece.text) then
          self:add(events, 'thinking', piece.text)
        end
      end
    elseif type(part) == 'table' and said(part.text) then
      self:add(events, 'text', part.text)
    elseif type(part) == 'table' and said(part.refusal) then
      self:add(events, 'refusal', part.refusal)
    end
  end
end

function Reader:add_detail(events, item)
  local text = details.text(item)
  if not self.plain and said(text) then
    self:add(events, 'thinking', text)
  end
  local proof = details.proof(item)
  if proof and item.type == 'reasoning.encrypted' then
    self:close_text(events)
    local index = self:next_index()
    events[#events + 1] = { kind = 'redacted', index = index, data = proof }
    events[#events + 1] = { kind = 'block_stop', index = index }
  elseif proof then
    if self.open_kind ~= 'thinking' then
      self:open_block(events, 'thinking')
    end
    events[#events + 1] = { kind = 'signature', index = self.open, text = proof }
    self:close_text(events)
  end
end

-- One channel of thinking: upstreams repeat the same text in two.
function Reader:add_thinking(events, delta)
  local text = read.maybe_text(delta.reasoning_content) or read.maybe_text(delta.reasoning)
  if said(text) then
    self.plain = true
    self:add(events, 'thinking', text)
  end
  for _, item in ipairs(read.maybe_table(delta.reasoning_details)) do
    if read.is_object(item) then
      self:add_detail(events, item)
    end
  end
end

function Reader:add_citations(events, list)
  for _, item in ipairs(list) do
    local cited = type(item) == 'table' and read.maybe_table(item.url_citation) or {}
    local url = read.maybe_text(cited.url)
    if url then
      if self.open_kind ~= 'text' then
        self:add(events, 'text', '')
      end
      events[#events + 1] = {
        kind = 'citation',
        index = self.open,
        url = url,
        title = read.maybe_text(cited.title),
        first = read.maybe_number(cited.start_index),
        last = read.maybe_number(cited.end_index),
      }
    end
  end
end

function Reader:add_calls(events, delta)
  for _, call in ipairs(read.maybe_table(delta.tool_calls)) do
    if type(call) == 'table' then
      self.calls:take(call, events)
    end
  end
  local old = delta.function_call
  if type(old) == 'table' and (said(old.name) or said(old.arguments)) then
    local id = ('call_%s_f'):format(self.ctx.id or '0')
    self.calls:take({ index = 0, id = id, ['function'] = old }, events)
  end
end

--- Takes an image as OpenRouter tells of it.
function Reader:add_image(events, item)
  local inner = type(item) == 'table' and item.image_url
  local url = read.maybe_text(inner) or read.maybe_text(read.maybe_table(inner).url)
  if not said(url) then
    return self:lose('reply.image')
  end
  self:open_block(events, 'image')
  media.add_image(events, self.open, url)
  self.open, self.open_kind = nil, nil
end

function Reader:add_media(events, delta)
  for _, item in ipairs(read.maybe_table(delta.images)) do
    self:add_image(events, item)
  end
  local audio = read.maybe_table(delta.audio)
  if said(audio.data) then
    self:lose('reply.audio')
  end
  if said(audio.transcript) then
    self:add(events, 'text', audio.transcript)
  end
end

-- What is rare in a delta.
function Reader:add_rest(events, delta)
  if said(delta.refusal) then
    self:add(events, 'refusal', delta.refusal)
  end
  self:add_calls(events, delta)
  if type(delta.annotations) == 'table' then
    self:add_citations(events, delta.annotations)
  end
  self:add_media(events, delta)
end

--- Takes one delta or message.
function Reader:delta(events, delta)
  if delta.reasoning_content or delta.reasoning or delta.reasoning_details then
    self:add_thinking(events, delta)
  end
  local content = delta.content
  if type(content) == 'string' then
    if content ~= '' then
      self:add(events, 'text', content)
    end
  elseif type(content) == 'table' then
    self:add_parts(events, content)
  end
  if delta.tool_calls or delta.refusal or delta.function_call or delta.annotations
    or delta.audio or delta.images then
    self:add_rest(events, delta)
  end
end

--- Takes the likelihoods of a choice, after its delta.
function Reader:probs(events, given)
  if self.ctx.logprobs and type(given) == 'table' then
    self.held = logprobs.attach(events, logprobs.of_openai(given.content), self.held)
    if read.maybe_list(given.refusal) then
      self:lose('reply.logprobs')
    end
  end
end

-- Perplexity repeats its sources at the top of every chunk: they are told once, at the end.
function Reader:add_sources(events)
  local list = {}
  for i, source in ipairs(self.sources or {}) do
    local known = type(source) == 'table' and source or { url = source }
    list[i] = { url_citation = { url = known.url, title = known.title } }
  end
  self:add_citations(events, list)
end

--- Takes the members beside the choices.
function Reader:head(events, body)
  if not self.started then
    self.started = true
    events[#events + 1] = {
      kind = 'start',
      id = read.maybe_text(body.id),
      model = read.maybe_text(body.model),
    }
  end
  local used = body.usage
  if used == nil and type(body.x_groq) == 'table' then
    used = body.x_groq.usage
  end
  if type(used) == 'table' then
    self.usage = used
  end
  local sources = body.search_results or body.citations
  if type(sources) == 'table' and #sources > 0 then
    self.sources = sources
  end
end

--- Notes a finish reason.
function Reader:finish(word)
  if said(word) then
    self.reason = word
  end
end

local function failed(code, message)
  return { { kind = 'error', code = code, status = 502, message = message } }
end

--- Ends the reply. `earned` says that a terminator came, which is worth a finish.
---
--- @param earned boolean
--- @return px.Event[]?
function Reader:close(earned)
  if self.done then
    return nil
  end
  self.done = true
  if finish.read(self.reason, false) == 'error' then
    return failed('internal', 'the upstream ended its answer with an error')
  elseif not self.reason and not earned then
    return failed('cut', 'the upstream ended its answer in the middle')
  end
  if self.held then
    self:lose('reply.logprobs')
  end
  local events = {}
  self:add_sources(events)
  self:close_text(events)
  self.calls:finish(events)
  events[#events + 1] = { kind = 'finish', reason = finish.read(self.reason, self.calls.seen) }
  if self.usage then
    events[#events + 1] = usage.read(self.usage)
  end
  return events
end

--- Ends the reply with an error, told by the upstream in `text`, or by ourselves under a `code`.
---
--- @param text string
--- @param code? string
--- @return px.Event[]?
function Reader:fail(text, code)
  if self.done then
    return nil
  end
  self.done = true
  if code then
    return failed(code, text)
  end
  local failure = errors.read(nil, text)
  return { { kind = 'error', code = failure.code, message = failure.message,
    status = failure.status, type = failure.type } }
end

return M
