--- The entry: every request begins in handle(), in a task of its own.
---
--- C calls: rules(path, chunk) for each file of rules, loaded() when all are there, handle(ex) for
--- a request, failed(ex, why) when that raised or was ended, done(record, outcome) after a request
--- that was kept with ex:keep().

local px = require('px')
rawset(_G, 'px', px)

local answer = require('policy.answer')
local attempt = require('policy.attempt')
local catalog = require('policy.catalog')
local core = require('px.core')
local count = require('policy.count')
local embed = require('policy.embed')
local forward = require('policy.forward')
local images_audio = require('policy.images_audio')
local json = require('px.json')
local message = require('px.message')
local models = require('policy.models')
local refuse = require('policy.refuse')
local route = require('policy.route')
local rules = require('policy.rules')
local sink = require('policy.sink')
local stored = require('policy.stored')
local told = require('policy.told')
local upstreams = require('policy.upstreams')

local M = { rules = rules.load }

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

local VERSION = '0.1.0'
local JSON_HEADERS = {
  ['content-type'] = 'application/json', ['access-control-allow-origin'] = '*',
}

-- What a server of Ollama says at its address, and some clients look for.
local TEXT_HEADERS = {
  ['content-type'] = 'text/plain; charset=utf-8', ['access-control-allow-origin'] = '*',
}

-- What is asked of a model.
local MODEL_OPERATIONS = { chat = true, count = true, embed = true, images_audio = true }

upstreams.load()
route.load()

function M.loaded()
  models.check()
  told.finish()
  rules.finish()
end

-- What is not about models ------------------------------------------------------------------------

local function preflight(ex)
  ex:answer(204, {
    ['access-control-allow-origin'] = '*',
    ['access-control-allow-methods'] = 'GET, HEAD, POST, DELETE, OPTIONS',
    ['access-control-allow-headers'] = ex:header('access-control-request-headers') or '*',
    ['access-control-max-age'] = '86400',
  })
end

local function front(ex)
  ex:answer(200, JSON_HEADERS, { name = 'proxima', version = VERSION })
end

-- Paths that no protocol has.
local OWN_PATHS = {
  ['/'] = true, ['/health'] = true, ['/metrics'] = true, ['/ollama'] = true, ['/ready'] = true,
}

local function not_found(ex, method, path)
  local own = OWN_PATHS[path] or OWN_PATHS[(path:gsub('/$', ''))]
  local allowed = own and 'GET, HEAD' or route.methods(path, ex)
  if allowed then
    return refuse.own(ex, nil, 405, 'bad_request',
      ('%s is asked with %s, not with %s.'):format(path:sub(1, 200), allowed, method),
      { allow = allowed })
  end
  local near = route.nearest(path)
  refuse.answer(ex, refuse.protocol_of(ex), {
    status = 404, code = 'not_found', own_code = json.null,  -- Not a model that is missing.
    message = ('There is no %s %s here%s'):format(method, path:sub(1, 200),
      near and ('; the nearest path is %s.'):format(near) or '.'),
  })
end

local function no_key(ex, op, had)
  refuse.own(ex, op, 401, 'auth', had and 'This key is not one of the gateway\'s client keys.'
    or 'A client key is needed: as Authorization: Bearer, x-api-key, x-goog-api-key or ?key=.')
end

-- Requests to models ------------------------------------------------------------------------------

--- Runs the `request` rules. Gives false when one of them answered.
local function run_rules(q)
  if not rules.concerns('request', q) then
    return true
  end
  local object = message({
    phase = 'request', ex = q.ex, body = q.body, protocol = q.protocol, model = q.model,
    client = q.client, stream = q.stream, path = q.path, tags = {}, state = {},
  })
  q.message, q.tags, q.state = object, object.tags, object.state
  local control = rules.run('request', q, object)
  if control and control.deny then
    local deny = control.deny
    local code, own_code = refuse.code_of(deny.status, deny.code)
    refuse.request(q, {
      status = deny.status, exact = deny.status, message = deny.message,
      code = code, own_code = own_code, retry_after = deny.retry_after,
    })
    return false
  end
  q.renamed = object.model ~= q.model and object.model or nil
  q.target = object.target
  return true
end

--- Keeps what `done` rules will see.
local function keep(q)
  local headers = q.ex:headers()
  headers['authorization'], headers['x-api-key'], headers['x-goog-api-key'] = nil, nil, nil
  q.started = core.now()
  q.record = {
    q = q,
    ex = {
      header = function(_, name)
        return headers[name]
      end,
    },
  }
  q.ex:keep(q.record)
