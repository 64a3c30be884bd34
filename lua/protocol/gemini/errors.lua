--- Errors of the Gemini API, as upstreams send them and as clients expect them.

local json = require('px.json')
local read = require('protocol._read')
local refusal = require('protocol._refusal')
local retry = require('protocol._retry')

local M = {}

local TYPE = 'type.googleapis.com/google.rpc.'

-- Neutral code: code, status.
local WIRE = {
  auth = { 400, 'INVALID_ARGUMENT', 'API_KEY_INVALID' },
  bad_request = { 400, 'INVALID_ARGUMENT' },
  connect = { 502, 'UNAVAILABLE' },
  context_length = { 400, 'INVALID_ARGUMENT' },
  cut = { 502, 'UNAVAILABLE' },
  empty = { 502, 'UNAVAILABLE' },
  filter = { 400, 'INVALID_ARGUMENT' },
  forbidden = { 403, 'PERMISSION_DENIED' },
  internal = { 500, 'INTERNAL' },
  not_found = { 404, 'NOT_FOUND' },
  overloaded = { 503, 'UNAVAILABLE' },
  quota = { 429, 'RESOURCE_EXHAUSTED' },
  rate_limit = { 429, 'RESOURCE_EXHAUSTED' },
  timeout = { 504, 'DEADLINE_EXCEEDED' },
  too_large = { 413, 'INVALID_ARGUMENT' },
  unsupported = { 400, 'INVALID_ARGUMENT' },
}

local BY_STATUS = {
  ABORTED = 'internal', CANCELLED = 'internal', DEADLINE_EXCEEDED = 'timeout',
  FAILED_PRECONDITION = 'bad_request', INTERNAL = 'internal', INVALID_ARGUMENT = 'bad_request',
  NOT_FOUND = 'not_found', PERMISSION_DENIED = 'forbidden', RESOURCE_EXHAUSTED = 'rate_limit',
  UNAUTHENTICATED = 'auth', UNAVAILABLE = 'overloaded', UNKNOWN = 'internal',
}
local BY_REASON = { API_KEY_INVALID = 'auth', API_KEY_EXPIRED = 'auth' }

-- Only the text tells these. Lower case, Lua patterns; the third is the parameter.
local BY_TEXT = {
  { 'api key not valid', 'auth' },
  { 'api key expired', 'auth' },
  { 'unregistered callers', 'auth' },
  { 'exceeds the maximum number of tokens', 'context_length' },
  { 'location is not supported', 'forbidden' },
  { 'billing', 'quota', of = 'FAILED_PRECONDITION' },
  { 'penalty is not enabled', 'unsupported', 'generationConfig.presencePenalty' },
  { 'thinking[ _]level is not supported', 'unsupported',
    'generationConfig.thinkingConfig.thinkingLevel' },
  { 'thinking[ _]budget', 'unsupported', 'generationConfig.thinkingConfig.thinkingBudget' },
  { 'logprobs is not enabled', 'unsupported', 'generationConfig.responseLogprobs' },
  { 'does not support thinking', 'unsupported', 'generationConfig.thinkingConfig' },
  { 'thinking is not enabled', 'unsupported', 'generationConfig.thinkingConfig' },
}

--- Takes keys out of a text: upstreams repeat the address that was asked.
local function without_keys(text)
  return (text:gsub('([?&]key=)[^&%s"\'<>]+', '%1***')
    :gsub('(api_key:)[%w_-]+', '%1***')
    :gsub('AIza[%w_-]+', '***'))
end

--- The `error` member of a body of any shape.
local function error_of(text)
  local body = json.decode(text)
  if read.is_list(read.maybe_table(body)) then
    body = body[1]
  end
  return read.maybe_table(read.maybe_table(body).error)
end

local on_detail = {}

function on_detail.RetryInfo(failure, detail)
  failure.retry_after = retry.duration(read.maybe_text(detail.retryDelay) or '')
    or failure.retry_after
end

function on_detail.ErrorInfo(failure, detail)
  failure.raw_code = read.maybe_text(detail.reason)
  failure.code = BY_REASON[failure.raw_code] or failure.code
