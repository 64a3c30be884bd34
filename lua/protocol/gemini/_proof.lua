--- Thought signatures: which part they belong to, and how foreign proofs travel in them.
---
--- In the neutral model a signature stands in a thinking block in front of the part that it came
--- with. Two marks, which base64 cannot hold, say otherwise: `thought:` is a signature of the very
--- thought that is beside it, `redacted:` is hidden thinking of another vendor. What others signed
--- is tagged and then put into base64, since clients decode a signature before they store it.

local media = require('protocol._media')
local signature = require('protocol._signature')

local M = {}

M.ON_THOUGHT = 'thought:'
M.REDACTED = 'redacted:'

--- Stands for the signature of a call that Gemini did not make.
M.SKIP = 'skip_thought_signature_validator'

--- What a text begins with is taken off; nil if it does not.
---
--- @param mark string
--- @param text string
--- @return string?
function M.after(mark, text)
  if text:sub(1, #mark) == mark then
    return text:sub(#mark + 1)
  end
  return nil
end

--- The text of a thoughtSignature for a client.
---
--- @param origin? string Who signed.
--- @param text string
--- @return string
function M.pack(origin, text)
  local tagged = signature.tag('gemini', origin, text)
  if tagged == text then
    return text
  end
  return media.base64(tagged)
end

--- What a client sent back; nil where it is no signature.
---
--- @param text any
--- @return string? signature
--- @return string? origin
function M.unpack(text)
  if type(text) ~= 'string' or text == '' or text == M.SKIP then
    return nil
  end
  -- Only the beginning tells whether a tag is in it; most signatures are long and have none.
  local plain = text:gsub('-', '+'):gsub('_', '/')
  if media.unbase64(plain:sub(1, 128)):find('^[%w_.:-]+#') then
    return signature.untag('gemini', media.unbase64(plain))
  end
  return text, 'gemini'
end

return M
