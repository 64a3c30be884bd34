--- OpenAI's embeddings: requests and replies, for a client and of an upstream.

local crypto = require('px.crypto')
local json = require('px.json')
local read = require('protocol._read')
local vector = require('px.vector')

local M = {}

local bad, opt = read.bad, read.opt

local KNOWN = { model = true, input = true, dimensions = true, encoding_format = true, user = true }
local INPUT_MAX = 2048

--- Whether a value is made of the vendor's tokens: numbers, or lists of them.
local function is_tokens(value)
  return json.is_raw(value) or json.is_number(value)
end

local function read_inputs(value)
  if type(value) == 'string' then
    return { value }
  elseif is_tokens(value) then
    return {}, value
  end
  local list = read.table(value, 'input', 'an array') or bad('input is missing', 'input')
  if #list == 0 or #list > INPUT_MAX then
    bad(('input must hold 1 to %d texts'):format(INPUT_MAX), 'input')
  elseif is_tokens(list[1]) then
    return {}, list
  end
  local inputs = {}
  for i, text in ipairs(list) do
    inputs[i] = read.text(text, ('input[%d]'):format(i - 1))
      or bad('input must hold texts', ('input[%d]'):format(i - 1))
  end
  return inputs
end

--- @param body table
--- @param ctx px.Context
--- @return px.EmbedRequest
function M.read(body, ctx)
  local format = read.text(body.encoding_format, 'encoding_format') or 'float'
  if format ~= 'float' and format ~= 'base64' then
    bad('encoding_format must be float or base64', 'encoding_format')
  end
  local inputs, tokens = read_inputs(opt(body.input))
  read.unknown(body, KNOWN, 'request.', ctx.lost)
  return {
    model = read.text(body.model, 'model') or bad('model is missing', 'model'),
    inputs = inputs,
    tokens = tokens,
    dimensions = read.count(body.dimensions, 'dimensions'),
    user = read.text(body.user, 'user'),
    packed = format == 'base64',
  }
end

--- @param request px.EmbedRequest
--- @param ctx px.Context
--- @return table body
function M.write(request, ctx)
  local lost = ctx.lost
  for _, name in ipairs({ 'task', 'title' }) do
    if request[name] then
      lost('params.' .. name)
    end
  end
  -- `truncate = false` needs no word: what is too long is refused there anyway.
  return json.object({
    model = request.model,
    input = request.tokens or json.array(request.inputs),
    dimensions = request.dimensions,
    encoding_format = 'float',
    user = request.user,
  })
end

--- A vector as it came: numbers, or floats in base64 though nobody asked for that.
local function vector_of(value)
  if json.is_raw(value) then
    return value
  end
  local bytes = type(value) == 'string' and crypto.unbase64(value)
  local text = bytes and vector.unpack(bytes)
  return text and json.raw(text)
    or bad('the upstream answered without a vector where one must be', 'data.embedding')
end

--- @param body table
--- @return px.EmbedReply
function M.read_reply(body)
  local vectors = {}
  for i, item in ipairs(read.maybe_table(body.data)) do
    item = read.maybe_table(item)
    local at = read.maybe_number(item.index) or i - 1
    vectors[at + 1] = vector_of(item.embedding)
  end
  local used = read.maybe_table(body.usage)
  return { vectors = vectors, input = read.maybe_number(used.prompt_tokens) }
end

--- @param reply px.EmbedReply
--- @param ctx px.Context
--- @return table body
function M.write_reply(reply, ctx)
  local data = json.array()
  for i, text in ipairs(reply.vectors) do
    local value = text
    if ctx.packed then
      local bytes = vector.pack(tostring(text)) or bad('the upstream\'s vector is none')
      value = crypto.base64(bytes)
    end
    data[i] = { object = 'embedding', index = i - 1, embedding = value }
  end
  return {
    object = 'list', data = data, model = ctx.model,
    usage = { prompt_tokens = reply.input, total_tokens = reply.input },
  }
end

return M
