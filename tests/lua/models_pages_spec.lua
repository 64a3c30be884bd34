--- Lists of models in pages, and what providers tell of each model.

local json = require('px.json')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local LIST = { { id = 'a' }, { id = 'b' }, { id = 'c' }, { id = 'd' }, { id = 'e' } }

--- Asks for a page; gives its ids, and the rest of what it says.
local function page(protocol, parameters, list)
  local body = require('protocol.' .. protocol .. '.reply').models(list or LIST, function(name)
    return parameters[name]
  end)
  local names = {}
  for i, model in ipairs(body.data or body.models) do
    names[i] = (model.id or model.name):gsub('^models/', '')
  end
  return table.concat(names), body
end

local function refusal(protocol, parameters)
  local ok, err = pcall(page, protocol, parameters)
  eq(false, ok)
  return err
end

describe('pages for clients of Anthropic', function()
  for _, case in ipairs({
    { {}, 'abcde', false },
    { { limit = '' }, 'abcde', false },
    { { limit = '1000' }, 'abcde', false },
    { { limit = '5' }, 'abcde', false },
    { { limit = '2' }, 'ab', true },
    { { limit = '2', after_id = 'b' }, 'cd', true },
    { { limit = '2', after_id = 'd' }, 'e', false },
    { { after_id = 'e' }, '', false },
    { { after_id = 'gone' }, '', false },
    { { limit = '2', before_id = 'd' }, 'bc', true },
    { { limit = '9', before_id = 'd' }, 'abc', false },
    { { before_id = 'a' }, '', false },
    { { before_id = 'gone' }, '', false },
  }) do
    it(json.encode(json.object(case[1])), function()
      local names, body = page('anthropic', case[1])
      eq(case[2], names)
      eq(case[3], body.has_more)
      eq(#names > 0 and names:sub(1, 1) or json.null, body.first_id)
      eq(#names > 0 and names:sub(-1) or json.null, body.last_id)
    end)
  end
end)

describe('pages for clients of Gemini', function()
  for _, case in ipairs({
    { {}, 'abcde' },
    { { pageSize = '0' }, 'abcde' },
    { { pageSize = '2' }, 'ab', '2' },
    { { page_size = '2', page_token = '2' }, 'cd', '4' },
    { { pageSize = '2', pageToken = '4' }, 'e' },
    { { pageToken = '3' }, 'de' },
    { { pageToken = '99999' }, '' },
    { { pageSize = '99999' }, 'abcde' },
  }) do
    it(json.encode(json.object(case[1])), function()
      local names, body = page('gemini', case[1])
      eq(case[2], names)
      eq(case[3], body.nextPageToken)
    end)
  end
end)

describe('what is no number of a page is refused by name', function()
  local NAMES = { anthropic = { 'limit' }, gemini = { 'pageSize', 'pageToken' } }
  for _, value in ipairs({
    'x', 'nan', 'inf', '1.5', '-1', '0x10', '1e3', '9999999999', ' 1', '%',
  }) do
    for protocol, names in pairs(NAMES) do
      for _, name in ipairs(names) do
        it(('%s: %s=%s'):format(protocol, name, value), function()
          local err = refusal(protocol, { [name] = value })
          eq({ 400, name }, { err.status, err.param })
        end)
      end
    end
  end
  it('anthropic: limit=0', function()
    eq('limit', refusal('anthropic', { limit = '0' }).param)
  end)
end)

describe('what a model takes and gives', function()
  local TOLD = {
    anthropic = '{"data":[{"id":"m","max_input_tokens":200000,"max_tokens":64000}]}',
    gemini = '{"models":[{"name":"models/m","inputTokenLimit":200000,"outputTokenLimit":64000}]}',
    openai = '{"data":[{"id":"m","context_length":200000}]}',
  }
  for provider, text in pairs(TOLD) do
    it('is read from ' .. provider, function()
      local model = require('provider.' .. provider).parse_models(json.decode(text))[1]
      eq(200000, model.input_limit)
      eq(provider ~= 'openai' and 64000 or nil, model.output_limit)
    end)
  end

  for _, value in ipairs({ '0', '-1', '1.5', '1e300', '"9"', '{}', 'null', 'true',
    '123456789012345678901' }) do
    it('is left out when it is ' .. value, function()
      local model = require('provider.openai').parse_models(json.decode(
        ('{"data":[{"id":"m","context_length":%s,"created":%s}]}'):format(value, value)))[1]
      eq({ id = 'm' }, model)
    end)
  end

  it('is told to clients', function()
    local model = { id = 'm', input_limit = 200000, output_limit = 64000, created = 1 }
    local function told(protocol)
      return require('protocol.' .. protocol .. '.reply').model(model)
    end
    eq({ 200000, 64000 }, { told('anthropic').max_input_tokens, told('anthropic').max_tokens })
    eq({ 200000, 64000 }, { told('gemini').inputTokenLimit, told('gemini').outputTokenLimit })
    eq(200000, told('ollama').model_info['proxima.context_length'])
  end)
end)

describe('a model that makes embeddings', function()
  local function read(methods)
    local text = ('{"models":[{"name":"models/m","supportedGenerationMethods":%s}]}')
      :format(methods)
    local model = require('provider.gemini').parse_models(json.decode(text))[1]
    return model and (model.embeds or false)
  end

  it('is told from others by Gemini\'s list', function()
    eq(true, read('["embedContent","countTokens"]'))
    eq(false, read('["embedContent","generateContent"]'))
    eq(false, read('["generateContent"]'))
    eq(false, read('7'))
    eq(nil, read('["predict"]'))
    eq(nil, read('[]'))
  end)

  it('is told as one', function()
    local model = { id = 'm', embeds = true }
    eq({ 'embedContent' },
      require('protocol.gemini.reply').model(model).supportedGenerationMethods)
    eq({ 'embedding' }, require('protocol.ollama.reply').show(model).capabilities)
  end)
end)

t.finish()
