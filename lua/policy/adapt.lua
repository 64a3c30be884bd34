--- What upstreams refuse, and asking without it.
---
--- An upstream that answers 400 because it does not support a parameter is asked once more without
--- it, and the parameter is left out of later requests to that model for an hour. A request whose
--- signed thoughts, missing thoughts or forced tool are refused is asked once more too, but that is
--- not remembered.
--- Nothing has reached the client by then.

local cache = require('px.cache').lists
local bodies = require('px.body')
local core = require('px.core')
local crypto = require('px.crypto')
local json = require('px.json')
local knowledge = require('policy.knowledge')
local learnt = require('policy.learnt')
local read = require('protocol._read')
local removable = require('protocol._removable')
local told = require('policy.told')
local unsigned = require('protocol._unsigned')
local unsupported = require('protocol._unsupported')
local upstreams = require('policy.upstreams')

local M = {}

local LINES_MAX = 100  -- Of the log, in as many seconds.

-- Leaving out -------------------------------------------------------------------------------------

local function lost(q, at, name)
  if at.ctx then
    return at.ctx.lost(name)
  end
  q.removed = q.removed or {}
  for _, known in ipairs(q.removed) do
    if known == name then
      return
    end
  end
  q.removed[#q.removed + 1] = name
  upstreams.count_loss(q.protocol, at.protocol, name)
end

--- Removes an object that has become empty, such as { output_config = {} }.
local function tidy(body, path)
  local parent = path:match('^([%w_-]+)%.[%w_-]+$')
  local value = parent and body:get(parent)
  if type(value) == 'table' and not json.is_array(value) and next(json.keys(value)) == nil then
    body:remove(parent)
  end
end

local function leave_out(q, at, path)
  if at.body:remove(path) > 0 then
    local needs = removable.NEEDS[path]
    if needs then
      at.body:remove(needs)
    end
    tidy(at.body, path)
    lost(q, at, removable.loss(path))
  end
end

--- Does to a body what was learnt.
local function apply(q, at, what)
  if what.use then
    local value = at.body:get(what.path)
    if value ~= nil then
      at.body:remove(what.path)
      if at.body:get(what.use) == nil then
        at.body:set(what.use, value)
      end
    end
  elseif what.value == nil or at.body:get(what.path) == what.value then
    leave_out(q, at, what.path)
  end
end

--- Leaves out what is known to be refused. Called before a request is sent.
---
--- @param q table The request: see main.lua.
--- @param at table The attempt: see attempt.lua.
function M.before(q, at)
  if not at.body or at.upstream.loss == 'refuse' then
    return
  end
  if told.count > 0 then  -- The shipped table names nothing.
    local known = knowledge.lookup(at.model, at.protocol, at.upstream.id)
    for _, path in ipairs(known.refuses or {}) do
      leave_out(q, at, path)
    end
  end
  local list = at.upstream.adapt and learnt.of(at) or read.NONE
  for i = 1, #list do
    if list[i].forgotten > core.clock() then
      apply(q, at, list[i])
    end
  end
end

-- Learning ----------------------------------------------------------------------------------------

--- The line that a person may put into a file of rules so that it holds for good.
local function line_of(at, what)
  local id, model, path = ('%q'):format(at.upstream.id), ('%q'):format(at.model),
    ('%q'):format(what.path)
  local rule = ('px.on(\'attempt\', { provider = %s, upstream_model = %s }, function(m) %%s end)')
    :format(id:gsub('%%', '%%%%'), model:gsub('%%', '%%%%'))
  if what.use then
    return rule:format(('local n = m:get(%s) if n then m:remove(%s) m:set(%q, n) end')
      :format(path, path, what.use))
  elseif what.value ~= nil then
    return rule:format(('if m:get(%s) == %q then m:remove(%s) end')
      :format(path, what.value, path))
  end
  return ('px.knowledge{ provider = %s, model = %s, refuses = { %s } }'):format(id, model, path)
end

local lines, lines_until = 0, 0

--- Logs what was learnt, once for all workers while it is remembered.
local function tell(at, what)
  local line = line_of(at, what):gsub('\\?\n', ' ')
  local key = 'adapt ' .. crypto.sha256(line)
  local now = core.clock()
  if now > lines_until then
    lines, lines_until = 0, now + LINES_MAX
  end
  if cache.get(key) or lines >= LINES_MAX then
    return
  end
  lines = lines + 1
  cache.put(key, '1', learnt.SECONDS)
  core.log('warn', ('upstream %s: %s does not support %s%s, so it is %s for an hour; this line in '
    .. 'a file of rules says so for good: %s'):format(at.upstream.id, at.model, what.path,
    what.value ~= nil and ' = ' .. tostring(what.value) or '',
    what.use and 'called ' .. what.use or 'left out', line))
end

--- What of a refusal can be helped by asking without it.
local function unsupported_of(body, text)
  local out = {}
  for _, found in ipairs(unsupported.read(text)) do
    local path, value = removable.find(body, found.path)
    if path then
      out[#out + 1] = {
        path = path, use = found.use,
        value = found.value and type(value) == 'string' and value or nil,
      }
    end
  end
  return out
end

--- Anthropic refuses a forced tool where the model thinks.
local function forced_tool(q, at, text)
  local choice = at.protocol == 'anthropic' and text:find('tool_choice', 1, true)
    and at.body:get('tool_choice')
  if type(choice) ~= 'table' or (choice.type ~= 'any' and choice.type ~= 'tool') then
    return false
  end
  at.body:set('tool_choice.type', 'auto')
  at.body:remove('tool_choice.name')
  lost(q, at, 'tool_choice')
  return true
end

local function signed_thoughts(q, at, body, text)
  if not unsigned.meant(at.protocol, text) or not unsigned.strip(at.protocol, body) then
    return false
  end
  at.body = bodies.new(body)
  lost(q, at, 'messages.thinking')
  return true
end

--- Anthropic refuses to think on after calls that were made without a thought, by another vendor.
local function no_thoughts(q, at, text)
  local thinking = at.protocol == 'anthropic'
    and text:find('must start with a thinking block', 1, true) and at.body:get('thinking')
  if type(thinking) ~= 'table' or thinking.type ~= 'enabled' then
    return false
  end
  leave_out(q, at, 'thinking')
  return true
end

--- Changes a request that was refused so that it may be asked once more.
---
--- @param q table The request: see main.lua.
--- @param at table The attempt: see attempt.lua.
--- @param status integer
--- @param text string The refusal's body.
--- @return boolean again True when it was changed.
function M.after(q, at, status, text)
  if q.adapted or (status ~= 400 and status ~= 422) or not at.body or not at.upstream.adapt
    or at.upstream.loss == 'refuse' then
    return false
  end
  q.adapted = true
  local ok, body = pcall(at.body.json, at.body)
  if not ok or type(body) ~= 'table' then
    return false
  elseif signed_thoughts(q, at, body, text) or no_thoughts(q, at, text)
    or forced_tool(q, at, text) then
    return true
  end
  local all = unsupported_of(body, text)
  for _, what in ipairs(all) do
    apply(q, at, what)
    learnt.add(at, what)
    tell(at, what)
  end
  return #all > 0
end

return M
