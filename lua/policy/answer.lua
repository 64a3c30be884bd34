--- The answer's way back: relayed byte for byte where client and upstream speak the same, else read
--- as neutral events and written for the client.

local core = require('px.core')
local json = require('px.json')
local refuse = require('policy.refuse')
local route = require('policy.route')
local rules = require('policy.rules')

local M = {
  whole = setmetatable({}, { __mode = 'k' }),  -- Answers that are one body, not a stream.
}

local UNARY_LIMIT = 32 * 1024 * 1024
local HOLD_SECONDS, QUIET_SECONDS = 10, 15

-- What the content type of a stream says, by its framing.
local WIRE = { lines = 'ndjson', sse = 'text/event-stream' }

local RELAY_HEADERS = { ['access-control-allow-origin'] = '*' }
local STREAM_HEADERS = { ['access-control-allow-origin'] = '*', ['x-accel-buffering'] = 'no' }

-- Events that are not yet an answer: a stream is held until another one comes.
local NO_CONTENT = { ping = true, start = true, usage = true }

local function lost_header(ctx)
  if ctx and ctx.losses and #ctx.losses > 0 then
    return table.concat(ctx.losses, ','):gsub('[^\32-\126]', '?'):sub(1, 1024)
  end
end

--- What `event` rules match.
local function subject_of(q)
  return {
    ex = q.ex, model = q.model, client = q.client, path = q.path, stream = q.stream,
    protocol = q.protocol, provider = q.provider, upstream_model = q.upstream_model,
  }
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
  end
  return rules.filter(subject_of(q), q.message or q)
end

--- The words of an upstream's error event, without the account's secret.
local function words_of(q, event)
  return type(event.message) == 'string' and refuse.without_secret(event.message, q.signed_by)
    or event.message
end

local function failure_of(q, event)
  return {
    status = event.status or 502, code = event.code or 'internal', message = words_of(q, event),
    type = event.type, raw_code = event.raw_code, retry_after = event.retry_after,
    upstream = true, upstream_status = event.status,
  }
end

-- Events of which nothing is noted.
local PLAIN = { args = true, text = true, thinking = true }

--- Notes what the record of the request tells.
local function note(q, event)
  if event.kind == 'usage' then
    q.usage = event
  elseif event.kind == 'error' then
    q.failed = event.code
    event.message = words_of(q, event)
  end
end

-- Writing events ----------------------------------------------------------------------------------

--- Writes events as a stream. Held until content, so that an error before it has a real status.
---
--- @return fun(events: px.Event[]): boolean put Gives false when the stream is over.
--- @return fun(): nil close Everything came: writes the end.
local function stream_sink(q, ctx)
  local ex, stream = q.ex, q.speaks.stream
  local filter = filter_of(q, ctx)
  local write = stream.writer(ctx)
  local held, open, over = {}, false, false

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
    local text
    for i = 1, #events do
      local event = events[i]
      local plain = PLAIN[event.kind]
      if not plain then
        note(q, event)
      end
      local piece = write(event)
      if piece then
        text = text and text .. piece or piece
      end
      if not plain and event.kind == 'error' then
        over = true
        break
      end
    end
    if text then
      ex:write(text)
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
        q.failed = events[i].code
        q.status = refuse.answer(ex, q.speaks, failure_of(q, events[i]))
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
    if not over then
      local text = write(nil)
      if text then
        ex:write(text)
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

