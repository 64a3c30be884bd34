--- What is known of models: limits and dialects.
---
--- Data. Patterns are globs over the model's name in lower case ('*' crosses everything); the first
--- entry that matches counts, so what is special stands before what is general. What no entry knows
--- is nil, and a conversion then does what is safe with every upstream. What a person says with
--- px.knowledge{…} stands before all of it.

local told = require('policy.told')

local M = {}

local K128, K64, K32 = 128000, 64000, 32000

local LOW_TO_HIGH = { 'low', 'medium', 'high' }
local LOW_TO_MAX = { 'low', 'medium', 'high', 'xhigh', 'max' }

-- Claude by generation.
local CLAUDE_ALWAYS = {
  thinking = 'always', effort = LOW_TO_MAX, max_output = K128, default_output = K32,
  no_sampling = true, no_prefill = true, mid_system = true, output_format = true,
}
local CLAUDE_BETWEEN = {
  thinking = 'adaptive', thinking_off = 'between_tools', effort = LOW_TO_MAX, max_output = K128,
  default_output = K32, no_sampling = true, no_prefill = true, mid_system = true,
  output_format = true,
}
local CLAUDE_ADAPTIVE = {
  thinking = 'adaptive', effort = LOW_TO_MAX, max_output = K128, default_output = K32,
  no_sampling = true, no_prefill = true, mid_system = true, output_format = true,
}
local CLAUDE_47 = {
  thinking = 'adaptive', effort = LOW_TO_MAX, max_output = K128, default_output = K32,
  no_sampling = true, no_prefill = true, output_format = true,
}
local CLAUDE_46 = {
  thinking = 'both', effort = { 'low', 'medium', 'high', 'max' }, max_output = K128,
  default_output = K32, one_sampler = true, no_prefill = true, output_format = true,
}
local OPUS_45 = {
  thinking = 'budget', effort = LOW_TO_HIGH, max_output = K64, default_output = K32,
  one_sampler = true, output_format = true,
}
local CLAUDE_45 = {
  thinking = 'budget', max_output = K64, default_output = K32, one_sampler = true,
  output_format = true,
}

-- OpenAI's reasoning models. Effort 'off' is written as 'none'.
local function reasoning(effort, marks)
  return {
    effort = effort, max_output = K128, max_completion_tokens = true, no_sampling = true,
    no_stop = true, developer = true, custom_tools = true, cache_breakpoints = marks,
  }
end

local function plain(max_output)
  return { thinking = 'none', max_output = max_output, max_completion_tokens = true }
end

-- Gemini by generation: those that think by a budget in tokens, those that think by levels.
local function by_budget(least, most, always)
  return {
    thinking = 'budget', budget_min = least, budget_max = most, thinking_always = always,
    max_output = 65536, json_schema = true,
  }
end

local function by_level(levels)
  return {
    thinking = 'level', effort = levels, max_output = 65536, json_schema = true,
    result_parts = true, mixed_tools = true, signatures = true, format_with_tools = true,
    file_urls = true,
  }
end

local MINIMAL_TO_HIGH = { 'minimal', 'low', 'medium', 'high' }

