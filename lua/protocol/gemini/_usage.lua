--- Usage of Gemini: the prompt with its cached part, the answer without its thoughts.

local json = require('px.json')
local read = require('protocol._read')
local names = require('protocol.gemini._names')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

local FIELDS = {
  'promptTokenCount', 'cachedContentTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount',
  'toolUsePromptTokenCount',
}

-- int64 may come as a string.
local function count(value)
  return read.maybe_number(value) or (type(value) == 'string' and tonumber(value)) or nil
end

--- Usage so far, of which nothing is said yet.
function M.new()
  return {
    promptTokenCount = later, cachedContentTokenCount = later, candidatesTokenCount = later,
    thoughtsTokenCount = later, toolUsePromptTokenCount = later,
  }
end

--- Keeps what later chunks say over what earlier ones said: counts are sums so far.
---
--- @param into table
--- @param usage any
function M.merge(into, usage)
  if type(usage) ~= 'table' then
    return
  end
  for i = 1, #FIELDS do
    local name = FIELDS[i]
    local value = usage[name]
    if type(value) ~= 'number' then
      value = count(names.get(usage, name))
    end
    if value then
      into[name] = value
    end
  end
end

--- The event that merged usage makes; nil if nothing was counted.
---
--- @param merged table
--- @return px.Event?
function M.event(merged)
  if not merged.promptTokenCount and not merged.candidatesTokenCount then
    return nil
  end
  local prompt = (merged.promptTokenCount or 0) + (merged.toolUsePromptTokenCount or 0)
  local cached = math.min(merged.cachedContentTokenCount or 0, prompt)
  local thoughts = merged.thoughtsTokenCount or 0
  return {
    kind = 'usage',
    input = prompt - cached,
    cache_read = cached,
    cache_write = 0,
    output = (merged.candidatesTokenCount or 0) + thoughts,
    reasoning = thoughts,
  }
end

--- Writes usage.
---
--- @param event px.Event
--- @return table
function M.write(event)
  local cached = event.cache_read or 0
  local prompt = (event.input or 0) + cached + (event.cache_write or 0)
  local output = event.output or 0
  local thoughts = math.min(event.reasoning or 0, output)
  return json.object({
    promptTokenCount = prompt,
    cachedContentTokenCount = cached > 0 and cached or nil,
    candidatesTokenCount = output - thoughts,
    thoughtsTokenCount = thoughts > 0 and thoughts or nil,
    totalTokenCount = prompt + output,
  })
end

return M
