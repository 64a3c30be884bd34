--- Usage of Chat Completions: one prompt count with the cache in it, one completion count.

local read = require('protocol._read')

local M = {}

local number, sub = read.maybe_number, read.maybe_table

--- Reads usage. Imitators leave reasoning out of the completion, or cached tokens out of the
--- prompt; the total tells.
---
--- @param usage table
--- @return px.Event
function M.read(usage)
  local prompt = number(usage.prompt_tokens) or number(usage.input_tokens) or 0
  local completion = number(usage.completion_tokens) or number(usage.output_tokens) or 0
  local total = number(usage.total_tokens) or 0
  local before = sub(usage.prompt_tokens_details)
  local after = sub(usage.completion_tokens_details)
  local reasoning = number(after.reasoning_tokens) or number(usage.reasoning_tokens) or 0
  local output = completion
  if reasoning > 0 and total == prompt + completion + reasoning then
    output = completion + reasoning
  end
  local inclusive = math.max(prompt, total - output)
  local cached = number(before.cached_tokens) or number(usage.prompt_cache_hit_tokens)
    or number(usage.cached_tokens) or 0
  cached = math.min(cached, inclusive)
  local written = math.min(number(before.cache_write_tokens) or 0, inclusive - cached)
  return {
    kind = 'usage',
    input = inclusive - cached - written,
    cache_read = cached,
    cache_write = written,
    output = output,
    reasoning = math.min(reasoning, output),
  }
end

--- Writes usage.
---
--- @param event px.Event
--- @return table
function M.write(event)
  local read_tokens, written = event.cache_read or 0, event.cache_write or 0
  local prompt = (event.input or 0) + read_tokens + written
  local output = event.output or 0
  return {
    prompt_tokens = prompt,
    completion_tokens = output,
    total_tokens = prompt + output,
    prompt_tokens_details = {
      cached_tokens = read_tokens,
      cache_write_tokens = written > 0 and written or nil,
    },
    completion_tokens_details = { reasoning_tokens = event.reasoning or 0 },
  }
end

return M
