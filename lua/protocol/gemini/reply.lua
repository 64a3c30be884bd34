--- Unary answers of the Gemini API, its list of models, its counts.

local json = require('px.json')
local errors = require('protocol.gemini.errors')
local finish = require('protocol.gemini._finish')
local fold = require('protocol._fold')
local grounding = require('protocol.gemini._grounding')
local logprobs = require('protocol._logprobs')
local pages = require('protocol._pages')
local proof = require('protocol.gemini._proof')
local reader = require('protocol.gemini._reader')
local read = require('protocol._read')
local stops = require('protocol._stops')
local usage = require('protocol.gemini._usage')
local writer = require('protocol.gemini._writer')

local M = {}

--- A streamed answer that came as one array is an answer in pieces.
local function chunks_of(body)
  if type(body) ~= 'table' then
    return nil
  end
  local list = read.is_list(body) and body or { body }
  for _, chunk in ipairs(list) do
    if type(chunk) ~= 'table' or (chunk.error and chunk.error ~= json.null) then
      return nil
    end
  end
  local first = list[1]
  return first and (first.candidates or first.promptFeedback or first.prompt_feedback
    or first.usageMetadata) and list or nil
end

--- Walks an answer as the events that a stream of it would give.
---
--- @param body any
--- @param ctx px.Context
--- @return px.Event[]
function M.read(body, ctx)
  local state = reader.new(ctx)
  local list = chunks_of(body)
  if not list then
    return state:fail(json.encode(body == nil and json.null or body))
  end
  local events = {}
  for _, chunk in ipairs(list) do
    state:chunk(events, chunk)
  end
  for _, event in ipairs(state:close()) do
    events[#events + 1] = event
  end
  return ctx.stops and stops.filter(ctx.stops)(events) or events
end

-- Kind of block: its part. Called with (block, state).
local make = {}

function make.text(block, state)
  state.texts[#state.texts + 1] = block.text
  for _, citation in ipairs(block.citations or {}) do
    state.citations[#state.citations + 1] = citation
  end
  return block.text ~= '' and json.object({ text = block.text }) or nil
end

make.refusal = make.text

function make.tool_call(block)
  return writer.call(block, block.args or '')
end

function make.opaque(block, state)
  if block.protocol == 'gemini' then
    return block.json
  else
    state.ctx.lost('reply.opaque')
  end
  return nil
end

--- Puts a signature that no part came for into one of its own.
local function flush_proof(parts, state)
  if state.proof then
    parts[#parts + 1] = json.object({ text = '', thoughtSignature = state.proof })
    state.proof = nil
  end
end

local function add_thinking(parts, block, state)
  local text = block.kind == 'redacted' and proof.REDACTED .. block.data or block.signature
  local own = text and proof.after(proof.ON_THOUGHT, text)
  flush_proof(parts, state)
  if (block.text or '') ~= '' or own then
    parts[#parts + 1] =
      json.object({ text = block.text or '', thought = true, thoughtSignature = own })
  end
  if text and not own then
    state.proof = proof.pack(state.ctx.origin, text)
  end
end

local function parts_of(folded, state)
  local parts = json.array({})
  for _, block in ipairs(folded.blocks) do
    if block.kind == 'thinking' or block.kind == 'redacted' then
      add_thinking(parts, block, state)
    else
      local part = make[block.kind] and make[block.kind](block, state)
      if part and block.kind ~= 'opaque' then
        part.thoughtSignature, state.proof = state.proof, nil
      end
      parts[#parts + 1] = part
    end
  end
  flush_proof(parts, state)
  if #parts == 0 then
    parts[1] = json.object({ text = '' })
  end
  return parts
end

--- Makes the answer that events tell.
---
--- @param events px.Event[]
--- @param ctx px.Context
--- @return table body
function M.write(events, ctx)
  local folded = fold.fold(events, ctx, 'gemini')
  if folded.failure then
    local _, body = errors.write(errors.failure(folded.failure))
    return body
  end
  local state = { ctx = ctx, texts = {}, citations = {} }
  local parts = parts_of(folded, state)
  local likely = logprobs.folded(folded.blocks)
  return json.object({
    candidates = json.array({ json.object({
      content = json.object({ parts = parts, role = 'model' }),
      finishReason = finish.write(folded.finish),
      index = 0,
      groundingMetadata = grounding.write(state.citations, table.concat(state.texts), ctx),
      logprobsResult = likely and logprobs.gemini(likely),
    }) }),
    usageMetadata = usage.write(folded.usage or read.NONE),
    modelVersion = ctx.model or folded.model or '',
    responseId = ctx.id or '0',
  })
end

--- The answer to a request that asks how many tokens it has.
---
--- @param tokens integer
--- @return table body
function M.count(tokens)
  return json.object({ totalTokens = tokens })
end

local function model_of(model)
  return json.object({
    name = 'models/' .. model.id,
    version = '001',
    displayName = model.display_name or model.id,
    description = model.description or model.display_name or model.id,
    inputTokenLimit = model.input_limit,
    outputTokenLimit = model.output_limit,
    supportedGenerationMethods = json.array(model.embeds and { 'embedContent' }
      or { 'generateContent', 'streamGenerateContent', 'countTokens' }),
  })
end

--- Lists models. All at once, unless the client wants pages; a page's token is how many were told.
---
--- @param list px.Model[]
--- @param query? fun(name: string): string? Parameters: pageSize, pageToken.
--- @return table body
function M.models(list, query)
  local size = pages.number(query, 'pageSize', 0) or pages.number(query, 'page_size', 0) or 0
  local told = pages.number(query, 'pageToken', 0) or pages.number(query, 'page_token', 0) or 0
  local last = size == 0 and #list or math.min(#list, told + size)
  local models = json.array({})
  for i = told + 1, last do
    models[#models + 1] = model_of(list[i])
  end
  return json.object({
    models = models, nextPageToken = last < #list and ('%d'):format(last) or nil,
  })
end

--- Tells of one model.
---
--- @param model px.Model
--- @return table body
function M.model(model)
  return model_of(model)
end

return M
