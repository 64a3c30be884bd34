local alike = require('protocol._alike')
local chat = require('protocol.openai_chat.stream')
local json = require('px.json')
local ollama = require('protocol.ollama.stream')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function chunk(text, model)
  return ('{"id":"c","model":"%s","choices":[{"index":0,"delta":{"content":%s},"logprobs":null}]}')
    :format(model or 'm', json.encode(text))
end

describe('protocol._alike', function()
  local function taught()
    local match, learn = alike.new('"content":"')
    learn(chunk('first'), 'first')
    return match
  end

  for _, text in ipairs({ 'a', 'two words', 'quo"te', 'back\\slash', 'line\nbreak', 'gr\195\188n',
    '\240\159\152\128', '{"content":"x"}', ('long '):rep(2000) }) do
    it('reads ' .. json.encode(text):sub(1, 40), function()
      eq(text, taught()(chunk(text)))
    end)
  end

  it('does not know a chunk that differs elsewhere', function()
    eq(nil, taught()(chunk('x', 'other')))
    eq(nil, taught()(chunk('x') .. ' '))
    eq(nil, taught()('{'))
    eq(nil, taught()(''))
  end)

  it('does not take a broken string for a text', function()
    local data = chunk('MARK')
    for _, inner in ipairs({ 'a"b', 'a\\', '\\u12', '\1', '\255', 'x","delta":{"content":"y' }) do
      eq(nil, taught()((data:gsub('MARK', function() return inner end))))
    end
  end)

  it('does not learn from a text that stands in two places', function()
    local match, learn = alike.new('"content":"')
    learn('{"a":{"content":"x"},"b":{"content":"x"}}', 'x')
    eq(nil, match('{"a":{"content":"y"},"b":{"content":"x"}}'))
  end)

  it('gives up on streams whose chunks are never alike', function()
    local match, learn = alike.new('"content":"')
    for i = 1, 20 do
      local data = chunk('t', 'm' .. i)
      match(data)
      learn(data, 't')
    end
    eq(nil, match(chunk('x', 'm20')))
  end)
end)

local function line(text, at, more)
  return ('{"model":"m","created_at":"%s","message":{"role":"assistant","content":%s}%s}')
    :format(at, json.encode(text), more or ',"done":false')
end

describe('protocol._alike, with a value that varies', function()
  local function taught()
    local match, learn = alike.new('"content":"', '"created_at":"')
    learn(line('first', '10:00'), 'first')
    return match
  end

  it('reads a chunk whose other value is another', function()
    for _, at in ipairs({ '10:00', '10:00:01.123456789Z', '' }) do
      eq('gr\195\188n "x"', taught()(line('gr\195\188n "x"', at)))
    end
  end)

  it('does not know a chunk that differs elsewhere', function()
    eq(nil, taught()(line('x', '10:01', ',"done":true')))
    eq(nil, taught()(line('x', '10:01', ',"logprobs":[],"done":false')))
    eq(nil, taught()((line('x', '10:01'):gsub('"m"', '"n"'))))
    eq(nil, taught()((line('x', '10:01'):gsub('assistant', 'user'))))
  end)

  it('does not take a broken value for one', function()
    for _, at in ipairs({ 'a\\', 'a\\"', '\1', '","x":"' }) do
      eq(nil, taught()(line('x', at)))
    end
    local whole = line('x', '10:01')
    for size = 0, #whole - 1 do
      eq(nil, taught()(whole:sub(1, size)))
    end
  end)

  it('reads chunks that have no such value', function()
    local match, learn = alike.new('"content":"', '"created_at":"')
    learn(chunk('first'), 'first')
    eq('x', match(chunk('x')))
    eq(nil, match(line('x', '10:01')))
  end)
end)

describe('an Ollama stream of lines that are alike', function()
  it('gives the same events as one whose lines are not', function()
    local lines = {
      line('One', 1), line(' two', 2), line('', 3), line(' "three"\n', 4),
      '{"model":"m","created_at":"5","message":{"role":"assistant","content":"",'
        .. '"thinking":"hm"},"done":false}',
      line(' four', 6), line(' five', 7), '', line(' end', 8, ',"done":true,"done_reason":"stop"'),
    }
    local function read(spaced)
      local step, out = ollama.reader({ lost = function() end }), {}
      for i, data in ipairs(lines) do
        for _, event in ipairs(step('message', data .. (spaced and (' '):rep(i) or '')) or {}) do
          out[#out + 1] = event
        end
      end
      return out
    end
    eq(read(true), read(false))
    eq(12, #read(false))
  end)
end)

describe('a Chat stream of chunks that are alike', function()
  it('gives the same events as one whose chunks are not', function()
    local texts = { 'One', ' two', ' "three"', '\n', ' gr\195\188n', '', ' end' }
    local function read(spaced)
      local step, out = chat.reader({ lost = function() end }), {}
      for i, text in ipairs(texts) do
        local data = chunk(text) .. (spaced and (' '):rep(i) or '')
        for _, event in ipairs(step('message', data) or {}) do
          out[#out + 1] = event
        end
      end
      return out
    end
    eq(read(true), read(false))
    eq(7, #read(false))
  end)
end)

t.finish()
