--- One attempt: the request in the form that one upstream expects, sent to it, and its answer given
--- to the client.

local adapt = require('policy.adapt')
local answer = require('policy.answer')
local bodies = require('px.body')
local core = require('px.core')
local estimate = require('protocol._estimate')
local json = require('px.json')
local knowledge = require('policy.knowledge')
local media = require('policy.media')
local message = require('px.message')
local read = require('protocol._read')
local refuse = require('policy.refuse')
local route = require('policy.route')
local rules = require('policy.rules')
local stored = require('policy.stored')
local upstreams = require('policy.upstreams')

local M = {}

local REFUSAL_LIMIT = 1024 * 1024
local NONE = read.NONE

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

local function elapsed(ctx)
  return math.floor((core.clock() - ctx.began) * 1e9)
end

--- What the conversion of one request knows, and where it says what it lost.
function M.context(q, target, from, to)
  local losses = {}
  for i, path in ipairs(q.removed or NONE) do
    losses[i], losses[path] = path, true
  end
  local ctx = {
    model = target.model,
    knowledge = knowledge.lookup(target.model, to, target.upstream.id),
    id = core.id(),
    now = math.floor(core.now()),
    stream = q.stream or false,
    array = q.array,
    path = q.path,
    include_usage = false,
    protocol = from,
    origin = (target.upstream.origins or NONE)[to] or to,
    settings = target.upstream.settings,
    began = core.clock(),
    elapsed = elapsed,
    losses = losses,  -- A list, and by path a set.
    lost = later,
    -- What the protocols note.
    client = later, customs = later, declared = later, echo = later, estimate = later,
    item = later, keep = later, logprobs = later, names = later,
    namespaces = later, previous = later, stops = later,
  }
  function ctx.lost(path)
    local list = ctx.losses
    if not list[path] then
      list[path], list[#list + 1] = true, path
      upstreams.count_loss(from, to, path)
    end
  end
  return ctx
end

--- Reads the client's request into the neutral model. Raises what the body breaks as a refusal.
local function read_request(q, ctx)
  local body = q.body:json()
  if q.speaks.request.stateful then
    stored.prepare(q, body, ctx)
  end
  local ok, result = pcall(q.speaks.request.read, body, ctx)
  if ok then
    ctx.include_usage = result.include_usage or false
    if q.stream then
      ctx.estimate = estimate.request(result)
    end
    return result
  elseif type(result) == 'table' and result.status then
    return nil, {
      status = result.status, code = result.code or 'bad_request', message = result.message,
      param = result.param, raw_code = result.raw_code,
    }
  end
  error(result, 0)
end

--- A request in the words of another protocol.
---
--- @return table? body
--- @return px.Context|px.Failure more
function M.written(q, target, to)
  local ctx = M.context(q, target, q.protocol, to)
  local request, failure = read_request(q, ctx)
  if not request then
    return nil, failure
  end
  request.model = target.model
  local writer = route.protocol(to).request
  failure = media.resolve(q, request, writer.wants_bytes, ctx)
  if failure then
    return nil, failure
  end
  local ok, body = pcall(writer.write, request, ctx)
  if not ok and type(body) == 'table' and body.status then
    return nil, {
      status = body.status, code = body.code or 'bad_request', message = body.message,
      param = body.param, raw_code = body.raw_code,
    }
  elseif not ok then
    error(body, 0)
  end
  return body, ctx
end

local function convert(q, target, to)
  local body, ctx = M.written(q, target, to)
  if not body then
    return nil, nil, ctx
  end
  if target.upstream.loss == 'refuse' and #ctx.losses > 0 then
    return nil, nil, {
      status = 400, code = 'unsupported',
      message = ('%s cannot be told to %s without loss, and this provider refuses losses.')
        :format(table.concat(ctx.losses, ', '), target.upstream.id),
    }
  end
  return bodies.new(body), ctx
end

--- Runs the `attempt` rules, which may change everything but the secret. Gives false when one of
--- them refused the request.
local function run_rules(q, at)
  local subject = {
    ex = q.ex, model = q.model, client = q.client, path = q.path, stream = q.stream,
    protocol = q.protocol, provider = at.upstream.id, upstream_model = at.model,
  }
  if not rules.concerns('attempt', subject) then
    return true
  end
  q.tags, q.state = q.tags or {}, q.state or {}
  at.headers, at.asked_url = json.copy(at.headers), at.url
  local signs = {}
  for name in pairs(at.headers) do
    if name:find('auth') or name:find('key') or name:find('token') then
      signs[name], at.headers[name] = at.headers[name], nil
    end
  end
  local object = message({
    phase = 'attempt', ex = q.ex, body = at.body, protocol = at.protocol, model = at.model,
    client = q.client, stream = q.stream, path = q.path, tags = q.tags, state = q.state,
    provider = at.upstream.id, account = at.account.name, url = at.url, headers = at.headers,
  })
  local control = rules.run('attempt', subject, object)
  if control then
    refuse.request(q, control.deny)
    return false
  end
  for name, value in pairs(signs) do
    at.headers[name] = at.headers[name] or value
  end
  at.url = object.url
  if object.model ~= at.model then
    at.model = object.model
    if not route.protocol(at.protocol).request.model_in_path then
      at.body:model(object.model)
    elseif object.url == at.asked_url then
      at.url = at.url_of and at.url_of(object.model)
        or upstreams.url(at.upstream, at.protocol, object.model, q.stream)
    end
  end
  return true
end

--- Lets the provider have its last word.
local function shape(q, at)
  at.headers = json.copy(at.headers)
  local shaped = {
    url = at.url, headers = at.headers, protocol = at.protocol, model = at.model,
    account = at.account.name, path = q.protocol == at.protocol and q.path or nil,
    client_headers = q.protocol == at.protocol and q.ex:headers() or NONE,
  }
  at.upstream.type.shape(shaped)
  at.url, at.headers = shaped.url, shaped.headers
end

--- The upstream refused: its words go to the client.
---
--- @param text string The refusal's body.
local function refused(q, at, status, text)
  local ex = q.ex
  local headers = ex:reply_headers()
  if status < 400 then
    refuse.request(q, {
      status = 502, code = 'internal', upstream_status = status,
      message = ('The upstream %s redirects (%d); redirects are not followed.')
        :format(at.upstream.id, status),
    })
    return
  end
  if status == 407 then
    -- A proxy on the way wants to know us: nothing that the client could do about it.
    return refuse.request(q,
      refuse.transfer(at.upstream, 'connect', 'the proxy refuses its user (407)'))
  end
  local failure = refuse.read(route.protocol(at.protocol), status, text, headers, at.account)
  local body = json.decode(text)
  if at.protocol == q.protocol and status ~= 401 and type(body) == 'table'
    and type(body.error) == 'table' then
    q.status, q.failed = status, failure.code
    return refuse.pass(ex, failure, status, text, headers, at.account)
  end
  refuse.request(q, failure)
end

local function from_engine(q, target, at)
  local ctx = M.context(q, target, q.protocol, q.protocol)
  local request, failure = read_request(q, ctx)
  if not request then
    return refuse.request(q, failure)
  end
  request.model = target.model
  if rules.attempt and not run_rules(q, at) then
    return
  end
  answer.from_engine(q, ctx, function(out)
    at.upstream.type.answer(request, out, at.upstream.settings)
  end)
end

--- There is no answer: the upstream gave none, or the client's upload broke off.
local function no_answer(q, at, code, text, own)
  if code == 'upload' then
    return refuse.request(q, { status = own, code = refuse.code_of(own), message = text })
  end
  refuse.request(q, refuse.transfer(at.upstream, code, refuse.without_secret(text, at.account)))
end

--- Sends a request that is ready, after the `attempt` rules and the provider's last word.
---
--- @param at table upstream, account, protocol, model, url, headers, body; `upload` true instead:
---   the client's; `as_is`: nothing is left out that the upstream refuses; `options` in place of
---   the account's.
--- @param quietly? 'quietly' The client is not told of a refusal.
--- @return integer? status Of an answer that is none of a refusal; nil when the client was told.
function M.exchange(q, at, quietly)
  local ex = q.ex
  if rules.attempt and not run_rules(q, at) then
    return nil
  end
  if at.upstream.type.shape then
    shape(q, at)
  end
  local options = at.options or (at.as_is or q.stream) and at.account.stream_options
    or at.account.options
  if not at.as_is then
    adapt.before(q, at)
  end
  while true do
    local status, code, text, own = ex:send(at.url, at.headers, at.upload or at.body, options)
    if quietly and (not status or status ~= 200) then
      ex:cancel()
      return nil
    elseif not status then
      no_answer(q, at, code, text, own)
      return nil
    elseif status >= 200 and status <= 299 then
      return status
    end
    local words = ex:collect(REFUSAL_LIMIT) or ''
    if at.as_is or not adapt.after(q, at, status, words) then
      refused(q, at, status, words)
      return nil
    end
  end
end

local function send(q, target, at)
  local ctx
  if at.protocol == q.protocol then
    if q.kept then
      stored.spell_out(q)
    end
    at.body = q.body
    if target.model ~= q.asked and not q.speaks.request.model_in_path then
      q.body:model(target.model)
    end
  else
    local failure
    at.body, ctx, failure = convert(q, target, at.protocol)
    if failure then
      return refuse.request(q, failure)
    end
    at.ctx = ctx
  end
  local status = M.exchange(q, at)
  if status then
    answer.from_upstream(q, at, status, ctx or function()
      local own = M.context(q, target, q.protocol, at.protocol)
      if q.stores then
        stored.watch(q, own)
      end
      return own
    end)
  end
end

--- A target for what no upstream is asked.
local function nowhere(q)
  return { model = q.model, upstream = { settings = {} } }
end

--- Answers a request that asks its model nothing, as the protocol says. False: it is another one.
---
--- @param at_once fun(body: px.Body, path: string, make: fun(): px.Context): table?
function M.at_once(q, at_once)
  local body = at_once(q.body, q.path, function()
    return M.context(q, nowhere(q), q.protocol, q.protocol)
  end)
  if body then
    q.status = 200
    q.ex:answer(200, {
      ['access-control-allow-origin'] = '*', ['content-type'] = 'application/json',
    }, body)
  end
  return body ~= nil
end

--- Reads a request, to see what is in it.
---
--- @return px.Request? request
--- @return px.Failure? failure
function M.read(q)
  return read_request(q, M.context(q, nowhere(q), q.protocol, q.protocol))
end

--- Answers a request through one target.
---
--- @param q table The request: see main.lua.
--- @param target { upstream: px.Upstream, model: string }
function M.run(q, target)
  local upstream = target.upstream
  local account = q.keeper and stored.account(q, upstream)
    or upstreams.account(upstream, target.model)
  if not account then
    return refuse.request(q, {
      status = 503, code = 'overloaded', message = upstreams.why_none(upstream, target.model),
    })
  end
  local protocol = upstream.urls[q.protocol] and q.protocol or upstream.first
  local at = {
    upstream = upstream, account = account, protocol = protocol, model = target.model,
    url = upstreams.url(upstream, protocol, target.model, q.stream), headers = account.headers,
    body = later, ctx = later,
  }
  q.provider, q.upstream_model, q.account = upstream.id, target.model, account.name
  q.signed_by = account
  if upstream.type.answer then
    at.protocol, at.body = q.protocol, q.body
    from_engine(q, target, at)
  else
    send(q, target, at)
  end
end

return M
