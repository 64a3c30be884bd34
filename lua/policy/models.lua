--- Model names: aliases that a person declares, and what the providers offer.

local glob = require('px.glob')
local settings = require('px.settings')

local M = {}

local exact, globs = {}, {}

local function add(name, target)
  if not name:find('*', 1, true) then
    exact[name] = target
    return
  end
  for _, other in ipairs(globs) do
    if other.text == name then
      other.target = target
      return
    end
  end
  globs[#globs + 1] = {
    text = name, match = glob.one(name), target = target, weight = glob.weight(name),
  }
  table.sort(globs, function(a, b)
    if a.weight ~= b.weight then
      return a.weight > b.weight
    end
    return a.text < b.text
  end)
end

for name, target in pairs(settings.models or {}) do
  add(name, target)
end

--- px.models{ ['gpt-4o'] = 'claude-custom:claude-sonnet-4-5', ['gpt-*'] = … }
---
--- An exact name comes first, then the glob with the longest literal text. Lua wins over the
--- configuration's `models`.
--- @param map table<string, string>
function M.declare(map)
  if type(map) ~= 'table' then
    error('px.models takes a table of names and targets', 2)
  end
  for name, target in pairs(map) do
    if type(name) ~= 'string' or type(target) ~= 'string' then
      error('px.models: names and targets are strings', 2)
    end
    add(name, target)
  end
end

--- Raises when two globs can match the same name and neither is longer.
function M.check()
  for i = 1, #globs do
    for j = i + 1, #globs do
      local a, b = globs[i], globs[j]
      if a.weight == b.weight and glob.overlap(a.text, b.text) then
        error(('px.models: %q and %q match the same names and are equally exact')
          :format(a.text, b.text), 0)
      end
    end
  end
end

--- The target that is declared for a name, or nil.
function M.alias(name)
  local target = exact[name]
  if target then
    return target
  end
  for i = 1, #globs do
    if globs[i].match(name) then
      return globs[i].target
    end
  end
end

--- Names that clients may be shown: those declared without a glob.
function M.names()
  local out = {}
  for name in pairs(exact) do
    out[#out + 1] = name
  end
  table.sort(out)
  return out
end

return M
