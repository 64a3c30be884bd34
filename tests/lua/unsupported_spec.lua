--- What refusals name as not supported, in the words of many, and what of it may be taken out.

local json = require('px.json')
local kit = require('corpus_kit')
local removable = require('protocol._removable')
local t = require('harness')
local unsigned = require('protocol._unsigned')
local unsupported = require('protocol._unsupported')

local describe, it, eq = t.describe, t.it, t.eq

local function openai(message, code, param)
  return json.encode({ error = { message = message, type = 'invalid_request_error', code = code,
    param = param } })
end

local function anthropic(message)
  return json.encode({ type = 'error', error = { type = 'invalid_request_error',
    message = message } })
end

local function gemini(message)
  return json.encode({ error = { code = 400, message = message, status = 'INVALID_ARGUMENT' } })
end

-- What it is, a refusal, the paths in it.
local CASES = {
  { 'OpenAI, by code and param', openai('Unsupported parameter: \'logit_bias\' is not supported '
    .. 'with this model.', 'unsupported_parameter', 'logit_bias'), 'logit_bias' },
  { 'OpenAI, an unknown one', openai('Unknown parameter: \'foo\'.', 'unknown_parameter', 'foo'),
    'foo' },
  { 'OpenAI, inside a message', openai('Unknown parameter: \'messages[0].foo\'.',
    'unknown_parameter', 'messages[0].foo'), 'messages.0.foo' },
  { 'OpenAI, a value', openai('Unsupported value: \'temperature\' does not support 0.5 with this '
    .. 'model. Only the default (1) value is supported.', 'unsupported_value', 'temperature'),
    'temperature=' },
  { 'OpenAI, long ago', openai('Unrecognized request argument supplied: foo'), 'foo' },
  { 'OpenAI, several', openai('Unrecognized request arguments supplied: foo, bar_2'), 'foo bar_2' },
  { 'OpenAI, another name', openai('Unsupported parameter: \'max_tokens\' is not supported with '
    .. 'this model. Use \'max_completion_tokens\' instead.', 'unsupported_parameter', 'max_tokens'),
    'max_tokens>max_completion_tokens' },
  { 'an OpenAI server with no object', '{"detail":"Unsupported parameter: max_output_tokens"}',
    'max_output_tokens' },
  { 'Gemini, likelihoods', gemini('Logprobs is not enabled for models/gemini-3-pro'),
    'generationConfig.responseLogprobs' },
  { 'Anthropic', anthropic('foo: Extra inputs are not permitted'), 'foo' },
  { 'Anthropic, inside a block',
    anthropic('messages.1.content.0.text.citations: Extra inputs are not permitted'),
    'messages.1.content.0.text.citations' },
  { 'Anthropic, several',
    anthropic('a: Extra inputs are not permitted, b.c: Extra inputs are not permitted'), 'a b.c' },
  { 'Anthropic, a sampler', anthropic('`temperature` is deprecated for this model.'),
    'temperature' },
  { 'Anthropic, two samplers', anthropic('`temperature` and `top_p` cannot both be specified for '
    .. 'this model. Please use only one.'), 'top_p' },
  { 'Gemini', gemini('Invalid JSON payload received. Unknown name "foo": Cannot find field.'),
    'foo' },
  { 'Gemini, two inside', gemini('Invalid JSON payload received. Unknown name "foo" at '
    .. '\'generation_config\': Cannot find field.\nInvalid JSON payload received. Unknown name '
    .. '"bar" at \'contents[0].parts[1]\': Cannot find field.'),
    'generation_config.foo contents.0.parts.1.bar' },
  { 'Gemini, in a list', '[' .. gemini('Unknown name "foo": Cannot find field.') .. ']', 'foo' },
  { 'Groq', openai('property \'foo\' is unsupported'), 'foo' },
  { 'Groq, inside', openai('\'messages.0\' : for \'role:user\' the following must be satisfied['
    .. '(\'messages.0\' : property \'name\' is unsupported)]'), 'messages.0.name' },
  { 'Mistral', '{"detail":[{"type":"extra_forbidden","loc":["body","messages",0,"foo"],'
    .. '"msg":"Extra inputs are not permitted","input":1}]}', 'messages.0.foo' },
  { 'Mistral, inside a message', '{"object":"error","message":{"detail":[{"type":'
    .. '"extra_forbidden","loc":["body","foo"],"msg":"x"}]}}', 'foo' },
  { 'vLLM', '{"object":"error","message":"[{\'type\': \'extra_forbidden\', \'loc\': (\'body\', '
    .. '\'foo\'), \'msg\': \'Extra inputs are not permitted\'}]"}', 'foo' },
  { 'Fireworks', openai('Extra inputs are not permitted, field: \'foo\', value: 1'), 'foo' },
  { 'xAI', '{"code":"invalid-argument","error":"Argument not supported on this model: stop"}',
    'stop' },
  { 'xAI, otherwise', '{"error":"Model grok-4 does not support parameter presencePenalty."}',
    'presencePenalty' },
  { 'a server in Go', '{"error":"json: unknown field \\"foo\\""}', 'foo' },
  { 'Bedrock', '{"message":"Malformed input request: extraneous key [foo] is not permitted"}',
    'foo' },
  { 'Ollama', '{"error":"\\"llama3\\" does not support thinking"}', 'think' },
  { 'text that is no JSON', 'Unknown parameter: foo', 'foo' },
  { 'what is about something else', openai('Invalid value', 'invalid_value', 'temperature'), '' },
  { 'no words', '', '' },
  { 'null', 'null', '' },
  { 'numbers', '{"error":{"message":7,"code":1,"param":[]},"detail":[1,{"loc":5}]}', '' },
}

