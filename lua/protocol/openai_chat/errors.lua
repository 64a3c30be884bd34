--- Errors of Chat Completions, as upstreams send them and as clients expect them.

local json = require('px.json')
local refusal = require('protocol._refusal')
local retry = require('protocol._retry')

local M = {}

-- Neutral code: status, type, code.
local WIRE = {
  auth = { 401, 'invalid_request_error', 'invalid_api_key' },
  bad_request = { 400, 'invalid_request_error' },
  connect = { 502, 'server_error', 'upstream_unreachable' },
  context_length = { 400, 'invalid_request_error', 'context_length_exceeded' },
  cut = { 502, 'server_error', 'upstream_cut' },
  empty = { 502, 'server_error', 'upstream_empty' },
  filter = { 400, 'invalid_request_error', 'content_filter' },
  forbidden = { 403, 'permission_error' },
  internal = { 500, 'server_error' },
  not_found = { 404, 'invalid_request_error', 'model_not_found' },
  overloaded = { 503, 'server_error' },
  quota = { 429, 'insufficient_quota', 'insufficient_quota' },
  rate_limit = { 429, 'rate_limit_error', 'rate_limit_exceeded' },
  timeout = { 504, 'server_error', 'timeout' },
  too_large = { 413, 'invalid_request_error', 'request_too_large' },
  unsupported = { 400, 'invalid_request_error', 'unsupported_parameter' },
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
  failure.retry_after = retry.after(headers, now)
  failure.upstream = true
  return failure
end

--- The failure that an error event tells.
M.failure = refusal.of_event

--- Writes a refusal for a client.
---
--- @param failure px.Failure
--- @return integer status
--- @return table body
--- @return table<string, string> headers
function M.write(failure)
  local wire = WIRE[failure.code] or WIRE.internal
  local status, kind, code = wire[1], wire[2], wire[3]
  local headers = refusal.headers(failure)
  if failure.code == 'auth' and failure.upstream then
    status, kind, code = 502, 'server_error', 'upstream_auth'
    headers['x-should-retry'] = 'false'
  else
    status = refusal.keep(failure, status)
  end
  if failure.retry_after then
    headers['retry-after-ms'] = ('%d'):format(math.ceil(math.max(0, failure.retry_after) * 1000))
  end
  if failure.code == 'unsupported' and failure.raw_code then
    code = failure.raw_code
  end
  code = failure.own_code or code
  return status, {
    error = {
      message = failure.message,
      type = kind,
      param = failure.param or json.null,
      code = code or json.null,
    },
  }, headers
end

return M
