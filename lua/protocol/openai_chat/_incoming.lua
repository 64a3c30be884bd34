--- Reads the messages of a Chat Completions request as neutral turns.

local json = require('px.json')
local details = require('protocol.openai_chat._details')
local media = require('protocol._media')
local read = require('protocol._read')
local signature = require('protocol._signature')

local M = {}

local bad, opt, null = read.bad, read.opt, json.null

local AUDIO = { wav = 'audio/wav', mp3 = 'audio/mpeg' }

-- Values of messages and of parts that say nothing.
local HARMLESS = {
  annotations = function(value) return type(value) == 'table' and next(value) == nil end,
}

local function cache_of(part)
  if opt(part.prompt_cache_breakpoint) then
    return { type = 'ephemeral' }
  end
  return opt(part.cache_control)
end

local part_of = {}

function part_of.text(part, path)
  local text = read.text(part.text, path .. '.text')
  if not text then
    bad(path .. '.text is missing', path .. '.text')
  end
  return { kind = 'text', text = text }
end
part_of.input_text = part_of.text
part_of.output_text = part_of.text

function part_of.image_url(part, path)
  local image = part.image_url
  local url = type(image) == 'table' and image.url or image
  if type(url) ~= 'string' then
    bad(path .. '.image_url must have a url', path .. '.image_url')
  end
  local block = { kind = 'image', detail = type(image) == 'table' and opt(image.detail) or nil }
  local kind, data = media.parse(url)
  if kind then
    path = path .. (type(image) == 'table' and '.image_url.url' or '.image_url')
    data = media.checked(data, path)
    block.media, block.data = media.sniff(kind, data), data
  else
    block.url = url
  end
  return block
end

function part_of.input_audio(part, path)
  local audio = part.input_audio
  if type(audio) ~= 'table' or type(audio.data) ~= 'string' then
    bad(path .. '.input_audio must have data', path .. '.input_audio')
  end
  local format = read.maybe_text(audio.format) or 'wav'
  local _, inner = media.parse(audio.data)
  return {
    kind = 'audio', media = AUDIO[format] or 'audio/' .. format,
    data = media.checked(inner or audio.data, path .. '.input_audio.data'),
  }
end

function part_of.file(part, path)
  local file = part.file
  if type(file) ~= 'table' then
    bad(path .. '.file must be an object', path .. '.file')
  end
  local block = { kind = 'document', title = read.maybe_text(file.filename) }
  local data = read.maybe_text(file.file_data)
  if data and data:find('^https?://') then
    block.url = data  -- OpenRouter's way to link a document.
  elseif data then
    local kind, inner = media.parse(data)
    block.data = media.checked(inner or data, path .. '.file.file_data')
    block.media = media.sniff(kind or 'application/pdf', block.data)
    if block.media:sub(1, 6) == 'image/' then
      block.kind = 'image'
    elseif block.media:sub(1, 5) == 'text/' then
      block.text, block.data = media.unbase64(block.data), nil
    end
  elseif read.maybe_text(file.file_id) then
    block.file = file.file_id
  else
    bad(path .. '.file must have file_data or file_id', path .. '.file')
  end
  return block
end

-- Of Mistral and Perplexity: a URL, or base64 without a word about it.
local function linked(name)
  return function(part, path)
    local link = part[name]
    local url = type(link) == 'table' and link.url or link
    if type(url) ~= 'string' then
      bad(path .. '.' .. name .. ' must have a url', path .. '.' .. name)
    end
    local title = read.maybe_text(part.file_name) or read.maybe_text(part.document_name)
    local kind, data = media.parse(url)
    if not kind and url:find('^%a[%w+.-]*://') then
      return { kind = 'document', url = url, title = title }
    end
    data = media.checked(data or url, path .. '.' .. name)
    return { kind = 'document', media = media.sniff(kind, data), data = data, title = title }
  end
end
part_of.document_url = linked('document_url')
part_of.file_url = linked('file_url')

function part_of.video_url(_, _, lost)
  lost('request.messages.video')
  return { kind = 'text', text = '[video omitted]' }
end

function part_of.refusal(part, path)
  return { kind = 'refusal', text = read.text(part.refusal, path .. '.refusal') or '' }
end

