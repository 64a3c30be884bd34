--- generationConfig: sampling, limits, thinking and structured output, read and written.

local json = require('px.json')
local clean = require('protocol.gemini._clean')
local effort = require('protocol._effort')
local logprobs = require('protocol._logprobs')
local names = require('protocol.gemini._names')
local read = require('protocol._read')
local schema = require('protocol.gemini._schema')
local sampling = require('protocol._sampling')
local schemas = require('protocol._schema')

local M = {}

local later = nil  -- Keeps a member's place in a constructor, so that the table need not grow.

local bad, get = read.bad, names.get

local PLACE = 'generationConfig.'
local KNOWN = names.set([[temperature topP topK maxOutputTokens stopSequences candidateCount
  presencePenalty frequencyPenalty seed responseMimeType responseSchema responseJsonSchema
  thinkingConfig responseModalities responseLogprobs logprobs]])
KNOWN._responseJsonSchema = true
local KNOWN_THINKING = names.set('includeThoughts thinkingBudget thinkingLevel')
local STOPS_MAX = 5
local SEED_MAX = 2147483647

-- Reading -----------------------------------------------------------------------------------------

-- int64 may come as a string.
local function number(config, name)
  local value = get(config, name)
  if type(value) == 'string' and tonumber(value) then
    value = json.number(value)
  end
  return read.number(value, PLACE .. name)
end

local function whole(config, name)
  return json.tonumber(number(config, name))
end

local function read_stop(config)
  local list = read.table(get(config, 'stopSequences'), PLACE .. 'stopSequences', 'an array')
  local out = {}
  for i, text in ipairs(list or {}) do
    out[i] = read.text(text, ('%sstopSequences[%d]'):format(PLACE, i - 1))
  end
  return #out > 0 and out or nil
end

local function read_reasoning(config, lost)
  local path = PLACE .. 'thinkingConfig'
  local wish = read.table(get(config, 'thinkingConfig'), path, 'an object')
  if not wish then
    return nil
  end
  read.unknown(wish, KNOWN_THINKING, 'request.generationConfig.thinkingConfig.', lost)
  local level = read.text(get(wish, 'thinkingLevel'), path .. '.thinkingLevel')
  local budget = whole(wish, 'thinkingBudget')
  local visible = get(wish, 'includeThoughts')
  level = level and level:lower()
  if level == 'thinking_level_unspecified' then
    level = nil
  end
  if level and budget then
    bad('thinkingLevel and thinkingBudget cannot be set together', path)
  elseif level and not (effort.known(level) and level ~= 'off') then
    bad(path .. '.thinkingLevel is unknown', path .. '.thinkingLevel')
  end
  local out = { effort = level, visible = visible }
  if budget then
    out.effort = effort.of_budget(budget)
    out.budget = budget > 0 and budget or nil
  elseif not level then
    out.effort = visible and 'auto' or nil
  end
  return out
end

local function read_format(config, lost)
  local mime = read.text(get(config, 'responseMimeType'), PLACE .. 'responseMimeType')
  local given = get(config, 'responseJsonSchema') or config._responseJsonSchema
    or get(config, 'responseSchema')
  if mime == 'application/json' then
    if type(given) == 'table' and next(given) ~= nil then
      return { kind = 'schema', schema = schema.read(given) }
    end
    return { kind = 'json' }
  elseif mime and mime ~= 'text/plain' then
    lost('request.generationConfig.responseMimeType')
  end
  return nil
end

local function read_logprobs(config)
  local count = logprobs.count(get(config, 'logprobs'), PLACE .. 'logprobs')
  if get(config, 'responseLogprobs') == true then
    return count or 0
  elseif count and count > 0 then
    bad('generationConfig.logprobs: responseLogprobs must be true', PLACE .. 'logprobs')
  end
  return nil
end

local function only_text(config, lost)
  for _, word in ipairs(read.maybe_table(get(config, 'responseModalities'))) do
    if type(word) == 'string' and word:upper() ~= 'TEXT' then
      lost('request.generationConfig.responseModalities')
    end
  end
end

--- Reads the config into a request.
---
--- @param body table
--- @param request px.Request
--- @param lost fun(path: string)
function M.read(body, request, lost)
  local config = read.table(get(body, 'generationConfig'), 'generationConfig', 'an object')
  if not config then
    return
  end
  request.temperature = number(config, 'temperature')
  request.top_p = number(config, 'topP')
  request.top_k = whole(config, 'topK')
  request.max_tokens = read.count(number(config, 'maxOutputTokens'), PLACE .. 'maxOutputTokens')
  request.presence_penalty = number(config, 'presencePenalty')
  request.frequency_penalty = number(config, 'frequencyPenalty')
  request.seed = number(config, 'seed')
  request.logprobs = read_logprobs(config)
  request.stop = read_stop(config)
  request.reasoning = read_reasoning(config, lost)
  request.response_format = read_format(config, lost)
  if (whole(config, 'candidateCount') or 1) > 1 then
    bad('candidateCount: this gateway gives one candidate', PLACE .. 'candidateCount')
  end
  only_text(config, lost)
  read.unknown(config, KNOWN, 'request.generationConfig.', lost)
end

-- Writing -----------------------------------------------------------------------------------------

local LEVELS = { minimal = 'MINIMAL', low = 'LOW', medium = 'MEDIUM', high = 'HIGH' }
-- Every model that thinks by a budget accepts what is between these.
local BUDGET_MIN, BUDGET_MAX = 512, 24576
-- Tokens for efforts, as conversion has them for Gemini.
local BUDGET = {
  minimal = 512, low = 1024, medium = 8192, high = 24576, xhigh = 32768, max = 65536,
}

