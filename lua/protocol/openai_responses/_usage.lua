--- Usage of Responses: one input count with the cache in it, one output count with reasoning in it.

local read = require('protocol._read')

local M = {}

local number, sub = read.maybe_number, read.maybe_table

--- @param usage table
--- @return px.Event
function M.read(usage)
  local inclusive = number(usage.input_tokens) or number(usage.prompt_tokens) or 0
  local output = number(usage.output_tokens) or number(usage.completion_tokens) or 0
  local before = sub(usage.input_tokens_details)
  local after = sub(usage.output_tokens_details)
  local cached = math.min(number(before.cached_tokens) or 0, inclusive)
  local written = math.min(number(before.cache_write_tokens) or 0, inclusive - cached)
  return {
    kind = 'usage',
    input = inclusive - cached - written,
    cache_read = cached,
    cache_write = written,
    output = output,
    reasoning = math.min(number(after.reasoning_tokens) or 0, output),
  }
end

--- @param event px.Event
--- @return table
function M.write(event)
  local cached, written = event.cache_read or 0, event.cache_write or 0
  local inclusive, output = (event.input or 0) + cached + written, event.output or 0
  return {
    input_tokens = inclusive,
    input_tokens_details = { cached_tokens = cached, cache_write_tokens = written },
    output_tokens = output,
    output_tokens_details = { reasoning_tokens = event.reasoning or 0 },
    total_tokens = inclusive + output,
  }
end

return M
