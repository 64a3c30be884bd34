--- Refusals: every shape of upstream read, each client told in its own words.

local json = require('px.json')
local kit = require('corpus_kit')
local t = require('harness')
local retry = require('protocol._retry')

local describe, it, eq = t.describe, t.it, t.eq

local READS = {
  { 'openai_chat', 400, '{"error":{"message":"too long","type":"invalid_request_error","param":'
    .. '"messages","code":"context_length_exceeded"}}', 'context_length', 'too long' },
  { 'openai_chat', 400, '{"error":{"message":"no","type":"invalid_request_error","param":"stop",'
    .. '"code":"unsupported_parameter"}}', 'unsupported', 'no' },
  { 'openai_chat', 401, '{"error":{"message":"key","type":"invalid_request_error","code":'
    .. '"invalid_api_key"}}', 'auth', 'key' },
  { 'openai_chat', 403, '{"error":{"message":"x","type":"invalid_request_error"}}', 'forbidden',
    'x' },
  { 'openai_chat', 404, '{"error":"no such model"}', 'not_found', 'no such model' },
  { 'openai_chat', 400, '{"error":{"message":"x","code":"model_not_found"}}', 'not_found', 'x' },
  { 'openai_chat', 413, '<html><head><title>413 Too Large</title></head></html>', 'too_large',
    '413 Too Large' },
  { 'openai_chat', 429, '{"error":{"message":"x","type":"requests","code":'
    .. '"rate_limit_exceeded"}}', 'rate_limit', 'x' },
  { 'openai_chat', 429, '{"error":{"message":"x","type":"insufficient_quota","code":'
    .. '"insufficient_quota"}}', 'quota', 'x' },
  { 'openai_chat', 422, '{"detail":"bad field"}', 'bad_request', 'bad field' },
  { 'openai_chat', 429, '{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}',
    'rate_limit', 'x' },
  { 'openai_chat', 500, '', 'internal', 'the upstream answered with status 500' },
  { 'openai_chat', 503, '{"message":"down"}', 'overloaded', 'down' },
  { 'openai_chat', nil, '{"error":{"message":"x","code":"insufficient_quota"}}', 'quota', 'x' },
  { 'openai_chat', nil, '{"error":{"message":"x","code":502}}', 'internal', 'x' },
  { 'anthropic', 400, '{"type":"error","error":{"type":"invalid_request_error","message":'
    .. '"prompt is too long: 9 tokens > 8 maximum"}}', 'context_length',
    'prompt is too long: 9 tokens > 8 maximum' },
  { 'anthropic', 401, '{"type":"error","error":{"type":"authentication_error","message":"x"}}',
    'auth', 'x' },
  { 'anthropic', 400, '{"type":"error","error":{"type":"invalid_request_error","message":'
    .. '"Your credit balance is too low"}}', 'quota', 'Your credit balance is too low' },
  { 'anthropic', 529, '{"type":"error","error":{"type":"overloaded_error","message":"x"}}',
    'overloaded', 'x' },
  { 'anthropic', 429, '{"type":"error","error":{"type":"rate_limit_error","message":"x","details":'
    .. '{"error_code":"enforced_spend_limit_reached"}}}', 'quota', 'x' },
  { 'anthropic', 502, 'Bad   gateway', 'internal', 'Bad gateway' },
}

describe('a refusal of an upstream', function()
  for _, case in ipairs(READS) do
    it(('is read: %s %s %s'):format(case[1], tostring(case[2]), case[3]), function()
      local failure = require('protocol.' .. case[1] .. '.errors').read(case[2], case[3], {}, 0)
      eq({ case[4], case[5], true }, { failure.code, failure.message, failure.upstream })
      eq(case[2], case[2] and failure.status)
    end)
  end

  it('is cut when it is a page, never inside a character', function()
    local page = ('\195\164'):rep(400)
    local failure = require('protocol.anthropic.errors').read(502, 'x' .. page, {}, 0)
    eq('x' .. ('\195\164'):rep(149), failure.message)
  end)
end)

-- Code, status of the upstream, then what clients of chat and of Anthropic's see.
local WRITES = {
  { 'auth', 401, '401 invalid_request_error invalid_api_key', '401 authentication_error' },
  { 'bad_request', 400, '400 invalid_request_error null', '400 invalid_request_error' },
  { 'bad_request', 409, '409 invalid_request_error null', '409 invalid_request_error' },
  { 'bad_request', 422, '422 invalid_request_error null', '422 invalid_request_error' },
  { 'context_length', 400, '400 invalid_request_error context_length_exceeded',
    '400 invalid_request_error' },
  { 'forbidden', 403, '403 permission_error null', '403 permission_error' },
  { 'internal', 500, '500 server_error null', '500 api_error' },
  { 'not_found', 404, '404 invalid_request_error model_not_found', '404 not_found_error' },
  { 'overloaded', 529, '503 server_error null', '529 overloaded_error' },
  { 'overloaded', 503, '503 server_error null', '529 overloaded_error' },
  { 'quota', 402, '429 insufficient_quota insufficient_quota', '402 billing_error' },
  { 'rate_limit', 429, '429 rate_limit_error rate_limit_exceeded', '429 rate_limit_error' },
  { 'timeout', 504, '504 server_error timeout', '504 timeout_error' },
  { 'too_large', 413, '413 invalid_request_error request_too_large', '413 request_too_large' },
  { 'unheard_of', 500, '500 server_error null', '500 api_error' },
}

