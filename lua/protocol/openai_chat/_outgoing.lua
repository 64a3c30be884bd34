--- Writes neutral turns as the messages of a Chat Completions request.

local mark = require('protocol._marks')
local custom = require('protocol._custom')
local json = require('px.json')
local details = require('protocol.openai_chat._details')
local ids = require('protocol._ids')
local media = require('protocol._media')
local read = require('protocol._read')
local signature = require('protocol._signature')
local turns = require('protocol._turns')
local tools = require('protocol.openai_chat._tools')

local M = {}

local AUDIO = { ['audio/wav'] = 'wav', ['audio/x-wav'] = 'wav', ['audio/mpeg'] = 'mp3',
  ['audio/mp3'] = 'mp3' }

local function data_url(block)
  return 'data:' .. (block.media or 'application/octet-stream') .. ';base64,' .. block.data
end

local function text_part(text)
  return { type = 'text', text = text }
end

-- Block kind: the part that it becomes. Called with (block, lost).
local part_of = {}

function part_of.text(block, lost)
  if block.citations then
    lost('messages.citations')
  end
  return text_part(block.text)
end

function part_of.refusal(block)
  return text_part(block.text)
end

function part_of.image(block, lost)
  if block.file then
    lost('messages.image')
    return text_part('[image omitted]')
  end
  local url = block.url or data_url({ media = media.sniff(block.media, block.data),
    data = block.data })
  return { type = 'image_url', image_url = { url = url, detail = block.detail } }
end

function part_of.audio(block, lost)
  local format = AUDIO[block.media]
  if not format or not block.data then
    lost('messages.audio')
    return text_part('[audio omitted]')
  end
  return { type = 'input_audio', input_audio = { data = block.data, format = format } }
end

function part_of.video(block, lost)
  lost('messages.video')
  return text_part(media.omitted('video', block))
end

function part_of.document(block, lost)
  if block.text then
    if block.title then
      return text_part(block.title .. '\n\n' .. block.text)
    end
    return text_part(block.text)
  elseif block.data then
    local name = block.title or 'document.pdf'
    return { type = 'file', file = { filename = name, file_data = data_url(block) } }
  elseif block.file and (not block.protocol or block.protocol:find('^openai')) then
    return { type = 'file', file = { file_id = block.file } }
  end
  lost('messages.document')
  return text_part(media.omitted('document', block))
end

--- Writes one part, its mark for caching aside.
local function bare_part(block, lost)
  local make = part_of[block.kind]
  if make then
    return make(block, lost)
  end
  lost('messages.' .. block.kind)
  return nil
end

local function write_part(block, lost, marks)
  local part = bare_part(block, lost)
  mark.put(marks, part, block, 'messages.cache')
  return part
end

--- A string where there is one text, else the list of parts.
local function content_of(parts)
  if #parts == 1 and parts[1].type == 'text' and mark.none_on(parts[1]) then
    return parts[1].text
  end
  return json.array(parts)
end

local function id_of(block, ctx)
  return (ctx.settings or read.NONE).mistral_ids and ids.nine(block.id) or block.id
end

