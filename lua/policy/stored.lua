--- Answers of the Responses API that clients may go on from: `previous_response_id`, items meant by
--- their ids, and what /v1/responses/{id} tells.
---
--- What an upstream answered that has no such thing is kept here: each response with its own
--- request's items and the id of the one before it, so that a conversation of n turns takes n
--- records. Of what an upstream keeps itself, only who that was is noted.
---
--- Records belong to the client whose key asked: others do not find them. Their ids are no secrets.

local cache = require('px.cache').responses
local core = require('px.core')
local forward = require('policy.forward')
local json = require('px.json')
local refuse = require('policy.refuse')
local route = require('policy.route')
local upstreams = require('policy.upstreams')
local escape = require('px.url').escape

local M = {}

local KEEP_SECONDS = 7 * 24 * 3600
local CHAIN_MAX = 1000  -- Responses in one conversation.
local NOTE_MAX = 1000   -- Bytes of a record that only says who keeps a response.

local HEADERS = {
  ['content-type'] = 'application/json', ['access-control-allow-origin'] = '*',
}

-- The store: what a database would have to do. Each function may wait. ---------------------------

local function key_of(client, id)
  return client .. '\0' .. id
end

--- @param record table { input, response, previous } or { provider, account }
local function save(client, id, record)
  if not cache.put(key_of(client, id), json.encode(record), KEEP_SECONDS) then
    core.log('warn', 'a response is too large to be kept for its client; see limits.responses')
  end
end

local function find(client, id)
  local text = #id < NOTE_MAX and cache.get(key_of(client, id))
  return text and json.decode(text) or nil
end

--- Who keeps a response, nil when it is kept here or by nobody.
local function keeper(client, id)
  local text = #id < NOTE_MAX and cache.get(key_of(client, id))
  local record = text and #text < NOTE_MAX and json.decode(text)
  return record and record.provider and record or nil, text ~= nil
end

local function forget(client, id)
  cache.remove(key_of(client, id))
end

-- Going on ----------------------------------------------------------------------------------------

local function items_of(input)
  if type(input) == 'string' then
    return { { role = 'user', content = input } }
  end
  return input
end

