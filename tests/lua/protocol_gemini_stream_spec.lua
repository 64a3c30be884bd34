--- Gemini streams and answers: odd upstreams read, strict clients written, one claim each.

local json = require('px.json')
local kit = require('corpus_kit')
local strict_gemini = require('strict_gemini')
local t = require('harness')
local media = require('protocol._media')
local reply = require('protocol.gemini.reply')
local stream = require('protocol.gemini.stream')

local describe, it, eq = t.describe, t.it, t.eq

local function context(more)
  local ctx = {
    model = 'm', knowledge = {}, id = 'ID', now = 7, include_usage = true, settings = {},
    lost = function() end, origin = 'anthropic',
  }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  return ctx
end

local function read(datas, more)
  local step = stream.reader(context(more))
  local out = {}
  for _, data in ipairs(datas) do
    for _, event in ipairs(step('message', data) or {}) do
      out[#out + 1] = event
    end
  end
  for _, event in ipairs(step(nil) or {}) do
    out[#out + 1] = event
  end
  eq(nil, step(nil))
  return out
end

--- Events in short.
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
      out[#out + 1] = ('usage:%d+%d/%d(%d)'):format(event.input, event.cache_read, event.output,
        event.reasoning)
    elseif kind == 'error' then
      out[#out + 1] = 'error:' .. event.code
    elseif kind == 'citation' then
      out[#out + 1] = ('cite%d:%s@%s-%s'):format(index, event.url, tostring(event.first),
        tostring(event.last))
    elseif kind ~= 'start' then
      out[#out + 1] = kind .. index .. ':' .. tostring(event.text or event.data or '')
    end
  end
  return table.concat(out, ' ')
end

local function chunk(parts, finish, more)
  return ('{"candidates":[{"content":{"role":"model","parts":[%s]}%s,"index":0}]%s,'
    .. '"modelVersion":"g","responseId":"r"}'):format(parts,
    finish and ',"finishReason":"' .. finish .. '"' or '', more or '')
end

local function usage(text)
  return ',"usageMetadata":{' .. text .. '}'
end

local F = '{"functionCall":{"name":"f","args":{"a":1}}}'

local READS = {
  { 'text', { chunk('{"text":"Hi"}'), chunk('{"text":" there"}'), chunk('{"text":""}', 'STOP') },
    'text0:Hi text0: there stop0 finish:stop' },
  { 'thoughts, then text',
    { chunk('{"text":"hm","thought":true}'), chunk('{"text":"Hi"}', 'STOP') },
    'thinking0:hm stop0 text1:Hi stop1 finish:stop' },
  { 'thoughts and text in one chunk', { chunk('{"text":"hm","thought":true},{"text":"Hi"}',
    'STOP') }, 'thinking0:hm stop0 text1:Hi stop1 finish:stop' },
  { 'a call before the finish', { chunk(F), chunk('{"text":""}', 'STOP') },
    'tool0:call_ID_1/f args0:{"a":1} stop0 finish:tool' },
  { 'two calls of one tool', { chunk(F .. ',' .. F, 'STOP') },
    'tool0:call_ID_1/f args0:{"a":1} stop0 tool1:call_ID_2/f args1:{"a":1} stop1 finish:tool' },
  { 'a call with an id and no arguments',
    { chunk('{"functionCall":{"id":"c","name":"f"}}', 'STOP') },
    'tool0:c/f args0:{} stop0 finish:tool' },
  { 'numbers and empty lists to the letter', { chunk('{"functionCall":{"id":"c","name":"f","args":'
    .. '{"n":12345678901234567890,"e":[],"o":{},"f":1.0}}}', 'STOP') },
    'tool0:c/f args0:{"n":12345678901234567890,"e":[],"o":{},"f":1.0} stop0 finish:tool' },
  { 'a signature in a thought', { chunk('{"text":"hm","thought":true}'),
    chunk('{"functionCall":{"id":"c","name":"f"},"thoughtSignature":"Cg=="}', 'STOP') },
    'thinking0:hm signature0:Cg== stop0 tool1:c/f args1:{} stop1 finish:tool' },
  { 'a signature without a thought', { chunk('{"functionCall":{"id":"c","name":"f"},'
    .. '"thoughtSignature":"Cg=="},{"functionCall":{"id":"d","name":"f"}}', 'STOP') },
    'signature0:Cg== stop0 tool1:c/f args1:{} stop1 tool2:d/f args2:{} stop2 finish:tool' },
  { 'the signature of a first text', { chunk('{"text":"Hi","thoughtSignature":"Cg=="}', 'STOP') },
    'signature0:Cg== stop0 text1:Hi stop1 finish:stop' },
  { 'a late signature of text is lost', { chunk('{"text":"Hi"}'),
    chunk('{"text":"","thoughtSignature":"Cg=="}', 'STOP') }, 'text0:Hi stop0 finish:stop' },
  { 'a cap', { chunk('{"text":"Hi"}', 'MAX_TOKENS') }, 'text0:Hi stop0 finish:length' },
  { 'a cap after a call', { chunk(F, 'MAX_TOKENS') },
    'tool0:call_ID_1/f args0:{"a":1} stop0 finish:length' },
  { 'a filter', { chunk('{"text":"Hi"}', 'SAFETY') }, 'text0:Hi stop0 finish:filter' },
  { 'a filter without content', { '{"candidates":[{"finishReason":"RECITATION"}]}' },
    'finish:filter' },
  { 'a blocked prompt', { '{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":'
    .. '{"promptTokenCount":3}}' }, 'finish:filter usage:3+0/0(0)' },
  { 'a malformed call', { '{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}' },
    'error:internal' },
  { 'OTHER with nothing said', { '{"candidates":[{"finishReason":"OTHER"}]}' }, 'error:internal' },
  { 'OTHER with something said', { chunk('{"text":"Hi"}', 'OTHER') },
    'text0:Hi stop0 finish:stop' },
  { 'a word that is not known', { chunk('{"text":"Hi"}', 'NEW') }, 'text0:Hi stop0 finish:stop' },
  { 'an end in the middle', { chunk('{"text":"Hi"}') }, 'text0:Hi error:cut' },
  { 'an end after a call without a finish', { chunk(F) },
    'tool0:call_ID_1/f args0:{"a":1} stop0 error:cut' },
  { 'nothing at all', {}, 'error:cut' },
  { 'no JSON', { 'nonsense' }, 'error:internal' },
  { 'an error', { chunk('{"text":"Hi"}'), '{"error":{"code":503,"message":"full","status":'
    .. '"UNAVAILABLE"}}', chunk('{"text":"x"}') }, 'text0:Hi error:overloaded' },
  { 'an error in a list',
    { '[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}]' },
    'error:rate_limit' },
  { 'usage that counts up', { chunk('{"text":"H"}', nil, usage('"promptTokenCount":9')),
    chunk('{"text":"i"}', nil, usage('"promptTokenCount":"10","candidatesTokenCount":2')),
    chunk('{"text":""}', 'STOP', usage('"promptTokenCount":10,"cachedContentTokenCount":4,'
      .. '"candidatesTokenCount":3,"thoughtsTokenCount":5,"toolUsePromptTokenCount":7,'
      .. '"totalTokenCount":25')) },
    'text0:H text0:i stop0 finish:stop usage:13+4/8(5)' },
  { 'usage without an answer', { chunk('', 'STOP', usage('"promptTokenCount":1')) },
    'finish:stop usage:1+0/0(0)' },
  { 'hosted tools', { chunk('{"executableCode":{"code":"1"}},{"codeExecutionResult":{}}'),
    chunk('{"text":"x"}', 'STOP') },
    'opaque0: stop0 opaque1: stop1 text2:x stop2 finish:stop' },
  { 'a picture', { chunk('{"inlineData":{"mimeType":"image/png","data":"AAAA"}}', 'STOP') },
    'image0: stop0 finish:stop' },
  { 'speech', { chunk('{"inlineData":{"mimeType":"audio/L16;rate=24000","data":"AAAA"}}', 'STOP') },
    'text0:[audio omitted] stop0 finish:stop' },
  { 'only the first candidate', { '{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]}},'
    .. '{"index":0,"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}' },
    'text0:a stop0 finish:stop' },
  { 'snake_case', { '{"candidates":[{"content":{"parts":[{"function_call":{"name":"f","args":{}},'
    .. '"thought_signature":"Cg=="}]},"finish_reason":"STOP"}],"usage_metadata":'
    .. '{"prompt_token_count":2}}' },
    'signature0:Cg== stop0 tool1:call_ID_1/f args1:{} stop1 finish:tool usage:2+0/0(0)' },
  { 'parts that are odd', { chunk('null,7,{"text":7},{"functionCall":{}},{"functionCall":7}',
    'STOP') }, 'finish:stop' },
  { 'members that are odd', { '{"candidates":{},"usageMetadata":7}', '{"candidates":[7,'
    .. '{"content":[],"finishReason":"STOP"}]}' }, 'finish:stop' },
}

local function partial(inner, more)
  return chunk('{"functionCall":{' .. inner .. '}}', more)
end

local function piece(path, value, more)
  return ('"partialArgs":[{"jsonPath":"%s",%s}],"willContinue":%s'):format(path, value,
    tostring(more ~= false))
end

local PARTIALS = {
  { 'closed by an empty one', { partial('"id":"c","name":"f","willContinue":true'),
    partial(piece('$.a', '"stringValue":"x","willContinue":true')),
    partial(piece('$.a', '"stringValue":"y"')), partial(''), chunk('{"text":"z"}', 'STOP') },
    '{"a":"xy"}' },
  { 'closed by the last piece', { partial('"id":"c","name":"f","willContinue":true'),
    partial(piece('$.l[0].n', '"numberValue":0.5')), partial(piece('$.l[1].n', '"boolValue":true')),
    partial(piece('$.l[1].m', '"nullValue":"NULL_VALUE"', false)), chunk('{"text":"z"}', 'STOP') },
    '{"l":[{"n":0.5},{"m":null,"n":true}]}' },
  { 'closed by the finish', { partial('"id":"c","name":"f","willContinue":true'),
    partial(piece("$['a b']", '"numberValue":12345678901234567890')),
    chunk('{"text":""}', 'STOP') }, '{"a b":12345678901234567890}' },
  { 'with holes and paths that do not fit', { partial('"id":"c","name":"f","willContinue":true'),
    partial(piece('$.l[2]', '"stringValue":"x"')), partial(piece('$.l.k', '"stringValue":"x"')),
    partial(piece('$.l[99999999]', '"stringValue":"x"')), partial(piece('l', '"stringValue":"x"')),
    chunk('', 'STOP') }, '{"l":[null,null,"x"]}' },
  { 'with holes inside of a path', { partial('"id":"c","name":"f","willContinue":true'),
    partial(piece('$.a[2].b', '"stringValue":"x"')), partial(piece('$.b[1]', '"numberValue":3')),
    partial(piece('$.b[3].c', '"boolValue":true')), partial(piece('$.d[1][1]',
    '"stringValue":"y"')), chunk('', 'STOP') }, '{"a":[null,null,{"b":"x"}],'
    .. '"b":[null,3,null,{"c":true}],"d":[null,[null,"y"]]}' },
  { 'with more holes than one call may have', { partial('"id":"c","name":"f","willContinue":true'),
    partial(piece('$.k', '"stringValue":"x"')), partial(piece('$.a' .. ('[9000]'):rep(63),
    '"stringValue":"x"')), partial(piece('$.z[9000]', '"stringValue":"x"')), chunk('', 'STOP') },
    '{"a":[' .. ('null,'):rep(9000) .. '[]],"k":"x","z":[]}' },
}

describe('a Gemini stream is read:', function()
  for _, case in ipairs(READS) do
    it(case[1], function()
      eq(case[3], short(read(case[2])))
    end)
  end

  for _, case in ipairs(PARTIALS) do
    it('arguments in pieces, ' .. case[1], function()
      local got = short(read(case[2]))
      local want = 'tool0:c/f args0:' .. case[3] .. ' stop0'
      eq(want, got:sub(1, #want))
      eq('finish:tool', got:match('finish:%a+'))
    end)
  end

  it('the next named call ends the one in pieces', function()
    eq('tool0:c/f args0:{"a":"x"} stop0 tool1:d/g args1:{} stop1 finish:tool', short(read({
      partial('"id":"c","name":"f","willContinue":true'),
      partial(piece('$.a', '"stringValue":"x"')),
      partial('"id":"d","name":"g"', 'STOP') })))
  end)

  it('sources at the end, their places counted in characters', function()
    local grounding = ',"groundingMetadata":{"groundingChunks":[{"web":{"uri":"u1","title":"T"}},'
      .. '{"web":{"uri":"u2"}}],"groundingSupports":[{"segment":{"startIndex":3,"endIndex":5},'
      .. '"groundingChunkIndices":[0,1,9]}]}'
    local body = '{"candidates":[{"content":{"parts":[{"text":"\195\164\195\164bc"}]},'
      .. '"finishReason":"STOP"' .. grounding .. '}]}'
    eq('text0:\195\164\195\164bc cite0:u1@2-3 cite0:u2@2-3 stop0 finish:stop',
      short(read({ body })))
  end)

  it('custom tools and shortened names given back', function()
    eq('tool0:c/long args0:free stop0 finish:tool', short(read({ chunk(
      '{"functionCall":{"id":"c","name":"l","args":{"input":"free"}}}', 'STOP') },
      { names = { l = 'long' }, customs = { long = true } })))
  end)

  it('with stops that are watched for', function()
    eq('text0:a stop0 finish:stop_seq/X', short(read({ chunk('{"text":"aX"}'),
      chunk('{"text":"b"}', 'STOP') }, { stops = { 'X' } })))
  end)

  it('the same, whole', function()
    local list = json.decode('[' .. chunk('{"text":"hm","thought":true}') .. ','
      .. chunk(F, 'STOP', usage('"promptTokenCount":1')) .. ']')
    eq('thinking0:hm stop0 tool1:call_ID_1/f args1:{"a":1} stop1 finish:tool usage:1+0/0(0)',
      short(reply.read(list, context())))
    eq('error:internal', short(reply.read(json.decode('{"x":1}'), context())))
    eq('error:internal', short(reply.read(nil, context())))
    eq('error:overloaded', short(reply.read(json.decode(
      '{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}'), context())))
  end)
end)

describe('a relayed Gemini stream', function()
  it('is complete with a finish, a block or an error of the upstream', function()
    local complete, used = stream.tapped({ finishReason = chunk('', 'STOP'),
      usageMetadata = chunk('', nil, usage('"promptTokenCount":5,"candidatesTokenCount":1')) })
    eq({ true, 5, 1 }, { complete, used.input, used.output })
    eq(false, (stream.tapped({ usageMetadata = chunk('', nil, usage('"promptTokenCount":5')) })))
    eq(true, (stream.tapped({ blockReason = '{"promptFeedback":{"blockReason":"SAFETY"}}' })))
    eq(true, (stream.tapped({ error = '{"error":{"code":503}}' })))
  end)

  it('is not, when only arguments have such names', function()
    eq(false, (stream.tapped({
      error = chunk('{"functionCall":{"name":"f","args":{"error":{}}}}'),
      finishReason = chunk('{"functionCall":{"name":"f","args":{"finishReason":"STOP"}}}') })))
  end)
end)

local BEGINS = {
  { chunk('{"text":""}', nil, usage('"promptTokenCount":1')), nil },
  { '{"usageMetadata":{}}', nil },
  { '{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}', nil },
  { '{"candidates":[7,{"content":7}]}', nil },
  { chunk('{"text":"a"}'), 'content' },
  { chunk('{"text":"a","thought":true}'), 'content' },
  { chunk(F), 'content' },
  { '{"candidates":[{"finishReason":"SAFETY"}]}', 'content' },
  { '{"promptFeedback":{"blockReason":"OTHER"}}', 'content' },
  { '{"error":{"code":429}}', 'error' },
  { '[{"error":{"code":429}}]', 'error' },
  { 'nonsense', 'error' },
}

describe('the start of a Gemini stream', function()
  for _, case in ipairs(BEGINS) do
    it('is seen: ' .. case[1], function()
      eq(case[2], stream.begins('message', case[1]))
    end)
  end
end)

local function write(events, more)
  return kit.write_stream('gemini', events, context(more))
end

--- The parts of a stream and its finish, as JSON texts.
local function parts(events, more)
  local out = {}
  for _, data in ipairs(strict_gemini.stream(write(events, more))) do
    local candidate = json.decode(data).candidates[1]
    for _, part in ipairs(candidate.content.parts) do
      out[#out + 1] = json.encode(part)
    end
    out[#out + 1] = candidate.finishReason
  end
  return table.concat(out, ' ')
end

local function args(index, text)
  return { kind = 'args', index = index, text = text }
end

local function tool(index, id, more)
  local out = { kind = 'tool_start', index = index, id = id, name = 'f' }
  for key, value in pairs(more or {}) do
    out[key] = value
  end
  return out
end

local function stop(index)
  return { kind = 'block_stop', index = index }
end

local function text(index, words)
  return { kind = 'text', index = index, text = words }
end

local START = { kind = 'start', id = 'x', model = 'y' }
local FINISH = { kind = 'finish', reason = 'stop' }

describe('a Gemini stream is written:', function()
  it('to the letter', function()
    eq('data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],'
      .. '"modelVersion":"m","responseId":"ID"}\r\n\r\n'
      .. 'data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},'
      .. '"finishReason":"STOP","index":0}],"usageMetadata":{"cachedContentTokenCount":2,'
      .. '"candidatesTokenCount":3,"promptTokenCount":6,"thoughtsTokenCount":4,'
      .. '"totalTokenCount":13},"modelVersion":"m","responseId":"ID"}\r\n\r\n',
      write({ START, text(0, 'Hi'), { kind = 'ping' }, stop(0), FINISH, { kind = 'usage', input = 3,
        cache_read = 2, cache_write = 1, output = 7, reasoning = 4 } }))
  end)

  it('thoughts apart from text', function()
    eq('{"text":"hm","thought":true} {"text":"Hi"} {"text":""} STOP',
      parts({ { kind = 'thinking', index = 0, text = 'hm' }, stop(0), text(1, 'Hi'), stop(1),
        FINISH }))
  end)

  it('calls whole, in the order in which they began', function()
    eq('{"text":"x"} {"functionCall":{"args":{"a":1},"id":"a","name":"f"}} '
      .. '{"functionCall":{"args":{},"id":"b","name":"f"}} {"text":""} STOP',
      parts({ tool(0, 'a'), tool(1, 'b'), args(0, '{"a"'), stop(1), text(2, 'x'), args(0, ':1}'),
        stop(0), stop(2), { kind = 'finish', reason = 'tool' } }))
  end)

  it('a call that was cut, and a custom one', function()
    eq('{"functionCall":{"args":{"_raw":"{\\"a"},"id":"a","name":"f"}} '
      .. '{"functionCall":{"args":{"input":"free"},"id":"b","name":"f"}} {"text":""} MAX_TOKENS',
      parts({ tool(0, 'a'), args(0, '{"a'), tool(1, 'b', { custom = true }), args(1, 'free'),
        { kind = 'finish', reason = 'length' } }))
  end)

  it('what others signed on the part that follows, in base64', function()
    local got = parts({ { kind = 'thinking', index = 0, text = 'hm' },
      { kind = 'signature', index = 0, text = 'Eq+/=' }, stop(0), tool(1, 'a'), stop(1), FINISH })
    local signed = got:match('"thoughtSignature":"([^"]+)"}')
    eq('anthropic#Eq+/=', media.unbase64(signed))
    eq('{"text":"hm","thought":true} {"functionCall"', got:sub(1, 44))
  end)

  it('a signature that nothing follows in a part of its own', function()
    eq('{"text":"","thoughtSignature":"Cg=="} {"text":""} STOP', parts({
      { kind = 'signature', index = 0, text = 'Cg==' }, stop(0), FINISH }, { origin = 'gemini' }))
  end)

  it('hosted parts to their own protocol alone', function()
    local lost, code = {}, json.decode('{"executableCode":{}}')
    eq('{"executableCode":{}} {"text":""} STOP', parts({
      { kind = 'opaque', index = 0, protocol = 'gemini', json = code },
      stop(0), { kind = 'opaque', index = 1, protocol = 'anthropic', json = {} }, stop(1), FINISH },
      { lost = function(path)
        lost[#lost + 1] = path
      end }))
    eq({ 'reply.opaque' }, lost)
  end)

  it('sources in the last chunk, their places counted in bytes', function()
    local list = strict_gemini.stream(write({ text(0, '\195\164\195\164bc'),
      { kind = 'citation', index = 0, url = 'u', title = 'T', first = 2, last = 3 }, stop(0),
      FINISH }))
    eq('{"groundingChunks":[{"web":{"title":"T","uri":"u"}}],"groundingSupports":[{'
      .. '"groundingChunkIndices":[0],"segment":{"endIndex":5,"startIndex":4,"text":"b"}}]}',
      json.encode(json.decode(list[#list]).candidates[1].groundingMetadata))
  end)

  for reason, word in pairs({ stop = 'STOP', tool = 'STOP', stop_seq = 'STOP', pause = 'STOP',
    length = 'MAX_TOKENS', filter = 'SAFETY', error = 'OTHER' }) do
    it('the finish ' .. reason, function()
      eq('{"text":""} ' .. word, parts({ { kind = 'finish', reason = reason } }))
    end)
  end

  it('an error, and nothing behind it', function()
    eq('data: {"error":{"code":503,"message":"full","status":"UNAVAILABLE"}}\r\n\r\n',
      write({ { kind = 'error', code = 'overloaded', message = 'full' }, text(0, 'x') }))
  end)

  it('as one array', function()
    eq('[{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],'
      .. '"modelVersion":"m","responseId":"ID"},\r\n{',
      write({ text(0, 'Hi'), FINISH }, { array = true }):match('^.-\r\n{'))
    eq(3, #strict_gemini.array(write({ text(0, 'Hi'), stop(0), tool(1, 'a'), stop(1), FINISH },
      { array = true })))
    eq(1, #strict_gemini.array(write({}, { array = true })))
    eq('[{"error":{"code":503,"message":"full","status":"UNAVAILABLE"}}]',
      write({ { kind = 'error', code = 'overloaded', message = 'full' } }, { array = true }))
  end)

  it('with nothing to keep it alive', function()
    eq({ nil, nil }, { stream.keepalive, stream.writer(context())({ kind = 'ping' }) })
  end)
end)

describe('a Gemini answer is written', function()
  local function candidate(events, more)
    local body = reply.write(events, context(more))
    return json.encode(body.candidates[1]), body
  end

  it('with its parts in order', function()
    eq('{"content":{"parts":[{"text":"hm","thought":true},{"functionCall":{"args":{"a":1},'
      .. '"id":"c","name":"f"},"thoughtSignature":"Cg=="},{"text":"x"}],"role":"model"},'
      .. '"finishReason":"STOP","index":0}',
      (candidate({ { kind = 'thinking', index = 0, text = 'hm' },
        { kind = 'signature', index = 0, text = 'Cg==' }, stop(0), tool(1, 'c'),
        args(1, '{"a":1}'), stop(1), text(2, 'x'), stop(2), FINISH }, { origin = 'gemini' })))
  end)

  it('with a part even where nothing was said', function()
    eq('{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"SAFETY","index":0}',
      (candidate({ { kind = 'finish', reason = 'filter' } })))
  end)

  it('as an error where it is one', function()
    eq('{"error":{"code":502,"message":"cut","status":"UNAVAILABLE"}}', json.encode(reply.write({
      { kind = 'error', code = 'cut', message = 'cut' } }, context())))
  end)

  it('and so are models and counts', function()
    eq('{"totalTokens":7}', json.encode(reply.count(7)))
    eq('{"models":[]}', json.encode(reply.models({})))
    eq({ 'models/a', 'A' }, { reply.models({ { id = 'a', display_name = 'A' } }).models[1].name,
      reply.model({ id = 'a', display_name = 'A' }).displayName })
  end)
end)

describe('signatures through a Gemini client', function()
  local request = require('protocol.gemini.request')

  local function round(events)
    local body = reply.write(events, context())
    local history = { contents = json.array({
      json.object({ parts = json.array({ json.object({ text = '?' }) }) }),
      body.candidates[1].content }) }
    return request.read(json.decode(json.encode(history)), context()).turns[2].blocks
  end

  it('come back with their origin and their thought', function()
    local blocks = round({ { kind = 'thinking', index = 0, text = 'hm' },
      { kind = 'signature', index = 0, text = 'Eq+/==' }, stop(0), tool(1, 'a'), stop(1), FINISH })
    eq({ 'hm', 'Eq+/==', 'anthropic', 'tool_call' },
      { blocks[1].text, blocks[1].signature, blocks[1].origin, blocks[2].kind })
  end)

  it('in the other alphabet too', function()
    local packed = media.base64('anthropic#Eq+/=>>??'):gsub('+', '-'):gsub('/', '_')
    local got = request.read(json.decode('{"contents":[{"role":"model","parts":[{"text":"a",'
      .. '"thoughtSignature":"' .. packed .. '"}]}]}'), context()).turns[1].blocks[1]
    eq({ 'Eq+/=>>??', 'anthropic' }, { got.signature, got.origin })
  end)

  it('and so does hidden thinking', function()
    local blocks = round({ { kind = 'redacted', index = 0, data = 'AbC=' }, stop(0),
      text(1, 'x'), stop(1), FINISH })
    eq({ 'redacted', 'AbC=', 'anthropic' }, { blocks[1].kind, blocks[1].data, blocks[1].origin })
  end)
end)

t.finish()