local function write_level(out, wish, knowledge, lost)
  if wish == 'auto' then
    return
  end
  local given = effort.clamp(wish, knowledge.effort or { 'low', 'high' })
  -- Thinking cannot be turned off there: the least of it is the nearest.
  if given ~= wish then
    lost('params.reasoning')
  end
  out.thinkingLevel = LEVELS[given]
end

local function write_budget(out, request, wish, knowledge, lost)
  local least = knowledge.budget_min or BUDGET_MIN
  local most = knowledge.budget_max or BUDGET_MAX
  if wish == 'off' then
    out.thinkingBudget = knowledge.thinking_always and least or 0
    if knowledge.thinking_always then
      lost('params.reasoning')
    end
    return
  elseif wish == 'auto' and not request.reasoning.budget then
    out.thinkingBudget = -1
    return
  end
  local asked = request.reasoning.budget
  local budget = math.max(least, math.min(most, asked or BUDGET[wish]))
  if budget ~= (asked or budget) or (wish == 'xhigh' and budget < BUDGET.xhigh) then
    lost('params.reasoning')
  end
  -- The cap holds thoughts too: some of it must be left for an answer.
  if request.max_tokens and budget >= request.max_tokens then
    budget = request.max_tokens - 1
    if asked or budget < least then
      lost('params.reasoning')
    end
    if budget < least then
      budget = knowledge.thinking_always and least or 0
    end
  end
  out.thinkingBudget = budget
end

--- Writes the thinkingConfig that says a request's wish.
---
--- @param config table Gets it, if there is anything to say.
--- @param request px.Request
--- @param knowledge px.Knowledge
--- @param lost fun(path: string)
function M.thinking(config, request, knowledge, lost)
  local wish = request.reasoning and effort.wish(request.reasoning)
  if not request.reasoning then
    return
  elseif knowledge.thinking == 'none' then
    if wish and wish ~= 'off' then
      lost('params.reasoning')
    end
    return
  end
  local out = { includeThoughts = request.reasoning.visible ~= nil
    and request.reasoning.visible or nil }
  if not wish then
    config.thinkingConfig = next(out) and json.object(out) or nil
    return
  elseif knowledge.thinking == 'level' then
    write_level(out, wish, knowledge, lost)
  else
    write_budget(out, request, wish, knowledge, lost)
  end
  -- Whoever asks for thinking gets to see it; only a client that has a word for it can decline.
  if wish ~= 'off' and request.reasoning.visible == nil then
    out.includeThoughts = true
  end
  config.thinkingConfig = next(out) and json.object(out) or nil
end

local function instruct(body, text)
  body.systemInstruction = body.systemInstruction or json.object({ parts = json.array({}) })
  table.insert(body.systemInstruction.parts, json.object({ text = text }))
end

local function write_format(body, config, request, knowledge, lost)
  local format = request.response_format
  if not format then
    return
  end
  local wants = format.kind == 'schema' and format.schema
  if body.tools and not knowledge.format_with_tools then
    lost('params.response_format')
    local ask = 'Give the final answer as one JSON value only, without a code fence or any other '
      .. 'text.'
    instruct(body, wants and ask .. ' It must match this JSON Schema:\n'
      .. json.encode(schemas.of_format(format)) or ask)
    return
  end
  config.responseMimeType = 'application/json'
  if wants and knowledge.json_schema then
    config.responseJsonSchema = schemas.of_format(format)
  elseif wants then
    local made, changed = clean.clean(schemas.of_format(format))
    if changed then
      lost('params.response_format')
    end
    config.responseSchema = made
  end
end

local function write_stop(config, request, ctx, lost)
  if not request.stop then
    return
  end
  local out = json.array({})
  for _, text in ipairs(request.stop) do
    if text == '' then
      lost('params.stop')
    elseif #out < STOPS_MAX then
      out[#out + 1] = text
    else
      ctx.stops = request.stop -- The rest is watched for in the answer.
    end
  end
  config.stopSequences = #out > 0 and out or nil
end

local function write_logprobs(config, request, ctx)
  local count = request.logprobs
  if count then
    config.responseLogprobs = true
    config.logprobs = count > 0 and count or nil
    ctx.logprobs = true
  end
end

local function write_numbers(config, request, knowledge, lost)
  config.temperature = sampling.temperature(request.temperature, lost)
  config.topP, config.topK = request.top_p, request.top_k
  config.presencePenalty = request.presence_penalty
  config.frequencyPenalty = request.frequency_penalty
  local seed = request.seed and json.tonumber(request.seed)
  if seed and (seed % 1 ~= 0 or math.abs(seed) > SEED_MAX) then
    lost('params.seed')
  else
    config.seed = request.seed
  end
  local most = request.max_tokens
  if most and knowledge.max_output and most > knowledge.max_output then
    most = knowledge.max_output
    lost('params.max_tokens')
  end
  config.maxOutputTokens = most
end

--- Writes the config.
---
--- @param body table
--- @param request px.Request
--- @param ctx px.Context
--- @param lost fun(path: string)
function M.write(body, request, ctx, lost)
  local knowledge = ctx.knowledge or {}
  local config = {
    temperature = later, topP = later, topK = later, presencePenalty = later,
    frequencyPenalty = later, seed = later, maxOutputTokens = later, thinkingConfig = later,
  }
  write_numbers(config, request, knowledge, lost)
  write_logprobs(config, request, ctx)
  write_stop(config, request, ctx, lost)
  M.thinking(config, request, knowledge, lost)
  write_format(body, config, request, knowledge, lost)
  body.generationConfig = next(config) and json.object(config) or nil
end

return M
