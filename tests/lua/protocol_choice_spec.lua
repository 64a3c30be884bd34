--- The choice among tools where an upstream is not offered all of them.

local kit = require('corpus_kit')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local NAMES = { A = 'anthropic', C = 'openai_chat', G = 'gemini', O = 'ollama',
  R = 'openai_responses' }
local F, G = '{"type":"function","name":"f"}', '{"type":"function","name":"g"}'
local FILES, SEARCH = '{"type":"file_search"}', '{"type":"web_search_preview"}'

local function subset(mode, tools)
  return '{"type":"allowed_tools","mode":"' .. mode .. '","tools":[' .. tools .. ']}'
end

-- Where a protocol writes its choice.
local PLACE = { A = 'tool_choice', C = 'tool_choice', G = 'toolConfig.functionCallingConfig',
  O = 'tool_choice', R = 'tool_choice' }

--- How many tools are sent.
local function count(to, body)
  local tools = body.tools or {}
  if to == 'G' then
    tools = tools[1] and tools[1].functionDeclarations or tools
  end
  return #tools
end

--- Checks a Responses request at each upstream: its choice, number of tools and losses there.
local function check(tools, choice, more, cases)
  for to, case in pairs(cases) do
    local body, lost = kit.convert('openai_responses', NAMES[to],
      ('{"model":"m","input":"Hi","tools":[%s],"tool_choice":%s%s}'):format(tools, choice, more))
    eq(to .. ' ' .. case[1], to .. ' ' .. kit.at(body, PLACE[to]))
    eq(to .. ' ' .. case[2], to .. ' ' .. count(to, body))
    eq(to .. ' ' .. case[3], to .. ' ' .. lost)
  end
end

describe('a choice among tools', function()
  it('keeps of a set the tools that are offered', function()
    local lost = 'tools.file_search'
    check(FILES .. ',' .. F .. ',' .. G, subset('required', FILES .. ',' .. F), '', {
      A = { '{"type":"any"}', 1, lost },
      C = { '{"allowed_tools":{"mode":"required","tools":[{"function":{"name":"f"},"type":'
        .. '"function"}]},"type":"allowed_tools"}', 2, lost },
      G = { '{"allowedFunctionNames":["f"],"mode":"ANY"}', 2, lost },
      O = { 'absent', 1, 'tool_choice ' .. lost },
    })
  end)

  for _, mode in ipairs({ 'auto', 'required' }) do
    it('is lost where it is a set of none, and all tools stay: ' .. mode, function()
      local case = { 'absent', 2, 'tool_choice' }
      check(F .. ',' .. G, subset(mode, '{"type":"function","name":"gone"}'), '',
        { A = case, C = case, G = case, O = case, R = case })
    end)
  end

  it('is lost where some tool must be called and none is left', function()
    local case = { 'absent', 0, 'tool_choice tools.file_search' }
    check(FILES, '"required"', '',
      { A = case, C = case, G = case, O = case, R = { '"required"', 1, '' } })
    local _, lost = kit.convert('anthropic', 'openai_responses', '{"model":"m","max_tokens":99,'
      .. '"messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"bash_20250124","name":'
      .. '"bash"}],"tool_choice":{"type":"any"}}')
    eq('tool_choice tools.bash_20250124', lost)
  end)

  it('leaves the wish for one call at a time when it is lost itself', function()
    check(FILES .. ',' .. F, FILES, ',"parallel_tool_calls":false', {
      A = { '{"disable_parallel_tool_use":true,"type":"auto"}', 1,
        'tool_choice tools.file_search' },
    })
  end)

  it('names a search as the upstream does', function()
    check(SEARCH .. ',' .. F, SEARCH, '', {
      A = { '{"name":"web_search","type":"tool"}', 2, '' },
      C = { 'absent', 1, 'tool_choice tools.web_search_preview' },
    })
  end)
end)

t.finish()
