--- Media by address, fetched for upstreams that want the bytes.
---
--- A client may name an image or a document by its URL. Where the upstream's protocol, or its
--- model, takes no URL, the gateway fetches it if the configuration's `fetch.media` has the host:
--- four at once, each URL once for a request, within limits of size and time. Hosts that an entry
--- names literally may be anywhere; those that only a glob matches must have a public address. C
--- checks that when it connects, so no name can change its meaning after a look. Redirects are
--- followed three times, with all of the same checks.

local core = require('px.core')
local crypto = require('px.crypto')
local glob = require('px.glob')
local json = require('px.json')
local sniff = require('protocol._media').sniff
local settings = require('px.settings')
local transfer = require('px.transfer')

local M = {}

local AT_ONCE = 4
local URLS_MAX = 64
local REDIRECTS_MAX = 3
local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
local HEADERS = { accept = '*/*', ['user-agent'] = 'proxima' }

-- Images that only their servers know to be such.
local DECLARED = {
  ['image/avif'] = true, ['image/bmp'] = true, ['image/heic'] = true, ['image/heif'] = true,
  ['image/tiff'] = true,
}

-- What may be fetched -----------------------------------------------------------------------------

local conf = settings.fetch or {}
local size_max = conf.media_size or 10 * 1024 * 1024
local total_max = conf.media_total or 20 * 1024 * 1024
local seconds = conf.media_timeout or 20

local named, globs = {}, {}
for i, entry in ipairs(type(conf.media) == 'table' and conf.media or {}) do
  globs[i] = entry:lower():gsub('^(!?)%[(.*)%]$', '%1%2')
  if not globs[i]:find('[*!]') then
    named[globs[i]] = true
  end
end
local allowed = glob.list(globs, true)

--- The host of a URL in lower case, without the dot that may end it; nil when it is none of HTTP.
local function host_of(url)
  local scheme, rest = url:match('^(%a+)://(.*)$')
  scheme = scheme and scheme:lower()
  if scheme ~= 'http' and scheme ~= 'https' then
    return nil
  end
  local host = rest:match('^%[([^%]/?#]*)%]') or rest:match('^([^/?#:]*)')
  host = host:lower():gsub('%.$', '')
  return host ~= '' and host or nil
end

--- @return boolean? may
--- @return string? host
local function may_fetch(url)
  local host = host_of(url)
  return host and allowed(host), host
end

-- Finding -----------------------------------------------------------------------------------------

--- Where a text stands in a decoded body, as error messages name it.
local function path_of(value, text, path)
  if value == text then
    return path
  elseif type(value) ~= 'table' then
    return nil
  elseif json.is_array(value) then
    for i = 1, #value do
      local found = path_of(value[i], text, ('%s[%d]'):format(path, i - 1))
      if found then
        return found
      end
    end
    return nil
  end
  for _, key in ipairs(json.keys(value)) do
    local found = path_of(value[key], text, path == '' and key or path .. '.' .. key)
    if found then
      return found
    end
  end
end

--- A 400 that names where the URL stands.
local function refusal(q, url, words)
  local path = path_of(q.body:json(), url, '') or 'messages'
  return {
    status = 400, code = 'bad_request', param = path,
    message = ('%s: %s'):format(path, words),
  }
end

-- Fetching ----------------------------------------------------------------------------------------

