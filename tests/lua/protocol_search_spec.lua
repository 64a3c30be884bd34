--- A vendor's own search of the web, asked for in the words of each other vendor; and custom tools
--- where an upstream knows functions alone.

local estimate = require('protocol._estimate')
local json = require('px.json')
local kit = require('corpus_kit')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local PLACE = '{"type":"approximate","city":"Ulm","country":"DE"}'
-- Of each client: a request that wants a search of one site, near a place.
local ASKS = {
  anthropic = '{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"Hi"}],"tools":'
    .. '[{"type":"web_search_20250305","name":"web_search","max_uses":3,"allowed_domains":["a.b"],'
    .. '"user_location":' .. PLACE .. '}],"tool_choice":{"type":"tool","name":"web_search"}}',
  openai_responses = '{"model":"m","input":"Hi","tools":[{"type":"web_search","filters":'
    .. '{"allowed_domains":["a.b"]},"search_context_size":"low","user_location":' .. PLACE
    .. '}],"tool_choice":{"type":"web_search"}}',
  openai_chat = '{"model":"m","messages":[{"role":"user","content":"Hi"}],"web_search_options":'
    .. '{"search_context_size":"low","user_location":{"type":"approximate","approximate":'
    .. '{"city":"Ulm","country":"DE"}}}}',
  gemini = '{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"tools":[{"googleSearch":{}}]}',
}

local FULL = '{"city":"Ulm","country":"DE","type":"approximate"}'
-- From, to, what is written of it, what is lost.
local CASES = {
  { 'anthropic', 'openai_responses', '{"filters":{"allowed_domains":["a.b"]},"type":"web_search",'
    .. '"user_location":' .. FULL .. '}', 'tools.web_search.most' },
  { 'anthropic', 'gemini', '{"googleSearch":{}}',
    'tool_choice tools.web_search.allowed tools.web_search.most tools.web_search.place' },
  { 'anthropic', 'openai_chat', '{"user_location":{"approximate":{"city":"Ulm","country":"DE"},'
    .. '"type":"approximate"}}', 'tools.web_search.allowed tools.web_search.most' },
  { 'anthropic', 'ollama', 'nil', 'tool_choice tools.web_search_20250305' },
  { 'openai_responses', 'anthropic', '{"allowed_domains":["a.b"],"name":"web_search",'
    .. '"type":"web_search_20250305","user_location":' .. FULL .. '}', 'tools.web_search.size' },
  { 'openai_responses', 'gemini', '{"googleSearch":{}}',
    'tool_choice tools.web_search.allowed tools.web_search.place tools.web_search.size' },
  { 'openai_chat', 'anthropic', '{"name":"web_search","type":"web_search_20250305",'
    .. '"user_location":' .. FULL .. '}', 'tools.web_search.size' },
  { 'openai_chat', 'openai_responses', '{"search_context_size":"low","type":"web_search",'
    .. '"user_location":' .. FULL .. '}', '' },
  { 'gemini', 'anthropic', '{"name":"web_search","type":"web_search_20250305"}', '' },
  { 'gemini', 'openai_responses', '{"type":"web_search"}', '' },
  { 'gemini', 'openai_chat', '{}', '' },
}

local function sort(value)
  return type(value) == 'table' and json.encode(json.decode(json.encode(value))) or tostring(value)
end

