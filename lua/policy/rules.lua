--- Rules: what px.on() registers, how they match, and how they run.
---
--- Everything is compiled once, when a generation is loaded. A phase without rules costs one table
--- look-up a request.

local core = require('px.core')
local glob = require('px.glob')

local M = {}

local lists = { request = {}, attempt = {}, event = {}, done = {} }
local current, count, loading = nil, 0, true

-- What a rule may match on, and in which phases that is known.
local KEYS = {
  client = { request = true, attempt = true, event = true, done = true },
  header = { request = true, attempt = true, event = true, done = true },
  kind = { event = true },
  model = { request = true, attempt = true, event = true, done = true },
  path = { request = true, attempt = true, event = true, done = true },
  protocol = { request = true, attempt = true, event = true, done = true },
  provider = { attempt = true, event = true, done = true },
  stream = { request = true, attempt = true, event = true, done = true },
  upstream_model = { attempt = true, event = true, done = true },
  when = { request = true, attempt = true, event = true, done = true },
}
local OPTIONS = { desc = 'string', on_error = 'string', order = 'number' }
local ON_ERROR = { deny = true, disable = true, pass = true }
local KINDS = {}
for name in ([[text thinking refusal signature redacted tool_start args citation image opaque
    block_stop start finish usage error ping]]):gmatch('%S+') do
  KINDS[name] = true
end

-- Registering -------------------------------------------------------------------------------------