-- Each entry: protocol, globs, knowledge.
local ENTRIES = {
  { 'anthropic', { '*opus-5-5*', '*opus-5.5*', '*fable*', '*mythos*' }, CLAUDE_ALWAYS },
  { 'anthropic', { '*sonnet-5-5*', '*sonnet-5.5*' }, CLAUDE_BETWEEN },
  { 'anthropic', { '*opus-5*', '*sonnet-5*', '*haiku-5*', '*opus-4-8*', '*opus-4.8*' },
    CLAUDE_ADAPTIVE },
  { 'anthropic', { '*claude*-4-7*', '*claude*-4.7*', '*claude*-4-8*', '*claude*-4.8*',
    '*claude*-4-9*', '*claude*-4.9*' }, CLAUDE_47 },
  { 'anthropic', { '*claude*-4-6*', '*claude*-4.6*' }, CLAUDE_46 },
  { 'anthropic', { '*opus-4-5*', '*opus-4.5*' }, OPUS_45 },
  { 'anthropic', { '*claude*-4-5*', '*claude*-4.5*' }, CLAUDE_45 },
  { 'anthropic', { '*opus-4-1*', '*opus-4.1*' },
    { thinking = 'budget', max_output = K32, default_output = K32, one_sampler = true } },
  { 'anthropic', { '*opus-4*' },
    { thinking = 'budget', max_output = K32, default_output = K32 } },
  { 'anthropic', { '*sonnet-4*', '*haiku-4*', '*claude-3-7*', '*claude-3.7*' },
    { thinking = 'budget', max_output = K64, default_output = K32 } },
  { 'anthropic', { '*claude-3-5*', '*claude-3.5*' },
    { thinking = 'none', max_output = 8192, default_output = 8192 } },
  { 'anthropic', { '*claude-3*', '*claude-2*', '*claude-instant*' },
    { thinking = 'none', max_output = 4096, default_output = 4096 } },
  { 'anthropic', { '*claude*' }, CLAUDE_ADAPTIVE },

  { 'openai_chat', { '*gpt-oss*' }, { effort = LOW_TO_HIGH } },
  { 'openai_chat', { '*gpt-4o*-search*', '*gpt-5-search*' },
    { max_output = 16384, max_completion_tokens = true, no_sampling = true, searches = true } },
  { 'openai_chat', { '*gpt-5*-chat*' }, plain(16384) },
  { 'openai_chat', { '*gpt-5-pro*' }, reasoning({ 'high' }) },
  { 'openai_chat', { '*gpt-5*-pro*' }, reasoning({ 'medium', 'high', 'xhigh' }) },
  { 'openai_chat', { '*gpt-5.1-codex-max*' },
    reasoning({ 'off', 'low', 'medium', 'high', 'xhigh' }) },
  { 'openai_chat', { '*gpt-5.1*' }, reasoning({ 'off', 'low', 'medium', 'high' }) },
  { 'openai_chat', { '*gpt-5.2*', '*gpt-5.3*', '*gpt-5.4*', '*gpt-5.5*' },
    reasoning({ 'off', 'low', 'medium', 'high', 'xhigh' }) },
  { 'openai_chat', { '*gpt-5.*', '*gpt-6*' },
    reasoning({ 'off', 'low', 'medium', 'high', 'xhigh', 'max' }, true) },
  { 'openai_chat', { '*gpt-5*' }, reasoning({ 'minimal', 'low', 'medium', 'high' }) },
  { 'openai_chat', { 'o1-mini*', 'o1-preview*' },
    { max_completion_tokens = true, no_sampling = true } },
  { 'openai_chat', { 'o1*', '*/o1*' },
    { effort = LOW_TO_HIGH, max_output = 100000, max_completion_tokens = true,
      no_sampling = true, developer = true } },
  { 'openai_chat', { 'o3*', '*/o3*', 'o4*', '*/o4*' },
    { effort = LOW_TO_HIGH, max_output = 100000, max_completion_tokens = true,
      no_sampling = true, no_stop = true, developer = true } },
  { 'openai_chat', { '*gpt-4.1*' }, plain(32768) },
  { 'openai_chat', { '*gpt-4o*' }, plain(16384) },
  { 'openai_chat', { '*gpt-4-turbo*', '*gpt-3.5*' }, plain(4096) },
  { 'openai_chat', { '*gpt-4*' }, plain(8192) },
  { 'openai_chat', { '*deepseek-reasoner*', '*deepseek-v3.2*', '*deepseek-v4*',
    '*kimi-k2-thinking*', '*kimi-k2.5*' }, { reasoning_content = true } },
  { 'openai_chat', { '*grok-3-mini*' }, { effort = { 'low', 'high' } } },
  { 'openai_chat', { '*gemini-2.5-flash*' },
    { effort = { 'off', 'minimal', 'low', 'medium', 'high' } } },
  { 'openai_chat', { '*gemini-2.5*', '*gemini-3*' },
    { effort = { 'minimal', 'low', 'medium', 'high' } } },
  { 'openai_chat', { 'anthropic/claude*' }, { effort = LOW_TO_HIGH } },

  -- Ollama refuses `think` for a model that does not, and levels mean something to few.
  { 'ollama', { '*gpt-oss*' }, { thinking = 'always', effort = LOW_TO_HIGH } },
  { 'ollama', { '*qwen3-coder*', '*qwen3*instruct*', '*qwen3-embedding*' }, { thinking = 'none' } },
  { 'ollama', { '*thinking*', '*qwen3*', '*qwq*', '*deepseek-r1*', '*deepseek-v3.1*',
    '*deepseek-v3.2*', '*magistral*', '*glm-4*', '*kimi-k2.5*', '*minimax-m2*',
    '*nemotron-3*' }, { thinking = 'switch' } },

  { 'openai_responses', { '*gpt-oss*' }, { effort = LOW_TO_HIGH, reasoning_content = true } },
  { 'openai_responses', { '*gpt-5*-chat*' }, plain(16384) },
  { 'openai_responses', { '*gpt-5-pro*' }, reasoning({ 'high' }) },
  { 'openai_responses', { '*gpt-5*-pro*' }, reasoning({ 'medium', 'high', 'xhigh' }) },
  { 'openai_responses', { '*gpt-5.1-codex-max*' },
    reasoning({ 'off', 'low', 'medium', 'high', 'xhigh' }) },
  { 'openai_responses', { '*gpt-5.1*' }, reasoning({ 'off', 'low', 'medium', 'high' }) },
  { 'openai_responses', { '*gpt-5.2*', '*gpt-5.3*', '*gpt-5.4*', '*gpt-5.5*' },
    reasoning({ 'off', 'low', 'medium', 'high', 'xhigh' }) },
  { 'openai_responses', { '*gpt-5.*', '*gpt-6*' },
    reasoning({ 'off', 'low', 'medium', 'high', 'xhigh', 'max' }, true) },
  { 'openai_responses', { '*gpt-5*' }, reasoning({ 'minimal', 'low', 'medium', 'high' }) },
  { 'openai_responses', { 'o1*', '*/o1*', 'o3*', '*/o3*', 'o4*', '*/o4*' },
    { effort = LOW_TO_HIGH, max_output = 100000, no_sampling = true } },
  { 'openai_responses', { '*gpt-4.1*' }, plain(32768) },
  { 'openai_responses', { '*gpt-4o*' }, plain(16384) },
  { 'openai_responses', { '*gpt-4-turbo*', '*gpt-3.5*' }, plain(4096) },
  { 'openai_responses', { '*gpt-4*' }, plain(8192) },
  { 'openai_responses', { '*deepseek*' }, { reasoning_content = true } },
  { 'openai_responses', { '*grok-3-mini*' }, { effort = { 'low', 'high' } } },

  { 'gemini', { '*gemini-1*' }, { thinking = 'none', max_output = 8192, file_urls = false } },
  { 'gemini', { '*gemini-2.0*', '*gemma*', '*learnlm*' }, { thinking = 'none' } },
  { 'gemini', { '*-tts*', '*-image*', '*-audio*' }, { thinking = 'none' } },
  { 'gemini', { '*gemini-2.5-flash-lite*' }, by_budget(512, 24576) },
  { 'gemini', { '*gemini-2.5-pro*' }, by_budget(128, 32768, true) },
  { 'gemini', { '*gemini-2.5*' }, by_budget(1, 24576) },
  { 'gemini', { '*gemini-3-pro*' }, by_level({ 'low', 'high' }) },
  { 'gemini', { '*gemini*pro*' }, by_level(LOW_TO_HIGH) },
  { 'gemini', { '*gemini*' }, by_level(MINIMAL_TO_HIGH) },
}

