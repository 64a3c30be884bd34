--- Errors of Responses: those of Chat Completions, and what stands inside streams.

local chat = require('protocol.openai_chat.errors')
local json = require('px.json')
local read = require('protocol._read')
local retry = require('protocol._retry')

local M = {}

-- Neutral code: what `response.error.code` of a failed response says.
local IN_STREAM = {
  auth = 'server_error', context_length = 'context_length_exceeded', filter = 'invalid_prompt',
  bad_request = 'invalid_prompt', unsupported = 'invalid_prompt', quota = 'insufficient_quota',
  rate_limit = 'rate_limit_exceeded', overloaded = 'server_is_overloaded',
}

--- Seconds that only the words of a refusal name: "Please try again in 1.2s".
local function told_wait(message)
  local text = message:match('try again in ([%d.hms]+)')
  return text and retry.duration((text:gsub('%.$', '')))
end

--- Reads an upstream's refusal.
---
--- @param status? integer nil for an error inside a stream.
--- @param text string The body, which may be anything.
--- @param headers? table<string, string> Names in lower case.
--- @param now? integer Seconds since 1970, to understand dates.
--- @return px.Failure
function M.read(status, text, headers, now)
  local failure = chat.read(status, text, headers, now)
  if failure.code == 'rate_limit' and not failure.retry_after then
    failure.retry_after = told_wait(failure.message)
  end
  return failure
end

--- The text of a refusal that an event or a failed response holds, in the shape of a body.
---
--- @param body table An `error` event, a response, or an event with one.
--- @return string
function M.text_of(body)
  local inner = read.maybe_table(body.response)
  local found = inner.error
  if found == nil or found == json.null then
    found = body.error
  end
  if found == nil or found == json.null then
    local message = read.maybe_text(body.message)
    found = {
      message = message or 'the upstream said that its answer failed',
      code = message and body.code,
    }
  end
  return json.encode({ error = found })
end

--- The failure that an error event tells.
M.failure = chat.failure

--- Writes a refusal for a client. Clients tell some mistakes by their code alone.
---
--- @param failure px.Failure
--- @return integer status
--- @return table body
--- @return table<string, string> headers
function M.write(failure)
  local status, body, headers = chat.write(failure)
  if failure.code == 'bad_request' and body.error.code == json.null and failure.raw_code then
    body.error.code = failure.raw_code
  end
  return status, body, headers
end

--- What an error says inside a stream: the members of an `error` event, the code of the response.
---
--- @param event px.Event
--- @return table wire type, code, message, param
--- @return string code
function M.in_stream(event)
  local failure = M.failure(event)
  local _, body = M.write(failure)
  local wire = body.error
  local wait = failure.retry_after
  -- Clients of this protocol read the wait out of the words.
  if wait and not wire.message:find('try again in', 1, true) then
    wire.message = ('%s Please try again in %ds.'):format(wire.message, math.ceil(wait))
  end
  local code = IN_STREAM[failure.code] or 'server_error'
  if wire.code == json.null then
    wire.code = code
  end
  return wire, code
end

return M
