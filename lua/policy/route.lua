--- Where a request goes: which protocol and operation its path is, and which provider and model are
--- meant.

local core = require('px.core')
local lists = require('policy.lists')
local models = require('policy.models')
local near = require('px.near')
local settings = require('px.settings')
local upstreams = require('policy.upstreams')

local M = {}

local START = '^/([^/]+)/'  -- The first segment of a path.

local exact, paths = {}, {}
local prefixes = {}  -- Those of paths that name a thing, by first segment.
local owners = {}  -- First segment of paths: the one protocol that has it, else false.
local protocols = {}

--- The modules of a protocol.
--- @return { request: table, reply: table, stream: table, errors: table }
function M.protocol(id)
  return protocols[id]
end

local function add_path(id, entry)
  local first = entry.path:match(START)
  if first then
    owners[first] = (owners[first] == nil or owners[first] == id) and id
  end
  local op = { protocol = id, operation = entry.operation, place = entry.place }
  if entry.path:sub(-1) == '*' then
    prefixes[first] = prefixes[first] or {}
    table.insert(prefixes[first], {
      method = entry.method, path = entry.path:sub(1, -2), op = op,
    })
    return
  end
  local key = entry.method .. ' ' .. entry.path
  if exact[key] then
    exact[key][#exact[key] + 1] = op
  else
    exact[key] = { op }
    paths[#paths + 1] = entry.path
  end
end

--- Finds the protocols. Called once, when the generation is loaded.
function M.load()
  local names, has = core.modules('protocol.'), {}
  for _, name in ipairs(names) do
    has[name] = true
  end
  for _, name in ipairs(names) do
    local id = name:match('^protocol%.([%w_]+)%.request$')
    if id then
      local protocol = { id = id }
      for _, part in ipairs({ 'request', 'reply', 'stream', 'errors' }) do
        protocol[part] = require('protocol.' .. id .. '.' .. part)
      end
      protocols[id] = protocol
      for _, part in ipairs({ 'count', 'embed' }) do
        local module = 'protocol.' .. id .. '.' .. part
        protocol[part] = has[module] and require(module) or nil
      end
      for _, entry in ipairs(protocol.request.paths) do
        add_path(id, entry)
      end
    end
  end
end

local function op_of(ops, protocol)
  for i = 1, #ops do
    if ops[i].protocol == protocol then
      return ops[i]
    end
  end
end

--- Several protocols have the same path for their lists of models: headers tell them apart.
local function choose(ops, ex)
  local own
  if #ops > 1 and ex:header('anthropic-version') then
    own = op_of(ops, 'anthropic')
  elseif #ops > 1 and (ex:header('x-goog-api-client') or ex:header('x-goog-api-key')) then
    own = op_of(ops, 'gemini')
  end
  return own or op_of(ops, 'openai_chat') or ops[1]
end

local function look(method, path, ex)
  local ops = exact[method .. ' ' .. path]
  if ops then
    return choose(ops, ex)
  end
  local list, found, rest = prefixes[path:match(START)], nil, nil
  for i = 1, list and #list or 0 do
    local prefix = list[i]
    local len = #prefix.path
    if method == prefix.method and path:sub(1, len) == prefix.path and #path > len then
      found = found or {}
      found[#found + 1], rest = prefix.op, path:sub(len + 1)
    end
  end
  if found then
    return choose(found, ex), rest
  end
end

--- Clients whose base URL already ends in the path that they append say it twice.
local function undouble(path)
  local shorter = path:gsub('^(/v1%w*)%1/', '%1/')
  for i = 1, #paths do
    local known = paths[i]
    if shorter == known .. known or shorter == known .. known:gsub('^/v1', '') then
      return known
    end
  end
  return shorter ~= path and shorter or nil
end

--- Finds what a path asks.
---
--- @return { protocol: string, operation: string }? op
--- @return string? provider From the path's first segment.
--- @return string? rest What a path that names a thing names: a model's id.
function M.find(method, path, ex)
  if path:find('//', 1, true) then
    path = path:gsub('//+', '/')
  end
  if #path > 1 and path:sub(-1) == '/' then
    path = path:sub(1, -2)
  end
  local op, rest = look(method, path, ex)
  if op then
    return op, nil, rest
  end
  local provider, inner = path:match('^/([^/]+)(/.+)$')
  if provider and upstreams.get(provider) then
    path = inner
    op, rest = look(method, path, ex)
  else
    provider = nil
  end
  if not op then
    local single = undouble(path)
    if single then
      op, rest = look(method, single, ex)
    end
  end
  return op, provider, rest
end

--- The protocol whose paths alone begin like this one: `/api/` is Ollama's, `/v1beta/` Gemini's.
function M.owner(path)
  local first = path:match(START)
  return first and owners[first] or nil
end

--- The provider that a path's first segment names, if it is one that passes everything on, and what
--- stands behind its name.
function M.forwarded(path)
  if not upstreams.forwards then
    return nil
  end
  local id, inner = path:match('^/([^/]+)(/?.*)$')
  local upstream = id and upstreams.get(id)
  if upstream and upstream.type.forward then
    return upstream, inner
  end
end

--- The methods that a path knows, as `allow` lists them; nil if it is no path at all.
function M.methods(path, ex)
  local known = {}
  for _, method in ipairs({ 'GET', 'POST', 'DELETE' }) do
    if M.find(method, path, ex) then
      known[#known + 1] = method == 'GET' and 'GET, HEAD' or method
    end
  end
  return known[1] and table.concat(known, ', ')
end

--- The known path nearest to one that is not known.
function M.nearest(path)
  local best, least
  for _, known in ipairs(paths) do
    local alias = exact['POST /v1' .. known] or exact['GET /v1' .. known]
    local far = alias and math.huge or near.distance(path:sub(1, 200), known)
    if not least or far < least then
      best, least = known, far
    end
  end
  return best
end

-- Targets -----------------------------------------------------------------------------------------

--- Reads 'provider:model', and '[Label] model' as Ollama's clients see it. A colon splits only
--- behind a configured provider's id.
---
--- @return px.Upstream? upstream
--- @return string? model
function M.split(name)
  local label, rest = name:match('^%[([^%]]+)%] *(.+)$')
  if label then
    local upstream = upstreams.labelled(label)
    return upstream, upstream and rest
  end
  local id, model = name:match('^([^:]+):(.+)$')
  local upstream = id and upstreams.get(id)
  if upstream then
    return upstream, model
  end
end

--- Finds where a named target leads: 'provider:model', an alias, a listed model.
---
--- @return { upstream: px.Upstream, model: string }? target
local function by_name(name)
  local upstream, model = M.split(name)
  if upstream then
    return { upstream = upstream, model = model }
  end
  upstream = upstreams.having(name)
  return upstream and { upstream = upstream, model = name }
end

local function by_default(name)
  local upstream = settings.default_provider and upstreams.get(settings.default_provider)
  return upstream and { upstream = upstream, model = name }
end

local function find_target(model, provider)
  if provider then
    local upstream = upstreams.get(provider)
    local same, rest = M.split(model)
    return upstream and { upstream = upstream, model = same == upstream and rest or model }
  end
  local upstream, rest = M.split(model)
  if upstream then
    return { upstream = upstream, model = rest }
  end
  local alias = models.alias(model)
  if alias then
    return by_name(alias) or by_default(alias)
  end
  return by_name(model) or by_default(model)
end

local known, count, stamp = {}, 0, nil

--- A list of a provider's models has changed: what was found before may be wrong.
local function look_again()
  local now = lists.stamp()
  if now ~= stamp then
    stamp = now
    known, count = {}, 0
    upstreams.forget()
  end
end

--- Chooses the target of a request.
---
--- @param model string As the client asked.
--- @param provider? string From the path or the Model-Provider header.
--- @return { upstream: px.Upstream, model: string }? target
function M.target(model, provider)
  look_again()
  local key = provider and provider .. '\0' .. model or model
  local target = known[key]
  if not target then
    target = find_target(model, provider)
    if target and count < 1000 and #key < 200 then  -- A name may be as long as a body.
      known[key] = target
      count = count + 1
    end
  end
  return target
end

--- Reads a target that a rule gave: a name or { provider =, model = }, or a list of them.
---
--- @return table? target
--- @return string? err
function M.named(value, model)
  if type(value) == 'table' and value[1] then
    value = value[1]
  end
  if type(value) == 'string' then
    local upstream = upstreams.get(value)
    local target = upstream and { upstream = upstream, model = model } or find_target(value)
    return target, not target and ('no provider serves %q'):format(value) or nil
  elseif type(value) == 'table' and value.provider then
    local upstream = upstreams.get(value.provider)
    if not upstream then
      return nil, ('no provider is called %q'):format(tostring(value.provider))
    end
    return { upstream = upstream, model = value.model or model }
  end
  return nil, 'a target is "provider:model", or a table { provider =, model = }'
end

return M