local NOTHING = {}
local CACHE_MAX = 512

--- Makes a Lua pattern of a glob.
local function pattern_of(glob)
  return '^' .. glob:gsub('[%^%$%(%)%%%.%[%]%+%-%?]', '%%%0'):gsub('%*', '.*') .. '$'
end

for _, entry in ipairs(ENTRIES) do
  for i, glob in ipairs(entry[2]) do
    entry[2][i] = pattern_of(glob)
  end
end

local function find(model, protocol)
  local name = model:lower()
  for _, entry in ipairs(ENTRIES) do
    if entry[1] == protocol then
      for _, pattern in ipairs(entry[2]) do
        if name:find(pattern) then
          return entry[3]
        end
      end
    end
  end
  return NOTHING
end

local cache, cached = {}, 0

--- Tells what is known of a model. The table is shared: do not change it.
---
--- @param model string The upstream's name of it.
--- @param protocol string The protocol that it is spoken to in.
--- @param provider? string The provider's id; without it nothing is known that is said of one.
--- @return px.Knowledge
function M.lookup(model, protocol, provider)
  local key = protocol .. ' ' .. (provider or '') .. ' ' .. model
  local known = cache[key]
  if not known then
    if cached == CACHE_MAX then
      cache, cached = {}, 0
    end
    known = find(model, protocol)
    if told.count > 0 then
      known = told.over(known, { model = model, protocol = protocol, provider = provider })
    end
    cache[key], cached = known, cached + 1
  end
  return known
end

return M