local function told(text)
  local out = {}
  for i, found in ipairs(unsupported.read(text)) do
    out[i] = table.concat(found.path, '.') .. (found.value and '=' or '')
      .. (found.use and '>' .. found.use or '')
  end
  return table.concat(out, ' ')
end

describe('protocol._unsupported reads', function()
  for _, case in ipairs(CASES) do
    it(case[1], function()
      eq(case[3], told(case[2]))
    end)
  end

  it('no place that has what is no step', function()
    for _, odd in ipairs({ 'null', 'true', '{}', '[1]' }) do
      eq('b.0', told('{"detail":[{"type":"extra_forbidden","loc":["body","a",' .. odd .. ']},'
        .. '{"type":"extra_forbidden","loc":["body","b",0]}]}'))
    end
  end)

  it('16 paths at most, none of them long', function()
    local names = {}
    for i = 1, 50 do
      names[i] = 'p' .. i
    end
    eq(16, #unsupported.read(openai('Unrecognized request arguments supplied: '
      .. table.concat(names, ', '))))
    eq({}, unsupported.read(openai('Unknown parameter: ' .. ('x'):rep(300))))
  end)

  local corpus = os.getenv('PX_CORPUS')
  for path, paths in pairs(corpus and {
    ['openai-chat/vercel-ai/openai.reasoning-model-legacy-parameter-error.json'] =
      'max_tokens>max_completion_tokens',
  } or {}) do
    it('the recording ' .. path, function()
      eq(paths, told(kit.slurp(corpus .. '/' .. path)))
    end)
  end

  -- As recorded of Claude, asked for an effort that it does not have.
  it('an effort that a model does not have', function()
    eq('output_config.effort=', told(anthropic('This model does not support effort level \'xhigh\'.'
      .. ' Supported levels: high, low, max, medium.')))
  end)
end)

-- A body, a path, what is removed (nil: it stays).
local BODY = [[{
  "model": "m", "temperature": 0.5, "foo": 1, "tool_choice": "auto", "n": 2,
  "thread": { "type": "continue", "previous_message_id": "msg_1" },
  "response_format": { "type": "json_object" }, "stream": true,
  "messages": [
    { "role": "user", "name": "me", "content": [
      { "type": "text", "text": "Hi", "citations": [], "cache_control": { "type": "x", "ttl": 1 } }
    ] },
    { "role": "assistant", "reasoning_content": "Hm", "content": [
      { "type": "tool_use", "id": "1", "name": "f", "input": { "name": "n", "title": "t" } }
    ] }
  ],
  "input": [{ "id": "x", "type": "message" }],
  "tools": [{ "name": "f", "strict": true, "input_schema": { "properties": { "title": {} } } }],
  "generationConfig": { "topK": 1, "responseSchema": {} },
  "output_config": { "effort": "low", "format": {} },
  "thinking": { "type": "enabled", "budget_tokens": 1 }
}]]

local REMOVED = {
  { 'temperature', 'temperature' },
  { 'foo', 'foo' },
  { 'tool_choice', 'tool_choice' },
  { 'model' }, { 'messages' }, { 'tools' }, { 'n' }, { 'stream' }, { 'response_format' },
  { 'thread' }, { 'thread.previous_message_id' },
  { 'response_format.type' }, { 'generationConfig' }, { 'absent' },
  { 'messages.0.name', 'messages[*].name' },
  { 'messages.0.role' }, { 'messages.0.content' }, { 'messages.0' }, { 'messages.7.name' },
  { 'messages.0.content.0.text' },
  { 'messages.0.content.0.citations', 'messages[*].content[*].citations' },
  { 'messages.0.content.0.text.citations', 'messages[*].content[*].citations' },
  { 'messages.0.content.0.text.cache_control.ttl', 'messages[*].content[*].cache_control.ttl' },
  { 'messages.1.reasoning_content', 'messages[*].reasoning_content' },
  { 'messages.1.content.0.input.title' }, { 'messages.1.content.0.tool_use.name' },
  { 'input.0.id', 'input[*].id' }, { 'input.0.type' },
  { 'tools.0.strict', 'tools[*].strict' }, { 'tools.0.name' },
  { 'tools.0.custom.strict', 'tools[*].strict' },
  { 'tools.0.input_schema.properties.title' },
  { 'generation_config.top_k', 'generationConfig.topK' },
  { 'generation_config.response_schema' },
  { 'output_config.effort', 'output_config.effort' }, { 'output_config.format' },
  { 'thinking', 'thinking' }, { 'thinking.enabled.budget_tokens', 'thinking.budget_tokens' },
  { 'thinking.type' },
}

