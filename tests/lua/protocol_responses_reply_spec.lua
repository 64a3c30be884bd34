--- Unary answers and errors of Responses, and how its upstreams are signed to.

local errors = require('protocol.openai_responses.errors')
local json = require('px.json')
local kit = require('corpus_kit')
local provider = require('provider.responses')
local reply = require('protocol.openai_responses.reply')
local strict = require('strict_responses')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function context(more)
  local ctx = { model = 'm', knowledge = {}, id = 'ID', now = 7, settings = {}, origin = 'x',
    lost = function() end }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  return ctx
end

local function kinds(events)
  local out = {}
  for i, event in ipairs(events) do
    out[i] = event.kind .. (event.reason and ':' .. event.reason or '')
      .. (event.code and ':' .. event.code or '')
  end
  return table.concat(out, ' ')
end

describe('a Responses answer is read:', function()
  local function read(text, more)
    return kinds(reply.read(json.decode(text), context(more)))
  end

  it('items in order', function()
    eq('start thinking signature block_stop text block_stop tool_start args block_stop '
      .. 'opaque block_stop finish:tool usage', read('{"id":"r","status":"completed","output":['
      .. '{"type":"reasoning","summary":[{"text":"A"}],"encrypted_content":"p"},{"type":"message",'
      .. '"content":[{"type":"output_text","text":"Hi"}]},{"type":"function_call","call_id":"c",'
      .. '"name":"f","arguments":"{}"},{"type":"web_search_call"}],"usage":{"input_tokens":1}}'))
  end)

  it('a failed one', function()
    eq('error:context_length', read('{"status":"failed","output":[],"error":'
      .. '{"code":"context_length_exceeded","message":"Too long."}}'))
  end)

  it('one that is not over', function()
    eq('error:cut', read('{"status":"queued","output":[],"error":null}'))
  end)

  it('an error in a 200', function()
    eq('error:overloaded', read('{"error":{"code":"server_is_overloaded","message":"Busy."}}'))
  end)

  it('nonsense', function()
    eq('error:internal', read('{"a":1}'))
    eq('error:internal', read('"text"'))
    eq('error:internal', kinds(reply.read(nil, context())))
    eq('start finish:stop',
      read('{"status":"completed","output":[1,{"type":5,"content":7},null]}'))
  end)

  it('stop sequences that the upstream does not know', function()
    eq('start text block_stop finish:stop_seq', read('{"output":[{"type":"message","content":'
      .. '[{"type":"output_text","text":"a END b"}]}]}', { stops = { 'END' } }))
  end)
end)

describe('a Responses answer is written:', function()
  local events = {
    { kind = 'start', id = 'x', model = 'up' },
    { kind = 'redacted', index = 0, data = 'd' }, { kind = 'block_stop', index = 0 },
    { kind = 'text', index = 1, text = 'a' },
    { kind = 'citation', index = 1, url = 'u' }, { kind = 'block_stop', index = 1 },
    { kind = 'refusal', index = 2, text = 'no' }, { kind = 'block_stop', index = 2 },
    { kind = 'tool_start', index = 3, id = ('i'):rep(70), name = 'p', custom = true },
    { kind = 'args', index = 3, text = 'free' }, { kind = 'block_stop', index = 3 },
    { kind = 'finish', reason = 'length' },
    { kind = 'usage', input = 1, cache_read = 2, cache_write = 3, output = 4, reasoning = 0 },
  }

  it('as the stream would tell it', function()
    local body = json.decode(json.encode(reply.write(events, context())))
    strict.reply(body)
    eq('x#redacted:d', body.output[1].encrypted_content)
    eq({ 'a', 'no', 'u' }, { body.output[2].content[1].text, body.output[2].content[2].refusal,
      body.output[2].content[1].annotations[1].title })
    eq({ 'free', 'incomplete', 21 }, { body.output[3].input, body.output[3].status,
      #body.output[3].call_id })
    eq('max_output_tokens', body.incomplete_details.reason)
    local step = kit.writer('openai_responses', context())
    local text = {}
    for _, event in ipairs(events) do
      text[#text + 1] = step(event)
    end
    local last = step(nil):match('data: ([^\n]+)\n\n$')
    eq(body, json.decode(last).response)
  end)

  it('a custom tool that its upstream took for a function', function()
    local body = reply.write({ { kind = 'tool_start', index = 0, id = 'a', name = 'p' },
      { kind = 'args', index = 0, text = '{"input":"free"}' }, { kind = 'block_stop', index = 0 },
      { kind = 'finish', reason = 'tool' } }, context({ declared = { p = true } }))
    eq({ 'custom_tool_call', 'free' }, { body.output[1].type, body.output[1].input })
  end)

  it('an error as the error body', function()
    local body = reply.write({ { kind = 'error', code = 'quota', message = 'No.' } }, context())
    eq('insufficient_quota', body.error.code)
  end)

  it('models as OpenAI lists them', function()
    eq('list', reply.models({ { id = 'a' } }).object)
    eq('model', reply.model({ id = 'a' }).object)
  end)
end)

-- Status and body of an upstream; neutral code; status and code for a client.
local ERRORS = {
  { 400, '{"error":{"code":"model_not_found","message":"x"}}', 'not_found', 404,
    'model_not_found' },
  { 429, '{"error":{"code":"insufficient_quota","type":"insufficient_quota","message":"x"}}',
    'quota', 429, 'insufficient_quota' },
  { 429, '{"error":{"code":"rate_limit_exceeded","message":"x"}}', 'rate_limit', 429,
    'rate_limit_exceeded' },
  { 400, '{"error":{"code":"context_length_exceeded","message":"x"}}', 'context_length', 400,
    'context_length_exceeded' },
  { 400, '{"error":{"code":"invalid_encrypted_content","type":"invalid_request_error",'
    .. '"message":"x"}}', 'bad_request', 400, 'invalid_encrypted_content' },
  { 401, '{"error":{"code":"invalid_api_key","message":"x"}}', 'auth', 502, 'upstream_auth' },
  { 503, '<html><title>Bad</title></html>', 'overloaded', 503 },
}

describe('errors of Responses', function()
  for _, case in ipairs(ERRORS) do
    it(('%d %s'):format(case[1], case[2]), function()
      local failure = errors.read(case[1], case[2], {}, 0)
      eq(case[3], failure.code)
      local status, body = errors.write(failure)
      eq(case[4], status)
      eq(case[5] or json.null, body.error.code)
    end)
  end

  it('waits are read from headers, then from words', function()
    local text = '{"error":{"code":"rate_limit_exceeded","message":"Please try again in 6m0s."}}'
    eq(5, errors.read(429, text, { ['retry-after'] = '5' }, 0).retry_after)
    eq(360, errors.read(429, text, {}, 0).retry_after)
    eq(nil, errors.read(429, '{"error":{"message":"try again in a while"}}', {}, 0).retry_after)
  end)
end)

describe('provider.responses', function()
  it('speaks Responses and signs with a bearer', function()
    eq({ { protocol = 'openai_responses', path = '/responses' } }, provider.speaks)
    eq({ authorization = 'Bearer k', ['openai-organization'] = 'o' },
      provider.headers({ kind = 'key', secret = 'k', settings = { organization = 'o' } }))
    eq({ { id = 'a' } }, provider.parse_models(json.decode('{"data":[{"id":"a"}]}')))
  end)
end)

t.finish()
