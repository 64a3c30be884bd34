--- Writes neutral turns as the messages of an Ollama request: one text each, images beside it.

local json = require('px.json')
local arguments = require('protocol.ollama._arguments')
local media = require('protocol._media')
local read = require('protocol._read')
local system = require('protocol._system')
local turns = require('protocol._turns')

local M = {}

local IMAGES = { ['image/jpeg'] = true, ['image/png'] = true, ['image/webp'] = true }

--- What a message is made of.
local function new_parts()
  return { texts = {}, images = {} }
end

local function add_text(parts, text)
  if text and text ~= '' then
    parts.texts[#parts.texts + 1] = text
  end
end

local function omit(parts, what, state, block)
  state.lost('messages.' .. what)
  add_text(parts, media.omitted(what, block))
end

-- Block kind: what it adds to a message. Called with (parts, block, state).
local add = {}

function add.text(parts, block, state)
  if block.citations then
    state.lost('messages.citations')
  end
  add_text(parts, block.text)
end

function add.refusal(parts, block)
  add_text(parts, block.text)
end

function add.image(parts, block, state)
  if block.detail and block.detail ~= 'auto' then
    state.lost('messages.detail')
  end
  if not block.data then
    return omit(parts, 'image', state, block)
  end
  local kind = media.sniff(block.media, block.data)
  if not IMAGES[kind] then
    read.bad('images of type ' .. tostring(kind) .. ' are not supported by this upstream',
      'messages')
  end
  parts.images[#parts.images + 1] = block.data
end

function add.audio(parts, block, state)
  if state.knowledge.audio and block.data then
    parts.images[#parts.images + 1] = block.data
    return
  end
  omit(parts, 'audio', state, block)
end

function add.video(parts, block, state)
  omit(parts, 'video', state, block)
end

function add.document(parts, block, state)
  if block.text then
    add_text(parts, block.title and block.title .. '\n\n' .. block.text or block.text)
  else
    omit(parts, 'document', state, block)
  end
end

local function add_block(parts, block, state)
  if block.cache then
    state.lost('messages.cache')
  end
  local put = add[block.kind]
  if put then
    put(parts, block, state)
  else
    state.lost('messages.' .. block.kind)
  end
end

local function images_of(parts)
  return #parts.images > 0 and json.array(parts.images) or nil
end

--- A message of the role `tool`. Its text says what the flag of an error cannot.
local function tool_message(block, state)
  local parts = new_parts()
  for _, inner in ipairs(block.blocks or {}) do
    add_block(parts, inner, state)
  end
  if block.cache then
    state.lost('messages.cache')
  end
  local text = table.concat(parts.texts, '\n')
  if block.is_error then
    state.lost('messages.is_error')
    if not text:lower():find('^%s*<?[%w_]*error') then
      text = 'Error: ' .. text
    end
  end
  return {
    role = 'tool',
    content = text,
    images = images_of(parts),
    tool_call_id = block.id,
    tool_name = block.name or block.id,
  }
end

--- An assistant turn of which nothing is left may leave two of the user's side by side: they join.
local function parts_for_user(out)
  local last = out[#out]
  if not last or last.role ~= 'user' then
    return new_parts()
  end
  out[#out] = nil
  return { texts = { last.content ~= '' and last.content or nil }, images = last.images or {} }
end

local function write_user(out, turn, state)
  local parts = parts_for_user(out)
  for _, block in ipairs(turn.blocks) do
    if block.kind == 'tool_result' then
      out[#out + 1] = tool_message(block, state)
    else
      add_block(parts, block, state)
    end
  end
  if #parts.texts + #parts.images > 0 then
    out[#out + 1] = {
      role = 'user', content = table.concat(parts.texts, '\n'), images = images_of(parts),
    }
  end
end

local function write_call(block)
  return {
    id = block.id,
    ['function'] = {
      name = block.name,
      arguments = arguments.object(block.args, block.custom),
    },
  }
end

--- Thinking is plain text here: proofs of it cannot travel.
local function write_assistant(out, turn, state)
  local parts, thoughts, calls = new_parts(), {}, {}
  for _, block in ipairs(turn.blocks) do
    if block.kind == 'tool_call' then
      if block.cache then
        state.lost('messages.cache')
      end
      calls[#calls + 1] = write_call(block)
    elseif block.kind == 'thinking' then
      if block.signature then
        state.lost('messages.signature')
      end
      thoughts[#thoughts + 1] = block.text
    elseif block.kind == 'redacted' then
      state.lost('messages.thinking')
    else
      add_block(parts, block, state)
    end
  end
  local content, thinking = table.concat(parts.texts), table.concat(thoughts)
  if content == '' and #parts.images == 0 and #calls == 0 then
    if thinking ~= '' then
      state.lost('messages.thinking')
    end
    return
  end
  out[#out + 1] = {
    role = 'assistant',
    content = content,
    images = images_of(parts),
    thinking = thinking ~= '' and thinking or nil,
    tool_calls = #calls > 0 and calls or nil,
  }
end

local function write_system(out, blocks, state)
  local texts = system.texts(blocks, state.lost)
  if #texts > 0 then
    out[#out + 1] = { role = 'system', content = table.concat(texts, '\n\n') }
  end
end

--- @param request px.Request
--- @param ctx px.Context
--- @param lost fun(path: string)
--- @return table messages
function M.write(request, ctx, lost)
  local state = { knowledge = ctx.knowledge or {}, lost = lost }
  local out = {}
  write_system(out, request.system or {}, state)
  for _, turn in ipairs(turns.repair(turns.unnamed(request.turns, lost), lost)) do
    if turn.role == 'user' then
      write_user(out, turn, state)
    elseif turn.role == 'assistant' then
      write_assistant(out, turn, state)
    else
      write_system(out, turn.blocks, state)
    end
  end
  if #out == 0 then
    out[1] = { role = 'user', content = '.' }
  end
  return json.array(out)
end

return M
