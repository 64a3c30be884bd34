--- Writes neutral turns as the contents of a Gemini request.

local json = require('px.json')
local mark = require('protocol._marks')
local media = require('protocol._media')
local proof = require('protocol.gemini._proof')
local read = require('protocol._read')
local signature = require('protocol._signature')
local system = require('protocol._system')
local tools = require('protocol.gemini._tools')
local turns = require('protocol._turns')

local M = {}

local IMAGES = {
  ['image/jpeg'] = true, ['image/png'] = true, ['image/webp'] = true, ['image/heic'] = true,
  ['image/heif'] = true,
}
local BY_ENDING = {
  png = 'image/png', jpg = 'image/jpeg', jpeg = 'image/jpeg', webp = 'image/webp',
  heic = 'image/heic', pdf = 'application/pdf', mp3 = 'audio/mpeg', wav = 'audio/wav',
  mp4 = 'video/mp4', txt = 'text/plain',
}
local DEFAULT = {
  image = 'image/jpeg', document = 'application/pdf', audio = 'audio/mpeg', video = 'video/mp4',
}

local function text_part(text)
  return json.object({ text = text })
end

local function omitted(state, block, what)
  state.lost('messages.' .. what)
  return text_part(media.omitted(what, block))
end

local function inline(mime, data)
  return json.object({ inlineData = json.object({ mimeType = mime, data = data }) })
end

--- A part that names a file: Google's own, or anything that can be fetched over HTTP.
local function file_part(block, state)
  local uri = block.url
  if not uri and block.protocol == 'gemini' then
    uri = block.file
  end
  if not uri or (block.url and state.knowledge.file_urls == false) then
    return omitted(state, block, block.kind)
  end
  local ending = uri:gsub('[?#].*$', ''):match('%.(%w+)$')
  return json.object({ fileData = json.object({
    mimeType = block.media or BY_ENDING[(ending or ''):lower()] or DEFAULT[block.kind],
    fileUri = uri,
  }) })
end

-- Block kind: the part of the wire. Called with (block, state).
local make = {}

function make.text(block, state)
  if block.citations then
    state.lost('messages.citations')
  end
  return text_part(block.text)
end

function make.refusal(block)
  return text_part(block.text)
end

function make.image(block, state)
  if block.detail and block.detail ~= 'auto' then
    state.lost('messages.detail')
  end
  if not block.data then
    return file_part(block, state)
  end
  local kind = media.sniff(block.media, block.data)
  if not IMAGES[kind] then
    read.bad('images of type ' .. tostring(kind) .. ' are not supported by this upstream',
      'messages')
  end
  return inline(kind, block.data)
end

function make.document(block, state)
  if block.text then
    return text_part(block.title and block.title .. '\n\n' .. block.text or block.text)
  elseif not block.data then
    return file_part(block, state)
  end
  if block.title then
    state.lost('messages.title')
  end
  return inline(media.sniff(block.media, block.data) or 'application/pdf', block.data)
end

local function played(default)
  return function(block, state)
    if not block.data then
      return file_part(block, state)
    end
    return inline(block.media or default, block.data)
  end
end
make.audio, make.video = played('audio/wav'), played('video/mp4')

function make.opaque(block, state)
  if block.protocol == 'gemini' then
    return block.json
  end
  state.lost('messages.opaque')
  return nil
end

--- Arguments as the object that Gemini asks for.
---
--- @param args string
--- @param custom? boolean
--- @return table
function M.args(args, custom)
  if custom then
    return json.object({ input = args })
  elseif not args:find('%S') then
    return json.object({})
  end
  local value = json.decode(args)
  if value == nil then
    return json.object({ _raw = args })
  elseif type(value) ~= 'table' or json.is_array(value) then
    return value == json.null and json.object({}) or json.object({ value = value })
  end
  return value
end

function make.tool_call(block, state)
  return json.object({ functionCall = json.object({
    id = block.id,
    name = tools.name(state.ctx, block.name),
    args = M.args(block.args or '', block.custom),
  }) })
end

local WRAPS = { output = true, result = true, error = true }

--- The response that a text makes: the object that it is, else a member that holds it.
local function response_of(text, failed)
  if failed then
    return json.object({ error = text })
  end
  local value = text:find('^%s*{') and json.decode(text)
  if type(value) == 'table' then
    local keys = json.keys(value)
    if #keys > 1 or (keys[1] and not WRAPS[keys[1]]) then
      return value
    end
  end
  return json.object({ output = text })
end

