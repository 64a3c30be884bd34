--- Turns chunks (or a unary answer, which is one large chunk) into neutral events.
---
--- Text and thinking share one open block. Calls come whole, or in pieces that are gathered until
--- the call is complete. Finish and usage are held to the end: usage counts up from chunk to chunk.

local json = require('px.json')
local errors = require('protocol.gemini.errors')
local finish = require('protocol.gemini._finish')
local grounding = require('protocol.gemini._grounding')
local ids = require('protocol._ids')
local logprobs = require('protocol._logprobs')
local media = require('protocol._media')
local names = require('protocol.gemini._names')
local partial = require('protocol.gemini._partial')
local add_piece = require('protocol._pieces').add
local proof = require('protocol.gemini._proof')
local read = require('protocol._read')
local usage = require('protocol.gemini._usage')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

local get = names.get

local OPAQUE = { 'executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse' }

--- @class px.GeminiReader
--- @field ctx px.Context
--- @field count integer Blocks so far.
--- @field calls integer Calls so far.
--- @field open? integer The open block of text or thinking.
--- @field open_kind? string
--- @field call? table The call whose arguments come in pieces.
--- @field used table Usage so far.
--- @field texts string[] Text so far, which places of sources count in.
--- @field started boolean
--- @field done boolean
--- @field held? px.Logprob[] Tokens that wait for the text that they make.
local Reader = {}
Reader.__index = Reader

--- @param ctx px.Context
--- @return px.GeminiReader
function M.new(ctx)
  return setmetatable({
    ctx = ctx, count = 0, calls = 0, used = usage.new(), texts = {}, started = false, done = false,
    open = later, open_kind = later, call = later, reason = later,
  }, Reader)
end

function Reader:lose(path)
  self.ctx.lost(path)
end

function Reader:next_index()
  self.count = self.count + 1
  return self.count - 1
end

