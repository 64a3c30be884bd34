--- Responses requests, read from clients and written for upstreams, one claim each.

local json = require('px.json')
local kit = require('corpus_kit')
local params = require('protocol.openai_responses.params')
local strict = require('strict_responses')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local OWN = 'openai_responses'

--- Converts a request given as JSON text. Returns what is sent upstream, decoded, the losses as one
--- sorted text, and the context.
local function convert(from, to, text, more)
  local body, lost, ctx = kit.convert(from, to, text, more)
  if to == OWN then
    strict.request(body)
  end
  return body, lost, ctx
end

local function responses(to, members, more)
  return convert(OWN, to, '{"model":"m","input":"Hi"' .. members .. '}', more)
end

local function items(to, list, more)
  return convert(OWN, to, '{"model":"m","input":[' .. list .. ']}', more)
end

local function chat(members, more)
  return convert('openai_chat', OWN,
    '{"model":"m","messages":[{"role":"user","content":"Hi"}]' .. members .. '}', more)
end

local function at(value, path)
  for name in path:gmatch('[^.]+') do
    if type(value) == 'table' then
      value = value[tonumber(name) or name]
    end
  end
  return value == nil and 'absent' or json.encode(value)
end

local USER = '{"role":"user","content":"Hi"}'
local CALL = '{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\\"a\\":'
  .. '12345678901234567890}"}'
local RESULT = '{"type":"function_call_output","call_id":"c1","output":%s}'
local TOOLS = ',"tools":[{"type":"function","name":"f","parameters":{"type":"object",'
  .. '"properties":{}}},{"type":"custom","name":"p","format":{"type":"grammar","syntax":"lark",'
  .. '"definition":"start: X"}},{"type":"namespace","name":"crm","tools":[{"type":"function",'
  .. '"name":"find","parameters":{"type":"object","properties":{}}}]},{"type":"web_search"},'
  .. '{"type":"mcp","server_label":"s","server_url":"u"}]'
local THINKS = { knowledge = { effort = { 'off', 'low', 'medium', 'high' }, no_sampling = true,
  max_output = 1000 } }

-- What clients of Responses send, and what becomes of it in Chat Completions: name, members, path,
-- expected JSON, losses.
local TO_CHAT = {
  { 'a string is one message', '', 'messages', '[{"content":"Hi","role":"user"}]' },
  { 'instructions', ',"instructions":"Be brief."', 'messages.1',
    '{"content":"Be brief.","role":"system"}' },
  { 'the cap', ',"max_output_tokens":99', 'max_tokens', '99' },
  { 'the text format', ',"text":{"format":{"type":"json_schema","name":"n","strict":true,'
    .. '"schema":{"type":"object"}},"verbosity":"low"}', 'response_format',
    '{"json_schema":{"name":"n","schema":{"type":"object"},"strict":true},"type":"json_schema"}' },
  { 'verbosity', ',"text":{"verbosity":"low"}', 'verbosity', '"low"' },
  { 'effort', ',"reasoning":{"effort":"none","summary":"auto"}', 'reasoning_effort', '"none"', '',
    THINKS },
  { 'a wish to see thoughts alone', ',"reasoning":{"summary":"auto"}', 'reasoning_effort',
    'absent', '', THINKS },
  { 'a forced function', TOOLS .. ',"tool_choice":{"type":"function","name":"f"}', 'tool_choice',
    '{"function":{"name":"f"},"type":"function"}', 'tools.mcp tools.web_search' },
  { 'a forced tool of a namespace', TOOLS
    .. ',"tool_choice":{"type":"function","namespace":"crm","name":"find"}', 'tool_choice',
    '{"function":{"name":"crm__find"},"type":"function"}', 'tools.mcp tools.web_search' },
  { 'a forced hosted tool', TOOLS .. ',"tool_choice":{"type":"web_search"}', 'tool_choice',
    'absent', 'tool_choice tools.mcp tools.web_search' },
  { 'allowed tools', TOOLS .. ',"tool_choice":{"type":"allowed_tools","mode":"required","tools":'
    .. '[{"type":"custom","name":"p"}]}', 'tool_choice',
    '{"allowed_tools":{"mode":"required","tools":[{"custom":{"name":"p"},"type":"custom"}]},'
    .. '"type":"allowed_tools"}', 'tools.mcp tools.web_search',
    { settings = { custom_tools = true } } },
  { 'a custom tool of an imitator', TOOLS, 'tools.2',
    '{"function":{"description":"The input must match this grammar (lark):\\nstart: X","name":"p",'
    .. '"parameters":{"properties":{"input":{"type":"string"}},"required":["input"],'
    .. '"type":"object"}},"type":"function"}', 'tools.mcp tools.web_search' },
  { 'a custom tool', TOOLS, 'tools.2', '{"custom":{"format":{"grammar":{"definition":"start: X",'
    .. '"syntax":"lark"},"type":"grammar"},"name":"p"},"type":"custom"}',
    'tools.mcp tools.web_search', { settings = { custom_tools = true } } },
  { 'a namespace', TOOLS, 'tools.3.function.name', '"crm__find"', 'tools.mcp tools.web_search' },
  { 'a parallel switch', TOOLS .. ',"parallel_tool_calls":false', 'parallel_tool_calls', 'false',
    'tools.mcp tools.web_search' },
  { 'what is so anyway', ',"store":true,"background":false,"truncation":"disabled","stream_options"'
    .. ':{},"include":["reasoning.encrypted_content"],"prompt_cache_key":"k"', 'store', 'absent' },
  { 'what is lost', ',"truncation":"auto","background":true,"include":["x"],"max_tool_calls":3,'
    .. '"seed":1', 'seed', 'absent', 'request.background request.include request.max_tool_calls '
    .. 'request.seed request.truncation' },
  { 'metadata and user', ',"metadata":{"a":"b"},"safety_identifier":"u"', 'user', '"u"' },
}

