--- Unary answers, lists of models, and the small helpers behind conversions.

local json = require('px.json')
local t = require('harness')
local chat = require('protocol.openai_chat.reply')
local claude = require('protocol.anthropic.reply')
local ids = require('protocol._ids')
local media = require('protocol._media')
local signature = require('protocol._signature')
local usage = require('protocol.openai_chat._usage')

local describe, it, eq = t.describe, t.it, t.eq

local function context(more)
  local ctx = { model = 'm', id = 'ID', now = 7, lost = function() end }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  return ctx
end

local EVENTS = {
  { kind = 'start', id = 'u', model = 'up' },
  { kind = 'thinking', index = 0, text = 'hm' },
  { kind = 'signature', index = 0, text = 'S' },
  { kind = 'block_stop', index = 0 },
  { kind = 'text', index = 1, text = 'a' },
  { kind = 'text', index = 1, text = 'b' },
  { kind = 'citation', index = 1, url = 'http://x', title = 't' },
  { kind = 'block_stop', index = 1 },
  { kind = 'tool_start', index = 2, id = 'a.b', name = 'f' },
  { kind = 'args', index = 2, text = '{"n":' },
  { kind = 'args', index = 2, text = '1.0}' },
  { kind = 'block_stop', index = 2 },
  { kind = 'finish', reason = 'tool' },
  { kind = 'usage', input = 1, cache_read = 2, cache_write = 3, output = 4, reasoning = 1 },
}

