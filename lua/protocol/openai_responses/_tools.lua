--- Tools and the choice among them, read from a Responses request and written into one.

local choices = require('protocol._choice')
local ids = require('protocol._ids')
local json = require('px.json')
local read = require('protocol._read')
local search = require('protocol._search')
local schema = require('protocol._schema')

local M = {}

local bad, opt = read.bad, read.opt

local PROTOCOL = 'openai_responses'

-- Reading -----------------------------------------------------------------------------------------

--- The format of a custom tool: flat on this wire, nested in the neutral model.
local function read_custom(format)
  format = opt(format)
  if type(format) ~= 'table' or format.type ~= 'grammar' then
    return type(format) == 'table' and format or true
  end
  return {
    type = 'grammar',
    grammar = { definition = opt(format.definition), syntax = opt(format.syntax) },
  }
end

local KNOWN = {}
for name in ('type name description parameters strict format function custom'):gmatch('%S+') do
  KNOWN[name] = true
end

local function read_named(tool, path, kind, lost)
  local inner = tool
  if type(tool.name) ~= 'string' and type(tool[kind]) == 'table' then
    inner = tool[kind] -- As Chat Completions has it.
  end
  local name = read.text(inner.name, path .. '.name')
  if not name or name == '' then
    bad(path .. '.name is missing', path .. '.name')
  end
  read.unknown(tool, KNOWN, 'request.tools.', lost)
  return {
    name = name,
    description = read.text(inner.description, path .. '.description'),
    schema = kind == 'function'
      and read.table(inner.parameters, path .. '.parameters', 'an object') or nil,
    strict = opt(inner.strict),
    custom = kind == 'custom' and read_custom(inner.format) or nil,
  }
end

local read_list

--- Tools of a namespace get its name in front, which replies give back.
local function read_namespace(tools, tool, path, ctx)
  local space = read.text(tool.name, path .. '.name') or bad(path .. '.name is missing',
    path .. '.name')
  local from = #tools + 1
  read_list(tools, read.table(tool.tools, path .. '.tools', 'an array'), path .. '.tools', ctx)
  ctx.namespaces = ctx.namespaces or {}
  for i = from, #tools do
    local inner = tools[i]
    if not inner.hosted then
      local flat = space .. '__' .. inner.name
      ctx.namespaces[flat] = { namespace = space, name = inner.name }
      inner.name = flat
    end
  end
end

