--- Images that a model makes: for clients of Chat as OpenRouter tells of them, for others a note.

local json = require('px.json')
local kit = require('corpus_kit')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local PNG = 'iVBORw0KGgo='

--- What a client of `to` is answered, whole and as the deltas of a stream, and what was lost.
local function answer(from, to, body)
  local lost = {}
  local ctx = kit.context({ lost = function(path)
    lost[#lost + 1] = path
  end })
  local events = kit.module(from, 'reply').read(assert(json.decode(body)), ctx)
  kit.check_order(events)
  local whole = json.decode(json.encode(kit.module(to, 'reply').write(events, ctx)))
  return whole, kit.write_stream(to, events, ctx), table.concat(lost, ' ')
end

local function gemini(parts)
  return '{"candidates":[{"content":{"parts":[' .. parts .. ']},"finishReason":"STOP"}]}'
end

local PICTURE = '{"text":"See"},{"inlineData":{"mimeType":"image/png","data":"' .. PNG
  .. '"},"thoughtSignature":"Cg=="},{"text":"there"}'
local IMAGES = '{"image_url":{"url":"data:image/png;base64,' .. PNG .. '"},"type":"image_url"}'

describe('an image that a model made', function()
  it('reaches a client of Chat beside the text', function()
    local body, text, lost = answer('gemini', 'openai_chat', gemini(PICTURE))
    local message = body.choices[1].message
    eq('Seethere', message.content)
    eq('[' .. IMAGES .. ']', json.encode(message.images))
    local seen
    for _, frame in ipairs(kit.frames(text)) do
      local choice = (json.decode(frame[2]) or {}).choices
      seen = choice and choice[1] and choice[1].delta.images or seen
    end
    eq('[' .. IMAGES .. ']', json.encode(seen))
    eq('reply.signature', lost)
  end)

  -- Upstreams, with answers of an image alone.
  local ALONE = {
    gemini = gemini('{"inlineData":{"mimeType":"image/png","data":"' .. PNG .. '"}}'),
    ollama = '{"message":{"role":"assistant","content":"","images":["' .. PNG
      .. '"]},"done":true}',
    openai_chat = '{"choices":[{"message":{"content":null,"images":[' .. IMAGES
      .. ']},"finish_reason":"stop"}]}',
    openai_responses = '{"object":"response","status":"completed","output":[{"type":'
      .. '"image_generation_call","id":"ig_1","status":"completed","result":"' .. PNG .. '"}]}',
  }
  local NOTE = '[image omitted]'

  for from, told in pairs(ALONE) do
    for _, to in ipairs({ 'anthropic', 'gemini', 'ollama', 'openai_completions',
      'openai_responses' }) do
      it(('of %s is a note for a client of %s'):format(from, to), function()
        local body, text, lost = answer(from, to, told)
        if from == to and to ~= 'ollama' then
          eq('', lost)
          assert(json.encode(body):find(PNG, 1, true) and text:find(PNG, 1, true))
          return
        end
        eq('reply.image reply.image', lost)
        assert(json.encode(body):find(NOTE, 1, true), json.encode(body))
        assert(text:find(NOTE, 1, true), text)
      end)
    end

    it(('of %s reaches a client of Chat alone too'):format(from), function()
      local body, text, lost = answer(from, 'openai_chat', told)
      eq('[' .. IMAGES .. ']', json.encode(body.choices[1].message.images))
      assert(text:find('"images":[' .. IMAGES .. ']', 1, true), text)
      eq('', lost)
    end)
  end

  it('is a note between the texts around it', function()
    local body = answer('gemini', 'anthropic', gemini(PICTURE))
    local texts = {}
    for i, block in ipairs(body.content) do
      texts[i] = block.text
    end
    eq({ 'See', NOTE, 'there' }, texts)
  end)

  it('ends the text before it where a stream tells of it', function()
    local chunk = '{"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}'
    local events = kit.read_stream('openai_chat', {
      { 'message', chunk:format('{"content":"a"}', 'null') },
      { 'message', chunk:format('{"content":"","images":[' .. IMAGES .. ',7]}', 'null') },
      { 'message', chunk:format('{"content":"b"}', '"stop"') },
    }, kit.context())
    kit.check_order(events)
    local seen = {}
    for i, event in ipairs(events) do
      seen[i] = event.kind
    end
    eq('start text block_stop image block_stop text block_stop finish', table.concat(seen, ' '))
  end)

  it('is not shown where it was a draft', function()
    local draft = '{"thought":true,"inlineData":{"mimeType":"image/png","data":"AAAA"}},'
      .. '{"text":"Hi"}'
    local body = answer('gemini', 'openai_chat', gemini(draft))
    eq({ content = 'Hi' }, { content = body.choices[1].message.content,
      images = body.choices[1].message.images })
  end)

  it('comes from a hosted tool of Responses too, as bytes or by address', function()
    for result, url in pairs({ [PNG] = 'data:image/png;base64,' .. PNG,
      ['https://a.example/b.png'] = 'https://a.example/b.png' }) do
      local body = answer('openai_responses', 'openai_chat', '{"object":"response","status":'
        .. '"completed","output":[{"type":"image_generation_call","id":"ig_1","status":'
        .. '"completed","result":"' .. result .. '"}]}')
      local message = body.choices[1].message
      eq(url, message.images[1].image_url.url)
      eq('', message.content)
    end
  end)
end)

t.finish()
