--- Parameters by meaning, read from and spliced into a body that is not decoded: m.params of rules.
---
--- A protocol lists, for each neutral name, a path (the value is the same there), or get and set.

local json = require('px.json')

local M = {}

M.NAMES = {}
for name in ([[temperature top_p top_k max_tokens stop seed presence_penalty frequency_penalty
    reasoning response_format tool_choice parallel]]):gmatch('%S+') do
  M.NAMES[name] = true
end

--- The value at a path; nil for none and for null.
function M.value(body, path)
  local value = body:get(path)
  if value ~= json.null then
    return value
  end
end

--- Sets a value, or removes the member when the value is nil.
function M.put(body, path, value)
  if value == nil then
    body:remove(path)
  else
    body:set(path, value)
  end
end

--- Tells whether a value names a tool: { name = 'x' }.
function M.tool_name(choice)
  return type(choice) == 'table' and type(choice.name) == 'string' and choice.name or nil
end

--- Makes a protocol's module from its list.
---
--- @param label string The protocol's name, for messages.
--- @param known table<string, string|{ get: function, set: function }>
function M.module(label, known)
  local function entry(name)
    if not M.NAMES[name] then
      error(('there is no parameter %q'):format(tostring(name)), 4)
    end
    return known[name]
  end
  return {
    --- @param body px.Body
    --- @param name string
    get = function(body, name)
      local how = entry(name)
      if type(how) == 'table' then
        return how.get(body)
      end
      return how and M.value(body, how)
    end,
    --- @param body px.Body
    --- @param name string
    --- @param value any nil removes.
    --- @param knowledge px.Knowledge
    set = function(body, name, value, knowledge)
      local how = entry(name)
      if type(how) == 'table' then
        how.set(body, value, knowledge)
      elseif how then
        M.put(body, how, value)
      elseif value ~= nil then
        error(('%s has no parameter %s'):format(label, name), 3)
      end
    end,
  }
end

return M