function read_list(tools, list, path, ctx)
  for i, tool in ipairs(list or {}) do
    local at = ('%s[%d]'):format(path, i - 1)
    read.object(tool, at)
    local kind = opt(tool.type) or 'function'
    if type(kind) ~= 'string' then
      bad(at .. '.type must be a string', at .. '.type')
    elseif kind == 'function' or kind == 'custom' then
      tools[#tools + 1] = read_named(tool, at, kind, ctx.lost)
    elseif kind == 'namespace' then
      read_namespace(tools, tool, at, ctx)
    else
      local label = read.maybe_text(tool.server_label)
      tools[#tools + 1] = {
        name = label and kind .. ':' .. label or kind, hosted = tool, protocol = PROTOCOL,
      }
    end
  end
end

--- Adds the tools of a list.
---
--- @param tools px.Tool[]
--- @param list? table
--- @param path string
--- @param ctx px.Context Gets `namespaces`, and `declared`: names of custom tools.
function M.read(tools, list, path, ctx)
  local from = #tools + 1
  read_list(tools, list, path, ctx)
  ctx.declared = ctx.declared or {}
  for i = from, #tools do
    ctx.declared[tools[i].name] = tools[i].custom and true or nil
  end
end

local MODES = { auto = 'auto', none = 'none', required = 'any', any = 'any' }

local function name_of(tool, path)
  read.object(tool, path)
  local inner = type(tool['function']) == 'table' and tool['function'] or tool
  local name = read.maybe_text(inner.name)
  local space = read.maybe_text(tool.namespace)
  if tool.type == 'function' or tool.type == 'custom' or tool.type == nil then
    return name and space and space .. '__' .. name or name
  end
  local label = read.maybe_text(tool.server_label)
  return read.maybe_text(tool.type) and (label and tool.type .. ':' .. label or tool.type)
end

--- @param choice any
--- @return px.ToolChoice?
function M.read_choice(choice)
  choice = opt(choice)
  if choice == nil then
    return nil
  elseif type(choice) == 'string' then
    return MODES[choice] and { mode = MODES[choice] }
      or bad('tool_choice: unknown value ' .. json.encode(choice), 'tool_choice')
  elseif type(choice) ~= 'table' then
    bad('tool_choice must be a string or an object', 'tool_choice')
  elseif choice.type == 'allowed_tools' then
    local names = {}
    for i, tool in ipairs(read.maybe_table(choice.tools)) do
      names[#names + 1] = name_of(tool, ('tool_choice.tools[%d]'):format(i - 1))
    end
    return { mode = 'subset', names = names, required = choice.mode == 'required' }
  end
  local name = name_of(choice, 'tool_choice')
  return name and { mode = 'one', name = name }
    or bad('tool_choice must name a tool', 'tool_choice')
end

-- Writing -----------------------------------------------------------------------------------------

local function write_custom(format)
  if type(format) ~= 'table' then
    return nil
  elseif type(format.grammar) == 'table' then
    return {
      type = 'grammar', definition = format.grammar.definition, syntax = format.grammar.syntax,
    }
  end
  return format
end

local function write_search(wish, lost)
  search.lose(wish, { 'blocked', 'most' }, lost)
  return {
    type = 'web_search', user_location = search.place(wish), search_context_size = wish.size,
    filters = wish.allowed and { allowed_domains = wish.allowed } or nil,
  }
end

local function write_tool(tool, ctx, lost)
  if tool.hosted then
    if tool.protocol == PROTOCOL then
      return tool.hosted
    end
    local wish = search.read(tool)
    if wish then
      return write_search(wish, lost)
    end
    lost('tools.' .. (read.maybe_text(tool.hosted.type) or tool.name or 'hosted'))
    return nil
  end
  if tool.cache then
    lost('tools.cache')
  end
  local name = ids.shorten(ctx, tool.name)
  if tool.custom then
    return {
      type = 'custom', name = name, description = tool.description,
      format = write_custom(tool.custom),
    }
  end
  return {
    type = 'function',
    name = name,
    description = tool.description,
    parameters = tool.schema or schema.empty(),
    strict = tool.strict or false, -- Left out it would mean true.
  }
end

--- @param request px.Request
--- @param ctx px.Context
--- @param lost fun(path: string)
--- @return table? tools
function M.write(request, ctx, lost)
  local tools = {}
  for _, tool in ipairs(request.tools or {}) do
    tools[#tools + 1] = write_tool(tool, ctx, lost)
  end
  return #tools > 0 and tools or nil
end

local function fits(tool)
  return not tool.hosted or tool.protocol == PROTOCOL or search.read(tool)
end

--- How a choice names a tool that is offered.
local function named(request, name, ctx)
  for _, tool in ipairs(request.tools) do
    if tool.name == name and not tool.hosted then
      return { type = tool.custom and 'custom' or 'function', name = ids.shorten(ctx, name) }
    elseif tool.name == name and tool.protocol == PROTOCOL then
      return { type = tool.hosted.type, server_label = opt(tool.hosted.server_label) }
    elseif tool.name == name and fits(tool) then
      return { type = 'web_search' }
    end
  end
  return nil
end

--- @param request px.Request
--- @param ctx px.Context
--- @param lost fun(path: string)
--- @return any
function M.write_choice(request, ctx, lost)
  local choice = choices.among(request, fits, lost)
  if not choice then
    return nil
  elseif choice.mode == 'any' then
    return 'required'
  elseif choice.mode == 'one' then
    return named(request, choice.name, ctx)
  elseif choice.mode ~= 'subset' then
    return choice.mode
  end
  local list = json.array({})
  for i, name in ipairs(choice.names) do
    list[i] = named(request, name, ctx)
  end
  return {
    type = 'allowed_tools', mode = choice.required and 'required' or 'auto', tools = list,
  }
end

return M
