--- Tools and the choice among them, as Gemini declares them.

local choices = require('protocol._choice')
local custom = require('protocol._custom')
local search = require('protocol._search')
local json = require('px.json')
local clean = require('protocol.gemini._clean')
local ids = require('protocol._ids')
local names = require('protocol.gemini._names')
local read = require('protocol._read')
local schema = require('protocol.gemini._schema')

local M = {}

local bad, get = read.bad, names.get

local KNOWN_CONFIG = names.set('functionCallingConfig')
local KNOWN = names.set('name description parameters parametersJsonSchema')
local FUNCTIONS = 'functionDeclarations'
local NAME_MAX = 64

-- Reading -----------------------------------------------------------------------------------------

--- A list, or the one member of it that some clients send without the list.
local function list_of(value, path)
  if type(value) == 'table' and read.is_object(value) and not read.is_list(value) then
    return { value }
  end
  return read.table(value, path, 'an array')
end

local function read_function(entry, path, lost)
  read.object(entry, path)
  local parameters = get(entry, 'parametersJsonSchema') or get(entry, 'parameters')
  if parameters ~= nil and type(parameters) ~= 'table' then
    bad(path .. '.parameters must be an object', path .. '.parameters')
  end
  read.unknown(entry, KNOWN, 'request.tools.', lost)
  return {
    name = read.text(get(entry, 'name'), path .. '.name')
      or bad(path .. '.name is missing', path .. '.name'),
    description = read.text(get(entry, 'description'), path .. '.description'),
    schema = parameters and schema.read(parameters),
  }
end