describe('a Responses request for Chat Completions:', function()
  for _, case in ipairs(TO_CHAT) do
    it(case[1], function()
      local body, lost = responses('openai_chat', case[2], case[6])
      eq(case[4], at(body, case[3]))
      eq(case[5] or '', lost)
    end)
  end

  it('leading developers are the system, later ones stay in place', function()
    local body, lost = items('openai_chat', '{"role":"developer","content":"A"},' .. USER
      .. ',{"role":"assistant","content":"B"},{"role":"developer","content":[{"type":"input_text",'
      .. '"text":"C"}]},' .. USER)
    local said = {}
    for i, message in ipairs(body.messages) do
      said[i] = message.role .. ':' .. message.content
    end
    eq('system:A user:Hi assistant:B system:C user:Hi', table.concat(said, ' '))
    eq('', lost)
  end)

  it('calls with exact arguments, results of text', function()
    local body = items('openai_chat', USER .. ',' .. CALL .. ',' .. RESULT:format('"ok"'))
    eq('{"a":12345678901234567890}', body.messages[2].tool_calls[1]['function'].arguments)
    eq('{"content":"ok","role":"tool","tool_call_id":"c1"}', at(body, 'messages.3'))
  end)

  it('images, files and audio', function()
    local body, lost = items('openai_chat', '{"role":"user","content":[{"type":"input_image",'
      .. '"image_url":"https://h/a.png","detail":"low"},{"type":"input_file","filename":"a.pdf",'
      .. '"file_data":"data:application/pdf;base64,JVBERi0="},{"type":"input_file","filename":'
      .. '"a.txt","file_data":"data:text/plain;base64,SGk="},{"type":"input_audio","input_audio":'
      .. '{"data":"AA==","format":"wav"}},{"type":"input_file","file_id":"file_1"}]}')
    local parts = body.messages[1].content
    eq('{"detail":"low","url":"https://h/a.png"}', at(parts, '1.image_url'))
    eq('"data:application/pdf;base64,JVBERi0="', at(parts, '2.file.file_data'))
    eq('"a.txt\\n\\nHi"', at(parts, '3.text'))
    eq('"wav"', at(parts, '4.input_audio.format'))
    eq('"file_1"', at(parts, '5.file.file_id'))
    eq('', lost)
  end)

  it('hosted items are lost and named, and what stands around them joins', function()
    local body, lost = items('openai_chat', USER .. ',{"type":"web_search_call","id":"ws_1"},'
      .. '{"type":"compaction","encrypted_content":"x"},' .. USER)
    eq(1, #body.messages)
    eq('messages.opaque', lost)
  end)

  it('tools that stand among the items', function()
    local body = items('openai_chat', USER .. ',{"type":"additional_tools","role":"developer",'
      .. '"tools":[{"type":"function","name":"g","parameters":{"type":"object"}}]}')
    eq('"g"', at(body, 'tools.1.function.name'))
  end)
end)

describe('a Responses request for Anthropic:', function()
  it('custom tools are functions, their calls and results too', function()
    local body, _, ctx = convert(OWN, 'anthropic', '{"model":"m","input":[' .. USER
      .. ',{"type":"custom_tool_call","call_id":"c1","name":"p","input":"free"},'
      .. '{"type":"custom_tool_call_output","call_id":"c1","output":"done"}]' .. TOOLS .. '}')
    eq('{"input":"free"}', at(body, 'messages.2.content.1.input'))
    eq('"done"', at(body, 'messages.3.content.1.content'))
    eq(true, body.tools[2].description:find('start: X', 1, true) ~= nil)
    eq(true, ctx.customs.p)
    eq({ namespace = 'crm', name = 'find' }, ctx.namespaces.crm__find)
  end)

  it('results with images', function()
    local body = items('anthropic', USER .. ',' .. CALL .. ',' .. RESULT:format(
      '[{"type":"input_text","text":"see"},{"type":"input_image","image_url":'
      .. '"data:image/png;base64,iVBORw0KGgo="}]'))
    eq('"image/png"', at(body, 'messages.3.content.1.content.2.source.media_type'))
  end)

  it('proofs go back to who made them, redacted thinking too', function()
    local list = USER .. ',{"type":"reasoning","summary":[{"type":"summary_text","text":"A"}],'
      .. '"encrypted_content":"anthropic#p"},{"type":"reasoning","summary":[],"encrypted_content":'
      .. '"anthropic#redacted:d"},{"type":"reasoning","summary":[],"encrypted_content":"gAAA"},'
      .. CALL .. ',' .. RESULT:format('"ok"')
    local body, lost = items('anthropic', list)
    eq('{"signature":"p","thinking":"A","type":"thinking"}', at(body, 'messages.2.content.1'))
    eq('{"data":"d","type":"redacted_thinking"}', at(body, 'messages.2.content.2'))
    eq('"tool_use"', at(body, 'messages.2.content.3.type'))
    eq('messages.thinking', lost)
  end)
end)

local PREVIOUS = 'previous_response_id: "r1" is not kept here'
local BAD = {
  { '{}', 'model is missing' },
  { '{"model":"m"}', 'input is missing' },
  { '{"model":"m","input":[]}', 'input must hold at least one item' },
  { '{"model":"m","input":5}', 'input must be a string or an array of items' },
  { '{"model":"m","input":["x"]}', 'input[0] must be an object' },
  { '{"model":"m","input":[{"content":"x"}]}', 'input[0].type is missing' },
  { '{"model":"m","input":[{"role":"robot","content":"x"}]}', 'input[0].role: unknown role' },
  { '{"model":"m","input":[{"role":"user","content":[{"type":"video"}]}]}',
    'input[0].content[0].type: unknown part type "video"' },
  { '{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}',
    'input[0].content[0].image_url must be a string' },
  { '{"model":"m","input":[{"type":"function_call","call_id":"c"}]}', 'input[0].name is missing' },
  { '{"model":"m","input":[{"type":"function_call_output"}]}', 'input[0].call_id is missing' },
  { '{"model":"m","input":[{"type":"item_reference","id":"msg_1"}]}',
    'input[0]: item "msg_1" is not kept here' },
  { '{"model":"m","input":[{"id":"msg_1"}]}', 'input[0]: item "msg_1" is not kept here' },
  { '{"model":"m","input":"x","previous_response_id":"r1"}', PREVIOUS },
  { '{"model":"m","input":"x","conversation":{"id":"v1"}}', 'conversation: "v1" is not kept' },
  { '{"model":"m","input":"x","tools":[{"type":"function"}]}', 'tools[0].name is missing' },
  { '{"model":"m","input":"x","tool_choice":"maybe"}', 'tool_choice: unknown value "maybe"' },
  { '{"model":"m","input":"x","reasoning":{"effort":"huge"}}', 'reasoning.effort: unknown value' },
  { '{"model":"m","input":"x","text":{"format":{"type":"xml"}}}', 'text.format.type: unknown' },
  { '{"model":"m","input":"x","max_output_tokens":-1}', 'max_output_tokens must be a positive' },
}

describe('a Responses request is refused:', function()
  for _, case in ipairs(BAD) do
    it(case[2], function()
      local ok, problem = pcall(convert, OWN, 'openai_chat', case[1])
      eq(false, ok)
      eq(400, problem.status)
      eq(case[2], problem.message:sub(1, #case[2]))
    end)
  end

  it('but for items that are kept', function()
    local body = convert(OWN, 'openai_chat',
      '{"model":"m","previous_response_id":"r1","input":[{"type":"item_reference","id":"a"}]}', {
        previous = json.decode('[{"role":"user","content":"Before"}]'),
        item = function(_, id)
          return { type = 'message', role = 'user', content = 'Item ' .. id }
        end,
      })
    eq('[{"text":"Before","type":"text"},{"text":"Item a","type":"text"}]',
      at(body, 'messages.1.content'))
  end)
end)

-- What others send, and what becomes of it in Responses.
local FROM_CHAT = {
  { 'nothing is kept', '', 'store', 'false' },
  { 'a message', '', 'input.1',
    '{"content":[{"text":"Hi","type":"input_text"}],"role":"user","type":"message"}' },
  { 'the least cap', ',"max_tokens":5', 'max_output_tokens', '16', 'params.max_tokens' },
  { 'the greatest cap', ',"max_tokens":5000', 'max_output_tokens', '1000', 'params.max_tokens',
    THINKS },
  { 'effort and thoughts', ',"reasoning_effort":"high"', 'reasoning',
    '{"effort":"high","summary":"auto"}', '', THINKS },
  { 'effort that is not known', ',"reasoning_effort":"xhigh"', 'reasoning.effort', '"high"',
    'params.reasoning', THINKS },
  { 'no thinking', ',"reasoning_effort":"none","temperature":0.5', 'temperature', '0.5', '',
    THINKS },
  { 'effort for those who have none', ',"reasoning_effort":"high"', 'reasoning', 'absent',
    'params.reasoning' },
  { 'thinking to be sent back', '', 'include', '["reasoning.encrypted_content"]', '', THINKS },
  { 'sampling', ',"temperature":0.5,"top_p":0.9,"seed":1,"top_k":3,"frequency_penalty":1',
    'temperature', '0.5', 'params.frequency_penalty params.seed params.top_k' },
  { 'sampling that is refused', ',"temperature":0.5', 'temperature', 'absent',
    'params.temperature', THINKS },
  { 'a function is not strict unless it says so', ',"tools":[{"type":"function","function":'
    .. '{"name":"f"}}]', 'tools.1', '{"name":"f","parameters":{"properties":{},"type":"object"},'
    .. '"strict":false,"type":"function"}' },
  { 'a custom tool', ',"tools":[{"type":"custom","custom":{"name":"p","format":{"type":"grammar",'
    .. '"grammar":{"syntax":"lark","definition":"d"}}}}],"tool_choice":{"type":"custom","custom":'
    .. '{"name":"p"}}', 'tools.1.format', '{"definition":"d","syntax":"lark","type":"grammar"}' },
  { 'JSON, asked for in words', ',"response_format":{"type":"json_object"}', 'input.1.role',
    '"developer"' },
  { 'a schema', ',"response_format":{"type":"json_schema","json_schema":{"schema":{"type":'
    .. '"object"}}}', 'text.format', '{"name":"response","schema":{"type":"object"},"strict":false,'
    .. '"type":"json_schema"}' },
  { 'stop sequences, which are watched for', ',"stop":["END"]', 'stop', 'absent' },
}

describe('a Responses request is written:', function()
  for _, case in ipairs(FROM_CHAT) do
    it(case[1], function()
      local body, lost, ctx = chat(case[2], case[6])
      eq(case[4], at(body, case[3]))
      eq(case[5] or '', lost)
      eq(case[2]:find('"stop"') and 'END' or nil, ctx.stops and ctx.stops[1])
    end)
  end

  it('several answers are refused', function()
    local ok, problem = pcall(chat, ',"n":2')
    eq({ false, 400, 'n' }, { ok, problem.status, problem.param })
  end)

  it('only a system prompt is the input', function()
    local body = convert('openai_chat', OWN,
      '{"model":"m","messages":[{"role":"system","content":"S"}]}')
    eq('developer', body.input[1].role)
    eq(nil, body.instructions)
  end)

  it('a history of Anthropic: thinking, calls, results with images and errors', function()
    local body, lost = convert('anthropic', OWN, '{"model":"m","max_tokens":50,"system":'
      .. '[{"type":"text","text":"A"},{"type":"text","text":"B"}],"messages":[{"role":"user",'
      .. '"content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"T",'
      .. '"signature":"openai_responses#gAAA"},{"type":"thinking","thinking":"U","signature":"s"},'
      .. '{"type":"text","text":"X"},{"type":"tool_use","id":"t1","name":"f","input":{}},'
      .. '{"type":"tool_use","id":"t2","name":"f","input":{}}]},{"role":"user","content":['
      .. '{"type":"tool_result","tool_use_id":"t2","is_error":true,"content":"no"},'
      .. '{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"see"},'
      .. '{"type":"image","source":{"type":"base64","media_type":"image/png","data":'
      .. '"iVBORw0KGgo="}}]},{"type":"text","text":"go on"}]}]}')
    eq('"A\\n\\nB"', at(body, 'instructions'))
    eq('{"encrypted_content":"gAAA","summary":[{"text":"T","type":"summary_text"}],'
      .. '"type":"reasoning"}', at(body, 'input.2'))
    eq('"output_text"', at(body, 'input.3.content.1.type'))
    eq({ 't1', 't2' }, { body.input[4].call_id, body.input[5].call_id })
    eq('{"detail":"auto","image_url":"data:image/png;base64,iVBORw0KGgo=","type":"input_image"}',
      at(body, 'input.6.output.2'))
    eq('"Error: no"', at(body, 'input.7.output'))
    eq('"go on"', at(body, 'input.8.content.1.text'))
    eq('messages.is_error messages.thinking', lost)
  end)

  it('thinking as text where an upstream asks for it', function()
    local body = convert('openai_chat', OWN, '{"model":"m","messages":[{"role":"user","content":'
      .. '"Hi"},{"role":"assistant","reasoning_content":"T","content":"X"},'
      .. '{"role":"user","content":"go"}]}', { settings = { reasoning_content = true } })
    eq('{"content":[{"text":"T","type":"reasoning_text"}],"summary":[],"type":"reasoning"}',
      at(body, 'input.2'))
  end)

  it('hosted tools and choices of its own stay', function()
    local body, lost = responses(OWN, TOOLS .. ',"tool_choice":{"type":"mcp","server_label":"s"}')
    eq('{"server_label":"s","type":"mcp"}', at(body, 'tool_choice'))
    eq(5, #body.tools)
    eq('', lost)
  end)

  it('hosted items of its own stay', function()
    local body = items(OWN, USER .. ',{"type":"shell_call","call_id":"s1"},'
      .. '{"type":"shell_call_output","call_id":"s1","output":[]}')
    eq({ 'message', 'shell_call', 'shell_call_output' },
      { body.input[1].type, body.input[2].type, body.input[3].type })
  end)
end)

--- A body as m.params sees it.
local function body_of(text)
  local value = json.decode(text)
  local body = {}
  local function walk(path, make)
    local at_table, last = value, path:match('[^.]+$')
    for name in path:gmatch('([^.]+)%.') do
      if make and type(at_table[name]) ~= 'table' then
        at_table[name] = json.object({})
      end
      at_table = at_table[name]
      if type(at_table) ~= 'table' then
        return nil
      end
    end
    return at_table, last
  end
  function body.get(_, path)
    local inner, name = walk(path)
    return inner and inner[name]
  end
  function body.set(_, path, new)
    local inner, name = walk(path, true)
    inner[name] = new
  end
  function body.remove(_, path)
    local inner, name = walk(path)
    if inner then
      inner[name] = nil
    end
  end
  function body.text()
    return json.encode(value)
  end
  return body
end

describe('parameters of a Responses request', function()
  local CASES = {
    { 'reasoning', 'off', '{"reasoning":{"effort":"none"}}', 'off' },
    { 'reasoning', 8192, '{"reasoning":{"effort":"medium"}}', 'medium' },
    { 'max_tokens', 5, '{"max_output_tokens":5}', 5 },
    { 'tool_choice', 'any', '{"tool_choice":"required"}', 'any' },
    { 'tool_choice', { name = 'f' }, '{"tool_choice":{"name":"f","type":"function"}}',
      { name = 'f' } },
    { 'response_format', { kind = 'json' }, '{"text":{"format":{"type":"json_object"}}}',
      { kind = 'json' } },
    { 'parallel', false, '{"parallel_tool_calls":false}', false },
  }
  for _, case in ipairs(CASES) do
    it(case[1] .. ' becomes ' .. case[3], function()
      local body = body_of('{}')
      params.set(body, case[1], case[2], {})
      eq(case[3], body:text())
      eq(case[4], params.get(body, case[1]))
    end)
  end

  it('stop is none of them', function()
    t.raises('OpenAI Responses has no parameter stop', function()
      params.set(body_of('{}'), 'stop', { 'x' }, {})
    end)
  end)

  it('keep what stands beside them', function()
    local body = body_of('{"reasoning":{"summary":"auto"},"text":{"verbosity":"low"}}')
    params.set(body, 'reasoning', 'high', {})
    params.set(body, 'response_format', { kind = 'json' }, {})
    eq('{"reasoning":{"summary":"auto","effort":"high"},"text":{"verbosity":"low","format":'
      .. '{"type":"json_object"}}}', body:text())
  end)
end)

t.finish()
