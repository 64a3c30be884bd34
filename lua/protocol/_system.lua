--- System prompts on their way to an upstream.

local NONE = require('protocol._read').NONE

local M = {}

-- What begins with this is Claude Code's own accounting, which means something to Anthropic alone.
local BILLING = 'x-anthropic-billing-header'

--- The blocks of a system prompt that are told: texts that say something. Notes what is lost of the
--- others.
---
--- @param blocks? px.Block[]
--- @param lost fun(path: string)
--- @return px.Block[]
function M.told(blocks, lost)
  if not blocks or not blocks[1] then
    return NONE
  end
  local out = {}
  for _, block in ipairs(blocks) do
    local text = block.text or ''
    if block.kind == 'text' and text ~= '' and text:sub(1, #BILLING) ~= BILLING then
      out[#out + 1] = block
    else
      if block.kind ~= 'text' then
        lost('system.' .. block.kind)
      end
      if block.cache then
        lost('system.cache')
      end
    end
  end
  return out
end

--- The same for upstreams that know no marks for caching: all of it as texts.
---
--- @param blocks? px.Block[]
--- @param lost fun(path: string)
--- @return string[]
function M.texts(blocks, lost)
  if not blocks or not blocks[1] then
    return NONE
  end
  local out = {}
  for i, block in ipairs(M.told(blocks, lost)) do
    out[i] = block.text
    if block.cache then
      lost('system.cache')
    end
  end
  return out
end

return M
