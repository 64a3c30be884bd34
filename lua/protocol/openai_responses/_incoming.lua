--- Reads the items of a Responses request as neutral turns.

local json = require('px.json')
local media = require('protocol._media')
local read = require('protocol._read')
local shape = require('protocol.openai_responses._reply')
local signature = require('protocol._signature')
local tools = require('protocol.openai_responses._tools')

local M = {}

local bad, opt, null = read.bad, read.opt, json.null

local PROTOCOL = 'openai_responses'
local AUDIO = { wav = 'audio/wav', mp3 = 'audio/mpeg' }

-- Parts -------------------------------------------------------------------------------------------

local part_of = {}

function part_of.input_text(part, path)
  local text = read.text(part.text, path .. '.text')
  if not text then
    bad(path .. '.text is missing', path .. '.text')
  end
  return { kind = 'text', text = text }
end
part_of.text = part_of.input_text
part_of.summary_text = part_of.input_text
part_of.reasoning_text = part_of.input_text

--- What a text cites is taken back by no other vendor.
function part_of.output_text(part, path, lost)
  local notes = opt(part.annotations)
  if type(notes) == 'table' and next(notes) ~= nil then
    lost('request.input.annotations')
  end
  return part_of.input_text(part, path)
end

function part_of.refusal(part, path)
  return { kind = 'refusal', text = read.text(part.refusal, path .. '.refusal') or '' }
end

function part_of.input_image(part, path)
  local block = { kind = 'image', detail = read.maybe_text(part.detail) }
  local image = opt(part.image_url)
  local url = type(image) == 'table' and image.url or image
  if type(url) == 'string' then
    local kind, data = media.parse(url)
    if kind then
      data = media.checked(data, path .. '.image_url')
      block.media, block.data = media.sniff(kind, data), data
    else
      block.url = url
    end
  elseif read.maybe_text(part.file_id) then
    block.file, block.protocol = part.file_id, 'openai'
  else
    bad(path .. '.image_url must be a string', path .. '.image_url')
  end
  return block
end
part_of.image_url = part_of.input_image

function part_of.input_file(part, path)
  local block = { kind = 'document', title = read.maybe_text(part.filename) }
  local data = read.maybe_text(part.file_data)
  if data then
    local kind, inner = media.parse(data)
    block.data = media.checked(inner or data, path .. '.file_data')
    block.media = media.sniff(kind or 'application/pdf', block.data)
    if block.media:sub(1, 6) == 'image/' then
      block.kind = 'image'
    elseif block.media:sub(1, 5) == 'text/' then
      block.text, block.data = media.unbase64(block.data), nil
    end
  elseif read.maybe_text(part.file_url) then
    block.url = part.file_url
  elseif read.maybe_text(part.file_id) then
    block.file, block.protocol = part.file_id, 'openai'
  else
    bad(path .. ' must have file_data, file_url or file_id', path .. '.file_data')
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

-- Members of parts that are read above, or that say nothing here.
local KNOWN_PART = {}
for name in ([[type text annotations logprobs refusal detail image_url file_id filename file_data
  file_url input_audio prompt_cache_breakpoint]]):gmatch('%S+') do
  KNOWN_PART[name] = true
end

