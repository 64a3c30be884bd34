--- Gemini requests, read from clients of every habit.

local json = require('px.json')
local request = require('protocol.gemini.request')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function context(more)
  local lost = {}
  local ctx = {
    model = 'm', knowledge = {}, id = 'ID', now = 7, stream = true, settings = {},
    origin = 'gemini', losses = lost,
    lost = function(path)
      lost[#lost + 1] = path
    end,
  }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  return ctx
end

local function read(text, ctx)
  return request.read(json.decode(text), ctx or context())
end

--- A refusal as `message`, or what was not refused.
local function refused(text)
  local ok, err = pcall(read, text)
  return not ok and err.status == 400 and err.message or ok
end

local HI = '"contents":[{"parts":[{"text":"Hi"}]}]'

local function user(parts)
  return '{"contents":[{"role":"user","parts":[' .. parts .. ']}]}'
end

describe('the path of a Gemini request', function()
  local function sse(name)
    return name == 'alt' and 'sse' or nil
  end

  it('is split at its last colon', function()
    eq({ operation = 'chat', model = 'gemini-2.5-pro', stream = false },
      request.locate('gemini-2.5-pro:generateContent', sse))
    eq({ operation = 'chat', model = 'qwen3:8b', stream = true },
      request.locate('qwen3:8b:streamGenerateContent', sse))
    eq({ operation = 'count', model = 'm', stream = false }, request.locate('m%3AcountTokens', sse))
    eq('a/b', request.locate('a/b:generateContent', sse).model)
  end)

  it('says whether an array is wanted', function()
    eq(true, request.locate('m:streamGenerateContent', function() end).array)
    eq(nil, request.locate('m:generateContent', function() end).array)
  end)

  it('may name no verb that is not known', function()
    eq(nil, request.locate('m:predict', sse))
    eq(nil, request.locate('m', sse))
    eq(nil, request.locate(':generateContent', sse))
  end)
end)

describe('a Gemini request is read', function()
  it('in camelCase and in snake_case alike', function()
    local camel = read([[{"systemInstruction":{"parts":[{"text":"S"}]},"contents":[{"role":"user",
      "parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}],"tools":[{
      "functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}],
      "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
      "generationConfig":{
      "maxOutputTokens":5,"topP":0.5,"topK":7,"stopSequences":["x"],"presencePenalty":1,
      "frequencyPenalty":-1,"thinkingConfig":{"thinkingBudget":2000,"includeThoughts":true}}}]])
    local snake = read([[{"system_instruction":{"parts":[{"text":"S"}]},"contents":[{"role":"user",
      "parts":[{"inline_data":{"mime_type":"image/png","data":"iVBORw0KGgo="}}]}],"tools":[{
      "function_declarations":[{"name":"f","parameters_json_schema":{"type":"object"}}]}],
      "tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["f"]}},
      "generation_config":{"max_output_tokens":"5","top_p":0.5,"top_k":7,"stop_sequences":["x"],
      "presence_penalty":1,"frequency_penalty":-1,"thinking_config":{"thinking_budget":2000,
      "include_thoughts":true}}}]])
    eq(camel, snake)
    eq({ mode = 'one', name = 'f' }, camel.tool_choice)
    eq({ effort = 'medium', budget = 2000, visible = true }, camel.reasoning)
    eq({ 5, 7, true }, { camel.max_tokens, camel.top_k, camel.stream })
  end)

  it('with every kind of part', function()
    local turn = read(user([[{"text":"a"},{"inlineData":{"mimeType":"audio/mp3","data":"AAAA"}},
      {"inlineData":{"mimeType":"text/plain","data":"SGk="}},
      {"inlineData":{"mimeType":"application/pdf","data":"JVBERi0="}},
      {"fileData":{"mimeType":"image/png","fileUri":"https://e.org/a.png"}},
      {"fileData":{"mimeType":"application/pdf","fileUri":"gs://b/c.pdf"}},
      {"fileData":{"fileUri":"https://youtu.be/x"}},
      {"executableCode":{"language":"PYTHON","code":"1"}},
      {"codeExecutionResult":{"outcome":"OK"}}]])).turns[1]
    local kinds = {}
    for i, block in ipairs(turn.blocks) do
      kinds[i] = block.kind
    end
    eq('text audio document document image document video opaque opaque', table.concat(kinds, ' '))
    eq({ 'Hi', 'https://e.org/a.png', 'gs://b/c.pdf', 'gemini' }, { turn.blocks[3].text,
      turn.blocks[5].url, turn.blocks[6].file, turn.blocks[6].protocol })
  end)

  it('with calls that have no ids: the same ones each time, no two alike', function()
    local text = [[{"contents":[{"role":"user","parts":[{"text":"?"}]},{"role":"model","parts":[
      {"functionCall":{"name":"f","args":{"n":1}}},{"functionCall":{"name":"f"}},
      {"functionCall":{"name":"g"}}]},{"role":"user","parts":[
      {"functionResponse":{"name":"g","response":{"output":"G"}}},
      {"functionResponse":{"name":"f","response":{"result":"F1"}}},
      {"functionResponse":{"name":"f","response":{"error":"F2"}}}]}]}]]
    local first, second = read(text), read(text)
    eq(first, second)
    local calls, results = first.turns[2].blocks, first.turns[3].blocks
    assert(calls[1].id ~= calls[2].id and calls[2].id ~= calls[3].id)
    eq({ calls[3].id, calls[1].id, calls[2].id },
      { results[1].id, results[2].id, results[3].id })
    eq({ '{"n":1}', '{}' }, { calls[1].args, calls[2].args })
    eq({ 'F1', 'F2', true }, { results[2].blocks[1].text, results[3].blocks[1].text,
      results[3].is_error })
  end)

  it('with results named after the ids of their calls, and by order', function()
    local got = read([[{"contents":[{"role":"model","parts":[{"functionCall":{"id":"a","name":"f"}},
      {"functionCall":{"id":"b","name":"g"}},{"functionCall":{"name":"h"}}]},{"role":"user",
      "parts":[{"functionResponse":{"name":"b","response":{"x":1}}},
      {"functionResponse":{"name":"a","response":{}}},
      {"functionResponse":{"name":"whatever","response":{"output":{"y":[]}}}}]}]}]])
    local calls, results = got.turns[1].blocks, got.turns[2].blocks
    eq({ 'b', 'g', '{"x":1}' }, { results[1].id, results[1].name, results[1].blocks[1].text })
    eq({ 'a', 'f', 0 }, { results[2].id, results[2].name, #results[2].blocks })
    eq({ calls[3].id, 'h', '{"y":[]}' },
      { results[3].id, results[3].name, results[3].blocks[1].text })
  end)

  it('with signatures, but not with those that are none', function()
    local blocks = read([[{"contents":[{"role":"model","parts":[{"text":"hm","thought":true},
      {"functionCall":{"name":"f"},"thoughtSignature":"Cg=="},
      {"functionCall":{"name":"g"},"thoughtSignature":"skip_thought_signature_validator"},
      {"text":"x","thoughtSignature":"Cw=="}]}]}]]).turns[1].blocks
    eq({ 'thinking', 'hm', 'Cg==', 'gemini' },
      { blocks[1].kind, blocks[1].text, blocks[1].signature, blocks[1].origin })
    eq({ 'tool_call', 'tool_call', 'thinking', 'text' },
      { blocks[2].kind, blocks[3].kind, blocks[4].kind, blocks[5].kind })
    eq('Cw==', blocks[4].signature)
  end)

  it('with tools as an object and types in capitals', function()
    local tools = read([[{"contents":"Hi","tools":{"functionDeclarations":[{"name":"f",
      "description":"d","parameters":{"type":"OBJECT","properties":{"type":{"type":"STRING",
      "nullable":true,"minLength":"2"},"nullable":{"type":"ARRAY","items":{"type":"INTEGER",
      "format":"int64"}}},"propertyOrdering":["type"],"required":["type"]}}]}}]]).tools
    eq('{"type":"object","properties":{"type":{"type":["string","null"],"minLength":2},'
      .. '"nullable":{"type":"array","items":{"type":"integer","format":"int64"}}},'
      .. '"required":["type"]}', json.encode(tools[1].schema))
  end)

  it('with structured output in either form', function()
    for _, name in ipairs({ 'responseSchema', 'responseJsonSchema', 'response_schema' }) do
      local got = read('{' .. HI .. ',"generationConfig":{"responseMimeType":"application/json","'
        .. name .. '":{"type":"OBJECT","properties":{"a":{"type":"NUMBER"}}}}}').response_format
      eq('schema {"type":"object","properties":{"a":{"type":"number"}}}',
        got.kind .. ' ' .. json.encode(got.schema))
    end
    eq({ kind = 'json' }, read('{' .. HI
      .. ',"generationConfig":{"responseMimeType":"application/json"}}').response_format)
  end)

  it('with every mode of calling', function()
    local function choice(config, tools)
      return read('{' .. HI .. ',"tools":' .. (tools or '[{"functionDeclarations":[{"name":"f"}]}]')
        .. ',"toolConfig":{"functionCallingConfig":' .. config .. '}}').tool_choice
    end
    eq({ mode = 'auto' }, choice('{"mode":"AUTO"}'))
    eq({ mode = 'none' }, choice('{"mode":"none"}'))
    eq({ mode = 'any' }, choice('{"mode":"ANY"}'))
    eq({ mode = 'subset', names = { 'f', 'g' }, required = true },
      choice('{"mode":"ANY","allowedFunctionNames":["f","g"]}'))
    eq({ mode = 'subset', names = { 'f' }, required = false },
      choice('{"mode":"VALIDATED","allowedFunctionNames":["f"]}'))
    eq(nil, choice('{"mode":"MODE_UNSPECIFIED"}'))
    eq(nil, choice('{"mode":"ANY"}', '[]'))
  end)

  it('with every word for thinking', function()
    local function thinks(config)
      return read('{' .. HI .. ',"generationConfig":{"thinkingConfig":' .. config .. '}}').reasoning
    end
    eq({ effort = 'off' }, thinks('{"thinkingBudget":0}'))
    eq({ effort = 'auto' }, thinks('{"thinkingBudget":-1}'))
    eq({ effort = 'low', budget = 1000, visible = false },
      thinks('{"thinkingBudget":"1000","includeThoughts":false}'))
    eq({ effort = 'high' }, thinks('{"thinkingLevel":"HIGH"}'))
    eq({ effort = 'minimal' }, thinks('{"thinkingLevel":"minimal"}'))
    eq({ effort = 'auto', visible = true }, thinks('{"includeThoughts":true}'))
  end)

  it('with what it cannot keep recorded', function()
    local ctx = context()
    read('{' .. HI .. ',"safetySettings":[{}],"cachedContent":"cachedContents/1",'
      .. '"labels":{"a":"b"},"generationConfig":{"audioTimestamp":true,'
      .. '"responseModalities":["TEXT","IMAGE"]}}', ctx)
    eq({ 'request.generationConfig.responseModalities',
      'request.generationConfig.audioTimestamp', 'request.safetySettings',
      'request.cachedContent', 'request.labels' }, ctx.losses)
  end)

  it('out of a request to count', function()
    eq('Hi', read('{"generateContentRequest":{"model":"models/m",' .. HI .. '}}').turns[1]
      .blocks[1].text)
  end)

  for text, message in pairs({
    ['[]'] = 'the body must be a JSON object',
    ['{}'] = 'contents is not specified',
    ['{"contents":[]}'] = 'contents is not specified',
    ['{"contents":[{"role":"system","parts":[]}]}'] = 'contents[0].role must be user or model',
    ['{"contents":[{"parts":[7]}]}'] = 'contents[0].parts[0] must be an object',
    ['{"contents":[{"parts":[{}]}]}'] = 'contents[0].parts[0] holds no data',
    ['{"contents":[{"parts":[{"text":1}]}]}'] = 'contents[0].parts[0].text must be a string',
    ['{"contents":[{"parts":[{"inlineData":{"data":"%%"}}]}]}'] =
      'contents[0].parts[0].data is not base64',
    ['{"contents":[{"parts":[{"functionCall":{}}]}]}'] = 'contents[0].parts[0].name is missing',
    ['{"contents":[{"parts":[{"functionCall":{"name":"f","args":"x"}}]}]}'] =
      'contents[0].parts[0].args must be an object',
    ['{' .. HI .. ',"generationConfig":{"candidateCount":2}}'] =
      'candidateCount: this gateway gives one candidate',
    ['{' .. HI .. ',"generationConfig":{"thinkingConfig":{"thinkingBudget":1,'
      .. '"thinkingLevel":"LOW"}}}'] = 'thinkingLevel and thinkingBudget cannot be set together',
    ['{' .. HI .. ',"generationConfig":{"temperature":"warm"}}'] =
      'generationConfig.temperature must be a number',
    ['{' .. HI .. ',"tools":[{"functionDeclarations":[{}]}]}'] =
      'tools[0].functionDeclarations[0].name is missing',
    ['{' .. HI .. ',"tools":[1]}'] = 'tools[0] must be an object',
    ['{' .. HI .. ',"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":'
      .. '{"functionCallingConfig":{"mode":"SOME"}}}'] =
      'toolConfig.functionCallingConfig.mode is unknown',
  }) do
    it('not when it is wrong: ' .. message, function()
      eq(message, refused(text))
    end)
  end
end)

t.finish()
