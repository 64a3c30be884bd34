local body = require('px.body')
local engine = require('engine')
local json = require('px.json')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local SETTINGS = { providers = {
  gpt = { type = 'openai', base_url = 'http://gpt/v1',
    accounts = { { name = 'a', api_key = 'sk-secret' } } },
} }

local SSE = { ['content-type'] = 'text/event-stream' }
local JSON = { ['content-type'] = 'application/json' }

local function chunk(delta, finish)
  return { 'message', json.encode({
    id = 'c', object = 'chat.completion.chunk', created = 1, model = 'm',
    choices = { { index = 0, delta = json.object(delta), finish_reason = finish or json.null } },
  }) }
end

local DONE = { 'message', '[DONE]' }

--- Gives the upstream's answer to a client that speaks `protocol`.
local function run(protocol, upstream, options)
  options = options or {}
  engine.load(SETTINGS)
  local rules, route = require('policy.rules'), require('policy.route')
  require('policy.upstreams').load()
  route.load()
  rules.load('rules/test.lua', function()
    if options.event then
      rules.on('event', options.event)
    end
    if options.done then
      rules.on('done', options.done)
    end
  end)
  rules.finish()
  upstream.status = upstream.status or 200
  local ex = engine.exchange({}, upstream)
  local messages = protocol == 'openai_responses' and '"input":"Hi"'
    or '"messages":[{"role":"user","content":"Hi"}],"max_tokens":9'
  local text = options.text
    or ('{"model":"m","stream":%s,%s}'):format(tostring(options.stream or false), messages)
  local q = {
    ex = ex, op = { protocol = protocol, operation = 'chat' }, client = 'me', path = '/x',
    protocol = protocol, speaks = route.protocol(protocol), body = body.new(text), asked = 'm',
    model = 'm', stream = options.stream or false,
  }
  require('policy.attempt').run(q, route.target('gpt:m'))
  return ex, q
end

describe('policy.answer relaying', function()
  it('relays a complete stream and adds nothing', function()
    local ex = run('openai_chat', { headers = SSE, body = 'raw bytes',
      events = { chunk({ content = 'a' }), chunk({}, 'stop'), DONE },
      tapped = { done = '[DONE]', finish_reason = chunk({}, 'stop')[2] } }, { stream = true })
    eq('raw bytes', ex.body)
    eq('sse', ex.relayed.framing)
    eq(true, ex.finished)
    eq(true, ex.released)
  end)

  it('ends a cut stream with an error event, never with a terminator', function()
    local ex, q = run('openai_chat', { headers = SSE, body = 'raw', cut = true,
      events = { chunk({ content = 'a' }) } }, { stream = true })
    eq(true, ex.body:find('"error"', 1, true) ~= nil)
    eq(nil, ex.body:find('[DONE]', 1, true))
    eq(nil, ex.body:find('"finish_reason":"stop"', 1, true))
    eq('cut', q.failed)
  end)

  it('gives an error before content a real status', function()
    local ex = run('openai_chat', { headers = SSE, events = {
      chunk({ role = 'assistant' }),
      { 'message', '{"error":{"message":"Busy sk-secret","type":"server_error","code":null}}' },
    } }, { stream = true })
    eq(true, ex.status >= 400)
    eq(true, ex.body:find('Busy ***', 1, true) ~= nil)
    eq(nil, ex.relayed)
  end)

  it('answers a cut body that had not begun with an error', function()
    local ex = run('openai_chat', { headers = JSON, cut = true })
    eq(502, ex.status)
  end)

  it('takes no page of HTML for an answer', function()
    local ex = run('openai_chat', { headers = { ['content-type'] = 'text/html; x' }, body = '<p>' })
    eq(502, ex.status)
    eq(nil, ex.body:find('<p>', 1, true))
  end)
end)

