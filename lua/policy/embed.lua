--- Embeddings: texts go to the provider's own protocol for them, vectors come back as they were
--- written, digit by digit.

local answer = require('policy.answer')
local attempt = require('policy.attempt')
local bodies = require('px.body')
local estimate = require('protocol._estimate')
local json = require('px.json')
local refuse = require('policy.refuse')
local route = require('policy.route')
local sink = require('policy.sink')
local upstreams = require('policy.upstreams')

local M = {}

--- The same form of the answer for the same form of the question.
local function is_single(q)
  return q.single or q.path:find('/api/embeddings$') ~= nil
end

local function url_of(upstream, model, single)
  local embeds = upstream.type.embeds
  return upstreams.place(upstream.base .. (single and embeds.single or embeds.path), model)
end

--- The vendor reads what the client wrote, but for the model's name.
local function pass(q, at, target)
  at.body = q.body
  if target.model == q.asked then
    return
  elseif not q.speaks.request.model_in_path then
    q.body:model(target.model)
  else
    q.body:set(is_single(q) and 'model' or 'requests[*].model', 'models/' .. target.model)
  end
end

--- @return px.Context? ctx nil when the client was answered.
--- @return px.EmbedRequest? request
local function convert(q, at, target)
  local ctx = attempt.context(q, target, q.protocol, at.protocol)
  ctx.single = is_single(q)
  local ok, result = pcall(function()
    local body = json.decode(q.body:text(), 'vectors')
    local request = q.speaks.embed.read(body, ctx)
    if request.tokens then
      error({
        status = 400, param = 'input',
        message = 'input: tokens mean nothing to this upstream; send texts',
      }, 0)
    end
    request.model = target.model
    at.body = bodies.new(route.protocol(at.protocol).embed.write(request, ctx))
    return request
  end)
  if ok then
    ctx.packed = result.packed
    return ctx, result
  elseif type(result) == 'table' and result.status then
    return refuse.request(q, {
      status = result.status, code = 'bad_request', message = result.message, param = result.param,
    })
  end
  error(result, 0)
end

local function give(q, at, ctx, request)
  local body, text = answer.collect(q, at)
  if not body then
    return
  end
  local ok, reply = pcall(route.protocol(at.protocol).embed.read_reply, body, ctx)
  if not ok and type(reply) ~= 'table' then
    error(reply, 0)
  elseif not ok or #reply.vectors ~= #request.inputs then
    return sink.nonsense(q, at, 'vectors that do not fit the texts: ' .. text:sub(1, 100))
  end
  reply.input = reply.input or estimate.text(table.concat(request.inputs))
  q.usage = {
    kind = 'usage', input = reply.input, cache_read = 0, cache_write = 0, output = 0, reasoning = 0,
  }
  ctx.model = q.model
  answer.whole_body(q, ctx, q.speaks.embed.write_reply(reply, ctx))
end

--- Answers a request for embeddings through one target.
---
--- @param q table The request: see main.lua.
--- @param target { upstream: px.Upstream, model: string }
function M.run(q, target)
  local upstream = target.upstream
  local embeds = upstream.type.embeds
  local account = embeds and upstreams.account(upstream, target.model)
  if not embeds or not q.speaks.embed then
    return refuse.request(q, {
      status = 400, code = 'unsupported',
      message = ('The provider %s makes no embeddings.'):format(upstream.id),
    })
  elseif not account then
    return refuse.request(q, {
      status = 503, code = 'overloaded', message = upstreams.why_none(upstream, target.model),
    })
  end
  local same = embeds.protocol == q.protocol
  local at = {
    upstream = upstream, account = account, protocol = embeds.protocol, model = target.model,
    headers = account.headers,
    url_of = function(model)
      return url_of(upstream, model, same and is_single(q))
    end,
  }
  at.url = at.url_of(target.model)
  q.provider, q.upstream_model, q.account = upstream.id, target.model, account.name
  q.signed_by = account
  local ctx, request
  if same then
    pass(q, at, target)
  else
    ctx, request = convert(q, at, target)
    if not ctx then
      return
    end
  end
  local status = attempt.exchange(q, at)
  if not status then
    return
  elseif same then
    return answer.relay(q, at, status)
  end
  give(q, at, ctx, request)
end

return M
