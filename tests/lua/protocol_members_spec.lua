--- Members of messages, parts and tools on their way to other protocols: where they go, or that
--- they are told to be lost.

local kit = require('corpus_kit')
local knowledge = require('policy.knowledge')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local NAMES = { A = 'anthropic', C = 'openai_chat', G = 'gemini', O = 'ollama',
  R = 'openai_responses' }

-- What is missing of a body that tells only its messages, by client.
local BEGINS = {
  A = '{"model":"m","max_tokens":99,"messages":', C = '{"model":"m","messages":',
  G = '{"contents":', O = '{"model":"m","messages":', R = '{"model":"m","input":',
}

--- Checks cases: from and to, messages, path in what is sent, the JSON there, what is lost, more of
--- the context.
local function check(cases)
  for _, case in ipairs(cases) do
    local from, to = case[1]:sub(1, 1), case[1]:sub(2, 2)
    local body, lost = kit.convert(NAMES[from], NAMES[to], BEGINS[from] .. case[2] .. '}', case[6])
    local words = case[1] .. ' ' .. case[2] .. '\n'
    eq(words .. case[4], words .. kit.at(body, case[3]))
    eq(words .. case[5], words .. lost)
  end
end

local MARK = '"cache_control":{"type":"ephemeral"}'
local MARKED = '[{"type":"text","text":"a"},{"type":"text","text":"b"}],' .. MARK .. '}]'

describe('a mark for caching on a whole message of Chat', function()
  it('is that of its last block', function()
    check({
      { 'CA', '[{"role":"system","content":"S",' .. MARK .. '},{"role":"user","content":"Hi"}]',
        'system', '[{' .. MARK .. ',"text":"S","type":"text"}]', '' },
      { 'CA', '[{"role":"system","content":"S",' .. MARK .. '}]', 'messages.1.content',
        '[{' .. MARK .. ',"text":"S","type":"text"}]', '' },
      { 'CA', '[{"role":"user","content":' .. MARKED, 'messages.1.content',
        '[{"text":"a","type":"text"},{' .. MARK .. ',"text":"b","type":"text"}]', '' },
      { 'CA', '[{"role":"user","content":"Hi"},{"role":"assistant","content":"x","tool_calls":[{'
        .. '"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool",'
        .. '"tool_call_id":"c","content":"r",' .. MARK .. '}]', 'messages.3.content',
        '[{' .. MARK .. ',"content":"r","tool_use_id":"c","type":"tool_result"}]', '' },
      { 'CC', '[{"role":"user","content":"Hi",' .. MARK .. '}]', 'messages.1.content',
        '[{' .. MARK .. ',"text":"Hi","type":"text"}]', '',
        { settings = { cache_control = true } } },
    })
  end)

  it('is lost where the upstream has no marks, and without a block', function()
    check({
      { 'CR', '[{"role":"user","content":"Hi",' .. MARK .. '}]', 'input.1.content',
        '[{"text":"Hi","type":"input_text"}]', 'messages.cache' },
      { 'CA', '[{"role":"system","content":"S"},{"role":"system","content":"",' .. MARK
        .. '},{"role":"user","content":"Hi"}]', 'system', '[{"text":"S","type":"text"}]',
        'request.messages.cache_control' },
    })
  end)
end)

describe('what an answer of the history cites', function()
  it('is not said to other vendors', function()
    local note = '{"type":"url_citation","url":"u","url_citation":{"url":"u"}}'
    check({
      { 'CA', '[{"role":"user","content":"q"},{"role":"assistant","content":"x","annotations":['
        .. note .. ']},{"role":"user","content":"y"}]', 'messages.2.content',
        '[{"text":"x","type":"text"}]', 'request.messages.annotations' },
      { 'CA', '[{"role":"user","content":"q"},{"role":"assistant","content":"x","annotations":[]},'
        .. '{"role":"user","content":"y"}]', 'messages.2.content', '[{"text":"x","type":"text"}]',
        '' },
      { 'RA', '[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"output_text",'
        .. '"text":"x","annotations":[' .. note .. ']}]},{"role":"user","content":"y"}]',
        'messages.2.content', '[{"text":"x","type":"text"}]', 'request.input.annotations' },
    })
  end)
end)

describe('a file that a vendor keeps', function()
  it('is named to that vendor alone', function()
    local uri = '"https://generativelanguage.googleapis.com/v1beta/files/abc"'
    local parts = { pdf = '{"fileData":{"fileUri":' .. uri .. ',"mimeType":"application/pdf"}}',
      png = '{"fileData":{"fileUri":' .. uri .. ',"mimeType":"image/png"}}' }
    check({
      { 'GR', '[{"role":"user","parts":[' .. parts.pdf .. ']}]', 'input.1.content',
        '[{"text":"[document omitted]","type":"input_text"}]', 'messages.document' },
      { 'GR', '[{"role":"user","parts":[' .. parts.png .. ']}]', 'input.1.content',
        '[{"text":"[image omitted]","type":"input_text"}]', 'messages.image' },
      { 'AR', '[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":'
        .. '"f"}}]}]', 'input.1.content',
        '[{"text":"[image omitted]","type":"input_text"}]', 'messages.image' },
      { 'CR', '[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]',
        'input.1.content', '[{"file_id":"f","type":"input_file"}]', '' },
    })
  end)
end)

