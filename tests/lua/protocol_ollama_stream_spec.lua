--- Ollama's answers: odd upstreams read, strict clients written, one claim each.

local json = require('px.json')
local kit = require('corpus_kit')
local strict_ollama = require('strict_ollama')
local t = require('harness')
local reply = require('protocol.ollama.reply')
local stream = require('protocol.ollama.stream')

local describe, it, eq = t.describe, t.it, t.eq

local function context(more)
  local lost = {}
  local ctx = { model = 'm', knowledge = {}, id = 'ID', now = 1767225600, settings = {} }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  ctx.losses = lost
  function ctx.lost(path)
    lost[#lost + 1] = path
  end
  return ctx
end

--- Reads lines.
local function read(lines, more)
  local step, out = stream.reader(context(more)), {}
  for i = 1, #lines + 1 do
    for _, event in ipairs(step(lines[i] and 'message', lines[i]) or {}) do
      out[#out + 1] = event
    end
  end
  eq(nil, step(nil))
  return out
end

--- Events in short: `text0:Hi`, `tool1:id/name`, `stop0`, `finish:stop`, …
local function short(events)
  local out = {}
  for _, event in ipairs(events) do
    local kind, index = event.kind, event.index or ''
    if kind == 'tool_start' then
      out[#out + 1] = ('tool%s:%s/%s'):format(index, event.id, event.name)
    elseif kind == 'block_stop' then
      out[#out + 1] = 'stop' .. index
    elseif kind == 'finish' then
      out[#out + 1] = 'finish:' .. event.reason .. (event.stop and '/' .. event.stop or '')
    elseif kind == 'usage' then
      out[#out + 1] = ('usage:%d/%d'):format(event.input, event.output)
    elseif kind == 'error' then
      out[#out + 1] = ('error:%s/%s'):format(event.code, event.status)
    elseif kind ~= 'start' then
      out[#out + 1] = kind .. index .. ':' .. tostring(event.text)
    end
  end
  return table.concat(out, ' ')
end

local function line(message, more)
  return ('{"model":"q","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",%s},'
    .. '"done":false%s}'):format(message, more or '')
end

local function last(reason, more)
  return ('{"model":"q","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",'
    .. '"content":""},"done":true%s%s}'):format(
    reason and ',"done_reason":"' .. reason .. '"' or '', more or '')
end

local HI = line('"content":"Hi"')
local HM = line('"content":"","thinking":"hm"')
local COUNTS = ',"prompt_eval_count":12,"eval_count":9'
local CALL = '{"id":"a","function":{"index":0,"name":"f","arguments":{"x":1.0}}}'
local OLD = '{"function":{"name":"g","arguments":{}}}'

local function calls(list)
  return line('"content":"","tool_calls":[' .. list .. ']')
end

local READS = {
  { 'text', { HI, HI, last('stop', COUNTS) },
    'text0:Hi text0:Hi stop0 finish:stop usage:12/9' },
  { 'thinking, then text', { HM, HI, last('stop') },
    'thinking0:hm stop0 text1:Hi stop1 finish:stop' },
  { 'both in one line', { line('"content":"Hi","thinking":"hm"'), last('stop') },
    'thinking0:hm stop0 text1:Hi stop1 finish:stop' },
  { 'an end without a reason', { HI, last(nil) }, 'text0:Hi stop0 finish:stop' },
  { 'a length', { HI, last('length', ',"eval_count":3') },
    'text0:Hi stop0 finish:length usage:0/3' },
  { 'text in the last line', { (line('"content":"Hi"'):gsub('false', 'true')) },
    'text0:Hi stop0 finish:stop' },
  { 'a call', { calls(CALL), last('stop') },
    'tool0:a/f args0:{"x":1.0} stop0 finish:tool' },
  { 'calls without ids', { HI, calls(OLD .. ',' .. OLD), calls(OLD), last('stop') },
    'text0:Hi stop0 tool1:call_ID_1/g args1:{} stop1 tool2:call_ID_2/g args2:{} stop2 '
    .. 'tool3:call_ID_3/g args3:{} stop3 finish:tool' },
  { 'an id that comes twice', { calls(CALL), calls(CALL), last('stop') },
    'tool0:a/f args0:{"x":1.0} stop0 tool1:call_ID_2/f args1:{"x":1.0} stop1 finish:tool' },
  { 'a length after a call', { calls(CALL), last('length') },
    'tool0:a/f args0:{"x":1.0} stop0 finish:length' },
  { 'a call without a name', { calls('{"function":{}},3'), last('stop') }, 'finish:stop' },
  { 'a generation', { '{"model":"q","response":"Hi","thinking":"hm","done":false}',
    '{"model":"q","response":"","done":true,"context":[1,2],"eval_count":1}' },
    'thinking0:hm stop0 text1:Hi stop1 finish:stop usage:0/1' },
  { 'a load', { last('load') }, 'finish:stop' },
  { 'an end in the middle', { HI }, 'text0:Hi error:cut/502' },
  { 'nothing at all', {}, 'error:cut/502' },
  { 'an empty line', { '', HI, ' ', last('stop') }, 'text0:Hi stop0 finish:stop' },
  { 'what comes after the end', { HI, last('stop'), HI, last('stop') },
    'text0:Hi stop0 finish:stop' },
  { 'an error', { HI, '{"error":"model runner has unexpectedly stopped"}', last('stop') },
    'text0:Hi error:internal/500' },
  { 'an error first', { '{"error":"server busy, please try again. maximum pending requests '
    .. 'exceeded"}' }, 'error:overloaded/503' },
  { 'an error with its status', { '{"error":"you (x) have reached your limit","StatusCode":429}' },
    'error:rate_limit/429' },
  { 'garbage', { HI, '<html>' }, 'text0:Hi error:internal/502' },
  { 'a line that is no object', { '5' }, 'error:internal/502' },
  { 'odd members', { '{"model":5,"message":{"content":["a"],"thinking":7,"tool_calls":"x"},'
    .. '"done":"no"}', last('stop', ',"eval_count":"9"') }, 'finish:stop' },
}

describe('an Ollama stream', function()
  for _, case in ipairs(READS) do
    it('is read: ' .. case[1], function()
      eq(case[3], short(read(case[2])))
    end)
  end

  it('keeps the numbers of arguments to the letter', function()
    local events = read({ calls('{"function":{"name":"f","arguments":{"b":9007199254740993,'
      .. '"a":1e3,"l":[],"o":{}}}}'), last('stop') })
    eq('{"b":9007199254740993,"a":1e3,"l":[],"o":{}}', events[3].text)
  end)

  it('gives back the free text of a custom tool', function()
    eq('tool0:a/f args0:do it stop0 finish:tool', short(read({ calls('{"id":"a","function":'
      .. '{"name":"f","arguments":{"input":"do it"}}}'), last('stop') },
      { customs = { f = true } })))
  end)

  it('is watched by its last line', function()
    eq(true, (stream.tapped({ done = last('stop') })))
    eq(false, (stream.tapped({ done = HI })))
    eq(false, (stream.tapped({})))
    eq(true, (stream.tapped({ done = HI, error = '{"error":"no"}' })))
    eq({ kind = 'usage', input = 12, cache_read = 0, cache_write = 0, output = 9, reasoning = 0 },
      select(2, stream.tapped({ done = last('stop', COUNTS) })))
    eq({ 'application/x-ndjson', 'lines', nil },
      { stream.content_type, stream.framing, stream.keepalive })
  end)

  for _, case in ipairs({
    { HI, 'content' }, { HM, 'content' }, { calls(CALL), 'content' }, { last('stop'), 'content' },
    { '{"response":"Hi","done":false}', 'content' }, { line('"content":""'), nil }, { '', nil },
    { '{"error":"no"}', 'error' }, { '<html>', 'error' }, { '7', 'error' },
    { '{"message":{"tool_calls":[]},"error":null}', nil },
  }) do
    it('begins with ' .. case[1], function()
      eq(case[2], stream.begins('message', case[1]))
    end)
  end
end)

describe('a unary answer of Ollama', function()
  local function answer(text)
    return short(reply.read(json.decode(text), context()))
  end

  it('is read like a stream of one line', function()
    eq('thinking0:hm stop0 text1:Hi stop1 tool2:a/f args2:{"x":1.0} stop2 finish:tool '
      .. 'usage:12/9', answer((last('stop', COUNTS):gsub('"content":""',
      '"content":"Hi","thinking":"hm","tool_calls":[' .. CALL .. ']'))))
  end)

  it('is complete even if it does not say so', function()
    eq('text0:Hi stop0 finish:stop', answer('{"message":{"content":"Hi"}}'))
    eq('text0:Hi stop0 finish:stop', answer('{"response":"Hi"}'))
  end)

  it('may be an error or nonsense', function()
    eq("error:not_found/404", answer('{"error":"model \'x\' not found"}'))
    eq('error:internal/502', answer('{"a":1}'))
    eq('error:internal/500', short(reply.read(nil, context())))
  end)
end)

-- Writing -----------------------------------------------------------------------------------------

local START = { kind = 'start', id = 'r', model = 'up' }
local FINISH = { kind = 'finish', reason = 'stop' }
local USED = { kind = 'usage', input = 1, cache_read = 2, cache_write = 3, output = 4,
  reasoning = 1 }

local function text(index, words)
  return { kind = 'text', index = index, text = words }
end

local function stop(index)
  return { kind = 'block_stop', index = index }
end

local function tool(index, id, name)
  return { kind = 'tool_start', index = index, id = id, name = name }
end

local function args(index, words)
  return { kind = 'args', index = index, text = words }
end

--- Writes events; checks them as a client would; gives the lines and the losses.
local function write(events, more)
  local ctx = context(more)
  local written = kit.write_stream('ollama', events, ctx)
  return strict_ollama.stream(written, ctx.path ~= nil), table.concat(ctx.losses, ' ')
end

local HEAD = '{"model":"m","created_at":"2026-01-01T00:00:00Z",'
local END = '{"created_at":"2026-01-01T00:00:00Z","done":true,"done_reason":"%s","eval_count":%d,'
  .. '"eval_duration":%d,"load_duration":0,"message":{"content":"","role":"assistant"},'
  .. '"model":"m","prompt_eval_count":%d,"prompt_eval_duration":0,"total_duration":%d}'

local function said(words)
  return HEAD .. '"message":{"role":"assistant","content":' .. words .. '},"done":false}'
end

local function called(id, index, name, object)
  return said(('"","tool_calls":[{"function":{"arguments":%s,"index":%d,"name":"%s"},"id":"%s"}]')
    :format(object, index, name, id))
end

local WRITES = {
  { 'text', { START, text(0, 'Hi'), text(0, ''), stop(0), FINISH, USED },
    { said('"Hi"'), END:format('stop', 4, 1, 6, 0) } },
  { 'thinking', { START, { kind = 'thinking', index = 0, text = 'hm' }, stop(0), text(1, 'Hi'),
    stop(1), FINISH, USED },
    { HEAD .. '"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}',
      said('"Hi"'), END:format('stop', 4, 1, 6, 0) } },
  { 'no usage', { START, text(0, 'Hello'), stop(0), { kind = 'finish', reason = 'length' } },
    { said('"Hello"'), END:format('length', 0, 0, 0, 0) } },
  { 'nothing', {}, { END:format('stop', 0, 0, 0, 0) } },
  { 'a call in one line', { START, tool(0, 'a', 'f'), args(0, '{"x":'), args(0, ' 1.0}'), stop(0),
    { kind = 'finish', reason = 'tool' }, USED },
    { called('a', 0, 'f', '{"x":1.0}'), END:format('stop', 4, 1, 6, 0) } },
  { 'mixed calls in order', { START, tool(0, 'a', 'f'), tool(1, 'b', 'g'), args(1, '{}'), stop(1),
    args(0, '{"l":[]}'), stop(0), { kind = 'finish', reason = 'tool' }, USED },
    { called('a', 0, 'f', '{"l":[]}'), called('b', 1, 'g', '{}'),
      END:format('stop', 4, 1, 6, 0) } },
  { 'text beside an open call', { START, tool(0, 'a', 'f'), text(1, 'Hi'), stop(1), stop(0),
    { kind = 'finish', reason = 'tool' }, USED },
    { said('"Hi"'), called('a', 0, 'f', '{}'), END:format('stop', 4, 1, 6, 0) } },
  { 'a call that was cut', { START, tool(0, 'a', 'f'), args(0, '{"x'),
    { kind = 'finish', reason = 'length' }, USED },
    { called('a', 0, 'f', '{"_raw":"{\\"x"}'), END:format('length', 4, 1, 6, 0) } },
  { 'a refusal', { START, { kind = 'refusal', index = 0, text = 'no' }, stop(0),
    { kind = 'finish', reason = 'filter' }, USED },
    { said('"no"'), END:format('stop', 4, 1, 6, 0) } },
  { 'a custom call', { START, { kind = 'tool_start', index = 0, id = 'a', name = 'f',
    custom = true }, args(0, 'a\nb'), stop(0), { kind = 'finish', reason = 'tool' }, USED },
    { called('a', 0, 'f', '{"input":"a\\nb"}'), END:format('stop', 4, 1, 6, 0) } },
  { 'an error', { START, text(0, 'Hi'), { kind = 'error', code = 'overloaded', status = 529,
    message = 'busy' }, FINISH }, { said('"Hi"'), '{"error":"busy"}' } },
  { 'an error alone', { { kind = 'ping' }, { kind = 'error', code = 'cut' } },
    { '{"error":"the upstream failed"}' } },
}

describe('a stream for an Ollama client', function()
  for _, case in ipairs(WRITES) do
    it('tells ' .. case[1], function()
      eq(case[3], (write(case[2])))
    end)
  end

  it('has the form of a generation', function()
    local lines = write({ START, { kind = 'thinking', index = 0, text = 'hm' }, stop(0),
      text(1, 'Hi'), stop(1), FINISH, USED }, { path = '/ollama/api/generate' })
    eq({ HEAD .. '"response":"","thinking":"hm","done":false}',
      HEAD .. '"response":"Hi","done":false}' }, { lines[1], lines[2] })
    eq('', json.decode(lines[3]).response)
    eq(nil, json.decode(lines[3]).message)
  end)

  it('tells how long it took where that is known', function()
    local lines = write({ START, text(0, 'Hi'), stop(0), FINISH, USED },
      { elapsed = function() return 1500000 end })
    eq(END:format('stop', 4, 1500000, 6, 1500000), lines[2])
  end)

  it('says what it leaves out', function()
    local _, lost = write({ START, text(0, 'Hi'),
      { kind = 'citation', index = 0, url = 'http://x' }, stop(0),
      { kind = 'signature', index = 1, text = 's' }, stop(1),
      { kind = 'redacted', index = 2, data = 'd' }, stop(2),
      { kind = 'opaque', index = 3, json = {} }, stop(3), FINISH, USED })
    eq('reply.citations reply.signature reply.thinking reply.opaque', lost)
  end)

  it('names the model as the client did, or as the upstream does', function()
    for model, name in pairs({ ['[Kiro] x'] = '[Kiro] x', [false] = 'up' }) do
      local ctx = context()
      ctx.model = model or nil
      local step = kit.writer('ollama', ctx)
      eq(nil, step(START))
      eq(name, json.decode(step(text(0, 'Hi'))).model)
    end
  end)

  it('has no keep-alive', function()
    local step = stream.writer(context())
    eq(nil, step({ kind = 'ping' }))
  end)
end)

describe('a unary answer for an Ollama client', function()
  local EVENTS = { START, { kind = 'thinking', index = 0, text = 'hm' },
    { kind = 'signature', index = 0, text = 's' }, stop(0), text(1, 'Hi'), stop(1),
    tool(2, 'a', 'f'), args(2, '{"x":1.0}'), stop(2), { kind = 'finish', reason = 'tool' }, USED }

  it('tells all at once', function()
    local ctx = context()
    local body = reply.write(EVENTS, ctx)
    strict_ollama.reply(json.decode(json.encode(body)))
    eq('{"content":"Hi","role":"assistant","thinking":"hm","tool_calls":[{"function":{'
      .. '"arguments":{"x":1.0},"index":0,"name":"f"},"id":"a"}]}', json.encode(body.message))
    eq({ true, 'stop', 6, 4, '2026-01-01T00:00:00Z' }, { body.done, body.done_reason,
      body.prompt_eval_count, body.eval_count, body.created_at })
    eq({ 'reply.signature' }, ctx.losses)
  end)

  it('has the form of a generation', function()
    local body = reply.write(EVENTS, context({ generate = true }))
    strict_ollama.reply(json.decode(json.encode(body)), true)
    eq({ 'Hi', 'hm' }, { body.response, body.thinking })
    eq('f', body.tool_calls[1]['function'].name)
  end)

  it('tells a failure', function()
    eq({ error = 'busy' }, reply.write({ START, { kind = 'error', code = 'overloaded',
      message = 'busy' } }, context()))
  end)
end)

t.finish()
