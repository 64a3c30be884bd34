--- Streams of odd upstreams are read, one claim each.

local json = require('px.json')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function context(more)
  local ctx = {
    model = 'm', knowledge = {}, id = 'ID', now = 7, include_usage = true, settings = {},
    lost = function() end,
  }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  return ctx
end

--- Reads data texts. A final false stands for bytes that end without a terminator.
local function read(protocol, datas, more)
  local step = require('protocol.' .. protocol .. '.stream').reader(context(more))
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
      out[#out + 1] = ('usage:%d+%d+%d/%d(%d)'):format(event.input, event.cache_read,
        event.cache_write, event.output, event.reasoning)
    elseif kind == 'error' then
      out[#out + 1] = 'error:' .. event.code
    elseif kind ~= 'start' then
      out[#out + 1] = kind .. index .. ':' .. tostring(event.text or event.data or event.url or '')
    end
  end
  return table.concat(out, ' ')
end

local function chunk(delta, finish, more)
  return ('{"id":"c","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]%s}')
    :format(delta, finish or 'null', more or '')
end

local function tool(inner)
  return chunk('{"tool_calls":[' .. inner .. ']}')
end

local A0 = tool('{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}')
local A1 = tool('{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}')

local CHAT = {
  { 'text', { chunk('{"role":"assistant","content":""}'), chunk('{"content":"Hi"}'),
    chunk('{}', '"stop"'), '[DONE]' }, 'text0:Hi stop0 finish:stop' },
  { 'no [DONE]', { chunk('{"content":"Hi"}'), chunk('{}', '"stop"') },
    'text0:Hi stop0 finish:stop' },
  { '[DONE] without a finish', { chunk('{"content":"Hi"}'), '[DONE]' },
    'text0:Hi stop0 finish:stop' },
  { 'an end in the middle', { chunk('{"content":"Hi"}') }, 'text0:Hi error:cut' },
  { 'an empty finish is none', { chunk('{"content":"Hi"}', '""') }, 'text0:Hi error:cut' },
  { 'nothing at all', {}, 'error:cut' },
  { 'two finishes, usage in the second', { chunk('{"content":"Hi"}', '"stop"'),
    chunk('{}', '"stop"', ',"usage":{"prompt_tokens":5,"completion_tokens":2}'), '[DONE]' },
    'text0:Hi stop0 finish:stop usage:5+0+0/2(0)' },
  { 'usage after the finish', { chunk('{}', '"length"'),
    '{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,'
    .. '"prompt_tokens_details":{"cached_tokens":6}}}' },
    'finish:length usage:3+6+0/4(0)' },
  { 'usage of Groq', { chunk('{}', '"stop"', ',"x_groq":{"usage":{"prompt_tokens":1,'
    .. '"completion_tokens":2}}') }, 'finish:stop usage:1+0+0/2(0)' },
  { 'a call in the finish chunk', { chunk('{"tool_calls":[{"id":"a","function":{"name":"f",'
    .. '"arguments":"{}"}}]}', '"tool_calls"') }, 'tool0:a/f args0:{} stop0 finish:tool' },
  { 'a call that finishes as stop', { A0, chunk('{}', '"stop"') },
    'tool0:a/f stop0 finish:tool' },
  { 'a call cut by the length', { A0, tool('{"index":0,"function":{"arguments":"{\\"a"}}'),
    chunk('{}', '"length"') }, 'tool0:a/f args0:{"a stop0 finish:length' },
  { 'parallel calls, mixed', { A0, A1, tool('{"index":0,"function":{"arguments":"{"}}'),
    tool('{"index":1,"function":{"arguments":"[]"}}'),
    tool('{"index":0,"function":{"arguments":"}"}}'), chunk('{}', '"tool_calls"') },
    'tool0:a/f tool1:b/g args0:{ args1:[] args0:} stop0 stop1 finish:tool' },
  { 'a late id and name', { tool('{"index":0,"function":{"arguments":"{"}}'),
    tool('{"index":0,"function":{"name":"f","arguments":null}}'),
    tool('{"index":0,"id":"a","function":{"name":"","arguments":"}"}}'),
    chunk('{}', '"tool_calls"') }, 'tool0:a/f args0:{} stop0 finish:tool' },
  { 'no id ever', { tool('{"function":{"name":"f","arguments":{"x":1}}}'),
    chunk('{}', '"stop"') }, 'tool0:call_ID_1/f args0:{"x":1} stop0 finish:tool' },
  { 'index -1 and ids alone', { tool('{"index":-1,"id":"a","function":{"name":"f"}}'),
    tool('{"index":-1,"id":"b","function":{"name":"g"}}'),
    tool('{"index":-1,"id":"a","function":{"arguments":"1"}}'), '[DONE]' },
    'tool0:a/f tool1:b/g args0:1 stop0 stop1 finish:tool' },
  { 'every call has index 0', {
    tool('{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}'),
    tool('{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}'), '[DONE]' },
    'tool0:a/f args0:{} stop0 tool1:b/g args1:{} stop1 finish:tool' },
  { 'text after a complete call', { A0, tool('{"index":0,"function":{"arguments":"{}"}}'),
    chunk('{"content":"Hi"}'), '[DONE]' },
    'tool0:a/f args0:{} stop0 text1:Hi stop1 finish:tool' },
  { 'one channel of reasoning', { chunk('{"reasoning":"hm","reasoning_details":[{"type":'
    .. '"reasoning.text","text":"hm"}]}'), chunk('{"content":"Hi"}'), '[DONE]' },
    'thinking0:hm stop0 text1:Hi stop1 finish:stop' },
  { 'a proof', { chunk('{"reasoning_details":[{"type":"reasoning.text","text":"hm"}]}'),
    chunk('{"reasoning_details":[{"type":"reasoning.text","signature":"S"}]}'), '[DONE]' },
    'thinking0:hm signature0:S stop0 finish:stop' },
  { 'parts of Mistral', { chunk('{"content":[{"type":"thinking","thinking":[{"type":"text",'
    .. '"text":"hm"}]},{"type":"text","text":"Hi"}]}'), '[DONE]' },
    'thinking0:hm stop0 text1:Hi stop1 finish:stop' },
  { 'a refusal', { chunk('{"refusal":"no"}'), chunk('{}', '"content_filter"') },
    'refusal0:no stop0 finish:filter' },
  { 'sources of Perplexity', { chunk('{"content":"a"}', nil, ',"citations":["http://x"]'),
    chunk('{"content":"b"}', '"stop"', ',"citations":["http://x"]') },
    'text0:a text0:b citation0:http://x stop0 finish:stop' },
  { 'a legacy call', { chunk('{"function_call":{"name":"f","arguments":"{"}}'),
    chunk('{"function_call":{"arguments":"}"}}'), chunk('{}', '"function_call"') },
    'tool0:call_ID_f/f args0:{ args0:} stop0 finish:tool' },
  { 'an error inside', { chunk('{"content":"Hi"}'),
    '{"error":{"message":"busy","type":"server_error","code":"server_is_overloaded"}}', '[DONE]' },
    'text0:Hi error:overloaded' },
  { 'garbage', { '<html>' }, 'error:internal' },
  { 'chunks without choices', { '{"id":"","choices":[],"prompt_filter_results":[]}',
    chunk('{"content":"Hi"}', '"stop"') }, 'text0:Hi stop0 finish:stop' },
  { 'a second choice is left out', {
    '{"choices":[{"index":1,"delta":{"content":"B"}},{"index":0,"delta":{"content":"A"}}]}',
    '[DONE]' }, 'text0:A stop0 finish:stop' },
}

describe('a chat stream', function()
  for _, case in ipairs(CHAT) do
    it('is read: ' .. case[1], function()
      eq(case[3], short(read('openai_chat', case[2])))
    end)
  end
end)

-- Pieces of text, stops, what comes of it.
local STOPS = {
  { { 'one', 'two' }, { 'END' }, 'text0:one text0:two stop0 finish:stop' },
  { { 'one END two' }, { 'END' }, 'text0:one  stop0 finish:stop_seq/END' },
  { { 'one E', 'N', 'D two', 'three' }, { 'END' }, 'text0:one  stop0 finish:stop_seq/END' },
  { { 'one E', 'N', 'X' }, { 'END' }, 'text0:one  text0:ENX stop0 finish:stop' },
  { { 'one EN' }, { 'END' }, 'text0:one  text0:EN stop0 finish:stop' },
  { { 'END', 'two' }, { 'END' }, 'finish:stop_seq/END' },
  { { 'a\n', '\nb' }, { '\n\n', 'b' }, 'text0:a stop0 finish:stop_seq/\n\n' },
  { { 'xyz' }, { 'z', 'yz' }, 'text0:x stop0 finish:stop_seq/yz' },
}

describe('stops that the upstream does not take', function()
  for _, case in ipairs(STOPS) do
    it('cut ' .. json.encode(case[1]) .. ' at ' .. json.encode(case[2]), function()
      local datas = {}
      for i, text in ipairs(case[1]) do
        datas[i] = chunk('{"content":' .. json.encode(text) .. '}')
      end
      datas[#datas + 1] = chunk('{}', '"stop"')
      eq(case[3], short(read('openai_chat', datas, { stops = case[2] })))
    end)
  end

  it('cut unary answers, and end calls that came before', function()
    local body = '{"choices":[{"message":{"content":"one END two"},"finish_reason":"stop"}]}'
    eq('text0:one  stop0 finish:stop_seq/END',
      short(require('protocol.openai_chat.reply').read(json.decode(body),
        context({ stops = { 'END' } }))))
    eq('tool0:a/f text1:x stop1 stop0 finish:tool', short(read('openai_chat',
      { A0, chunk('{"content":"xEND"}'), '[DONE]' }, { stops = { 'END' } })))
    eq('tool0:a/f text1:x stop1 args0:{} stop0 finish:length', short(read('openai_chat',
      { A0, chunk('{"content":"xEND"}'), tool('{"index":0,"function":{"arguments":"{}"}}'),
        chunk('{}', '"length"') }, { stops = { 'END' } })))
  end)

  it('drop the calls behind them, and are the reason then', function()
    eq('text0:abc stop0 finish:stop_seq/STOP', short(read('openai_chat',
      { chunk('{"content":"abcSTOPdef"}'), A0, chunk('{}', '"tool_calls"'), '[DONE]' },
      { stops = { 'STOP' } })))
    local body = '{"choices":[{"message":{"content":"abcSTOPdef","tool_calls":[{"id":"a",'
      .. '"type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":'
      .. '"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    local events = require('protocol.openai_chat.reply').read(json.decode(body),
      context({ stops = { 'STOP' } }))
    eq('text0:abc stop0 finish:stop_seq/STOP usage:1+0+0/2(0)', short(events))
    local answer = require('protocol.anthropic.reply').write(events, context())
    eq('stop_sequence', answer.stop_reason)
    eq('STOP', answer.stop_sequence)
  end)

  it('end the reply where they match', function()
    local step = require('protocol.openai_chat.stream').reader(context({ stops = { 'END' } }))
    eq(nil, (select(2, step('message', chunk('{"content":"xEN"}')))))
    local events, over = step('message', chunk('{"content":"D"}'))
    eq(true, over)
    eq('stop0 finish:stop_seq/END', short(events))
    eq(nil, (step('message', chunk('{"content":"more"}'))))
    eq(nil, (step(nil)))
  end)
end)

local START = '{"type":"message_start","message":{"id":"m","model":"x","usage":'
  .. '{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":1}}}'
local STOP = '{"type":"message_stop"}'

local function open(index, block)
  return ('{"type":"content_block_start","index":%d,"content_block":%s}'):format(index, block)
end
local function add(index, delta)
  return ('{"type":"content_block_delta","index":%d,"delta":%s}'):format(index, delta)
end
local function close(index)
  return ('{"type":"content_block_stop","index":%d}'):format(index)
end
local function finish(reason, more)
  return ('{"type":"message_delta","delta":{"stop_reason":"%s","stop_sequence":%s},"usage":'
    .. '{"output_tokens":9}}'):format(reason, more or 'null')
end

local TEXT = open(0, '{"type":"text","text":""}')
local HI = add(0, '{"type":"text_delta","text":"Hi"}')
local USE = '{"type":"tool_use","id":"t","name":"%s","input":%s}'

local CLAUDE = {
  { 'text', { START, TEXT, '{"type":"ping"}', HI, close(0), finish('end_turn'), STOP },
    'ping: text0:Hi stop0 finish:stop usage:3+4+0/9(0)' },
  { 'no message_stop', { START, TEXT, HI, close(0), finish('max_tokens') },
    'text0:Hi stop0 finish:length usage:3+4+0/9(0)' },
  { 'an end in the middle', { START, TEXT, HI }, 'text0:Hi error:cut' },
  { 'a missing stop', { START, TEXT, HI, finish('end_turn'), STOP },
    'text0:Hi stop0 finish:stop usage:3+4+0/9(0)' },
  { 'a stop sequence', { START, TEXT, HI, close(0), finish('stop_sequence', '"END"'), STOP },
    'text0:Hi stop0 finish:stop_seq/END usage:3+4+0/9(0)' },
  { 'thinking', { START, open(0, '{"type":"thinking","thinking":"","signature":""}'),
    add(0, '{"type":"thinking_delta","thinking":"hm"}'),
    add(0, '{"type":"signature_delta","signature":"S"}'), close(0),
    open(1, '{"type":"redacted_thinking","data":"D"}'), close(1), finish('end_turn'), STOP },
    'thinking0:hm signature0:S stop0 redacted1:D stop1 finish:stop usage:3+4+0/9(0)' },
  { 'a call', { START, open(0, USE:format('f', '{}')),
    add(0, '{"type":"input_json_delta","partial_json":""}'),
    add(0, '{"type":"input_json_delta","partial_json":"{\\"a\\":1}"}'), close(0),
    finish('tool_use'), STOP }, 'tool0:t/f args0:{"a":1} stop0 finish:tool usage:3+4+0/9(0)' },
  { 'a call whole at its start', { START, open(0, USE:format('f', '{"a":1.0}')), close(0),
    finish('tool_use'), STOP }, 'tool0:t/f args0:{"a":1.0} stop0 finish:tool usage:3+4+0/9(0)' },
  { 'hosted blocks', { START, open(0, '{"type":"server_tool_use","id":"s","name":"w","input":{}}'),
    add(0, '{"type":"input_json_delta","partial_json":"{}"}'), close(0), (TEXT:gsub('0', '1', 1)),
    close(1), finish('end_turn'), STOP },
    'opaque0: stop0 finish:stop usage:3+4+0/9(0)' },
  { 'a second start before any block', { START, START, TEXT, HI, close(0), finish('end_turn'),
    STOP }, 'text0:Hi stop0 finish:stop usage:3+4+0/9(0)' },
  { 'indices that begin again', { START, TEXT, HI, START, TEXT, HI, close(0), finish('end_turn'),
    STOP }, 'text0:Hi stop0 text1:Hi stop1 finish:stop usage:3+4+0/9(0)' },
  { 'a restart inside a call', { START, open(0, USE:format('f', '{}')), START },
    'tool0:t/f error:cut' },
  { 'a refusal with words', { START,
    '{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":'
    .. '{"explanation":"no"}},"usage":{"output_tokens":1}}', STOP },
    'refusal0:no stop0 finish:filter usage:3+4+0/1(0)' },
  { 'an error first', { '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}' },
    'error:overloaded' },
  { 'events of the future', { START, '{"type":"new","x":1}', TEXT,
    add(0, '{"type":"new_delta"}'), close(0), finish('end_turn'), STOP, '[DONE]' },
    'finish:stop usage:3+4+0/9(0)' },
}

describe('an Anthropic stream', function()
  for _, case in ipairs(CLAUDE) do
    it('is read: ' .. case[1], function()
      eq(case[3], short(read('anthropic', case[2])))
    end)
  end

  it('gives back text for a tool that stood for structured output', function()
    eq('text0:{"a":1} stop0 finish:stop usage:3+4+0/9(0)', short(read('anthropic', {
      START, open(0, USE:format('json_response', '{}')),
      add(0, '{"type":"input_json_delta","partial_json":"{\\"a\\":1}"}'), close(0),
      finish('tool_use'), STOP }, { format_tool = 'json_response' })))
  end)

  it('gives back the free text of a custom tool and the name that was shortened', function()
    eq('tool0:t/long name args0:do it stop0 finish:tool usage:3+4+0/9(0)',
      short(read('anthropic', { START, open(0, USE:format('short', '{}')),
        add(0, '{"type":"input_json_delta","partial_json":"{\\"input\\":"}'),
        add(0, '{"type":"input_json_delta","partial_json":"\\"do it\\"}"}'), close(0),
        finish('tool_use'), STOP },
        { names = { short = 'long name' }, customs = { ['long name'] = true } })))
  end)

  it('reports an overloaded upstream with its status', function()
    local event = read('anthropic',
      { '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}' })[1]
    eq({ 529, 'busy', 'overloaded_error' }, { event.status, event.message, event.type })
  end)
end)

-- Relayed streams ---------------------------------------------------------------------------------

local TAPPED = {
  { 'openai_chat', { usage = '{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}',
    done = '[DONE]' }, true, 'usage:5+0+0/2(0)' },
  { 'openai_chat', { finish_reason = chunk('{}', '"stop"') }, true, '' },
  { 'openai_chat', { finish_reason = chunk('{}', '""') }, false, '' },
  { 'openai_chat', {}, false, '' },
  { 'openai_chat', { error = '{"error":{"message":"x"}}' }, true, '' },
  { 'openai_chat', { error = '{"choices":[{"delta":{"error":"x"}}]}' }, false, '' },
  { 'anthropic', { error = '{"type":"error","error":{"message":"x"}}' }, true, '' },
  { 'anthropic', { role = START, usage = finish('end_turn'), stop_reason = finish('end_turn') },
    true, 'usage:3+4+0/9(0)' },
  { 'anthropic', { role = START, usage = START }, false, 'usage:3+4+0/1(0)' },
}

describe('a relayed stream', function()
  for i, case in ipairs(TAPPED) do
    it(('tells whether it is complete (%s, %d)'):format(case[1], i), function()
      local complete, used = require('protocol.' .. case[1] .. '.stream').tapped(case[2])
      eq({ case[3], case[4] }, { complete, short({ used }) })
    end)
  end
end)

t.finish()
