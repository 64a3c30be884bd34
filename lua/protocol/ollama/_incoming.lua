--- Reads the messages of an Ollama request as neutral turns.
---
--- Ids of calls are young on this wire. A call without one gets an id made of what it says, so that
--- it is the same in every request of a conversation; a result without one belongs to the first
--- open call of its name, or to the first open call.

local json = require('px.json')
local arguments = require('protocol.ollama._arguments')
local ids = require('protocol._ids')
local media = require('protocol._media')
local read = require('protocol._read')

local M = {}

local bad, opt = read.bad, read.opt

-- First characters of sounds in base64: models that hear find them among the images.
local SOUNDS = { { 'SUQz', 'audio/mpeg' }, { '//uQ', 'audio/mpeg' }, { '//vQ', 'audio/mpeg' },
  { 'T2dnUw', 'audio/ogg' }, { 'ZkxhQ', 'audio/flac' } }

local function sound(data)
  for _, magic in ipairs(SOUNDS) do
    if data:sub(1, #magic[1]) == magic[1] then
      return magic[2]
    end
  end
  if data:sub(1, 5) == 'UklGR' and media.unbase64(data:sub(1, 16)):sub(9, 12) == 'WAVE' then
    return 'audio/wav'
  end
  return nil
end

local function image(value, path)
  local data = read.text(value, path) or bad(path .. ' must be a string of base64', path)
  local kind, inner = media.parse(data)
  data = media.checked(inner or data, path)
  local audio = sound(data)
  if audio then
    return { kind = 'audio', media = audio, data = data }
  end
  return {
    kind = 'image', media = media.sniff(kind, data) or 'application/octet-stream', data = data,
  }
end

--- Adds the text and the images of a message, or of what stands for one.
---
--- @param blocks px.Block[]
--- @param text any
--- @param images any
--- @param path string Of the message, with a dot behind it, or ''.
--- @param name string Of the member that holds the text.
function M.content(blocks, text, images, path, name)
  text = read.text(text, path .. name)
  if text and text ~= '' then
    blocks[#blocks + 1] = { kind = 'text', text = text }
  end
  for i, value in ipairs(read.table(images, path .. 'images', 'an array') or {}) do
    blocks[#blocks + 1] = image(value, ('%simages[%d]'):format(path, i - 1))
  end
end

--- An id that says the same each time: of the call's name, its arguments, and how often that came.
local function id_of(name, args, state)
  local key = name .. '\0' .. args
  local count = (state.seen[key] or 0) + 1
  state.seen[key] = count
  return 'call_' .. ids.hash(key .. '\0' .. count)
end

local function call_of(call, path, state)
  read.object(call, path)
  local inner = read.maybe_table(call['function'])
  local name = read.text(inner.name, path .. '.function.name')
  if not name or name == '' then
    bad(path .. '.function.name is missing', path .. '.function.name')
  end
  local args = opt(inner.arguments)
  if args ~= nil and type(args) ~= 'table' and type(args) ~= 'string' then
    bad(path .. '.function.arguments must be an object', path .. '.function.arguments')
  end
  args = arguments.text(args)
  local id = read.text(call.id, path .. '.id')
  return {
    kind = 'tool_call',
    id = id and id ~= '' and id or id_of(name, args, state),
    name = name,
    args = args,
  }
end

local function assistant(message, path, state)
  local blocks = {}
  local thinking = read.text(message.thinking, path .. '.thinking')
  if thinking and thinking ~= '' then
    blocks[1] = { kind = 'thinking', text = thinking }
  end
  M.content(blocks, message.content, message.images, path .. '.', 'content')
  local calls = read.table(message.tool_calls, path .. '.tool_calls', 'an array')
  state.step = state.step + 1
  for i, call in ipairs(calls or {}) do
    local block = call_of(call, ('%s.tool_calls[%d]'):format(path, i - 1), state)
    table.insert(state.open, { id = block.id, name = block.name, step = state.step })
    blocks[#blocks + 1] = block
  end
  return blocks
end

--- Takes the first open call of the latest step that fits.
local function take_call(state, fits)
  local at
  for i, call in ipairs(state.open) do
    if fits(call) and (not at or call.step > state.open[at].step) then
      at = i
    end
  end
  return at and table.remove(state.open, at)
end

local function result(message, path, state)
  local id = read.text(message.tool_call_id, path .. '.tool_call_id')
  local name = read.text(message.tool_name, path .. '.tool_name')
    or read.text(message.name, path .. '.name')
  id, name = id ~= '' and id or nil, name ~= '' and name or nil
  local call = id and take_call(state, function(one) return one.id == id end)
    or name and take_call(state, function(one) return one.name == name end)
    or not id and not name and take_call(state, function() return true end)
  local block = {
    kind = 'tool_result',
    id = call and call.id or id or '',
    name = call and call.name or name,
    blocks = {},
  }
  M.content(block.blocks, message.content, message.images, path .. '.', 'content')
  return block
end

local ROLES = { system = true, user = true, assistant = true, tool = true }
local KNOWN = {
  role = true, content = true, images = true, thinking = true, tool_calls = true,
  tool_name = true, tool_call_id = true, name = true,
}

local function role_of(message, path)
  local role = message.role == 'developer' and 'system' or message.role
  if type(role) ~= 'string' or not ROLES[role] then
    bad(('%s.role: unknown role %s'):format(path, json.encode(role or json.null)),
      path .. '.role')
  end
  return role
end

--- @param messages table
--- @param request px.Request Gets `system` and `turns`.
--- @param lost fun(path: string)
function M.read(messages, request, lost)
  local state = { open = {}, seen = {}, step = 0 }
  local system, turns = {}, {}
  local last
  for i, message in ipairs(messages) do
    local path = ('messages[%d]'):format(i - 1)
    local role = role_of(read.object(message, path), path)
    read.unknown(message, KNOWN, 'request.messages.', lost)
    if role == 'system' and not last then
      M.content(system, message.content, message.images, path .. '.', 'content')
    elseif role == 'tool' and last and last.results then
      table.insert(last.blocks, result(message, path, state))
    else
      last = { role = role, blocks = {} }
      if role == 'tool' then
        last.role, last.results = 'user', true
        last.blocks[1] = result(message, path, state)
      elseif role == 'assistant' then
        last.blocks = assistant(message, path, state)
      else
        M.content(last.blocks, message.content, message.images, path .. '.', 'content')
      end
      turns[#turns + 1] = last
    end
  end
  for _, turn in ipairs(turns) do
    turn.results = nil
  end
  request.system, request.turns = system, turns
end

return M
