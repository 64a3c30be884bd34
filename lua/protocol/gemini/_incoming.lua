--- Reads the contents of a Gemini request as neutral turns.

local json = require('px.json')
local ids = require('protocol._ids')
local media = require('protocol._media')
local names = require('protocol.gemini._names')
local proof = require('protocol.gemini._proof')
local read = require('protocol._read')

local M = {}

local bad, get = read.bad, names.get

-- Members that stand beside the data of a part and are read or mean nothing elsewhere.
local KNOWN = names.set([[text thought thoughtSignature inlineData fileData functionCall
  functionResponse executableCode codeExecutionResult toolCall toolResponse partMetadata]])
local KNOWN_CALL = names.set('id name args partialArgs willContinue')
local KNOWN_RESULT = names.set('id name response parts')
-- Keys of a response that hold nothing but the text of the result.
local PLAIN = { output = true, result = true, error = true }
-- What only Gemini understands.
local OPAQUE = { 'executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse' }

local KINDS = { image = 'image', audio = 'audio', video = 'video' }

--- The kind of block for a MIME type.
local function kind_of(mime)
  return KINDS[(mime or ''):lower():match('^[^/]+')] or 'document'
end

local function inline_of(value, path)
  read.object(value, path)
  local data = media.checked(read.text(get(value, 'data'), path .. '.data')
    or bad(path .. '.data is missing', path .. '.data'), path .. '.data')
  local mime = media.sniff(read.text(get(value, 'mimeType'), path .. '.mimeType'), data)
  local title = read.maybe_text(get(value, 'displayName'))
  local kind = kind_of(mime)
  if kind == 'document' and mime and mime:find('^text/') then
    return { kind = kind, media = mime, text = media.unbase64(data), title = title }
  end
  return { kind = kind, media = mime, data = data, title = kind == 'document' and title or nil }
end

local function file_of(value, path)
  read.object(value, path)
  local uri = read.text(get(value, 'fileUri'), path .. '.fileUri')
    or bad(path .. '.fileUri is missing', path .. '.fileUri')
  local mime = read.text(get(value, 'mimeType'), path .. '.mimeType')
  local tube = uri:find('^https?://[%w.]*youtu')
  local block = { kind = tube and 'video' or kind_of(mime), media = mime }
  local own = uri:find('generativelanguage.googleapis.com', 1, true)
  if uri:find('^https?://') and not own then
    block.url = uri
  else
    block.file, block.protocol = uri, 'gemini'
  end
  return block
end