describe('members that nobody knows', function()
  it('of tools are told to be lost', function()
    for from, lost in pairs({ C = 'request.tools.x request.tools.y',
      O = 'request.tools.strict request.tools.x request.tools.y' }) do
      local _, got = kit.convert(NAMES[from], 'anthropic', BEGINS[from] .. '[{"role":"user",'
        .. '"content":"Hi"}],"tools":[{"type":"function","x":1,"function":{"name":"f","y":2,'
        .. '"strict":true,"parameters":{"type":"object"}}}]}',
        { knowledge = { output_format = true } })
      eq(from .. ' ' .. lost, from .. ' ' .. got)
    end
    local _, lost = kit.convert('openai_chat', 'anthropic', BEGINS.C .. '[{"role":"user","content":'
      .. '"Hi"}],"tools":[{"type":"function","name":"f","parameters":{},"z":1}]}')
    eq('request.tools.z', lost)
  end)

  it('of parts are told to be lost', function()
    check({
      { 'CA', '[{"role":"user","content":[{"type":"text","text":"a","foo":1,"annotations":[]},'
        .. '{"type":"image_url","image_url":{"url":"http://x/y.png","bar":2}}]}]',
        'messages.1.content.1', '{"text":"a","type":"text"}',
        'request.messages.image_url.bar request.messages.text.foo' },
      { 'CG', '[{"role":"user","content":[{"type":"file","file":{"file_data":"JVBERi0x","filename":'
        .. '"a.pdf","pages":3}}]}]', 'contents.1.parts.1',
        '{"inlineData":{"data":"JVBERi0x","mimeType":"application/pdf"}}',
        'messages.title request.messages.file.pages' },
      { 'RA', '[{"role":"user","content":[{"type":"input_text","text":"a","foo":1}]}]',
        'messages.1.content', '[{"text":"a","type":"text"}]', 'request.input.content.foo' },
    })
  end)
end)

describe('a result that is an error', function()
  local function results(content)
    return '[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":'
      .. '"t","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result",'
      .. '"tool_use_id":"t","is_error":true,"content":' .. content .. '}]}]'
  end

  it('says so once, and the member that says it is lost', function()
    local image = '{"type":"image","source":{"type":"url","url":"https://x"}}'
    local boom = results('[' .. image .. ',{"type":"text","text":"boom"}]')
    local plain = results('"<tool_use_error>no</tool_use_error>"')
    check({
      { 'AR', boom, 'input.3.output', '[{"detail":"auto","image_url":"https://x","type":'
        .. '"input_image"},{"text":"Error: boom","type":"input_text"}]', 'messages.is_error' },
      { 'AR', results('[' .. image .. ']'), 'input.3.output', '[{"text":"Error: ","type":'
        .. '"input_text"},{"detail":"auto","image_url":"https://x","type":"input_image"}]',
        'messages.is_error' },
      { 'AR', results('[]'), 'input.3.output', '"Error: "', 'messages.is_error' },
      { 'AR', plain, 'input.3.output', '"<tool_use_error>no</tool_use_error>"',
        'messages.is_error' },
      { 'AC', plain, 'messages.3.content', '"<tool_use_error>no</tool_use_error>"',
        'messages.is_error' },
      { 'AO', plain, 'messages.3.content', '"<tool_use_error>no</tool_use_error>"',
        'messages.is_error' },
    })
  end)
end)

describe('thinking', function()
  local function ask(members)
    return '[{"role":"user","content":"Hi"}],' .. members
  end
  local lost = 'params.reasoning'

  it('that may go on though it is off is told, and not of models that never think', function()
    local body = ask('"reasoning_effort":"none"')
    check({
      { 'CC', body, 'reasoning_effort', 'absent', lost },
      { 'CR', body, 'reasoning', 'absent', lost },
      { 'CC', body, 'reasoning_effort', 'absent', '', { knowledge = { thinking = 'none' } } },
      { 'CR', body, 'reasoning', 'absent', '', { knowledge = { thinking = 'none' } } },
    })
    eq('none', knowledge.lookup('gpt-4o', 'openai_chat').thinking)
  end)

  it('is asked of Chat in the words of several vendors', function()
    local adaptive = { knowledge = { thinking = 'adaptive' } }
    for _, kind in ipairs({ 'enabled', 'adaptive', 'auto' }) do
      check({ { 'CA', ask('"thinking":{"type":"' .. kind .. '"}'), 'thinking.type', '"adaptive"',
        '', adaptive } })
    end
    check({
      { 'CA', ask('"thinking":{"type":"disabled"}'), 'thinking.type', '"disabled"', '', adaptive },
      { 'CA', ask('"thinking":{"type":"deep","x":1}'), 'thinking', 'absent',
        'request.thinking.type request.thinking.x', adaptive },
      { 'CA', ask('"reasoning":{"effort":"low","y":1}'), 'thinking.type', '"adaptive"',
        'request.reasoning.y', adaptive },
    })
  end)
end)

describe('a temperature', function()
  it('is at most 2 for OpenAI', function()
    local body = '[{"role":"user","content":"Hi"}],"options":{"temperature":%s}'
    for _, to in ipairs({ 'OC', 'OR', 'OG' }) do
      local place = to == 'OG' and 'generationConfig.temperature' or 'temperature'
      check({ { to, body:format('2.5'), place, '2', 'params.temperature' } })
      check({ { to, body:format('2'), place, '2', '' } })
    end
  end)
end)

t.finish()
