--- Errors of the Anthropic Messages API, as upstreams send them and as clients expect them.

local refusal = require('protocol._refusal')
local retry = require('protocol._retry')

local M = {}

-- Neutral code: status, type.
local WIRE = {
  auth = { 401, 'authentication_error' },
  bad_request = { 400, 'invalid_request_error' },
  connect = { 502, 'api_error' },
  context_length = { 400, 'invalid_request_error' },
  cut = { 502, 'api_error' },
  empty = { 502, 'api_error' },
  filter = { 400, 'invalid_request_error' },
  forbidden = { 403, 'permission_error' },
  internal = { 500, 'api_error' },
  not_found = { 404, 'not_found_error' },
  overloaded = { 529, 'overloaded_error' },
  quota = { 402, 'billing_error' },
  rate_limit = { 429, 'rate_limit_error' },
  timeout = { 504, 'timeout_error' },
  too_large = { 413, 'request_too_large' },
  unsupported = { 400, 'invalid_request_error' },
}

--- Reads an upstream's refusal.
---
--- @param status? integer nil for an error inside a stream.
--- @param text string The body, which may be anything.
--- @param headers? table<string, string> Names in lower case.
--- @param now? integer Seconds since 1970, to understand dates.
--- @return px.Failure
function M.read(status, text, headers, now)
  local failure = refusal.read(status, text)
  if not status and failure.code == 'overloaded' then
    failure.status = 529
  end
  failure.retry_after = retry.after(headers, now)
  failure.upstream = true
  return failure
end

--- The failure that an error event tells.
M.failure = refusal.of_event

-- Claude Code compacts a conversation when it reads these words.
local function message_of(failure)
  local text = failure.message
  if failure.code == 'context_length' and not text:find('prompt is too long', 1, true) then
    return 'prompt is too long: ' .. text
  end
  return text
end

--- Writes a refusal for a client.
---
--- @param failure px.Failure
--- @return integer status
--- @return table body
--- @return table<string, string> headers
function M.write(failure)
  local wire = WIRE[failure.code] or WIRE.internal
  local status, kind = wire[1], wire[2]
  local headers = refusal.headers(failure)
  local details
  if failure.code == 'auth' and failure.upstream then
    status, kind, details = 502, 'api_error', { error_code = 'upstream_auth' }
    headers['x-should-retry'] = 'false'
  else
    status = refusal.keep(failure, status)
  end
  if failure.raw_code == 'thread_unsupported_request' then
    details = { error_code = failure.raw_code, unsupported = { failure.param or 'thread' } }
  end
  return status, {
    type = 'error',
    error = { type = kind, message = message_of(failure), details = details },
  }, headers
end

return M
