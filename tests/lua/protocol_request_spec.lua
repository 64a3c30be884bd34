--- Requests from one protocol to the other, one claim each.

local json = require('px.json')
local kit = require('corpus_kit')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local OTHER = { openai_chat = 'anthropic', anthropic = 'openai_chat' }

--- Converts a request given as JSON text. Returns what is sent upstream, decoded, the losses as one
--- sorted text, and the context.
local function convert(from, text, more)
  return kit.convert(from, OTHER[from], text, more)
end

local function chat(members, more)
  local text = '{"model":"m","messages":[{"role":"user","content":"Hi"}]' .. members .. '}'
  return convert('openai_chat', text, more)
end

local function claude(members, more)
  local text = '{"model":"m","max_tokens":5000,"messages":[{"role":"user","content":"Hi"}]'
    .. members .. '}'
  return convert('anthropic', text, more)
end

local function chat_messages(messages, more)
  return convert('openai_chat', '{"model":"m","messages":[' .. messages .. ']}', more)
end

local function claude_messages(messages, more)
  return convert('anthropic', '{"model":"m","max_tokens":50,"messages":[' .. messages .. ']}', more)
end

local function is(expected, value)
  eq(expected, value == nil and 'absent' or json.encode(value))
end

local TOOL = ',"tools":[{"type":"function","function":{"name":"f","parameters":'
  .. '{"type":"object","properties":{}}}}]'
local CLAUDE_TOOL = ',"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}]'

