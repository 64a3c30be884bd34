--- Guesses how many tokens a request has, for where nobody counted.

local json = require('px.json')

local M = {}

local BYTES_PER_TOKEN = 4
local PER_MEDIUM = 1000
local PER_TURN = 4

local of_blocks
function of_blocks(blocks)
  local bytes, tokens = 0, 0
  for _, block in ipairs(blocks or {}) do
    bytes = bytes + #(block.text or '') + #(block.args or '') + #(block.name or '')
    if block.data or block.url or block.file then
      tokens = tokens + PER_MEDIUM
    end
    tokens = tokens + of_blocks(block.blocks)
  end
  return tokens + math.ceil(bytes / BYTES_PER_TOKEN)
end

--- @param text string
--- @return integer
function M.text(text)
  return math.ceil(#text / BYTES_PER_TOKEN)
end

--- @param request px.Request
--- @return integer
function M.request(request)
  local tokens = of_blocks(request.system)
  for _, turn in ipairs(request.turns) do
    tokens = tokens + PER_TURN + of_blocks(turn.blocks)
  end
  for _, tool in ipairs(request.tools or {}) do
    local schema = tool.schema or tool.hosted
    tokens = tokens + M.text(tool.name) + M.text(tool.description or '')
      + (schema and M.text(json.encode(schema)) or 0)
  end
  return tokens
end

return M