--- Closes the open block of text or thinking.
function Reader:close_text(events)
  if self.open then
    events[#events + 1] = { kind = 'block_stop', index = self.open }
    self.open, self.open_kind = nil, nil
  end
end

function Reader:add(events, kind, text)
  if self.open_kind ~= kind then
    self:finish_call(events)
    self:close_text(events)
    self.open, self.open_kind = self:next_index(), kind
  end
  events[#events + 1] = { kind = kind, index = self.open, text = text }
end

--- Tells a signature ahead of the part that it came with: in the open thought, else in one of its
--- own.
function Reader:sign(events, text)
  if type(text) ~= 'string' or text == '' then
    return
  end
  self:finish_call(events)
  if self.open_kind ~= 'thinking' then
    self:close_text(events)
    self.open, self.open_kind = self:next_index(), 'thinking'
  end
  events[#events + 1] = { kind = 'signature', index = self.open, text = text }
  self:close_text(events)
end

function Reader:text(events, part, text)
  local signed = read.maybe_text(get(part, 'thoughtSignature'))
  if get(part, 'thought') == true then
    if text ~= '' then
      self:add(events, 'thinking', text)
    end
    if signed and signed ~= '' then
      self:sign(events, proof.ON_THOUGHT .. signed)
    end
    return
  end
  if signed and signed ~= '' then
    if self.open_kind == 'text' or text == '' then
      -- It may only stand in front, and need not come back.
      self:lose('reply.signature')
    else
      self:sign(events, signed)
    end
  end
  if text ~= '' then
    add_piece(self.texts, text)
    self:add(events, 'text', text)
  end
end

--- The free text in the arguments of an emulated custom tool.
local function free_text(args)
  return type(args.input) == 'string' and args.input or json.encode(args)
end

local function emit_args(events, call, args)
  local text = call.custom and free_text(args) or next(args) == nil and '{}' or json.encode(args)
  events[#events + 1] = { kind = 'args', index = call.index, text = text }
  events[#events + 1] = { kind = 'block_stop', index = call.index }
end

--- Ends the call whose arguments came in pieces.
function Reader:finish_call(events)
  local call = self.call
  if call then
    self.call = nil
    emit_args(events, call, call.args)
  end
end

function Reader:start_call(events, value)
  local ctx = self.ctx
  self:close_text(events)
  local name = ids.restore(ctx, get(value, 'name'))
  local id = read.maybe_text(get(value, 'id'))
  local call = { index = self:next_index(), custom = ctx.customs and ctx.customs[name] or nil }
  self.calls = self.calls + 1
  events[#events + 1] = {
    kind = 'tool_start',
    index = call.index,
    id = id and id ~= '' and id or ('call_%s_%d'):format(ctx.id or '0', self.calls),
    name = name,
    custom = call.custom,
  }
  return call
end

--- Takes a functionCall. One without a name goes on with the call before it.
function Reader:take_call(events, value)
  local name = read.maybe_text(get(value, 'name'))
  local pieces, more = get(value, 'partialArgs'), get(value, 'willContinue') == true
  local args = get(value, 'args')
  if name and name ~= '' then
    self:finish_call(events)
    local call = self:start_call(events, value)
    call.args = json.object(read.is_object(args) and args or {})
    self.call = call
  elseif not self.call then
    return
  end
  for _, piece in ipairs(read.maybe_table(pieces)) do
    if type(piece) == 'table' and not partial.add(self.call, piece) then
      self:lose('reply.args')
    end
  end
  if not more then
    self:finish_call(events)
  end
end

--- Takes what the model made besides text: an image whose bytes are there, else a note.
function Reader:take_media(events, part)
  local data = read.maybe_table(get(part, 'inlineData') or get(part, 'fileData'))
  local mime = read.maybe_text(get(data, 'mimeType')) or 'image/png'
  local kind = mime:match('^%a+')
  local what = (kind == 'audio' or kind == 'image' or kind == 'video') and kind or 'document'
  local bytes = read.maybe_text(get(data, 'data'))
  local drawn = get(part, 'thought') == true
  if what == 'image' and bytes and not drawn then
    self:finish_call(events)
    self:close_text(events)
    local url = media.image_url(mime, (bytes:gsub('-', '+'):gsub('_', '/')))
    media.add_image(events, self:next_index(), url, part, 'gemini')
    return
  end
  self:lose('reply.' .. what)
  if not drawn then
    self:add(events, 'text', '[' .. what .. ' omitted]')
  end
end

function Reader:part(events, part)
  local plain = part.text
  if type(plain) == 'string' and plain ~= '' then  -- A part says one thing.
    return self:text(events, part, plain)
  end
  local call = get(part, 'functionCall')
  if type(call) == 'table' then
    if get(call, 'name') then
      self:sign(events, get(part, 'thoughtSignature'))
    end
    self:take_call(events, call)
    return
  end
  for _, name in ipairs(OPAQUE) do
    if get(part, name) ~= nil then
      self:finish_call(events)
      self:close_text(events)
      local index = self:next_index()
      events[#events + 1] = { kind = 'opaque', index = index, json = part, protocol = 'gemini' }
      events[#events + 1] = { kind = 'block_stop', index = index }
      return
    end
  end
  local text = get(part, 'text')
  if type(text) ~= 'string' and (get(part, 'inlineData') or get(part, 'fileData')) then
    if get(part, 'thoughtSignature') then
      self:lose('reply.signature')
    end
    self:take_media(events, part)
  elseif type(text) == 'string' or get(part, 'thoughtSignature') then
    self:text(events, part, read.maybe_text(text) or '')
  end
end

function Reader:candidate(events, candidate)
  local content = read.maybe_table(get(candidate, 'content'))
  for _, part in ipairs(read.maybe_table(get(content, 'parts'))) do
    if type(part) == 'table' then
      self:part(events, part)
    end
  end
  local word = read.maybe_text(get(candidate, 'finishReason'))
  if word and word ~= '' and word ~= 'FINISH_REASON_UNSPECIFIED' then
    self.reason = word
    self.words = read.maybe_text(get(candidate, 'finishMessage')) or self.words
  end
  self.grounding = get(candidate, 'groundingMetadata') or self.grounding
  self.citations = get(candidate, 'citationMetadata') or self.citations
  local likely = self.ctx.logprobs and get(candidate, 'logprobsResult')
  if type(likely) == 'table' then
    self.held = logprobs.attach(events, logprobs.of_gemini(likely), self.held)
  end
end

--- Takes one chunk.
---
--- @param events px.Event[]
--- @param body table
function Reader:chunk(events, body)
  if not self.started then
    self.started = true
    events[#events + 1] = {
      kind = 'start',
      id = read.maybe_text(get(body, 'responseId')),
      model = read.maybe_text(get(body, 'modelVersion')),
    }
  end
  usage.merge(self.used, get(body, 'usageMetadata'))
  local feedback = read.maybe_table(get(body, 'promptFeedback'))
  self.blocked = read.maybe_text(get(feedback, 'blockReason')) or self.blocked
  for _, candidate in ipairs(read.maybe_table(get(body, 'candidates'))) do
    local at = type(candidate) == 'table' and (read.maybe_number(get(candidate, 'index')) or 0)
    if at == 0 then
      self:candidate(events, candidate)
    elseif at then
      self:lose('reply.choices')
    end
  end
end

function Reader:add_sources(events)
  if not self.grounding and not self.citations then
    return
  end
  local list = grounding.read(self.grounding, self.citations, table.concat(self.texts))
  for _, event in ipairs(list) do
    if self.open_kind ~= 'text' then
      self:add(events, 'text', '')
    end
    event.index = self.open
    events[#events + 1] = event
  end
end

local function failed(code, message)
  return { { kind = 'error', code = code, status = 502, message = message } }
end

--- Ends the reply.
---
--- @return px.Event[]?
function Reader:close()
  if self.done then
    return nil
  end
  self.done = true
  local blocked = not self.reason and self.blocked and self.count == 0
  local reason = blocked and 'filter'
    or finish.read(self.reason, self.calls > 0, self.count > 0)
  if not self.reason and not blocked then
    return failed('cut', 'the upstream ended its answer in the middle')
  elseif reason == 'error' then
    return failed('internal', 'the upstream ended its answer with ' .. self.reason
      .. (self.words and ': ' .. self.words or ''))
  end
  if self.held then
    self:lose('reply.logprobs')
  end
  local events = {}
  self:finish_call(events)
  self:add_sources(events)
  self:close_text(events)
  events[#events + 1] = { kind = 'finish', reason = reason }
  events[#events + 1] = usage.event(self.used)
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
    status = failure.status, type = failure.type, retry_after = failure.retry_after } }
end

return M
