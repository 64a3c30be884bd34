--- Writes neutral turns as the items of a Responses request.

local mark = require('protocol._marks')
local ids = require('protocol._ids')
local json = require('px.json')
local media = require('protocol._media')
local read = require('protocol._read')
local signature = require('protocol._signature')
local turns = require('protocol._turns')

local M = {}

local AUDIO = { ['audio/wav'] = 'wav', ['audio/x-wav'] = 'wav', ['audio/mpeg'] = 'mp3',
  ['audio/mp3'] = 'mp3' }

local function data_url(kind, data)
  return 'data:' .. (kind or 'application/octet-stream') .. ';base64,' .. data
end

local function text_part(text)
  return { type = 'input_text', text = text }
end

local function omitted(lost, what, more)
  lost('messages.' .. what)
  return text_part('[' .. what .. ' omitted' .. (more or '') .. ']')
end

--- Tells whether a file may be kept at OpenAI, and not by another vendor.
local function is_openai(block)
  return not block.protocol or block.protocol:find('^openai') ~= nil
end

-- Block kind: the part of the user that it becomes. Called with (block, lost).
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
  if block.file and not is_openai(block) then
    return omitted(lost, 'image')
  elseif block.file then
    return { type = 'input_image', file_id = block.file, detail = block.detail or 'auto' }
  end
  local url = block.url or data_url(media.sniff(block.media, block.data), block.data)
  return { type = 'input_image', image_url = url, detail = block.detail or 'auto' }
end

function part_of.audio(block, lost)
  local format = AUDIO[block.media]
  if not format or not block.data then
    return omitted(lost, 'audio')
  end
  return { type = 'input_audio', input_audio = { data = block.data, format = format } }
end

function part_of.video(block, lost)
  lost('messages.video')
  return text_part(media.omitted('video', block))
end

function part_of.document(block, lost)
  if block.text then
    return text_part(block.title and block.title .. '\n\n' .. block.text or block.text)
  elseif block.data then
    return {
      type = 'input_file', filename = block.title or 'document.pdf',
      file_data = data_url(block.media, block.data),
    }
  elseif block.url then
    return { type = 'input_file', file_url = block.url }
  elseif block.file and is_openai(block) then
    return { type = 'input_file', file_id = block.file }
  end
  return omitted(lost, 'document')
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

local function write_part(block, state)
  local part = bare_part(block, state.lost)
  mark.put(state.marks, part, block, 'messages.cache')
  return part
end

local function message(role, parts)
  return { type = 'message', role = role, content = json.array(parts) }
end

--- @class px.ItemsWriter
--- @field ctx px.Context
--- @field lost fun(path: string)
--- @field out table[]
--- @field marks px.Marks
--- @field customs table<string, boolean> Ids of calls of custom tools.

--- Says of a result that it is an error, for which there is no member.
local function tell_error(parts, first)
  if not first then
    table.insert(parts, 1, text_part('Error: '))
  elseif not first.text:lower():find('^%s*<?[%w_]*error') then
    first.text = 'Error: ' .. first.text
  end
end

