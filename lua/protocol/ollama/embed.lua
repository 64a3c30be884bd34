--- Ollama's embeddings, of several texts (/api/embed) and, in the old form, of one
--- (/api/embeddings): requests and replies, for a client and of an upstream.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

local bad, opt = read.bad, read.opt

local KNOWN = { model = true, input = true, prompt = true, dimensions = true, truncate = true }

local function read_inputs(body, single)
  local name = single and 'prompt' or 'input'
  local value = opt(body[name])
  if type(value) == 'string' then
    return { value }
  end
  local list = not single and read.table(value, name, 'an array')
    or bad(name .. (value == nil and ' is missing' or ' must be a text'), name)
  local inputs = {}
  for i, text in ipairs(list) do
    inputs[i] = read.text(text, ('%s[%d]'):format(name, i - 1))
      or bad(name .. ' must hold texts', ('%s[%d]'):format(name, i - 1))
  end
  return #inputs > 0 and inputs or bad(name .. ' must hold a text', name)
end

--- @param body table
--- @param ctx px.Context
--- @return px.EmbedRequest
function M.read(body, ctx)
  read.unknown(body, KNOWN, 'request.', ctx.lost)
  local truncate = opt(body.truncate)
  return {
    model = read.text(body.model, 'model') or bad('model is missing', 'model'),
    inputs = read_inputs(body, ctx.single),
    dimensions = read.count(body.dimensions, 'dimensions'),
    truncate = truncate == false and truncate or nil,
  }
end

--- @param request px.EmbedRequest
--- @param ctx px.Context
--- @return table body
function M.write(request, ctx)
  local lost = ctx.lost
  for _, name in ipairs({ 'task', 'title', 'user' }) do
    if request[name] then
      lost('params.' .. name)
    end
  end
  return json.object({
    model = request.model,
    input = json.array(request.inputs),
    dimensions = request.dimensions,
    truncate = request.truncate,
  })
end

--- @param body table
--- @return px.EmbedReply
function M.read_reply(body)
  local list = opt(body.embeddings) or { opt(body.embedding) }
  local vectors = {}
  for i, values in ipairs(read.maybe_table(list)) do
    vectors[i] = json.is_raw(values) and values
      or bad('the upstream answered without a vector where one must be', 'embeddings')
  end
  return { vectors = vectors, input = read.maybe_number(body.prompt_eval_count) }
end

--- @param reply px.EmbedReply
--- @param ctx px.Context
--- @return table body
function M.write_reply(reply, ctx)
  if ctx.single then
    return { embedding = reply.vectors[1] }
  end
  return {
    model = ctx.model,
    embeddings = json.array(reply.vectors),
    total_duration = ctx.elapsed and ctx:elapsed() or 0,
    load_duration = 0,
    prompt_eval_count = reply.input,
  }
end

return M
