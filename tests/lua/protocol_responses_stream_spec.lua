--- Responses streams of odd upstreams are read, one claim each.

local json = require('px.json')
local stream = require('protocol.openai_responses.stream')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function context(more)
  local ctx = {
    model = 'm', knowledge = {}, id = 'ID', now = 7, include_usage = true, settings = {},
    lost = function() end, origin = 'openai_responses',
  }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  return ctx
end

local function read(datas, more)
  local step, out = stream.reader(context(more)), {}
  for i = 1, #datas + 1 do
    for _, event in ipairs(step(datas[i] and 'message', datas[i]) or {}) do
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
      out[#out + 1] = ('%s%s:%s/%s'):format(event.custom and 'custom' or 'tool', index, event.id,
        event.name)
    elseif kind == 'block_stop' then
      out[#out + 1] = 'stop' .. index
    elseif kind == 'finish' then
      out[#out + 1] = 'finish:' .. event.reason
    elseif kind == 'usage' then
      out[#out + 1] = ('usage:%d+%d+%d/%d(%d)'):format(event.input, event.cache_read,
        event.cache_write, event.output, event.reasoning)
    elseif kind == 'error' then
      out[#out + 1] = ('error:%s/%d'):format(event.code, event.status)
    elseif kind ~= 'start' then
      out[#out + 1] = kind .. index .. ':'
        .. tostring(event.text or event.data or event.url or event.json.type or '')
    end
  end
  return table.concat(out, ' ')
end

local function added(at, item)
  return ('{"type":"response.output_item.added","output_index":%d,"item":%s}'):format(at, item)
end

local function done(at, item)
  return ('{"type":"response.output_item.done","output_index":%d,"item":%s}'):format(at, item)
end

local function delta(kind, at, text, more)
  return ('{"type":"response.%s.delta","output_index":%d,"delta":%s%s}'):format(kind, at,
    json.encode(text), more or '')
end

local function ended(kind, more)
  return ('{"type":"response.%s","response":{"id":"r","model":"m"%s}}'):format(kind, more or '')
end

local CREATED = ended('created', ',"status":"in_progress","output":[],"usage":null')
local MESSAGE = '{"type":"message","id":"msg_1","content":[%s]}'
local TEXT = '{"type":"output_text","text":"Hi","annotations":[]}'
local CALL = '{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"%s"}'

local READ = {
  { 'an answer without deltas, from its items',
    { CREATED, done(0, MESSAGE:format(TEXT)), ended('completed', ',"output":[]') },
    'text0:Hi stop0 finish:stop' },
  { 'an answer that only the last event holds',
    { CREATED, ended('completed', ',"output":[' .. MESSAGE:format(TEXT) .. ']') },
    'text0:Hi stop0 finish:stop' },
  { 'deltas and the same text at the end, once',
    { CREATED, added(0, MESSAGE:format('')), delta('output_text', 0, 'H'),
      delta('output_text', 0, 'i'), done(0, MESSAGE:format(TEXT)), done(0, MESSAGE:format(TEXT)),
      ended('completed', ',"output":[' .. MESSAGE:format(TEXT) .. ']') },
    'text0:H text0:i stop0 finish:stop' },
  { 'items whose ids change on every event',
    { added(0, '{"type":"message","id":"a","content":[]}'),
      '{"type":"response.output_text.delta","item_id":"b","output_index":0,"delta":"Hi"}',
      done(0, '{"type":"message","id":"c","content":[' .. TEXT .. ']}'),
      ended('completed', ',"output":[{"type":"message","id":"d","content":[' .. TEXT .. ']}]') },
    'text0:Hi stop0 finish:stop' },
  { 'arguments that come whole',
    { added(0, CALL:format('')),
      '{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{}"}',
      done(0, CALL:format('{}')), ended('completed') },
    'tool0:c/f args0:{} stop0 finish:tool' },
  { 'arguments that only the item has',
    { added(0, CALL:format('')), done(0, CALL:format('{}')), ended('completed') },
    'tool0:c/f args0:{} stop0 finish:tool' },
  { 'arguments that came before the name',
    { added(0, '{"type":"function_call","id":"x"}'),
      delta('function_call_arguments', 0, '{}'), done(0, CALL:format('{}')), ended('completed') },
    'tool0:c/f args0:{} stop0 finish:tool' },
  { 'a custom call', { added(0, '{"type":"custom_tool_call","call_id":"c","name":"p"}'),
      delta('custom_tool_call_input', 0, 'a\n'), delta('custom_tool_call_input', 0, 'b'),
      done(0, '{"type":"custom_tool_call","call_id":"c","name":"p","input":"a\\nb"}'),
      ended('completed') },
    'custom0:c/p args0:a\n args0:b stop0 finish:tool' },
  { 'a call inside a namespace',
    { done(0, '{"type":"function_call","call_id":"c","namespace":"crm","name":"f",'
      .. '"arguments":"{}"}'), ended('completed') },
    'tool0:c/crm__f args0:{} stop0 finish:tool' },
  { 'calls in one wrapper', { done(0, '{"type":"function_call","call_id":"c",'
      .. '"name":"multi_tool_use.parallel","arguments":"{\\"tool_uses\\":[{\\"recipient_name\\":'
      .. '\\"functions.a\\",\\"parameters\\":{\\"x\\":1}},{\\"recipient_name\\":\\"functions.b\\",'
      .. '\\"parameters\\":{}}]}"}'), ended('completed') },
    'tool0:c_1/a args0:{"x":1} stop0 tool1:c_2/b args1:{} stop1 finish:tool' },
  { 'summaries in parts, and the proof of the end',
    { added(0, '{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"early"}'),
      delta('reasoning_summary_text', 0, 'A', ',"summary_index":0'),
      delta('reasoning_summary_text', 0, 'B', ',"summary_index":1'),
      done(0, '{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"A"},'
        .. '{"type":"summary_text","text":"B"}],"encrypted_content":"late"}'), ended('completed') },
    'thinking0:A thinking0:\n\n thinking0:B signature0:late stop0 finish:stop' },
  { 'thinking of open models, told once', { delta('reasoning_text', 0, 'A', ',"content_index":0'),
      '{"type":"response.reasoning_text.done","output_index":0,"content_index":0,"text":"A"}',
      done(0, '{"type":"reasoning","summary":[{"type":"summary_text","text":"short"}],'
        .. '"content":[{"type":"reasoning_text","text":"A"}]}'), ended('completed') },
    'thinking0:A stop0 finish:stop' },
  { 'a proof without text', { done(0, '{"type":"reasoning","summary":[],"encrypted_content":"p"}'),
      ended('completed') }, 'signature0:p stop0 finish:stop' },
  { 'an item that opens inside another (OpenRouter)',
    { added(0, '{"type":"reasoning"}'), delta('reasoning_text', 0, 'A'),
      added(1, MESSAGE:format('')), delta('output_text', 1, 'Hi'),
      done(0, '{"type":"reasoning","content":[{"text":"A"}],"summary":[]}'),
      done(1, MESSAGE:format(TEXT)), ended('completed') },
    'thinking0:A text1:Hi stop0 stop1 finish:stop' },
  { 'a refusal', { added(0, MESSAGE:format('')), delta('refusal', 0, 'No'),
      done(0, MESSAGE:format('{"type":"refusal","refusal":"No"}')), ended('completed') },
    'refusal0:No stop0 finish:stop' },
  { 'citations, once', { added(0, MESSAGE:format('')), delta('output_text', 0, 'Hi'),
      '{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,'
        .. '"annotation":{"type":"url_citation","url":"u","start_index":0,"end_index":2}}',
      done(0, MESSAGE:format('{"type":"output_text","text":"Hi","annotations":[{"url":"u"}]}')),
      ended('completed') }, 'text0:Hi citation0:u stop0 finish:stop' },
  { 'hosted items as they are', { added(0, '{"type":"web_search_call","id":"ws_1"}'),
      done(0, '{"type":"web_search_call","id":"ws_1","status":"completed"}'), ended('completed') },
    'opaque0:web_search_call stop0 finish:stop' },
  { 'an end by length', { added(0, MESSAGE:format('')), delta('output_text', 0, 'Hi'),
      ended('incomplete', ',"status":"incomplete","incomplete_details":'
        .. '{"reason":"max_output_tokens"},"usage":{"input_tokens":9,"input_tokens_details":'
        .. '{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":5,'
        .. '"output_tokens_details":{"reasoning_tokens":3},"total_tokens":14}') },
    'text0:Hi stop0 finish:length usage:3+4+2/5(3)' },
  { 'an end by the filter', { ended('incomplete', ',"status":"incomplete","incomplete_details":'
      .. '{"reason":"content_filter"}') }, 'finish:filter' },
  { 'an end under its old name', { ended('done', ',"output":[]'), '[DONE]' }, 'finish:stop' },
  { 'a failed response', { CREATED, ended('failed', ',"status":"failed","error":'
      .. '{"code":"rate_limit_exceeded","message":"Please try again in 1.2s."}') },
    'error:rate_limit/429' },
  { 'a nested error and then the failed response, once', { CREATED,
      '{"type":"error","error":{"code":"insufficient_quota","message":"No money."}}',
      ended('failed', ',"error":{"code":"insufficient_quota","message":"No money."}') },
    'error:quota/429' },
  { 'a flat error', { '{"type":"error","code":"server_is_overloaded","message":"Busy."}' },
    'error:overloaded/503' },
  { 'an unknown model', { '{"type":"error","code":"model_not_found","message":"None."}' },
    'error:not_found/404' },
  { 'bytes that end in the middle', { CREATED, added(0, MESSAGE:format('')),
      delta('output_text', 0, 'Hi') }, 'text0:Hi error:cut/502' },
  { 'nothing but [DONE] as a cut', { CREATED, '[DONE]' }, 'error:cut/502' },
  { 'nonsense', { '<html>' }, 'error:internal/502' },
  { 'events that are not known', { CREATED, '{"type":"response.audio.delta","delta":"x"}',
      '{"type":"codex.rate_limits"}', ended('completed') }, 'finish:stop' },
}

describe('a Responses stream is read:', function()
  for _, case in ipairs(READ) do
    it(case[1], function()
      eq(case[3], short(read(case[2])))
    end)
  end

  it('the wait that only words name', function()
    local events = read({ ended('failed', ',"error":{"code":"rate_limit_exceeded",'
      .. '"message":"Rate limit reached. Please try again in 1.2s."}') })
    eq(1.2, events[1].retry_after)
  end)

  it('stop sequences that the upstream does not know', function()
    local events = read({ CREATED, added(0, MESSAGE:format('')), delta('output_text', 0, 'a EN'),
      delta('output_text', 0, 'D b'), ended('completed') }, { stops = { 'END' } })
    eq('text0:a  stop0 finish:stop_seq', short(events))
  end)

  it('chunks that are alike', function()
    local datas = { CREATED, added(0, MESSAGE:format('')) }
    local text = {}
    for i = 1, 30 do
      text[i] = 'w' .. i .. (i % 7 == 0 and '"\\\n' or ' ')
      datas[#datas + 1] = ('{"type":"response.output_text.delta","sequence_number":%d,'
        .. '"output_index":0,"content_index":0,"delta":%s}'):format(i, json.encode(text[i]))
    end
    datas[#datas + 1] = ended('completed')
    local got = {}
    for _, event in ipairs(read(datas)) do
      got[#got + 1] = event.text
    end
    eq(table.concat(text), table.concat(got))
  end)
end)

describe('deltas of Responses that are alike', function()
  local function event(number, at, value, tail)
    return ('{"type":"response.output_text.delta","sequence_number":%d,"item_id":"m%d",'
      .. '"output_index":%d,"content_index":0,"delta":%s%s}'):format(number, at, at,
      json.encode(value), tail or '')
  end

  it('are told apart by their item', function()
    eq('text0:a text0:b text1:c text0:d text1:e stop0 stop1 finish:stop', short(read({
      event(1, 0, 'a'), event(2, 0, 'b', ',"obfuscation":"xx"'), event(3, 1, 'c'),
      event(4, 0, 'd'), event(10, 1, 'e'), ended('completed') })))
  end)

  it('may be padded, escaped, empty, or no deltas at all', function()
    eq('text0:a text0:"q" text0:b stop0 finish:stop', short(read({
      event(1, 0, 'a'), event(2, 0, '"q"', ',"obfuscation":"\\"delta\\":\\"x"'), event(3, 0, ''),
      event(4, 0, 'b'), ended('completed') })))
    eq('text0:a text0:b error:internal/502', short(read({ event(1, 0, 'a'), event(2, 0, 'b'),
      event(3, 0, 'c'):sub(1, -2) })))
  end)

  it('may have their number behind', function()
    local datas = {}
    for i = 1, 5 do
      datas[i] = delta('output_text', 0, 'w' .. i, ',"sequence_number":' .. i)
    end
    datas[6] = ended('completed')
    eq('text0:w1 text0:w2 text0:w3 text0:w4 text0:w5 stop0 finish:stop', short(read(datas)))
  end)
end)

describe('a relayed Responses stream', function()
  local function tapped(datas)
    local found = {}
    for _, data in ipairs(datas) do
      for _, name in ipairs(stream.tap) do
        if data:find('"' .. name .. '":', 1, true)
          and not data:find('"' .. name .. '":null', 1, true) then
          found[name] = data
        end
      end
    end
    local complete, used = stream.tapped(found)
    return complete, used and used.output
  end

  local USED = ',"usage":{"input_tokens":1,"output_tokens":5}'
  local CASES = {
    { 'completed', { CREATED, delta('output_text', 0, 'a'), ended('completed', USED) }, true, 5 },
    { 'incomplete', { CREATED, ended('incomplete', USED) }, true, 5 },
    { 'failed', { CREATED, ended('failed', ',"usage":null') }, true },
    { 'a nested error', { CREATED, '{"type":"error","error":{"message":"x"}}' }, true },
    { 'a flat error', { CREATED, '{"type":"error","message":"x"}' }, true },
    { 'cut', { CREATED, delta('output_text', 0, 'a') }, false },
  }
  for _, case in ipairs(CASES) do
    it('is watched: ' .. case[1], function()
      local complete, used = tapped(case[2])
      eq(case[3], complete)
      eq(case[4], used)
    end)
  end
end)

describe('the start of a relayed Responses stream', function()
  local CASES = {
    { CREATED, nil }, { ended('in_progress'), nil }, { '[DONE]', nil },
    { added(0, MESSAGE:format('')), nil }, { added(0, '{"type":"reasoning"}'), nil },
    { '{"type":"response.content_part.added"}', nil }, { '{"type":"codex.rate_limits"}', nil },
    { added(0, CALL:format('')), 'content' }, { added(0, '{"type":"web_search_call"}'), 'content' },
    { delta('output_text', 0, 'a'), 'content' }, { delta('reasoning_text', 0, 'a'), 'content' },
    { done(0, MESSAGE:format(TEXT)), 'content' }, { ended('completed'), 'content' },
    { ended('incomplete'), 'content' }, { ended('failed'), 'error' },
    { '{"type":"error","message":"x"}', 'error' }, { '{"error":{"message":"x"}}', 'error' },
    { '{"type":"other","error":{"message":"x"}}', 'error' }, { '<html>', 'error' },
    { '[1]', 'error' },
  }
  for _, case in ipairs(CASES) do
    it(('%s is %s'):format(case[1]:sub(1, 60), tostring(case[2])), function()
      eq(case[2], stream.begins('message', case[1]))
    end)
  end
end)

t.finish()