describe('a unary answer', function()
  it('of chat is made of events', function()
    local body = chat.write(EVENTS, context({ origin = 'anthropic' }))
    eq('{"choices":[{"finish_reason":"tool_calls","index":0,"logprobs":null,"message":'
      .. '{"annotations":[{"type":"url_citation","url_citation":{"end_index":0,"start_index":0,'
      .. '"title":"t","url":"http://x"}}],"content":"ab","reasoning_content":"hm",'
      .. '"reasoning_details":[{"index":0,"signature":"anthropic#S","text":"hm",'
      .. '"type":"reasoning.text"}],"refusal":null,"role":"assistant","tool_calls":[{"function":'
      .. '{"arguments":"{\\"n\\":1.0}","name":"f"},"id":"a.b","type":"function"}]}}],"created":7,'
      .. '"id":"chatcmpl-ID","model":"m","object":"chat.completion","usage":{"completion_tokens":4,'
      .. '"completion_tokens_details":{"reasoning_tokens":1},"prompt_tokens":6,'
      .. '"prompt_tokens_details":{"cache_write_tokens":3,"cached_tokens":2},"total_tokens":10}}',
      json.encode(body))
  end)

  it('of Anthropic is made of events', function()
    local body = claude.write(EVENTS, context({ origin = 'openai_chat' }))
    eq('{"content":[{"signature":"openai_chat#S","thinking":"hm","type":"thinking"},'
      .. '{"citations":[{"cited_text":"","encrypted_index":"","title":"t",'
      .. '"type":"web_search_result_location","url":"http://x"}],"text":"ab","type":"text"},'
      .. '{"id":"a_b","input":{"n":1.0},"name":"f","type":"tool_use"}],"id":"msg_ID","model":"m",'
      .. '"role":"assistant","stop_reason":"tool_use","stop_sequence":null,"type":"message",'
      .. '"usage":{"cache_creation_input_tokens":3,"cache_read_input_tokens":2,"input_tokens":1,'
      .. '"output_tokens":4,"output_tokens_details":{"thinking_tokens":1}}}', json.encode(body))
  end)

  it('without content is still an answer', function()
    local events = { { kind = 'finish', reason = 'filter' } }
    eq('', chat.write(events, context()).choices[1].message.content)
    eq('[]', json.encode(claude.write(events, context()).content))
    eq('refusal', claude.write(events, context()).stop_reason)
  end)

  it('that is an error gives one event', function()
    for _, reply in ipairs({ chat, claude }) do
      local events = reply.read(json.decode('{"error":{"message":"x","type":"overloaded_error"}}'),
        context())
      eq({ 1, 'error', 'overloaded' }, { #events, events[1].kind, events[1].code })
    end
  end)

  it('reads the function behind a custom call', function()
    local body = '{"choices":[{"message":{"tool_calls":[{"id":"c","type":"custom","custom":'
      .. '{"name":"n","input":"free text"}}]},"finish_reason":"tool_calls"}]}'
    local events = chat.read(json.decode(body), context())
    eq({ 'n', true, 'free text' }, { events[2].name, events[2].custom, events[3].text })
    eq('[{"custom":{"input":"free text","name":"n"},"id":"c","type":"custom"}]',
      json.encode(chat.write(events, context()).choices[1].message.tool_calls))
  end)
end)

describe('a list of models', function()
  local MODELS = { { id = 'a', created = 86400, owned_by = 'o', display_name = 'A' }, { id = 'b' } }

  it('of chat', function()
    eq('{"data":[{"created":86400,"id":"a","object":"model","owned_by":"o"},{"created":0,"id":"b",'
      .. '"object":"model","owned_by":"proxima"}],"object":"list"}',
      json.encode(chat.models(MODELS)))
    eq('{"data":[],"object":"list"}', json.encode(chat.models({})))
  end)

  it('of Anthropic', function()
    eq('{"data":[{"created_at":"1970-01-02T00:00:00Z","display_name":"A","id":"a",'
      .. '"lifecycle":"active","type":"model"},{"created_at":"1970-01-01T00:00:00Z",'
      .. '"display_name":"b","id":"b","lifecycle":"active","type":"model"}],'
      .. '"first_id":"a","has_more":false,"last_id":"b"}', json.encode(claude.models(MODELS)))
    eq('{"data":[],"first_id":null,"has_more":false,"last_id":null}',
      json.encode(claude.models({})))
  end)
end)

-- prompt, completion, total, cached, reasoning; then fresh, read, output.
local USAGES = {
  { 'OpenAI', '{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,'
    .. '"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":'
    .. '{"reasoning_tokens":3}}', { 6, 4, 5 } },
  { 'xAI, without reasoning in the completion', '{"prompt_tokens":10,"completion_tokens":5,'
    .. '"total_tokens":18,"completion_tokens_details":{"reasoning_tokens":3}}', { 10, 0, 8 } },
  { 'Azure Grok, more cached than prompted', '{"prompt_tokens":3,"completion_tokens":5,'
    .. '"total_tokens":8,"prompt_tokens_details":{"cached_tokens":9}}', { 0, 3, 5 } },
  { 'Mistral, audio beside the prompt', '{"prompt_tokens":3,"completion_tokens":5,'
    .. '"total_tokens":20}', { 15, 0, 5 } },
  { 'DeepSeek', '{"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":7}',
    { 3, 7, 1 } },
  { 'nulls', '{"prompt_tokens":2,"completion_tokens":1,"prompt_tokens_details":null}',
    { 2, 0, 1 } },
}

describe('usage', function()
  for _, case in ipairs(USAGES) do
    it('of ' .. case[1], function()
      local used = usage.read(json.decode(case[2]))
      eq(case[3], { used.input, used.cache_read, used.output })
    end)
  end
end)

describe('helpers', function()
  it('take data URLs apart', function()
    eq({ 'image/png', 'AAAA' }, { media.parse('data:image/png;x=y;base64,AAAA') })
    eq({ 'text/plain', 'SGkh' }, { media.parse('data:,Hi%21') })
    eq(nil, (media.parse('https://x/y')))
    eq('hello', media.unbase64(media.base64('hello')))
  end)

  it('see through wrong types', function()
    eq('image/webp', media.sniff('image/png', media.base64('RIFF\1\2\3\4WEBPVP8 ')))
    eq('image/jpeg', media.sniff('image/jpg', 'AAAA'))
    eq('audio/wav', media.sniff('audio/wav', media.base64('RIFF\1\2\3\4WAVEfmt ')))
  end)

  it('hash the same in every run', function()
    eq('call_' .. ids.hash(''), ids.call(''))
    eq('0b885c8b20f547bb', ids.hash('abc'))
    assert(ids.hash('abc') ~= ids.hash('acb'))
  end)

  it('know whose a signature is', function()
    eq({ 'S', 'gemini:flash' }, { signature.untag('anthropic', 'gemini:flash#S') })
    eq({ 'a/b+c=', 'anthropic' }, { signature.untag('anthropic', 'a/b+c=') })
    eq({ true, true, true, false, false }, {
      signature.accepts('anthropic', 'anthropic'),
      signature.accepts('anthropic:opus', 'anthropic'),
      signature.accepts('anthropic', 'anthropic:opus'),
      signature.accepts('anthropic:opus', 'anthropic:haiku'),
      signature.accepts('anthropic', 'openai_chat'),
    })
  end)
end)

t.finish()
