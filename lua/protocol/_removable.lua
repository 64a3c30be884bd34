--- What may be taken out of a request because an upstream does not support it: what shapes an
--- answer, never what it is about.

local json = require('px.json')

local M = {}

-- What a request is about, or what its client could not read the answer without.
local KEPT = {
  audio = true, candidateCount = true, contents = true, conversation = true, dimensions = true,
  documents = true, encoding_format = true, functions = true, generationConfig = true,
  input = true, instructions = true, messages = true, modalities = true, model = true, n = true,
  options = true, prompt = true, previous_response_id = true, requests = true,
  response_format = true, stream = true, system = true, systemInstruction = true, text = true,
  thread = true, toolConfig = true, tools = true,
}

-- Members inside others that are likewise.
local KEPT_INSIDE = {
  candidateCount = true, format = true, json_schema = true, previous_message_id = true,
  responseJsonSchema = true, responseMimeType = true, responseModalities = true,
  responseSchema = true, schema = true, type = true,
}

-- Top members that hold what is said: of them only what adorns it goes.
local SAID = {
  contents = true, documents = true, functions = true, input = true, messages = true,
  prompt = true, system = true, systemInstruction = true, tools = true,
}
local ADORNS = {
  annotations = true, cache_control = true, citations = true, context = true, detail = true,
  extra_content = true, media_resolution = true, mediaResolution = true, phase = true,
  prefix = true, prompt_cache_breakpoint = true, reasoning = true, reasoning_content = true,
  reasoning_details = true, status = true, strict = true, title = true,
  eager_input_streaming = true, input_examples = true, defer_loading = true,
  allowed_callers = true, ttl = true,
}
-- Below these are a tool's own names.
local FREE = {
  args = true, arguments = true, input = true, input_schema = true, parameters = true,
  parametersJsonSchema = true, response = true, schema = true,
}

local function plain(name)
  return tostring(name):gsub('_', ''):lower()
end

--- The member that a name means: as it is, or in the other way to write it.
local function member(at, name)
  if at[name] ~= nil then
    return name
  end
  local wanted = plain(name)
  for _, key in ipairs(json.keys(at)) do
    if plain(key) == wanted then
      return key
    end
  end
end

--- Finds a path in a body. Vendors write names with and without underscores, and name the kind of a
--- block on the way to its members ('content.0.text.citations').
---
--- @param body table The decoded request.
--- @param path (string|integer)[]
--- @return (string|integer)[]? keys
--- @return any value
local function resolve(body, path)
  local at, keys = body, {}
  for i = 1, #path do
    if type(at) ~= 'table' then
      return nil
    end
    local part = path[i]
    if json.is_array(at) then
      if type(part) ~= 'number' or at[part + 1] == nil then
        return nil
      end
      keys[#keys + 1] = part
      at = at[part + 1]
    else
      local key = member(at, part)
      if key and (i == #path or type(at[key]) == 'table') then
        keys[#keys + 1] = key
        at = at[key]
      elseif i == #path or #keys == 0 then
        return nil
      end
    end
  end
  return keys, at
end

local function may_go(keys, value)
  local top, last = keys[1], keys[#keys]
  if type(last) ~= 'string' then
    return false
  elseif #keys == 1 then
    local choice = type(value) == 'table' and (value.type or value.mode) or value
    return not KEPT[top] and (top ~= 'tool_choice' or choice == 'auto')
  elseif SAID[top] then
    for i = 2, #keys - 1 do
      if FREE[keys[i]] then
        return false
      end
    end
    return ADORNS[last] or (#keys == 3 and (last == 'name' and top == 'messages'
      or last == 'id' and top == 'input')) or false
  end
  return not KEPT_INSIDE[last] and top ~= 'response_format' and top ~= 'toolConfig'
end

--- Writes keys as a path of a body, with [*] for every element.
local function written(keys)
  local out = ''
  for _, key in ipairs(keys) do
    if type(key) == 'number' then
      out = out .. '[*]'
    elseif key:find('^[%w_-]+$') then
      out = out .. (out ~= '' and '.' or '') .. key
    else
      return nil
    end
  end
  return out
end

--- The path to remove for one that an upstream does not support; nil when it is not there or must
--- stay.
---
--- @param body table The decoded request.
--- @param path (string|integer)[]
--- @return string? path
--- @return any value What is there.
function M.find(body, path)
  local keys, value = resolve(body, path)
  if keys and #keys > 0 and may_go(keys, value) then
    local text = written(keys)
    return text, value
  end
end

--- Of a member: the one that is refused where it is missing.
M.NEEDS = {
  logprobs = 'top_logprobs', ['generationConfig.responseLogprobs'] = 'generationConfig.logprobs',
}

-- Neutral names of parameters by those on the wire, without underscores.
local NEUTRAL = {
  effort = 'reasoning', frequencypenalty = 'frequency_penalty', logprobs = 'logprobs',
  maxcompletiontokens = 'max_tokens', maxoutputtokens = 'max_tokens', maxtokens = 'max_tokens',
  metadata = 'metadata', paralleltoolcalls = 'parallel', presencepenalty = 'presence_penalty',
  reasoning = 'reasoning', reasoningeffort = 'reasoning', responselogprobs = 'logprobs',
  seed = 'seed', servicetier = 'service_tier', stop = 'stop', stopsequences = 'stop',
  temperature = 'temperature', think = 'reasoning', thinking = 'reasoning',
  thinkingbudget = 'reasoning', thinkingconfig = 'reasoning', thinkinglevel = 'reasoning',
  topk = 'top_k', toplogprobs = 'logprobs', topp = 'top_p', user = 'user', verbosity = 'verbosity',
}

--- The name of a loss for a path of a body.
---
--- @param path string
--- @return string
function M.loss(path)
  local last = path:match('[^.%[%]*]+$') or path
  local top = path:match('^[^.%[]+')
  local name = not SAID[top] and NEUTRAL[plain(last)]
  return name and 'params.' .. name or 'request.' .. path:gsub('%[%*%]', '')
end

return M
