--- Images and sound: what OpenAI-shaped upstreams alone can do. Requests and answers pass as they
--- are, but for the model's name; an upload is not kept, it passes through piece by piece.

local answer = require('policy.answer')
local attempt = require('policy.attempt')
local json = require('px.json')
local refuse = require('policy.refuse')
local rules = require('policy.rules')
local sink = require('policy.sink')
local upstreams = require('policy.upstreams')

local M = {}

local HEADERS = { ['access-control-allow-origin'] = '*', ['x-accel-buffering'] = 'no' }

local TAPS = { 'usage' }

local HOLD_SECONDS = 10

local ERROR_MAX = 64 * 1024  -- A longer first event is no error.

local LATE = 'model is needed within the first 256 KiB of the upload; send it before the file, '
  .. 'or name the provider in the path or in Model-Provider.'

-- An upload as rules see it: it has a model, and nothing that can be read or changed.
local Upload = {}
Upload.__index = Upload

local function unread()
  error('an upload passes unread: only its model is known', 0)
end

for _, name in ipairs({ 'json', 'set', 'remove', 'text' }) do
  Upload[name] = unread
end

function Upload:get(path)
  return path == 'model' and self.ex:field('model') or nil
end

function Upload:model(name)
  self.ex:set_field('model', name)
end

--- Reads of an upload what policy reads.
---
--- @param ex px.Exchange
--- @return table? body nil when the body is none.
--- @return string? words What is wrong with it.
function M.upload(ex)
  local _, why = ex:field('model')
  if why and why ~= 'absent' and why ~= 'late' then
    return nil, 'The upload is not valid multipart/form-data: ' .. why
  end
  return setmetatable({ ex = ex, upload = true, late = why == 'late' }, Upload)
end

--- The account for a model; for one that is not named, the first.
local function account_of(target)
  if target.model == '' then
    return target.upstream.accounts[1]
  end
  return upstreams.account(target.upstream, target.model)
end

--- Puts a model's name where the client's stands. Gives false where an upload has none in reach.
local function rename(q, name)
  if q.asked ~= '' then
    q.body:model(name)
  elseif not q.body.upload then
    q.body:set('model', name)
  end
  return q.asked ~= '' or not q.body.upload
end

local function headers_of(q, account)
  local headers = json.copy(account.headers)
  headers.accept = q.ex:header('accept') or '*/*'
  if q.body.upload then
    headers['content-type'] = q.ex:header('content-type')
  end
  return headers
end

--- The event that ends a stream which the upstream did not end.
local function give_up(q, at, code, words)
  local failure = refuse.transfer(at.upstream, code, words)
  local _, body = q.speaks.errors.write(failure)
  q.failed = failure.code
  q.ex:write((q.ex:tapped().inside and '\n\n' or '') .. 'data: ' .. json.encode(body) .. '\n\n')
  q.ex:finish()
end

--- Notes for `done` rules what an answer says of its usage, where it counts tokens.
local function note_usage(q)
  local text = q.ex:tapped().usage
  local body = text and json.decode(text)
  local usage = type(body) == 'table' and body.usage
  if type(usage) == 'table' and type(usage.input_tokens) == 'number' then
    q.usage = {
      kind = 'usage', input = usage.input_tokens, cache_read = 0, cache_write = 0,
      output = type(usage.output_tokens) == 'number' and usage.output_tokens or 0, reasoning = 0,
    }
  end
end

local function framing_of(kind)
  return kind:find('^text/event%-stream') and 'sse'
    or kind:find('^application/json') and 'json'
    or kind:find('^text/') and 'whole'
    or 'bytes'
end

--- Looks at the first event of a stream: an error gets its real status.
---
--- @return boolean go False when the client was answered.
local function look(q, at)
  q.ex:events('sse', true)
  local kind, data = q.ex:next(HOLD_SECONDS)
  if kind == nil then
    local complete, code, words = q.ex:ended()
    if not complete then
      refuse.request(q, refuse.transfer(at.upstream, code, words))
      return false
    end
  end
  local body = kind and #data <= ERROR_MAX and json.decode(data)
  local told = type(body) == 'table' and body.error
  if not told or told == json.null then
    told = type(body) == 'table' and body.type == 'error' and body
  end
  if not told then
    return true
  end
  local failure = q.speaks.errors.read(nil, json.encode({ error = told }))
  refuse.request(q, sink.failure_of(q, failure))
  return false
end

--- Passes the answer on: JSON, a text, a stream of events, or sound while it is spoken.
local function give(q, at, status)
  local ex = q.ex
  local kind = (ex:reply_header('content-type') or ''):lower()
  if kind:find('text/html', 1, true) then
    return sink.nonsense(q, at, 'a page: ' .. (ex:collect(1000) or ''):sub(1, 100))
  end
  local framing = framing_of(kind)
  if framing == 'sse' and not look(q, at) then
    return
  end
  ex:release()
  q.status, q.body = status, nil
  answer.whole[ex] = framing ~= 'sse' or nil
  local taps = rules.done and (framing == 'sse' or framing == 'json') and TAPS or nil
  local ok, code, words = ex:relay(status, HEADERS, framing, taps)
  if taps then
    note_usage(q)
  end
  if ok then
    ex:finish()
  elseif framing == 'sse' then
    give_up(q, at, code, words)
  elseif ex:started() then
    q.failed = code
    ex:abort()
  elseif code == 'protocol' and framing == 'json' then
    sink.nonsense(q, at, words)
  else
    refuse.request(q, refuse.transfer(at.upstream, code, words))
  end
end

--- Answers a request for images or sound through one target.
---
--- @param q table The request: see main.lua. `asked` is '' when it names no model.
--- @param target { upstream: px.Upstream, model: string }
function M.run(q, target)
  local upstream = target.upstream
  if upstream.type.images_audio ~= q.protocol then
    return refuse.request(q, {
      status = 400, code = 'unsupported',
      message = q.body.late and LATE
        or ('The provider %s has no %s.'):format(upstream.id, q.op.place),
    })
  end
  local account = account_of(target)
  if not account then
    return refuse.request(q, {
      status = 503, code = 'overloaded', message = upstreams.why_none(upstream, target.model),
    })
  end
  if target.model ~= q.asked and not rename(q, target.model) then
    return refuse.request(q, {
      status = 400, code = 'bad_request', param = 'model', message = LATE,
    })
  end
  local at = {
    upstream = upstream, account = account, protocol = q.protocol, model = target.model,
    url = upstream.base .. q.op.place, headers = headers_of(q, account), body = q.body,
    upload = q.body.upload, as_is = true,
  }
  q.provider, q.upstream_model, q.account = upstream.id, target.model, account.name
  q.signed_by = account
  local status = attempt.exchange(q, at)
  if status then
    give(q, at, status)
  end
end

--- No provider was found for a request that names no model.
function M.nowhere(q)
  refuse.request(q, {
    status = 400, code = 'bad_request', param = 'model',
    message = q.body.late and LATE or 'model is missing, and there is no default provider.',
  })
end

return M