local function call_of(value, path, state)
  read.object(value, path)
  read.unknown(value, KNOWN_CALL, 'request.contents.functionCall.', state.lost)
  local name = read.text(get(value, 'name'), path .. '.name')
    or bad(path .. '.name is missing', path .. '.name')
  local args = read.table(get(value, 'args'), path .. '.args', 'an object')
  local id = read.text(get(value, 'id'), path .. '.id')
  state.count = state.count + 1
  if not id or id == '' then
    -- The same in every request of a conversation, and no two alike.
    id = 'call_' .. ids.hash(state.count .. ' ' .. name)
  end
  local empty = args == nil or next(args) == nil
  local call = {
    kind = 'tool_call', id = id, name = name, args = empty and '{}' or json.encode(args),
  }
  state.open[#state.open + 1] = call
  return call
end

--- The call that a response answers: by id, by name, then by order, always the first open one.
local function match(state, id, name)
  local open = state.open
  for _, wanted in ipairs({ { 'id', id }, { 'name', name }, { 'id', name } }) do
    for i, call in ipairs(open) do
      if wanted[2] and wanted[2] ~= '' and call[wanted[1]] == wanted[2] then
        return table.remove(open, i)
      end
    end
  end
  -- A name that no call has is a client's own invention; one that answers an older call is not.
  if not state.called[name] then
    return table.remove(open, 1)
  end
  return nil
end

--- What a response says: a text where it holds nothing else, else the JSON of it.
local function said(response)
  if response == nil then
    return '', nil
  end
  local keys = json.keys(response)
  local only = #keys == 1 and PLAIN[keys[1]] and keys[1]
  local failed = only == 'error' or nil
  if only and type(response[only]) == 'string' then
    return response[only], failed
  elseif only and type(response[only]) == 'table' then
    return json.encode(response[only]), failed
  end
  return #keys == 0 and '' or json.encode(response), failed
end

local read_part

local function result_of(value, path, state)
  read.object(value, path)
  read.unknown(value, KNOWN_RESULT, 'request.contents.functionResponse.', state.lost)
  local name = read.text(get(value, 'name'), path .. '.name') or ''
  local id = read.text(get(value, 'id'), path .. '.id')
  local call = match(state, id, name)
  local response = read.table(get(value, 'response'), path .. '.response', 'an object')
  local text, failed = said(response)
  local blocks = {}
  if text ~= '' then
    blocks[1] = { kind = 'text', text = text }
  end
  local parts = read.table(get(value, 'parts'), path .. '.parts', 'an array')
  for i, part in ipairs(parts or {}) do
    read_part(part, ('%s.parts[%d]'):format(path, i - 1), state, blocks)
  end
  return {
    kind = 'tool_result',
    id = call and call.id or id or name,
    name = call and call.name or name,
    is_error = failed,
    blocks = blocks,
  }
end

--- Puts a signature in front of the part that it came with, into the thought before it if that has
--- none of its own.
local function add_proof(out, text)
  local bare, origin = proof.unpack(text)
  if not bare then
    return
  end
  local hidden = proof.after(proof.REDACTED, bare)
  local last = out[#out]
  if hidden then
    out[#out + 1] = { kind = 'redacted', data = hidden, origin = origin }
  elseif last and last.kind == 'thinking' and not last.signature then
    last.signature, last.origin = bare, origin
  else
    out[#out + 1] = { kind = 'thinking', text = '', signature = bare, origin = origin }
  end
end

local function text_of(part, text, path, out)
  text = read.text(text, path .. '.text') or ''
  if get(part, 'thought') ~= true then
    add_proof(out, get(part, 'thoughtSignature'))
    if text ~= '' then
      out[#out + 1] = { kind = 'text', text = text }
    end
    return
  end
  local bare, origin = proof.unpack(get(part, 'thoughtSignature'))
  if bare and origin == 'gemini' then
    bare = proof.ON_THOUGHT .. bare
  end
  if bare or text ~= '' then
    out[#out + 1] =
      { kind = 'thinking', text = text, signature = bare, origin = bare and origin }
  end
end

--- Reads one part into a list of blocks.
function read_part(part, path, state, out)
  read.object(part, path)
  read.unknown(part, KNOWN, 'request.contents.', state.lost)
  local text = get(part, 'text')
  if text ~= nil and next(part, (next(part))) == nil then
    return text_of(part, text, path, out)  -- Nothing else is in it.
  end
  for _, name in ipairs(OPAQUE) do
    if get(part, name) ~= nil then
      out[#out + 1] = { kind = 'opaque', protocol = 'gemini', json = part }
      return
    end
  end
  local make, value = inline_of, get(part, 'inlineData')
  if value == nil then
    make, value = file_of, get(part, 'fileData')
  end
  if value == nil then
    make, value = call_of, get(part, 'functionCall')
  end
  if value == nil then
    make, value = result_of, get(part, 'functionResponse')
  end
  if value == nil then
    if text == nil and get(part, 'thoughtSignature') == nil and get(part, 'thought') == nil then
      bad(path .. ' holds no data', path)
    end
    text_of(part, text, path, out)
    return
  end
  add_proof(out, get(part, 'thoughtSignature'))
  out[#out + 1] = make(value, path, state)
end

local ROLES = { user = 'user', model = 'assistant', ['function'] = 'user', tool = 'user' }

--- Notes which names have had calls, for responses that come too late.
local function note_calls(contents)
  local out = {}
  for _, content in ipairs(contents) do
    for _, part in ipairs(read.maybe_table(read.maybe_table(content).parts)) do
      local call = type(part) == 'table' and get(part, 'functionCall')
      if type(call) == 'table' and get(call, 'name') then
        out[get(call, 'name')] = true
      end
    end
  end
  return out
end

--- A list of contents, or of what libraries let pass for one.
local function list_of(contents)
  if type(contents) == 'string' then
    return { { role = 'user', parts = { { text = contents } } } }
  elseif type(contents) == 'table' and get(contents, 'parts') ~= nil then
    return { contents }
  end
  return read.table(contents, 'contents', 'an array')
end

local function parts_of(content, path)
  local parts = get(content, 'parts')
  if type(parts) == 'table' and read.is_object(parts) and not read.is_list(parts)
    and next(parts) ~= nil then
    return { parts }
  end
  return read.table(parts, path .. '.parts', 'an array')
end

--- Only the model calls, only the user answers.
local function check_role(role, blocks, path)
  local foreign = role == 'user' and 'tool_call' or 'tool_result'
  for _, block in ipairs(blocks) do
    if block.kind == foreign then
      bad(path .. '.role must be ' .. (role == 'user' and 'model with a functionCall'
        or 'user with a functionResponse'), path .. '.role')
    end
  end
end

--- @param contents any
--- @param lost fun(path: string)
--- @return px.Turn[]
function M.read(contents, lost)
  local list = list_of(contents)
  if not list or #list == 0 then
    bad('contents is not specified', 'contents')
  end
  local state = { lost = lost, count = 0, open = {}, called = note_calls(list) }
  local turns = {}
  for i, content in ipairs(list) do
    local path = 'contents[' .. (i - 1) .. ']'
    read.object(content, path)
    local role = ROLES[read.text(get(content, 'role'), path .. '.role') or 'user']
      or bad(path .. '.role must be user or model', path .. '.role')
    local blocks = {}
    for k, part in ipairs(parts_of(content, path) or {}) do
      read_part(part, ('%s.parts[%d]'):format(path, k - 1), state, blocks)
    end
    check_role(role, blocks, path)
    turns[i] = { role = role, blocks = blocks }
  end
  return turns
end

--- @param value any The request's `systemInstruction`.
--- @param lost fun(path: string)
--- @return px.Block[]
function M.system(value, lost)
  local path = 'systemInstruction'
  if value == nil then
    return {}
  elseif type(value) == 'string' then
    return value ~= '' and { { kind = 'text', text = value } } or {}
  end
  read.object(value, path)
  local blocks, out = {}, {}
  local state = { lost = lost, count = 0, open = {}, called = {} }
  for i, part in ipairs(parts_of(value, path) or {}) do
    read_part(part, ('%s.parts[%d]'):format(path, i - 1), state, blocks)
  end
  for _, block in ipairs(blocks) do
    if block.kind == 'text' then
      out[#out + 1] = block
    else
      lost('system.' .. block.kind)
    end
  end
  return out
end

return M