-- Chat members that change one member of the Anthropic body: name, members, knowledge, path,
-- expected JSON, expected losses.
local TO_CLAUDE = {
  { 'zero stays zero', ',"temperature":0', {}, 'temperature', '0', '' },
  { 'a hot temperature is clamped', ',"temperature":1.5', {}, 'temperature', '1',
    'params.temperature' },
  { 'temperature is dropped where refused', ',"temperature":0.5', { no_sampling = true },
    'temperature', 'absent', 'params.temperature' },
  { 'the default temperature is no loss', ',"temperature":1', { no_sampling = true },
    'temperature', 'absent', '' },
  { 'one sampler of two', ',"temperature":0.5,"top_p":0.9', { one_sampler = true }, 'top_p',
    'absent', 'params.top_p' },
  { 'max_tokens has a default', '', { default_output = 777 }, 'max_tokens', '777', '' },
  { 'max_tokens is clamped', ',"max_tokens":99999', { max_output = 4096 }, 'max_tokens', '4096',
    'params.max_tokens' },
  { 'max_completion_tokens counts first', ',"max_tokens":1,"max_completion_tokens":2', {},
    'max_tokens', '2', '' },
  { 'stop as a string', ',"stop":"END"', {}, 'stop_sequences', '["END"]', '' },
  { 'blank stops go', ',"stop":["\\n","x"]', {}, 'stop_sequences', '["x"]', 'params.stop' },
  { 'null is absent', ',"stop":null,"temperature":null,"tools":null', {}, 'stop_sequences',
    'absent', '' },
  { 'user', ',"user":"joe"', {}, 'metadata', '{"user_id":"joe"}', '' },
  { 'seed and penalties are recorded', ',"seed":1,"presence_penalty":0.1', {}, 'seed', 'absent',
    'params.presence_penalty params.seed' },
  { 'unknown members are recorded', ',"logit_bias":{"1":2},"store":true,"logprobs":false', {},
    'logit_bias', 'absent', 'request.logit_bias' },
  { 'tool_choice without tools is left out', ',"tool_choice":"auto"', {}, 'tool_choice', 'absent',
    '' },
  { 'required', TOOL .. ',"tool_choice":"required"', {}, 'tool_choice', '{"type":"any"}', '' },
  { 'none', TOOL .. ',"tool_choice":"none"', {}, 'tool_choice', '{"type":"none"}', '' },
  { 'one', TOOL .. ',"tool_choice":{"type":"function","function":{"name":"f"}}', {},
    'tool_choice', '{"name":"f","type":"tool"}', '' },
  { 'one that is missing', TOOL .. ',"tool_choice":{"type":"function","function":{"name":"g"}}',
    {}, 'tool_choice', 'absent', 'tool_choice' },
  { 'no parallel calls', TOOL .. ',"parallel_tool_calls":false', {}, 'tool_choice',
    '{"disable_parallel_tool_use":true,"type":"auto"}', '' },
  { 'force gives way to a budget', TOOL .. ',"tool_choice":"required","reasoning_effort":"low",'
    .. '"max_tokens":9000', { thinking = 'budget' }, 'tool_choice', '{"type":"auto"}',
    'tool_choice' },
  { 'force stays with adaptive', TOOL .. ',"tool_choice":"required","reasoning_effort":"low"',
    { thinking = 'adaptive' }, 'tool_choice', '{"type":"any"}', '' },
  { 'an effort becomes a budget', ',"reasoning_effort":"medium","max_tokens":20000',
    { thinking = 'budget' }, 'thinking', '{"budget_tokens":8192,"type":"enabled"}', '' },
  { 'a budget stays under the client\'s cap', ',"reasoning_effort":"high","max_tokens":3000',
    { thinking = 'budget' }, 'thinking', '{"budget_tokens":2999,"type":"enabled"}', '' },
  { 'no room for a budget', ',"reasoning_effort":"high","max_tokens":1000',
    { thinking = 'budget' }, 'thinking', 'absent', 'params.reasoning' },
  { 'our own cap is raised for a budget', ',"reasoning_effort":"high"',
    { thinking = 'budget', default_output = 1000 }, 'max_tokens', '25576', '' },
  { 'an effort stays one where it is understood', ',"reasoning_effort":"xhigh"',
    { thinking = 'adaptive', effort = { 'low', 'high' } }, 'output_config', '{"effort":"high"}',
    'params.reasoning' },
  { 'off', ',"reasoning_effort":"none"', { thinking = 'adaptive' }, 'thinking',
    '{"type":"disabled"}', '' },
  { 'off where it is called otherwise', ',"reasoning_effort":"none"',
    { thinking = 'adaptive', thinking_off = 'between_tools' }, 'thinking',
    '{"type":"between_tools"}', '' },
  { 'off where it cannot be', ',"reasoning_effort":"none"',
    { thinking = 'always', effort = { 'low', 'high' } }, 'output_config', '{"effort":"low"}',
    'params.reasoning' },
  { 'thinking where there is none', ',"reasoning_effort":"low"', { thinking = 'none' },
    'thinking', 'absent', 'params.reasoning' },
  { 'a schema natively', ',"response_format":{"type":"json_schema","json_schema":{"name":"n",'
    .. '"schema":{"type":"object","properties":{"z":{"type":"integer","minimum":1},'
    .. '"a":{"type":"string"}}}}}', { output_format = true }, 'output_config',
    '{"format":{"schema":{"type":"object","properties":{"z":{"type":"integer",'
    .. '"description":"(minimum: 1)"},"a":{"type":"string"}},"additionalProperties":false},'
    .. '"type":"json_schema"}}', 'params.response_format' },
  { 'a schema by a forced tool', ',"response_format":{"type":"json_schema","json_schema":'
    .. '{"name":"n","schema":{"type":"object","properties":{}}}}', {}, 'tool_choice',
    '{"disable_parallel_tool_use":true,"name":"json_response","type":"tool"}', '' },
  { 'JSON by asking for it', ',"response_format":{"type":"json_object"}', {}, 'system',
    '[{"text":"Answer with one JSON object only, without a code fence or any other text.",'
    .. '"type":"text"}]', 'params.response_format' },
  { 'a tool without parameters', ',"tools":[{"type":"function","function":{"name":"f"}}]', {},
    'tools', '[{"input_schema":{"properties":{},"type":"object"},"name":"f"}]', '' },
  { 'deprecated functions', ',"functions":[{"name":"f"}],"function_call":{"name":"f"}', {},
    'tool_choice', '{"name":"f","type":"tool"}', '' },
  { 'root alternatives are merged', ',"tools":[{"type":"function","function":{"name":"f",'
    .. '"parameters":{"anyOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},'
    .. '{"properties":{"b":{"type":"string"}},"required":["a","b"]}]}}}]', {}, 'tools',
    '[{"input_schema":{"properties":{"a":{"type":"string"},"b":{"type":"string"}},'
    .. '"required":["a"],"type":"object"},"name":"f"}]', 'tools.schema' },
  { 'a custom tool becomes a function', ',"tools":[{"type":"custom","custom":{"name":"c"}}]', {},
    'tools', '[{"input_schema":{"properties":{"input":{"type":"string"}},"required":["input"],'
    .. '"type":"object"},"name":"c"}]', '' },
}