end

--- Where a request goes, or nil and why it goes nowhere.
local function target_of(q, provider)
  local wanted = provider or q.ex:header('model-provider')
  local model = q.renamed or q.model
  local target = q.target or route.target(model, wanted)
  if q.keeper and not q.target and not wanted and not route.split(model) then
    target = stored.target(q, target)
  end
  if not target and not wanted then
    upstreams.want()  -- One of them may tell that it has the model.
    target = route.target(model)
  end
  if target then
    return target
  elseif wanted and not upstreams.get(wanted) then
    return nil, ('There is no provider %q, which Model-Provider names.'):format(wanted:sub(1, 100))
  end
  return nil, ('No provider serves the model %q, and there is no default provider.'):format(model)
end

--- The body of a request, with what policy reads of it; nil and words when it is none.
local function read_body(ex, op)
  local body = ex:body()
  if body then
    local ok, model, stream = body:head()
    if not ok then
      return nil, model
    end
    return body, model, stream
  elseif not ex:upload() then
    return nil, 'The request has no body; JSON is expected.'
  elseif op.operation ~= 'images_audio' then
    return nil, 'The body is multipart/form-data; JSON is expected.'
  end
  local upload, words = images_audio.upload(ex)
  return upload, words or upload:get('model')
end

--- Tells which of the members that policy reads is wrong, and how.
---
--- @param model any True when the model need not be named.
local function wrong(model, stream)
  if model ~= true and (type(model) ~= 'string' or model == '') then
    return 'model', model == nil and 'model is missing.' or 'model must be a non-empty string.'
  elseif stream ~= nil and type(stream) ~= 'boolean' then
    return 'stream', 'stream must be true or false.'
  end
end

--- @param at? { model: string, stream: boolean?, array: boolean? } What the path itself says.
local function ask(ex, op, client, path, provider, at)
  local speaks = route.protocol(op.protocol)
  local body, model, stream = read_body(ex, op)
  if not body then
    return refuse.own(ex, op, 400, 'bad_request', model)
  elseif at then
    model, stream = at.model, at.stream
  elseif stream == nil then
    stream = speaks.request.streams_by_default
  end
  local unnamed = op.operation == 'images_audio' and model == nil  -- The vendor has a default.
  local param, words = wrong(unnamed or model, stream)
  if param then
    return refuse.answer(ex, speaks, {
      status = 400, code = 'bad_request', param = param, message = words,
    })
  end
  local name = unnamed and '' or model
  local q = {
    ex = ex, op = op, client = client, path = path, protocol = op.protocol, speaks = speaks,
    body = body, asked = name, model = name, stream = stream, array = at and at.array,
    single = at and at.single,
    -- What comes of it.
    account = later, ctx = later, failed = later, keeper = later, kept = later, previous = later,
    provider = later, said = later, signed_by = later, status = later, stores = later,
    upstream_model = later, usage = later,
  }
  if rules.done then
    keep(q)
  end
  if rules.request and not run_rules(q) then
    return
  end
  if speaks.request.stateful then
    stored.look(q)
  end
  local at_once = speaks.request.at_once
  if at_once and op.operation == 'chat' and attempt.at_once(q, at_once) then
    return
  end
  local target, why = target_of(q, provider)
  if not target and unnamed and not (provider or ex:header('model-provider')) then
    return images_audio.nowhere(q)
  elseif not target then
    return refuse.request(q, { status = 404, code = 'not_found', message = why })
  end
  if op.operation == 'count' then
    return count.run(q, target)
  elseif op.operation == 'embed' then
    return embed.run(q, target)
  elseif op.operation == 'images_audio' then
    return images_audio.run(q, target)
  end
  attempt.run(q, target)
end

--- Reads a path that says what is asked of which model: Gemini's `models/m:generateContent`.
local function located(ex, op, rest)
  local locate = route.protocol(op.protocol).request.locate
  local at = locate and locate(rest, function(name)
    return ex:query(name)
  end)
  return at and { protocol = op.protocol, operation = at.operation }, at
end

