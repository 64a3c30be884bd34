--- What models the providers have, as they tell it themselves: asked for when somebody wants to
--- know, kept where all workers see it, and asked for anew in the background when it is old.
---
--- A provider whose `models` the configuration names is not asked.

local cache = require('px.cache').lists
local core = require('px.core')
local json = require('px.json')
local transfer = require('px.transfer')

local M = {}

local FRESH_SECONDS = 600           -- Then a list is asked for anew.
local KEEP_SECONDS = 7 * 24 * 3600  -- What a provider said last, while it does not answer.
local RETRY_SECONDS = 60            -- After one that could not be had.
local ANSWER_SECONDS = 10
local PATIENCE_SECONDS = 2          -- A client waits as long for lists that nobody has yet.
local LOOK_SECONDS = 0.01
local PAGES_MAX = 20
local MODELS_MAX = 5000

--- Tells whether a provider can be asked.
function M.asks(upstream)
  return upstream.type.lists ~= nil and #upstream.models == 0 and #upstream.accounts > 0
end

--- One page: its models, and what to add to the query for the next one.
local function page(upstream, account, more)
  local options = { timeout = ANSWER_SECONDS }
  for name, value in pairs(account.options) do
    options[name] = value
  end
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
  return upstream.type.parse_models(body), lists.next and lists.next(body)
end

local function pages(upstream, account)
  local all, more = json.array(), ''
  for _ = 1, PAGES_MAX do
    local models, next_page = page(upstream, account, more)
    if not models then
      return nil, next_page
    end
    for _, model in ipairs(models) do
      if #all < MODELS_MAX then
        all[#all + 1] = json.object(model)
      end
    end
    if not next_page then
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

local told = {}  -- Ids of providers whose silence the log knows.

local function refresh(upstream)
  local id = upstream.id
  local ok, models, err = pcall(ask, upstream)
  if ok and models then
    told[id] = nil
    cache.put('list ' .. id, json.encode(models), KEEP_SECONDS)
    cache.put('stamp ' .. id, ('%d %s'):format(core.now(), core.id()), KEEP_SECONDS)
    cache.put('stamp', core.id(), KEEP_SECONDS)
  else
    cache.put('failed ' .. id, '1', RETRY_SECONDS)
    if not told[id] then
      told[id] = true
      local words = tostring(ok and err or models):gsub('https?://%S+', '***')
      core.log('warn', ('provider %s does not tell its models: %s'):format(id, words))
    end
  end
  cache.remove('asked ' .. id)
end

--- Begins to ask, unless that is going on or failed a moment ago.
local function begin(upstream)
  local id = upstream.id
  if not cache.get('asked ' .. id) and not cache.get('failed ' .. id) then
    cache.put('asked ' .. id, '1', ANSWER_SECONDS * PAGES_MAX)
    core.spawn(refresh, upstream)
  end
end

local read = {}  -- Id: { stamp, models }, decoded.

--- What a provider said last, nil if nothing.
---
--- @return px.Model[]? models
function M.of(upstream)
  local stamp = M.asks(upstream) and cache.get('stamp ' .. upstream.id)
  if not stamp then
    return nil
  end
  local known = read[upstream.id]
  if not known or known.stamp ~= stamp then
    local text = cache.get('list ' .. upstream.id)
    known = { stamp = stamp, models = text and json.decode(text) or {} }
    read[upstream.id] = known
  end
  return known.models
end

--- Tells what all lists are at the moment: another text when one of them has changed.
function M.stamp()
  return cache.get('stamp')
end

local function is_old(upstream)
  local stamp = cache.get('stamp ' .. upstream.id)
  return not stamp or core.now() - tonumber(stamp:match('^%d+')) > FRESH_SECONDS
end

local function is_awaited(upstream)
  return not cache.get('stamp ' .. upstream.id) and cache.get('asked ' .. upstream.id) ~= nil
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
  local last = core.clock() + PATIENCE_SECONDS
  for _, upstream in ipairs(asked) do
    while is_awaited(upstream) and core.clock() < last do
      core.sleep(LOOK_SECONDS)
    end
  end
end

return M
