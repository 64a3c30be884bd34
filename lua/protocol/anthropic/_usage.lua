--- Usage of Anthropic Messages: fresh input beside cache reads and writes.

local read = require('protocol._read')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

local number = read.maybe_number

--- Usage so far, of which nothing is said yet.
function M.new()
  return {
    input = later, cache_read = later, cache_write = later, output = later, reasoning = later,
  }
end

--- Keeps what later usage says over what earlier usage said. Null says nothing.
---
--- @param into table
--- @param usage any
function M.merge(into, usage)
  usage = read.maybe_table(usage)
  into.input = number(usage.input_tokens) or into.input
  into.cache_read = number(usage.cache_read_input_tokens) or into.cache_read
  into.cache_write = number(usage.cache_creation_input_tokens) or into.cache_write
  into.output = number(usage.output_tokens) or into.output
  local details = read.maybe_table(usage.output_tokens_details)
  into.reasoning = number(details.thinking_tokens) or into.reasoning
end

--- The event that merged usage makes; nil if nothing was said.
---
--- @param merged table
--- @return px.Event?
function M.event(merged)
  if not merged.input and not merged.output then
    return nil
  end
  return {
    kind = 'usage',
    input = merged.input or 0,
    cache_read = merged.cache_read or 0,
    cache_write = merged.cache_write or 0,
    output = merged.output or 0,
    reasoning = merged.reasoning or 0,
  }
end

--- Writes usage.
---
--- @param event px.Event
--- @return table
function M.write(event)
  local reasoning = event.reasoning
  return {
    input_tokens = event.input or 0,
    cache_creation_input_tokens = event.cache_write or 0,
    cache_read_input_tokens = event.cache_read or 0,
    output_tokens = event.output or 0,
    output_tokens_details = reasoning and reasoning > 0 and { thinking_tokens = reasoning } or nil,
  }
end

return M
