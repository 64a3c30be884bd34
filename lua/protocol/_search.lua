--- Search of the web, which several vendors do themselves: the same wish in each one's words. What
--- they found stays with them.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

local SEARCHES = { googleSearch = true, googleSearchRetrieval = true, google_search = true }

--- What a vendor's own tool asks of a search; nil for another tool.
---
--- @param tool px.Tool
--- @return { allowed: table?, blocked: table?, most: integer?, place: table?, size: string? }? wish
function M.read(tool)
  local hosted = read.maybe_table(tool.hosted)
  local kind = read.maybe_text(hosted.type) or ''
  if not (kind:find('^web_search') or SEARCHES[tool.name]) then
    return nil
  end
  local filters = read.maybe_table(hosted.filters)
  local place = read.maybe_table(hosted.user_location)
  if type(place.approximate) == 'table' then
    place = place.approximate
  end
  return {
    allowed = read.maybe_list(hosted.allowed_domains) or read.maybe_list(filters.allowed_domains),
    blocked = read.maybe_list(hosted.blocked_domains),
    most = read.maybe_number(hosted.max_uses),
    place = next(place) ~= nil and place or nil,
    size = read.maybe_text(hosted.search_context_size),
  }
end

local PLACE = { 'city', 'region', 'country', 'timezone' }

--- Where the user is, as all but Google say it.
function M.place(wish)
  if not wish.place then
    return nil
  end
  local out = { type = 'approximate' }
  for _, name in ipairs(PLACE) do
    out[name] = read.maybe_text(wish.place[name])
  end
  return json.object(out)
end

--- Records what a vendor has no word for.
---
--- @param wish table
--- @param names string[]
--- @param lost fun(path: string)
function M.lose(wish, names, lost)
  for _, name in ipairs(names) do
    if wish[name] then
      lost('tools.web_search.' .. name)
    end
  end
end

return M