--- The result of a call: text where it is nothing else.
local function write_result(state, block)
  local parts, texts, first = {}, {}, nil
  for _, inner in ipairs(block.blocks or {}) do
    local part = bare_part(inner, state.lost)
    parts[#parts + 1] = part
    first = first or part and part.type == 'input_text' and part or nil
  end
  if block.is_error then
    state.lost('messages.is_error')
    tell_error(parts, first)
  end
  for _, part in ipairs(parts) do
    texts[#texts + 1] = part.text
  end
  mark.put(state.marks, parts[#parts], block, 'messages.cache')
  local plain = #texts == #parts and (#parts == 0 or mark.none_on(parts[#parts]))
  return {
    type = state.customs[block.id] and 'custom_tool_call_output' or 'function_call_output',
    call_id = block.id,
    output = plain and table.concat(texts, '\n') or json.array(parts),
  }
end

local function is_own(block)
  return block.kind == 'opaque' and block.protocol == 'openai_responses'
end

local function write_user(state, turn)
  local out, parts = state.out, {}
  for _, block in ipairs(turn.blocks) do
    if block.kind == 'tool_result' then
      out[#out + 1] = write_result(state, block)
    elseif is_own(block) then
      out[#out + 1] = block.json
    else
      parts[#parts + 1] = write_part(block, state)
    end
  end
  if turn.name then
    state.lost('messages.name')
  end
  if #parts > 0 then
    out[#out + 1] = message('user', parts)
  end
end

-- Block kind: the item of the assistant that it becomes. Called with (state, block).
local item_of = {}

function item_of.tool_call(state, block)
  if block.cache then
    state.lost('messages.cache')
  end
  local name, args = ids.shorten(state.ctx, block.name), block.args or ''
  if block.custom then
    state.customs[block.id] = true
    return { type = 'custom_tool_call', call_id = block.id, name = name, input = args }
  end
  return {
    type = 'function_call', call_id = block.id, name = name,
    arguments = args:find('%S') and args or '{}',
  }
end

--- Thinking goes back only to who made it, or as its text where an upstream asks for that.
function item_of.thinking(state, block)
  local ctx = state.ctx
  local proof = block.kind == 'redacted' and block.data or block.signature
  local text = block.text or ''
  if proof and signature.accepts(ctx.origin or 'openai_responses', block.origin) then
    local summary = json.array({})
    if text ~= '' then
      summary[1] = { type = 'summary_text', text = text }
    end
    return { type = 'reasoning', summary = summary, encrypted_content = proof }
  end
  local wanted = (ctx.knowledge or {}).reasoning_content or (ctx.settings or {}).reasoning_content
  if wanted and text ~= '' then
    return {
      type = 'reasoning', summary = json.array({}),
      content = { { type = 'reasoning_text', text = text } },
    }
  end
  state.lost('messages.thinking')
  return nil
end
item_of.redacted = item_of.thinking

function item_of.opaque(state, block)
  if is_own(block) then
    return block.json
  end
  state.lost('messages.opaque')
  return nil
end

local function write_assistant(state, turn)
  local out, open = state.out, nil
  if turn.name then
    state.lost('messages.name')
  end
  for _, block in ipairs(turn.blocks) do
    local make = item_of[block.kind]
    if make then
      out[#out + 1] = make(state, block)
      open = nil
    else
      local part = block.kind == 'refusal' and { type = 'refusal', refusal = block.text }
        or bare_part(block, state.lost)
      if block.cache then
        state.lost('messages.cache')
      end
      if part and part.type == 'input_text' then
        part.type = 'output_text'
      elseif part and part.type ~= 'refusal' then
        state.lost('messages.' .. block.kind)
        part = { type = 'output_text', text = media.omitted(block.kind, block) }
      end
      if part and open then
        table.insert(open.content, part)
      elseif part then
        open = message('assistant', { part })
        out[#out + 1] = open
      end
    end
  end
end

--- Writes instructions and input.
---
--- @param body table
--- @param request px.Request
--- @param ctx px.Context
--- @param lost fun(path: string)
function M.write(body, request, ctx, lost)
  local state = {
    ctx = ctx, lost = lost, out = {}, customs = {}, marks = mark.start(ctx, lost),
  }
  local list = turns.repair(request.turns, lost)
  local system, parts = mark.system(state.marks, request.system, text_part)
  if parts then
    -- Instructions are a mere text: what is marked comes first of the input.
    state.out[1] = message('developer', parts)
  end
  for _, turn in ipairs(list) do
    if turn.role == 'user' then
      write_user(state, turn)
    elseif turn.role == 'assistant' then
      write_assistant(state, turn)
    else
      local text, marked = mark.system(state.marks, turn.blocks, text_part)
      if text or marked then
        state.out[#state.out + 1] = message('developer', marked or { text_part(text) })
      end
    end
  end
  local last = list[#list]
  if last and last.role == 'assistant' and #state.out > 0 then
    lost('messages.prefill')
    state.out[#state.out + 1] = message('user', { text_part('Continue.') })
  end
  if #state.out == 0 then
    -- Only a system prompt, or nothing that is left: there must be some input.
    state.out[1] = message(system and 'developer' or 'user', { text_part(system or '.') })
    system = nil
  end
  body.instructions, body.input = system, json.array(state.out)
  body.prompt_cache_options = mark.options(state.marks)
end

--- Tells whether the word "json" stands in the conversation, which json_object mode asks for.
function M.mentions_json(body)
  local found = false
  local function look(text)
    found = found or (type(text) == 'string' and text:lower():find('json', 1, true) ~= nil)
  end
  look(body.instructions)
  for _, item in ipairs(body.input) do
    for _, part in ipairs(read.maybe_table(item.content)) do
      look(part.text)
    end
  end
  return found
end

return M
