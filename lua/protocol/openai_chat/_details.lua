--- OpenRouter's reasoning_details: proofs of thinking beside the text, in requests and replies.
---
--- Items hold more than the proof (format, id). To send them back unchanged the neutral signature
--- is the item itself without its text, as JSON, wherever there is more than a bare signature.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

--- In front of a proof that hangs on the next tool call (Google's compatible endpoint).
M.ON_CALL = 'google:'

local TEXT_KEYS = { text = true, summary = true, index = true }

--- The text of an item, if it has one.
function M.text(item)
  return read.maybe_text(item.text) or read.maybe_text(item.summary)
end

--- The proof of an item, if it has one: what a neutral signature holds.
---
--- @param item table
--- @return string? proof
function M.proof(item)
  local signature = read.maybe_text(item.signature) or read.maybe_text(item.data)
  if not signature or signature == '' then
    return nil
  end
  local kept, more = {}, false
  for _, key in ipairs(json.keys(item)) do
    if not TEXT_KEYS[key] and item[key] ~= json.null then
      kept[key] = item[key]
      more = more or (key ~= 'type' and key ~= 'signature' and key ~= 'data')
    end
  end
  return more and json.encode(json.object(kept)) or signature
end

--- The item that a proof was made from.
---
--- @param kind 'thinking'|'redacted'
--- @param text string? Text of the thinking.
--- @param proof string
--- @param index integer
--- @return table item
function M.item(kind, text, proof, index)
  local item = proof:sub(1, 1) == '{' and json.decode(proof) or nil
  if type(item) ~= 'table' then
    item = kind == 'redacted' and { type = 'reasoning.encrypted', data = proof }
      or { type = 'reasoning.text', signature = proof }
  end
  if item.type == 'reasoning.summary' then
    item.summary = text or ''
  elseif item.type ~= 'reasoning.encrypted' then
    item.text = text or ''
  end
  item.index = index
  return item
end

return M
