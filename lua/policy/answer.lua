--- The answer's way back: relayed byte for byte where client and upstream speak the same, else read
--- as neutral events and written for the client.

local core = require('px.core')
local json = require('px.json')
local refuse = require('policy.refuse')
local route = require('policy.route')
local rules = require('policy.rules')
local sink = require('policy.sink')
local stored = require('policy.stored')

local M = {
  whole = setmetatable({}, { __mode = 'k' }),  -- Answers that are one body, not a stream.
}

local UNARY_LIMIT = 32 * 1024 * 1024
local HOLD_SECONDS, QUIET_SECONDS = 10, 15

-- What the content type of a stream says, by its framing.
local WIRE = { lines = 'ndjson', sse = 'text/event-stream' }

local RELAY_HEADERS = { ['access-control-allow-origin'] = '*' }
local STREAM_HEADERS = { ['access-control-allow-origin'] = '*', ['x-accel-buffering'] = 'no' }

--- The beginning of a text, as words that quote it.
local function excerpt(text)
  return 'what is not JSON: ' .. (text ~= '' and text:sub(1, 100) or 'nothing')
end

-- Reading answers ---------------------------------------------------------------------------------

--- An answer that the engine makes itself.
---
--- @param produce fun(out: fun(event: px.Event))
function M.from_engine(q, ctx, produce)
  local put, close = sink.open(q, ctx)
  produce(function(event)
    put({ event })
  end)
  close()
end

--- Reads a stream as events, to its end.
local function read_stream(q, protocol, ctx)
  local ex = q.ex
  local read = protocol.stream.reader(ctx)
  local put, close, quiet = sink.open(q, ctx)
  ex:events(protocol.stream.framing or 'sse')
  local wait = HOLD_SECONDS
  while true do
    local type, data = ex:next(wait)
    if type then
      local events, over = read(type, data)
      if events and #events > 0 then
        if not put(events) then
          break
        end
        wait = QUIET_SECONDS
      end
      if over then
        ex:cancel()  -- Before the client's end, which may wait for the client.
        break
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

--- Tells whether a body is an error in the words of some protocol.
local function tells_error(body)
  local first = body[1]
  if type(first) == 'table' then
    body = first
  end
  return body.error ~= nil and body.error ~= json.null or body.type == 'error'
end

--- Waits for a whole answer and decodes it.
---
--- @return table? body nil when the client was told what is wrong with it.
--- @return string? text
function M.collect(q, at)
  local ex = q.ex
  local text, code, words = ex:collect(UNARY_LIMIT)
  if not text then
    refuse.request(q, refuse.transfer(at.upstream, code, words))
    return nil
  elseif code then
    refuse.request(q, {
      status = 502, code = 'internal',
      message = ('The answer of the upstream %s is larger than 32 MiB.'):format(at.upstream.id),
    })
    return nil
  end
  local body = json.decode(text, q.op.operation == 'embed' and 'vectors' or nil)
  if type(body) ~= 'table' then
    return sink.nonsense(q, at, excerpt(text))
  end
  return body, text
end

--- Answers with a whole body.
function M.whole_body(q, ctx, body)
  q.status = 200
  q.ex:answer(200, sink.headers(ctx), body)
end

--- Reads a whole answer as events.
local function read_unary(q, at, protocol, ctx)
  local ex = q.ex
  local body, text = M.collect(q, at)
  if not body then
    return
  end
  if at.upstream.type.unwrap then
    body = at.upstream.type.unwrap(body)
  end
  local events = protocol.reply.read(body, ctx)
  if events[1] and events[1].kind == 'error' and not tells_error(body) then
    return sink.nonsense(q, at, 'what is no answer: ' .. text:sub(1, 100))
  elseif not q.stream then
    return sink.answer(q, ctx, events)
  end
  local put, close = sink.open(q, ctx)
  if put(events) then
    close()
  elseif ex:started() then
    ex:finish()
  end
end

-- Relaying ----------------------------------------------------------------------------------------

--- Passes a whole answer on.
function M.relay(q, at, status)
  local ex = q.ex
  local tap = (rules.done or q.stores) and q.speaks.stream.tap or nil
  M.whole[ex] = true
  local ok, code, words = ex:relay(status, sink.relayed(q, RELAY_HEADERS), 'json', tap)
  q.status = status
  if ok then
    if q.stores then
      stored.note(q, ex:tapped()[tap[1]])
    end
    ex:finish()
    if tap then
      local _, usage = q.speaks.stream.tapped(ex:tapped())
      q.usage = usage
    end
  elseif ex:started() then
    q.failed = code
    ex:abort()
  elseif code == 'protocol' then
    sink.nonsense(q, at, words)
  else
    refuse.request(q, refuse.transfer(at.upstream, code, words))
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
        refuse.request(q, sink.failure_of(q, events[j]))
        return false
      elseif not sink.NO_CONTENT[events[j].kind] then
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
      elseif not sink.NO_CONTENT[events[i].kind] then
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
  local ok, code, words = ex:relay(status, sink.relayed(q, STREAM_HEADERS), framing, stream.tap,
    stream.keepalive)
  local found = ex:tapped()
  local complete, usage = stream.tapped(found)
  q.usage = usage
  if complete and q.stores then
    stored.note(q, found[stream.tap[1]])
  end
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
      ex:write(framing == 'lines' and '\n' or '\n\n')
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
    return sink.nonsense(q, at, excerpt(q.ex:collect(1000) or ''))
  end
  local wire = WIRE[route.protocol(at.protocol).stream.framing or 'sse']
  local streamed = kind:find(wire, 1, true) ~= nil
  local plain = at.protocol == q.protocol and streamed == (q.stream or false) and not q.array
    and not (rules.event and rules.concerns('event', sink.subject_of(q)))
  if plain and not streamed then
    return M.relay(q, at, status)
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
