--- Percent-encoding of URLs.

local M = {}

--- Escapes all but letters, digits and `-._~`.
---
--- @param text string
--- @param also? string Characters that stay too, as in a pattern's set.
--- @return string
function M.escape(text, also)
  return (text:gsub('[^%w%-._~' .. (also or '') .. ']', function(c)
    return ('%%%02X'):format(c:byte())
  end))
end

--- @param text string
--- @return string
function M.unescape(text)
  return (text:gsub('%%(%x%x)', function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

return M
