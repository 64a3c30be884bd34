--- Checks that the type stubs in lua/px/_meta name every function that scripts get, and no other.
--- Run: luajit tests/lint/stubs.lua
---
--- What C registers is read from its tables; what lua/px adds is found by running it on stand-ins.

-- The file that registers, which of its tables ('' for single functions), and whose they are.
local HOMES = {
  ['src/script/json_lua.c'] = { functions = 'json' },
  ['src/script/lib_cache.c'] = { functions = 'cache' },
  ['src/script/lib_vector.c'] = { functions = 'vector' },
  ['src/script/lib_core.c'] = { functions = 'core' },
  ['src/script/lib_crypto.c'] = { functions = 'crypto' },
  ['src/script/lib_fetch.c'] = { [''] = 'transfer' },
  ['src/script/lib_media.c'] = { [''] = 'transfer' },
  ['src/script/body.c'] = { methods = 'Body', [''] = 'body' },
  ['src/script/run_request.c'] = { methods = 'Exchange' },
  ['src/script/run_reply.c'] = { methods = 'Exchange' },
  ['src/script/run_upload.c'] = { methods = 'Exchange' },
}
-- These change Lua's own libraries, or hand over no functions.
local OTHERS = { ['src/script/sandbox.c'] = true, ['src/script/vm.c'] = true }

local bad = 0

local function complain(text, ...)
  bad = bad + 1
  io.stderr:write(text:format(...), '\n')
end

local function read(file)
  local handle = assert(io.open(file))
  local text = handle:read('*a')
  handle:close()
  return text
end

-- What there is -----------------------------------------------------------------------------------

local given = {}

local function give(owner, name)
  given[owner] = given[owner] or {}
  given[owner][name] = true
end

local function read_c(file)
  local text, homes, found = read(file), HOMES[file], false
  local function take(list, name)
    found = true
    local owner = homes and homes[list]
    if owner then
      give(owner, name)
    elseif not OTHERS[file] then
      complain('%s: tests/lint/stubs.lua does not know whose %s is', file, name)
    end
  end
  for list, body in text:gmatch('luaL_Reg ([%w_]+)%[%] = (%b{})') do
    for name in body:gmatch('{ "([%w_]+)", [%w_]+ }') do
      take(list, name)
    end
  end
  for name in text:gmatch('lua_pushcfunction%(L, [%w_]+%);%s+lua_setfield%(L, %-2, "([%w_]+)"%)') do
    if not name:find('^__') then
      take('', name)
    end
  end
  if homes and not found then
    complain('%s registers nothing', file)
  end
end

for file in io.popen('ls src/script/*.c'):lines() do
  read_c(file)
end

--- A module as C would give it, with functions that do nothing.
local function stand_in(owner, more)
  local module = more or {}
  for name in pairs(given[owner]) do
    module[name] = function() end
  end
  return module
end

--- Collects the functions of a table, `a.b` for inner ones.
local function walk(owner, t, prefix, add)
  for name, value in pairs(t) do
    if type(value) == 'function' then
      add(owner, prefix .. name)
    elseif type(value) == 'table' then
      walk(owner, value, prefix .. name .. '.', add)
    end
  end
end

local function run_library()
  package.path = 'lua/?.lua;lua/?/init.lua'
  local modules = {
    ['px.core'] = stand_in('core', { locked = function(t) return t end }),
    ['px.crypto'] = stand_in('crypto'), ['px.json'] = stand_in('json'),
    ['px.settings'] = {}, ['policy.rules'] = { on = function() end },
    ['policy.models'] = { declare = function() end },
    ['policy.told'] = { declare = function() end },
  }
  for name, module in pairs(modules) do
    package.loaded[name] = module
  end
  walk('px', require('px'), '', give)
  given.json, given.crypto = nil, nil
  for name in read('lua/px/message.lua'):gmatch('\nfunction Message:([%w_]+)') do
    give('Message', name)
  end
end

run_library()

-- What the stubs say ------------------------------------------------------------------------------

local told = {}

local function tell(owner, name)
  told[owner] = told[owner] or {}
  told[owner][name] = true
end

local json = dofile('lua/px/_meta/json.lua')
local library = dofile('lua/px/_meta/px.lua')
library.px.json = json
for owner, t in pairs(library) do
  walk(owner, t, '', tell)
end
for owner, t in pairs(dofile('lua/px/_meta/engine.lua')) do
  walk(owner, t, '', tell)
end

local function compare(a, b, text)
  for owner, names in pairs(a) do
    for name in pairs(names) do
      if not (b[owner] or {})[name] then
        complain(text, owner, name)
      end
    end
  end
end

compare(given, told, '%s.%s has no stub in lua/px/_meta')
compare(told, given, '%s.%s is in lua/px/_meta, but nobody gives it')
os.exit(bad == 0 and 0 or 1)
