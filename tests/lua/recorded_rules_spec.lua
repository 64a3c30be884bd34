--- Rules that only recordings of real vendors taught: each is fed something like its recording.
---
--- Those with a place among other rules are tested there: ids that come again and forced tools
--- (protocol_request_spec), usage in the dialects of imitators (protocol_reply_spec and, of Groq,
--- protocol_stream_spec), messages that begin twice (protocol_stream_spec), arguments in pieces
--- (protocol_gemini_stream_spec), images of results for older models (protocol_gemini_write_spec),
--- thinking that open models want back (protocol_responses_request_spec).

local json = require('px.json')
local kit = require('corpus_kit')
local knowledge = require('policy.knowledge')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

--- Reads a request of one protocol and writes it for another: the body, and what was lost.
local function convert(from, to, text, more)
  local lost = {}
  local function note(path)
    if not lost[path] then
      lost[path], lost[#lost + 1] = true, path
    end
  end
  local request = kit.module(from, 'request').read(assert(json.decode(text)),
    kit.context({ lost = note }))
  local ctx = kit.context({ lost = note, model = request.model })
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  local body = kit.module(to, 'request').write(request, ctx)
  table.sort(lost)
  return assert(json.decode(json.encode(body))), table.concat(lost, ' ')
end

local function known(model, protocol)
  return { knowledge = knowledge.lookup(model, protocol) }
end

local function is(want, value)
  eq(want, json.encode(value))
end

local MARK = '"cache_control":{"type":"ephemeral"}'
local MARKED = '{"model":"m","max_tokens":99,"system":[{"type":"text","text":"Be"},{"type":"text",'
  .. '"text":"good",' .. MARK .. '}],"messages":[{"role":"user","content":[{"type":"text","text":'
  .. '"Long",' .. MARK .. '},{"type":"text","text":"Hi"}]},{"role":"assistant","content":[{"type":'
  .. '"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result",'
  .. '"tool_use_id":"c","content":"R",' .. MARK .. '}]}]}'
local POINT = '"prompt_cache_breakpoint":{"mode":"explicit"}'
local OPTIONS = '{"mode":"explicit","ttl":"30m"}'

describe('marks for caching', function()
  it('become breakpoints where a model of Chat takes them', function()
    local body, lost = convert('anthropic', 'openai_chat', MARKED,
      known('gpt-5.6-sol', 'openai_chat'))
    is('[{"text":"Be","type":"text"},{' .. POINT .. ',"text":"good","type":"text"}]',
      body.messages[1].content)
    is('[{' .. POINT .. ',"text":"Long","type":"text"},{"text":"Hi","type":"text"}]',
      body.messages[2].content)
    is('[{' .. POINT .. ',"text":"R","type":"text"}]', body.messages[4].content)
    is(OPTIONS, body.prompt_cache_options)
    eq('', lost)
  end)

  it('become breakpoints where a model of Responses takes them', function()
    local body, lost = convert('anthropic', 'openai_responses', MARKED,
      known('openai/gpt-5.6-sol', 'openai_responses'))
    eq(nil, body.instructions)
    eq('developer', body.input[1].role)
    is('[{"text":"Be","type":"input_text"},{' .. POINT .. ',"text":"good","type":"input_text"}]',
      body.input[1].content)
    is('[{' .. POINT .. ',"text":"Long","type":"input_text"},{"text":"Hi","type":"input_text"}]',
      body.input[2].content)
    is('[{' .. POINT .. ',"text":"R","type":"input_text"}]', body.input[4].output)
    is(OPTIONS, body.prompt_cache_options)
    eq('', lost)
  end)

  it('stay what they are for OpenRouter', function()
    local body, lost = convert('anthropic', 'openai_chat', MARKED,
      { settings = { cache_control = true } })
    is('[{' .. MARK .. ',"text":"Long","type":"text"},{"text":"Hi","type":"text"}]',
      body.messages[2].content)
    eq(nil, body.prompt_cache_options)
    eq('', lost)
  end)

  it('are lost for other models, which then get what they got before', function()
    for _, to in ipairs({ 'openai_chat', 'openai_responses' }) do
      local body, lost = convert('anthropic', to, MARKED, known('gpt-5.5', to))
      eq(nil, json.encode(body):find('cache', 1, true))
      eq('messages.cache system.cache', lost)
    end
  end)

  it('are lost on what the assistant said, and from the fifth on', function()
    local block = '{"type":"text","text":"x",' .. MARK .. '}'
    local text = '{"model":"m","max_tokens":99,"messages":[{"role":"user","content":['
      .. (block .. ','):rep(4) .. block .. ']},{"role":"assistant","content":[' .. block
      .. ']},{"role":"user","content":"go on"}]}'
    for _, to in ipairs({ 'openai_chat', 'openai_responses' }) do
      local body, lost = convert('anthropic', to, text, known('gpt-5.6', to))
      local _, count = json.encode(body):gsub('prompt_cache_breakpoint', '')
      eq(4, count)
      eq('messages.cache', lost)
    end
  end)

  it('inside a result count for the result', function()
    local text = '{"model":"m","input":[{"role":"user","content":"Hi"},{"type":"function_call",'
      .. '"call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c",'
      .. '"output":[{"type":"input_text","text":"R",' .. POINT .. '}]}]}'
    local body, lost = convert('openai_responses', 'anthropic', text)
    is('{' .. MARK .. ',"content":"R","tool_use_id":"c","type":"tool_result"}',
      body.messages[3].content[1])
    eq('', lost)
    eq('messages.cache', select(2, convert('openai_responses', 'gemini', text)))
  end)

  it('come from the breakpoints of OpenAI\'s clients', function()
    for from, text in pairs({
      openai_chat = '{"model":"m","messages":[{"role":"user","content":[{"type":"text",' .. POINT
        .. ',"text":"Long"},{"type":"text","text":"Hi"}]}],"prompt_cache_options":' .. OPTIONS
        .. '}',
      openai_responses = '{"model":"m","input":[{"role":"user","content":[{"type":"input_text",'
        .. POINT .. ',"text":"Long"},{"type":"input_text","text":"Hi"}]}]}',
    }) do
      local body = convert(from, 'anthropic', text)
      is('[{' .. MARK .. ',"text":"Long","type":"text"},{"text":"Hi","type":"text"}]',
        body.messages[1].content)
    end
  end)

  it('are set for clients without any, where that is switched on', function()
    local plain = '{"model":"m","messages":[{"role":"user","content":"Hi"}]}'
    local auto = { settings = { auto_cache = true } }
    is('{"type":"ephemeral"}', convert('openai_chat', 'anthropic', plain, auto).cache_control)
    eq(nil, convert('openai_chat', 'anthropic', plain).cache_control)
    eq(nil, convert('openai_chat', 'anthropic', '{"model":"m","messages":[{"role":"user",'
      .. '"content":[{"type":"text","text":"Hi",' .. MARK .. '}]}]}', auto).cache_control)
  end)
end)

describe('images that a tool answers with', function()
  local TEXT = '{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"Hi"},{"role":'
    .. '"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user",'
    .. '"content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"See"},'
    .. '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}'
    .. ']}]}]}'

  it('stand in the tool message for upstreams that take them there', function()
    for _, more in ipairs({ { settings = { tool_images = true } },
      { knowledge = { tool_images = true } } }) do
      local body = convert('anthropic', 'openai_chat', TEXT, more)
      is('[{"text":"See","type":"text"},{"image_url":{"url":'
        .. '"data:image/png;base64,iVBORw0KGgo="},"type":"image_url"}]', body.messages[3].content)
      eq(3, #body.messages)
    end
  end)

  it('stand in a message of the user\'s for others', function()
    local body = convert('anthropic', 'openai_chat', TEXT)
    eq('See\n[see the next message]', body.messages[3].content)
    eq('image_url', body.messages[4].content[2].type)
  end)
end)

describe('ids of calls for Mistral', function()
  local TEXT = '{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"Hi"},{"role":'
    .. '"assistant","content":[{"type":"tool_use","id":"toolu_01A","name":"f","input":{}},'
    .. '{"type":"tool_use","id":"D681PevKs","name":"f","input":{}}]},{"role":"user","content":['
    .. '{"type":"tool_result","tool_use_id":"toolu_01A","content":"a"},'
    .. '{"type":"tool_result","tool_use_id":"D681PevKs","content":"b"}]}]}'

  it('are nine letters and digits, alike in call and result', function()
    local list = convert('anthropic', 'openai_chat', TEXT, { settings = { mistral_ids = true } })
      .messages
    local id = list[2].tool_calls[1].id
    assert(id:find('^%w%w%w%w%w%w%w%w%w$'), id)
    eq({ 'D681PevKs', id, 'D681PevKs' },
      { list[2].tool_calls[2].id, list[3].tool_call_id, list[4].tool_call_id })
    eq('toolu_01A', convert('anthropic', 'openai_chat', TEXT).messages[3].tool_call_id)
  end)
end)

describe('tools that a system message adds', function()
  local TEXT = '{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"Hi"},{"role":'
    .. '"system","content":[{"tool":{"name":"f","type":"tool_reference"},"type":"tool_addition"}]},'
    .. '{"role":"assistant","content":"Ho"},{"role":"user","content":"And?"}],"tools":[{"name":"f",'
    .. '"defer_loading":true,"input_schema":{"type":"object"}}]}'

  it('are known to Anthropic alone', function()
    for _, to in ipairs({ 'openai_chat', 'openai_responses', 'gemini', 'ollama' }) do
      local body, lost = convert('anthropic', to, TEXT)
      eq(nil, json.encode(body):find('tool_addition', 1, true))
      assert(lost:find('opaque', 1, true), to .. ' loses ' .. lost)
    end
  end)
end)

describe('ids of calls for Gemini', function()
  it('are those of the client, on call and result alike', function()
    local body = convert('openai_chat', 'gemini', '{"model":"m","messages":[{"role":"user",'
      .. '"content":"Hi"},{"role":"assistant","tool_calls":[{"id":"call_0","type":"function",'
      .. '"function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_0",'
      .. '"content":"A"},{"role":"assistant","tool_calls":[{"id":"call_0","type":"function",'
      .. '"function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_0",'
      .. '"content":"B"}]}')
    local seen = {}
    for _, content in ipairs(body.contents) do
      for _, part in ipairs(content.parts) do
        local made = part.functionCall or part.functionResponse
        seen[#seen + 1] = made and made.id
      end
    end
    eq({ seen[1], seen[3] }, { seen[2], seen[4] })
    eq('call_0', seen[1])
  end)
end)

describe('a Responses stream', function()
  local function add(item, at)
    return { 'message', ('{"type":"response.output_item.added","output_index":%d,"item":%s}')
      :format(at, item) }
  end

  it('takes a call\'s name from its item, where its last event has none', function()
    local events = kit.read_stream('openai_responses', {
      add('{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":""}', 0),
      { 'message', '{"type":"response.function_call_arguments.done","output_index":0,'
        .. '"item_id":"fc_1","arguments":"{\\"a\\":1}"}' },
      { 'message', '{"type":"response.completed","response":{"status":"completed","output":[]}}' },
    }, kit.context())
    local said = kit.meaning(events)
    eq({ { name = 'f', args = '{"a":1}' } }, said.calls)
  end)

  it('is written in the order in which the vendor sends everything', function()
    local text = kit.write_stream('openai_responses', {
      { kind = 'start', id = 'x', model = 'm' },
      { kind = 'thinking', index = 0, text = 'Hm' }, { kind = 'block_stop', index = 0 },
      { kind = 'text', index = 1, text = 'Hi' }, { kind = 'block_stop', index = 1 },
      { kind = 'tool_start', index = 2, id = 'c', name = 'f' },
      { kind = 'args', index = 2, text = '{}' }, { kind = 'block_stop', index = 2 },
      { kind = 'finish', reason = 'tool' },
      { kind = 'usage', input = 1, cache_read = 0, cache_write = 0, output = 1, reasoning = 0 },
    }, kit.context())
    local order = {}
    for _, frame in ipairs(kit.frames(text)) do
      local body = json.decode(frame[2])
      order[#order + 1] = frame[1]:gsub('^response%.', '')
        .. (body.output_index and ' ' .. body.output_index or '')
    end
    eq({ 'created', 'in_progress', 'output_item.added 0', 'reasoning_summary_part.added 0',
      'reasoning_summary_text.delta 0', 'reasoning_summary_text.done 0',
      'reasoning_summary_part.done 0', 'output_item.done 0', 'output_item.added 1',
      'content_part.added 1', 'output_text.delta 1', 'output_text.done 1', 'content_part.done 1',
      'output_item.done 1', 'output_item.added 2', 'function_call_arguments.delta 2',
      'function_call_arguments.done 2', 'output_item.done 2', 'completed' }, order)
  end)
end)

t.finish()
