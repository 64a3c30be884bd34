--- What a person says of models with px.knowledge.

local engine = require('engine')
local kit = require('corpus_kit')
local t = require('harness')

local describe, it, eq, raises = t.describe, t.it, t.eq, t.raises

local SETTINGS = { providers = { oa = { type = 'openai' }, an = { type = 'anthropic' } } }

--- Loads the table afresh with these entries.
local function load(...)
  engine.load(SETTINGS)
  local told = require('policy.told')
  for _, entry in ipairs({ ... }) do
    told.declare(entry)
  end
  told.finish()
  return require('policy.knowledge').lookup, told
end

describe('px.knowledge', function()
  it('takes every member that there is, and the guide has them all', function()
    local _, told = load()
    local stubs, guide = kit.slurp('lua/px/_meta/neutral.lua'), kit.slurp('docs/lua.md')
    local fields, section = {}, stubs:match('%-%-%- @class px%.Knowledge\n(.-)\n\n')
    for name in section:gmatch('@field ([%w_]+)%?') do
      fields[#fields + 1] = name
    end
    table.sort(fields)
    eq(fields, told.members)
    local table_of = guide:match('\n## What is known of models\n(.-)\n## ')
    for _, name in ipairs(told.members) do
      assert(table_of:find('`' .. name .. '`', 1, true), name .. ' is not in the guide')
    end
  end)

  it('says before the shipped table, and only what it says', function()
    local lookup = load({ model = 'gpt-4o*', max_output = 77, no_stop = true })
    local known = lookup('gpt-4o-mini', 'openai_chat', 'oa')
    eq({ 77, true, true }, { known.max_output, known.no_stop, known.max_completion_tokens })
    eq(32768, lookup('gpt-4.1', 'openai_chat', 'oa').max_output)
  end)

  it('knows models that the shipped table does not', function()
    local lookup = load({ protocol = 'ollama', model = { 'mine*', '!mine-old' },
      thinking = 'always', effort = { 'low', 'high' } })
    eq({ 'low', 'high' }, lookup('Mine-2', 'ollama').effort)
    eq(nil, lookup('mine-old', 'ollama').effort)
    eq(nil, lookup('mine-2', 'openai_chat').effort)
  end)

  it('matches models in any case', function()
    eq(5, load({ model = 'My-Model', max_output = 5 })('MY-MODEL', 'openai_chat').max_output)
  end)

  it('takes the first entry that has a member', function()
    local lookup = load({ model = 'a*', max_output = 1 }, { model = 'a*', max_output = 2,
      default_output = 3 })
    eq({ 1, 3 }, { lookup('ab', 'anthropic').max_output, lookup('ab', 'anthropic').default_output })
  end)

  it('is of one provider where it says so', function()
    local lookup = load({ provider = 'oa', max_output = 9 })
    eq(9, lookup('m', 'openai_chat', 'oa').max_output)
    eq(nil, lookup('m', 'openai_chat', 'an').max_output)
    eq(nil, lookup('m', 'openai_chat').max_output)
  end)

  it('takes back what is shipped with false', function()
    local lookup = load({ model = 'gpt-5*', effort = false, no_sampling = false })
    local known = lookup('gpt-5', 'openai_chat', 'oa')
    eq({ nil, false }, { known.effort, known.no_sampling })
    eq(128000, known.max_output)
  end)

  it('adds what entries refuse', function()
    local lookup = load({ model = 'm', refuses = { 'a' } }, { model = '*', refuses = { 'b' } })
    eq({ 'a', 'b' }, lookup('m', 'openai_chat').refuses)
    eq({ 'b' }, lookup('n', 'openai_chat').refuses)
  end)

  it('does not change the shipped table', function()
    load({ model = 'gpt-4o', max_output = 1 })('gpt-4o', 'openai_chat')
    eq(16384, load()('gpt-4o', 'openai_chat').max_output)
  end)

  local MISTAKES = {
    { 'unknown member "max_ouput"; did you mean "max_output"?', { model = 'm', max_ouput = 1 } },
    { 'unknown member "models"; did you mean "model"?', { models = 'm', no_stop = true } },
    { 'unknown member "1"', { 'm', no_stop = true } },
    { 'there is no provider "aa"; did you mean "an"?', { provider = 'aa', no_stop = true } },
    { 'there is no protocol "openai-chat"; did you mean "openai_chat"?',
      { protocol = 'openai-chat', no_stop = true } },
    { 'model must be a glob', { model = 7, no_stop = true } },
    { 'model must be a glob', { model = {}, no_stop = true } },
    { 'model must be a glob', { model = { 'a', 1 }, no_stop = true } },
    { 'no_stop must be true or false', { model = 'm', no_stop = 'yes' } },
    { 'max_output must be a positive whole number', { model = 'm', max_output = 1.5 } },
    { 'max_output must be a positive whole number', { model = 'm', max_output = -1 } },
    { 'max_output must be a positive whole number', { model = 'm', max_output = true } },
    { 'thinking must be one of none, budget', { model = 'm', thinking = 'on' } },
    { 'effort must be a list', { model = 'm', effort = { 'low', 'extreme' } } },
    { 'effort must be a list', { model = 'm', effort = 'low' } },
    { 'refuses must be a list', { model = 'm', refuses = {} } },
    { 'refuses must be a list', { model = 'm', refuses = { 1 } } },
    { 'say whom it is about', { no_stop = true } },
    { 'says nothing', { model = 'm' } },
  }
  for _, case in ipairs(MISTAKES) do
    it('refuses: ' .. case[1], function()
      raises(case[1], function()
        load(case[2])
      end)
    end)
  end

  it('names the place of a mistake', function()
    raises('told_spec.lua:', function()
      load({ model = 'm', odd = 1 })
    end)
    raises('takes a table', function()
      load('m')
    end)
  end)

  it('refuses more paths than an entry may have', function()
    local paths = {}
    for i = 1, 65 do
      paths[i] = 'p' .. i
    end
    raises('at most 64', function()
      load({ model = 'm', refuses = paths })
    end)
  end)

  it('loads what the documents show', function()
    local shown = kit.slurp('docs/lua.md'):match('```lua\n(px%.knowledge.-)```')
    local example = kit.slurp('configs/rules/knowledge.lua'):match('\n%-%- (px%.knowledge[^\n]*)')
    engine.load({ providers = { demo = { type = 'demo' } } })
    local told = require('policy.told')
    local chunk = assert(loadstring(shown .. example))
    setfenv(chunk, { px = { knowledge = told.declare } })
    chunk()
    eq(4, told.count)
    local lookup = require('policy.knowledge').lookup
    eq(8192, lookup('my-model-2', 'openai_chat', 'demo').max_output)
    eq({ 'logit_bias' }, lookup('my-model-2', 'openai_chat', 'other').refuses)
  end)

  it('is not called later', function()
    local _, told = load()
    raises('while a file of rules is loaded', function()
      told.declare({ model = 'm', no_stop = true })
    end)
  end)
end)

t.finish()
