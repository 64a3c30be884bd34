--- What a person says of models: px.knowledge{…} in files of rules.
---
--- An entry says what differs from what is known already. Of several that match a model the first
--- one that has a member says it; all of them say it before the shipped table does.

local core = require('px.core')
local glob = require('px.glob')
local json = require('px.json')
local near = require('px.near')
local settings = require('px.settings')

local M = {}

local REFUSES_MAX = 64

-- Tells whether a path is one.
local EMPTY = require('px.body').new('{}')

local EFFORTS = { 'off', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max' }
local THINKING = { 'none', 'budget', 'both', 'adaptive', 'always', 'level', 'switch' }
local THINKING_OFF = { 'disabled', 'between_tools' }

-- Members of px.Knowledge: what each must be. What may be false besides means "not known".
local MEMBERS = {
  audio = 'boolean', budget_max = 'count', budget_min = 'count', cache_breakpoints = 'boolean',
  custom_tools = 'boolean', default_output = 'count', developer = 'boolean', effort = 'efforts',
  file_urls = 'boolean', format_with_tools = 'boolean', json_schema = 'boolean',
  max_completion_tokens = 'boolean', max_output = 'count', mid_system = 'boolean',
  mixed_tools = 'boolean', no_prefill = 'boolean',
  no_sampling = 'boolean', no_stop = 'boolean', one_sampler = 'boolean',
  output_format = 'boolean', reasoning_content = 'boolean', refuses = 'paths',
  result_parts = 'boolean', searches = 'boolean', signatures = 'boolean', thinking = THINKING,
  thinking_always = 'boolean', thinking_off = THINKING_OFF, tool_images = 'boolean',
}
local KEYS = { model = true, protocol = true, provider = true }

local entries, open = {}, true

--- @type integer How many entries there are.
M.count = 0

--- @type string[] Members that an entry may have, sorted.
M.members = {}
for name in pairs(MEMBERS) do
  M.members[#M.members + 1] = name
end
table.sort(M.members)

-- Reading -----------------------------------------------------------------------------------------

--- Raises at the place of the caller of the function `level` above the one that fails.
local function fail(level, text, ...)
  error('px.knowledge: ' .. text:format(...), level + 2)
end

local function sorted(set, more)
  local out = {}
  for name in pairs(set) do
    out[#out + 1] = name
  end
  for _, name in ipairs(more or {}) do
    out[#out + 1] = name
  end
  table.sort(out)
  return out
end

--- The ids of the protocols there are.
local function protocols()
  local out = {}
  for _, module in ipairs(core.modules('protocol.')) do
    local name = module:match('^protocol%.([^._][^.]*)%.request$')
    out[#out + 1] = name
  end
  return out
end

--- Checks a match key; names without a glob must exist.
---
--- @param known? string[]
local function test_of(key, value, known)
  local list = type(value) == 'string' and { value } or value
  if type(list) ~= 'table' or #list == 0 then
    fail(2, '%s must be a glob or a list of globs', key)
  end
  local lower = {}
  for i, item in ipairs(list) do
    if type(item) ~= 'string' then
      fail(2, '%s must be a glob or a list of globs', key)
    end
    local found = not known or item:find('[*!]') ~= nil
    for _, name in ipairs(known or {}) do
      found = found or name == item
    end
    if not found then
      fail(2, 'there is no %s %q; %s', key, item, near.suggest(item, known))
    end
    lower[i] = key == 'model' and item:lower() or item
  end
  return glob.list(lower)
end

local function one_of(value, words)
  for _, word in ipairs(words) do
    if word == value then
      return true
    end
  end
  return false
end

local CHECKS = {}

function CHECKS.count(value)
  local fits = type(value) == 'number' and value >= 1 and value % 1 == 0 and value < 2 ^ 53
  return fits or nil, 'a positive whole number, or false'
end

function CHECKS.efforts(value)
  local fits = type(value) == 'table' and #value > 0
  for _, word in ipairs(fits and value or {}) do
    fits = fits and one_of(word, EFFORTS)
  end
  return fits or nil, 'a list, weakest first, of ' .. table.concat(EFFORTS, ', ') .. '; or false'
end

function CHECKS.paths(value)
  local fits = type(value) == 'table' and #value > 0 and #value <= REFUSES_MAX
  for _, path in ipairs(fits and value or {}) do
    fits = fits and type(path) == 'string' and pcall(EMPTY.get, EMPTY, path)
  end
  return fits or nil, 'a list of at most 64 paths in the body, such as { \'logit_bias\' }'
end

local function check(name, value)
  local rule = MEMBERS[name]
  if rule == 'boolean' then
    if type(value) ~= 'boolean' then
      fail(2, '%s must be true or false', name)
    end
  elseif type(rule) == 'table' then
    if value ~= false and not one_of(value, rule) then
      fail(2, '%s must be one of %s; or false', name, table.concat(rule, ', '))
    end
  elseif value ~= false or rule == 'paths' then
    local fits, wanted = CHECKS[rule](value)
    if not fits then
      fail(2, '%s must be %s', name, wanted)
    end
  end
end

--- px.knowledge{ model = 'my-model*', max_output = 8192, refuses = { 'logit_bias' } }
---
--- Says what a model is like. `provider`, `protocol` and `model` (the upstream's name of it, in any
--- case) say whom it is about; the rest are members of px.Knowledge. `false` takes back what the
--- shipped table knows.
---
--- @param entry table
function M.declare(entry)
  if not open then
    fail(1, 'is called while a file of rules is loaded, not later')
  elseif type(entry) ~= 'table' then
    fail(1, 'takes a table')
  end
  local tests, says = {}, {}
  for _, name in ipairs(sorted(KEYS)) do
    local value = entry[name]
    if value ~= nil then
      local known = name == 'provider' and sorted(settings.providers or {})
        or name == 'protocol' and protocols() or nil
      tests[#tests + 1] = { name, test_of(name, value, known) }
    end
  end
  for name, value in pairs(entry) do
    if not KEYS[name] then
      if not MEMBERS[name] then
        fail(1, 'unknown member %q; %s', tostring(name),
          near.suggest(name, sorted(KEYS, M.members)))
      end
      check(name, value)
      says[name] = value
    end
  end
  if #tests == 0 then
    fail(1, 'say whom it is about: model, protocol or provider')
  elseif next(says) == nil then
    fail(1, 'says nothing; known members are: %s', table.concat(M.members, ', '))
  end
  entries[#entries + 1] = { tests = tests, says = says }
  M.count = #entries
end

--- Called when all files are loaded.
function M.finish()
  open = false
end

-- Looking up --------------------------------------------------------------------------------------

local function holds(entry, subject)
  for i = 1, #entry.tests do
    local test = entry.tests[i]
    if not test[2](subject[test[1]]) then
      return false
    end
  end
  return true
end

--- Lays over what is known what the entries say that match.
---
--- @param known px.Knowledge Not changed.
--- @param subject { model: string, protocol: string, provider: string? }
--- @return px.Knowledge
function M.over(known, subject)
  local about = {
    model = subject.model:lower(), protocol = subject.protocol, provider = subject.provider,
  }
  local out, said, refuses
  for i = 1, #entries do
    local entry = entries[i]
    if holds(entry, about) then
      if not out then
        out, said, refuses = json.copy(known), {}, {}
      end
      for name, value in pairs(entry.says) do
        if name == 'refuses' then
          for _, path in ipairs(value) do
            refuses[#refuses + 1] = path
          end
        elseif not said[name] then
          said[name] = true
          out[name] = value
          if value == false and MEMBERS[name] ~= 'boolean' then
            out[name] = nil
          end
        end
      end
    end
  end
  if refuses and #refuses > 0 then
    out.refuses = refuses
  end
  return out or known
end

return M