--- Writes one tool message; what it may not hold is left in `extra` for a user message.
local function tool_message(block, ctx, extra, lost, marks)
  local texts, images = {}, {}
  for _, inner in ipairs(block.blocks or {}) do
    local part = bare_part(inner, lost)
    if part and part.type == 'text' then
      texts[#texts + 1] = part.text
    elseif part then
      images[#images + 1] = part
    end
  end
  local text = table.concat(texts, '\n')
  if block.is_error then
    lost('messages.is_error')
    if not text:lower():find('^%s*<?[%w_]*error') then
      text = 'Error: ' .. text
    end
  end
  local allowed = (ctx.knowledge or {}).tool_images or (ctx.settings or {}).tool_images
  if #images > 0 and not allowed then
    text = (text ~= '' and text .. '\n' or '') .. '[see the next message]'
    table.move(images, 1, #images, #extra + 1, extra)
    images = {}
  end
  local parts = text ~= '' and { text_part(text) } or {}
  table.move(images, 1, #images, #parts + 1, parts)
  mark.put(marks, parts[#parts], block, 'messages.cache')
  return {
    role = 'tool', tool_call_id = id_of(block, ctx),
    content = #parts > 0 and content_of(parts) or '',
  }
end

--- An assistant turn of which nothing is left may leave two of the user's side by side: they join.
local function parts_for_user(out, turn, gap)
  local last = out[#out]
  if not gap or not last or last.role ~= 'user' or last.name ~= turn.name then
    return {}
  end
  out[#out] = nil
  return type(last.content) == 'table' and last.content or { text_part(last.content) }
end

local function write_user(out, turn, gap, ctx, lost, marks)
  local extra, parts = {}, parts_for_user(out, turn, gap)
  for _, block in ipairs(turn.blocks) do
    if block.kind == 'tool_result' then
      out[#out + 1] = tool_message(block, ctx, extra, lost, marks)
    else
      parts[#parts + 1] = write_part(block, lost, marks)
    end
  end
  if #extra > 0 then
    table.insert(extra, 1, text_part('Results of the tool calls above:'))
    out[#out + 1] = { role = 'user', content = json.array(extra) }
  end
  if #parts > 0 then
    out[#out + 1] = { role = 'user', name = turn.name, content = content_of(parts) }
  end
end

local function write_call(block, ctx, proof)
  local name = ids.shorten(ctx, block.name)
  local args = block.args
  if block.custom and tools.knows_custom(ctx) then
    return { id = id_of(block, ctx), type = 'custom', custom = { name = name, input = args or '' } }
  elseif block.custom then
    args = json.encode(custom.arguments(args or ''))
  end
  if not args or not args:find('%S') then
    args = '{}'
  end
  return {
    id = id_of(block, ctx),
    type = 'function',
    ['function'] = { name = name, arguments = args },
    extra_content = proof and { google = { thought_signature = proof } } or nil,
  }
end

--- Thinking goes back only to who made it, or as plain text where an upstream asks for it.
local function write_thinking(state, block, ctx, lost)
  local proof = block.kind == 'redacted' and block.data or block.signature
  if proof and signature.accepts(ctx.origin or 'openai_chat', block.origin) then
    if proof:sub(1, #details.ON_CALL) == details.ON_CALL then
      state.proof = proof:sub(#details.ON_CALL + 1)
    else
      state.details[#state.details + 1] =
        details.item(block.kind, block.text, proof, #state.details)
    end
  elseif block.kind == 'redacted' or not (ctx.knowledge and ctx.knowledge.reasoning_content) then
    lost('messages.thinking')
    return
  end
  if block.text and block.text ~= '' then
    state.thoughts[#state.thoughts + 1] = block.text
  end
end

local function write_assistant(out, turn, ctx, lost)
  local state = { details = {}, thoughts = {} }
  local texts, refusals, calls = {}, {}, {}
  for _, block in ipairs(turn.blocks) do
    if block.kind == 'tool_call' then
      if block.cache then
        lost('messages.cache')
      end
      calls[#calls + 1] = write_call(block, ctx, state.proof)
      state.proof = nil
    elseif block.kind == 'thinking' or block.kind == 'redacted' then
      write_thinking(state, block, ctx, lost)
    elseif block.kind == 'refusal' then
      refusals[#refusals + 1] = block.text
    else
      local part = bare_part(block, lost)
      if block.cache then
        lost('messages.cache')
      end
      texts[#texts + 1] = part and part.text
      if part and not part.text then
        lost('messages.' .. block.kind)
        texts[#texts + 1] = media.omitted(block.kind, block)
      end
    end
  end
  if #texts + #refusals + #calls == 0 then
    return false
  end
  local message = {
    role = 'assistant',
    name = turn.name,
    content = #texts > 0 and table.concat(texts) or json.null,
    refusal = #refusals > 0 and table.concat(refusals) or nil,
    tool_calls = #calls > 0 and calls or nil,
    reasoning_details = #state.details > 0 and state.details or nil,
  }
  local knowledge = ctx.knowledge
  if knowledge and knowledge.reasoning_content and #calls > 0 then
    message.reasoning_content = table.concat(state.thoughts)
  end
  out[#out + 1] = message
  return true
end

local function write_system(out, blocks, role, marks)
  local text, parts = mark.system(marks, blocks, text_part)
  if text or parts then
    out[#out + 1] = { role = role, content = text or json.array(parts) }
  end
end

--- @param request px.Request
--- @param ctx px.Context
--- @param lost fun(path: string)
--- @return table messages
--- @return table? prompt_cache_options
function M.write(request, ctx, lost)
  local out, marks = {}, mark.start(ctx, lost)
  local role = ctx.knowledge and ctx.knowledge.developer and 'developer' or 'system'
  write_system(out, request.system, role, marks)
  local gap = false
  for _, turn in ipairs(turns.repair(request.turns, lost)) do
    if turn.role == 'user' then
      write_user(out, turn, gap, ctx, lost, marks)
    elseif turn.role == 'assistant' then
      gap = not write_assistant(out, turn, ctx, lost)
    else
      write_system(out, turn.blocks, role, marks)
    end
  end
  if #out == 0 then
    out[1] = { role = 'user', content = '.' }
  end
  return json.array(out), mark.options(marks)
end

--- Tells whether some message holds the word "json", which json_object mode asks for.
function M.mentions_json(messages)
  for _, message in ipairs(messages) do
    local content = message.content
    if type(content) == 'string' and content:lower():find('json', 1, true) then
      return true
    end
    for _, part in ipairs(type(content) == 'table' and content or {}) do
      if part.text and part.text:lower():find('json', 1, true) then
        return true
      end
    end
  end
  return false
end

return M