-- Mistral sends thinking as a part, on input too.
function part_of.thinking(part)
  local inner = part.thinking
  if type(inner) == 'table' then
    local texts = {}
    for i, piece in ipairs(inner) do
      texts[i] = type(piece) == 'table' and read.maybe_text(piece.text) or ''
    end
    inner = table.concat(texts)
  end
  return { kind = 'thinking', text = read.maybe_text(inner) or '' }
end

local function members(prefix, text)
  local known = {}
  for name in text:gmatch('%S+') do
    known[name] = true
  end
  return { known = known, prefix = 'request.messages.' .. prefix .. '.' }
end

-- Members that are read above, of parts and of the one that holds the content; others are lost.
local KNOWN_OF, KNOWN_IN = {}, {
  image_url = members('image_url', 'url detail'),
  input_audio = members('input_audio', 'data format'),
  file = members('file', 'filename file_data file_id'),
  document_url = members('document_url', 'url'),
  file_url = members('file_url', 'url'),
}
for kind in pairs(part_of) do
  KNOWN_OF[kind] = members(kind, 'type text file_name document_name closed cache_control '
    .. 'prompt_cache_breakpoint ' .. kind)
end

local function note_rest(part, lost)
  local kind = part.type
  local of, inside = KNOWN_OF[kind], KNOWN_IN[kind]
  read.unknown(part, of.known, of.prefix, lost, HARMLESS)
  if inside and read.is_object(part[kind]) then
    read.unknown(part[kind], inside.known, inside.prefix, lost)
  end
end

