--- Ollama's unary answers, and what it tells of itself and of its models.

local json = require('px.json')
local errors = require('protocol.ollama.errors')
local fold = require('protocol._fold')
local ids = require('protocol._ids')
local logprobs = require('protocol._logprobs')
local metrics = require('protocol.ollama._metrics')
local read = require('protocol._read')
local reader = require('protocol.ollama._reader')
local retry = require('protocol._retry')
local stops = require('protocol._stops')
local writer = require('protocol.ollama._writer')

local M = {}

-- Clients choose by it what they may ask for.
local VERSION = '0.13.0'
local LONG_AGO = 1735689600
local CONTEXT = 131072
local CAPABILITIES = { 'completion', 'tools', 'vision' }

--- Walks an answer as the events that a stream of it would give.
---
--- @param body any
--- @param ctx px.Context
--- @return px.Event[]
function M.read(body, ctx)
  local state = reader.new(ctx)
  if type(body) ~= 'table' or reader.is_error(body) then
    return state:fail(json.encode(body == nil and json.null or body))
  elseif type(body.message) ~= 'table' and body.response == nil and body.done == nil then
    return state:fail('the upstream sent an answer without a message', 'internal')
  end
  local events = {}
  state:take(events, body)
  if not state.done then
    state:finish(events, body)
  end
  return ctx.stops and stops.filter(ctx.stops)(events) or events
end

-- Kind of block: what is lost of it.
local LOST = { redacted = 'thinking', opaque = 'opaque' }

local function write_message(folded, ctx)
  local texts, thoughts, calls = {}, nil, nil
  for _, block in ipairs(folded.blocks) do
    if block.kind == 'text' or block.kind == 'refusal' then
      texts[#texts + 1] = block.text
      if block.citations then
        ctx.lost('reply.citations')
      end
    elseif block.kind == 'thinking' then
      thoughts = thoughts or {}
      thoughts[#thoughts + 1] = block.text
      if block.signature then
        ctx.lost('reply.signature')
      end
    elseif block.kind == 'tool_call' then
      calls = calls or {}
      calls[#calls + 1] = writer.call(block, #calls)
    else
      ctx.lost('reply.' .. (LOST[block.kind] or block.kind))
    end
  end
  local thinking = thoughts and table.concat(thoughts)
  return {
    content = table.concat(texts),
    thinking = thinking ~= '' and thinking or nil,
    tool_calls = calls,
  }
end

--- Puts a message where a chat or a generation has it.
local function place(line, message, ctx)
  if metrics.is_generation(ctx) then
    line.response = message.content
    line.thinking, line.tool_calls = message.thinking, message.tool_calls
  else
    message.role = 'assistant'
    line.message = message
  end
  return line
end

--- Makes the answer that events tell.
---
--- @param events px.Event[]
--- @param ctx px.Context
--- @return table body
function M.write(events, ctx)
  local folded = fold.fold(events, ctx, 'ollama')
  if folded.failure then
    local _, body = errors.write(errors.failure(folded.failure))
    return body
  end
  local message = write_message(folded, ctx)
  local used = folded.usage or read.NONE
  local line = place(metrics.line(ctx, folded.model), message, ctx)
  local likely = logprobs.folded(folded.blocks)
  line.logprobs = likely and logprobs.openai(likely) or nil
  return metrics.add(line, ctx, folded.finish, used)
end

--- The answer to a request that asks nothing of its model.
---
--- @param ctx px.Context model, now, path
--- @param unload boolean
--- @return table body
function M.loaded(ctx, unload)
  local line = place(metrics.line(ctx), { content = '' }, ctx)
  line.done, line.done_reason = true, unload and 'unload' or 'load'
  return line
end

-- What models there are ---------------------------------------------------------------------------

--- 64 digits that belong to a name.
local function digest(name)
  local out = {}
  for i = 1, 4 do
    out[i] = ids.hash(i .. '\0' .. name)
  end
  return table.concat(out)
end

local function family_of(model)
  local family = (model.owned_by or ''):lower():gsub('[^%w]', '')
  return family ~= '' and family or 'proxima'
end

local function details_of(model)
  local family = family_of(model)
  return {
    parent_model = '', format = 'gguf', family = family, families = { family },
    parameter_size = '', quantization_level = '',
  }
end

local function time_of(model)
  return retry.iso(model.created and model.created > 0 and model.created or LONG_AGO)
end

--- What a model can, from what is known of it. Agents hide a model that cannot call tools.
local function capabilities_of(model, knowledge)
  if model.embeds then
    return json.array({ 'embedding' })
  end
  local out = json.array({})
  for i, name in ipairs(CAPABILITIES) do
    out[i] = name
  end
  if knowledge.effort or (knowledge.thinking and knowledge.thinking ~= 'none') then
    out[#out + 1] = 'thinking'
  end
  if knowledge.audio then
    out[#out + 1] = 'audio'
  end
  return out
end

local function entry_of(model)
  return {
    name = model.id,
    model = model.id,
    modified_at = time_of(model),
    size = 0,
    digest = digest(model.id),
    details = details_of(model),
  }
end

--- The answer of /api/tags. What several providers have is told once for each, with its label, so
--- that people can choose.
---
--- @param list px.Model[]
--- @return table body
function M.tags(list)
  local models = json.array({})
  for _, model in ipairs(list) do
    for _, label in ipairs(model.labels or { false }) do
      local id = label and ('[%s] %s'):format(label, model.id) or model.id
      models[#models + 1] = entry_of({
        id = id, created = model.created, owned_by = model.owned_by,
      })
    end
  end
  return { models = models }
end

M.models = M.tags

--- The answer of /api/ps: models that are loaded.
---
--- @param list px.Model[]
--- @param now integer Seconds since 1970.
--- @return table body
function M.ps(list, now)
  local models = json.array({})
  for i, model in ipairs(list) do
    local entry = entry_of(model)
    entry.modified_at = nil
    entry.expires_at = retry.iso((now or 0) + 300)
    entry.size_vram = 0
    entry.context_length = model.input_limit or CONTEXT
    models[i] = entry
  end
  return { models = models }
end

--- The answer of /api/show.
---
--- @param model px.Model
--- @param knowledge? px.Knowledge
--- @return table body
function M.show(model, knowledge)
  local family = family_of(model)
  return {
    license = '', modelfile = '', parameters = '', template = '', system = '',
    details = details_of(model),
    model_info = {
      ['general.architecture'] = family,
      ['general.parameter_count'] = 0,
      [family .. '.context_length'] = model.input_limit or CONTEXT,
    },
    capabilities = capabilities_of(model, knowledge or {}),
    modified_at = time_of(model),
  }
end

M.model = M.show

--- The answer of /api/version.
---
--- @return table body
function M.version()
  return { version = VERSION }
end

return M