--- @param value any The request's `tools`.
--- @param lost fun(path: string)
--- @return px.Tool[]?
function M.read(value, lost)
  local out = {}
  for i, tool in ipairs(list_of(value, 'tools') or {}) do
    local path = 'tools[' .. (i - 1) .. ']'
    read.object(tool, path)
    for _, key in ipairs(json.keys(tool)) do
      local name = names.camel(key)
      if name == FUNCTIONS then
        for k, entry in ipairs(list_of(tool[key], path .. '.' .. FUNCTIONS) or {}) do
          local at = ('%s.%s[%d]'):format(path, FUNCTIONS, k - 1)
          out[#out + 1] = read_function(entry, at, lost)
        end
      elseif tool[key] ~= json.null then
        local inner = json.object({ [name] = tool[key] })
        out[#out + 1] = { name = name, hosted = inner, protocol = 'gemini' }
      end
    end
  end
  return #out > 0 and out or nil
end

local MODES = { AUTO = 'auto', ANY = 'any', NONE = 'none', VALIDATED = 'auto' }

--- @param value any The request's `toolConfig`.
--- @param lost fun(path: string)
--- @return px.ToolChoice?
function M.read_choice(value, lost)
  local config = read.table(value, 'toolConfig', 'an object') or {}
  read.unknown(config, KNOWN_CONFIG, 'request.toolConfig.', lost)
  local path = 'toolConfig.functionCallingConfig'
  local calling = read.table(get(config, 'functionCallingConfig'), path, 'an object')
  local mode = calling and read.text(get(calling, 'mode'), path .. '.mode')
  if not mode or mode == 'MODE_UNSPECIFIED' then
    return nil
  end
  local word = mode:upper()
  local out = { mode = MODES[word] or bad(path .. '.mode is unknown', path .. '.mode') }
  local allowed = {}
  for i, name in ipairs(list_of(get(calling, 'allowedFunctionNames'), path) or {}) do
    allowed[i] = read.text(name, path .. '.allowedFunctionNames')
  end
  if #allowed == 0 then
    return out
  elseif word == 'ANY' and #allowed == 1 then
    return { mode = 'one', name = allowed[1] }
  elseif word == 'ANY' or word == 'VALIDATED' then
    return { mode = 'subset', names = allowed, required = word == 'ANY' }
  end
  lost('request.toolConfig.allowedFunctionNames')
  return out
end

-- Writing -----------------------------------------------------------------------------------------

--- A tool's name as Gemini accepts it; what had to change is remembered in ctx.names.
---
--- @param ctx px.Context
--- @param name string
--- @return string
function M.name(ctx, name)
  if #name <= NAME_MAX and name:find('^[%a_][%w_.:-]*$') then
    return name
  end
  local short = ids.shorten(ctx, name)
  if short:find('^[%d-]') then
    short = '_' .. short:sub(1, NAME_MAX - 1)
    ctx.names = ctx.names or {}
    ctx.names[short] = name
  end
  return short
end

local function set_parameters(out, parameters, knowledge, lost)
  if clean.is_empty(parameters) then
    return
  elseif knowledge.json_schema then
    out.parametersJsonSchema = parameters
    return
  end
  local made, changed = clean.clean(parameters)
  if changed then
    lost('tools.schema')
  end
  if made.type ~= 'OBJECT' or made.properties then
    out.parameters = made
  elseif changed and made.description then
    -- An object without properties is refused there.
    out.description = out.description .. ' (parameters: ' .. made.description .. ')'
  end
end

local function declare(tool, ctx, knowledge, lost)
  local out = { name = M.name(ctx, tool.name), description = tool.description or '' }
  local parameters = tool.schema
  if tool.custom then
    custom.note(ctx, tool)
    out.description, parameters = custom.description(tool), custom.SCHEMA
  end
  if tool.strict then
    lost('tools.strict')
  end
  if tool.cache then
    lost('tools.cache')
  end
  if out.description == '' then
    out.description = tool.name
  end
  set_parameters(out, parameters, knowledge, lost)
  return json.object(out)
end

--- What a hosted tool becomes: itself, or Google's own search for any search.
local function hosted_of(tool, lost)
  if tool.protocol == 'gemini' then
    return tool.hosted
  end
  local wish = search.read(tool)
  if wish then
    search.lose(wish, { 'allowed', 'blocked', 'most', 'place', 'size' }, lost)
    return json.object({ googleSearch = json.object({}) })
  end
  return nil
end

--- The choice is part of the request where it can be said there.
local function offered(tool, choice, knowledge)
  return choice and choice.required or knowledge.json_schema or choices.leaves(choice, tool.name)
end

--- @param request px.Request
--- @param choice? px.ToolChoice
--- @param ctx px.Context
--- @param lost fun(path: string)
--- @return table[]? tools
--- @return boolean? mixed Hosted tools stand beside functions.
local function write(request, choice, ctx, lost)
  if not request.tools then
    return nil
  end
  local knowledge = ctx.knowledge or {}
  local functions, others = json.array({}), {}
  for _, tool in ipairs(request.tools) do
    local hosted = tool.hosted and hosted_of(tool, lost)
    if hosted then
      others[#others + 1] = hosted
    elseif tool.hosted then
      lost('tools.' .. (read.maybe_text(tool.hosted.type) or tool.name or 'hosted'))
    elseif offered(tool, choice, knowledge) then
      functions[#functions + 1] = declare(tool, ctx, knowledge, lost)
    end
  end
  if #others > 0 and #functions > 0 and not knowledge.mixed_tools then
    lost('tools.hosted')
    others = {}
  end
  local out = json.array({})
  if #functions > 0 then
    out[1] = json.object({ functionDeclarations = functions })
  end
  for _, tool in ipairs(others) do
    out[#out + 1] = tool
  end
  return #out > 0 and out or nil, #functions > 0 and #others > 0 or nil
end

local function calling_of(choice, ctx, knowledge)
  if choice.mode == 'auto' then
    return { mode = 'AUTO' }
  elseif choice.mode == 'none' then
    return { mode = 'NONE' }
  elseif choice.mode == 'any' then
    return { mode = 'ANY' }
  end
  local allowed = json.array({})
  for i, name in ipairs(choice.names or { choice.name }) do
    allowed[i] = M.name(ctx, name)
  end
  if choice.mode == 'one' or choice.required then
    return { mode = 'ANY', allowedFunctionNames = allowed }
  end
  return knowledge.json_schema and { mode = 'VALIDATED', allowedFunctionNames = allowed } or nil
end

--- Sets `tools` and `toolConfig`.
---
--- @param body table
--- @param request px.Request
--- @param ctx px.Context
--- @param lost fun(path: string)
function M.set(body, request, ctx, lost)
  local choice = choices.among(request, choices.is_own, lost)
  local tools, mixed = write(request, choice, ctx, lost)
  body.tools = tools
  if request.parallel == false and tools then
    lost('params.parallel')
  end
  local functions = tools and tools[1].functionDeclarations
  local calling = functions and choice and calling_of(choice, ctx, ctx.knowledge or {})
  if calling or mixed then
    body.toolConfig = json.object({
      functionCallingConfig = calling and json.object(calling) or nil,
      includeServerSideToolInvocations = mixed,
    })
  end
end

return M