--- Adds the blocks of `content`, a string or a list of parts.
---
--- @param blocks px.Block[]
--- @param content any
--- @param path string
--- @param lost fun(path: string)
function M.content(blocks, content, path, lost)
  if content == nil or content == null then
    return
  elseif type(content) == 'string' then
    if content ~= '' then
      blocks[#blocks + 1] = { kind = 'text', text = content }
    end
    return
  elseif type(content) ~= 'table' or json.is_object(content) then
    bad(path .. ' must be a string or an array of parts', path)
  end
  for i, part in ipairs(content) do
    local at = path .. '[' .. (i - 1) .. ']'
    if type(part) == 'string' then
      blocks[#blocks + 1] = { kind = 'text', text = part }
    else
      local make = part_of[read.object(part, at).type]
      if not make then
        bad(('%s.type: unknown part type %s'):format(at, json.encode(part.type or null)),
          at .. '.type')
      end
      local block = make(part, at, lost)
      note_rest(part, lost)
      block.cache = cache_of(part)
      blocks[#blocks + 1] = block
    end
  end
end

--- Thinking that a client sends back: the items with proofs where there are any, else one text.
local function thinking(blocks, message)
  local items = read.maybe_table(message.reasoning_details)
  local proven = false
  for _, item in ipairs(items) do
    proven = proven or (read.is_object(item) and details.proof(item) ~= nil)
  end
  local texts = {}
  for _, item in ipairs(items) do
    if read.is_object(item) then
      local proof = details.proof(item)
      local text = details.text(item)
      texts[#texts + 1] = text
      if proof then
        local bare, origin = signature.untag('openai_chat', proof)
        if item.type == 'reasoning.encrypted' then
          blocks[#blocks + 1] = { kind = 'redacted', data = bare, origin = origin }
        else
          blocks[#blocks + 1] =
            { kind = 'thinking', text = text or '', signature = bare, origin = origin }
        end
      elseif proven and text then
        blocks[#blocks + 1] = { kind = 'thinking', text = text }
      end
    end
  end
  if not proven then
    local text = read.maybe_text(message.reasoning_content) or read.maybe_text(message.reasoning)
      or table.concat(texts)
    if text ~= '' then
      blocks[#blocks + 1] = { kind = 'thinking', text = text }
    end
  end
end

local function call_of(call, path)
  read.object(call, path)
  local custom = call.type == 'custom' and read.maybe_table(call.custom)
  local named = custom or read.maybe_table(call['function'])
  local name = read.text(named.name, path .. '.function.name')
  if not name then
    bad(path .. '.function.name is missing', path .. '.function.name')
  end
  local args = opt(custom and custom.input or named.arguments)
  if args ~= nil and type(args) ~= 'string' then
    args = json.encode(args)
  end
  return {
    kind = 'tool_call',
    id = read.text(call.id, path .. '.id') or '',
    name = name,
    args = args or '',
    custom = custom and true or nil,
  }
end

-- Google's compatible endpoint hangs the proof of thinking on the call itself.
local function call_proof(blocks, call)
  local google = read.maybe_table(read.maybe_table(call.extra_content).google)
  local proof = read.maybe_text(google.thought_signature)
  if proof then
    local bare, origin = signature.untag('openai_chat', proof)
    blocks[#blocks + 1] =
      { kind = 'thinking', text = '', signature = details.ON_CALL .. bare, origin = origin }
  end
end

local function assistant(message, path, state, lost)
  local blocks = {}
  thinking(blocks, message)
  M.content(blocks, message.content, path .. '.content', lost)
  local refusal = read.text(message.refusal, path .. '.refusal')
  if refusal and refusal ~= '' then
    blocks[#blocks + 1] = { kind = 'refusal', text = refusal }
  end
  local calls = read.table(message.tool_calls, path .. '.tool_calls', 'an array')
  for i, call in ipairs(calls or {}) do
    local block = call_of(call, path .. '.tool_calls[' .. (i - 1) .. ']')
    call_proof(blocks, call)
    state.names[block.id] = block.name
    blocks[#blocks + 1] = block
  end
  local old = opt(message.function_call)
  if type(old) == 'table' then
    state.functions = state.functions + 1
    local id = 'call_function_' .. state.functions
    local block = call_of({ id = id, ['function'] = old }, path)
    state.last_of[block.name] = id
    blocks[#blocks + 1] = block
  end
  return blocks
end

local function result(message, path, state, lost)
  local id
  if message.role == 'function' then
    local name = read.text(message.name, path .. '.name') or ''
    id = state.last_of[name] or ''
  else
    id = read.text(message.tool_call_id, path .. '.tool_call_id')
    if not id then
      bad(path .. '.tool_call_id is missing', path .. '.tool_call_id')
    end
  end
  local block = {
    kind = 'tool_result',
    id = id,
    name = state.names[id] or read.maybe_text(message.name),
    blocks = {},
  }
  M.content(block.blocks, message.content, path .. '.content', lost)
  local last = block.blocks[#block.blocks]
  block.cache = last and last.cache
  return block
end

--- The mark of a whole message is that of its last block.
local function mark_end(blocks, from, message, lost)
  local last = blocks[#blocks]
  if #blocks == from or last.kind == 'thinking' or last.kind == 'redacted' then
    lost('request.messages.cache_control')
  else
    last.cache = last.cache or opt(message.cache_control)
  end
end

local ROLES = {
  system = 'system', developer = 'system', user = 'user', assistant = 'assistant',
  tool = 'tool', ['function'] = 'tool',
}
local KNOWN = {
  role = true, content = true, name = true, refusal = true, tool_calls = true,
  tool_call_id = true, function_call = true, reasoning_content = true, reasoning = true,
  reasoning_details = true, cache_control = true, id = true,
}

--- @param messages table
--- @param request px.Request Gets `system` and `turns`.
--- @param lost fun(path: string)
function M.read(messages, request, lost)
  local state = { names = {}, last_of = {}, functions = 0 }
  local system, turns = {}, {}
  for i, message in ipairs(messages) do
    local path = 'messages[' .. (i - 1) .. ']'
    read.object(message, path)
    local role = ROLES[message.role]
    if not role then
      bad(('%s.role: unknown role %s'):format(path, json.encode(message.role or null)),
        path .. '.role')
    end
    read.unknown(message, KNOWN, 'request.messages.', lost, HARMLESS)
    local last, name = turns[#turns], read.text(message.name, path .. '.name')
    local from, blocks = 0
    if role == 'system' and not last then
      blocks, from = system, #system
      M.content(blocks, message.content, path .. '.content', lost)
    elseif role == 'tool' then
      if not (last and last.results) then
        last = { role = 'user', blocks = {}, results = true }
        turns[#turns + 1] = last
      end
      blocks = last.blocks
      blocks[#blocks + 1] = result(message, path, state, lost)
    elseif role == 'assistant' then
      blocks = assistant(message, path, state, lost)
      turns[#turns + 1] = { role = role, name = name, blocks = blocks }
    else
      blocks = {}
      M.content(blocks, message.content, path .. '.content', lost)
      turns[#turns + 1] = { role = role, name = name, blocks = blocks }
    end
    if opt(message.cache_control) then
      mark_end(blocks, from, message, lost)
    end
  end
  for _, turn in ipairs(turns) do
    turn.results = nil
  end
  request.system, request.turns = system, turns
end

return M
