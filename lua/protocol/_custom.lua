--- Custom tools, whose calls are free text, for upstreams that know functions alone: a function
--- with one text. Readers give its calls back as what they were.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

--- What such a function takes.
M.SCHEMA = json.object({
  type = 'object',
  properties = json.object({ input = json.object({ type = 'string' }) }),
  required = json.array({ 'input' }),
})

--- What it is for, with the grammar of its text.
---
--- @param tool px.Tool
--- @return string
function M.description(tool)
  local format = type(tool.custom) == 'table' and tool.custom or {}
  local grammar = type(format.grammar) == 'table' and format.grammar or format
  local text = tool.description or ''
  if read.maybe_text(grammar.definition) then
    text = ('%s%sThe input must match this grammar (%s):\n%s'):format(text,
      text ~= '' and '\n\n' or '', tostring(grammar.syntax), grammar.definition)
  end
  return text
end

--- Remembers for the reader of the answer that a tool is custom.
---
--- @param ctx px.Context
--- @param tool px.Tool
function M.note(ctx, tool)
  ctx.customs = ctx.customs or {}
  ctx.customs[tool.name] = true
end

--- The arguments of a call in its history.
---
--- @param text string
--- @return table
function M.arguments(text)
  return json.object({ input = text })
end

return M
