--- Marks up to where a prompt may be kept for the next request, in the words of OpenAI's protocols.
---
--- OpenAI's newest models take `prompt_cache_breakpoint` on the parts of what they are asked, and
--- OpenRouter takes Anthropic's own `cache_control`. All others keep what they like: there a mark
--- is lost, and told so.

local system = require('protocol._system')
local NONE = require('protocol._read').NONE

local M = {}

--- How many marks a request may have.
local MOST = 4

--- @class px.Marks
--- @field member? string What a marked part has; nil where the upstream knows no marks.
--- @field left integer How many more it may have.
--- @field lost fun(path: string)

--- Starts to write one request.
---
--- @param ctx px.Context
--- @param lost fun(path: string)
--- @return px.Marks
function M.start(ctx, lost)
  local member
  if (ctx.knowledge or {}).cache_breakpoints then
    member = 'prompt_cache_breakpoint'
  elseif (ctx.settings or {}).cache_control then
    member = 'cache_control'
  end
  return { member = member, left = MOST, lost = lost }
end

--- The mark of a block. A result has that of the last block inside it, if it has none itself: they
--- end together, and no vendor takes marks inside of results.
---
--- @param block px.Block
--- @return table? cache
function M.of(block)
  local inside
  for _, inner in ipairs(block.kind == 'tool_result' and block.blocks or NONE) do
    inside = inner.cache or inside
  end
  return block.cache or inside
end

--- Gives a part the mark of the block that it is made of.
---
--- @param marks px.Marks
--- @param part? table nil where the mark has no place.
--- @param block px.Block
--- @param path string What is lost if the mark is.
function M.put(marks, part, block, path)
  local cache = M.of(block)
  if not cache then
    return
  elseif not marks.member or not part or marks.left == 0 then
    marks.lost(path)
    return
  end
  marks.left = marks.left - 1
  part[marks.member] = marks.member == 'cache_control' and cache or { mode = 'explicit' }
end

--- Writes a system prompt: as one text, or as parts where some are marked.
---
--- @param marks px.Marks
--- @param blocks? px.Block[]
--- @param make fun(text: string): table The part that a text becomes.
--- @return string? text
--- @return table[]? parts
function M.system(marks, blocks, make)
  local told = system.told(blocks, marks.lost)
  if not told[1] then
    return nil
  end
  local parts, texts, plain = {}, {}, true
  for i, block in ipairs(told) do
    parts[i], texts[i] = make(block.text), block.text
    M.put(marks, parts[i], block, 'system.cache')
    plain = plain and M.none_on(parts[i])
  end
  if not plain then
    return nil, parts
  end
  return table.concat(texts, '\n\n')
end

--- Tells whether a part has no mark.
---
--- @param part table
--- @return boolean
function M.none_on(part)
  return part.prompt_cache_breakpoint == nil and part.cache_control == nil
end

--- What the request must say for its marks to count.
---
--- @param marks px.Marks
--- @return table? prompt_cache_options
function M.options(marks)
  if marks.member == 'prompt_cache_breakpoint' and marks.left < MOST then
    return { mode = 'explicit', ttl = '30m' }
  end
  return nil
end

return M
