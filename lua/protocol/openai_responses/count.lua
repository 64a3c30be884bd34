--- Counting tokens as the Responses API does: what of a request is asked, and the answer.

local read = require('protocol._read')

local M = {}

local KEPT = { 'model', 'input', 'instructions', 'tools', 'tool_choice', 'parallel_tool_calls',
  'reasoning', 'text' }

--- Makes the question of a request that request.write made.
---
--- @param body table
--- @return table
function M.write(body)
  local out = {}
  for _, name in ipairs(KEPT) do
    out[name] = body[name]
  end
  return out
end

--- @param body table
--- @return integer? tokens
function M.read(body)
  return read.maybe_number(body.input_tokens)
end

return M