--- Adds the blocks of a string or a list of parts.
---
--- @param blocks px.Block[]
--- @param content any
--- @param path string
--- @param lost fun(path: string)
local function read_content(blocks, content, path, lost)
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
    local at = ('%s[%d]'):format(path, i - 1)
    if type(part) == 'string' then
      blocks[#blocks + 1] = { kind = 'text', text = part }
    else
      local make = part_of[read.object(part, at).type]
      if not make then
        bad(('%s.type: unknown part type %s'):format(at, json.encode(part.type or null)),
          at .. '.type')
      end
      local block = make(part, at, lost)
      read.unknown(part, KNOWN_PART, 'request.input.content.', lost)
      block.cache = opt(part.prompt_cache_breakpoint) and { type = 'ephemeral' } or nil
      blocks[#blocks + 1] = block
    end
  end
end

-- Items -------------------------------------------------------------------------------------------

--- @class px.ItemsReader
--- @field system px.Block[]
--- @field turns px.Turn[]
--- @field names table<string, string> Tools by id of a call.
--- @field request px.Request
--- @field ctx px.Context
--- @field lost fun(path: string)

--- The turn that an item goes to: the last one if it is of that role and kind.
local function turn_of(state, role, results)
  local last = state.turns[#state.turns]
  if not last or last.role ~= role or (role == 'user' and not (results and last.results)) then
    last = { role = role, blocks = {}, results = results }
    state.turns[#state.turns + 1] = last
  end
  return last.blocks
end

local function add(state, role, block, results)
  local blocks = turn_of(state, role, results)
  blocks[#blocks + 1] = block
end

local ROLES = { user = 'user', assistant = 'assistant', system = 'system', developer = 'system' }

-- Type of item: how it is read. Called with (state, item, path).
local on = {}

function on.message(state, item, path)
  local role = ROLES[item.role]
  if not role then
    bad(('%s.role: unknown role %s'):format(path, json.encode(item.role or null)), path .. '.role')
  end
  local blocks
  if role == 'system' and #state.turns == 0 then
    blocks = state.system
  else
    blocks = turn_of(state, role)
  end
  read_content(blocks, item.content, path .. '.content', state.lost)
  if opt(item.phase) then
    state.lost('request.input.phase')
  end
end

local function call_of(state, item, path, text, custom)
  local name = read.text(item.name, path .. '.name')
  if not name then
    bad(path .. '.name is missing', path .. '.name')
  end
  local space = read.maybe_text(item.namespace)
  if space and space ~= '' then
    name = space .. '__' .. name
  end
  if text ~= nil and type(text) ~= 'string' then
    text = json.encode(text)
  end
  local id = read.text(item.call_id, path .. '.call_id') or read.maybe_text(item.id) or ''
  state.names[id] = name
  add(state, 'assistant', {
    kind = 'tool_call', id = id, name = name, args = text or '', custom = custom,
  })
end

function on.function_call(state, item, path)
  call_of(state, item, path, opt(item.arguments))
end

function on.custom_tool_call(state, item, path)
  call_of(state, item, path, opt(item.input), true)
end

function on.function_call_output(state, item, path)
  local id = read.text(item.call_id, path .. '.call_id')
  if not id then
    bad(path .. '.call_id is missing', path .. '.call_id')
  end
  local block = { kind = 'tool_result', id = id, name = state.names[id], blocks = {} }
  local output = opt(item.output)
  if type(output) == 'table' and not read.is_list(output) then
    output = json.encode(output)
  end
  read_content(block.blocks, output, path .. '.output', state.lost)
  add(state, 'user', block, true)
end
on.custom_tool_call_output = on.function_call_output

local function texts_of(list)
  local out = {}
  for _, part in ipairs(read.maybe_table(list)) do
    out[#out + 1] = type(part) == 'table' and read.maybe_text(part.text) or nil
  end
  return table.concat(out, '\n\n')
end

function on.reasoning(state, item)
  local text = texts_of(item.content)
  if text == '' then
    text = texts_of(item.summary)
  end
  local sealed = read.maybe_text(item.encrypted_content)
  if not sealed or sealed == '' then
    if text ~= '' then
      add(state, 'assistant', { kind = 'thinking', text = text })
    end
    return
  end
  local proof, origin = signature.untag(PROTOCOL, sealed)
  if proof:sub(1, #shape.REDACTED) == shape.REDACTED then
    local data = proof:sub(#shape.REDACTED + 1)
    add(state, 'assistant', { kind = 'redacted', data = data, origin = origin })
  else
    add(state, 'assistant', { kind = 'thinking', text = text, signature = proof, origin = origin })
  end
end

function on.additional_tools(state, item, path)
  local list = state.request.tools or {}
  tools.read(list, read.table(item.tools, path .. '.tools', 'an array'), path .. '.tools',
    state.ctx)
  state.request.tools = #list > 0 and list or nil
end

function on.item_reference(_, item, path)
  local id = read.maybe_text(item.id) or ''
  bad(('%s: item %s is not kept here; send the whole item instead of a reference')
    :format(path, json.encode(id)), path .. '.id')
end

-- What a client's machine answered to a call that only this protocol has.
local OUTPUT = '_output$'

local function opaque(state, item)
  local role = (item.type:find(OUTPUT) or item.type == 'mcp_approval_response') and 'user'
    or 'assistant'
  add(state, role, { kind = 'opaque', protocol = PROTOCOL, json = item }, role == 'user')
end

local function type_of(item, path)
  local kind = opt(item.type)
  if type(kind) == 'string' then
    return kind
  elseif kind ~= nil then
    bad(path .. '.type must be a string', path .. '.type')
  elseif item.role ~= nil then
    return 'message'
  elseif item.id ~= nil then
    return 'item_reference'
  end
  return bad(path .. '.type is missing', path .. '.type')
end

-- Members of items that are read above, or that say nothing here.
local KNOWN = {}
for name in ([[type id status role content phase call_id name namespace arguments input output
  summary encrypted_content tools]]):gmatch('%S+') do
  KNOWN[name] = true
end

local function read_items(state, list, path)
  for i, item in ipairs(list) do
    local at = ('%s[%d]'):format(path, i - 1)
    read.object(item, at)
    local kind = type_of(item, at)
    local found = kind == 'item_reference' and state.ctx.item and state.ctx:item(item.id)
    if found then
      item, kind = found, type_of(found, at)
    end
    if on[kind] then
      read.unknown(item, KNOWN, 'request.input.', state.lost)
    end
    (on[kind] or opaque)(state, item, at)
  end
end

--- Reads instructions and input.
---
--- @param body table
--- @param request px.Request Gets `system` and `turns`, and tools that stand among the items.
--- @param ctx px.Context
--- @param lost fun(path: string)
function M.read(body, request, ctx, lost)
  local state = { system = {}, turns = {}, names = {}, request = request, ctx = ctx, lost = lost }
  local instructions = opt(body.instructions)
  if type(instructions) == 'table' and read.is_list(instructions) then
    read_items(state, instructions, 'instructions')
  else
    local text = read.text(instructions, 'instructions')
    if text and text ~= '' then
      state.system[1] = { kind = 'text', text = text }
    end
  end
  local input = opt(body.input)
  if ctx.previous then
    read_items(state, ctx.previous, 'previous_response_id')
  end
  if type(input) == 'string' then
    add(state, 'user', { kind = 'text', text = input })
  elseif type(input) ~= 'table' or json.is_object(input) then
    bad(input == nil and 'input is missing' or 'input must be a string or an array of items',
      'input')
  else
    read_items(state, input, 'input')
  end
  if #state.system + #state.turns == 0 then
    bad('input must hold at least one item', 'input')
  end
  for _, turn in ipairs(state.turns) do
    turn.results = nil
  end
  request.system, request.turns = state.system, state.turns
end

return M
