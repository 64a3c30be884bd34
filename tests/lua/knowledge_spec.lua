--- What is known of models by their names.

local t = require('harness')
local knowledge = require('policy.knowledge')

local describe, it, eq = t.describe, t.it, t.eq

-- Protocol, model, member, value.
local CASES = {
  { 'anthropic', 'claude-3-haiku-20240307', 'max_output', 4096 },
  { 'anthropic', 'claude-3-5-sonnet-20241022', 'thinking', 'none' },
  { 'anthropic', 'claude-3-7-sonnet-latest', 'thinking', 'budget' },
  { 'anthropic', 'claude-sonnet-4-20250514', 'max_output', 64000 },
  { 'anthropic', 'claude-opus-4-20250514', 'max_output', 32000 },
  { 'anthropic', 'claude-opus-4-1-20250805', 'one_sampler', true },
  { 'anthropic', 'claude-sonnet-4-5-20250929', 'output_format', true },
  { 'anthropic', 'claude-sonnet-4-5-20250929', 'effort', nil },
  { 'anthropic', 'claude-opus-4-5', 'thinking', 'budget' },
  { 'anthropic', 'us.anthropic.claude-opus-4-6-v1:0', 'thinking', 'both' },
  { 'anthropic', 'anthropic/claude-opus-4.7', 'no_sampling', true },
  { 'anthropic', 'claude-opus-4-8', 'mid_system', true },
  { 'anthropic', 'claude-opus-4-7', 'mid_system', nil },
  { 'anthropic', 'claude-sonnet-5', 'thinking', 'adaptive' },
  { 'anthropic', 'claude-sonnet-5-5', 'thinking_off', 'between_tools' },
  { 'anthropic', 'Claude-Opus-5-5', 'thinking', 'always' },
  { 'anthropic', 'kimi-k2', 'thinking', nil },
  { 'openai_chat', 'gpt-4o-mini', 'max_output', 16384 },
  { 'openai_chat', 'gpt-4o-mini', 'no_sampling', nil },
  { 'openai_chat', 'openai/gpt-5-mini', 'no_stop', true },
  { 'openai_chat', 'gpt-5-chat-latest', 'no_sampling', nil },
  { 'openai_chat', 'o3-mini', 'max_completion_tokens', true },
  { 'openai_chat', 'solo3', 'max_completion_tokens', nil },
  { 'openai_chat', 'deepseek-reasoner', 'reasoning_content', true },
  { 'openai_chat', 'claude-opus-4-5', 'thinking', nil },
  { 'openai_responses', 'gpt-5.2-codex', 'no_sampling', true },
  { 'openai_responses', 'gpt-4o-mini', 'effort', nil },
  { 'openai_responses', 'o3-mini', 'max_output', 100000 },
  { 'openai_responses', 'deepseek-v4-flash', 'reasoning_content', true },
  { 'no_protocol', 'gpt-4o', 'max_output', nil },
}

describe('knowledge', function()
  for _, case in ipairs(CASES) do
    it(('of %s: %s is %s'):format(case[2], case[3], tostring(case[4])), function()
      eq(case[4], knowledge.lookup(case[2], case[1])[case[3]])
    end)
  end

  it('of efforts follows the generations', function()
    local function efforts(model)
      return table.concat(knowledge.lookup(model, 'openai_chat').effort, ' ')
    end
    eq('low medium high', efforts('o4-mini'))
    eq('minimal low medium high', efforts('gpt-5'))
    eq('off low medium high', efforts('gpt-5.1'))
    eq('off low medium high xhigh', efforts('gpt-5.2'))
    eq('off low medium high xhigh max', efforts('gpt-5.6'))
    eq('high', efforts('gpt-5-pro'))
  end)

  it('outlives more names than it remembers', function()
    for i = 1, 2000 do
      knowledge.lookup('gpt-4o-' .. i, 'openai_chat')
    end
    eq(16384, knowledge.lookup('gpt-4o-1', 'openai_chat').max_output)
  end)
end)

t.finish()
