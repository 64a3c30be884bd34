--- Embeddings read and written by each protocol that has them, and recorded ones.

local json = require('px.json')
local kit = require('corpus_kit')
local recordings = require('recordings')
local t = require('harness')
local vector = require('px.vector')

local describe, it, eq = t.describe, t.it, t.eq

local ALL = { 'openai_chat', 'gemini', 'ollama' }

local function module(protocol)
  return kit.module(protocol, 'embed')
end

local function decode(text)
  return assert(json.decode(text, 'vectors'))
end

describe('json.decode with vectors', function()
  it('keeps arrays of numbers as they are written', function()
    local body = decode('{"v":[ 1.0, -2e3 ],"w":[[1],[2,3]],"x":[],"y":[1,"a"],"z":[1,[2]]}')
    eq({ true, true, false, false, false }, { json.is_raw(body.v), json.is_raw(body.w[2]),
      json.is_raw(body.x), json.is_raw(body.y), json.is_raw(body.z) })
    eq('[ 1.0, -2e3 ]', tostring(body.v))
    eq('{"v":[ 1.0, -2e3 ],"w":[[1],[2,3]],"x":[],"y":[1,"a"],"z":[1,[2]]}', json.encode(body))
    eq('[1]', tostring(decode('[1]')))
  end)

  it('takes no nonsense for a vector', function()
    for _, text in ipairs({ '[1,]', '[1', '[1 2]', '[.5]', '[+1]', '[01]', '[1e]', '[-]',
      '{"a":[1,}', '[1]]', '[1,,2]' }) do
      local value, why = json.decode(text, 'vectors')
      eq(nil, value)
      eq(select(2, json.decode(text)), why)
    end
  end)
end)

describe('px.vector', function()
  it('packs what it unpacks, and refuses what is none', function()
    local bytes = vector.pack('[1,-2.5,0.1]')
    eq(12, #bytes)
    eq('[1,-2.5,0.100000001]', vector.unpack(bytes))
    eq({ nil, nil }, { vector.pack('[1,"2"]'), vector.unpack('abc') })
  end)
end)

describe('a request for embeddings', function()
  it('says the same in every protocol', function()
    for _, from in ipairs(ALL) do
      for _, to in ipairs(ALL) do
        local ctx = kit.context({ model = 'm' })
        local first = module(from).write({ model = 'm', inputs = { 'a', 'b' }, dimensions = 7 },
          ctx)
        local read = module(from).read(decode(json.encode(first)), ctx)
        local second = module(to).write(read, ctx)
        local again = module(to).read(decode(json.encode(second)), ctx)
        eq({ { 'a', 'b' }, 7, 'm' }, { again.inputs, again.dimensions, again.model })
      end
    end
  end)

  it('tells what a protocol has no word for', function()
    local lost = {}
    local ctx = kit.context({ lost = function(path)
      lost[#lost + 1] = path
    end })
    local request = { model = 'm', inputs = { 'a' }, task = 'CLUSTERING', title = 't', user = 'u',
      truncate = false }
    module('openai_chat').write(request, ctx)
    module('gemini').write(request, ctx)
    module('ollama').write(request, ctx)
    eq({ 'params.task', 'params.title', 'params.user', 'params.truncate', 'params.task',
      'params.title', 'params.user' }, lost)
  end)
end)

if not recordings.FOLDER then
  print('# skipped: PX_CORPUS is not set, so there are no recordings to read')
else
  local count, refused = 0, 0
  describe('recorded embeddings', function()
    for _, path in ipairs(kit.list(recordings.FOLDER .. '/openai-embeddings')) do
      it((path:gsub('^.*/', '')), function()
        for _, exchange in ipairs(assert(json.decode(kit.slurp(path))).exchanges or {}) do
          local asked, got = exchange.request.body, exchange.response.body
          if exchange.response.status == 200 and type(got) == 'table' and got.data then
            local ctx = kit.context({ model = 'm' })
            local request = module('openai_chat').read(decode(json.encode(asked)), ctx)
            local good, reply = pcall(module('openai_chat').read_reply, decode(json.encode(got)))
            if not good then
              eq('data.embedding', reply.param)  -- Bytes in base64, of one vendor alone.
              refused = refused + 1
              return
            end
            eq(#request.inputs, #reply.vectors)
            for _, to in ipairs({ 'gemini', 'ollama' }) do
              local body = module(to).write_reply(reply, ctx)
              local back = module(to).read_reply(decode(json.encode(body)))
              eq(#reply.vectors, #back.vectors)
              eq(tostring(reply.vectors[1]), tostring(back.vectors[1]))
            end
            count = count + 1
          end
        end
      end)
    end
  end)
  print(('# %d recorded answers, %d in a form of one vendor'):format(count, refused))
end

t.finish()