local function names(set)
  local out = {}
  for name in pairs(set) do
    out[#out + 1] = name
  end
  table.sort(out)
  return table.concat(out, ', ')
end

local function check_globs(key, value, level)
  if type(value) == 'string' then
    return
  end
  if type(value) ~= 'table' or #value == 0 then
    error(('%s must be a glob or a list of globs'):format(key), level)
  end
  for _, item in ipairs(value) do
    if type(item) ~= 'string' then
      error(('%s must be a glob or a list of globs'):format(key), level)
    end
  end
end

local function header_test(wanted, level)
  if type(wanted) ~= 'table' then
    error('header must be a table: { name = glob }', level)
  end
  local tests = {}
  for name, value in pairs(wanted) do
    if type(name) ~= 'string' then
      error('header must be a table: { name = glob }', level)
    end
    check_globs('header.' .. name, value, level + 1)
    tests[#tests + 1] = { name:lower(), glob.list(value) }
  end
  return function(subject)
    for i = 1, #tests do
      if not tests[i][2](subject.ex:header(tests[i][1])) then
        return false
      end
    end
    return true
  end
end

local function test_of(key, value, level)
  if key == 'when' then
    if type(value) ~= 'function' then
      error('when must be a function', level)
    end
    return value, true
  elseif key == 'stream' then
    if type(value) ~= 'boolean' then
      error('stream must be true or false', level)
    end
    return function(subject)
      return (subject.stream or false) == value
    end
  elseif key == 'header' then
    return header_test(value, level + 1)
  end
  check_globs(key, value, level + 1)
  local test = glob.list(value)
  return function(subject)
    return test(subject[key])
  end
end

local function check_kinds(value, level)
  for _, kind in ipairs(type(value) == 'table' and value or { value }) do
    if type(kind) == 'string' and not kind:find('[*!]') and not KINDS[kind] then
      error(('no event has the kind %q; kinds are: %s'):format(kind, names(KINDS)), level)
    end
  end
end

--- Splits options from match keys and compiles the latter: cheap tests first, `when` last.
local function compile(phase, match, rule, level)
  local tests, when = {}, nil
  for key, value in pairs(match) do
    local known = KEYS[key]
    if OPTIONS[key] then
      if type(value) ~= OPTIONS[key] then
        error(('%s must be a %s'):format(key, OPTIONS[key]), level)
      end
      rule[key] = value
    elseif not known then
      error(('px.on: unknown key %q; keys of this phase: %s; options: desc, on_error, order')
        :format(tostring(key), M.keys(phase)), level)
    elseif not known[phase] then
      error(('px.on: %q is not known in the phase %q; its keys are: %s')
        :format(key, phase, M.keys(phase)), level)
    elseif key == 'kind' then
      check_globs('kind', value, level + 1)
      check_kinds(value, level + 1)
      rule.kind = glob.list(value)
    else
      local test, last = test_of(key, value, level + 1)
      if last then
        when = test
      else
        tests[#tests + 1] = test
      end
    end
  end
  if rule.on_error and not ON_ERROR[rule.on_error] then
    error(('on_error must be one of: %s'):format(names(ON_ERROR)), level)
  end
  rule.tests, rule.when = tests, when
end

--- Names of the keys that a phase knows.
function M.keys(phase)
  local out = {}
  for key, phases in pairs(KEYS) do
    out[key] = phases[phase]
  end
  return names(out)
end

--- Registers a rule.
---
--- @param phase 'request'|'attempt'|'event'|'done'
--- @param match table|function Match keys and options; may be left out.
--- @param fn? function
function M.on(phase, match, fn)
  if type(match) == 'function' and fn == nil then
    match, fn = {}, match
  end
  if not lists[phase] then
    error(('px.on: unknown phase %q; phases are: %s'):format(tostring(phase), names(lists)), 2)
  elseif type(match) ~= 'table' then
    error('px.on: the second argument is a table of match keys', 2)
  elseif type(fn) ~= 'function' then
    error('px.on: the last argument is the rule\'s function', 2)
  elseif not loading then
    error('px.on: rules are registered while their file is loaded, not later', 2)
  end
  count = count + 1
  local file, line = core.where(2)
  local rule = { fn = fn, phase = phase, order = 0, on_error = 'pass', number = count }
  rule.place = ('%s:%d'):format(current or file or '?', line or 0)
  compile(phase, match, rule, 3)
  table.insert(lists[phase], rule)
end

--- Runs one file of rules.
function M.load(path, chunk)
  current = path
  chunk()
  current = nil
end

--- Called when all files are loaded: puts the rules in their order.
function M.finish()
  loading = false
  for _, list in pairs(lists) do
    table.sort(list, function(a, b)
      if a.order ~= b.order then
        return a.order < b.order
      end
      return a.number < b.number
    end)
  end
  for phase in pairs(lists) do
    M[phase] = #lists[phase] > 0 and lists[phase] or nil
  end
end

-- Running -----------------------------------------------------------------------------------------

local function holds(rule, subject)
  local tests = rule.tests
  for i = 1, #tests do
    if not tests[i](subject) then
      return false
    end
  end
  return true
end

--- Tells whether any rule of the phase could match by its cheap tests.
function M.concerns(phase, subject)
  local list = M[phase]
  for i = 1, list and #list or 0 do
    if not list[i].disabled and holds(list[i], subject) then
      return true
    end
  end
  return false
end

-- A rule that answers or denies leaves its function by raising this.
local Control = {}
Control.__index = Control

--- Raises `what` as the outcome of the rule that runs.
function M.leave(what)
  error(setmetatable(what, Control), 0)
end

local function is_control(err)
  return type(err) == 'table' and getmetatable(err) == Control
end

local function failed(rule, err)
  core.count(('proxima_rule_errors_total{rule="%s"}'):format(rule.place:gsub('["\\\n]', '_')), 1)
  core.log('error', ('rule %s%s: %s'):format(rule.place,
    rule.desc and ' (' .. rule.desc .. ')' or '', tostring(err)))
  if rule.on_error == 'disable' then
    rule.disabled = true
    core.log('warn', ('rule %s is switched off until the next reload'):format(rule.place))
  end
  return rule.on_error == 'deny'
end

--- Runs the rules of a phase on its object.
---
--- @return table? control What a rule left with: { deny = … }.
function M.run(phase, subject, object, other)
  local list = M[phase]
  for i = 1, list and #list or 0 do
    local rule = list[i]
    if not rule.disabled and holds(rule, subject) then
      local ok, err = true, nil
      if rule.when then
        ok, err = pcall(rule.when, object)
      end
      if ok and (not rule.when or err) then
        ok, err = pcall(rule.fn, object, other)
      end
      if not ok and is_control(err) then
        return err
      elseif not ok and failed(rule, err) then
        return { deny = { status = 500, code = 'rule_failed',
          message = 'A rule of this gateway failed.' } }
      end
    end
  end
end

local KEPT = { error = true, finish = true, start = true, usage = true }

local function replaced(event, result, out)
  if result == nil or (result == false and KEPT[event.kind]) then
    out[#out + 1] = event
  elseif result == false then
    return
  elseif result.kind then
    out[#out + 1] = result
  else
    local stays = KEPT[event.kind]
    for i = 1, #result do
      out[#out + 1] = result[i]
      stays = stays and result[i].kind ~= event.kind
    end
    if stays then
      out[#out + 1] = event
    end
  end
end

local function apply(rule, events, req)
  local out = {}
  for i = 1, #events do
    local event = events[i]
    if not rule.disabled and (not rule.kind or rule.kind(event.kind)) then
      local ok, result = true, true
      if rule.when then
        ok, result = pcall(rule.when, event)
      end
      if ok and result then
        ok, result = pcall(rule.fn, event, req)
        if ok and result ~= nil and result ~= false and type(result) ~= 'table' then
          ok, result = false, 'an event rule gives nothing, false, an event or a list of events'
        end
      else
        result = ok and nil or result
      end
      if not ok then
        failed(rule, result)
        result = nil
      end
      replaced(event, result, out)
    else
      out[#out + 1] = event
    end
  end
  return out
end

--- Makes the function that passes lists of events through the event rules of one request; nil when
--- no rule concerns it.
function M.filter(subject, req)
  local active = {}
  for _, rule in ipairs(M.event or {}) do
    if not rule.disabled and holds(rule, subject) then
      active[#active + 1] = rule
    end
  end
  if #active == 0 then
    return nil
  end
  return function(events)
    for i = 1, #active do
      events = apply(active[i], events, req)
    end
    return events
  end
end

return M