--- The URL that a redirect means.
local function target_of(url, location)
  local scheme, authority = url:match('^(%a+:)(//[^/?#]*)')
  if location:find('^%a[%w+.-]*:') then
    return location
  elseif location:find('^//') then
    return scheme .. location
  elseif location:find('^/') then
    return scheme .. authority .. location
  end
  local folder = url:gsub('[?#].*$', ''):sub(#scheme + #authority + 1):match('^.*/') or '/'
  return scheme .. authority .. folder .. location
end

--- Looks at an answer: a URL to go on to, or what is wrong with it.
---
--- @return string? next
--- @return string? err
local function look(item, answer)
  local headers = answer.headers or {}
  if answer.error then
    return nil, answer.error == 'too large'
      and ('it is larger than %d bytes (fetch.media_size, fetch.media_total)'):format(item.limit)
      or answer.error
  elseif REDIRECTS[answer.status] and headers.location then
    local url = target_of(item.at, headers.location)
    item.hops = item.hops + 1
    if item.hops > REDIRECTS_MAX then
      return nil, ('it redirects more than %d times'):format(REDIRECTS_MAX)
    elseif not may_fetch(url) then
      return nil, 'it redirects to a host that is not in the configuration\'s fetch.media'
    end
    return url
  elseif answer.status ~= 200 then
    return nil, ('its server answered %d'):format(answer.status)
  elseif answer.bytes == 0 then
    return nil, 'it is empty'
  end
end

--- Fetches a batch and sorts it: items that are done have `answer`, others go on or have `err`.
local function fetch_batch(batch, limit, left)
  local asked = {}
  for i, item in ipairs(batch) do
    item.limit = limit
    asked[i] = { url = (item.at:gsub('#.*$', '')), guarded = not named[host_of(item.at)] }
  end
  local answers = transfer.fetch_all(asked, HEADERS, limit, left)
  if not answers then
    return nil
  end
  local again, used = {}, 0
  for i, item in ipairs(batch) do
    local url, err = look(item, answers[i])
    if url then
      item.at = url
      again[#again + 1] = item
    else
      item.answer, item.err = not err and answers[i] or nil, err
      used = used + (answers[i].bytes or 0)
    end
  end
  return again, used
end

--- Fetches all items; each has `answer` or `err` then.
---
--- @return boolean ok False when too many are under way.
local function fetch_all(items)
  local waiting, used = items, 0
  local until_time = core.clock() + seconds
  while #waiting > 0 do
    local batch, rest = {}, {}
    for i, item in ipairs(waiting) do
      local list = i <= AT_ONCE and batch or rest
      list[#list + 1] = item
    end
    local left = until_time - core.clock()
    local room = math.min(size_max, total_max - used)
    if left <= 0 or room < 1 then
      for _, item in ipairs(waiting) do
        item.err = left <= 0 and ('all of it took longer than %g seconds (fetch.media_timeout)')
          :format(seconds) or 'all of it is too large (fetch.media_total)'
      end
      return true
    end
    local again, more = fetch_batch(batch, room, left)
    if not again then
      return false
    end
    used = used + more
    for _, item in ipairs(batch) do
      if used > total_max and item.answer then
        item.answer, item.err = nil, 'all of it is too large (fetch.media_total)'
      end
    end
    for _, item in ipairs(rest) do
      again[#again + 1] = item
    end
    waiting = again
  end
  return true
end

-- Filling in --------------------------------------------------------------------------------------

--- Puts what was fetched into a block. Gives words when it is not what the block says.
local function fill(block, answer)
  local declared = (answer.headers['content-type'] or ''):lower():match('^%s*([^;%s]+)')
  local kind = sniff(nil, answer.body) or declared
  if block.kind == 'image' then
    local known = sniff(nil, answer.body)
    if not (known and known:find('^image/') or not known and DECLARED[declared]) then
      return ('it is no image (%s)'):format(kind or 'of no known type')
    end
  elseif block.kind == 'document' and kind and (kind:find('^text/') or kind:find('json$')) then
    local text = crypto.unbase64(answer.body)
    if json.decode(json.encode(text)) ~= text then
      return 'it is no text in UTF-8'
    end
    block.text, block.media, block.url = text, 'text/plain', nil
    return nil
  elseif block.kind == 'document' and kind ~= 'application/pdf' then
    return ('it is no PDF and no text (%s)'):format(kind or 'of no known type')
  elseif block.kind == 'audio' and not (kind and (kind:find('^audio/') or kind:find('^video/')))
  then
    return ('it is no sound (%s)'):format(kind or 'of no known type')
  elseif block.kind == 'video' and not (kind and kind:find('^video/')) then
    return ('it is no video (%s)'):format(kind or 'of no known type')
  end
  block.data, block.media, block.url = answer.body, kind, nil
end

--- Tells whether the last turn of the client says nothing but what could not be fetched.
local function says_nothing_else(request, missing)
  for i = #request.turns, 1, -1 do
    local turn = request.turns[i]
    if turn.role == 'user' then
      for _, block in ipairs(turn.blocks) do
        if not missing[block] then
          return nil
        end
      end
      return turn.blocks[1] and turn.blocks[1].url
    end
  end
end

--- Notes a block if its bytes are wanted: to be fetched, or among those that may not be.
---
--- @param found? table items, by_url, missing (blocks), any (something that is needed is missing)
--- @return table? found
local function note(found, block, wants, ctx)
  local want = type(block.url) == 'string' and not block.data and wants(block, ctx)
  if not want then
    return found
  end
  found = found or { items = {}, by_url = {}, missing = {}, any = false }
  if not may_fetch(block.url) then
    found.missing[block], found.any = true, found.any or want ~= 'rather'
    return found
  end
  local item = found.by_url[block.url]
  if not item then
    item = { url = block.url, at = block.url, hops = 0, blocks = {}, want = want }
    found.by_url[block.url], found.items[#found.items + 1] = item, item
  end
  item.blocks[#item.blocks + 1] = block
  return found
end

--- What is wanted of all blocks of a request, those inside tool results too; nil if nothing is.
local function wanted(request, wants, ctx)
  local found
  for _, turn in ipairs(request.turns) do
    for _, block in ipairs(turn.blocks) do
      found = note(found, block, wants, ctx)
      if block.kind == 'tool_result' then
        for _, inner in ipairs(block.blocks or {}) do
          found = note(found, inner, wants, ctx)
        end
      end
    end
  end
  return found
end

--- Tells whether the target can do nothing with one of these addresses.
local function needed(items)
  for _, item in ipairs(items) do
    item.err = item.err or not item.answer and 'too many are being fetched' or nil
    if item.want ~= 'rather' then
      return true
    end
  end
  return false
end

--- Fetches what the target of a request needs the bytes of, and puts it into its blocks. Waits.
--- What may not be fetched stays as it is, for the writer to say what is lost.
---
--- @param q table The request: see main.lua.
--- @param request px.Request
--- @param wants? fun(block: px.Block, ctx: px.Context): boolean|'rather' The target's
---   request.wants_bytes.
--- @param ctx px.Context
--- @return px.Failure? failure
function M.resolve(q, request, wants, ctx)
  local found = wants and wanted(request, wants, ctx)
  if not found then
    return nil
  end
  local items = found.items
  local only = found.any and says_nothing_else(request, found.missing)
  if only then
    return refusal(q, only, ('this upstream takes no URL, and %s is not in the configuration\'s '
      .. 'fetch.media, so it cannot be fetched for it'):format(host_of(only) or 'its host'))
  elseif #items > URLS_MAX then
    return refusal(q, items[URLS_MAX + 1].url,
      ('more than %d URLs would have to be fetched'):format(URLS_MAX))
  elseif #items == 0 then
    return nil
  elseif not fetch_all(items) and needed(items) then
    return {
      status = 503, code = 'overloaded', retry_after = 2,
      message = 'Too many media are being fetched at the moment.',
    }
  end
  for _, item in ipairs(items) do
    for _, block in ipairs(item.blocks) do
      local err = item.err or fill(block, item.answer)
      if err and item.want ~= 'rather' then
        return refusal(q, item.url, 'it cannot be fetched: ' .. err)
      end
    end
  end
end

return M
