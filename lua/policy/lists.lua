--- What models the providers have, as they tell it themselves: asked for when somebody wants to
--- know, kept where all workers see it, and asked for anew in the background when it is old.
---
--- A provider whose `models` the configuration names is not asked.

local cache = require('px.cache').lists
local core = require('px.core')
local crypto = require('px.crypto')
local json = require('px.json')
local transfer = require('px.transfer')
local url = require('px.url')

local M = {}

local FRESH_SECONDS = 600           -- Then a list is asked for anew.
local KEEP_SECONDS = 7 * 24 * 3600  -- What a provider said last, while it does not answer.
local RETRY_SECONDS = 60            -- After a list that could not be had; doubled each time,
local RETRY_MOST = 960              -- up to this.
local ANSWER_SECONDS = 10
local PATIENCE_SECONDS = 2          -- A client waits as long for lists that nobody has yet.
local LOOK_SECONDS = 0.01
local PAGES_MAX = 20
local MODELS_MAX = 5000
local TEXT_MAX = 200                -- Of a name, in bytes.
local CURSOR_MAX = 2000

--- Tells whether a provider can be asked.
function M.asks(upstream)
  return upstream.type.lists ~= nil and #upstream.models == 0 and #upstream.accounts > 0
end

--- What a list is kept under: another one as soon as the provider is asked elsewhere or otherwise.
local function key_of(upstream)
  if not upstream.list_key then
    local parts = { upstream.id, upstream.type.name, upstream.base }
    for _, account in ipairs(upstream.accounts) do
      parts[#parts + 1] = json.encode({
        json.object(account.headers), json.object(account.options),
      })
    end
    upstream.list_key = crypto.hex(crypto.sha256(table.concat(parts, '\0')))
  end
  return upstream.list_key
end

--- What to add to the query for the page behind this one; nil after the last.
local function behind(lists, body)
  local name, value
  if lists.next then
    name, value = lists.next(body)
  end
  if type(value) == 'string' and value ~= '' and #value <= CURSOR_MAX then
    return ('&%s=%s'):format(name, url.escape(value))
  end
end

--- One page: its models, and what to add to the query for the next one.
local function page(upstream, account, more)
  local options = json.copy(account.options)
  options.timeout = ANSWER_SECONDS
  local lists = upstream.type.lists
  local reply, err = transfer.fetch(upstream.base .. lists.path .. more, account.headers, nil,
    options)
  if not reply then
    return nil, err
  elseif reply.status ~= 200 then
    return nil, 'it answered with ' .. reply.status
  end
  local body = json.decode(reply.body)
  if type(body) ~= 'table' then
    return nil, 'what it answered is not JSON'
  end
  return upstream.type.parse_models(body), behind(lists, body)
end

--- Tells whether a text may be shown to clients and stand in logs.
local function is_plain(text)
  return text ~= '' and #text <= TEXT_MAX and not text:find('[%z\1-\31\127]')
end

