--- Search of the web, which several vendors do themselves: the same wish in each one's words. What
--- they found stays with them.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

local SEARCHES = { googleSearch = true, googleSearchRetrieval = true, google_search = true }

-- Members of a search that are read below; others are lost, unless they say what is so anyway.
local KNOWN = {}
for name in ([[
  type name max_uses allowed_domains blocked_domains filters user_location search_context_size
  excludeDomains exclude_domains
]]):gmatch('%S+') do
  KNOWN[name] = true
end
local KNOWN_FILTERS = { allowed_domains = true, blocked_domains = true }
local HARMLESS = {
  external_web_access = function(value) return value == true end,
}

--- What a vendor's own tool asks of a search; nil for another tool.
---
--- @param tool px.Tool
--- @return { allowed: table?, blocked: table?, most: integer?, place: table?, size: string?,
---   hosted: table }? wish
function M.read(tool)
  local hosted = read.maybe_table(tool.hosted)
  local kind = read.maybe_text(hosted.type) or ''
  if SEARCHES[tool.name] then
    hosted = read.maybe_table(hosted[tool.name])
  elseif not kind:find('^web_search') then
    return nil
  end
  local filters = read.maybe_table(hosted.filters)
  local place = read.maybe_table(hosted.user_location)
  if type(place.approximate) == 'table' then
    place = place.approximate
  end
  return {
    allowed = read.maybe_list(hosted.allowed_domains) or read.maybe_list(filters.allowed_domains),
    blocked = read.maybe_list(hosted.blocked_domains) or read.maybe_list(filters.blocked_domains)
      or read.maybe_list(hosted.excludeDomains) or read.maybe_list(hosted.exclude_domains),
    most = read.maybe_number(hosted.max_uses),
    place = next(place) ~= nil and place or nil,
    size = read.maybe_text(hosted.search_context_size),
    hosted = hosted,
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

--- Records what a vendor has no word for, and what only one has.
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
  local hosted = wish.hosted
  if read.is_object(hosted) then
    read.unknown(hosted, KNOWN, 'tools.web_search.', lost, HARMLESS)
  end
  if read.is_object(hosted.filters) then
    read.unknown(hosted.filters, KNOWN_FILTERS, 'tools.web_search.filters.', lost)
  end
end

return M
