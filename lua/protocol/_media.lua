--- Media types and data URLs.

local M = {}

local ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

-- First characters of well-known files in base64, and what they are.
local MAGIC = {
  { '/9j/', 'image/jpeg' },
  { 'iVBORw0KGgo', 'image/png' },
  { 'R0lGOD', 'image/gif' },
  { 'JVBERi0', 'application/pdf' },
}

local function digit(value)
  return ALPHABET:sub(value + 1, value + 1)
end

--- @param bytes string
--- @return string
function M.base64(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    out[#out + 1] = digit(math.floor(bits / 262144)) .. digit(math.floor(bits / 4096) % 64)
      .. (b and digit(math.floor(bits / 64) % 64) or '=') .. (c and digit(bits % 64) or '=')
  end
  return table.concat(out)
end

--- Undoes base64; characters that do not belong are skipped.
---
--- @param text string
--- @return string
function M.unbase64(text)
  local out, bits, count = {}, 0, 0
  for char in text:gmatch('[%w+/]') do
    bits = bits * 64 + ALPHABET:find(char, 1, true) - 1
    count = count + 6
    if count >= 8 then
      count = count - 8
      local unit = 2 ^ count
      out[#out + 1] = string.char(math.floor(bits / unit))
      bits = bits % unit
    end
  end
  return table.concat(out)
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
    if data:find('%', 1, true) then
      data = data:gsub('%%(%x%x)', function(hex)
        return string.char(tonumber(hex, 16))
      end)
    end
    return media ~= '' and media or 'text/plain', data
  end
  data = data:gsub('%%(%x%x)', function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return media ~= '' and media or 'text/plain', M.base64(data)
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

--- Tells of an image that a model made.
---
--- @param events px.Event[]
--- @param index integer
--- @param media? string MIME type.
--- @param data string Base64, or an address.
function M.add(events, index, media, data)
  local url = data:find('^https?://') and data
    or 'data:' .. M.sniff(media or 'image/png', data) .. ';base64,' .. data
  events[#events + 1] = { kind = 'image', index = index, url = url }
  events[#events + 1] = { kind = 'block_stop', index = index }
end

return M