describe('a search of the web', function()
  for _, case in ipairs(CASES) do
    local from, to = case[1], case[2]
    it(('of %s at %s'):format(from, to), function()
      local lost = {}
      local ctx = kit.context({ stream = false, knowledge = { searches = true },
        lost = function(path)
          lost[#lost + 1] = path
        end })
      local request = kit.module(from, 'request').read(json.decode(ASKS[from]), ctx)
      local body = json.decode(json.encode(kit.module(to, 'request').write(request, ctx)))
      local got = to == 'openai_chat' and body.web_search_options or body.tools and body.tools[1]
      eq(case[3], sort(got))
      table.sort(lost)
      eq(case[4], table.concat(lost, ' '))
    end)
  end

  it('is a loss for a model of Chat that does not search', function()
    local lost = {}
    local ctx = kit.context({ lost = function(path)
      lost[#lost + 1] = path
    end })
    local request = kit.module('gemini', 'request').read(json.decode(ASKS.gemini), ctx)
    eq(nil, kit.module('openai_chat', 'request').write(request, ctx).web_search_options)
    eq({ 'tools.googleSearch' }, lost)
  end)

  it('has members that others do not know, which are lost', function()
    local cases = {
      { 'gemini', 'anthropic', '{"googleSearch":{"excludeDomains":["x.y"],"timeRangeFilter":'
        .. '{"startTime":"a"}}}', 'tools.web_search.timeRangeFilter', '["x.y"]' },
      { 'openai_responses', 'anthropic', '{"type":"web_search","external_web_access":false,'
        .. '"filters":{"blocked_domains":["x.y"],"more":1}}',
        'tools.web_search.external_web_access tools.web_search.filters.more', '["x.y"]' },
      { 'openai_responses', 'anthropic', '{"type":"web_search","external_web_access":true}', '' },
      { 'openai_responses', 'anthropic', '{"type":"web_search","filters":{"allowed_domains":'
        .. '["a.b"],"blocked_domains":["x.y"]}}', 'tools.web_search.blocked' },
      { 'anthropic', 'openai_responses', '{"type":"web_search_20250305","name":"web_search",'
        .. '"cache_control":{"type":"ephemeral"},"allowed_callers":["direct"]}',
        'tools.web_search.allowed_callers tools.web_search.cache_control' },
    }
    for _, case in ipairs(cases) do
      local text = ASKS[case[1]]:gsub('"tools":.*$', function()
        return '"tools":[' .. case[3] .. ']}'
      end)
      local body, lost = kit.convert(case[1], case[2], text)
      eq(case[3] .. case[4], case[3] .. lost)
      eq(case[5] or 'absent', kit.at(body, 'tools.1.blocked_domains'))
    end
  end)

  it('needs no place, and is counted without one', function()
    for _, wish in ipairs({ '{}', '{"search_context_size":"low"}', '{"user_location":null}' }) do
      local body = json.decode('{"model":"m","messages":[{"role":"user","content":"Hi"}],'
        .. '"web_search_options":' .. wish .. '}')
      local request = kit.module('openai_chat', 'request').read(body, kit.context())
      eq(true, estimate.request(request) > 0)
      eq(nil, request.tools[1].hosted.user_location)
    end
  end)
end)

describe('a call of a custom tool in the history', function()
  it('is a call of a function for a Chat upstream that knows no other', function()
    local body = json.decode([[{"model":"m","input":[{"role":"user","content":"Hi"},
      {"type":"custom_tool_call","call_id":"c","name":"patch","input":"*** \"x\""},
      {"type":"custom_tool_call_output","call_id":"c","output":"done"}],
      "tools":[{"type":"custom","name":"patch","description":"Patches."}]}]])
    for _, known in ipairs({ false, true }) do
      local ctx = kit.context({ settings = { custom_tools = known } })
      local request = kit.module('openai_responses', 'request').read(body, ctx)
      local written = kit.module('openai_chat', 'request').write(request, ctx)
      local call = written.messages[2].tool_calls[1]
      eq(known and 'custom' or 'function', call.type)
      eq(known and '*** "x"' or '{"input":"*** \\"x\\""}',
        known and call.custom.input or call['function'].arguments)
      eq(call.type, written.tools[1].type)
    end
  end)
end)

describe('a call of a custom tool', function()
  local CALL = {
    { kind = 'tool_start', index = 0, id = 'c', name = 'patch', custom = true },
    { kind = 'args', index = 0, text = 'a "b"\n' }, { kind = 'args', index = 0, text = '\\ é' },
    { kind = 'block_stop', index = 0 }, { kind = 'finish', reason = 'tool' },
  }

  it('is an object with one text for a client of Anthropic, in pieces too', function()
    for _, pieces in ipairs({ 2, 0 }) do
      local events = { CALL[1] }
      for i = 1, pieces do
        events[#events + 1] = CALL[1 + i]
      end
      events[#events + 1], events[#events + 2] = CALL[4], CALL[5]
      local args = {}
      for _, frame in ipairs(kit.frames(kit.write_stream('anthropic', events, kit.context()))) do
        local delta = json.decode(frame[2]).delta
        args[#args + 1] = delta and delta.partial_json
      end
      local input = assert(json.decode(table.concat(args))).input
      eq(pieces == 2 and 'a "b"\n\\ é' or '', input)
    end
  end)
end)

describe('several answers', function()
  it('are refused by name where a conversion reads the request', function()
    local read = kit.module('openai_chat', 'request').read
    local body = '{"model":"m","messages":[{"role":"user","content":"Hi"}],"n":%s}'
    for _, wrong in ipairs({ '2', '128', '0', '1.5', '"2"' }) do
      local ok, why = pcall(read, json.decode(body:format(wrong)), kit.context())
      eq({ false, 400, 'n' }, { ok, why.status, why.param })
    end
    for _, right in ipairs({ '1', 'null' }) do
      eq(1, #read(json.decode(body:format(right)), kit.context()).turns)
    end
  end)
end)

t.finish()