--- The items of a conversation up to a response, in order; nil when a part of it is not here.
local function conversation(client, id)
  local records = {}
  while id do
    local record = find(client, id)
    if not record or not record.response or #records == CHAIN_MAX then
      return nil
    end
    records[#records + 1] = record
    id = record.previous
  end
  local items = json.array()
  for i = #records, 1, -1 do
    for _, list in ipairs({ records[i].input, records[i].response.output }) do
      for _, item in ipairs(list) do
        items[#items + 1] = item
      end
    end
  end
  return items
end

--- An item of a kept response by its id, which has the response's in it.
local function item_of(ctx, id)
  local response, at = tostring(id):match('^%a+_(%w+)_(%d+)$')
  local record = response and find(ctx.client, 'resp_' .. response)
  local item = record and record.response and record.response.output[tonumber(at) + 1]
  return type(item) == 'table' and item.id == id and item or nil
end

--- Reads what a request says of earlier and later ones, before a provider is chosen.
---
--- @param q table The request, see main.lua. Gets `stores`, `previous`, `kept` (its conversation is
---   here) and `keeper` (an upstream has it).
function M.look(q)
  q.stores = q.body:get('store') ~= false
  local id = q.body:get('previous_response_id')
  if type(id) == 'string' then
    q.previous = id
    q.keeper, q.kept = keeper(q.client, id)
    q.kept = q.kept and not q.keeper
  end
end

--- The target that has the conversation which a request goes on with.
---
--- @param q table
--- @param target? table Where it would go without that.
--- @return table? target
function M.target(q, target)
  local upstream = q.keeper and upstreams.get(q.keeper.provider)
  if not upstream or target and target.upstream == upstream then
    return target
  end
  return { upstream = upstream, model = target and target.model or q.renamed or q.model }
end

--- The account that has it.
function M.account(q, upstream)
  if q.keeper and q.keeper.provider == upstream.id then
    for _, account in ipairs(upstream.accounts) do
      if account.name == q.keeper.account then
        return account
      end
    end
  end
end

--- Gives a conversion what was said before, and takes what is answered.
---
--- @param q table
--- @param body table The client's request.
--- @param ctx px.Context
function M.prepare(q, body, ctx)
  local previous = q.kept and conversation(q.client, q.previous)
  ctx.previous, ctx.client, ctx.item = previous, q.client, item_of
  if q.stores then
    function ctx.keep(response)
      save(q.client, response.id, {
        previous = previous and q.previous, input = items_of(body.input), response = response,
      })
    end
  end
end

--- Makes a request that goes on with what is kept here one that says all of it, for an upstream
--- that speaks Responses itself. Thoughts are signed for others: they stay behind.
function M.spell_out(q)
  local items = conversation(q.client, q.previous)
  if not items then
    return  -- The upstream will say that it knows no such response.
  end
  local all = json.array()
  local function add(list)
    for _, item in ipairs(type(list) == 'table' and list or {}) do
      if type(item) ~= 'table' or item.type ~= 'reasoning' then
        all[#all + 1] = item
      end
    end
  end
  for _, item in ipairs(items) do
    if type(item) == 'table' then
      item.id, item.status = nil, nil
    end
  end
  add(items)
  add(items_of(q.body:get('input')))
  q.body:set('input', all)
  q.body:remove('previous_response_id')
end

--- Notes who keeps a response that passes unread.
---
--- @param text? string JSON that holds the response.
function M.note(q, text)
  local id = q.stores and text and text:match('"id"%s*:%s*"(resp[^"\\]*)"')
  if id then
    save(q.client, id, { provider = q.provider, account = q.account })
  end
end

--- The same for a response that is read and written anew on its way.
function M.watch(q, ctx)
  function ctx.keep(response)
    save(q.client, response.id, { provider = q.provider, account = q.account })
  end
end

-- /v1/responses/{id} ------------------------------------------------------------------------------

local function unknown(ex, op, id)
  return refuse.answer(ex, route.protocol(op.protocol), {
    status = 404, code = 'not_found', own_code = json.null, param = 'id',
    message = ('Response with id %q not found.'):format(id:sub(1, 100)),
  })
end

--- The upstream that may know what nobody here does: the one that the client names, or the default
--- one.
local function guess(ex, provider)
  local target = route.target('', provider or ex:header('model-provider'))
  return target and target.upstream
end

--- Asks the upstream that keeps it. False when there is none.
local function ask(ex, op, method, upstream, account, rest, query)
  local url = upstream and upstream.urls[op.protocol]
  if not url or not account then
    return false
  end
  forward.send(ex, upstream, account, {
    method = method, url = url .. '/' .. escape(rest, '/') .. (query ~= '' and '?' .. query or ''),
    headers = account.headers,
  })
  return true
end

-- Method and what of a response is asked: the answer of one that is kept here.
local KEPT = {}

KEPT['GET '] = function(_, _, record)
  return record.response
end

KEPT['DELETE '] = function(client, id)
  forget(client, id)
  return { id = id, object = 'response', deleted = true }
end

KEPT['GET input_items'] = function(_, id, record)
  local data = json.array()
  for i = #record.input, 1, -1 do  -- The newest first, as the vendor lists them.
    local item = record.input[i]
    item.id = item.id or ('item_%s_%d'):format(id:gsub('^resp_', ''), i - 1)
    item.type = item.type or 'message'
    if type(item.content) == 'string' then
      item.content = { { type = 'input_text', text = item.content } }
    end
    data[#data + 1] = item
  end
  return {
    object = 'list', data = data, has_more = false,
    first_id = data[1] and data[1].id or json.null,
    last_id = data[1] and data[#data].id or json.null,
  }
end

--- Answers what is asked of one response. False: there is no such path.
---
--- @param op { protocol: string, operation: string }
--- @param client string
--- @param provider? string From the path.
--- @param at { method: string, rest: string, query: string } `rest`: an id, and what of it.
function M.answer(ex, op, client, provider, at)
  local id, what = at.rest:match('^([^/]+)/?([^/]*)$')
  if not id then
    return false
  end
  local record = find(client, id)
  if not record or record.provider then
    local upstream = record and upstreams.get(record.provider) or not record and guess(ex, provider)
    local account = upstream and (M.account({ keeper = record }, upstream) or upstream.accounts[1])
    if not ask(ex, op, at.method, upstream, account, at.rest, at.query) then
      unknown(ex, op, id)
    elseif at.method == 'DELETE' then
      forget(client, id)
    end
    return true
  end
  local answer = KEPT[at.method .. ' ' .. what]
  if what == 'cancel' then
    refuse.own(ex, op, 400, 'bad_request', 'Only a background response can be canceled.')
  elseif not answer then
    return false
  elseif ex:query('stream') == 'true' then
    refuse.own(ex, op, 400, 'bad_request', 'A response that is kept here is not told as a stream.')
  else
    ex:answer(200, HEADERS, answer(client, id, record))
  end
  return true
end

return M