local function add(all, models)
  for _, model in ipairs(models) do
    if #all < MODELS_MAX and is_plain(model.id) then
      for _, name in ipairs({ 'display_name', 'owned_by' }) do
        model[name] = model[name] and is_plain(model[name]) and model[name] or nil
      end
      all[#all + 1] = json.object(model)
    end
  end
end

--- Notes that a list is being asked for, and since when. It is over at the latest when a page does
--- not come.
local function asking(upstream)
  local key = 'asked ' .. key_of(upstream)
  cache.put(key, cache.get(key) or ('%.3f'):format(core.clock()), ANSWER_SECONDS + 1)
end

local function pages(upstream, account)
  local all, more = json.array(), ''
  for _ = 1, PAGES_MAX do
    asking(upstream)
    local models, next_page = page(upstream, account, more)
    if not models then
      return nil, next_page
    end
    add(all, models)
    if not next_page or next_page == more or #all == MODELS_MAX then
      return all
    end
    more = next_page
  end
  return all
end

--- Asks one account after the other until one tells.
local function ask(upstream)
  local why
  for _, account in ipairs(upstream.accounts) do
    local models, err = pages(upstream, account)
    if models then
      return models
    end
    why = err
  end
  return nil, why
end

--- Keeps a list for all workers. False when there is no room for it.
local function keep(key, models)
  local kept = cache.put('list ' .. key, json.encode(models), KEEP_SECONDS)
  if kept then
    cache.put('stamp ' .. key, ('%d %s'):format(core.now(), core.id()), KEEP_SECONDS)
    cache.put('stamp', core.id(), KEEP_SECONDS)
  end
  return kept
end

--- Notes a failure, so that the next try comes later than the one before.
local function fail(key)
  local times = tonumber(cache.get('failures ' .. key) or 0) + 1
  cache.put('failures ' .. key, ('%d'):format(times), KEEP_SECONDS)
  cache.put('failed ' .. key, '1', math.min(RETRY_SECONDS * 2 ^ (times - 1), RETRY_MOST))
end

local function renew(upstream, key)
  local models, err = ask(upstream)
  if models and not keep(key, models) then
    return nil, 'it has more than can be kept'
  end
  return models, err
end

--- Tells the log why there is no list: once, until there is one.
local function tell(upstream, key, words)
  if not cache.get('told ' .. key) then
    cache.put('told ' .. key, '1', KEEP_SECONDS)
    core.log('warn', ('provider %s does not tell its models: %s'):format(upstream.id,
      (words:gsub('%w+://%S+', '***'))))
  end
end

local function refresh(upstream)
  local key = key_of(upstream)
  fail(key)  -- Until it is known better: the engine may end this task.
  local ok, models, err = pcall(renew, upstream, key)
  if ok and models then
    for _, mark in ipairs({ 'failures ', 'failed ', 'told ' }) do
      cache.remove(mark .. key)
    end
  else
    tell(upstream, key, tostring(ok and err or models))
  end
  cache.remove('asked ' .. key)
end

--- Begins to ask, unless that is going on or failed a moment ago.
local function begin(upstream)
  local key = key_of(upstream)
  if not cache.get('asked ' .. key) and not cache.get('failed ' .. key) then
    if cache.get('failures ' .. key) then
      tell(upstream, key, 'its list takes more time or memory than one may have')
    end
    asking(upstream)
    core.spawn(refresh, upstream)
  end
end

local read = {}  -- Key: { stamp, models }, decoded.

--- What a provider said last, nil if nothing.
---
--- @return px.Model[]? models
function M.of(upstream)
  local key = M.asks(upstream) and key_of(upstream)
  local stamp = key and cache.get('stamp ' .. key)
  if not stamp then
    return nil
  end
  local known = read[key]
  if not known or known.stamp ~= stamp then
    local text = cache.get('list ' .. key)
    known = { stamp = stamp, models = text and json.decode(text) or {} }
    read[key] = known
  end
  return known.models
end

--- Tells what all lists are at the moment: another text when one of them has changed.
function M.stamp()
  return cache.get('stamp')
end

local function is_old(upstream)
  local stamp = cache.get('stamp ' .. key_of(upstream))
  return not stamp or core.now() - tonumber(stamp:match('^%d+')) > FRESH_SECONDS
end

--- Tells whether somebody began to ask for a list that nobody has yet, a moment ago.
local function is_awaited(upstream)
  local key = key_of(upstream)
  local since = not cache.get('stamp ' .. key) and cache.get('asked ' .. key)
  return since and core.clock() - tonumber(since) < PATIENCE_SECONDS
end

--- Sees to it that lists are there: asks for those that are missing or old. Waits a little for the
--- missing ones.
---
--- @param upstreams px.Upstream[]
function M.want(upstreams)
  local asked = {}
  for _, upstream in ipairs(upstreams) do
    if M.asks(upstream) and is_old(upstream) then
      begin(upstream)
      asked[#asked + 1] = upstream
    end
  end
  for _, upstream in ipairs(asked) do
    while is_awaited(upstream) do
      core.sleep(LOOK_SECONDS)
    end
  end
end

return M
