--- Providers: how they sign, judge and list; what the demo answers.

local json = require('px.json')
local t = require('harness')
local anthropic = require('provider.anthropic')
local demo = require('provider.demo')
local openai = require('provider.openai')
local sample = require('provider._sample')

local describe, it, eq = t.describe, t.it, t.eq

describe('provider.openai', function()
  it('signs with a bearer, and without a key not at all', function()
    eq({ authorization = 'Bearer k', ['openai-project'] = 'p' },
      openai.headers({ kind = 'key', secret = 'k', settings = { project = 'p' } }))
    eq({}, openai.headers({ kind = 'none', settings = {} }))
  end)

  for _, text in ipairs({ '{"data":[{"id":"a","created":1},{"id":"b"}]}', '[{"id":"a","created":1},'
    .. '"b"]', '{"models":[{"model":"a","created":1},{"name":"b"}]}' }) do
    it('reads the list ' .. text, function()
      eq({ { id = 'a', created = 1 }, { id = 'b' } }, openai.parse_models(json.decode(text)))
    end)
  end

  it('reads nonsense as no models', function()
    eq({}, openai.parse_models(json.decode('{"data":[1,null,{}]}')))
    eq({}, openai.parse_models(nil))
  end)
end)

describe('provider.anthropic', function()
  it('signs keys and tokens', function()
    eq({ ['anthropic-version'] = '2023-06-01', ['x-api-key'] = 'k' },
      anthropic.headers({ kind = 'key', secret = 'k', settings = {} }))
    eq({ ['anthropic-version'] = '2023-06-01', ['anthropic-beta'] = 'oauth-2025-04-20',
      authorization = 'Bearer k' }, anthropic.headers({ kind = 'oauth', secret = 'k' }))
    eq({ ['anthropic-version'] = '2023-06-01', authorization = 'Bearer k' },
      anthropic.headers({ kind = 'key', secret = 'k', settings = { bearer = true } }))
  end)

  it('passes version and betas of its own clients', function()
    local at = {
      protocol = 'anthropic',
      client_headers = { ['anthropic-version'] = '2026-10-21', ['anthropic-beta'] = 'a,b' },
      headers = { ['anthropic-version'] = '2023-06-01', ['anthropic-beta'] = 'oauth-2025-04-20' },
    }
    anthropic.shape(at)
    eq({ ['anthropic-version'] = '2026-10-21', ['anthropic-beta'] = 'a,b,oauth-2025-04-20' },
      at.headers)
  end)

  it('keeps its own for clients of other protocols', function()
    local at = {
      protocol = 'anthropic',
      client_headers = {},
      headers = { ['anthropic-version'] = '2023-06-01' },
    }
    anthropic.shape(at)
    eq({ ['anthropic-version'] = '2023-06-01' }, at.headers)
  end)

  it('reads its list', function()
    eq({ { id = 'a', display_name = 'A', owned_by = 'anthropic' } },
      anthropic.parse_models(json.decode('{"data":[{"id":"a","display_name":"A"}]}')))
  end)
end)

local VERDICTS = {
  { { code = 'rate_limit', retry_after = 7 }, 'next_account', 7 },
  { { code = 'rate_limit' }, 'next_account', 30 },
  { { code = 'auth' }, 'next_account', 3600 },
  { { code = 'overloaded' }, 'next_account', 10 },
  { { code = 'internal' }, 'retry' },
  { { code = 'timeout' }, 'retry' },
  { { code = 'not_found' }, 'next_target' },
  { { code = 'bad_request' }, 'give_up' },
  { { code = 'too_large' }, 'give_up' },
  { { code = 'filter' }, 'give_up' },
}

describe('judging', function()
  for _, case in ipairs(VERDICTS) do
    it(case[1].code .. ' is ' .. case[2], function()
      for _, provider in ipairs({ openai, anthropic }) do
        local verdict, cooldown = provider.judge(case[1])
        eq({ case[2], case[3] }, { verdict, cooldown and cooldown.cool })
      end
    end)
  end
end)

-- The demo ----------------------------------------------------------------------------------------

local function user(text)
  return { role = 'user', blocks = { { kind = 'text', text = text } } }
end

--- What the demo answers, by kind.
local function ask(request)
  request.model = request.model or 'demo'
  request.system = request.system or {}
  local out = { text = '', thinking = '', args = '' }
  demo.answer(request, function(event)
    if out[event.kind] and event.text then
      out[event.kind] = out[event.kind] .. event.text
    else
      out[event.kind] = event
    end
  end, { pace = 0 })
  return out
