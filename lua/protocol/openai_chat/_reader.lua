--- Turns deltas (or the message of a unary answer, which is one large delta) into neutral events.
---
--- Text, thinking and refusal share one open block: a change of kind closes it. Finish and usage
--- are held to the end, since upstreams send them early, twice, or after the finish.

local calls = require('protocol.openai_chat._calls')
local details = require('protocol.openai_chat._details')
local errors = require('protocol.openai_chat.errors')
local finish = require('protocol.openai_chat._finish')
local read = require('protocol._read')
local usage = require('protocol.openai_chat._usage')

local M = {}


local function said(text)
  return type(text) == 'string' and text ~= ''
end

--- @param ctx px.Context
function M.new(ctx)
  local count, open, open_kind = 0, nil, nil
  local started, done, failed = false, false, false
  local reason, usage_body, citations, called_old
  local plain = false -- Thinking comes as plain text, beside which details only prove.
  local self = {}

  local function next_index()
    count = count + 1
    return count - 1
  end

  local tools = calls.new(ctx, next_index)

  local function lose(path)
    if ctx.lost then
      ctx.lost(path)
    end
  end

  local function close(events)
    if open then
      events[#events + 1] = { kind = 'block_stop', index = open }
      open, open_kind = nil, nil
    end
  end

  local function add(events, kind, text)
    if open_kind ~= kind then
      close(events)
      if tools.seen then
        tools.settle(events)
      end
      open, open_kind = count, kind
      count = count + 1
    end
    events[#events + 1] = { kind = kind, index = open, text = text }
  end

  -- Content as a list of parts (Mistral).
  local function add_parts(events, parts)
    for _, part in ipairs(parts) do
      if type(part) == 'table' and part.type == 'thinking' then
        for _, piece in ipairs(read.maybe_table(part.thinking)) do
          local text = type(piece) == 'table' and read.maybe_text(piece.text)
          if text and text ~= '' then
            add(events, 'thinking', text)
          end
        end
      elseif type(part) == 'table' and read.maybe_text(part.text) and part.text ~= '' then
        add(events, 'text', part.text)
      elseif type(part) == 'table' and read.maybe_text(part.refusal) then
        add(events, 'refusal', part.refusal)
      end
    end
  end

  -- One channel of thinking: upstreams repeat the same text in two.
  local function add_thinking(events, delta)
    local list = delta.reasoning_details
    local text = read.maybe_text(delta.reasoning_content) or read.maybe_text(delta.reasoning)
    if text and text ~= '' then
      plain = true
      add(events, 'thinking', text)
    end
    for _, item in ipairs(type(list) == 'table' and list or {}) do
      if read.is_object(item) then
        local inner = details.text(item)
        if not plain and inner and inner ~= '' then
          add(events, 'thinking', inner)
        end
        local proof = details.proof(item)
        if proof and item.type == 'reasoning.encrypted' then
          close(events)
          local index = next_index()
          events[#events + 1] = { kind = 'redacted', index = index, data = proof }
          events[#events + 1] = { kind = 'block_stop', index = index }
        elseif proof then
          if open_kind ~= 'thinking' then
            close(events)
            open, open_kind = next_index(), 'thinking'
          end
          events[#events + 1] = { kind = 'signature', index = open, text = proof }
          close(events)
        end
      end
    end
  end

  local function add_citations(events, list)
    for _, item in ipairs(list) do
      local cited = type(item) == 'table' and read.maybe_table(item.url_citation) or {}
      local url = read.maybe_text(cited.url)
      if url then
        if open_kind ~= 'text' then
          close(events)
          open, open_kind = next_index(), 'text'
          events[#events + 1] = { kind = 'text', index = open, text = '' }
        end
        events[#events + 1] = {
          kind = 'citation',
          index = open,
          url = url,
          title = read.maybe_text(cited.title),
          first = read.maybe_number(cited.start_index),
          last = read.maybe_number(cited.end_index),
        }
      end
    end
  end

  -- What is rare in a delta.
  local function add_rest(events, delta)
    local refusal = delta.refusal
    if type(refusal) == 'string' and refusal ~= '' then
      add(events, 'refusal', refusal)
    end
    local list = delta.tool_calls
    if type(list) == 'table' then
      for _, call in ipairs(list) do
        if type(call) == 'table' then
          tools.take(call, events, close)
        end
      end
    end
    local old = delta.function_call
    if type(old) == 'table' and (said(old.name) or said(old.arguments)) then
      called_old = called_old or ('call_%s_f'):format(ctx.id or '0')
      tools.take({ index = 0, id = called_old, ['function'] = old }, events, close)
    end
    if type(delta.annotations) == 'table' then
      add_citations(events, delta.annotations)
    end
    if type(delta.images) == 'table' and #delta.images > 0 then
      lose('reply.images')
    end
    local audio = delta.audio
    if type(audio) == 'table' then
      if said(audio.data) then
        lose('reply.audio')
      end
      if said(audio.transcript) then
        add(events, 'text', audio.transcript)
      end
    end
  end

  --- Takes one delta or message.
  function self.delta(events, delta)
    if delta.reasoning_content or delta.reasoning or delta.reasoning_details then
      add_thinking(events, delta)
    end
    local content = delta.content
    if type(content) == 'string' then
      if content ~= '' then
        add(events, 'text', content)
      end
    elseif type(content) == 'table' then
      add_parts(events, content)
    end
    if delta.tool_calls or delta.refusal or delta.function_call or delta.annotations
      or delta.audio or delta.images then
      add_rest(events, delta)
    end
  end

  -- Perplexity repeats its sources at the top of every chunk: they are told once, at the end.
  local function add_sources(events)
    if not citations then
      return
    end
    local list = {}
    for i, source in ipairs(citations) do
      local url = type(source) == 'table' and source.url or source
      list[i] = { url_citation = { url = url,
        title = type(source) == 'table' and source.title or nil } }
    end
    add_citations(events, list)
  end

  --- Takes the members beside the choices.
  function self.head(events, body)
    if not started then
      started = true
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
      usage_body = used
    end
    local sources = body.search_results or body.citations
    if type(sources) == 'table' and #sources > 0 then
      citations = sources
    end
  end

  --- Notes a finish reason.
  function self.finish(word)
    if type(word) == 'string' and word ~= '' then
      reason = word
    end
  end

  --- Ends the reply. `earned` says that a terminator came, which is worth a finish.
  ---
  --- @return px.Event[]?
  function self.close(earned)
    if done or failed then
      return nil
    end
    done = true
    local events = {}
    if finish.read(reason, false) == 'error' then
      return { { kind = 'error', code = 'internal', status = 502,
        message = 'the upstream ended its answer with an error' } }
    elseif not reason and not earned then
      return { { kind = 'error', code = 'cut', status = 502,
        message = 'the upstream ended its answer in the middle' } }
    end
    add_sources(events)
    close(events)
    tools.finish(events, close)
    close(events)
    events[#events + 1] = { kind = 'finish', reason = finish.read(reason, tools.seen) }
    if usage_body then
      events[#events + 1] = usage.read(usage_body)
    end
    return events
  end

  --- Ends the reply with an error that the upstream told.
  ---
  --- @return px.Event[]?
  function self.fail(text)
    if done or failed then
      return nil
    end
    failed = true
    local failure = errors.read(nil, text)
    return { { kind = 'error', code = failure.code, message = failure.message,
      status = failure.status, type = failure.type, retry_after = failure.retry_after } }
  end

  --- Tells whether nothing may come any more.
  function self.over()
    return done or failed
  end

  return self
end

return M
