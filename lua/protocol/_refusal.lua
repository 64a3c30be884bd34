--- What upstreams say when they refuse: words found in any shape of body, a neutral code for them.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

local TEXT_MAX = 300

local BY_STATUS = {
  [400] = 'bad_request', [401] = 'auth', [402] = 'quota', [403] = 'forbidden',
  [404] = 'not_found', [408] = 'timeout', [413] = 'too_large', [415] = 'bad_request',
  [422] = 'bad_request', [429] = 'rate_limit', [500] = 'internal', [502] = 'internal',
  [503] = 'overloaded', [504] = 'timeout', [524] = 'timeout', [529] = 'overloaded',
}

-- Words of vendors, as codes and as types. Of OpenAI, Anthropic and those who speak like them.
local BY_WORD = {
  context_length_exceeded = 'context_length',
  insufficient_quota = 'quota',
  billing_error = 'quota',
  billing_hard_limit_reached = 'quota',
  enforced_spend_limit_reached = 'quota',
  contract_spend_limit_reached = 'quota',
  rate_limit_exceeded = 'rate_limit',
  rate_limit_error = 'rate_limit',
  invalid_api_key = 'auth',
  authentication_error = 'auth',
  permission_error = 'forbidden',
  unsupported_country_region_territory = 'forbidden',
  model_not_found = 'not_found',
  not_found_error = 'not_found',
  request_too_large = 'too_large',
  unsupported_parameter = 'unsupported',
  unsupported_value = 'unsupported',
  unknown_parameter = 'unsupported',
  content_policy_violation = 'filter',
  content_filter = 'filter',
  server_is_overloaded = 'overloaded',
  slow_down = 'overloaded',
  overloaded_error = 'overloaded',
  service_unavailable_error = 'overloaded',
  timeout_error = 'timeout',
  invalid_request_error = 'bad_request',
  server_error = 'internal',
  api_error = 'internal',
}

-- Only the text tells these. Lower case, plain.
local BY_TEXT = {
  { 'prompt is too long', 'context_length' },
  { 'maximum context length', 'context_length' },
  { 'context_length_exceeded', 'context_length' },
  { 'credit balance is too low', 'quota' },
}

-- The status that a code means where the upstream gave none (inside a stream).
local STATUS = {
  bad_request = 400, unsupported = 400, context_length = 400, filter = 400, auth = 401,
  quota = 429, forbidden = 403, not_found = 404, too_large = 413, rate_limit = 429,
  overloaded = 503, timeout = 504, cut = 502, connect = 502, empty = 502, internal = 500,
}

M.STATUS = STATUS

--- Makes a short text of a body that is not JSON, such as a page of a proxy on the way.
local function plain(text)
  local title = text:match('<[tT][iI][tT][lL][eE][^>]*>(.-)</')
  local out = title or text:gsub('<[^>]*>', ' ')
  out = out:gsub('%s+', ' '):gsub('^ ', ''):gsub(' $', '')
  if #out > TEXT_MAX then
    out = out:sub(1, TEXT_MAX):gsub('[\192-\247][\128-\191]*$', '')
  end
  return out
end

local function text_of(value)
  if type(value) == 'table' then
    return json.encode(value)
  elseif value ~= nil and value ~= json.null then
    return tostring(value)
  end
  return nil
end

--- Finds the words in a body of any shape: { error = {…} }, { error = "…" }, { detail = … },
--- { message = … }, or no JSON at all.
---
--- @param text string
--- @return { message: string, type?: string, code?: string, param?: string }
local function words(text)
  local body = json.decode(text)
  if type(body) == 'string' then
    return { message = body }
  elseif type(body) ~= 'table' then
    return { message = plain(text) }
  end
  if json.is_array(body) and type(body[1]) == 'table' then
    body = body[1]
  end
  local inner = type(body.error) == 'table' and body.error or body
  local message = read.maybe_text(body.error) or read.maybe_text(inner.message)
    or text_of(body.detail) or text_of(inner.detail) or text_of(inner.msg) or plain(text)
  local details = read.maybe_table(inner.details)
  return {
    message = message,
    type = read.maybe_text(inner.type) or read.maybe_text(inner.status),
    code = text_of(inner.code) or read.maybe_text(details.error_code),
    param = read.maybe_text(inner.param),
  }
end

--- @param status? integer nil inside a stream
--- @param text string
--- @return px.Failure
function M.read(status, text)
  local found = words(text or '')
  local number = tonumber(found.code)
  local code = BY_WORD[found.code or '']
  local kind = BY_WORD[found.type or '']
  local lower = found.message:lower()
  for _, pair in ipairs(BY_TEXT) do
    if lower:find(pair[1], 1, true) then
      code = code or pair[2]
    end
  end
  if not status and number and number >= 400 and number < 600 then
    status = number
  end
  local by_status = status and (BY_STATUS[status] or (status >= 500 and 'internal')
    or 'bad_request')
  -- The type is coarse (everything a client did wrong is one), the status is finer there.
  if not code and (kind == 'bad_request' or kind == 'internal') and by_status then
    kind = by_status
  end
  code = code or kind or by_status or 'internal'
  local message = found.message
  if message == '' then
    message = 'the upstream answered with status ' .. tostring(status or STATUS[code])
  end
  return {
    status = status or STATUS[code],
    code = code,
    message = message,
    type = found.type,
    param = found.param,
    raw_code = found.code,
  }
end

--- A failure made from an error event of a stream.
---
--- @param event px.Event
--- @return px.Failure
function M.of_event(event)
  local code = event.code or 'internal'
  return {
    status = event.status or STATUS[code] or 500,
    code = code,
    message = event.message or 'the upstream failed',
    type = event.type,
    retry_after = event.retry_after,
    upstream = true,
  }
end

--- Headers that every refusal may carry.
---
--- @param failure px.Failure
--- @return table<string, string>
function M.headers(failure)
  local headers = {}
  local wait = failure.retry_after
  if wait then
    headers['retry-after'] = ('%d'):format(math.ceil(math.max(0, wait)))
  end
  return headers
end

--- Statuses that no code stands for are kept as they are.
---
--- @param failure px.Failure
--- @param default integer
--- @return integer
function M.keep(failure, default)
  local status = failure.status
  if failure.code == 'bad_request' and status and status > 400 and status < 500
    and not (BY_STATUS[status] and BY_STATUS[status] ~= 'bad_request') then
    return status
  elseif failure.code == 'internal' and status and status > 500 and status < 600
    and not (BY_STATUS[status] and BY_STATUS[status] ~= 'internal') then
    return status
  end
  return default
end

return M
