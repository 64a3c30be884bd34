--- Errors of Ollama, as servers send them and as clients expect them: one text.

local json = require('px.json')
local refusal = require('protocol._refusal')
local retry = require('protocol._retry')

local M = {}

-- Neutral code: status.
local WIRE = {
  auth = 401, bad_request = 400, connect = 502, context_length = 400, cut = 502, empty = 502,
  filter = 400, forbidden = 403, internal = 500, not_found = 404, overloaded = 503, quota = 429,
  rate_limit = 429, timeout = 504, too_large = 413, unsupported = 400,
}

-- Only the text tells these, and only where the status leaves it open. Lower case, plain.
local BY_TEXT = {
  { 'does not support', 'unsupported' },
  { 'server busy', 'overloaded' },
  { 'maximum pending requests', 'overloaded' },
  { 'exceeds the available context size', 'context_length' },
  { 'input length exceeds', 'context_length' },
  { 'usage limit', 'rate_limit' },
  { 'unauthorized', 'auth' },
}

-- What a model is said not to support: the member of the request that asked for it.
local MEMBER = { insert = 'suffix', thinking = 'think', tools = 'tools' }

local VAGUE = { bad_request = true, internal = true }

--- The status that the hosted service writes into a body.
local function status_in(text)
  local body = json.decode(text or '')
  local status = type(body) == 'table' and (body.StatusCode or body.status_code)
  if json.is_number(status) then
    return json.tonumber(status)
  end
  return nil
end

--- Reads an upstream's refusal.
---
--- @param status? integer nil for an error inside a stream.
--- @param text string The body, which may be anything.
--- @param headers? table<string, string> Names in lower case.
--- @param now? integer Seconds since 1970, to understand dates.
--- @return px.Failure
function M.read(status, text, headers, now)
  local failure = refusal.read(status or status_in(text), text)
  local lower = failure.message:lower()
  if VAGUE[failure.code] then
    for _, pair in ipairs(BY_TEXT) do
      if lower:find(pair[1], 1, true) then
        failure.code = pair[2]
        failure.status = status or refusal.STATUS[pair[2]]
        break
      end
    end
    if failure.code == 'unsupported' then
      failure.param = failure.param or MEMBER[lower:match('does not support (%a+)')]
    end
    if lower:find("^model ['\"].*['\"] not found") then
      failure.code, failure.status = 'not_found', status or 404
    end
  end
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
  local status = WIRE[failure.code] or 500
  local headers = refusal.headers(failure)
  if failure.code == 'auth' and failure.upstream then
    status = 502
    headers['x-should-retry'] = 'false'
  else
    status = refusal.keep(failure, status)
  end
  return status, { error = failure.message }, headers
end

return M
