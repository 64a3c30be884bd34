--- The choice among tools, where an upstream is not offered all of them.

local NONE = require('protocol._read').NONE

local M = {}

--- What is left of a request's choice: it names tools that are offered, and forces none where there
--- is none.
---
--- @param request px.Request
--- @param fits fun(tool: px.Tool): any Tells whether the upstream is offered a tool.
--- @param lost fun(path: string)
--- @return px.ToolChoice? choice nil where there is none, or nothing is left of it.
function M.among(request, fits, lost)
  local choice = request.tool_choice
  local mode = choice and choice.mode or 'auto'
  if mode == 'auto' or mode == 'none' then
    return choice
  end
  local offered, names = {}, {}
  for _, tool in ipairs(request.tools or NONE) do
    offered[tool.name] = fits(tool) and true or nil
  end
  if mode == 'any' and next(offered) or mode == 'one' and offered[choice.name] then
    return choice
  end
  for _, name in ipairs(choice.names or NONE) do
    names[#names + 1] = offered[name] and name or nil
  end
  if #names > 0 then
    return { mode = mode, names = names, required = choice.required }
  end
  lost('tool_choice')
  return nil
end

--- Tells whether a choice leaves a tool.
---
--- @param choice? px.ToolChoice
--- @param name string
--- @return boolean
function M.leaves(choice, name)
  if not choice or choice.mode ~= 'subset' then
    return true
  end
  for _, known in ipairs(choice.names) do
    if known == name then
      return true
    end
  end
  return false
end

--- Tells whether a tool is the client's own, which it runs itself.
---
--- @param tool px.Tool
--- @return boolean
function M.is_own(tool)
  return not tool.hosted
end

return M