describe('protocol._removable', function()
  local body = json.decode(BODY)
  for _, case in ipairs(REMOVED) do
    it((case[2] and 'takes out ' or 'leaves ') .. case[1], function()
      eq(case[2], (removable.find(body, unsupported.split(case[1]))))
    end)
  end

  it('leaves a tool that must be called', function()
    eq(nil, (removable.find(json.decode('{"tool_choice":{"type":"tool"}}'), { 'tool_choice' })))
    eq(nil, (removable.find(json.decode('{"tool_choice":"required"}'), { 'tool_choice' })))
  end)

  it('bears any body', function()
    for _, text in ipairs({ '[]', '{}', '{"a":null}', '{"messages":5}', '{"messages":[null]}' }) do
      eq(nil, (removable.find(json.decode(text), { 'messages', 0, 'name' })))
    end
  end)

  for path, name in pairs({
    ['temperature'] = 'params.temperature', ['max_completion_tokens'] = 'params.max_tokens',
    ['generationConfig.topK'] = 'params.top_k', ['output_config.effort'] = 'params.reasoning',
    ['messages[*].name'] = 'request.messages.name', ['foo'] = 'request.foo',
  }) do
    it('calls the loss of ' .. path .. ' ' .. name, function()
      eq(name, removable.loss(path))
    end)
  end
end)

-- Protocol, the words of a refusal, a body, what is left of it.
local SIGNED = {
  { 'anthropic', 'messages.1.content.0: Invalid `signature` in `thinking` block',
    '{"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"assistant",'
    .. '"content":[{"type":"thinking","thinking":"Hm","signature":"x"},{"type":"text","text":"a"}]'
    .. '},{"role":"assistant","content":[{"type":"redacted_thinking","data":"d"}]}]}',
    '{"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"assistant",'
    .. '"content":[{"type":"text","text":"a"}]}]}' },
  { 'anthropic', 'Invalid `signature` in `thinking` block',
    '{"thinking":{"type":"enabled"},"messages":[{"role":"assistant","content":[{"type":"thinking",'
    .. '"thinking":"Hm","signature":"x"},{"type":"tool_use","id":"1","name":"f","input":{}}]}]}',
    '{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f",'
    .. '"input":{}}]}]}' },
  { 'gemini', 'Corrupted thought signature.',
    '{"contents":[{"role":"model","parts":[{"text":"Hm","thought":true},{"text":"a",'
    .. '"thoughtSignature":"x"},{"functionCall":{"name":"f"},"thoughtSignature":"y"},'
    .. '{"functionCall":{"name":"g"},"thoughtSignature":"z"}]}]}',
    '{"contents":[{"role":"model","parts":[{"text":"a"},{"functionCall":{"name":"f"},'
    .. '"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g"}}]}]}' },
  { 'openai_responses', '{"error":{"code":"invalid_encrypted_content"}}',
    '{"input":[{"type":"reasoning","id":"rs_1","encrypted_content":"g"},{"type":"function_call",'
    .. '"id":"fc_1","call_id":"c"}]}', '{"input":[{"type":"function_call","call_id":"c"}]}' },
  { 'openai_chat', 'Invalid signature in thinking block',
    '{"messages":[{"role":"assistant","reasoning_details":[{}],"content":"a"}]}',
    '{"messages":[{"role":"assistant","content":"a"}]}' },
}

describe('protocol._unsigned', function()
  for _, case in ipairs(SIGNED) do
    it('takes thoughts out of a request of ' .. case[1], function()
      eq(true, unsigned.meant(case[1], case[2]))
      local body = json.decode(case[3])
      eq(true, unsigned.strip(case[1], body))
      eq(case[4], json.encode(body))
      eq(false, unsigned.strip(case[1], body))
    end)
  end

  it('leaves what is about something else', function()
    eq(false, unsigned.meant('anthropic', 'max_tokens is too large'))
    eq(false, unsigned.meant('ollama', 'signature'))
    eq(false, unsigned.strip('ollama', {}))
  end)

  it('bears any body', function()
    for _, text in ipairs({ '{}', '{"messages":5,"contents":"x","input":"y"}',
      '{"messages":[1,{"content":[2]}],"contents":[{"parts":[null]},3],"input":[4]}' }) do
      for _, protocol in ipairs({ 'anthropic', 'gemini', 'openai_chat', 'openai_responses' }) do
        eq(false, unsigned.strip(protocol, json.decode(text)))
      end
    end
  end)
end)

t.finish()
