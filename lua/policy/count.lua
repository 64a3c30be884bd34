--- How many tokens a request has: the provider is asked, where it can count; else it is guessed.

local bodies = require('px.body')
local attempt = require('policy.attempt')
local estimate = require('protocol._estimate')
local json = require('px.json')
local refuse = require('policy.refuse')
local route = require('policy.route')
local upstreams = require('policy.upstreams')

local M = {}

local ANSWER_MAX = 64 * 1024
local ANSWER_SECONDS = 10  -- Clients count before they ask, and people wait meanwhile.

local function answer(q, body, is_guess)
  q.status = 200
  q.ex:answer(200, {
    ['access-control-allow-origin'] = '*',
    ['content-type'] = 'application/json',
    ['x-proxima-estimated'] = is_guess and 'true' or nil,
  }, body)
end

--- The question in the provider's own form. A request that the provider cannot be told is guessed.
local function ask_of(q, target, counts)
  if counts.protocol == q.protocol then
    if target.model ~= q.asked and not q.speaks.request.model_in_path then
      q.body:model(target.model)
    elseif q.body:get('generateContentRequest.model') then
      q.body:set('generateContentRequest.model', 'models/' .. target.model)
    end
    return q.body
  end
  local written = attempt.written(q, target, counts.protocol)
  return written and bodies.new(
    route.protocol(counts.protocol).count.write(written, target.model))
end

--- Asks the provider. Gives the answer's text and the count, or nothing.
local function ask(q, target)
  local upstream = target.upstream
  local counts = upstream.type.counts
  local account = counts and upstreams.account(upstream, target.model)
  local body = account and ask_of(q, target, counts)
  if not body then
    return nil
  end
  local function url_of(model)
    return upstreams.place(upstream.base .. counts.path, model)
  end
  local options = json.copy(account.options)
  options.timeout = ANSWER_SECONDS
  local at = {
    upstream = upstream, account = account, protocol = counts.protocol, model = target.model,
    headers = account.headers, url_of = url_of, url = url_of(target.model), body = body,
    options = options,
  }
  q.provider, q.upstream_model, q.account = upstream.id, target.model, account.name
  q.signed_by = account
  local status = attempt.exchange(q, at, 'quietly')
  local text = status and q.ex:collect(ANSWER_MAX)
  local reply = text and json.decode(text)
  local tokens = type(reply) == 'table' and route.protocol(counts.protocol).count.read(reply)
  if tokens then
    return text, tokens
  end
end

--- Answers how many tokens a request has.
---
--- @param q table The request: see main.lua.
--- @param target { upstream: px.Upstream, model: string }
function M.run(q, target)
  local request, failure = attempt.read(q)
  if not request then
    return refuse.request(q, failure)
  end
  local text, tokens = ask(q, target)
  if q.status then
    return  -- A rule has answered.
  elseif not text then
    return answer(q, q.speaks.reply.count(estimate.request(request)), true)
  end
  local same = target.upstream.type.counts.protocol == q.protocol
  answer(q, same and text or q.speaks.reply.count(tokens))
end

return M
