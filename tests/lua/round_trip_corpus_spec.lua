--- Requests of real programs, read and written again in their own protocol: the second time
--- nothing changes; the first time the conversation says the same, and whatever else changed is a
--- normal form that is listed here, or was recorded as lost.

local json = require('px.json')
local kit = require('corpus_kit')
local recordings = require('recordings')
local t = require('harness')

local PROTOCOLS = { 'openai_chat', 'openai_responses', 'anthropic', 'gemini', 'ollama' }
local FOLDERS = { openai_chat = 'openai-chat', anthropic = 'anthropic', gemini = 'gemini',
  openai_responses = 'openai-responses', ollama = 'ollama' }
local ENDINGS = { openai_chat = '/chat/completions$', anthropic = '/messages$',
  gemini = ':%a*[gG]enerateContent$', openai_responses = '/responses$', ollama = '/api/chat$' }

-- Where a conversation is: what it says is compared by its meaning.
local SPOKEN = { 'messages', 'contents', 'input', 'system', 'systemInstruction',
  'system_instruction', 'instructions' }

-- Of each protocol: members that have a normal form, by its reason. Indices are left out.
local NORMAL = {
  openai_chat = {
    ['the upstream is told its own name, whether to stream, and to count'] = 'model stream '
      .. 'stream_options',
    ['what is so anyway is not said'] = 'n tool_choice.type tools[].type tools parallel_tool_calls',
    ['what the field calls so has one name'] = 'reasoning reasoning_effort thinking max_tokens '
      .. 'max_completion_tokens tool_choice tools[].name functions',
    ['hints for caches are the upstream\'s own'] = 'prompt_cache_key tools[].cache_control',
    ['what one vendor wants of tools changes no answer'] = 'tools[].eager_input_streaming',
  },
  openai_responses = {
    ['the upstream is told its own name, and whether to stream'] = 'model stream',
    ['the gateway keeps what must be kept, and asks for proofs'] = 'store include include[]',
    ['hints for caches are the upstream\'s own'] = 'prompt_cache_key prompt_cache_options',
    ['a wish to see thoughts is one word'] = 'reasoning reasoning.summary',
    ['what is so anyway is not said'] = 'text text.format text.format.strict tools[].strict',
    ['tools that a namespace holds stand beside the others'] = 'tools[] tools[].description '
      .. 'tools[].name tools[].parameters tools[].tools tools[].type',
  },
  anthropic = {
    ['the upstream is told its own name, and whether to stream'] = 'model stream',
    ['what is so anyway is not said'] = 'temperature thinking.display',
    ['effort without thinking is adaptive thinking'] = 'thinking',
  },
  gemini = {
    ['both spellings of a member are one'] = 'generation_config tool_config '
      .. 'generationConfig.response_mime_type generationConfig.responseMimeType '
      .. 'generationConfig.response_schema generationConfig.responseSchema '
      .. 'generationConfig.responseJsonSchema '
      .. 'tools[].function_declarations tools[].google_search tools[].googleSearch '
      .. 'generationConfig.thinkingConfig.thinking_budget '
      .. 'tools[].functionDeclarations[].parameters_json_schema',
    ['a schema is told as JSON Schema'] = 'tools[].functionDeclarations[].parameters '
      .. 'tools[].functionDeclarations[].parametersJsonSchema',
    ['what is so anyway is not said'] = 'generationConfig generationConfig.responseModalities '
      .. 'toolConfig.functionCallingConfig.mode model tools[].functionDeclarations[].description',
    ['levels and budgets of thinking are one wish'] =
      'generationConfig.thinkingConfig.thinkingBudget '
      .. 'generationConfig.thinkingConfig.thinkingLevel',
    ['hosted tools stand behind functions'] = 'tools[].functionDeclarations',
  },
  ollama = {
    ['the upstream is told its own name'] = 'model',
    ['what is no member of a tool goes'] = 'tools[].name',
  },
}

local function set_of(texts)
  local out = {}
  for _, text in pairs(texts) do
    for word in text:gmatch('%S+') do
      out[word] = true
    end
  end
  return out
end

local function plain(path)
  return (path:gsub('%[%d+%]', '[]'))
end

local function text_of(value)
  return json.encode(value == nil and json.null or value)
end