describe('policy.answer converting', function()
  local EVENTS = { chunk({ role = 'assistant' }), chunk({ content = 'Hel' }),
    chunk({ content = 'lo' }), chunk({}, 'stop'), DONE }

  it('writes a stream for another protocol', function()
    local ex = run('anthropic', { headers = SSE, events = EVENTS }, { stream = true })
    local names = {}
    for name in ex.body:gmatch('event: ([%w_]+)') do
      names[#names + 1] = name
    end
    eq('message_start', names[1])
    eq('message_stop', names[#names])
    eq(true, ex.body:find('"text":"Hel"', 1, true) ~= nil)
    eq(true, ex.finished)
    eq('text/event-stream', (ex.answered['content-type']:match('^[%w/%-]+')))
  end)

  it('waits for the client between the long texts that Responses says again', function()
    local ex = run('openai_responses', { headers = SSE, events = { EVENTS[1],
      chunk({ content = ('x'):rep(100000) }), EVENTS[4], DONE } }, { stream = true })
    eq(500, select(2, ex.body:gsub(('x'):rep(1000), '')))
    assert(ex.longest < 102000, ex.longest)
  end)

  it('gives an error that a rule makes of an answer its status', function()
    local ex, q = run('anthropic', { headers = SSE, events = EVENTS }, { event = function(e)
      return e.kind == 'text' and { kind = 'error', code = 'filter', message = 'No.' } or nil
    end })
    eq({ 400, 'filter', 'error' }, { ex.status, q.failed, json.decode(ex.body).type })
  end)

  it('does not complete a stream that broke off', function()
    local ex = run('anthropic', { headers = SSE, cut = true,
      events = { EVENTS[1], EVENTS[2] } }, { stream = true })
    eq(nil, ex.body:find('message_stop', 1, true))
    eq(nil, ex.body:find('end_turn', 1, true))
    eq(true, ex.body:find('event: error', 1, true) ~= nil)
  end)

  it('gives an error before content its own status', function()
    local ex = run('anthropic', { headers = SSE, events = { EVENTS[1],
      { 'message', '{"error":{"message":"Busy","type":"server_error"}}' } } }, { stream = true })
    eq(true, ex.status >= 400)
    eq('error', json.decode(ex.body).type)
  end)

  it('sends head and keep-alive when nothing comes for long', function()
    local ex = run('anthropic', { headers = SSE,
      events = { EVENTS[1], false, EVENTS[2], false, EVENTS[3], EVENTS[4], DONE },
    }, { stream = true })
    eq(2, select(2, ex.body:gsub('event: ping', '')))
    eq(true, ex.body:find('message_stop', 1, true) ~= nil)
  end)

  it('gathers a stream for a client that asked for none', function()
    local ex = run('anthropic', { headers = SSE, events = EVENTS })
    eq('Hello', json.decode(ex.body).content[1].text)
    eq('end_turn', json.decode(ex.body).stop_reason)
  end)

  it('runs event rules over streams of the same protocol', function()
    local ex = run('openai_chat', { headers = SSE, events = EVENTS }, {
      stream = true,
      event = function(ev)
        if ev.kind == 'text' then
          ev.text = ev.text:upper()
        end
      end,
    })
    eq(nil, ex.relayed)
    eq(true, ex.body:find('"content":"HEL"', 1, true) ~= nil)
    eq(true, ex.body:find('[DONE]', 1, true) ~= nil)
  end)

  it('refuses an answer that is not JSON', function()
    local ex = run('anthropic', { headers = JSON, body = 'oops' })
    eq(502, ex.status)
    eq(nil, ex.body:find('oops', 1, true))
  end)
end)

-- Clients, their questions, and the members of their answers that count input and output.
local COUNTS = {
  anthropic = { '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi you"}]}',
    'input_tokens', 'output_tokens' },
  gemini = { '{"contents":[{"role":"user","parts":[{"text":"Hi you"}]}]}', 'promptTokenCount',
    'candidatesTokenCount' },
  ollama = { '{"model":"m","messages":[{"role":"user","content":"Hi you"}]}', 'prompt_eval_count',
    'eval_count' },
  openai_completions = { '{"model":"m","prompt":"Hi you","stream_options":'
    .. '{"include_usage":true}}', 'prompt_tokens', 'completion_tokens' },
  openai_responses = { '{"model":"m","input":"Hi you"}', 'input_tokens', 'output_tokens' },
}

describe('usage that the upstream did not tell', function()
  local SAID = { 'Hello, ', 'you there' }  -- 16 bytes: 4 tokens.
  local EVENTS = { chunk({ role = 'assistant' }), chunk({ content = SAID[1] }),
    chunk({ content = SAID[2] }), chunk({}, 'stop'), DONE }
  local BODY = json.encode({ choices = { { finish_reason = 'stop',
    message = { role = 'assistant', content = table.concat(SAID) } } } })

  --- The last number of a member.
  local function last(text, member)
    return tonumber(text:match('.*"' .. member .. '": ?(%d+)'))
  end

  for protocol, case in pairs(COUNTS) do
    for _, stream in ipairs({ true, false }) do
      for _, streamed in ipairs({ true, false }) do
        it(('is estimated for %s, stream %s, of an upstream that streams %s'):format(protocol,
          tostring(stream), tostring(streamed)), function()
          local ex, q = run(protocol, streamed and { headers = SSE, events = EVENTS }
            or { headers = JSON, body = BODY }, { stream = stream, text = case[1] })
          eq(200, ex.status)
          eq(6, last(ex.body, case[2]))
          eq(4, last(ex.body, case[3]))
          local usage = require('policy.sink').usage_of(q)
          eq({ true, 6, 4 }, { usage.estimated, usage.input, usage.output })
        end)
      end
    end
  end

  it('counts thoughts, refusals and arguments too', function()
    local ex = run('anthropic', { headers = SSE, events = {
      chunk({ reasoning_content = ('x'):rep(20) }), chunk({ refusal = ('x'):rep(20) }),
      chunk({ tool_calls = { { index = 0, id = 'a', type = 'function',
        ['function'] = { name = 'f', arguments = ('[%s]'):format(('1'):rep(18)) } } } }),
      chunk({}, 'tool_calls'), DONE } }, { stream = true })
    eq(15, last(ex.body, 'output_tokens'))
  end)

  it('is told to event rules, which may change it', function()
    local ex, q = run('anthropic', { headers = SSE, events = EVENTS }, { stream = true,
      event = function(ev)
        if ev.kind == 'usage' and ev.estimated then
          ev.output = 77
        end
      end })
    eq(77, last(ex.body, 'output_tokens'))
    eq(77, q.usage.output)
  end)

  it('is estimated for done rules where a client of Chat asked for none', function()
    local _, q = run('openai_chat', { headers = SSE, events = EVENTS }, { stream = true,
      event = function() end, done = function() end })
    local usage = require('policy.sink').usage_of(q)
    eq({ true, true, 4 }, { usage.estimated, usage.input > 0, usage.output })
  end)

  it('is estimated of an answer that was cut', function()
    local ex, q = run('anthropic', { headers = SSE, cut = true,
      events = { EVENTS[1], EVENTS[2] } }, { stream = true, done = function() end })
    eq(nil, ex.body:find('message_stop', 1, true))
    local usage = require('policy.sink').usage_of(q)
    eq({ 'cut', true, 2 }, { q.failed, usage.estimated, usage.output })
  end)

  it('is nobody\'s of an answer that never began', function()
    local _, q = run('anthropic', { headers = SSE, events = { EVENTS[1],
      { 'message', '{"error":{"message":"Busy","type":"server_error"}}' } } },
    { stream = true, done = function() end })
    eq(nil, require('policy.sink').usage_of(q))
  end)

  it('is no estimate where it was told', function()
    local events = { EVENTS[2], EVENTS[4], { 'message', '{"choices":[],"usage":{"prompt_tokens":40,'
      .. '"completion_tokens":50,"total_tokens":90}}' }, DONE }
    local ex, q = run('anthropic', { headers = SSE, events = events }, { stream = true })
    eq(50, last(ex.body, 'output_tokens'))
    eq({ 40, nil }, { q.usage.input, q.usage.estimated })
  end)
end)

t.finish()