--- Gathers events and writes them as one answer.
local function unary_sink(q, ctx)
  local ex = q.ex
  local filter = filter_of(q, ctx)
  local all, over = {}, false

  local function put(events)
    for i = 1, #events do
      if events[i].kind == 'error' then
        over = true
        q.failed = events[i].code
        q.status = refuse.answer(ex, q.speaks, failure_of(q, events[i]))
        return false
      end
      all[#all + 1] = events[i]
    end
    return true
  end

  local function close()
    if over then
      return
    end
    if filter then
      all = filter(all)
    end
    for i = 1, #all do
      note(q, all[i])
    end
    q.status = 200
    local body = json.encode(q.speaks.reply.write(all, ctx))
    ex:answer(200, {
      ['access-control-allow-origin'] = '*',
      ['content-type'] = 'application/json',
      ['x-proxima-lost'] = lost_header(ctx),
    }, body)
  end

  return put, close, function() end
end

local function sink(q, ctx)
  ctx.model = q.model
  return (q.stream and stream_sink or unary_sink)(q, ctx)
end

-- Reading answers ---------------------------------------------------------------------------------

--- An answer that the engine makes itself.
---
--- @param produce fun(out: fun(event: px.Event))
function M.from_engine(q, ctx, produce)
  local put, close = sink(q, ctx)
  produce(function(event)
    put({ event })
  end)
  close()
end

--- Reads a stream as events, to its end.
local function read_stream(q, protocol, ctx)
  local ex = q.ex
  local read = protocol.stream.reader(ctx)
  local put, close, quiet = sink(q, ctx)
  ex:events(protocol.stream.framing or 'sse')
  local wait = HOLD_SECONDS
  while true do
    local type, data = ex:next(wait)
    if type then
      local events = read(type, data)
      if events and #events > 0 then
        if not put(events) then
          break
        end
        wait = QUIET_SECONDS
      end
    elseif type == false then
      quiet()
      wait = QUIET_SECONDS
    else
      local events = read(nil)
      if events and #events > 0 then
        put(events)
      end
      break
    end
  end
  close()
end

--- Reads a whole answer as events.
local function read_unary(q, at, protocol, ctx)
  local ex = q.ex
  local text, code, words = ex:collect(UNARY_LIMIT)
  if not text then
    q.status = refuse.answer(ex, q.speaks, refuse.transfer(at.upstream, code, words))
    return
  elseif code then
    q.status = refuse.answer(ex, q.speaks, {
      status = 502, code = 'internal',
      message = ('The answer of the upstream %s is larger than 32 MiB.'):format(at.upstream.id),
    })
    return
  end
  local body = json.decode(text)
  if type(body) ~= 'table' then
    q.status = refuse.answer(ex, q.speaks, {
      status = 502, code = 'internal',
      message = ('The upstream %s answered with what is not JSON.'):format(at.upstream.id),
    })
    return
  end
  if at.upstream.type.unwrap then
    body = at.upstream.type.unwrap(body)
  end
  local put, close = sink(q, ctx)
  if put(protocol.reply.read(body, ctx)) then
    close()
  elseif ex:started() then
    ex:finish()
  end
end

-- Relaying ----------------------------------------------------------------------------------------

local function relay_unary(q, at, status)
  local ex = q.ex
  local tap = rules.done and q.speaks.stream.tap or nil
  M.whole[ex] = true
  local ok, code, words = ex:relay(status, RELAY_HEADERS, 'whole', tap)
  q.status = status
  if ok then
    ex:finish()
    if tap then
      local _, usage = q.speaks.stream.tapped(ex:tapped())
      q.usage = usage
    end
  elseif ex:started() then
    q.failed = code
    ex:abort()
  else
    q.failed = code
    q.status = refuse.answer(ex, q.speaks, refuse.transfer(at.upstream, code, words))
  end
end

--- Reads the first events of a stream with the protocol's reader: an error among them becomes the
--- answer, with its real status.
---
--- @param seen table[] { type, data } of each.
--- @param ended boolean The stream is over.
--- @return boolean go False when the client was answered.
local function judge(q, ctx, seen, ended)
  local read = q.speaks.stream.reader(ctx)
  for i = 1, ended and #seen + 1 or #seen do
    local event = seen[i] or {}
    local events = read(event[1], event[2])
    for j = 1, events and #events or 0 do
      if events[j].kind == 'error' then
        q.failed = events[j].code
        q.status = refuse.answer(q.ex, q.speaks, failure_of(q, events[j]))
        return false
      elseif not NO_CONTENT[events[j].kind] then
        return true
      end
    end
  end
  return true
end

--- For a protocol that has no begins(): its reader tells.
local function begins_by_reader(q, ctx)
  local read = q.speaks.stream.reader(ctx())
  return function(type, data)
    local events = read(type, data)
    for i = 1, events and #events or 0 do
      if events[i].kind == 'error' then
        return 'error'
      elseif not NO_CONTENT[events[i].kind] then
        return 'content'
      end
    end
  end
end

--- Looks at the first events of a stream until one has content.
---
--- @param ctx fun(): px.Context
--- @return boolean go False when the client was answered already.
local function hold(q, ctx)
  local ex = q.ex
  local begins = q.speaks.stream.begins or begins_by_reader(q, ctx)
  local until_time = core.clock() + HOLD_SECONDS
  local seen = {}
  ex:events(q.speaks.stream.framing or 'sse', true)
  while true do
    local left = until_time - core.clock()
    local type, data = false, nil
    if left > 0 then
      type, data = ex:next(left)
    end
    if type == false then
      return true
    elseif not type then
      return judge(q, ctx(), seen, true)
    end
    seen[#seen + 1] = { type, data }
    local what = begins(type, data)
    if what == 'content' then
      return true
    elseif what == 'error' then
      return judge(q, ctx(), seen, false)
    end
  end
end

local function relay_stream(q, at, status, ctx)
  local ex, stream = q.ex, q.speaks.stream
  if not hold(q, ctx) then
    return
  end
  ex:release()
  q.status = status
  q.body = nil
  local framing = stream.framing or 'sse'
  local ok, code, words = ex:relay(status, STREAM_HEADERS, framing, stream.tap, stream.keepalive)
  local found = ex:tapped()
  local complete, usage = stream.tapped(found)
  q.usage = usage
  if not complete and not (ok and found.blind) then
    q.failed = code or 'cut'
    local failure = ok and 'The upstream ended its stream before it was complete.'
      or refuse.transfer(at.upstream, code, words).message
    local about = ctx()
    about.relayed = found
    local text = stream.writer(about)({
      kind = 'error', code = code == 'timeout' and code or 'cut', message = failure, status = 502,
    })
    if text and found.inside then
      text = (framing == 'lines' and '\n' or '\n\n') .. text
    end
    if text then
      ex:write(text)
    end
  end
  ex:finish()
end

--- Gives an upstream's answer to the client.
---
--- @param ctx px.Context|fun(): px.Context
function M.from_upstream(q, at, status, ctx)
  local kind = q.ex:reply_header('content-type') or ''
  if kind:find('text/html', 1, true) then
    -- A page of some proxy on the way, whatever its status says.
    q.failed = 'internal'
    q.status = refuse.answer(q.ex, q.speaks,
      refuse.transfer(at.upstream, 'protocol', 'a page of HTML'))
    return
  end
  local wire = WIRE[route.protocol(at.protocol).stream.framing or 'sse']
  local streamed = kind:find(wire, 1, true) ~= nil
  local plain = at.protocol == q.protocol and streamed == (q.stream or false) and not q.array
    and not (rules.event and rules.concerns('event', subject_of(q)))
  if plain and not streamed then
    return relay_unary(q, at, status)
  end
  if plain then
    return relay_stream(q, at, status, ctx)
  end
  ctx = type(ctx) == 'function' and ctx() or ctx
  if streamed then
    return read_stream(q, route.protocol(at.protocol), ctx)
  end
  read_unary(q, at, route.protocol(at.protocol), ctx)
end

return M
