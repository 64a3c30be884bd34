--- Media types and data URLs.

local bad = require('protocol._read').bad
local crypto = require('px.crypto')
local unescape = require('px.url').unescape

local M = {}

-- First characters of well-known files in base64, and what they are.
local MAGIC = {
  { '/9j/', 'image/jpeg' },
  { 'iVBORw0KGgo', 'image/png' },
  { 'R0lGOD', 'image/gif' },
  { 'JVBERi0', 'application/pdf' },
}

M.base64 = crypto.base64

--- Undoes base64; characters that do not belong are skipped.
---
--- @param text string
--- @return string
function M.unbase64(text)
  return crypto.unbase64(text) or crypto.unbase64((text:gsub('[^%w+/]', ''))) or ''
end

--- Base64 as every upstream takes it: some libraries break its lines, or write the other alphabet.
---
--- @param data string
--- @param path string Where it stands, for who sent what is none.
--- @return string
function M.checked(data, path)
  local odd = data:find('[^%w+/]')
  if odd and data:find('[-_%s]', odd) then
    data = data:gsub('%s', ''):gsub('-', '+'):gsub('_', '/')
    odd = data:find('[^%w+/]')
  end
  if data == '' or odd == 1 or (odd and not data:find('^==?$', odd)) then
    bad(path .. ' is not base64', path)
  end
  return data
end

--- Takes a data URL apart.
---
--- @param url string
--- @return string? media nil when it is not a data URL.
--- @return string? data Base64.
function M.parse(url)
  if url:sub(1, 5):lower() ~= 'data:' then
    return nil
  end
  local comma = url:find(',', 1, true)
  if not comma then
    return nil
  end
  local head, data = url:sub(6, comma - 1), url:sub(comma + 1)
  local media = head:match('^[^;]*'):lower()
  if head:lower():find(';base64', 1, true) then
    data = data:find('%', 1, true) and unescape(data) or data
    return media ~= '' and media or 'text/plain', data
  end
  return media ~= '' and media or 'text/plain', M.base64(unescape(data))
end

--- The true type of a medium: by its first bytes where they are known, else as declared.
---
--- @param media? string
--- @param data string Base64.
--- @return string? media
function M.sniff(media, data)
  for _, magic in ipairs(MAGIC) do
    if data:sub(1, #magic[1]) == magic[1] then
      return magic[2]
    end
  end
  if data:sub(1, 5) == 'UklGR' and M.unbase64(data:sub(1, 16)):sub(9, 12) == 'WEBP' then
    return 'image/webp'
  end
  media = media and media:lower()
  return media == 'image/jpg' and 'image/jpeg' or media
end

--- The note that stands for what an upstream cannot take, with its address where it has one.
---
--- @param what string
--- @param block px.Block
--- @return string
function M.omitted(what, block)
  return '[' .. what .. ' omitted' .. (block.url and ': ' .. block.url or '') .. ']'
end

--- The address of an image that a model made.
---
--- @param media? string MIME type.
--- @param data string Base64, or an address.
--- @return string
function M.image_url(media, data)
  return (data:find('^https?://') or data:find('^data:')) and data
    or 'data:' .. M.sniff(media or 'image/png', data) .. ';base64,' .. data
end

--- Tells of an image that a model made.
---
--- @param events px.Event[]
--- @param index integer
--- @param url string
--- @param item? table What told of it, for clients of the same protocol.
--- @param protocol? string
function M.add_image(events, index, url, item, protocol)
  events[#events + 1] =
    { kind = 'image', index = index, url = url, json = item, protocol = protocol }
  events[#events + 1] = { kind = 'block_stop', index = index }
end

--- What stands for an image where a client has no place for one: what told of it, if the client's
--- own protocol did, else a note.
---
--- @param event px.Event
--- @param ctx px.Context
--- @param protocol string The client's.
--- @return px.Event
function M.instead(event, ctx, protocol)
  if event.protocol == protocol and event.json then
    return { kind = 'opaque', index = event.index, json = event.json, protocol = protocol }
  end
  ctx.lost('reply.image')
  return { kind = 'text', index = event.index, text = '[image omitted]' }
end

return M
