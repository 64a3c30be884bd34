--- Gemini requests, written for strict upstreams of each generation.

local json = require('px.json')
local knowledge = require('policy.knowledge')
local request = require('protocol.gemini.request')
local strict_gemini = require('strict_gemini')
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

--- Writes for a model, through bytes, checked.
local function write(asked, model, ctx)
  ctx = ctx or context()
  ctx.knowledge = model and knowledge.lookup(model, 'gemini') or ctx.knowledge
  asked.system, asked.turns = asked.system or {}, asked.turns
    or { { role = 'user', blocks = { { kind = 'text', text = 'Hi' } } } }
  local body = json.decode(json.encode(request.write(asked, ctx)))
  strict_gemini.request(body)
  return body, ctx
end

local function call(id, name, args)
  return { kind = 'tool_call', id = id, name = name, args = args or '{}' }
end

local function result(id, text, more)
  local out = { kind = 'tool_result', id = id, blocks = { { kind = 'text', text = text } } }
  for key, value in pairs(more or {}) do
    out[key] = value
  end
  return out
end

local function talk(calls, results)
  return {
    { role = 'user', blocks = { { kind = 'text', text = '?' } } },
    { role = 'assistant', blocks = calls },
    { role = 'user', blocks = results },
  }
end

describe('a Gemini request is written', function()
  it('with results in the order of the calls, and one for each', function()
    local body = write({ turns = talk({ call('a', 'f'), call('b', 'g'), call('c', 'h') },
      { result('c', 'C'), { kind = 'text', text = 'more' },
        result('a', 'A', { is_error = true }) }) })
    local parts = body.contents[3].parts
    eq({ '{"error":"A"}', 'g', '{"output":"C"}', 'more' }, {
      json.encode(parts[1].functionResponse.response), parts[2].functionResponse.name,
      json.encode(parts[3].functionResponse.response), parts[4].text })
  end)

  it('with results as objects where they are objects', function()
    local body = write({ turns = talk({ call('a', 'f'), call('b', 'f'), call('c', 'f'),
      call('d', 'f'), call('e', 'f') }, { result('a', '{"n":12345678901234567890}'),
      result('b', '[1]'), result('c', '{"output":"x"}'), result('d', ''), result('e', '{bad') }) })
    local got = {}
    for i, part in ipairs(body.contents[3].parts) do
      got[i] = json.encode(part.functionResponse.response)
    end
    eq({ '{"n":12345678901234567890}', '{"output":"[1]"}', '{"output":"{\\"output\\":\\"x\\"}"}',
      '{"output":""}', '{"output":"{bad"}' }, got)
  end)

  it('with images of results inside them, or behind them for older models', function()
    local image = { kind = 'image', media = 'image/png', data = 'iVBORw0KGgo=' }
    local function parts(model)
      return write({ turns = talk({ call('a', 'f') },
        { result('a', 'see', { blocks = { image } }) }) }, model).contents[3].parts
    end
    eq(1, #parts('gemini-3-pro-preview')[1].functionResponse.parts)
    local old = parts('gemini-2.5-flash')
    eq({ nil, 'image/png' }, { old[1].functionResponse.parts, old[2].inlineData.mimeType })
  end)

  it('with arguments that are an object whatever they were', function()
    local body = write({ turns = talk({ call('a', 'f', '{"n":12345678901234567890,"e":[],"o":{}}'),
      call('b', 'f', ''), call('c', 'f', '[1]'), call('d', 'f', '{"cut'),
      { kind = 'tool_call', id = 'e', name = 'f', args = 'free', custom = true } }, {}) })
    local got = {}
    for i, part in ipairs(body.contents[2].parts) do
      got[i] = json.encode(part.functionCall.args)
    end
    eq({ '{"n":12345678901234567890,"e":[],"o":{}}', '{}', '{"value":[1]}', '{"_raw":"{\\"cut"}',
      '{"input":"free"}' }, got)
  end)

  it('with signatures for their issuer alone', function()
    local function signed(origin, model)
      local body, ctx = write({ turns = talk({ { kind = 'thinking', text = '', signature = 'Cg==',
        origin = origin }, call('a', 'f'), call('b', 'g') }, {}) }, model)
      return body.contents[2].parts[1].thoughtSignature, body.contents[2].parts[2].thoughtSignature,
        table.concat(ctx.losses, ' ')
    end
    eq({ 'Cg==', nil, '' }, { signed('gemini', 'gemini-3-pro-preview') })
    eq({ 'skip_thought_signature_validator', nil, 'messages.thinking' },
      { signed('anthropic', 'gemini-3-pro-preview') })
    eq({ nil, nil, 'messages.thinking' }, { signed('anthropic', 'gemini-2.5-flash') })
  end)

  it('with a signed thought as it came', function()
    local text = '{"contents":[{"role":"user","parts":[{"text":"?"}]},{"role":"model","parts":'
      .. '[{"text":"hm","thought":true,"thoughtSignature":"Cg=="},{"text":"x"}]},'
      .. '{"role":"user","parts":[{"text":"!"}]}]}'
    eq('{"text":"hm","thought":true,"thoughtSignature":"Cg=="}',
      json.encode(write(read(text)).contents[2].parts[1]))
  end)

  it('with a user first and last, no neighbours of one role and no empty text', function()
    local body, ctx = write({ system = { { kind = 'text', text = 'S' } }, turns = {
      { role = 'assistant', blocks = { { kind = 'text', text = 'a' } } },
      { role = 'user', name = 'bob', blocks = { { kind = 'text', text = '' },
        { kind = 'text', text = 'b' } } },
      { role = 'system', blocks = { { kind = 'text', text = 'c' } } },
      { role = 'assistant', blocks = { { kind = 'text', text = 'd' } } } } })
    eq('.|a|b|<system-reminder>\nc\n</system-reminder>|d|Continue.', (function()
      local out = {}
      for _, content in ipairs(body.contents) do
        for _, part in ipairs(content.parts) do
          out[#out + 1] = part.text
        end
      end
      return table.concat(out, '|')
    end)())
    eq({ 'messages.name', 'messages.system', 'messages.prefill' }, ctx.losses)
  end)

  it('with a prompt made of system text alone', function()
    local body = write({ system = { { kind = 'text', text = 'S' } }, turns = {} })
    eq({ nil, 'S' }, { body.systemInstruction, body.contents[1].parts[1].text })
  end)

  it('with names that Gemini takes, given back in replies', function()
    local long = 'mcp__server__' .. ('x'):rep(80)
    local body, ctx = write({ tools = { { name = '9lives' }, { name = long }, { name = 'a.b' },
      { name = 'a/b' } } })
    local list = body.tools[1].functionDeclarations
    eq({ '9lives', long, 'a.b', 'a/b' }, { ctx.names[list[1].name], ctx.names[list[2].name],
      list[3].name, ctx.names[list[4].name] })
  end)

  it('with JSON Schemas where they are taken, cut down where not, none where empty', function()
    local schema = json.decode('{"type":"object","properties":{"a":{"const":"x"}},"$schema":"s"}')
    local tools = { { name = 'f', description = 'd', schema = schema }, { name = 'g' },
      { name = 'h', schema = json.decode('{"type":"object","properties":{}}') } }
    local new = write({ tools = tools }, 'gemini-2.5-flash').tools[1].functionDeclarations
    eq(json.encode(schema), json.encode(new[1].parametersJsonSchema))
    eq({}, { new[2].parametersJsonSchema, new[3].parametersJsonSchema })
    local old = write({ tools = tools }, 'gemini-2.0-flash').tools[1].functionDeclarations
    eq('{"properties":{"a":{"enum":["x"],"format":"enum","type":"STRING"}},"type":"OBJECT"}',
      json.encode(old[1].parameters))
    eq({}, { old[2].parameters, old[3].parameters })
  end)

  it('with each tool choice', function()
    local tools = { { name = 'f' }, { name = 'g' } }
    local function config(choice, model)
      local body = write({ tools = tools, tool_choice = choice }, model)
      local calling = (body.toolConfig or {}).functionCallingConfig or {}
      return (calling.mode or '-') .. ' ' .. table.concat(calling.allowedFunctionNames or {}, ',')
        .. ' ' .. #body.tools[1].functionDeclarations
    end
    eq('-  2', config(nil))
    eq('AUTO  2', config({ mode = 'auto' }))
    eq('NONE  2', config({ mode = 'none' }))
    eq('ANY  2', config({ mode = 'any' }))
    eq('ANY f 2', config({ mode = 'one', name = 'f' }))
    eq('-  2', config({ mode = 'one', name = 'gone' }))
    eq('ANY f 2', config({ mode = 'subset', names = { 'f' }, required = true }))
    eq('VALIDATED f 2', config({ mode = 'subset', names = { 'f' } }, 'gemini-3-pro-preview'))
    eq('-  1', config({ mode = 'subset', names = { 'f' } }, 'gemini-2.0-flash'))
  end)

  it('with hosted tools alone, and beside functions where models allow it', function()
    local search = { name = 'web_search', protocol = 'anthropic',
      hosted = { type = 'web_search_20250305' } }
    local code = { name = 'codeExecution', protocol = 'gemini',
      hosted = json.object({ codeExecution = json.object({}) }) }
    local other = { name = 'bash', protocol = 'anthropic', hosted = { type = 'bash_20250124' } }
    local body, ctx = write({ tools = { search, code, other } }, 'gemini-2.5-flash')
    eq('[{"googleSearch":{}},{"codeExecution":{}}]', json.encode(body.tools))
    eq({ 'tools.bash_20250124' }, ctx.losses)
    local tools = { search, { name = 'f' } }
    local old, old_ctx = write({ tools = tools }, 'gemini-2.5-flash')
    eq({ 1, 'tools.hosted' }, { #old.tools, old_ctx.losses[1] })
    eq(true, write({ tools = tools }, 'gemini-3-pro-preview').toolConfig
      .includeServerSideToolInvocations)
  end)

  it('with custom tools as functions', function()
    local body, ctx = write({ tools = { { name = 'patch', description = 'd', custom = { grammar = {
      syntax = 'lark', definition = 'start: "x"' } } } } }, 'gemini-2.5-flash')
    local made = body.tools[1].functionDeclarations[1]
    eq({ true, 'input' }, { ctx.customs.patch, made.parametersJsonSchema.required[1] })
    assert(made.description:find('start: "x"', 1, true))
  end)

  local THOUGHTS = {
    { 'gemini-2.5-pro', { effort = 'off' }, '{"thinkingBudget":128}', 'params.reasoning' },
    { 'gemini-2.5-flash', { effort = 'off' }, '{"thinkingBudget":0}', '' },
    { 'gemini-2.5-flash', { effort = 'auto' },
      '{"includeThoughts":true,"thinkingBudget":-1}', '' },
    { 'gemini-2.5-flash', { effort = 'medium' },
      '{"includeThoughts":true,"thinkingBudget":8192}', '' },
    { 'gemini-2.5-flash', { effort = 'max', budget = 99999, visible = false },
      '{"thinkingBudget":24576}', 'params.reasoning' },
    { 'gemini-2.5-flash-lite', { budget = 100, effort = 'minimal' },
      '{"includeThoughts":true,"thinkingBudget":512}', 'params.reasoning' },
    { 'gemini-3-pro-preview', { effort = 'off' }, '{"thinkingLevel":"LOW"}', 'params.reasoning' },
    { 'gemini-3-pro-preview', { effort = 'medium', visible = true },
      '{"includeThoughts":true,"thinkingLevel":"LOW"}', 'params.reasoning' },
    { 'gemini-3.1-pro-preview', { effort = 'medium' },
      '{"includeThoughts":true,"thinkingLevel":"MEDIUM"}', '' },
    { 'gemini-3-flash-preview', { budget = 300 },
      '{"includeThoughts":true,"thinkingLevel":"MINIMAL"}', '' },
    { 'gemini-3-flash-preview', { effort = 'auto', visible = true }, '{"includeThoughts":true}',
      '' },
    { 'gemini-2.0-flash', { effort = 'high' }, 'null', 'params.reasoning' },
    { 'gemini-2.0-flash', { effort = 'off' }, 'null', '' },
    { 'unheard-of', { effort = 'low' }, '{"includeThoughts":true,"thinkingBudget":1024}', '' },
  }
  for _, case in ipairs(THOUGHTS) do
    it(('with thinking for %s: %s'):format(case[1], case[3]), function()
      local body, ctx = write({ reasoning = case[2] }, case[1])
      local config = body.generationConfig and body.generationConfig.thinkingConfig or json.null
      eq({ case[3], case[4] }, { json.encode(config), table.concat(ctx.losses, ' ') })
    end)
  end

  it('with thinking that leaves room under a cap of the client', function()
    local function budget(most)
      return write({ max_tokens = most, reasoning = { effort = 'high' } }, 'gemini-2.5-flash-lite')
        .generationConfig.thinkingConfig.thinkingBudget
    end
    eq({ 9999, 0, 24576 }, { budget(10000), budget(500), budget(60000) })
  end)

  it('with sampling in range, five stops and a small seed', function()
    local body, ctx = write({ temperature = 3, top_p = 0.5, top_k = 3, seed = 5,
      stop = { '1', '2', '3', '', '4', '5', '6' }, max_tokens = 99999, verbosity = 'low',
      user = 'u', metadata = { a = 'b' }, service_tier = 'flex', parallel = false },
      'gemini-2.5-flash')
    eq('{"maxOutputTokens":65536,"seed":5,"stopSequences":["1","2","3","4","5"],"temperature":2,'
      .. '"topK":3,"topP":0.5}', json.encode(body.generationConfig))
    eq('6', ctx.stops[7])
    eq({ 'params.temperature', 'params.max_tokens', 'params.stop', 'params.verbosity',
      'params.user', 'params.service_tier', 'params.metadata' }, ctx.losses)
    local _, big = write({ seed = 2 ^ 40 })
    eq({ 'params.seed' }, big.losses)
  end)

  it('with structured output by schema, by cut schema, or by asking', function()
    local format = { kind = 'schema', schema = json.decode('{"type":"object","properties":'
      .. '{"a":{"type":["string","null"]}},"additionalProperties":false}') }
    local new = write({ response_format = format }, 'gemini-2.5-flash').generationConfig
    eq(json.encode(format.schema), json.encode(new.responseJsonSchema))
    local old = write({ response_format = format }, 'gemini-2.0-flash').generationConfig
    eq('{"properties":{"a":{"nullable":true,"type":"STRING"}},"type":"OBJECT"}',
      json.encode(old.responseSchema))
    local body, ctx = write({ response_format = format, tools = { { name = 'f' } } },
      'gemini-2.5-flash')
    eq({ nil, 'params.response_format' }, { body.generationConfig, ctx.losses[1] })
    assert(body.systemInstruction.parts[1].text:find('JSON Schema', 1, true))
    eq('application/json', write({ response_format = format, tools = { { name = 'f' } } },
      'gemini-3-pro-preview').generationConfig.responseMimeType)
  end)

  it('not with images that Gemini does not read', function()
    t.raises('images of type image/gif', function()
      local ok, err = pcall(write, { turns = { { role = 'user', blocks = { { kind = 'image',
        media = 'image/png', data = 'R0lGODlhAQAB' } } } } })
      assert(ok, err.message)
    end)
  end)

  it('with media in place, and notes for what stays behind', function()
    local body, ctx = write({ turns = { { role = 'user', blocks = {
      { kind = 'image', url = 'https://e.org/a.png?x=1' },
      { kind = 'document', data = 'JVBERi0=', media = 'application/pdf' },
      { kind = 'audio', data = 'AAAA', media = 'audio/wav' },
      { kind = 'document', text = 'T', title = 'N' },
      { kind = 'image', file = 'file-1' },
      { kind = 'opaque', protocol = 'anthropic', json = {} } } } } })
    eq({ 'image/png', 'application/pdf', 'audio/wav', 'N\n\nT', '[image omitted]' }, {
      body.contents[1].parts[1].fileData.mimeType, body.contents[1].parts[2].inlineData.mimeType,
      body.contents[1].parts[3].inlineData.mimeType, body.contents[1].parts[4].text,
      body.contents[1].parts[5].text })
    eq({ 'messages.image', 'messages.opaque' }, ctx.losses)
  end)
end)

t.finish()
