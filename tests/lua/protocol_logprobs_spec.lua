--- How likely the tokens of an answer were: asked for, and told, from protocol to protocol.

local json = require('px.json')
local kit = require('corpus_kit')
local logprobs = require('protocol._logprobs')
local stops = require('protocol._stops')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local MESSAGES = '"model":"m","messages":[{"role":"user","content":"Hi"}]'
-- Of each client: how it asks for two alternatives, and for none.
local ASKS = {
  openai_chat = { '{' .. MESSAGES .. ',"logprobs":true,"top_logprobs":2}',
    '{' .. MESSAGES .. ',"logprobs":true}' },
  openai_responses = {
    '{"model":"m","input":"Hi","include":["message.output_text.logprobs"],"top_logprobs":2}',
    '{"model":"m","input":"Hi","include":["message.output_text.logprobs"]}' },
  gemini = {
    '{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"responseLogprobs":true,'
      .. '"logprobs":2}}',
    '{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"responseLogprobs":true}}' },
  ollama = { '{' .. MESSAGES .. ',"logprobs":true,"top_logprobs":2}',
    '{' .. MESSAGES .. ',"logprobs":true,"top_logprobs":0}' },
}
-- Of each upstream: whether a body asks, and for how many.
local ASKED = {
  openai_chat = function(body) return body.logprobs, body.top_logprobs end,
  openai_responses = function(body)
    return body.include and body.include[#body.include] == 'message.output_text.logprobs',
      body.top_logprobs
  end,
  gemini = function(body)
    local config = body.generationConfig or {}
    return config.responseLogprobs, config.logprobs
  end,
}
ASKED.ollama = ASKED.openai_chat

local function convert(from, to, text, knowledge)
  local lost = {}
  local ctx = kit.context({ stream = false, knowledge = knowledge or {}, lost = function(path)
    lost[#lost + 1] = path
  end })
  local request = kit.module(from, 'request').read(json.decode(text), ctx)
  local body = json.decode(json.encode(kit.module(to, 'request').write(request, ctx)))
  return body, lost, ctx
end

describe('a request for likelihoods', function()
  for from, asks in pairs(ASKS) do
    for to, asked in pairs(ASKED) do
      it(('of %s reaches %s'):format(from, to), function()
        for i, count in ipairs({ 2, false }) do
          local body, lost, ctx = convert(from, to, asks[i])
          local yes, top = asked(body)
          eq({ true, count, true, {} }, { yes, top or false, ctx.logprobs, lost })
        end
      end)
    end

    it('of ' .. from .. ' is a loss at Anthropic', function()
      local body, lost, ctx = convert(from, 'anthropic', asks[1])
      eq({ 'params.logprobs' }, lost)
      eq(nil, ctx.logprobs)
      eq(nil, body.logprobs)
    end)
  end

  for _, to in ipairs({ 'openai_chat', 'openai_responses' }) do
    it('is a loss for a model of ' .. to .. ' that refuses sampling', function()
      local body, lost, ctx = convert('ollama', to, ASKS.ollama[1], { no_sampling = true })
      eq({ 'params.logprobs' }, lost)
      eq({ false, false }, { body.top_logprobs ~= nil, ctx.logprobs ~= nil })
    end)
  end

  it('is not made by a word that asks for nothing', function()
    for _, more in ipairs({ '"logprobs":false', '"top_logprobs":0', '"logprobs":null',
      '"logprobs":false,"top_logprobs":null' }) do
      local text = '{' .. MESSAGES .. ',' .. more .. '}'
      local body, lost = convert('openai_chat', 'openai_chat', text)
      eq({ nil, nil, {} }, { body.logprobs, body.top_logprobs, lost })
    end
  end)

  for _, case in ipairs({
    { 'openai_chat', '"logprobs":true,"top_logprobs":21', 'top_logprobs' },
    { 'openai_chat', '"logprobs":true,"top_logprobs":-1', 'top_logprobs' },
    { 'openai_chat', '"logprobs":true,"top_logprobs":1.5', 'top_logprobs' },
    { 'openai_chat', '"logprobs":true,"top_logprobs":"2"', 'top_logprobs' },
    { 'openai_chat', '"logprobs":true,"top_logprobs":9007199254740993', 'top_logprobs' },
    { 'openai_chat', '"logprobs":"yes"', 'logprobs' },
    { 'openai_chat', '"top_logprobs":2', 'top_logprobs' },
    { 'ollama', '"logprobs":1', 'logprobs' },
    { 'openai_responses', '"input":"Hi","top_logprobs":21', 'top_logprobs' },
    { 'gemini', '"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"logprobs":3}',
      'generationConfig.logprobs' },
    { 'gemini', '"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"responseLogprobs":'
      .. 'true,"logprobs":21}', 'generationConfig.logprobs' },
  }) do
    it(('of %s with %s is refused by name'):format(case[1], case[2]), function()
      local text = case[1]:find('^o[pl]') and case[1] ~= 'openai_responses'
        and MESSAGES .. ',' .. case[2] or '"model":"m",' .. case[2]
      local read = kit.module(case[1], 'request').read
      local ok, why = pcall(read, json.decode('{' .. text .. '}'), kit.context())
      eq({ false, 400, case[3] }, { ok, why.status, why.param })
    end)
  end
end)

-- Answers -----------------------------------------------------------------------------------------

local function chat_chunk(delta, list, finish)
  return { 'message', ('{"id":"c","model":"m","choices":[{"index":0,"delta":%s,"logprobs":%s,'
    .. '"finish_reason":%s}]}'):format(delta, list or 'null', finish or 'null') }
end

--- A token as OpenAI writes it, which escapes what is no whole character.
local function token(text)
  local bytes = json.encode(json.array({ text:byte(1, -1) }))
  local name = text:gsub('^[\128-\255]$', function(byte)
    return ('bytes:\\x%02x'):format(byte:byte())
  end)
  return ('{"token":%s,"logprob":-0.5,"bytes":%s,"top_logprobs":[]}')
    :format(json.encode(name), bytes)
end

local function content(...)
  return '{"content":[' .. table.concat({ ... }, ',') .. '],"refusal":null}'
end

local function read_chat(frames, more)
  local lost = {}
  local ctx = kit.context({ logprobs = true, lost = function(path)
    lost[#lost + 1] = path
  end })
  for name, value in pairs(more or {}) do
    ctx[name] = value
  end
  return kit.read_stream('openai_chat', frames, ctx), lost
end

--- Texts with the tokens that stand in their events.
local function told(events)
  local out = {}
  for _, event in ipairs(events) do
    if event.kind == 'text' then
      local tokens = {}
      for i, one in ipairs(event.logprobs or {}) do
        tokens[i] = one.token
      end
      out[#out + 1] = event.text .. '=' .. table.concat(tokens, '|')
    end
  end
  return out
end

describe('the likelihoods of an answer', function()
  local END = chat_chunk('{}', nil, '"stop"')

  it('stand with the text of their chunk, also when chunks are alike', function()
    local frames = {}
    for i, text in ipairs({ 'a', 'a', 'b', 'a' }) do
      frames[i] = chat_chunk('{"content":"' .. text .. '"}', content(token(text)))
    end
    frames[5], frames[6] = END, { 'message', '[DONE]' }
    eq({ 'a=a', 'a=a', 'b=b', 'a=a' }, told((read_chat(frames))))
  end)

  it('wait for the text that they make', function()
    local events, lost = read_chat({ chat_chunk('{"content":""}', content(token('\195'))),
      chat_chunk('{"content":"ü"}', content(token('\188'))), END })
    eq({ 'ü=bytes:\\xc3|bytes:\\xbc' }, told(events))
    eq({}, lost)
  end)

  it('are a loss when no text comes, and when they are of a refusal', function()
    local _, lost = read_chat({ chat_chunk('{"content":""}', content(token('x'))), END })
    eq({ 'reply.logprobs' }, lost)
    _, lost = read_chat({ chat_chunk('{"refusal":"No"}',
      '{"content":null,"refusal":[' .. token('No') .. ']}'), END })
    eq({ 'reply.logprobs' }, lost)
  end)

  it('are not told to who did not ask', function()
    eq({ 'a=' }, told((read_chat({ chat_chunk('{"content":"a"}', content(token('a'))), END },
      { logprobs = false }))))
  end)

  it('are left out where an upstream says nonsense', function()
    for _, list in ipairs({ '[]', '"x"', '7', '{}', '{"content":7}', '{"content":[7,null,{}]}',
      '{"content":[{"token":7,"logprob":1}]}', '{"content":[{"token":"a","logprob":"x"}]}',
      '{"content":{"token":"a"}}' }) do
      eq({ 'a=' }, told((read_chat({ chat_chunk('{"content":"a"}', list), END }))))
    end
  end)

  it('have bytes only as a list', function()
    for _, bytes in ipairs({ '{"a":1}', '{}', '"x"', '97' }) do
      local events = read_chat({ chat_chunk('{"content":"a"}', '{"content":[{"token":"a",'
        .. '"logprob":-1,"bytes":' .. bytes .. ',"top_logprobs":[{"token":"b","logprob":-2,'
        .. '"bytes":' .. bytes .. '}]}]}'), END })
      for _, to in ipairs({ 'openai_chat', 'openai_responses', 'ollama' }) do
        assert(kit.write_stream(to, events, kit.context()):find('"bytes":[97]', 1, true), to)
        json.encode(kit.module(to, 'reply').write(events, kit.context()))
      end
    end
  end)

  it('are cut with the text where the gateway enforces stop sequences', function()
    local frames = {}
    for i, text in ipairs({ 'One', ' E', 'N', 'ough', ' E', 'ND', ' two' }) do
      frames[i] = chat_chunk('{"content":"' .. text .. '"}', content(token(text)))
    end
    frames[8] = END
    local events = read_chat(frames, { stops = { 'END' } })
    -- Of " E" the blank may go at once, but the token is told with the text that ends it.
    eq({ 'One=One', ' =', 'ENough= E|N|ough', ' =' }, told(events))
  end)

  it('follow texts that had none', function()
    local filter = stops.filter({ 'END' })
    eq({ 'Hello=' }, told(filter({ { kind = 'text', index = 0, text = 'Hello' } })))
    local list = logprobs.of_openai({ { token = 'a', logprob = -1 } })
    eq({ 'a=a' }, told(filter({ { kind = 'text', index = 0, text = 'a', logprobs = list } })))
  end)

  it('have the bytes of their tokens unless nobody knows them', function()
    local list = logprobs.of_gemini({ chosenCandidates = {
      { token = 'ü', logProbability = -1 }, { token = '\239\191\189', logProbability = -2 },
    } })
    local out = logprobs.openai(list, json.null)
    eq({ 195, 188 }, { out[1].bytes[1], out[1].bytes[2] })
    eq(json.null, out[2].bytes)
    local back = logprobs.gemini(list)
    eq({ 'ü', -1, nil }, { back.chosenCandidates[1].token, back.chosenCandidates[1].logProbability,
      back.topCandidates })
  end)
end)

-- Recordings --------------------------------------------------------------------------------------

local recordings = require('recordings')

if not recordings.FOLDER then
  print('# skipped: PX_CORPUS is not set, so there are no recorded likelihoods to read')
else
  describe('recorded likelihoods', function()
    for name, tops in pairs({
      test_google_vertex_logprobs = 5, test_google_vertex_logprobs_structure = 2,
      test_google_vertex_logprobs_without_top_logprobs = 0,
    }) do
      it('of Gemini reach clients of the others: ' .. name, function()
        local file = json.decode(kit.slurp(('%s/gemini/pydantic-ai/%s.json')
          :format(recordings.FOLDER, name)))
        local body = file.exchanges[1].response.body
        local want = body.candidates[1].logprobsResult.chosenCandidates
        local ctx = kit.context({ logprobs = true })
        local events = kit.module('gemini', 'reply').read(body, ctx)
        local written = kit.module('openai_chat', 'reply').write(events, ctx)
        local list = written.choices[1].logprobs.content
        eq(#want, #list)
        local text = {}
        for i, one in ipairs(list) do
          text[i] = one.token
          eq({ want[i].token, want[i].logProbability, tops },
            { one.token, one.logprob, #one.top_logprobs })
        end
        eq(written.choices[1].message.content, table.concat(text))
        eq(list, kit.module('openai_responses', 'reply').write(events, ctx).output[1].content[1]
          .logprobs)
        eq(list, kit.module('ollama', 'reply').write(events, ctx).logprobs)
      end)
    end

    it('of LM Studio stand in each delta', function()
      local text = kit.slurp(recordings.FOLDER
        .. '/openai-responses/vercel-ai/open-responses.lmstudio-tool-call.2.chunks.txt')
      local frames = recordings.lines(text)
      local count = 0
      for _, one in ipairs(told(kit.read_stream('openai_responses', frames,
        kit.context({ logprobs = true })))) do
        local said, tokens = one:match('^(.*)=(.*)$')
        eq(said, tokens)
        count = count + 1
      end
      eq(true, count > 5)
    end)
  end)
end

t.finish()
