--- Writes neutral turns as the messages of an Anthropic request.

local json = require('px.json')
local ids = require('protocol._ids')
local mark = require('protocol._marks')
local media = require('protocol._media')
local read = require('protocol._read')
local signature = require('protocol._signature')
local turns = require('protocol._turns')

local M = {}

local IMAGES = {
  ['image/jpeg'] = true, ['image/png'] = true, ['image/gif'] = true, ['image/webp'] = true,
}
local CACHE_MAX = 4

local function text_block(text)
  return { type = 'text', text = text }
end

--- Hands out cache marks, of which a request may have four.
local function cache(state, block)
  local marked = mark.of(block)
  if not marked then
    return nil
  elseif state.caches == CACHE_MAX then
    state.lost('messages.cache')
    return nil
  end
  state.caches = state.caches + 1
  return marked
end

local function source_of(block)
  if block.url then
    return { type = 'url', url = block.url }
  elseif block.file then
    return { type = 'file', file_id = block.file }
  end
  return { type = 'base64', media_type = block.media, data = block.data }
end

-- Block kind: the block of the wire. Called with (block, state).
local make = {}

function make.text(block)
  local citations = block.citations
  return { type = 'text', text = block.text, citations = citations and json.array(citations) }
end
make.refusal = function(block)
  return text_block(block.text)
end

local function omitted(state, what)
  state.lost('messages.' .. what)
  return text_block('[' .. what .. ' omitted]')
end

function make.image(block, state)
  if block.detail and block.detail ~= 'auto' then
    state.lost('messages.detail')
  end
  if block.file and block.protocol ~= 'anthropic' then
    return omitted(state, 'image')
  elseif block.data then
    local kind = media.sniff(block.media, block.data)
    if not IMAGES[kind] then
      read.bad('images of type ' .. tostring(kind) .. ' are not supported by this upstream',
        'messages')
    end
    return { type = 'image', source = source_of({ media = kind, data = block.data }) }
  end
  return { type = 'image', source = source_of(block) }
end

function make.document(block, state)
  if block.text then
    return {
      type = 'document',
      title = block.title,
      source = { type = 'text', media_type = 'text/plain', data = block.text },
    }
  elseif block.file and block.protocol ~= 'anthropic' then
    return omitted(state, 'document')
  elseif block.data and media.sniff(block.media, block.data) ~= 'application/pdf' then
    return omitted(state, 'document')
  end
  return { type = 'document', title = block.title, source = source_of(block) }
end

function make.audio(_, state)
  return omitted(state, 'audio')
end

function make.video(block, state)
  state.lost('messages.video')
  return text_block(media.omitted('video', block))
end

--- Arguments as the object that Anthropic asks for, exact to the letter where they are one.
local function input_of(block)
  local args = block.args or ''
  if block.custom then
    return { input = args }
  elseif not args:find('%S') then
    return json.object({})
  end
  local value = json.decode(args)
  if value == nil then
    return { _raw = args }
  elseif type(value) ~= 'table' or json.is_array(value) then
    return value == json.null and json.object({}) or { value = value }
  end
  return value
end

function make.tool_call(block, state)
  return {
    type = 'tool_use',
    id = block.id,
    name = ids.shorten(state.ctx, block.name),
    input = input_of(block),
  }
end