--- Writes a result; media that do not fit in stand behind the results.
local function result_part(block, state, extra)
  local texts, parts = {}, json.array({})
  for _, inner in ipairs(block.blocks or {}) do
    local part = make[inner.kind] and make[inner.kind](inner, state)
    if part and part.text then
      texts[#texts + 1] = part.text
    elseif part and part.inlineData and state.knowledge.result_parts then
      parts[#parts + 1] = part
    elseif part then
      extra[#extra + 1] = part
    else
      state.lost('messages.' .. inner.kind)
    end
  end
  if mark.of(block) then
    state.lost('messages.cache')
  end
  return json.object({ functionResponse = json.object({
    id = block.id,
    name = tools.name(state.ctx, block.name or block.id or 'unknown_tool'),
    response = response_of(table.concat(texts, '\n'), block.is_error),
    parts = #parts > 0 and parts or nil,
  }) })
end

--- Takes a proof along to the next part, if Gemini made it.
local function take_thinking(block, state)
  local text = block.kind == 'redacted' and proof.REDACTED .. block.data or block.signature
  if not text or block.kind == 'redacted' or not signature.accepts(state.origin, block.origin) then
    state.lost('messages.thinking')
    return nil
  end
  local own = proof.after(proof.ON_THOUGHT, text)
  if own then
    return json.object({ text = block.text or '', thought = true, thoughtSignature = own })
  end
  if block.text and block.text ~= '' then
    state.lost('messages.thinking')
  end
  state.proof = text
  return nil
end

local function write_model(turn, state)
  local parts, called = json.array({}), false
  state.proof = nil
  for _, block in ipairs(turn.blocks) do
    local part
    if block.kind == 'thinking' or block.kind == 'redacted' then
      part = take_thinking(block, state)
    else
      part = make[block.kind] and make[block.kind](block, state)
      if block.cache then
        state.lost('messages.cache')
      end
      if part and block.kind ~= 'opaque' then
        part.thoughtSignature, state.proof = state.proof, nil
      end
      if block.kind == 'tool_call' and not called then
        called = true
        if not part.thoughtSignature and state.knowledge.signatures then
          part.thoughtSignature = proof.SKIP
        end
      end
    end
    parts[#parts + 1] = part
  end
  if state.proof and #parts > 0 then
    parts[#parts + 1] = json.object({ text = '', thoughtSignature = state.proof })
  end
  return parts
end

local function write_other(parts, block, state)
  if block.cache then
    state.lost('messages.cache')
  end
  if make[block.kind] then
    parts[#parts + 1] = make[block.kind](block, state)
  else
    state.lost('messages.' .. block.kind)
  end
end

--- Writes a turn of the user. Results stand first in it, what they have besides comes behind them.
local function write_user(turn, state)
  local parts, extra = json.array({}), nil
  for _, block in ipairs(turn.blocks) do
    if block.kind == 'tool_result' then
      extra = extra or {}
      parts[#parts + 1] = result_part(block, state, extra)
    end
  end
  for _, part in ipairs(extra or read.NONE) do
    parts[#parts + 1] = part
  end
  for _, block in ipairs(turn.blocks) do
    if block.kind ~= 'tool_result' then
      write_other(parts, block, state)
    end
  end
  return parts
end

--- Turns of the system in mid-conversation become the user's.
local function as_two_roles(list, state)
  local out
  for i, turn in ipairs(list) do
    if turn.role == 'system' then
      state.lost('messages.system')
      out = out or json.copy(list)
      out[i] = turns.reminder(turn)
    end
  end
  return out or list
end

--- @param parts table[]
--- @return table content
local function content(role, parts)
  return json.object({ role = role, parts = json.array(parts) })
end

local function add(out, role, parts)
  local last = out[#out]
  if #parts == 0 then
    return
  elseif last and last.role == role then
    for _, part in ipairs(parts) do
      last.parts[#last.parts + 1] = part
    end
  else
    out[#out + 1] = content(role, parts)
  end
end

--- Writes the contents.
---
--- @param list px.Turn[]
--- @param state table ctx, knowledge, lost, origin
--- @return table[] contents
function M.contents(list, state)
  local out = json.array({})
  list = as_two_roles(turns.unnamed(list, state.lost), state)
  for _, turn in ipairs(turns.repair(list, state.lost)) do
    if turn.role == 'assistant' then
      add(out, 'model', write_model(turn, state))
    else
      add(out, 'user', write_user(turn, state))
    end
  end
  if not out[1] or out[1].role ~= 'user' then
    table.insert(out, 1, content('user', { text_part('.') }))
  end
  if out[#out].role ~= 'user' then
    state.lost('messages.prefill')
    out[#out + 1] = content('user', { text_part('Continue.') })
  end
  return out
end

--- The system prompt, nil if there is none.
---
--- @param blocks px.Block[]
--- @param state table
--- @return table?
function M.system(blocks, state)
  local parts = {}
  for _, text in ipairs(system.texts(blocks, state.lost)) do
    if text:find('%S') then
      parts[#parts + 1] = text_part(text)
    end
  end
  return #parts > 0 and json.object({ parts = json.array(parts) }) or nil
end

return M
