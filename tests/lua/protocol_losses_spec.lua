--- What a request loses on its way to another protocol is told, and nothing else is.

local bodies = require('px.body')
local json = require('px.json')
local kit = require('corpus_kit')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

--- Reads a request of one protocol and writes it for another.
---
--- @return table|string body What is refused, as text, where it is.
--- @return string[] lost
local function convert(from, to, text, more)
  local lost, seen = {}, {}
  local ctx = kit.context({ origin = to, stream = nil })
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  function ctx.lost(path)
    if not seen[path] then
      seen[path], lost[#lost + 1] = true, path
    end
  end
  local ok, body = pcall(function()
    local request = kit.module(from, 'request').read(assert(json.decode(text)), ctx)
    return json.decode(json.encode(kit.module(to, 'request').write(request, ctx)))
  end)
  if not ok then
    return type(body) == 'table' and (body.param or '') .. ' | ' .. body.message or error(body, 0)
  end
  table.sort(lost)
  return body, lost
end

local CHAT, RESPONSES, ANTHROPIC, GEMINI, OLLAMA =
  'openai_chat', 'openai_responses', 'anthropic', 'gemini', 'ollama'

local function anthropic(content, more)
  return '{"model":"m","max_tokens":3000,"messages":[{"role":"user","content":[' .. content .. ']}]'
    .. (more and ',' .. more or '') .. '}'
end

local function gemini(parts)
  return '{"contents":[{"role":"user","parts":[' .. parts .. ']}]}'
end

describe('a file of Anthropic', function()
  it('that has no id is refused by its path', function()
    for _, to in ipairs({ CHAT, RESPONSES, GEMINI, OLLAMA }) do
      for _, kind in ipairs({ 'image', 'document' }) do
        eq('messages[0].content[0].source.file_id | '
          .. 'messages[0].content[0].source.file_id is missing',
          (convert(ANTHROPIC, to, anthropic('{"type":"' .. kind .. '","source":{"type":"file"}}'))))
      end
    end
  end)
end)

local VIDEO = '{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}}'

describe('a video', function()
  it('becomes a note of a video where only Gemini would see it', function()
    local asked = gemini('{"text":"Look"},' .. VIDEO)
    local knows = { knowledge = { audio = true } }
    local chat, lost = convert(GEMINI, CHAT, asked, knows)
    eq({ '[video omitted]', 'messages.video' }, { chat.messages[1].content[2].text, lost[1] })
    local responses, lost_too = convert(GEMINI, RESPONSES, asked, knows)
    eq({ '[video omitted]', 'messages.video' },
      { responses.input[1].content[2].text, lost_too[1] })
    local ollama
    ollama, lost = convert(GEMINI, OLLAMA, asked, knows)
    eq({ 'Look\n[video omitted]', 'messages.video' }, { ollama.messages[1].content, lost[1] })
    eq(nil, ollama.messages[1].images)
    local claude
    claude, lost = convert(GEMINI, ANTHROPIC, asked, knows)
    eq({ '[video omitted]', 'messages.video' }, { claude.messages[1].content[2].text, lost[1] })
  end)

  it('tells its address in the note', function()
    local asked = gemini('{"text":"Look"},{"fileData":{"fileUri":"https://youtu.be/x"}}')
    local chat, lost = convert(GEMINI, CHAT, asked)
    eq({ '[video omitted: https://youtu.be/x]', 'messages.video' },
      { chat.messages[1].content[2].text, lost[1] })
  end)

  it('is refused by name where nothing stands beside it', function()
    eq('messages | video input is not supported by this upstream',
      (convert(GEMINI, ANTHROPIC, gemini(VIDEO))))
    eq('messages | audio input is not supported by this upstream',
      (convert(GEMINI, ANTHROPIC, gemini('{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}'))))
  end)
end)

describe('a document of Anthropic made of blocks', function()
  local PICTURE = '{"type":"image","source":{"type":"base64","media_type":"image/png",'
    .. '"data":"iVBORw0KGgo="}}'
  local DOCUMENT = '{"type":"document","title":"T","source":{"type":"content","content":['
    .. '{"type":"text","text":"a"},{"type":"text","text":"b"},' .. PICTURE
    .. ',{"type":"text","text":"c"}]}}'

  it('keeps its images between its texts', function()
    local body, lost = convert(ANTHROPIC, CHAT, anthropic(DOCUMENT))
    local parts = body.messages[1].content
    eq({ 'T\n\na\n\nb', 'image_url', 'T\n\nc' },
      { parts[1].text, parts[2].type, parts[3].text })
    eq({ 3, 0 }, { #parts, #lost })
    body = convert(ANTHROPIC, OLLAMA, anthropic(DOCUMENT))
    eq({ 'T\n\na\n\nb\nT\n\nc', 'iVBORw0KGgo=' },
      { body.messages[1].content, body.messages[1].images[1] })
  end)

  it('as a result of a search too', function()
    local body, lost = convert(ANTHROPIC, CHAT, anthropic('{"type":"search_result","title":"T",'
      .. '"source":"http://a","content":[{"type":"text","text":"a"},' .. PICTURE .. ']}'))
    local parts = body.messages[1].content
    eq({ 'T\n\nhttp://a\n\na', 'image_url', 0 }, { parts[1].text, parts[2].type, #lost })
  end)

  it('may be a mere text, and its mark counts once', function()
    local body, lost = convert(ANTHROPIC, CHAT, anthropic('{"type":"document","source":'
      .. '{"type":"content","content":"a"},"cache_control":{"type":"ephemeral"}}'))
    eq({ 'a', 'messages.cache', 1 }, { body.messages[1].content, lost[1], #lost })
  end)
end)

describe('a system prompt without a conversation', function()
  local ASKED = '{"model":"m","messages":[{"role":"system","content":[{"type":"text","text":"S",'
    .. '"cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":'
    .. '{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]}'

  it('is the user\'s with all that it holds', function()
    local body, lost = convert(CHAT, ANTHROPIC, ASKED)
    local content = body.messages[1].content
    eq({ 'S', 'ephemeral', 'image', 0 },
      { content[1].text, content[1].cache_control.type, content[2].type, #lost })
    body, lost = convert(CHAT, GEMINI, ASKED)
    local parts = body.contents[1].parts
    eq({ 'S', 'image/png', 'messages.cache' },
      { parts[1].text, parts[2].inlineData.mimeType, table.concat(lost, ' ') })
  end)
end)

describe('a turn that empties out', function()
  local UPLOAD = anthropic('{"type":"container_upload","file_id":"f"}')

  it('leaves a placeholder where nothing else is left', function()
    for to, place in pairs({ [CHAT] = 'messages', [OLLAMA] = 'messages', [GEMINI] = 'contents',
      [RESPONSES] = 'input' }) do
      local body, lost = convert(ANTHROPIC, to, UPLOAD)
      local list = body[place]
      local content = list[1].content or list[1].parts
      content = type(content) == 'table' and content[1].text or content
      eq({ 1, 'user', '.', 'messages.opaque' },
        { #list, list[1].role, content, table.concat(lost, ' ') })
    end
  end)

  it('lets the user\'s turns beside it join', function()
    local asked = '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},'
      .. '{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"}]},'
      .. '{"role":"user","content":"b"}]}'
    local body, lost = convert(ANTHROPIC, CHAT, asked)
    eq({ 1, 'a', 'b', 'messages.thinking' }, { #body.messages, body.messages[1].content[1].text,
      body.messages[1].content[2].text, table.concat(lost, ' ') })
  end)
end)

describe('an image that a model made', function()
  local ASKED = '{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":['
    .. '{"text":"b"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},'
    .. '{"fileData":{"mimeType":"application/pdf","fileUri":"https://a/b.pdf"}}]},'
    .. '{"role":"user","parts":[{"text":"c"}]}]}'

  it('becomes a note where the assistant may not show one', function()
    local body, lost = convert(GEMINI, CHAT, ASKED)
    eq({ 'b[image omitted][document omitted: https://a/b.pdf]',
      'messages.document messages.image' },
      { body.messages[2].content, table.concat(lost, ' ') })
    for to, place in pairs({ [RESPONSES] = 'input', [ANTHROPIC] = 'messages' }) do
      body, lost = convert(GEMINI, to, ASKED)
      local parts = body[place][2].content
      eq({ 'b', '[image omitted]', '[document omitted: https://a/b.pdf]',
        'messages.document messages.image' },
        { parts[1].text, parts[2].text, parts[3].text, table.concat(lost, ' ') })
    end
  end)
end)

describe('calls of one step that have one id', function()
  local function asked(args, results)
    local out = {}
    for i, text in ipairs(results) do
      out[i] = '{"role":"tool","tool_call_id":"call_0","content":"' .. text .. '"}'
    end
    return '{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant",'
      .. '"tool_calls":[{"id":"call_0","type":"function","function":{"name":"f","arguments":"{}"}},'
      .. '{"id":"call_0","type":"function","function":{"name":"g","arguments":"' .. args .. '"}}]},'
      .. table.concat(out, ',') .. ',{"role":"assistant","tool_calls":[{"id":"call_0","type":'
      .. '"function","function":{"name":"h","arguments":"{}"}}]},'
      .. '{"role":"tool","tool_call_id":"call_0","content":"H"}]}'
  end

  local function told(body)
    local out = {}
    for _, message in ipairs(body.messages) do
      for _, block in ipairs(type(message.content) == 'table' and message.content or {}) do
        if block.type ~= 'text' then
          out[#out + 1] = (block.name or block.content) .. '=' .. (block.id or block.tool_use_id)
        end
      end
    end
    return table.concat(out, ' ')
  end

  it('are several calls where they differ and each has a result', function()
    local body, lost = convert(CHAT, ANTHROPIC, asked('{}', { 'F', 'G' }))
    eq('f=call_0 g=call_0_2 F=call_0 G=call_0_2 h=call_0_3 H=call_0_3', told(body))
    eq(0, #lost)
  end)

  it('are the last call where there is one result, and that is told', function()
    local body, lost = convert(CHAT, ANTHROPIC, asked('{}', { 'G' }))
    eq('g=call_0 G=call_0 h=call_0_2 H=call_0_2', told(body))
    eq('messages.tool_call', table.concat(lost, ' '))
  end)

  it('are one call where they say the same, and that is told', function()
    local body, lost = convert(CHAT, ANTHROPIC, (asked('{}', { 'F', 'G' }):gsub('"g"', '"f"')))
    eq('f=call_0 G=call_0 h=call_0_2 H=call_0_2', told(body))
    eq('messages.tool_call messages.tool_result', table.concat(lost, ' '))
  end)
end)

describe('a schema', function()
  local function tool(schema, strict)
    return '{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function",'
      .. '"function":{"name":"f","description":"d","parameters":' .. schema
      .. (strict and ',"strict":true' or '') .. '}}]}'
  end
  local function format(schema, more)
    return '{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":'
      .. '"json_schema","json_schema":{"name":"n","schema":' .. schema .. (more or '') .. '}}}'
  end
  local PLAIN = '{"type":"object","properties":{"a":{"type":"string","description":"A"},'
    .. '"b":{"type":"array","items":{"type":"integer"}},"c":{"anyOf":[{"type":"number"},'
    .. '{"type":"null"}]}},"required":["a"],"additionalProperties":false}'
  local KNOWS = { knowledge = { output_format = true } }

  it('of which nothing is taken loses nothing', function()
    for _, to in ipairs({ ANTHROPIC, GEMINI, OLLAMA }) do
      local _, lost = convert(CHAT, to, tool(PLAIN, to == ANTHROPIC), KNOWS)
      eq('', table.concat(lost, ' '))
      _, lost = convert(CHAT, to, format(PLAIN, ',"strict":true'), KNOWS)
      eq('', table.concat(lost, ' '))
    end
  end)

  -- Schema; protocols whose tools cannot say it but in words.
  local TAKEN = {
    { '{"type":"object","properties":{"a":{"type":"integer","multipleOf":2}}}',
      { ANTHROPIC, GEMINI, OLLAMA } },
    { '{"type":"object","properties":{"a":{"type":"integer","minimum":2}}}',
      { ANTHROPIC, OLLAMA } },
    { '{"type":"object","properties":{"a":{"type":"object","additionalProperties":'
      .. '{"type":"string"}}}}', { ANTHROPIC, GEMINI, OLLAMA } },
    { '{"type":"object","additionalProperties":{"type":"string"}}',
      { ANTHROPIC, GEMINI, OLLAMA } },
    { '{"type":"object","properties":{"a":{"type":"array","prefixItems":[{"type":"string"},'
      .. '{"type":"integer"}]}}}', { GEMINI, OLLAMA } },
    { '{"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"object",'
      .. '"properties":{"n":{"$ref":"#/$defs/n"}}}}}', { GEMINI } },
    { '{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},'
      .. '{"type":"object","properties":{"b":{"type":"string"}},"required":["b"]}]}',
      { ANTHROPIC } },
  }

  it('of a tool whose words move into the description is told as lost', function()
    for _, case in ipairs(TAKEN) do
      for _, to in ipairs(case[2]) do
        local _, lost = convert(CHAT, to, tool(case[1], to == ANTHROPIC), KNOWS)
        eq({ 'tools.schema', to, case[1] }, { table.concat(lost, ' '), to, case[1] })
      end
    end
  end)

  it('of an answer whose words move into the description is told as lost', function()
    for _, to in ipairs({ ANTHROPIC, GEMINI }) do
      local _, lost = convert(CHAT, to, format(TAKEN[1][1]), KNOWS)
      eq('params.response_format', table.concat(lost, ' '))
    end
  end)

  it('that is a map is described to Gemini, which has no word for it', function()
    local body = convert(CHAT, GEMINI, tool(TAKEN[4][1]))
    local made = body.tools[1].functionDeclarations[1]
    eq({ 'd (parameters: (additionalProperties: {"type":"string"}))' }, { made.description })
    eq(nil, made.parameters)
    body = convert(CHAT, GEMINI, tool(TAKEN[3][1]))
    eq('(additionalProperties: {"type":"string"})',
      body.tools[1].functionDeclarations[1].parameters.properties.a.description)
    local _, lost = convert(CHAT, GEMINI, tool(TAKEN[4][1]), { knowledge = { json_schema = true } })
    eq(0, #lost)
  end)

  it('of an answer that must be strict is not by a forced tool, and that is told', function()
    local _, lost = convert(CHAT, ANTHROPIC, format(PLAIN, ',"strict":true'))
    eq('params.response_format', table.concat(lost, ' '))
    _, lost = convert(CHAT, ANTHROPIC, format(PLAIN))
    eq('', table.concat(lost, ' '))
  end)

  it('of an answer takes along what the format is for', function()
    local asked = format('{"type":"object","properties":{"a":{"type":"string"}},"description":"D"}',
      ',"description":"F"')
    local claude = convert(CHAT, ANTHROPIC, asked, KNOWS)
    local gem = convert(CHAT, GEMINI, asked)
    local ollama = convert(CHAT, OLLAMA, asked)
    eq({ 'F\nD', 'F\nD', 'F\nD' }, { claude.output_config.format.schema.description,
      gem.generationConfig.responseSchema.description, ollama.format.description })
  end)
end)

describe('a wish of Anthropic for thinking', function()
  -- What is asked; protocol; member that says what is written, and its value; losses.
  local CASES = {
    { '"thinking":{"type":"enabled","budget_tokens":9000}', GEMINI,
      { thinkingBudget = 2999, includeThoughts = true }, 'params.reasoning' },
    { '"thinking":{"type":"enabled","budget_tokens":2000}', GEMINI,
      { thinkingBudget = 2000, includeThoughts = true }, '' },
    { '"output_config":{"effort":"extreme"}', GEMINI, nil, 'request.output_config.effort' },
    { '"thinking":{"type":"disabled"},"output_config":{"effort":"low"}', GEMINI,
      { thinkingBudget = 0 }, 'request.output_config.effort' },
    { '"output_config":{"format":{"type":"json_schema"}}', GEMINI, nil, 'params.response_format' },
  }

  it('that is not met to the letter is told as lost', function()
    for _, case in ipairs(CASES) do
      local asked = anthropic('{"type":"text","text":"a"}', case[1])
      local body, lost = convert(ANTHROPIC, case[2], asked, { knowledge = { thinking = 'budget' } })
      eq({ case[1], case[4] }, { case[1], table.concat(lost, ' ') })
      eq(case[3], (body.generationConfig or {}).thinkingConfig)
    end
  end)

  it('by a budget that Anthropic would refuse is told as lost', function()
    local function asked(budget)
      return '{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"maxOutputTokens":3000,'
        .. '"thinkingConfig":{"thinkingBudget":' .. budget .. '}}}'
    end
    local knows = { knowledge = { thinking = 'budget' } }
    for budget, case in pairs({ [300] = { 1024, 'params.reasoning' },
      [9000] = { 2999, 'params.reasoning' }, [2000] = { 2000, '' } }) do
      local body, lost = convert(GEMINI, ANTHROPIC, asked(budget), knows)
      eq(case, { body.thinking.budget_tokens, table.concat(lost, ' ') })
    end
  end)
end)

describe('a rule\'s wish for thinking', function()
  -- Protocol, wish, knowledge; what conversion makes of it.
  local CASES = {
    { ANTHROPIC, 'off', { thinking = 'adaptive', thinking_off = 'between_tools' },
      '{"thinking":{"type":"between_tools"}}' },
    { ANTHROPIC, 'off', { thinking = 'adaptive' }, '{"thinking":{"type":"disabled"}}' },
    { ANTHROPIC, 0, { thinking = 'always', effort = { 'low', 'high' } },
      '{"output_config":{"effort":"low"}}' },
    { ANTHROPIC, 'high', { thinking = 'both', effort = { 'low', 'high' } },
      '{"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}' },
    { ANTHROPIC, 4000, { thinking = 'both', effort = { 'low', 'high' } },
      '{"thinking":{"budget_tokens":4000,"type":"enabled"}}' },
    { ANTHROPIC, 'high', { thinking = 'none' }, '{}' },
    { ANTHROPIC, 'auto', { thinking = 'adaptive', effort = { 'low', 'high' } },
      '{"thinking":{"type":"adaptive"}}' },
    { GEMINI, 'low', {}, '{"generationConfig":{"thinkingConfig":{"thinkingBudget":1024}}}' },
    { GEMINI, 'minimal', {}, '{"generationConfig":{"thinkingConfig":{"thinkingBudget":512}}}' },
    { GEMINI, 4000, {}, '{"generationConfig":{"thinkingConfig":{"thinkingBudget":4000}}}' },
    { GEMINI, 'high', { thinking = 'none' }, '{}' },
    { GEMINI, -1, {}, '{"generationConfig":{"thinkingConfig":{"thinkingBudget":-1}}}' },
  }

  it('is said as a client\'s is in a conversion', function()
    for _, case in ipairs(CASES) do
      local bytes = bodies.new('{}')
      kit.module(case[1], 'params').set(bytes, 'reasoning', case[2], case[3])
      eq({ case[1], case[2], case[4] }, { case[1], case[2], json.encode(bytes:json()) })
    end
  end)

  it('takes the place of what the client asked for, under its cap', function()
    local bytes = bodies.new('{"max_tokens":3000,"thinking":{"type":"adaptive"},'
      .. '"output_config":{"effort":"low"}}')
    kit.module(ANTHROPIC, 'params').set(bytes, 'reasoning', 9000, { thinking = 'budget' })
    eq({ 'enabled', 2999, nil }, { bytes:get('thinking.type'),
      json.tonumber(bytes:get('thinking.budget_tokens')), bytes:get('output_config.effort') })
    bytes = bodies.new('{"thinking":{"type":"adaptive","display":"summarized"}}')
    kit.module(ANTHROPIC, 'params').set(bytes, 'reasoning', 'low', { thinking = 'adaptive' })
    eq('summarized', bytes:get('thinking.display'))
  end)
end)

t.finish()
