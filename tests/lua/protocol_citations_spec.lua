--- Sources of an answer: told where the client's protocol has a place for them, else recorded.

local json = require('px.json')
local kit = require('corpus_kit')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

-- What has no address.
local PLACE = '{"type":"char_location","cited_text":"x","document_index":0,"document_title":"D",'
  .. '"start_char_index":0,"end_char_index":1}'
local FILE = '{"type":"file_citation","file_id":"f","filename":"a.txt","index":0}'
local WEB = '{"type":"url_citation","url":"http://w","title":"W","start_index":0,"end_index":1}'

local function claude(citation)
  return '{"type":"message","role":"assistant","content":[{"type":"text","text":"Hi","citations":['
    .. citation .. ']}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
end

local function response(citation)
  return '{"object":"response","status":"completed","output":[{"type":"message","role":"assistant",'
    .. '"content":[{"type":"output_text","text":"Hi","annotations":[' .. citation .. ']}]}]}'
end

--- An answer for a client of `to`, whole and as a stream, and what each lost.
local function answer(from, to, body)
  local out = {}
  for i = 1, 2 do
    local lost = {}
    local ctx = kit.context({ lost = function(path)
      lost[#lost + 1] = path
    end })
    local events = kit.module(from, 'reply').read(assert(json.decode(body)), ctx)
    out[i] = i == 1 and json.encode(kit.module(to, 'reply').write(events, ctx))
      or kit.write_stream(to, events, ctx)
    out[i + 2] = table.concat(lost, ' ')
  end
  return unpack(out)
end

describe('a source without an address', function()
  local ALL = { 'openai_chat', 'openai_responses', 'anthropic', 'gemini', 'ollama',
    'openai_completions' }
  for from, body in pairs({ anthropic = claude(PLACE), openai_responses = response(FILE) }) do
    for _, to in ipairs(ALL) do
      if to ~= from then
        it(('of %s is recorded for a client of %s'):format(from, to), function()
          local whole, streamed, lost, lost_later = answer(from, to, body)
          eq('reply.citations', lost)
          eq('reply.citations', lost_later)
          for _, text in ipairs({ whole, streamed }) do
            eq(nil, text:find('web_search_result_location', 1, true))
            eq(nil, text:find('groundingMetadata', 1, true))
          end
        end)
      end
    end
  end

  it('stays where its own protocol is spoken', function()
    local whole, streamed, lost = answer('anthropic', 'anthropic', claude(PLACE))
    assert(whole:find('char_location', 1, true) and streamed:find('char_location', 1, true))
    eq('', lost)
  end)

  it('does not hide one that has one', function()
    local whole, streamed, lost, lost_later =
      answer('openai_responses', 'gemini', response(FILE .. ',' .. WEB))
    assert(whole:find('"uri":"http://w"', 1, true) and streamed:find('"uri":"http://w"', 1, true))
    eq('reply.citations reply.citations', lost .. ' ' .. lost_later)
  end)
end)

describe('sources that follow a call', function()
  local function chat(content)
    return '{"choices":[{"message":{"content":' .. content .. ',"tool_calls":[{"id":"c","type":'
      .. '"function","function":{"name":"f","arguments":"{}"}}],"annotations":[{"type":'
      .. '"url_citation","url_citation":{"url":"http://w","title":"W"}}]},"finish_reason":'
      .. '"tool_calls"}]}'
  end

  it('belong to the text before it', function()
    local whole, _, lost = answer('openai_chat', 'anthropic', chat('"Hi"'))
    local content = json.decode(whole).content
    eq('http://w', content[1].citations[1].url)
    eq({ 2, 'tool_use', '' }, { #content, content[2].type, lost })
  end)

  it('are recorded where there is no text', function()
    local whole, _, lost = answer('openai_chat', 'anthropic', chat('null'))
    eq({ 1, 'reply.citations' }, { #json.decode(whole).content, lost })
  end)
end)

t.finish()
