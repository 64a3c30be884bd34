--- The last line of an answer: why it ended, tokens, and how long things took.

local retry = require('protocol._retry')
local read = require('protocol._read')

local M = {}

local number = read.maybe_number

--- Tells whether a request, and so its answer, is one of /api/generate.
---
--- @param ctx px.Context
--- @param body? table The request's, where the path is not known.
--- @return boolean
function M.is_generation(ctx, body)
  if ctx.generate ~= nil then
    return ctx.generate
  elseif ctx.path then
    return ctx.path:find('/api/generate$') ~= nil
  end
  return body ~= nil and body.messages == nil and body.prompt ~= nil
end

--- Usage, or nil where the upstream counted nothing. A cached prompt may be left out.
---
--- @param body table
--- @return px.Event?
function M.read(body)
  local prompt, output = number(body.prompt_eval_count), number(body.eval_count)
  if not prompt and not output then
    return nil
  end
  return {
    kind = 'usage', input = prompt or 0, cache_read = 0, cache_write = 0, output = output or 0,
    reasoning = 0,
  }
end

--- Tells why a reply ended. Calls end one as `stop`.
---
--- @param word any
--- @param called boolean
--- @return string
function M.finish(word, called)
  if word == 'length' then
    return 'length'
  end
  return called and 'tool' or 'stop'
end

--- Adds what only the last line of an answer has. What nobody measured is 0, but for the time of
--- generating, by which clients divide.
---
--- @param line table
--- @param ctx px.Context
--- @param reason? string
--- @param used px.Event Usage.
--- @return table line
function M.add(line, ctx, reason, used)
  local prompt = (used.input or 0) + (used.cache_read or 0) + (used.cache_write or 0)
  local output = used.output or 0
  local took = ctx.elapsed and ctx:elapsed() or 0
  line.done = true
  line.done_reason = reason == 'length' and 'length' or 'stop'
  line.total_duration = took
  line.load_duration = 0
  line.prompt_eval_count = prompt
  line.prompt_eval_duration = 0
  line.eval_count = output
  line.eval_duration = math.max(took, output > 0 and 1 or 0)
  return line
end

--- The members that every line begins with.
---
--- @param ctx px.Context
--- @param model? string The upstream's name of it.
--- @return table
function M.line(ctx, model)
  return { model = ctx.model or model or '', created_at = retry.iso(ctx.now or 0) }
end

return M