end

function on_detail.QuotaFailure(failure, detail)
  for _, violation in ipairs(read.maybe_table(detail.violations)) do
    local id = read.maybe_text(read.maybe_table(violation).quotaId)
    failure.daily = failure.daily or (id and id:find('PerDay', 1, true) ~= nil)
  end
end

function on_detail.BadRequest(failure, detail)
  local first = read.maybe_table(read.maybe_table(detail.fieldViolations)[1])
  failure.param = read.maybe_text(first.field)
end

--- Reads the words of a message that have no code of their own.
local function by_text(failure)
  local lower = failure.message:lower()
  for _, row in ipairs(BY_TEXT) do
    if lower:find(row[1]) and (not row.of or row.of == failure.type) then
      failure.code, failure.param = row[2], row[3] or failure.param
      return
    end
  end
  local name, place = failure.message:match('Unknown name "([^"]+)"%s*at \'([^\']*)\'')
  if not name then
    name, place = failure.message:match('Unknown name "([^"]+)"'), ''
  end
  if name then
    failure.code = 'unsupported'
    failure.param = place ~= '' and place .. '.' .. name or name
  end
end

--- Reads an upstream's refusal.
---
--- @param status? integer nil for an error inside a stream.
--- @param text string The body, which may be anything.
--- @param headers? table<string, string> Names in lower case.
--- @param now? integer Seconds since 1970, to understand dates.
--- @return px.Failure
function M.read(status, text, headers, now)
  local failure = refusal.read(status, text)
  local inner = error_of(text or '')
  local code = BY_STATUS[failure.type]
  -- The status of HTTP is finer than INVALID_ARGUMENT and INTERNAL.
  if code and (failure.code == 'bad_request' or failure.code == 'internal') then
    failure.code = code
  end
  failure.raw_code = nil
  failure.retry_after = retry.after(headers, now)
  for _, detail in ipairs(read.maybe_table(inner.details)) do
    local kind = type(detail) == 'table' and read.maybe_text(detail['@type'])
    local take = kind and on_detail[kind:match('[^.]+$')]
    if take then
      take(failure, detail)
    end
  end
  if failure.code == 'bad_request' or failure.code == 'forbidden' then
    by_text(failure)
  end
  if failure.daily and failure.code == 'rate_limit' then
    -- The delay that is told is of the minute's limit; the day's lasts longer.
    failure.code, failure.retry_after = 'quota', nil
  end
  failure.daily = nil
  failure.message = without_keys(failure.message)
  failure.upstream = true
  return failure
end

--- The failure that an error event tells.
M.failure = refusal.of_event

--- Seconds as protobuf writes a duration.
local function duration(seconds)
  return (('%.3f'):format(math.max(0, seconds)):gsub('%.?0+$', '')) .. 's'
end

--- Writes a refusal for a client.
---
--- @param failure px.Failure
--- @return integer status
--- @return table body
--- @return table<string, string> headers
function M.write(failure)
  local wire = WIRE[failure.code] or WIRE.internal
  local status, word, reason = wire[1], wire[2], wire[3]
  local headers = refusal.headers(failure)
  if failure.code == 'auth' and failure.upstream then
    status, word, reason = 502, 'UNAVAILABLE', 'UPSTREAM_AUTH'
    headers['x-should-retry'] = 'false'
  else
    status = refusal.keep(failure, status)
  end
  reason = failure.own_code or reason
  local details = {}
  if reason then
    details[#details + 1] =
      { ['@type'] = TYPE .. 'ErrorInfo', reason = reason, domain = 'googleapis.com' }
  end
  if failure.param then
    details[#details + 1] = {
      ['@type'] = TYPE .. 'BadRequest',
      fieldViolations = { { field = failure.param, description = failure.message } },
    }
  end
  if failure.retry_after then
    details[#details + 1] =
      { ['@type'] = TYPE .. 'RetryInfo', retryDelay = duration(failure.retry_after) }
  end
  return status, {
    error = {
      code = status,
      message = failure.message,
      status = word,
      details = #details > 0 and details or nil,
    },
  }, headers
end

return M
