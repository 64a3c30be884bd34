--- Asking once more without what an upstream refuses.

local body = require('px.body')
local cache = require('px.cache').lists
local core = require('px.core')
local engine = require('engine')
local json = require('px.json')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function provider(type, more)
  local out = { type = type, base_url = 'http://' .. type,
    accounts = { { name = 'a', api_key = 'sk-secret' } } }
  for name, value in pairs(more or {}) do
    out[name] = value
  end
  return out
end

local SETTINGS = {
  default_provider = 'gpt',
  providers = {
    gpt = provider('openai'), claude = provider('anthropic'), off = provider('openai',
      { adapt = false }), strict = provider('openai', { loss = 'refuse' }),
    responses = provider('responses'),
  },
}

local REPLY = '{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,'
  .. '"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],'
  .. '"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
local MESSAGE = '{"id":"1","type":"message","role":"assistant","model":"c","content":'
  .. '[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","usage":{"input_tokens":1,'
  .. '"output_tokens":2}}'

local JSON = { ['content-type'] = 'application/json' }
local OK = { status = 200, headers = JSON, body = REPLY }
local OK_MESSAGE = { status = 200, headers = JSON, body = MESSAGE }

local function refusal(param, code, message, status)
  return { status = status or 400, headers = JSON, body = json.encode({ error = {
    message = message or ('Unsupported parameter: \'%s\' is not supported.'):format(param),
    type = 'invalid_request_error', param = param, code = code or 'unsupported_parameter' } }) }
end

local function anthropic(message)
  return { status = 400, headers = JSON, body = json.encode({ type = 'error', error = {
    type = 'invalid_request_error', message = message } }) }
end

local REAL = json.copy(cache)

--- What all workers share is new.
local function forget()
  local kept = {}
  function cache.get(key)
    return kept[key]
  end
  function cache.put(key, value)
    kept[key] = value
    return true
  end
end

--- Loads the policy over the settings as another worker does, with these lines as rules.
local function load_worker(rule, settings)
  engine.load(settings or SETTINGS)
  require('policy.upstreams').load()
  require('policy.route').load()
  local px, rules = require('px'), require('policy.rules')
  if rule then
    rawset(_G, 'px', px)
    rules.load('rules/line.lua', assert(loadstring(rule)))
  end
  require('policy.told').finish()
  rules.finish()
end

local function load(rule)
  forget()
  load_worker(rule)
end

--- Sends a request through what is loaded; the upstream gives `replies` one after the other.
local function send(target, text, replies, id)
  local ex, route = engine.exchange(nil, nil), require('policy.route')
  ex.replies = replies
  id = id or 'openai_chat'
  local _, model, stream = body.new(text):head()
  local q = {
    ex = ex, op = { protocol = id, operation = 'chat' }, client = 'me', path = '/x', protocol = id,
    speaks = route.protocol(id), body = body.new(text), asked = model, model = model,
    stream = stream,
  }
  require('policy.attempt').run(q, route.target(target))
  return ex, q
end

--- The same, and nothing is logged.
local function ask(...)
  local given, out, q = { ... }, nil, nil
  engine.with_core({ log = function() end }, function()
    out, q = send(unpack(given, 1, 4))
  end)
  return out, q
end

