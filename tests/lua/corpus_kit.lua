--- What specs over recorded answers share: reading files, walking streams, comparing meanings.

local estimate = require('protocol._estimate')
local json = require('px.json')

local M = {}

function M.module(protocol, name)
  return require('protocol.' .. protocol .. '.' .. name)
end

function M.context(more)
  local ctx = {
    model = 'm', knowledge = {}, lost = function() end, id = 'abcdefghijklmnopqrstuvwx',
    now = 1790000000, stream = true, include_usage = true, settings = {}, origin = 'somewhere',
  }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  return ctx
end

--- Converts a request given as JSON text.
---
--- @return table body What is sent upstream, decoded.
--- @return string lost The losses, sorted.
--- @return px.Context ctx
function M.convert(from, to, text, more)
  local lost, seen = {}, {}
  local ctx = M.context({ model = 'up', origin = to, stream = false })
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  function ctx.lost(path)
    if not seen[path] then
      seen[path] = true
      lost[#lost + 1] = path
    end
  end
  local request = M.module(from, 'request').read(assert(json.decode(text)), ctx)
  estimate.request(request)
  local body = M.module(to, 'request').write(request, ctx)
  table.sort(lost)
  return assert(json.decode(json.encode(body))), table.concat(lost, ' '), ctx
end

--- The member of a body that a path with dots leads to, as JSON; lists count from 1.
function M.at(value, path)
  for name in path:gmatch('[^.]+') do
    if type(value) == 'table' then
      value = value[tonumber(name) or name]
    else
      value = nil
    end
  end
  return value == nil and 'absent' or json.encode(value)
end

function M.slurp(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('*a')
  file:close()
  return text
end

function M.list(folder)
  local pipe = io.popen('find "' .. folder .. '" -type f | LC_ALL=C sort')
  local out = {}
  for line in pipe:lines() do
    out[#out + 1] = line
  end
  pipe:close()
  return out
end

--- Takes an SSE text apart into { type, data } pairs.
function M.frames(text)
  local out, kind, data = {}, nil, {}
  for line in (text:gsub('\r\n', '\n'):gsub('\r', '\n') .. '\n\n'):gmatch('(.-)\n') do
    if line == '' then
      if #data > 0 then
        out[#out + 1] = { kind or 'message', table.concat(data, '\n') }
      end
      kind, data = nil, {}
    else
      local field, value = line:match('^(%a+): ?(.*)$')
      if field == 'data' then
        data[#data + 1] = value
      elseif field == 'event' then
        kind = value
      end
    end
  end
  return out
end

-- Type of the event that begins a stream, where a protocol has one.
local BEGINS = { message_start = true, ['response.created'] = true }

--- Takes the lines of a recording apart: one file may hold several streams, one after the other.
---
--- @return table[] streams Lists of { type, data } pairs.
function M.split_streams(protocol, text)
  local out, last_id = {}, nil
  for line in text:gmatch('[^\r\n]+') do
    local body = json.decode(line)
    body = type(body) == 'table' and body or {}
    local fresh = BEGINS[body.type]
    if protocol == 'openai_chat' then
      local id = type(body.id) == 'string' and body.id ~= '' and body.id
      fresh, last_id = id and last_id and id ~= last_id, id or last_id
    end
    if #out == 0 or fresh then
      out[#out + 1] = {}
    end
    table.insert(out[#out], { 'message', line })
  end
  for _, stream in ipairs(protocol == 'openai_chat' and out or {}) do
    stream[#stream + 1] = { 'message', '[DONE]' }
  end
  return out
end

--- Reads frames with a protocol's stream reader.
function M.read_stream(protocol, frames, ctx)
  local read, out = M.module(protocol, 'stream').reader(ctx), {}
  local function take(found)
    for _, event in ipairs(found or {}) do
      out[#out + 1] = event
    end
  end
  for _, frame in ipairs(frames) do
    take(read(frame[1], frame[2]))
  end
  take(read(nil))
  return out
end

--- A writer whose pieces are whole texts.
function M.writer(protocol, ctx)
  local write = M.module(protocol, 'stream').writer(ctx)
  return function(event)
    local piece = write(event)
    return type(piece) == 'table' and table.concat(piece) or piece
  end
end

function M.write_stream(protocol, events, ctx)
  local write, out = M.writer(protocol, ctx), {}
  for _, event in ipairs(events) do
    out[#out + 1] = write(event)
  end
  out[#out + 1] = write(nil)
  assert(write(nil) == nil, 'a stream ended twice')
  return table.concat(out)
end

local CLASS = { stop_seq = 'stop', pause = 'stop', error = 'stop' }

--- What a reply says, without what only one protocol can say.
function M.meaning(events)
  local out = { text = {}, thinking = {}, calls = {} }
  local calls = {}
  for _, event in ipairs(events) do
    if event.kind == 'text' or event.kind == 'refusal' then
      table.insert(out.text, event.text)
    elseif event.kind == 'thinking' then
      table.insert(out.thinking, event.text)
    elseif event.kind == 'tool_start' then
      calls[event.index] = { name = event.name, args = {} }
      table.insert(out.calls, calls[event.index])
    elseif event.kind == 'args' then
      table.insert(calls[event.index].args, event.text)
    elseif event.kind == 'finish' then
      out.finish = CLASS[event.reason] or event.reason
      out.finishes = (out.finishes or 0) + 1
    elseif event.kind == 'usage' then
      out.usage = { event.input, event.cache_read, event.cache_write, event.output,
        event.reasoning }
    elseif event.kind == 'error' then
      out.error = event.message
    end
  end
  out.text, out.thinking = table.concat(out.text), table.concat(out.thinking)
  for _, call in ipairs(out.calls) do
    local text = table.concat(call.args)
    local value = text == '' and json.object({}) or json.decode(text)
    call.args = value == nil and 'unreadable: ' .. text or value
    if type(call.args) == 'table' then
      call.args = json.encode(call.args)
    end
  end
  return out
end

--- Everything that must hold of one stream: each block opens once and closes once, one finish.
function M.check_order(events)
  local open, over = {}, {}
  local finished = false
  for i, event in ipairs(events) do
    if event.index then
      assert(not finished, 'a block after the finish')
      assert(not over[event.index], 'an event of a closed block at ' .. i)
      if event.kind == 'block_stop' then
        assert(open[event.index], 'a stop of a block that never began')
        over[event.index] = true
      end
      open[event.index] = true
    elseif event.kind == 'finish' then
      assert(not finished, 'two finishes')
      finished = true
    end
  end
  if finished then
    for index in pairs(open) do
      assert(over[index], 'block ' .. index .. ' never ended')
    end
  end
end

local function add_result(out, block, name)
  local inner = {}
  for _, part in ipairs(block.blocks) do
    inner[#inner + 1] = part.text
    if part.kind == 'image' and not part.file then
      out.images = out.images + 1
    end
  end
  out.results[#out.results + 1] = { name, (table.concat(inner, '\n'):gsub('%s+', '')) }
end

--- What a request says, without what only one protocol can say.
function M.request_meaning(request)
  local out = { texts = {}, calls = {}, results = {}, images = 0, tools = {} }
  local names = {}
  for _, block in ipairs(request.system) do
    out.texts[#out.texts + 1] = block.text
  end
  for _, turn in ipairs(request.turns) do
    for _, block in ipairs(turn.blocks) do
      if block.kind == 'text' then
        out.texts[#out.texts + 1] = block.text
      elseif block.kind == 'document' and block.text then
        out.texts[#out.texts + 1] = (block.title or '') .. block.text
      elseif block.kind == 'image' and not block.file then
        out.images = out.images + 1
      elseif block.kind == 'tool_call' then
        local args = block.args == '' and json.object({}) or json.decode(block.args)
        out.calls[#out.calls + 1] = { block.name, args == nil and block.args or json.encode(args) }
        names[block.id] = block.name
      elseif block.kind == 'tool_result' then
        assert(names[block.id], 'a result without a call')
        add_result(out, block, names[block.id])
      end
    end
  end
  for _, tool in ipairs(request.tools or {}) do
    if not tool.hosted then
      out.tools[#out.tools + 1] = tool.name
    end
  end
  out.texts = table.concat(out.texts):gsub('%s+', '')
  return out
end

local CASUAL = {
  'Resultsofthetoolcallsabove:', '%[[%w_]+omitted[^%]]*%]', '</?system%-reminder>',
}

--- Takes away what writers add in words.
function M.relax(said)
  for _, pattern in ipairs(CASUAL) do
    said.texts = said.texts:gsub(pattern, '')
  end
  for _, result in ipairs(said.results) do
    result[2] = result[2]:gsub('%[seethenextmessage%]', ''):gsub('^Error:', '')
      :gsub('%[[%w_]+omitted[^%]]*%]', '')
  end
  return said
end

return M
