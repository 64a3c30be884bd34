--- Proofs of thinking, tagged with who made them.
---
--- A signature is worth something only to its issuer. When it must travel through a client of
--- another protocol it carries its origin in front: `<origin>#<signature>`. Base64 holds no "#", so
--- a tag cannot be confused with a signature.

local M = {}

local function protocol_of(origin)
  return origin:match('^[^:]+')
end

--- The text for a client of `protocol`: its own kind travels bare.
---
--- @param protocol string The client's.
--- @param origin? string Who signed.
--- @param signature string
--- @return string
function M.tag(protocol, origin, signature)
  if not origin or protocol_of(origin) == protocol then
    return signature
  end
  return origin .. '#' .. signature
end

--- What a client of `protocol` sent back.
---
--- @param protocol string
--- @param text string
--- @return string signature
--- @return string origin
function M.untag(protocol, text)
  local origin, signature = text:match('^([%w_.:-]+)#(.*)$')
  if origin then
    return signature, origin
  end
  return text, protocol
end

--- Tells whether an upstream accepts what `origin` signed. A bare protocol name stands for every
--- model family, since an untagged signature does not say more.
---
--- @param target? string The upstream's own origin.
--- @param origin? string
--- @return boolean
function M.accepts(target, origin)
  if not target or not origin then
    return false
  end
  if target == origin then
    return true
  end
  local bare = not target:find(':', 1, true) or not origin:find(':', 1, true)
  return bare and protocol_of(target) == protocol_of(origin)
end

return M
