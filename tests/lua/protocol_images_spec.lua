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
  local asked = to == 'openai_chat' and '{"model":"m","messages":[{"role":"user","content":"Hi"}]}'
    or '{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"Hi"}]}'
  kit.module(to, 'request').read(assert(json.decode(asked)), ctx)
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

  it('is a note for a client without a place for it', function()
    local body, _, lost = answer('gemini', 'anthropic', gemini(PICTURE))
    eq('See[image omitted]there', body.content[1].text)
    assert(lost:find('reply.image', 1, true), lost)
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