--- Collects the paths at which two values differ.
local function differ(a, b, path, out)
  if text_of(a) == text_of(b) then
    return
  elseif type(a) ~= 'table' or type(b) ~= 'table' or json.is_number(a) then
    out[#out + 1] = path
    return
  end
  local keys = {}
  for _, side in ipairs({ a, b }) do
    for key in pairs(side) do
      keys[key] = true
    end
  end
  for key in pairs(keys) do
    local at = type(key) == 'number' and ('%s[%d]'):format(path, key - 1)
      or path == '' and key or path .. '.' .. key
    differ(a[key], b[key], at, out)
  end
end

-- A model that can everything: what is lost is lost for want of words.
local EFFORT = { 'off', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max' }
local THINKING = { anthropic = 'both', gemini = 'budget', ollama = 'switch' }

local function context(protocol, body, lost)
  return kit.context({
    origin = protocol, model = 'm', stream = body.stream == true, lost = lost or function() end,
    knowledge = {
      json_schema = true, output_format = true, result_parts = true, mixed_tools = true,
      effort = EFFORT, thinking = THINKING[protocol], budget_min = 1, budget_max = 32768,
      tool_images = true, custom_tools = true, searches = true, mid_system = true,
      format_with_tools = true,
    },
  })
end

local function pass(protocol, body, lost)
  local ctx = context(protocol, body, lost)
  local request = kit.module(protocol, 'request').read(body, ctx)
  local written = kit.module(protocol, 'request').write(request, ctx)
  return assert(json.decode(json.encode(written)))
end

--- What a conversation says; nil for one that has results without calls, which is repaired.
local function meaning(protocol, body)
  local request = kit.module(protocol, 'request').read(body, context(protocol, body))
  local ok, said = pcall(kit.request_meaning, request)
  return ok and kit.relax(said) or nil
end

--- Tells whether a loss speaks of a member: by one of its names.
local function tells(losses, path)
  local names = '.' .. path:gsub('%[%]', '') .. '.'
  for _, loss in ipairs(losses) do
    local inside = ('.' .. loss .. '.'):find('.' .. path .. '.', 1, true)
    if inside or names:find('.' .. loss:match('[^.]+$') .. '.', 1, true)
      or loss:find('cache', 1, true) and path:find('cache', 1, true) then
      return true
    end
  end
  return false
end

local function check(protocol, body)
  local losses = {}
  local first = pass(protocol, body, function(path)
    losses[#losses + 1] = path
  end)
  t.eq(json.encode(first), json.encode(pass(protocol, first)))
  local said = meaning(protocol, body)
  local again = meaning(protocol, first)
  said = said or again
  t.eq({ said.texts, said.calls, said.results, said.images },
    { again.texts, again.calls, again.results, again.images })
  local normal, spoken, out = set_of(NORMAL[protocol]), {}, {}
  for _, name in ipairs(SPOKEN) do
    spoken[name] = true
  end
  differ(body, first, '', out)
  for _, path in ipairs(out) do
    local at = plain(path)
    if not (spoken[at:match('^[^.%[]+')] or normal[at] or tells(losses, at)) then
      error(('%s changed, which is neither a normal form nor a loss: %s'):format(path,
        table.concat(losses, ' ')), 0)
    end
  end
end

local counts = { done = 0, refused = 0 }

local function check_file(protocol, path)
  local doc = path:find('json$') and json.decode(kit.slurp(path))
  for at, exchange in ipairs(type(doc) == 'table' and doc.exchanges or {}) do
    local uri, body = (exchange.request.uri or ''):gsub('%?.*', ''), exchange.request.body
    local good = type(body) == 'table' and exchange.response.status == 200
    if good and uri:find(ENDINGS[protocol]) then
      local ok, why = pcall(check, protocol, body)
      if not ok and type(why) == 'table' and why.status == 400 then
        counts.refused = counts.refused + 1
      elseif not ok then
        error(('exchange %d: %s'):format(at - 1, type(why) == 'table' and why.message or why), 0)
      else
        counts.done = counts.done + 1
      end
    end
  end
end

if not recordings.FOLDER then
  print('# skipped: PX_CORPUS is not set, so there are no recordings to read')
else
  for _, protocol in ipairs(PROTOCOLS) do
    t.describe('a request, there and back: ' .. protocol, function()
      for _, path in ipairs(kit.list(recordings.FOLDER .. '/' .. FOLDERS[protocol])) do
        t.it((path:gsub('^.*/', '')), function()
          check_file(protocol, path)
        end)
      end
    end)
  end
  print(('# %d requests come back the same, %d are refused'):format(counts.done, counts.refused))
  t.it('few are refused', function()
    assert(counts.done > 900 and counts.refused < 20)
  end)
end

t.finish()
