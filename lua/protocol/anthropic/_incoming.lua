--- Reads the messages of an Anthropic request as neutral turns.

local json = require('px.json')
local media = require('protocol._media')
local read = require('protocol._read')
local signature = require('protocol._signature')

local M = {}

local bad, opt, null = read.bad, read.opt, json.null

local read_blocks

local function source_of(block, path, kind)
  local source = block.source
  if type(source) ~= 'table' then
    bad(path .. '.source must be an object', path .. '.source')
  end
  local out = { kind = kind, title = read.maybe_text(block.title) }
  if source.type == 'base64' then
    out.data = media.checked(read.text(source.data, path .. '.source.data')
      or bad(path .. '.source.data is missing', path .. '.source.data'), path .. '.source.data')
    out.media = media.sniff(read.maybe_text(source.media_type), out.data)
  elseif source.type == 'url' then
    out.url = read.text(source.url, path .. '.source.url')
      or bad(path .. '.source.url is missing', path .. '.source.url')
  elseif source.type == 'file' then
    out.file = read.text(source.file_id, path .. '.source.file_id')
      or bad(path .. '.source.file_id is missing', path .. '.source.file_id')
    out.protocol = 'anthropic'
  elseif source.type == 'text' then
    out.text = read.text(source.data, path .. '.source.data') or ''
    out.media = 'text/plain'
  else
    bad(path .. '.source.type is unknown', path .. '.source.type')
  end
  return out
end

--- Documents of the texts among some blocks. What else there is stands between them, in its place.
---
--- @param title? string
--- @param texts string[] What the first document begins with.
--- @param blocks px.Block[]
--- @return px.Block document
--- @return px.Block[]? more What comes behind it.
local function documents(title, texts, blocks)
  local out = {}
  local function close()
    if #texts > 0 then
      out[#out + 1] = {
        kind = 'document', title = title, media = 'text/plain', text = table.concat(texts, '\n\n'),
      }
      texts = {}
    end
  end
  for _, block in ipairs(blocks) do
    if block.text and block.kind == 'text' then
      texts[#texts + 1] = block.text
    else
      close()
      out[#out + 1] = block
    end
  end
  close()
  if #out == 0 then
    out[1] = { kind = 'document', title = title, media = 'text/plain', text = '' }
  end
  return table.remove(out, 1), out[1] and out
end

-- Only what Anthropic itself wrote may go back to it.
local function own_citations(list)
  local out = {}
  for _, citation in ipairs(read.maybe_table(list)) do
    local foreign = type(citation) ~= 'table'
      or (citation.type == 'web_search_result_location' and not citation.encrypted_index)
      or citation.encrypted_index == ''
    if not foreign then
      out[#out + 1] = citation
    end
  end
  return #out > 0 and out or nil
end

local block_of = {}

function block_of.text(block, path)
  local text = read.text(block.text, path .. '.text')
  if not text then
    bad(path .. '.text is missing', path .. '.text')
  end
  return { kind = 'text', text = text, citations = own_citations(block.citations) }
end

function block_of.image(block, path)
  return source_of(block, path, 'image')
end

function block_of.document(block, path, lost)
  local source = read.maybe_table(block.source)
  if source.type == 'content' then
    return documents(read.maybe_text(block.title), {},
      read_blocks(source.content, path .. '.source.content', lost))
  end
  return source_of(block, path, 'document')
end

function block_of.search_result(block, path, lost)
  return documents(read.maybe_text(block.title), { read.maybe_text(block.source) },
    read_blocks(block.content, path .. '.content', lost))
end

function block_of.thinking(block, path)
  local out = { kind = 'thinking', text = read.text(block.thinking, path .. '.thinking') or '' }
  local proof = read.maybe_text(block.signature)
  if proof then
    local bare, origin = signature.untag('anthropic', proof)
    if bare ~= '' then
      out.signature, out.origin = bare, origin
    end
  end
  return out
end

function block_of.redacted_thinking(block, path)
  local data, origin = signature.untag('anthropic', read.text(block.data, path .. '.data') or '')
  return { kind = 'redacted', data = data, origin = origin }
end

function block_of.tool_use(block, path)
  local name = read.text(block.name, path .. '.name')
  if not name then
    bad(path .. '.name is missing', path .. '.name')
  end
  local input = opt(block.input)
  return {
    kind = 'tool_call',
    id = read.text(block.id, path .. '.id') or '',
    name = name,
    args = input == nil and '{}' or json.encode(input),
  }
end

function block_of.tool_result(block, path, lost)
  local id = read.text(block.tool_use_id, path .. '.tool_use_id')
  if not id then
    bad(path .. '.tool_use_id is missing', path .. '.tool_use_id')
  end
  return {
    kind = 'tool_result',
    id = id,
    is_error = block.is_error == true or nil,
    blocks = read_blocks(block.content, path .. '.content', lost),
  }
end

local function members(text)
  local out = { type = true, cache_control = true }
  for name in text:gmatch('%S+') do
    out[name] = true
  end
  return out
end

-- Members that are read above; others are recorded.
local KNOWN = {
  document = members('source title'),
  image = members('source'),
  redacted_thinking = members('data'),
  search_result = members('source title content'),
  text = members('text citations'),
  thinking = members('thinking signature'),
  tool_result = members('tool_use_id content is_error'),
  tool_use = members('id name input'),
}

--- Reads `content`, a string or a list of blocks.
---
--- @param content any
--- @param path string
--- @param lost fun(path: string)
--- @return px.Block[]
function read_blocks(content, path, lost)
  if content == nil or content == null then
    return {}
  elseif type(content) == 'string' then
    return content ~= '' and { { kind = 'text', text = content } } or {}
  elseif type(content) ~= 'table' or json.is_object(content) then
    bad(path .. ' must be a string or an array of blocks', path)
  end
  local out = {}
  for i, block in ipairs(content) do
    local at = path .. '[' .. (i - 1) .. ']'
    read.object(block, at)
    if type(block.type) ~= 'string' then
      bad(at .. '.type is missing', at .. '.type')
    end
    local make = block_of[block.type]
    local made, more
    if make then
      made, more = make(block, at, lost)
      read.unknown(block, KNOWN[block.type], 'request.messages.' .. block.type .. '.', lost)
    else
      made = { kind = 'opaque', protocol = 'anthropic', json = block }
    end
    out[#out + 1] = made
    for _, one in ipairs(more or read.NONE) do
      out[#out + 1] = one
    end
    local last = out[#out]
    if last.kind ~= 'opaque' then
      last.cache = opt(block.cache_control) or last.cache
    end
  end
  return out
end

M.blocks = read_blocks

local ROLES = { user = 'user', assistant = 'assistant', system = 'system' }

--- Names results after their calls, which other protocols want.
local function name_results(turns)
  local names = {}
  for _, turn in ipairs(turns) do
    for _, block in ipairs(turn.blocks) do
      if block.kind == 'tool_call' then
        names[block.id] = block.name
      elseif block.kind == 'tool_result' then
        block.name = names[block.id]
      end
    end
  end
end

--- @param messages table
--- @param lost fun(path: string)
--- @return px.Turn[]
function M.read(messages, lost)
  local turns = {}
  for i, message in ipairs(messages) do
    local path = 'messages[' .. (i - 1) .. ']'
    read.object(message, path)
    local role = ROLES[message.role]
    if not role then
      bad(('%s.role: unknown role %s'):format(path, json.encode(message.role or null)),
        path .. '.role')
    end
    turns[i] = { role = role, blocks = read_blocks(message.content, path .. '.content', lost) }
  end
  name_results(turns)
  return turns
end

return M
