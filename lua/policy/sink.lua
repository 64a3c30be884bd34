--- Where neutral events go: they pass the `event` rules and are written for the client, as a stream
--- or as one answer.

local core = require('px.core')
local estimate = require('protocol._estimate')
local json = require('px.json')
local refuse = require('policy.refuse')
local rules = require('policy.rules')

local M = {}

--- Events that are not yet an answer: a stream is held until another one comes.
M.NO_CONTENT = { ping = true, start = true, usage = true }

local NO_CONTENT = M.NO_CONTENT

local function lost_header(ctx)
  if ctx and ctx.losses and #ctx.losses > 0 then
    return (table.concat(ctx.losses, ','):gsub('[^\32-\126]', '?'):sub(1, 1024))
  end
end

--- Headers of a relayed answer: those given, and what was left out of its request.
function M.relayed(q, headers)
  local lost = lost_header({ losses = q.removed })
  if not lost then
    return headers
  end
  local out = json.copy(headers)
  out['x-proxima-lost'] = lost
  return out
end

--- Headers of a whole answer.
function M.headers(ctx)
  return {
    ['access-control-allow-origin'] = '*',
    ['content-type'] = 'application/json',
    ['x-proxima-lost'] = lost_header(ctx),
  }
end

--- What `event` rules match.
function M.subject_of(q)
  return {
    ex = q.ex, model = q.model, client = q.client, path = q.path, stream = q.stream,
    protocol = q.protocol, provider = q.provider, upstream_model = q.upstream_model,
  }
end

local function nothing() end

--- About how many tokens the request has: known to who converts a stream, else weighed now, if its
--- body is still there.
local function weigh(q, ctx)
  if not ctx.estimate then
    local shadow = setmetatable({ lost = nothing }, { __index = ctx })
    local ok, request = pcall(function()
      return q.speaks.request.read(q.body:json(), shadow)
    end)
    ctx.estimate = ok and estimate.request(request) or 0
  end
  return ctx.estimate
end

--- The usage of an answer whose upstream told none.
---
--- @param said integer Bytes.
local function guess(q, ctx, said)
  return estimate.used(weigh(q, ctx), said)
end

--- What the answer used, as far as anybody knows: an answer that was cut or left has an estimate.
---
--- @return px.Event?
function M.usage_of(q)
  local said = not q.usage and q.said and q.said() or 0
  return said > 0 and guess(q, q.ctx, said) or q.usage
end

--- The function that passes events through the `event` rules, or nil.
local function filter_of(q, ctx)
  if not rules.event then
    return nil
  end
  q.tags, q.state = q.tags or {}, q.state or {}
  local asks = q.speaks.request.include_usage
  if asks and q.body and not ctx.include_usage then
    ctx.include_usage = asks(q.body)
    if q.stream and rules.done and not ctx.include_usage then
      weigh(q, ctx)  -- Nobody will tell, and the body goes with the first content.
    end
  end
  return rules.filter(M.subject_of(q), q.message or q)
end

--- The words of an upstream's error event, without the account's secret.
local function words_of(q, event)
  return type(event.message) == 'string' and refuse.without_secret(event.message, q.signed_by)
    or event.message
end

--- Quotes in the log what an upstream said that is no answer.
local function complain(q, words)
  words = refuse.without_secret(words, q.signed_by):gsub('%c', ' ')
  core.log('warn', ('upstream %s: %s answered 200 with %s'):format(q.provider, q.upstream_model,
    words))
end

function M.failure_of(q, event)
  if event.code == 'internal' and q.stream then
    complain(q, 'an error: ' .. tostring(words_of(q, event)))
  end
  return {
    status = event.status or 502, code = event.code or 'internal', message = words_of(q, event),
    type = event.type, raw_code = event.raw_code, retry_after = event.retry_after,
    upstream = true, upstream_status = event.status,
  }
end

--- An upstream answered 200 with what is no answer: the client is told, and the log quotes it.
---
--- @param words string What came, or what is wrong with it.
function M.nonsense(q, at, words)
  complain(q, words)
  refuse.request(q, {
    status = 502, code = 'internal',
    message = ('The upstream %s answered with nonsense; the log quotes it.'):format(at.upstream.id),
  })
end

-- Events of which nothing is noted but how long they are.
local PLAIN = { args = true, refusal = true, text = true, thinking = true }

--- Notes what the record of the request tells.
local function note(q, event)
  if event.kind == 'usage' then
    q.usage = event
  elseif event.kind == 'error' then
    q.failed = event.code
    event.message = words_of(q, event)
    if event.code == 'internal' then
      complain(q, 'an error: ' .. tostring(event.message))
    end
  end
