--- What upstreams were found to refuse. All workers and generations know it, for an hour.
---
--- It is kept as JSON beside the models' lists; what is read of it here is dropped when anybody has
--- learnt more.

local cache = require('px.cache').lists
local core = require('px.core')
local json = require('px.json')
local read = require('protocol._read')

local M = {}

-- How long it is known.
M.SECONDS = 3600

local SECONDS = M.SECONDS
local PATHS_MAX = 32    -- Of one model.
local MODELS_MAX = 256  -- That are read.
local NAME_MAX = 256    -- Bytes of a model's name: nothing is learnt of longer ones.

local STAMP = 'refused'

local stamp, known, count = nil, {}, 0

--- An upstream that is told to go elsewhere is another one.
local function key_of(at)
  return ('refused %s %s %s'):format(at.upstream.id, at.upstream.urls[at.protocol], at.model)
end

local function list_of(key)
  local text = cache.get(key)
  local list = text and json.decode(text) or read.NONE
  if count == MODELS_MAX then
    known, count = {}, 0
  end
  known[key], count = list, count + 1
  return list
end

--- @class px.Refused What a model does not take.
--- @field path string
--- @field value? string Only this word of it.
--- @field use? string What the upstream calls it.
--- @field forgotten number When it is tried again: core.clock().

--- What is known of a model. It may hold what is out of date.
---
--- @param at table The attempt: see attempt.lua.
--- @return px.Refused[] list To be read only.
function M.of(at)
  local now = #at.model <= NAME_MAX and cache.get(STAMP)
  if not now then
    return read.NONE
  elseif now ~= stamp then
    stamp, known, count = now, {}, 0
  end
  local key = key_of(at)
  return known[key] or list_of(key)
end

--- Remembers one more.
---
--- @param at table
--- @param what px.Refused Gets `forgotten`.
function M.add(at, what)
  if #at.model > NAME_MAX then
    return
  end
  local list, now = json.array(), core.clock()
  what.forgotten = now + SECONDS
  for _, old in ipairs(M.of(at)) do
    if old.forgotten > now and (old.path ~= what.path or old.value ~= what.value) then
      list[#list + 1] = old
    end
  end
  if #list == PATHS_MAX then
    table.remove(list, 1)
  end
  list[#list + 1] = what
  cache.put(key_of(at), json.encode(list), SECONDS)
  cache.put(STAMP, core.id(), SECONDS)
end

return M
