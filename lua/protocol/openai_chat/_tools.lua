--- Tools and the choice among them, as Chat Completions declares them.

local choices = require('protocol._choice')
local custom = require('protocol._custom')
local ids = require('protocol._ids')
local json = require('px.json')
local read = require('protocol._read')
local search = require('protocol._search')

local M = {}

local KNOWN_SEARCH = { user_location = true, search_context_size = true }
local KNOWN = { type = true, ['function'] = true, custom = true, cache_control = true }
local KNOWN_INNER = {
  name = true, description = true, parameters = true, strict = true, format = true,
}
-- What a tool has that is written as Responses has it.
local KNOWN_FLAT = {}
for _, known in ipairs({ KNOWN, KNOWN_INNER }) do
  for name in pairs(known) do
    KNOWN_FLAT[name] = true
  end
end

--- Records members of a tool that no one reads.
---
--- @param tool table
--- @param inner table The member that declares it, or the tool itself.
--- @param lost fun(path: string)
function M.note_rest(tool, inner, lost)
  if inner == tool then
    read.unknown(tool, KNOWN_FLAT, 'request.tools.', lost)
  else
    read.unknown(tool, KNOWN, 'request.tools.', lost)
    read.unknown(inner, KNOWN_INNER, 'request.tools.', lost)
  end
end

--- The wish to search, which stands beside the tools in Chat.
---
--- @param wish table The request's `web_search_options`.
--- @param lost fun(path: string)
--- @return px.Tool
function M.read_search(wish, lost)
  read.unknown(wish, KNOWN_SEARCH, 'request.web_search_options.', lost)
  local place = read.opt(wish.user_location)
  return {
    name = 'web_search', protocol = 'openai_chat',
    hosted = {
      type = 'web_search', user_location = type(place) == 'table' and place or nil,
      search_context_size = read.maybe_text(wish.search_context_size),
    },
  }
end

--- OpenAI's own models call custom tools; for others a function stands for one.
function M.knows_custom(ctx)
  local set = (ctx.settings or {}).custom_tools
  if set ~= nil then
    return set == true
  end
  return (ctx.knowledge or {}).custom_tools == true
end

--- A search is asked for beside the tools, of models that search.
local function write_hosted(tool, ctx, lost)
  local wish = search.read(tool)
  if not wish or not (ctx.knowledge or {}).searches then
    return lost('tools.' .. (read.maybe_text(tool.hosted.type) or tool.name or 'hosted'))
  end
  search.lose(wish, { 'allowed', 'blocked', 'most' }, lost)
  local place = search.place(wish)
  if place then
    place.type = nil
    place = { type = 'approximate', approximate = place }
  end
  ctx.search = { user_location = place, search_context_size = wish.size }
end

function M.write(request, ctx, lost)
  local tools, customs = {}, {}
  for _, tool in ipairs(request.tools or read.NONE) do
    local name = ids.shorten(ctx, tool.name)
    if tool.hosted then
      write_hosted(tool, ctx, lost)
    elseif tool.custom and M.knows_custom(ctx) then
      customs[tool.name] = true
      local format = type(tool.custom) == 'table' and tool.custom or nil
      tools[#tools + 1] = {
        type = 'custom',
        custom = { name = name, description = tool.description, format = format },
      }
    elseif tool.custom then
      custom.note(ctx, tool)
      tools[#tools + 1] = {
        type = 'function',
        ['function'] = {
          name = name, description = custom.description(tool), parameters = custom.SCHEMA,
        },
      }
    else
      tools[#tools + 1] = {
        type = 'function',
        ['function'] = {
          name = name,
          description = tool.description,
          parameters = tool.schema,
          strict = tool.strict,
        },
      }
    end
    if tool.cache then
      lost('tools.cache')
    end
  end
  return #tools > 0 and tools or nil, customs
end

local function named(name, ctx, customs)
  local kind = customs[name] and 'custom' or 'function'
  return { type = kind, [kind] = { name = ids.shorten(ctx, name) } }
end

--- @param request px.Request
--- @param ctx px.Context
--- @param customs table<string, boolean> Names of tools that are offered as custom ones.
--- @param lost fun(path: string)
--- @return any
function M.write_choice(request, ctx, customs, lost)
  local mode = request.tool_choice and request.tool_choice.mode
  if not mode or mode == 'auto' or mode == 'none' then
    return mode
  end
  local searches = {}
  local choice = choices.among(request, function(tool)
    -- A model that searches always does: that choice is met without a word.
    searches[tool.name] = tool.hosted and ctx.search and search.read(tool)
    return not tool.hosted or searches[tool.name]
  end, lost)
  if not choice or choice.mode == 'one' and searches[choice.name] then
    return nil
  elseif choice.mode == 'any' then
    return 'required'
  elseif choice.mode == 'one' then
    return named(choice.name, ctx, customs)
  end
  local list = json.array({})
  for _, name in ipairs(choice.names) do
    list[#list + 1] = not searches[name] and named(name, ctx, customs) or nil
  end
  return #list > 0 and {
    type = 'allowed_tools',
    allowed_tools = { mode = choice.required and 'required' or 'auto', tools = list },
  } or nil
end

return M