end

-- Strings of a list that are written at once: all that one event makes, but for what Responses says
-- again at the end of a block, an item or the stream.
local AT_ONCE = 6

--- A long list waits for the client between its pieces.
local function pass(ex, piece)
  if type(piece) == 'table' and #piece > AT_ONCE then
    for i = 1, #piece do
      ex:write(piece[i])
    end
  else
    ex:write(piece)
  end
end

--- Writes events as a stream. Held until content, so that an error before it has a real status.
---
--- @return fun(events: px.Event[]): boolean put Gives false when the stream is over.
--- @return fun(): nil close Everything came: writes the end.
local function stream_sink(q, ctx)
  local ex, stream = q.ex, q.speaks.stream
  local filter = filter_of(q, ctx)
  local write = stream.writer(ctx)
  local held, open, over, said = {}, false, false, 0

  if rules.done then
    q.ctx, q.said = ctx, function()
      return said
    end
  end

  local function begin()
    open = true
    q.status = 200
    ex:start(200, {
      ['access-control-allow-origin'] = '*',
      ['cache-control'] = 'no-cache',
      ['content-type'] = q.array and 'application/json' or stream.content_type,
      ['x-accel-buffering'] = 'no',
      ['x-proxima-lost'] = lost_header(ctx),
    })
  end

  local function out(events)
    if filter then
      events = filter(events)
    end
    for i = 1, #events do
      local event = events[i]
      local plain = PLAIN[event.kind]
      if plain then
        said = said + #(event.text or '')
      else
        note(q, event)
      end
      local piece = write(event)
      if piece then
        pass(ex, piece)
      end
      if not plain and event.kind == 'error' then
        over = true
        break
      end
    end
    return not over
  end

  --- Keeps events back until one has content.
  local function hold(events)
    for i = 1, #events do
      local kind = events[i].kind
      held[#held + 1] = events[i]
      if kind == 'error' then
        over = true
        refuse.request(q, M.failure_of(q, events[i]))
        return false
      elseif not NO_CONTENT[kind] then
        for j = i + 1, #events do
          held[#held + 1] = events[j]
        end
        begin()
        ex:release()
        local all = held
        held = nil
        return out(all)
      end
    end
    return true
  end

  local function put(events)
    if open then
      return out(events)
    end
    return hold(events)
  end

  local function close()
    if not open and not over then
      begin()
      out(held)
    end
    if not over and not q.usage then
      out({ guess(q, ctx, said) })
    end
    if not over then
      local last = write(nil)
      if last then
        pass(ex, last)
      end
    end
    ex:finish()
  end

  --- Nothing came for a while: head and keep-alive go out.
  local function quiet()
    if not open then
      begin()
      local all = held
      held = nil
      out(all)
    end
    if stream.keepalive and not over then
      ex:write(stream.keepalive)
    end
  end

  return put, close, quiet
end

--- Writes the events of a whole answer as one.
---
--- @param events px.Event[]
function M.answer(q, ctx, events)
  ctx.model = q.model
  local filter = filter_of(q, ctx)
  if filter then
    for i = 1, #events do
      if events[i].kind == 'error' then  -- No rule makes an answer of it.
        return refuse.request(q, M.failure_of(q, events[i]))
      end
    end
    events = filter(events)
  end
  local said = 0
  for i = 1, #events do
    local event = events[i]
    local kind = event.kind
    if PLAIN[kind] then
      said = said + #(event.text or '')
    elseif kind == 'usage' then
      q.usage = event
    elseif kind == 'error' then
      return refuse.request(q, M.failure_of(q, event))
    end
  end
  if not q.usage then
    q.usage = guess(q, ctx, said)
    events[#events + 1] = q.usage
  end
  q.status = 200
  local body = q.speaks.reply.write(events, ctx)  -- May lose something.
  q.ex:answer(200, M.headers(ctx), body)
end

--- Gathers events and writes them as one answer.
local function unary_sink(q, ctx)
  local all, over = {}, false

  local function put(events)
    for i = 1, #events do
      all[#all + 1] = events[i]
      over = over or events[i].kind == 'error'
    end
    return not over
  end

  return put, function()
    M.answer(q, ctx, all)
  end, function() end
end

--- Opens the way to the client.
---
--- @param q table The request: see main.lua.
--- @param ctx px.Context
--- @return fun(events: px.Event[]): boolean put Gives false when the answer is over.
--- @return fun() close Everything came.
--- @return fun() quiet Nothing came for a while.
function M.open(q, ctx)
  ctx.model = q.model
  return (q.stream and stream_sink or unary_sink)(q, ctx)
end

return M
