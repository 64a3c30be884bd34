--- Counting tokens as Gemini does: what of a request is asked, and the answer.

local names = require('protocol.gemini._names')
local read = require('protocol._read')

local M = {}

--- Makes the question of a request that request.write made.
---
--- @param body table
--- @param model string
--- @return table
function M.write(body, model)
  body.model = 'models/' .. model
  return { generateContentRequest = body }
end

--- @param body table
--- @return integer? tokens
function M.read(body)
  return read.maybe_number(names.get(body, 'totalTokens'))
end

return M
