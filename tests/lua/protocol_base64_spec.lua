--- Bytes that clients send in base64: what is none is refused by its place, what is spelled in
--- another way is spelled as all upstreams take it.

local json = require('px.json')
local kit = require('corpus_kit')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function chat(part)
  return '{"model":"m","messages":[{"role":"user","content":[' .. part .. ']}]}'
end
local function responses(part)
  return '{"model":"m","input":[{"role":"user","content":[' .. part .. ']}]}'
end
local function claude(kind)
  return '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"' .. kind
    .. '","source":{"type":"base64","media_type":"image/png","data":"%s"}}]}]}'
end

-- Client, its request with a place for the bytes, the place's name.
local CASES = {
  { 'openai_chat', chat('{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}'),
    'messages[0].content[0].image_url.url' },
  { 'openai_chat', chat('{"type":"image_url","image_url":"data:image/png;base64,%s"}'),
    'messages[0].content[0].image_url' },
  { 'openai_chat', chat('{"type":"input_audio","input_audio":{"data":"%s","format":"wav"}}'),
    'messages[0].content[0].input_audio.data' },
  { 'openai_chat', chat('{"type":"file","file":{"file_data":"data:application/pdf;base64,%s"}}'),
    'messages[0].content[0].file.file_data' },
  { 'openai_chat', chat('{"type":"document_url","document_url":"%s"}'),
    'messages[0].content[0].document_url' },
  { 'openai_responses', responses('{"type":"input_image","image_url":"data:image/png;base64,%s"}'),
    'input[0].content[0].image_url' },
  { 'openai_responses', responses('{"type":"input_file","file_data":"data:text/plain;base64,%s"}'),
    'input[0].content[0].file_data' },
  { 'openai_responses', responses('{"type":"input_audio","input_audio":{"data":"%s"}}'),
    'input[0].content[0].input_audio.data' },
  { 'anthropic', claude('image'), 'messages[0].content[0].source.data' },
  { 'anthropic', claude('document'), 'messages[0].content[0].source.data' },
  { 'gemini', '{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"%s"}}]}]}',
    'contents[0].parts[0].data' },
  { 'ollama', '{"model":"m","messages":[{"role":"user","content":"x","images":["%s"]}]}',
    'messages[0].images[0]' },
}

local function read(case, data)
  local text = case[2]:gsub('%%s', function() return data end)
  return pcall(kit.module(case[1], 'request').read, assert(json.decode(text)), kit.context())
end

describe('base64 from a client', function()
  for _, case in ipairs(CASES) do
    it(('that is none is refused by its place: %s %s'):format(case[1], case[3]), function()
      for _, data in ipairs({ '!!!*', 'AAAA=A==', '====', 'iVBO\195\169Rw0KGgo=' }) do
        local ok, why = read(case, data)
        eq({ false, 400, case[3], case[3] .. ' is not base64' },
          { ok, why.status, why.param, why.message })
      end
    end)

    it(('is spelled as all take it: %s %s'):format(case[1], case[3]), function()
      local ok, request = read(case, 'iVBORw0KGgo-_AA\\r\\n==')
      eq(true, ok)
      local block = request.turns[1].blocks[1]
      block = block.kind == 'text' and request.turns[1].blocks[2] or block
      eq('iVBORw0KGgo+/AA==', block.data)
    end)
  end
end)

t.finish()