--- What /health and /ready say of one provider: there, and able to serve.
local function about_provider(ex, method, path)
  local id, what = path:match('^/([^/]+)/(%l+)$')
  local upstream = id and upstreams.get(id)
  if not upstream or method ~= 'GET' or what ~= 'health' and what ~= 'ready' then
    return false
  end
  local serves = what == 'health' or #upstream.accounts > 0
  ex:answer(serves and 200 or 503, JSON_HEADERS,
    { status = not serves and 'no account' or what == 'health' and 'ok' or 'ready' })
  return true
end

--- Answers one request. Runs in a task; may wait.
function M.handle(ex)
  local method, path, query = ex:head()
  local asks = method == 'HEAD' and 'GET' or method  -- The engine leaves the body of a HEAD out.
  if method == 'OPTIONS' then
    return preflight(ex)
  elseif path == '/' and asks == 'GET' then
    return front(ex)
  elseif asks == 'GET' and path:find('^/ollama/?$') then
    return ex:answer(200, TEXT_HEADERS, 'Ollama is running')
  end
  local op, provider, rest = route.find(asks, path, ex)
  local passed, inner = route.forwarded(path)
  if passed then
    local client, had = ex:client()
    if not client then
      return no_key(ex, nil, had)
    end
    return forward.run(ex, passed, method, inner, query)
  elseif not op then
    return about_provider(ex, asks, path) or not_found(ex, method, path)
  end
  local at
  if rest and method == 'POST' and op.operation ~= 'stored' then
    op, at = located(ex, op, rest)
    if not at then
      return not_found(ex, method, path)
    end
  end
  local client, had = ex:client()
  if not client then
    return no_key(ex, op, had)
  end
  local operation = op.operation
  if MODEL_OPERATIONS[operation] then
    return ask(ex, op, client, path, provider, at)
  end
  if operation == 'stored' then
    return stored.answer(ex, op, client, provider, { method = asks, rest = rest, query = query })
      or not_found(ex, method, path)
  end
  return catalog.answer(ex, op, provider, rest) or not_found(ex, method, path)
end

local LARGE = 256 * 1024

--- Tells whether the guard ended a request for being more than one may be.
local function too_much(ex, why)
  if why:find('^lua/.*ran for too long') then
    return true
  end
  local body = why:find('too much memory', 1, true) and ex:body()
  return body and #body > LARGE
end

--- What a client is told of a request that failed here.
local function failure_of(ex, why)
  if why == 'canceled' then
    return {
      status = 503, code = 'overloaded',
      message = 'The gateway ended this request: it stops, or its configuration changed.',
    }
  elseif too_much(ex, why) then
    return {
      status = 413, code = 'too_large',
      message = 'This request takes more time or memory to convert than one may have.',
    }
  end
  return {
    status = 500, code = 'internal',
    message = 'The gateway failed to answer this request; its log says why.',
  }
end

--- handle() raised, or was ended: the client is told, in its protocol.
---
--- @param why string What went wrong, or 'canceled' when the gateway itself ended the request.
function M.failed(ex, why)
  local method, path = ex:head()
  local op = route.find(method, path, ex)
  local failure = failure_of(ex, why)
  local protocol = refuse.protocol_of(ex, op)
  if not ex:started() then
    refuse.answer(ex, protocol, failure)
    return
  elseif answer.whole[ex] then
    return ex:abort()
  end
  local write = protocol.stream.writer({
    model = '', id = core.id(), now = math.floor(core.now()), lost = function() end, settings = {},
    knowledge = {}, stream = true, include_usage = false,
  })
  local text = write({
    kind = 'error', code = failure.code, message = failure.message, status = failure.status,
  })
  if text then
    -- The upstream may have stopped inside a line.
    ex:write(protocol.stream.framing == 'lines' and '\n' or '\n\n')
    ex:write(text)
  end
  ex:finish()
end

--- Runs the `done` rules on what is known of an ended request.
---
--- @param record table
--- @param outcome 'ended'|'left'|'failed'
function M.done(record, outcome)
  local q = record.q
  local seen = {
    ex = record.ex, client = q.client, model = q.model, path = q.path, protocol = q.protocol,
    provider = q.provider, upstream_model = q.upstream_model, account = q.account,
    stream = q.stream or false, status = q.status or outcome == 'failed' and 500 or nil,
    usage = sink.usage_of(q), tags = q.tags or {},
    code = q.failed, seconds = core.now() - q.started,
    outcome = outcome ~= 'ended' and outcome or q.failed and 'failed' or 'ok',
  }
  rules.run('done', seen, seen)
end

return M
