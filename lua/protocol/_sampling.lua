--- Parameters of sampling, in the range that several protocols have.

local json = require('px.json')

local M = {}

-- What OpenAI and Gemini take at most.
local WARMEST = 2

--- A temperature as it is, or the warmest that is allowed.
---
--- @param value? number
--- @param lost fun(path: string)
--- @return number?
function M.temperature(value, lost)
  local warm = type(value) == 'number' and value or json.tonumber(value or 0)
  if warm > WARMEST then
    lost('params.temperature')
    return WARMEST
  end
  return value
end

return M