describe('a refusal for a client', function()
  for _, case in ipairs(WRITES) do
    it('is written: ' .. case[1] .. ' ' .. case[2], function()
      local failure = { code = case[1], status = case[2], message = 'words' }
      local status, body = require('protocol.openai_chat.errors').write(failure)
      eq(case[3], ('%d %s %s'):format(status, body.error.type,
        body.error.code == json.null and 'null' or body.error.code))
      eq('words', body.error.message)
      status, body = require('protocol.anthropic.errors').write(failure)
      eq(case[4], ('%d %s'):format(status, body.error.type))
      eq('error', body.type)
      assert(body.error.message:find('words', 1, true))
    end)
  end

  it('never blames the client for our own account', function()
    local failure = { code = 'auth', status = 401, message = 'bad key', upstream = true }
    local status, body, headers = require('protocol.openai_chat.errors').write(failure)
    eq({ 502, 'upstream_auth', 'false', 'bad key' },
      { status, body.error.code, headers['x-should-retry'], body.error.message })
    status, body, headers = require('protocol.anthropic.errors').write(failure)
    eq({ 502, 'upstream_auth', 'false' },
      { status, body.error.details.error_code, headers['x-should-retry'] })
  end)

  it('says when to come back', function()
    local failure = { code = 'rate_limit', status = 429, message = 'x', retry_after = 1.25 }
    local _, _, headers = require('protocol.openai_chat.errors').write(failure)
    eq({ ['retry-after'] = '2', ['retry-after-ms'] = '1250' }, headers)
    _, _, headers = require('protocol.anthropic.errors').write(failure)
    eq({ ['retry-after'] = '2' }, headers)
  end)

  it('keeps the upstream\'s code and parameter', function()
    local _, body = require('protocol.openai_chat.errors').write({ code = 'unsupported',
      status = 400, message = 'x', raw_code = 'unsupported_value', param = 'stop' })
    eq({ 'unsupported_value', 'stop' }, { body.error.code, body.error.param })
  end)

  it('uses the words by which Claude Code knows a full context', function()
    local _, body = require('protocol.anthropic.errors').write({ code = 'context_length',
      status = 400, message = 'maximum context length is 8' })
    eq('prompt is too long: maximum context length is 8', body.error.message)
  end)
end)

local NOW = 1795572000 -- 2026-11-25T02:00:00Z
local AFTER = {
  { { ['retry-after-ms'] = '1500', ['retry-after'] = '9' }, 1.5 },
  { { ['retry-after'] = '9' }, 9 },
  { { ['retry-after'] = 'Wed, 25 Nov 2026 02:01:00 GMT' }, 60 },
  { { ['retry-after'] = 'Wed, 25 Nov 2026 01:00:00 GMT' }, 0 },
  { { ['retry-after'] = 'soon' }, nil },
  { { ['x-ratelimit-reset-tokens'] = '6m0s', ['x-ratelimit-remaining-tokens'] = '0' }, 360 },
  { { ['x-ratelimit-reset-requests'] = '12ms', ['x-ratelimit-remaining-requests'] = '0',
    ['x-ratelimit-reset-tokens'] = '1h', ['x-ratelimit-remaining-tokens'] = '5' }, 0.012 },
  { { ['anthropic-ratelimit-tokens-reset'] = '2026-11-25T02:00:30Z',
    ['anthropic-ratelimit-tokens-remaining'] = '0' }, 30 },
  { { ['anthropic-ratelimit-unified-reset'] = tostring(NOW + 5) }, 5 },
  { { ['anthropic-ratelimit-tokens-reset'] = '2026-11-25T03:00:30+01:00',
    ['anthropic-ratelimit-tokens-remaining'] = '0' }, 30 },
  { {}, nil },
}

describe('a wait', function()
  for i, case in ipairs(AFTER) do
    it('is found in headers, ' .. i, function()
      eq(case[2], retry.after(case[1], NOW))
    end)
  end

  it('is never longer than a header can say, and a number', function()
    for _, text in ipairs({ 'inf', '1e400', ('9'):rep(20), ('9'):rep(400) .. 's', '-1e400',
      'Fri, 25 Nov 9999 02:00:00 GMT' }) do
      local wait = retry.after({ ['retry-after'] = text }, NOW)
      eq(text:sub(1, 1) == '-' and 0 or 31 * 86400, wait)
      eq(wait, retry.after({ ['retry-after-ms'] = text }, NOW) or wait)
    end
    eq(nil, retry.after({ ['retry-after'] = 'nan', ['retry-after-ms'] = 'nan' }, NOW))
    local failure = kit.module('openai_chat', 'errors').read(429, '{}', { ['retry-after'] = 'inf' })
    local _, _, headers = kit.module('openai_chat', 'errors').write(failure)
    eq('2678400', headers['retry-after'])
  end)

  it('has times that go back and forth', function()
    for _, text in ipairs({ '1970-01-01T00:00:00Z', '2000-02-29T23:59:59Z',
      '2026-11-25T02:00:00Z', '2100-03-01T00:00:00Z' }) do
      eq(text, retry.iso(retry.rfc3339(text)))
    end
  end)
end)

t.finish()