function make.tool_result(block, state)
  local content = {}
  for _, inner in ipairs(block.blocks or {}) do
    local blank = inner.kind == 'text' and not inner.text:find('%S')
    local made = not blank and make[inner.kind] and make[inner.kind](inner, state)
    if made then
      content[#content + 1] = made
    elseif inner.kind == 'opaque' and inner.protocol == 'anthropic' then
      content[#content + 1] = inner.json
    elseif not blank then
      state.lost('messages.' .. inner.kind)
    end
  end
  local only = content[1]
  if #content == 1 and only.type == 'text' and not only.citations then
    content = only.text
  end
  return {
    type = 'tool_result',
    tool_use_id = block.id,
    content = #content > 0 and content or nil,
    is_error = block.is_error,
  }
end

function make.thinking(block, state)
  if block.signature and signature.accepts(state.origin, block.origin) then
    return { type = 'thinking', thinking = block.text or '', signature = block.signature }
  end
  state.lost('messages.thinking')
  return nil
end

function make.redacted(block, state)
  if signature.accepts(state.origin, block.origin) then
    return { type = 'redacted_thinking', data = block.data }
  end
  state.lost('messages.thinking')
  return nil
end

function make.opaque(block, state)
  if block.protocol == 'anthropic' then
    return block.json
  end
  state.lost('messages.opaque')
  return nil
end

--- Media of an assistant turn, where Anthropic takes none: texts stay, for others there is a note.
local function said_media(block, state)
  if block.text then
    return text_block(block.title and block.title .. '\n\n' .. block.text or block.text)
  end
  state.lost('messages.' .. block.kind)
  return text_block(media.omitted(block.kind, block))
end

local NO_CACHE = { thinking = true, redacted = true, opaque = true }

local function write_blocks(turn, state)
  local out, noted, heard = {}, 0, nil
  for _, block in ipairs(turn.blocks) do
    local kind = block.kind
    local said = turn.role == 'assistant' and (kind == 'image' or kind == 'document')
    local made = (said and said_media or make[kind])(block, state)
    if made then
      if not NO_CACHE[kind] then
        made.cache_control = cache(state, block)
      end
      out[#out + 1] = made
      if kind == 'audio' or kind == 'video' then
        noted, heard = noted + 1, heard or kind
      end
    end
  end
  if noted > 0 and noted == #out then
    read.bad(heard .. ' input is not supported by this upstream', 'messages')
  end
  return out
end

--- The system prompt's blocks, nil if there is none.
---
--- @param blocks px.Block[]
--- @param state table
--- @return table[]?
function M.system(blocks, state)
  local out = {}
  for _, block in ipairs(blocks) do
    if block.kind ~= 'text' then
      state.lost('system.' .. block.kind)
    elseif block.text:find('%S') then
      local made = text_block(block.text)
      made.cache_control = cache(state, block)
      out[#out + 1] = made
    end
  end
  return #out > 0 and out or nil
end

--- Turns of the system that may not stay where they are become the user's.
local function place_systems(list, state)
  local out
  for i, turn in ipairs(list) do
    local before, after = list[i - 1], list[i + 1]
    local fits = before and before.role == 'user' and (not after or after.role == 'assistant')
    if turn.role == 'system' and not (state.knowledge.mid_system and fits) then
      state.lost('messages.system')
      out = out or json.copy(list)
      out[i] = turns.reminder(turn)
    end
  end
  return out or list
end

--- Writes the messages.
---
--- @param request px.Request
--- @param state table ctx, knowledge, lost, origin, caches
--- @return table[] messages
function M.messages(request, state)
  local list = turns.repair(turns.unnamed(request.turns, state.lost), state.lost, true)
  local placed = place_systems(list, state)
  if placed ~= list then
    list = turns.repair(placed, state.lost, true)
  end
  local out = {}
  for _, turn in ipairs(list) do
    local content = write_blocks(turn, state)
    local last = out[#out]
    if #content > 0 and last and last.role == turn.role then
      for _, block in ipairs(content) do
        last.content[#last.content + 1] = block
      end
    elseif #content > 0 then
      out[#out + 1] = { role = turn.role, content = content }
    end
  end
  if not out[1] or out[1].role ~= 'user' then
    table.insert(out, 1, { role = 'user', content = { text_block('.') } })
  end
  return out
end

--- Makes the end of the conversation acceptable where a reply may not be begun for the model.
---
--- @param messages table[]
--- @param allowed boolean
--- @param lost fun(path: string)
function M.finish_prefill(messages, allowed, lost)
  local last = messages[#messages]
  if last.role ~= 'assistant' then
    return
  elseif not allowed then
    lost('messages.prefill')
    messages[#messages + 1] = { role = 'user', content = { text_block('Continue.') } }
    return
  end
  local block = last.content[#last.content]
  if block.type == 'text' then
    block.text = block.text:gsub('%s+$', '')
  end
end

return M