--- Collects what is logged while `fn` runs; nothing was said before.
local function logged(fn)
  local lines = {}
  local get = cache.get
  cache.get = function(key)
    return not key:find('^adapt ') and get(key) or nil
  end
  engine.with_core({
    log = function(_, line)
      lines[#lines + 1] = line
    end,
  }, fn)
  cache.get = get
  return lines
end

local CHAT = '{ "model":"m", "messages":[{"role":"user","content":"Hi"}], "logit_bias":{}, '
  .. '"odd":1.0 }'
local LESS = '{ "model":"m", "messages":[{"role":"user","content":"Hi"}], "odd":1.0 }'

describe('policy.adapt', function()
  it('asks once more without what is refused, and says so', function()
    load()
    local ex
    local lines = logged(function()
      ex = send('gpt:m', CHAT, { refusal('logit_bias'), OK })
    end)
    eq({ 200, 2, REPLY }, { ex.status, ex.sends, ex.body })
    eq(LESS, ex.sent_to.body)
    eq('request.logit_bias', ex.answered['x-proxima-lost'])
    eq(1, #lines)
  end)

  it('remembers it for the model, and for no other', function()
    load()
    ask('gpt:m', CHAT, { refusal('logit_bias'), OK })
    local ex = ask('gpt:m', CHAT, { OK })
    eq({ 1, LESS }, { ex.sends, ex.sent_to.body })
    eq('request.logit_bias', ex.answered['x-proxima-lost'])
    ex = ask('gpt:other', CHAT, { OK })
    eq(true, ex.sent_to.body:find('logit_bias', 1, true) ~= nil)
    eq(nil, ex.answered['x-proxima-lost'])
  end)

  it('forgets it after an hour', function()
    load()
    ask('gpt:m', CHAT, { refusal('logit_bias'), OK })
    local now = core.clock()
    engine.with_core({ clock = function() return now + 3599 end }, function()
      eq(LESS, ask('gpt:m', CHAT, { OK }).sent_to.body)
    end)
    engine.with_core({ clock = function() return now + 3601 end }, function()
      eq(CHAT, ask('gpt:m', CHAT, { OK }).sent_to.body)
    end)
  end)

  it('remembers it in every worker and after a reload, but not when it moves', function()
    load()
    ask('gpt:m', CHAT, { refusal('logit_bias'), OK })
    load_worker()
    eq({ 1, LESS }, { ask('gpt:m', CHAT, { OK }).sends, ask('gpt:m', CHAT, { OK }).sent_to.body })
    ask('gpt:n', CHAT, { refusal('logit_bias'), OK })
    load_worker(nil, { default_provider = 'gpt', providers = {
      gpt = provider('openai', { base_url = 'http://elsewhere' }) } })
    eq(CHAT, ask('gpt:m', CHAT, { OK }).sent_to.body)
  end)

  it('learns what another worker has learnt meanwhile', function()
    load()
    eq(CHAT, ask('gpt:m', CHAT, { OK }).sent_to.body)
    ask('gpt:m', CHAT, { refusal('odd'), OK })
    local mine = package.loaded['policy.attempt']
    load_worker()
    ask('gpt:m', CHAT, { refusal('logit_bias'), OK })
    package.loaded['policy.attempt'] = mine
    eq('{ "model":"m", "messages":[{"role":"user","content":"Hi"}] }',
      ask('gpt:m', CHAT, { OK }).sent_to.body)
  end)

  it('keeps nothing of names that only a hostile client has', function()
    load()
    local long = ('m'):rep(257)
    local chat = CHAT:gsub('"m"', '"' .. long .. '"')
    for _ = 1, 2 do
      eq(2, ask('gpt:' .. long, chat, { refusal('logit_bias'), OK }).sends)
    end
    ask('gpt:m', CHAT, { refusal('logit_bias'), OK })
    collectgarbage()
    local before = collectgarbage('count')
    for i = 1, 50 do
      ask('gpt:' .. i .. ('n'):rep(1000000), '{"model":"m","messages":[]}', { OK })
    end
    collectgarbage()
    assert(collectgarbage('count') - before < 5000)
  end)

  it('asks once more only once', function()
    load()
    local ex = ask('gpt:m', CHAT, { refusal('logit_bias'), refusal('odd'), OK })
    eq({ 400, 2 }, { ex.status, ex.sends })
    -- What was learnt is known the next time, so that gets through.
    ex = ask('gpt:m', CHAT, { refusal('odd'), OK })
    eq({ 200, 2 }, { ex.status, ex.sends })
    eq('{ "model":"m", "messages":[{"role":"user","content":"Hi"}] }', ex.sent_to.body)
  end)

  it('gives the refusal as it is when nothing may be taken out', function()
    load()
    for _, param in ipairs({ 'messages', 'model', 'messages[0].content', 'absent' }) do
      local reply = refusal(param)
      local ex = ask('gpt:m', CHAT, { reply, OK })
      eq({ 400, 1, reply.body }, { ex.status, ex.sends, ex.body })
    end
    eq(1, ask('gpt:m', CHAT, { refusal('logit_bias', nil, nil, 429), OK }).sends)
    eq(1, ask('gpt:m', CHAT, { refusal('logit_bias', 'invalid_value', 'Bad value.'), OK }).sends)
  end)

  it('is switched off by the provider, or when it refuses losses', function()
    load()
    for _, name in ipairs({ 'off', 'strict' }) do
      local ex = ask(name .. ':m', CHAT, { refusal('logit_bias'), OK })
      eq({ 400, 1, CHAT }, { ex.status, ex.sends, ex.sent_to.body })
    end
  end)

  it('gives a parameter the name that the upstream takes, without a loss', function()
    load()
    local text = '{"model":"m","max_tokens":7,"messages":[]}'
    local message = 'Unsupported parameter: \'max_tokens\' is not supported with this model. Use '
      .. '\'max_completion_tokens\' instead.'
    local ex = ask('gpt:m', text, { refusal('max_tokens', nil, message), OK })
    eq('{"model":"m","messages":[],"max_completion_tokens":7}', ex.sent_to.body)
    eq(nil, ex.answered['x-proxima-lost'])
    eq(1, ask('gpt:m', text, { OK }).sends)
  end)

  it('remembers a word that is refused, not its parameter', function()
    load()
    local text = '{"model":"m","reasoning_effort":"minimal","messages":[]}'
    ask('gpt:m', text, { refusal('reasoning_effort', 'unsupported_value'), OK })
    eq('{"model":"m","messages":[]}', ask('gpt:m', text, { OK }).sent_to.body)
    local high = text:gsub('minimal', 'high')
    eq(high, ask('gpt:m', high, { OK }).sent_to.body)
  end)

  it('records what a converted request loses beside its other losses', function()
    load()
    local text = '{"model":"c","temperature":0.5,"seed":1,'
      .. '"messages":[{"role":"user","content":"a"}]}'
    local ex = ask('claude:claude-3-5-sonnet', text,
      { anthropic('`temperature` is deprecated for this model.'), OK_MESSAGE })
    eq({ 200, 2 }, { ex.status, ex.sends })
    eq(nil, json.decode(ex.sent_to.body).temperature)
    eq('params.seed,params.temperature', ex.answered['x-proxima-lost'])
  end)

  it('removes an object that has become empty', function()
    load()
    local text = '{"model":"c","max_tokens":9,"output_config":{"effort":"xhigh"},"messages":[]}'
    local ex = ask('claude:c', text, { anthropic('This model does not support effort level '
      .. '\'xhigh\'. Supported levels: high, low, max, medium.'), OK_MESSAGE }, 'anthropic')
    eq('{"model":"c","max_tokens":9,"messages":[]}', ex.sent_to.body)
  end)

  it('lets the model choose where forcing a tool is refused', function()
    load()
    local text = '{"model":"c","max_tokens":9,"tool_choice":{"type":"tool","name":"f"},'
      .. '"messages":[]}'
    local ex = ask('claude:c', text, { anthropic('Thinking may not be enabled when tool_choice '
      .. 'forces tool use.'), OK_MESSAGE }, 'anthropic')
    eq('{"model":"c","max_tokens":9,"tool_choice":{"type":"auto"},"messages":[]}',
      ex.sent_to.body)
    eq('tool_choice', ex.answered['x-proxima-lost'])
  end)

  it('leaves the thoughts out whose signature is refused', function()
    load()
    local text = '{"model":"c","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":'
      .. '"thinking","thinking":"Hm","signature":"x"},{"type":"text","text":"a"}]}]}'
    local ex = ask('claude:c', text, {
      anthropic('messages.0.content.0: Invalid `signature` in `thinking` block'), OK_MESSAGE,
    }, 'anthropic')
    eq({ 200, 'messages.thinking' }, { ex.status, ex.answered['x-proxima-lost'] })
    eq('{"model":"c","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"text",'
      .. '"text":"a"}]}]}', ex.sent_to.body)
    eq(1, ask('claude:c', text, { OK_MESSAGE }, 'anthropic').sends)
  end)

  it('remembers of many models, and not without an end of one', function()
    load()
    for i = 1, 300 do
      ask('gpt:m' .. i, CHAT:gsub('"m"', '"m' .. i .. '"'), { refusal('logit_bias'), OK })
    end
    for i = 1, 300 do
      eq(nil, ask('gpt:m' .. i, CHAT, { OK }).sent_to.body:find('logit_bias', 1, true))
    end
    for i = 1, 100 do
      ask('gpt:m', '{"model":"m","messages":[],"p' .. i .. '":1}', { refusal('p' .. i), OK })
    end
    eq('{"model":"m","messages":[],"p1":1}',
      ask('gpt:m', '{"model":"m","messages":[],"p1":1,"p100":1}', { OK }).sent_to.body)
  end)

  it('logs a hundred lines at most, whatever clients invent', function()
    load()
    local lines = logged(function()
      for i = 1, 150 do
        send('gpt:m', '{"model":"m","messages":[],"p' .. i .. '":1}', { refusal('p' .. i), OK })
      end
    end)
    eq(100, #lines)
  end)

  local LINES = {
    { 'a parameter', CHAT, refusal('logit_bias'), LESS },
    { 'a word', '{"model":"m","messages":[],"reasoning_effort":"minimal"}',
      refusal('reasoning_effort', 'unsupported_value'), '{"model":"m","messages":[]}' },
    { 'a name', '{"model":"m","messages":[],"max_tokens":7}', refusal('max_tokens', nil,
      'Unsupported parameter: \'max_tokens\' is not supported with this model. Use '
      .. '\'max_completion_tokens\' instead.'),
      '{"model":"m","messages":[],"max_completion_tokens":7}' },
  }
  for _, case in ipairs(LINES) do
    it('logs a line that works in a file of rules: ' .. case[1], function()
      load()
      local lines = logged(function()
        send('gpt:m', case[2], { case[3], OK })
      end)
      local line = lines[1]:match('for good: (.*)$')
      load(line)
      local ex = send('gpt:m', case[2], { OK })
      eq({ 1, case[4] }, { ex.sends, ex.sent_to.body })
      eq(true, lines[1]:find('sk-secret', 1, true) == nil)
      -- And it does nothing to requests without the parameter.
      eq('{"model":"m","messages":[]}', send('gpt:m', '{"model":"m","messages":[]}', { OK })
        .sent_to.body)
    end)
  end

  it('leaves out what px.knowledge says is refused, from the first request on', function()
    load('px.knowledge{ provider = "off", model = "m", '
      .. 'refuses = { "logit_bias", "messages[*].name" } }')
    local ex = ask('off:m', '{"model":"m","messages":[{"name":"a"},{"name":"b"}],"logit_bias":{}}',
      { OK })
    eq('{"model":"m","messages":[{},{}]}', ex.sent_to.body)
    eq('request.logit_bias,request.messages.name', ex.answered['x-proxima-lost'])
  end)
end)

for name, fn in pairs(REAL) do
  cache[name] = fn
end

t.finish()