end

local WEATHER = { name = 'get_weather', schema = json.decode('{"type":"object","properties":'
  .. '{"city":{"type":"string"},"days":{"type":"integer"},"unit":{"enum":["c","f"]},'
  .. '"extra":{"type":"string"}},"required":["city","days","unit"]}') }

describe('the demo', function()
  it('repeats what it was told', function()
    local said = ask({ turns = { user('Hello  big\nworld') } })
    eq({ 'You said: Hello  big\nworld', 'stop' }, { said.text, said.finish.reason })
    assert(said.usage.input > 0 and said.usage.output > 0)
  end)

  it('answers the person, not the reminders of a client', function()
    local turn = user('Hi')
    table.insert(turn.blocks, { kind = 'text', text = '<system-reminder>x</system-reminder>' })
    eq('You said: Hi', ask({ turns = { turn } }).text)
  end)

  it('thinks when it shall', function()
    eq('', ask({ turns = { user('Hi') } }).thinking)
    eq('', ask({ turns = { user('Hi') }, model = 'demo-think', reasoning = { effort = 'off' } })
      .thinking)
    for _, more in ipairs({ { reasoning = { effort = 'low' } }, { model = 'demo-think' } }) do
      more.turns = { user('Hi') }
      local said = ask(more)
      assert(said.thinking ~= '' and said.signature.text:find('^demo#'))
    end
  end)

  local ASKS = {
    { 'Use the tool for "Oslo"', 'auto', true },
    { 'get_weather in "Oslo" please', 'auto', true },
    { 'Please call it for "Oslo"', 'auto', true },
    { 'Oslo', 'any', true },
    { 'Oslo', 'auto', false },
    { 'I recall the callers', 'auto', false },
    { 'use the tool', 'none', false },
  }
  for _, case in ipairs(ASKS) do
    it(('%s a tool for %q'):format(case[3] and 'calls' or 'does not call', case[1]), function()
      local said = ask({ turns = { user(case[1]) }, tools = { WEATHER },
        tool_choice = { mode = case[2] } })
      eq(case[3], said.tool_start ~= nil)
      eq(case[3] and 'tool' or 'stop', said.finish.reason)
    end)
  end

  it('makes arguments from the schema', function()
    local said = ask({ turns = { user('call get_weather for "Oslo"') }, tools = { WEATHER } })
    eq('{"city":"Oslo","days":1,"unit":"c"}', said.args)
  end)

  it('speaks about a result', function()
    local turns = { user('call it'), { role = 'assistant', blocks = { { kind = 'tool_call',
      id = 'a', name = 'f', args = '{}' } } }, { role = 'user', blocks = { { kind = 'tool_result',
      id = 'a', name = 'f', blocks = { { kind = 'text', text = '42' } } } } } }
    eq('The f tool answered: 42', ask({ turns = turns, tools = { WEATHER } }).text)
    turns[3].blocks[1].is_error = true
    eq('The f tool failed: 42', ask({ turns = turns }).text)
  end)

  it('honours max_tokens and stops, never inside a character', function()
    local said = ask({ turns = { user('Hello') }, max_tokens = 2 })
    eq({ 'You said', 'length' }, { said.text, said.finish.reason })
    said = ask({ turns = { user('\195\164\195\164\195\164') }, max_tokens = 3 })
    eq({ 'You said: \195\164', 'length' }, { said.text, said.finish.reason })
    said = ask({ turns = { user('one two') }, stop = { 'two', 'ne' } })
    eq({ 'You said: o', 'stop_seq', 'ne' }, { said.text, said.finish.reason, said.finish.stop })
  end)

  it('answers with JSON where a schema asks for it', function()
    eq('{"city":"x","days":1,"unit":"c"}', ask({ turns = { user('"x"') },
      response_format = { kind = 'schema', schema = WEATHER.schema } }).text)
  end)

  it('gives the same answer to the same request', function()
    local request = { turns = { user('call get_weather') }, tools = { WEATHER } }
    eq(ask(request).tool_start, ask(request).tool_start)
  end)

  it('does not go down a schema without end', function()
    local schema = { type = 'object', required = { 'a' }, properties = {} }
    schema.properties.a = schema
    assert(type(sample.of(schema, 'x')) == 'table')
  end)
end)

t.finish()
