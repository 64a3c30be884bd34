--- Requests of Ollama clients for other upstreams, and of other clients for Ollama, one claim each.

local json = require('px.json')
local bodies = require('px.body')
local strict_ollama = require('strict_ollama')
local t = require('harness')
local ollama = require('protocol.ollama.request')

local describe, it, eq = t.describe, t.it, t.eq

local PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA'
  .. 'AABJRU5ErkJggg=='

local function context(more)
  local lost, seen = {}, {}
  local ctx = { model = 'up', knowledge = {}, settings = {}, id = 'x', now = 1, losses = lost }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  function ctx.lost(path)
    if not seen[path] then
      seen[path] = true
      lost[#lost + 1] = path
    end
  end
  return ctx
end

local function losses(ctx)
  table.sort(ctx.losses)
  return table.concat(ctx.losses, ' ')
end

--- Reads JSON text as a client's request.
local function read(text, more)
  local ctx = context(more)
  return ollama.read(assert(json.decode(text)), ctx), losses(ctx), ctx
end

local function chat(members)
  return read('{"model":"m","messages":[{"role":"user","content":"Hi"}]' .. members .. '}')
end

local function messages(list)
  return read('{"model":"m","messages":[' .. list .. ']}')
end

local function is(expected, value)
  eq(expected, value == nil and 'absent' or json.encode(value))
end

describe('a request of an Ollama client', function()
  -- Name, members, neutral member, its value as JSON, losses.
  for _, case in ipairs({
    { 'streams where it does not say', '', 'stream', 'true', '' },
    { 'does not stream where it says so', ',"stream":false', 'stream', 'false', '' },
    { 'always wants usage', '', 'include_usage', 'true', '' },
    { 'caps', ',"options":{"num_predict":7}', 'max_tokens', '7', '' },
    { 'has no cap of -1', ',"options":{"num_predict":-1}', 'max_tokens', 'absent', '' },
    { 'has no cap of -2', ',"options":{"num_predict":-2}', 'max_tokens', 'absent', '' },
    { 'keeps a temperature of zero', ',"options":{"temperature":0}', 'temperature', '0', '' },
    { 'tells a temperature beside the options', ',"temperature":0', 'temperature', 'absent',
      'request.temperature' },
    { 'samples', ',"options":{"top_p":0.5,"top_k":3}', 'top_k', '3', '' },
    { 'seeds', ',"options":{"seed":9007199254740993}', 'seed', '9007199254740993', '' },
    { 'penalizes', ',"options":{"presence_penalty":1,"frequency_penalty":-1}',
      'frequency_penalty', '-1', '' },
    { 'stops', ',"options":{"stop":["a","","b"]}', 'stop', '["a","b"]', '' },
    { 'stops at one text', ',"options":{"stop":"a"}', 'stop', '["a"]', '' },
    { 'tells what only a runner knows', ',"options":{"num_ctx":8192,"min_p":0.1,"num_gpu":1}',
      'top_p', 'absent', 'request.options.min_p request.options.num_ctx request.options.num_gpu' },
    { 'tells no option that changes nothing', ',"options":{"min_p":0,"repeat_penalty":1}',
      'top_p', 'absent', '' },
    { 'takes an empty array for no options', ',"options":[]', 'top_p', 'absent', '' },
    { 'asks for JSON', ',"format":"json"', 'response_format', '{"kind":"json"}', '' },
    { 'asks for no format', ',"format":""', 'response_format', 'absent', '' },
    { 'asks for a schema', ',"format":{"type":"object"}', 'response_format',
      '{"kind":"schema","schema":{"type":"object"}}', '' },
    { 'thinks', ',"think":true', 'reasoning', '{"effort":"auto","visible":true}', '' },
    { 'does not think', ',"think":false', 'reasoning', '{"effort":"off","visible":false}', '' },
    { 'thinks hard', ',"think":"high"', 'reasoning', '{"effort":"high","visible":true}', '' },
    { 'thinks as hard as can be', ',"think":"max"', 'reasoning',
      '{"effort":"max","visible":true}', '' },
    { 'tells what a gateway cannot do', ',"keep_alive":"5m","raw":true,"shift":false',
      'stop', 'absent', 'request.keep_alive request.raw request.shift' },
    { 'does not tell what is so anyway', ',"keep_alive":null,"logprobs":false,"truncate":true',
      'stop', 'absent', '' },
    { 'offers tools', ',"tools":[{"type":"function","function":{"name":"f","description":"d",'
      .. '"parameters":{"type":"object"}}}]', 'tools',
      '[{"description":"d","name":"f","schema":{"type":"object"}}]', '' },
    { 'tells a tool of another kind', ',"tools":[{"type":"web_search"}]', 'tools', 'absent',
      'request.tools.web_search' },
    { 'tells a choice, which there is not', ',"tool_choice":"auto"', 'tool_choice', 'absent',
      'request.tool_choice' },
  }) do
    it(case[1], function()
      local request, lost = chat(case[2])
      is(case[4], request[case[3]])
      eq(case[5], lost)
    end)
  end

  it('keeps its model\'s name as it came', function()
    eq('[Kiro] hf.co/a/b:Q4', (read('{"model":"[Kiro] hf.co/a/b:Q4","messages":[{"role":"user",'
      .. '"content":"Hi"}]}')).model)
  end)

  -- Body, the param of the refusal.
  for _, case in ipairs({
    { '[]', nil }, { '{"messages":[{"role":"user","content":"a"}]}', 'model' },
    { '{"model":"m","messages":[]}', 'messages' },
    { '{"model":"m","messages":{"a":1}}', 'messages' },
    { '{"model":"m"}', 'messages' }, { '{"model":"m","prompt":5}', 'prompt' },
    { '{"model":"m","prompt":"a","stream":1}', 'stream' },
    { '{"model":"m","prompt":"a","think":"hard"}', 'think' },
    { '{"model":"m","prompt":"a","format":"xml"}', 'format' },
    { '{"model":"m","prompt":"a","options":{"temperature":"0"}}', 'options.temperature' },
    { '{"model":"m","prompt":"a","options":{"stop":[1]}}', 'options.stop[0]' },
    { '{"model":"m","prompt":"a","options":"x"}', 'options' },
    { '{"model":"m","prompt":"a","images":["%%"]}', 'images[0]' },
    { '{"model":"m","messages":["a"]}', 'messages[0]' },
    { '{"model":"m","messages":[{"role":"boss","content":""}]}', 'messages[0].role' },
    { '{"model":"m","messages":[{"role":["user"]}]}', 'messages[0].role' },
    { '{"model":"m","messages":[{"role":"user","content":["a"]}]}', 'messages[0].content' },
    { '{"model":"m","messages":[{"role":"user","content":"","images":["http://x/y.png"]}]}',
      'messages[0].images[0]' },
    { '{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]}',
      'messages[0].tool_calls[0].function.name' },
    { '{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f",'
      .. '"arguments":5}}]}]}', 'messages[0].tool_calls[0].function.arguments' },
    { '{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"function":{}}]}',
      'tools[0].function.name' },
  }) do
    it('is refused: ' .. case[1], function()
      local ok, why = pcall(read, case[1])
      eq({ false, 400, case[2] }, { ok, why.status, why.param })
    end)
  end
end)

describe('messages of an Ollama client', function()
  it('are read in order, leading system messages apart', function()
    local request = messages('{"role":"system","content":"S"},{"role":"user","content":"a"},'
      .. '{"role":"system","content":"T"},{"role":"assistant","content":"b","thinking":"hm"}')
    is('[{"kind":"text","text":"S"}]', request.system)
    is('[{"blocks":[{"kind":"text","text":"a"}],"role":"user"},{"blocks":[{"kind":"text",'
      .. '"text":"T"}],"role":"system"},{"blocks":[{"kind":"thinking","text":"hm"},{"kind":"text",'
      .. '"text":"b"}],"role":"assistant"}]', request.turns)
  end)

  it('tell the kind of their images by the first bytes', function()
    local blocks = messages('{"role":"user","content":"a","images":["' .. PNG .. '","data:image/x;'
      .. 'base64,/9j/4AAQ","UklGRiQAAABXQVZFZm10IA==","AAAA"]}').turns[1].blocks
    eq({ 'image/png', 'image/jpeg', 'audio/wav', 'application/octet-stream' },
      { blocks[2].media, blocks[3].media, blocks[4].media, blocks[5].media })
    eq({ 'image', '/9j/4AAQ', 'audio' }, { blocks[3].kind, blocks[3].data, blocks[4].kind })
  end)

  it('keep the numbers, order and emptiness of arguments', function()
    local args = '{"z":9007199254740993,"a":1.0,"o":{},"l":[]}'
    eq(args, messages('{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f",'
      .. '"arguments":' .. args .. '}}]}').turns[1].blocks[1].args)
  end)

  for args, text in pairs({ ['{}'] = '{}', ['[]'] = '{}', ['null'] = '{}', ['""'] = '{}',
    ['"{\\"a\\":1}"'] = '{"a":1}' }) do
    it('take arguments written as ' .. args, function()
      eq(text, messages('{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f",'
        .. '"arguments":' .. args .. '}}]}').turns[1].blocks[1].args)
    end)
  end

  local CALL = '{"function":{"name":"%s","arguments":{"x":%d}}}'
  local STEP = '{"role":"assistant","content":"","tool_calls":[%s]}'
  local RESULT = '{"role":"tool","content":"%s"%s}'

  --- The pairs of one conversation: the number in a call's arguments, the text of its result.
  local function pairs_of(list)
    local request = messages(list)
    local out, by_id = {}, {}
    for _, turn in ipairs(request.turns) do
      for _, block in ipairs(turn.blocks) do
        if block.kind == 'tool_call' then
          assert(not by_id[block.id], 'an id came twice')
          by_id[block.id] = block.args:match('%d+')
        elseif block.kind == 'tool_result' then
          out[#out + 1] = (by_id[block.id] or '?') .. block.blocks[1].text
        end
      end
    end
    return table.concat(out, ' ')
  end

  it('pair results by name, the first call first', function()
    eq('2b 1a 3c', pairs_of(STEP:format(CALL:format('f', 1) .. ',' .. CALL:format('g', 2) .. ','
      .. CALL:format('f', 3)) .. ',' .. RESULT:format('b', ',"tool_name":"g"') .. ','
      .. RESULT:format('a', ',"tool_name":"f"') .. ',' .. RESULT:format('c', ',"name":"f"')))
  end)

  it('pair results without a name in order, and with the latest step', function()
    eq('2b 3c', pairs_of(STEP:format(CALL:format('f', 1)) .. ',' .. STEP:format(CALL:format('f', 2)
      .. ',' .. CALL:format('f', 3)) .. ',' .. RESULT:format('b', '') .. ','
      .. RESULT:format('c', ',"tool_call_id":null')))
  end)

  it('pair results by id, however they are ordered', function()
    local call = '{"id":"%s","function":{"name":"f","arguments":{"x":%d}}}'
    eq('2b 1a', pairs_of(STEP:format(call:format('i', 1) .. ',' .. call:format('j', 2)) .. ','
      .. RESULT:format('b', ',"tool_call_id":"j"') .. ','
      .. RESULT:format('a', ',"tool_call_id":"i"')))
  end)

  it('give the same call an id of its own each time, the same in every request', function()
    local step = STEP:format(CALL:format('f', 1)) .. ',' .. RESULT:format('a', '')
    eq('1a', pairs_of(step))
    eq('1a 1a', pairs_of(step .. ',' .. step))
    local one, two = messages(step), messages(step .. ',' .. step)
    eq(one.turns[1].blocks[1].id, two.turns[1].blocks[1].id)
    assert(one.turns[1].blocks[1].id:find('^call_%x+$'))
  end)

  it('keep a result that has no call, for the repair to tell as text', function()
    local request = messages('{"role":"user","content":"a"},{"role":"assistant","content":""},'
      .. RESULT:format('{}', ',"tool_call_id":null'))
    eq({ 'tool_result', '' }, { request.turns[3].blocks[1].kind, request.turns[3].blocks[1].id })
  end)
end)

describe('a generation', function()
  it('is a chat of one message', function()
    local request, lost, ctx = read('{"model":"m","prompt":"a","system":"S","images":["' .. PNG
      .. '"],"suffix":"","context":[],"raw":false,"template":"","stream":false}')
    is('[{"kind":"text","text":"S"}]', request.system)
    eq({ 1, 'user', 'a', 'image/png' }, { #request.turns, request.turns[1].role,
      request.turns[1].blocks[1].text, request.turns[1].blocks[2].media })
    eq({ '', true, false }, { lost, ctx.generate, request.stream })
  end)

  it('tells what a chat cannot do', function()
    local _, lost = read('{"model":"m","prompt":"a","suffix":"b","context":[1],"raw":true,'
      .. '"template":"{{ .Prompt }}"}')
    eq('request.context request.raw request.suffix request.template', lost)
  end)
end)

describe('the path of a request', function()
  it('decides what it is, where it is known', function()
    local text = '{"model":"m","prompt":"a","messages":[{"role":"user","content":"b"}]}'
    for path, words in pairs({ ['/api/generate'] = 'a', ['/ollama/api/chat'] = 'b' }) do
      local request, lost, ctx = read(text, { path = path })
      eq(words, request.turns[1].blocks[1].text)
      eq({ words == 'a', words == 'a' and 'request.messages' or 'request.prompt' },
        { ctx.generate, lost })
    end
  end)
end)

describe('a request that asks nothing', function()
  for _, case in ipairs({
    { '{"model":"m"}', '/api/chat', 'load' },
    { '{"model":"m","messages":[]}', '/api/chat', 'load' },
    { '{"model":"m","keep_alive":0}', '/ollama/api/chat', 'unload' },
    { '{"model":"m","prompt":"","keep_alive":"0s"}', '/api/generate', 'unload' },
    { '{"model":"m","prompt":null,"keep_alive":-1}', '/api/generate', 'load' },
    { '{"model":"m","messages":[{"role":"user","content":"a"}]}', '/api/chat', nil },
    { '{"model":"m","prompt":"a"}', '/api/generate', nil },
    { '{"model":"m","images":["AAAA"]}', '/api/generate', nil },
  }) do
    it(('%s of %s'):format(case[1], case[2]), function()
      local body = ollama.at_once(bodies.new(case[1]), case[2], function()
        return context({ path = case[2] })
      end)
      eq(case[3], body and body.done_reason)
      eq(case[3] and true, body and body.done)
      eq(case[3] and case[2] == '/api/generate' and '' or nil, body and body.response)
    end)
  end
end)

-- Writing -----------------------------------------------------------------------------------------

--- Converts a Chat or Anthropic request for Ollama.
local function convert(from, text, more)
  local ctx = context(more)
  local request = require('protocol.' .. from .. '.request').read(assert(json.decode(text)), ctx)
  local body = assert(json.decode(json.encode(ollama.write(request, ctx))))
  strict_ollama.request(body)
  return body, losses(ctx), ctx
end

local function from_chat(members, more)
  return convert('openai_chat', '{"model":"m","messages":[{"role":"user","content":"Hi"}]'
    .. members .. '}', more)
end

local TOOLS = ',"tools":[{"type":"function","function":{"name":"f"}},{"type":"function",'
  .. '"function":{"name":"g"}}]'
local EMPTY = '{"properties":{},"type":"object"}'
local TOOL = '{"function":{"name":"%s","parameters":' .. EMPTY .. '},"type":"function"}'

describe('a request for Ollama', function()
  local gpt_oss = { thinking = 'always', effort = { 'low', 'medium', 'high' } }
  -- Name, members of Chat, knowledge, member, its value as JSON, losses.
  for _, case in ipairs({
    { 'always says whether it streams', '', {}, 'stream', 'false', '' },
    { 'streams', ',"stream":true', {}, 'stream', 'true', '' },
    { 'has no options that nobody gave', '', {}, 'options', 'absent', '' },
    { 'puts sampling under options', ',"temperature":1.5,"top_p":0.5,"seed":7,"max_tokens":9,'
      .. '"stop":"x","presence_penalty":1', {}, 'options', '{"num_predict":9,"presence_penalty":1,'
      .. '"seed":7,"stop":["x"],"temperature":1.5,"top_p":0.5}', '' },
    { 'keeps the model\'s cap', ',"max_tokens":99', { max_output = 50 }, 'options',
      '{"num_predict":50}', 'params.max_tokens' },
    { 'asks for JSON', ',"response_format":{"type":"json_object"}', {}, 'format', '"json"', '' },
    { 'asks for a schema', ',"response_format":{"type":"json_schema","json_schema":{"name":"n",'
      .. '"schema":{"type":"object","minProperties":1}}}', {}, 'format',
      '{"type":"object","minProperties":1}', '' },
    { 'does not tell an unknown model to think', ',"reasoning_effort":"high"', {}, 'think',
      'absent', 'params.reasoning' },
    { 'tells any model not to think', ',"reasoning_effort":"none"', {}, 'think', 'false', '' },
    { 'tells a model that can to think', ',"reasoning_effort":"high"', { thinking = 'switch' },
      'think', 'true', 'params.reasoning' },
    { 'tells how hard', ',"reasoning_effort":"high"', gpt_oss, 'think', '"high"', '' },
    { 'tells the nearest', ',"reasoning_effort":"minimal"', gpt_oss, 'think', '"low"',
      'params.reasoning' },
    { 'thinks little where it cannot stop', ',"reasoning_effort":"none"', gpt_oss, 'think', '"low"',
      'params.reasoning' },
    { 'calls the hardest max', ',"reasoning_effort":"xhigh"', { effort = { 'low', 'xhigh' } },
      'think', '"max"', '' },
    { 'does not tell a model that cannot think', ',"reasoning_effort":"low"',
      { thinking = 'none' }, 'think', 'absent', 'params.reasoning' },
    { 'offers tools', TOOLS .. ',"tool_choice":"auto"', {}, 'tools',
      '[' .. TOOL:format('f') .. ',' .. TOOL:format('g') .. ']', '' },
    { 'cannot force', TOOLS .. ',"tool_choice":"required"', {}, 'tools',
      '[' .. TOOL:format('f') .. ',' .. TOOL:format('g') .. ']', 'tool_choice' },
    { 'offers none where none may be called', TOOLS .. ',"tool_choice":"none"', {}, 'tools',
      'absent', '' },
    { 'offers the one that must be called', TOOLS .. ',"tool_choice":{"type":"function",'
      .. '"function":{"name":"g"}}', {}, 'tools', '[' .. TOOL:format('g') .. ']', 'tool_choice' },
    { 'offers those that may be called', TOOLS .. ',"tool_choice":{"type":"allowed_tools",'
      .. '"allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}',
      {}, 'tools', '[' .. TOOL:format('f') .. ']', '' },
    { 'cannot forbid parallel calls', TOOLS .. ',"parallel_tool_calls":false', {}, 'think',
      'absent', 'params.parallel' },
    { 'tells who asked no more', ',"user":"u","metadata":{"a":"b"},"verbosity":"low"', {}, 'think',
      'absent', 'params.metadata params.user params.verbosity' },
    { 'gives one answer', ',"n":1', {}, 'think', 'absent', '' },
  }) do
    it(case[1], function()
      local body, lost = from_chat(case[2], { knowledge = case[3] })
      eq(case[5], body[case[4]] == nil and 'absent' or json.encode(body[case[4]]))
      eq(case[6], lost)
    end)
  end

  it('cannot give two answers', function()
    local ok, why = pcall(from_chat, ',"n":2')
    eq({ false, 400, 'n' }, { ok, why.status, why.param })
  end)

  it('has the context and the life that the provider is set to', function()
    local body = from_chat('', { settings = { num_ctx = 32768, keep_alive = '24h' } })
    eq({ 32768, '24h' }, { body.options.num_ctx, body.keep_alive })
  end)

  it('sets texts beside images, results with theirs, names and ids on both sides', function()
    local body, lost = convert('anthropic', '{"model":"m","max_tokens":9,"system":[{"type":"text",'
      .. '"text":"S"},{"type":"text","text":"T"}],"messages":[{"role":"user","content":[{"type":'
      .. '"image","source":{"type":"base64","media_type":"image/png","data":"' .. PNG .. '"}},'
      .. '{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":['
      .. '{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"i","name":'
      .. '"f","input":{"z":9007199254740993,"a":{}}}]},{"role":"user","content":[{"type":'
      .. '"tool_result","tool_use_id":"i","is_error":true,"content":[{"type":"text","text":"no"},'
      .. '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"' .. PNG
      .. '"}}]},{"type":"text","text":"c"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}'
      .. '}]}')
    is('[{"content":"S\\n\\nT","role":"system"},{"content":"a\\nb","images":["' .. PNG
      .. '"],"role":"user"},{"content":"","role":"assistant","thinking":"hm","tool_calls":[{'
      .. '"function":{"arguments":{"z":9007199254740993,"a":{}},"name":"f"},"id":"i"}]},'
      .. '{"content":"Error: no","images":["' .. PNG .. '"],"role":"tool","tool_call_id":"i",'
      .. '"tool_name":"f"},{"content":"c","role":"user"}]',
      json.decode(json.encode(body.messages), nil))
    eq('messages.is_error messages.signature', lost)
  end)

  it('says what it leaves out', function()
    local body, lost = convert('openai_chat', '{"model":"m","messages":[{"role":"user","name":'
      .. '"joe","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":'
      .. '"http://x/y"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]}')
    eq('a\n[image omitted: http://x/y]\n[audio omitted]', body.messages[1].content)
    eq('messages.audio messages.image messages.name', lost)
  end)

  it('lets models that hear have sounds', function()
    local text = '{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio",'
      .. '"input_audio":{"data":"AAAA","format":"wav"}}]}]}'
    local ctx = context({ knowledge = { audio = true } })
    local request = require('protocol.openai_chat.request').read(json.decode(text), ctx)
    is('["AAAA"]', ollama.write(request, ctx).messages[1].images)
  end)

  it('makes functions of custom tools', function()
    local body, _, ctx = from_chat(',"tools":[{"type":"custom","custom":{"name":"patch",'
      .. '"description":"D","format":{"type":"grammar","grammar":{"syntax":"lark","definition":'
      .. '"start: x"}}}}]')
    local made = body.tools[1]['function']
    eq('D\n\nThe input must match this grammar (lark):\nstart: x', made.description)
    eq('{"properties":{"input":{"type":"string"}},"required":["input"],"type":"object"}',
      json.encode(made.parameters))
    eq(true, ctx.customs.patch)
  end)
end)

-- Schemas as they come and as Ollama reads them.
local SCHEMAS = {
  { 'a name that is also a keyword', '{"type":"object","properties":{"format":{"type":"string"},'
    .. '"default":{"type":["string","null"]}},"required":["format"]}',
    '{"properties":{"format":{"type":"string"},"default":{"type":["string","null"]}},'
    .. '"required":["format"],"type":"object"}' },
  { 'constraints', '{"type":"object","properties":{"n":{"type":"integer","minimum":1,"format":'
    .. '"int64","description":"N"}},"additionalProperties":false,"$schema":"x"}',
    '{"properties":{"n":{"description":"N (format: \\"int64\\", minimum: 1)","type":"integer"}},'
    .. '"type":"object"}' },
  { 'a constant and alternatives', '{"type":"object","properties":{"k":{"const":"a"},"v":{"oneOf":'
    .. '[{"type":"string"},true]}}}', '{"properties":{"k":{"enum":["a"]},"v":{"anyOf":[{"type":'
    .. '"string"},{}]}},"type":"object"}' },
  { 'all of', '{"allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{'
    .. '"b":true}}]}', '{"properties":{"a":{"type":"string"},"b":{}},"required":["a"],'
    .. '"type":"object"}' },
  { 'references', '{"type":"object","properties":{"a":{"$ref":"#/definitions/x"}},"definitions":{'
    .. '"x":{"type":"string"}}}', '{"$defs":{"x":{"type":"string"}},"properties":{"a":{"$ref":'
    .. '"#/$defs/x"}},"type":"object"}' },
  { 'no root', '{}', '{"properties":{},"type":"object"}' },
}

describe('a tool\'s schema for Ollama', function()
  for _, case in ipairs(SCHEMAS) do
    it('has ' .. case[1], function()
      local schema = require('protocol.ollama._schema').tool(json.decode(case[2]))
      eq(case[3], json.encode(schema))
    end)
  end

  it('ends somewhere', function()
    local deep = ('{"items":'):rep(60) .. '{}' .. ('}'):rep(60)
    local out = json.encode(require('protocol.ollama._schema').tool(json.decode(deep)))
    assert(select(2, out:gsub('items', '')) < 40)
  end)
end)

t.finish()