describe('a chat request for Anthropic', function()
  for _, case in ipairs(TO_CLAUDE) do
    it(case[1], function()
      local body, lost = chat(case[2], { knowledge = case[3] })
      is(case[5], body[case[4]])
      eq(case[6], lost)
    end)
  end

  it('keeps the order and numbers of tool schemas', function()
    local schema = '{"type":"object","properties":{"z":{"const":1.0},"a":{"maximum":'
      .. '12345678901234567890}},"required":[]}'
    local body = chat(',"tools":[{"type":"function","function":{"name":"f","parameters":'
      .. schema .. '}}]')
    is(schema, body.tools[1].input_schema)
  end)

  it('refuses several answers', function()
    local ok, err = pcall(chat, ',"n":2')
    eq({ false, 400, 'n' }, { ok, err.status, err.param })
  end)

  it('shortens long names and remembers them', function()
    local name = ('mcp__server__'):rep(6) .. 'tool'
    local body, _, ctx = chat(',"tools":[{"type":"function","function":{"name":"' .. name
      .. '"}}]')
    eq(64, #body.tools[1].name)
    eq(name, ctx.names[body.tools[1].name])
  end)

  it('hoists only leading system messages', function()
    local messages = '{"role":"system","content":"A"},{"role":"developer","content":"B"},'
      .. '{"role":"user","content":"Hi"},{"role":"system","content":"C"}'
    local body, lost = chat_messages(messages)
    is('[{"text":"A","type":"text"},{"text":"B","type":"text"}]', body.system)
    is('[{"content":[{"text":"Hi","type":"text"},{"text":"<system-reminder>\\nC\\n'
      .. '</system-reminder>","type":"text"}],"role":"user"}]', body.messages)
    eq('messages.system', lost)
    body, lost = chat_messages(messages, { knowledge = { mid_system = true } })
    is('{"content":[{"text":"C","type":"text"}],"role":"system"}', body.messages[2])
    eq('', lost)
  end)

  it('makes a user turn of a system prompt that stands alone', function()
    local body = chat_messages('{"role":"system","content":"A"}')
    is('[{"content":[{"text":"A","type":"text"}],"role":"user"}]', body.messages)
    eq(nil, body.system)
  end)

  it('reads images in every spelling', function()
    local body = chat_messages('{"role":"user","content":[{"type":"image_url","image_url":'
      .. '"https://x/y.png"},{"type":"image_url","image_url":{"url":"data:image/jpg;base64,'
      .. '/9j/AA=="}},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,'
      .. 'iVBORw0KGgo="}}]}')
    is('[{"source":{"type":"url","url":"https://x/y.png"},"type":"image"},'
      .. '{"source":{"data":"/9j/AA==","media_type":"image/jpeg","type":"base64"},'
      .. '"type":"image"},{"source":{"data":"iVBORw0KGgo=","media_type":"image/png",'
      .. '"type":"base64"},"type":"image"}]', body.messages[1].content)
  end)

  it('says what it leaves out, and refuses when that was all', function()
    local audio = '{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}'
    local body, lost = chat_messages('{"role":"user","content":[{"type":"text","text":"a"},'
      .. audio .. ']}')
    is('{"text":"[audio omitted]","type":"text"}', body.messages[1].content[2])
    eq('messages.audio', lost)
    local ok, err = pcall(chat_messages, '{"role":"user","content":[' .. audio .. ']}')
    eq({ false, 400 }, { ok, err.status })
  end)
end)

local CALL = '{"role":"assistant","content":"","tool_calls":[{"id":"%s","type":"function",'
  .. '"function":{"name":"f","arguments":"%s"}}]}'
local RESULT = '{"role":"tool","tool_call_id":"%s","content":"%s"}'
local USER = '{"role":"user","content":"Hi"},'

describe('tool calls for Anthropic', function()
  it('puts results first, in the order of the calls, in one turn', function()
    local body = chat_messages(USER .. '{"role":"assistant","tool_calls":[{"id":"a","type":'
      .. '"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function",'
      .. '"function":{"name":"g","arguments":"{}"}}]},' .. RESULT:format('b', 'B') .. ','
      .. '{"role":"user","content":"and"},' .. RESULT:format('a', 'A'))
    is('[{"content":"A","tool_use_id":"a","type":"tool_result"},'
      .. '{"content":"B","tool_use_id":"b","type":"tool_result"},'
      .. '{"text":"and","type":"text"}]', body.messages[3].content)
  end)

  it('renames ids that come again, call and result alike', function()
    local body = chat_messages(USER .. CALL:format('c', '{}') .. ',' .. RESULT:format('c', '1')
      .. ',' .. CALL:format('c', '{}') .. ',' .. RESULT:format('c', '2'))
    eq('c', body.messages[3].content[1].tool_use_id)
    eq('c_2', body.messages[4].content[1].id)
    eq('c_2', body.messages[5].content[1].tool_use_id)
    eq('2', body.messages[5].content[1].content)
  end)

  it('invents a result for a call that has none', function()
    local body = chat_messages(USER .. CALL:format('c', '{}') .. ',{"role":"user","content":"x"}')
    local result = body.messages[3].content[1]
    eq({ 'tool_result', true, 'c' }, { result.type, result.is_error, result.tool_use_id })
    eq('x', body.messages[3].content[2].text)
  end)

  it('makes text of a result whose call is gone', function()
    local body, lost = chat_messages(RESULT:format('gone', 'old') .. ',' .. USER:sub(1, -2))
    is('[{"text":"Result of an earlier tool call: old","type":"text"},{"text":"Hi",'
      .. '"type":"text"}]', body.messages[1].content)
    eq('messages.tool_result', lost)
  end)

  local ARGS = {
    { '', '{}' },
    { 'null', '{}' },
    { '{\\"n\\":12345678901234567890,\\"f\\":1.0}', '{"n":12345678901234567890,"f":1.0}' },
    { '{\\"a\\":[]}', '{"a":[]}' },
    { '[1]', '{"value":[1]}' },
    { '{\\"cut\\":', '{"_raw":"{\\"cut\\":"}' },
  }
  for _, case in ipairs(ARGS) do
    it('gives the arguments ' .. case[1] .. ' as an object', function()
      local body = chat_messages(USER .. CALL:format('c', case[1]) .. ',' .. RESULT:format('c', ''))
      is(case[2], body.messages[2].content[1].input)
    end)
  end

  it('cleans and shortens ids', function()
    local long = ('x'):rep(70)
    local body = chat_messages(USER .. CALL:format('a.b:c', '{}') .. ','
      .. RESULT:format('a.b:c', '') .. ',' .. CALL:format(long, '{}') .. ','
      .. RESULT:format(long, ''))
    eq('a_b_c', body.messages[2].content[1].id)
    eq('a_b_c', body.messages[3].content[1].tool_use_id)
    eq(21, #body.messages[4].content[1].id)
    eq(body.messages[4].content[1].id, body.messages[5].content[1].tool_use_id)
  end)

  it('declares tools that only the history knows', function()
    local body = chat_messages(USER .. CALL:format('c', '{}') .. ',' .. RESULT:format('c', ''))
    is('[{"input_schema":{"properties":{},"type":"object"},"name":"f"}]', body.tools)
    is('{"type":"none"}', body.tool_choice)
  end)

  it('turns thinking off in a loop that has no thoughts', function()
    local text = '{"model":"m","max_tokens":9000,"reasoning_effort":"low","messages":[' .. USER
      .. CALL:format('c', '{}') .. ',' .. RESULT:format('c', '') .. ']}'
    local body, lost = convert('openai_chat', text, { knowledge = { thinking = 'budget' } })
    eq(nil, body.thinking)
    eq('params.reasoning', lost)
  end)
end)

-- Anthropic members that change one member of the chat body, as above.
local TO_CHAT = {
  { 'max_tokens by its old name', '', {}, 'max_tokens', '5000', '' },
  { 'max_tokens by its new name', '', { max_completion_tokens = true }, 'max_completion_tokens',
    '5000', '' },
  { 'zero stays zero', ',"temperature":0', {}, 'temperature', '0', '' },
  { 'top_k is recorded', ',"top_k":5', {}, 'top_k', 'absent', 'params.top_k' },
  { 'stops', ',"stop_sequences":["a","b"]', {}, 'stop', '["a","b"]', '' },
  { 'at most four stops', ',"stop_sequences":["a","b","c","d","e"]', {}, 'stop',
    '["a","b","c","d"]', '' },
  { 'no stops where refused', ',"stop_sequences":["a"]', { no_stop = true }, 'stop', 'absent',
    '' },
  { 'a user id', ',"metadata":{"user_id":"joe"}', {}, 'user', '"joe"', '' },
  { 'any', CLAUDE_TOOL .. ',"tool_choice":{"type":"any"}', {}, 'tool_choice', '"required"', '' },
  { 'one', CLAUDE_TOOL .. ',"tool_choice":{"type":"tool","name":"f"}', {}, 'tool_choice',
    '{"function":{"name":"f"},"type":"function"}', '' },
  { 'no parallel calls', CLAUDE_TOOL
    .. ',"tool_choice":{"type":"auto","disable_parallel_tool_use":true}', {},
    'parallel_tool_calls', 'false', '' },
  { 'hosted tools are recorded', ',"tools":[{"type":"web_search_20250305","name":"web_search"}],'
    .. '"tool_choice":{"type":"auto"}', {}, 'tool_choice', 'absent',
    'tools.web_search_20250305' },
  { 'marks of caching are recorded', ',"system":[{"type":"text","text":"S","cache_control":'
    .. '{"type":"ephemeral"}}]', {}, 'max_tokens', '5000', 'system.cache' },
  { 'a budget becomes an effort', ',"thinking":{"type":"enabled","budget_tokens":4000}',
    { effort = { 'low', 'medium', 'high' } }, 'reasoning_effort', '"medium"', '' },
  { 'an effort', ',"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}',
    { effort = { 'low', 'high' } }, 'reasoning_effort', '"high"', 'params.reasoning' },
  { 'adaptive alone says nothing', ',"thinking":{"type":"adaptive"}', { effort = { 'low' } },
    'reasoning_effort', 'absent', '' },
  { 'disabled', ',"thinking":{"type":"disabled"}', { effort = { 'off', 'low' } },
    'reasoning_effort', '"none"', '' },
  { 'disabled where it cannot be', ',"thinking":{"type":"disabled"}', { effort = { 'low' } },
    'reasoning_effort', '"low"', 'params.reasoning' },
  { 'thinking for models that do not', ',"thinking":{"type":"adaptive"},"output_config":'
    .. '{"effort":"low"}', {}, 'reasoning_effort', 'absent', 'params.reasoning' },
  { 'a schema', ',"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}',
    {}, 'response_format', '{"json_schema":{"name":"response","schema":{"type":"object"}},'
    .. '"type":"json_schema"}', '' },
  { 'what only Anthropic knows', ',"context_management":{"edits":[]},"mcp_servers":[]', {},
    'context_management', 'absent', 'request.context_management request.mcp_servers' },
  { 'usage is asked for in streams', ',"stream":true', {}, 'stream_options',
    '{"include_usage":true}', '' },
}

describe('an Anthropic request for chat', function()
  for _, case in ipairs(TO_CHAT) do
    it(case[1], function()
      local body, lost = claude(case[2], { knowledge = case[3] })
      is(case[5], body[case[4]])
      eq(case[6], lost)
    end)
  end

  it('joins system blocks without the billing line', function()
    local body = claude(',"system":[{"type":"text","text":"x-anthropic-billing-header: v=1"},'
      .. '{"type":"text","text":"A"},{"type":"text","text":"B"}]')
    is('{"content":"A\\n\\nB","role":"system"}', body.messages[1])
  end)

  it('keeps system messages in the middle where they are', function()
    local body = claude_messages('{"role":"user","content":"Hi"},{"role":"system","content":"C"}',
      { knowledge = { developer = true } })
    is('{"content":"C","role":"developer"}', body.messages[2])
  end)

  it('answers calls at once and shows images in a message of their own', function()
    local body, lost = claude_messages('{"role":"user","content":"Hi"},{"role":"assistant",'
      .. '"content":[{"type":"text","text":"A"},{"type":"tool_use","id":"t1","name":"f","input":'
      .. '{"n":1.0}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1",'
      .. '"is_error":true,"content":[{"type":"text","text":"bad"},{"type":"image","source":'
      .. '{"type":"url","url":"https://x"}}]},{"type":"text","text":"go on"}]}')
    is('{"content":"A","role":"assistant","tool_calls":[{"function":{"arguments":"{\\"n\\":1.0}",'
      .. '"name":"f"},"id":"t1","type":"function"}]}', body.messages[2])
    is('{"content":"Error: bad\\n[see the next message]","role":"tool","tool_call_id":"t1"}',
      body.messages[3])
    is('{"content":[{"text":"Results of the tool calls above:","type":"text"},{"image_url":'
      .. '{"url":"https://x"},"type":"image_url"}],"role":"user"}', body.messages[4])
    is('{"content":"go on","role":"user"}', body.messages[5])
    eq('messages.is_error', lost)
  end)

  it('says json where JSON is asked for', function()
    local request = { system = {}, turns = { { role = 'user', blocks = {
      { kind = 'text', text = 'Hi' } } } }, response_format = { kind = 'json' } }
    local body = require('protocol.openai_chat.request').write(request, { model = 'm' })
    eq('Answer with one JSON object.', body.messages[1].content)
  end)

  it('gives reasoning back where an upstream wants it', function()
    local history = '{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":'
      .. '"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"t","name":"f",'
      .. '"input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}'
    local body, lost = claude_messages(history, { knowledge = { reasoning_content = true } })
    eq('hm', body.messages[2].reasoning_content)
    eq('', lost)
    body, lost = claude_messages(history)
    eq(nil, body.messages[2].reasoning_content)
    eq('messages.thinking', lost)
  end)

  it('watches for the stops that an upstream does not take', function()
    local _, _, ctx = claude(',"stop_sequences":["a"]', { knowledge = { no_stop = true } })
    eq({ 'a' }, ctx.stops)
    _, _, ctx = claude(',"stop_sequences":["a","b","c","d","e"]')
    eq(5, #ctx.stops)
    _, _, ctx = claude(',"stop_sequences":["a"]')
    eq(nil, ctx.stops)
  end)

  it('records what blocks say beside what is read', function()
    local _, lost = claude_messages('{"role":"user","content":[{"type":"document","citations":'
      .. '{"enabled":true},"context":"c","source":{"type":"text","data":"d"}}]}')
    eq('request.messages.document.citations request.messages.document.context', lost)
  end)

  it('tells the client that there are no threads', function()
    local ok, err = pcall(claude, ',"thread":{"type":"create"}')
    eq({ false, 400, 'thread_unsupported_request' }, { ok, err.status, err.raw_code })
  end)
end)

-- What is refused: protocol, body, the param that is named.
local BAD = {
  { 'openai_chat', '[]', nil },
  { 'openai_chat', '{"messages":[{"role":"user","content":"x"}]}', 'model' },
  { 'openai_chat', '{"model":"m"}', 'messages' },
  { 'openai_chat', '{"model":"m","messages":[]}', 'messages' },
  { 'openai_chat', '{"model":"m","messages":["x"]}', 'messages[0]' },
  { 'openai_chat', '{"model":"m","messages":[{"role":"boss","content":"x"}]}',
    'messages[0].role' },
  { 'openai_chat', '{"model":"m","messages":[{"role":"user","content":[{"type":"x"}]}]}',
    'messages[0].content[0].type' },
  { 'openai_chat', '{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}',
    'max_tokens' },
  { 'openai_chat', '{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":"hot"}',
    'temperature' },
  { 'openai_chat', '{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":'
    .. '"function","function":{}}]}', 'tools[0].function.name' },
  { 'openai_chat', '{"model":"m","messages":[{"role":"tool","content":"x"}]}',
    'messages[0].tool_call_id' },
  { 'anthropic', '{"model":"m","max_tokens":1,"messages":[{"role":"tool","content":"x"}]}',
    'messages[0].role' },
  { 'anthropic', '{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}',
    'messages[0].content[0].type' },
  { 'anthropic', '{"model":"m","messages":[{"role":"user","content":"x"}],"tool_choice":"auto"}',
    'tool_choice' },
  { 'anthropic', '{"model":"m","messages":[{"role":"user","content":[{"type":"image"}]}]}',
    'messages[0].content[0].source' },
}

describe('a request that breaks its protocol', function()
  for _, case in ipairs(BAD) do
    it('is refused: ' .. case[2], function()
      local read = require('protocol.' .. case[1] .. '.request').read
      local ok, err = pcall(read, json.decode(case[2]), { lost = function() end })
      eq({ false, 400, case[3] }, { ok, err.status, err.param })
    end)
  end
end)

describe('proofs of thinking', function()
  local function thought(signature)
    return '{"role":"user","content":"Hi"},{"role":"assistant","reasoning_details":[{"type":'
      .. '"reasoning.text","text":"hm","signature":"' .. signature .. '"}],"content":"A"},'
      .. '{"role":"user","content":"B"}'
  end

  it('go back to who made them, without the tag', function()
    local body, lost = chat_messages(thought('anthropic#SIG'))
    is('{"signature":"SIG","thinking":"hm","type":"thinking"}', body.messages[2].content[1])
    eq('', lost)
  end)

  for _, foreign in ipairs({ 'SIG', 'gemini#SIG', 'openai_chat#SIG', 'openai_chat:up#SIG' }) do
    it('do not go elsewhere: ' .. foreign, function()
      local body, lost = chat_messages(thought(foreign))
      eq(1, #body.messages[2].content)
      eq('messages.thinking', lost)
    end)
  end

  it('of another model family stay away', function()
    local _, lost = chat_messages(thought('anthropic:opus#SIG'), { origin = 'anthropic:haiku' })
    eq('messages.thinking', lost)
  end)

  it('go back to OpenRouter as the item that they came in, and to no other', function()
    for origin, want in pairs({ openai_chat = true, ['openai_chat:router'] = true,
      ['openai_chat:other'] = false }) do
      local carried = json.encode('openai_chat:router#{"format":"f","id":"r1","signature":"S",'
        .. '"type":"reasoning.text"}')
      local body, lost = claude_messages('{"role":"user","content":"Hi"},{"role":"assistant",'
        .. '"content":[{"type":"thinking","thinking":"hm","signature":' .. carried .. '},'
        .. '{"type":"text","text":"A"}]},{"role":"user","content":"B"}', { origin = origin })
      is(want and '[{"format":"f","id":"r1","signature":"S","type":"reasoning.text","index":0,'
        .. '"text":"hm"}]' or 'null', body.messages[2].reasoning_details or json.null)
      eq(want and '' or 'messages.thinking', lost)
    end
  end)
end)

t.finish()
