local engine = require('engine')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local function load(providers, models)
  engine.load({ providers = providers, models = models })
  local upstreams = require('policy.upstreams')
  upstreams.load()
  return upstreams
end

describe('policy.upstreams', function()
  it('orders accounts by priority, then by place, without the disabled ones', function()
    local up = load({ p = { type = 'openai', accounts = {
      { name = 'c', api_key = 'k' },
      { name = 'a', api_key = 'k', priority = 1 },
      { name = 'off', api_key = 'k', enabled = false },
      { name = 'b', api_key = 'k', priority = 1 },
    } } }).get('p')
    local names = {}
    for i, account in ipairs(up.accounts) do
      names[i] = account.name
    end
    eq('a b c', table.concat(names, ' '))
    eq({ 'off' }, up.disabled)
  end)

  it('chooses the first account that may serve a model', function()
    local upstreams = load({ p = { type = 'openai', accounts = {
      { name = 'a', api_key = 'k', models = { 'gpt-*' } },
      { name = 'b', api_key = 'k', not_models = { 'o3' } },
    } } })
    local up = upstreams.get('p')
    eq('a', upstreams.account(up, 'gpt-5').name)
    eq('b', upstreams.account(up, 'o4').name)
    eq(nil, upstreams.account(up, 'o3'))
    local why = upstreams.why_none(up, 'o3')
    for _, word in ipairs({ 'p', 'o3', 'a', 'b' }) do
      eq(true, why:find(word, 1, true) ~= nil)
    end
  end)

  it('gives each provider a label of its own, in whatever case', function()
    local upstreams = load({
      a = { type = 'openai', label = 'B' }, b = { type = 'openai', label = 'b' },
      c = { type = 'openai' }, d = { type = 'openai' }, e = { type = 'openai', label = '[]' },
      f = { type = 'openai', label = '[My] one' },
      off = { type = 'openai', label = 'Off', enabled = false },
    })
    local labels = {}
    for i, id in ipairs({ 'a', 'b', 'c', 'd', 'e', 'f' }) do
      labels[i] = upstreams.get(id).label
      eq(id, upstreams.labelled(labels[i]).id)
      eq(id, upstreams.labelled(labels[i]:upper()).id)
    end
    eq('B, b 2, OpenAI, d, e, My one', table.concat(labels, ', '))
    eq('c', upstreams.labelled('c').id)
    eq(nil, upstreams.labelled('Off'))
    eq(nil, upstreams.labelled('nobody'))
  end)

  it('names what several have once for each', function()
    local account = { { name = 'a', api_key = 'k' } }
    local upstreams = load({
      a = { type = 'openai', accounts = account, models = { 'm', 'x' } },
      b = { type = 'openai', accounts = account, models = { 'm' } },
    })
    local names = {}
    for i, model in ipairs(require('protocol.ollama.reply').tags(upstreams.models()).models) do
      names[i] = model.name
    end
    eq('[OpenAI] m, [b] m, x', table.concat(names, ', '))
  end)

  it('knows embedders by their names', function()
    local upstreams = load({ a = { type = 'openai', accounts = { { name = 'a', api_key = 'k' } },
      models = { 'nomic-embed-text', 'Text-Embedding-3', 'gpt-4o' } } })
    local embeds = {}
    for i, model in ipairs(upstreams.models()) do
      embeds[i] = model.embeds
    end
    eq({ true, true, false }, embeds)
  end)

  it('says that a provider has no account', function()
    local upstreams = load({ p = { type = 'openai' } })
    eq(true, upstreams.why_none(upstreams.get('p'), 'm'):find('none', 1, true) ~= nil)
  end)

  it('signs with headers of provider, configuration and account, the last one winning', function()
    local up = load({ p = {
      type = 'openai', headers = { ['X-A'] = '1', ['X-B'] = '1' },
      accounts = { { name = 'a', api_key = 'k', headers = { ['x-b'] = '2' } } },
    } }).get('p')
    local headers = up.accounts[1].headers
    eq('Bearer k', headers.authorization)
    eq('1', headers['x-a'])
    eq('2', headers['x-b'])
    eq('key', up.accounts[1].public.kind)
  end)

  it('joins base and path without doubling the slash', function()
    local up = load({ p = { type = 'openai', base_url = 'http://h/v1//', accounts = {} } }).get('p')
    eq('http://h/v1/chat/completions', up.urls.openai_chat)
  end)

  it('leaves disabled providers out', function()
    local upstreams = load({ p = { type = 'openai', enabled = false, models = { 'm' } } })
    eq(nil, upstreams.get('p'))
    eq(nil, upstreams.having('m'))
  end)

  it('lists what is offered, each name once, globs left out', function()
    local upstreams = load({
      b = { type = 'openai', models = { 'm1', 'm*' }, accounts = {
        { name = 'a', api_key = 'k', models = { 'm2', 'm1', '!m3' } },
      } },
      a = { type = 'openai', models = { 'm1' }, accounts = {} },
    }, { alias = 'b:m1' })
    local ids = {}
    for i, model in ipairs(upstreams.models()) do
      ids[i] = model.id .. '@' .. model.owned_by
    end
    eq('alias@proxima m1@a m2@b', table.concat(ids, ' '))
    eq(2, #upstreams.models(upstreams.get('b')))
    eq('b', upstreams.having('m1').id)  -- The other one has no account.
  end)

  it('counts losses under safe labels', function()
    local counted
    engine.with_core({ count = function(series) counted = series end }, function()
      load({}).count_loss('a', 'b', 'x"y\n')
    end)
    eq('proxima_lost_total{from="a",to="b",field="x_y_"}', counted)
  end)
end)

t.finish()
