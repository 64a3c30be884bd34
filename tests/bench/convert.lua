--- Converts a conversation of 200 KB between every two protocols, as the gateway does it, and gives
--- the microseconds of each part. C gives `parse_and_print(text)`, which does what cJSON takes to
--- read and write the same text, and `clock()`, microseconds of processor time.

local json = require('px.json')
local body = require('px.body')
local knowledge = require('policy.knowledge')

local PROTOCOLS = { 'openai_chat', 'openai_responses', 'anthropic', 'gemini', 'ollama' }
local MODELS = {
  openai_chat = 'gpt-4o', openai_responses = 'gpt-4o', anthropic = 'claude-sonnet-4-6',
  gemini = 'gemini-2.5-flash', ollama = 'qwen3:latest',
}
local ROUNDS, TIMES = 9, 8

local WORDS = {}
for word in ([[the quick brown fox jumps over a lazy dog function return value "quoted" error
    configuration request stream buffer parser token naïve \path]]):gmatch('%S+') do
  WORDS[#WORDS + 1] = word
end

local seed = 7

--- A text of about `size` bytes, the same in every run.
local function text(size)
  local out, len = {}, 0
  while len < size do
    seed = (seed * 1103515245 + 12345) % 2147483648
    local word = WORDS[math.floor(seed / 65536) % #WORDS + 1]
    out[#out + 1], len = word, len + #word + 1
  end
  return table.concat(out, ' ')
end

local function tools()
  local out = json.array()
  for i = 1, 25 do
    local properties = json.object()
    for j = 1, 5 do
      properties['member_' .. j] = {
        type = j == 1 and 'integer' or 'string', description = text(80),
      }
    end
    out[i] = {
      name = 'tool_' .. i, description = text(400),
      input_schema = {
        type = 'object', properties = properties, required = json.array({ 'member_1' }),
        additionalProperties = false,
      },
    }
  end
  return out
end

--- A conversation of an agent, as a client of Anthropic has it: calls, results, thoughts in words.
local function conversation()
  local messages = json.array({ { role = 'user', content = 'Mend the build.' } })
  local request = {
    model = 'm', max_tokens = 4000, system = text(3000), messages = messages, tools = tools(),
  }
  for i = 1, 45 do
    local id = ('toolu_%06d'):format(i)
    messages[#messages + 1] = { role = 'assistant', content = json.array({
      { type = 'text', text = text(300) },
      { type = 'tool_use', id = id, name = 'tool_' .. i % 25 + 1, input = {
        path = 'src/' .. i .. '.c', text = text(900), lines = json.array({ i, i + 40 }) } },
    }) }
    messages[#messages + 1] = { role = 'user', content = json.array({ {
      type = 'tool_result', tool_use_id = id,
      content = json.array({ { type = 'text', text = text(2200) } }) } }) }
  end
  return request
end

local function context(to)
  return {
    model = MODELS[to], knowledge = knowledge.lookup(MODELS[to], to), lost = function() end,
    id = 'abcdefghijklmnopqrstuvwx', now = 1790000000, stream = true, include_usage = true,
    settings = {}, origin = to,
  }
end

local function request_of(protocol)
  return require('protocol.' .. protocol .. '.request')
end

--- The conversation in each protocol's words.
local function bodies()
  local neutral = request_of('anthropic').read(json.decode(json.encode(conversation())),
    context('anthropic'))
  local out = {}
  for _, protocol in ipairs(PROTOCOLS) do
    out[protocol] = json.encode(request_of(protocol).write(neutral, context(protocol)))
  end
  return out
end

--- One conversion, from the bytes to the bytes.
local function convert(bytes, from, to)
  local ctx = context(to)
  local request = request_of(from).read(body.new(bytes):json(), ctx)
  request.model = ctx.model
  return json.encode(request_of(to).write(request, ctx))
end

local function median(values)
  table.sort(values)
  return values[math.ceil(#values / 2)]
end

--- The ratio of a conversion to what cJSON takes for the same bytes, in turns.
local function measure(bytes, from, to)
  local ratios, ours, theirs = {}, {}, {}
  for round = 1, ROUNDS do
    local start = clock()
    for _ = 1, TIMES do
      parse_and_print(bytes)
    end
    local middle = clock()
    for _ = 1, TIMES do
      convert(bytes, from, to)
    end
    local cost = clock() - middle
    theirs[round], ours[round] = (middle - start) / TIMES, cost / TIMES
    ratios[round] = cost / (middle - start)
  end
  return median(ours), median(theirs), median(ratios)
end

local all = bodies()
for _, from in ipairs(PROTOCOLS) do
  for _, to in ipairs(PROTOCOLS) do
    if from ~= to then
      local ours, theirs, ratio = measure(all[from], from, to)
      print(('%s %s %d %.1f %.1f %.3f'):format(from, to, #all[from], ours, theirs, ratio))
    end
  end
end
