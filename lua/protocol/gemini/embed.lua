--- Gemini's embeddings, of one text (embedContent) and of several (batchEmbedContents): requests
--- and replies, for a client and of an upstream.

local json = require('px.json')
local names = require('protocol.gemini._names')
local read = require('protocol._read')

local M = {}

local bad, get = read.bad, names.get

local KNOWN = names.set('model content taskType title outputDimensionality')

local function text_of(content, path)
  local parts = read.table(get(read.object(content, path), 'parts'), path .. '.parts', 'an array')
  local texts = {}
  for i, part in ipairs(parts or {}) do
    local at = ('%s.parts[%d]'):format(path, i - 1)
    texts[i] = read.text(get(read.object(part, at), 'text'), at .. '.text')
      or bad(at .. ' is no text, and other parts cannot be embedded elsewhere', at)
  end
  if #texts == 0 then
    bad(path .. '.parts is missing', path .. '.parts')
  end
  return table.concat(texts)
end

--- Reads what is asked of one text into `request`. Where texts are for different things, the first
--- one's word counts.
local function read_one(one, path, request, lost)
  read.object(one, path ~= '' and path or 'the body')
  read.unknown(one, KNOWN, 'request.', lost)
  local prefix = path ~= '' and path .. '.' or ''
  request.inputs[#request.inputs + 1] = text_of(get(one, 'content'), prefix .. 'content')
  local more = {
    task = read.text(get(one, 'taskType'), prefix .. 'taskType'),
    title = read.text(get(one, 'title'), prefix .. 'title'),
    dimensions = read.count(get(one, 'outputDimensionality'), prefix .. 'outputDimensionality'),
  }
  for _, name in ipairs({ 'task', 'title', 'dimensions' }) do
    if #request.inputs == 1 then
      request[name] = more[name]
    elseif request[name] ~= more[name] then
      lost('params.' .. name)
    end
  end
end

--- @param body table
--- @param ctx px.Context
--- @return px.EmbedRequest
function M.read(body, ctx)
  local lost = ctx.lost
  local request = { model = ctx.model, inputs = {} }
  if ctx.single then
    read_one(body, '', request, lost)
    return request
  end
  local list = read.table(get(body, 'requests'), 'requests', 'an array')
  if not list or #list == 0 then
    bad('requests is missing', 'requests')
  end
  for i, one in ipairs(list) do
    read_one(one, ('requests[%d]'):format(i - 1), request, lost)
  end
  return request
end

--- @param request px.EmbedRequest
--- @param ctx px.Context
--- @return table body
function M.write(request, ctx)
  local lost = ctx.lost
  if request.user then
    lost('params.user')
  end
  if request.truncate == false then
    lost('params.truncate')
  end
  local list = json.array()
  for i, text in ipairs(request.inputs) do
    list[i] = {
      model = 'models/' .. request.model,
      content = { parts = json.array({ { text = text } }) },
      taskType = request.task,
      title = request.title,
      outputDimensionality = request.dimensions,
    }
  end
  return { requests = list }
end

--- @param body table
--- @return px.EmbedReply
function M.read_reply(body)
  local list = get(body, 'embeddings') or { get(body, 'embedding') }
  local vectors = {}
  for i, one in ipairs(read.maybe_table(list)) do
    local values = get(read.maybe_table(one), 'values')
    vectors[i] = json.is_raw(values) and values
      or bad('the upstream answered without a vector where one must be', 'embeddings.values')
  end
  local used = read.maybe_table(get(body, 'usageMetadata'))
  return { vectors = vectors, input = read.maybe_number(get(used, 'promptTokenCount')) }
end

--- @param reply px.EmbedReply
--- @param ctx px.Context
--- @return table body
function M.write_reply(reply, ctx)
  if ctx.single then
    return { embedding = { values = reply.vectors[1] } }
  end
  local list = json.array()
  for i, values in ipairs(reply.vectors) do
    list[i] = { values = values }
  end
  return { embeddings = list }
end

return M
