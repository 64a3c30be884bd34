--- Says how an Anthropic model shall think, in the dialect that it speaks.

local effort = require('protocol._effort')

local M = {}

local BUDGET_MIN = 1024
local DEFAULT_OUTPUT = 8192

--- Tells whether a tool loop is open whose last step has no thinking in front: Anthropic refuses
--- that while thinking is enabled by budget.
local function loop_without_thinking(messages)
  local last = messages[#messages]
  local first = last.role == 'user' and last.content[1]
  if not first or first.type ~= 'tool_result' then
    return false
  end
  local before = messages[#messages - 1]
  local start = before and before.role == 'assistant' and before.content[1].type
  return start ~= 'thinking' and start ~= 'redacted_thinking'
end

local function set_effort(body, wish, knowledge, lost)
  if not knowledge.effort then
    return
  end
  local given = effort.clamp(wish == 'auto' and 'high' or wish, knowledge.effort)
  if given ~= wish and wish ~= 'auto' then
    lost('params.reasoning')
  end
  if wish ~= 'auto' then
    body.output_config = body.output_config or {}
    body.output_config.effort = given
  end
end

--- Thinking by a budget, which must leave room for an answer under max_tokens.
local function set_budget(body, request, wish, knowledge, lost)
  local asked = request.reasoning.budget
  asked = asked and asked > 0 and asked or nil
  local budget = asked or effort.budget(wish)
  if body.messages and loop_without_thinking(body.messages) then
    lost('params.reasoning')
    return
  end
  budget = math.max(budget, BUDGET_MIN)
  if not request.max_tokens then
    local most = budget + (knowledge.default_output or DEFAULT_OUTPUT)
    body.max_tokens = math.min(most, knowledge.max_output or most)
  end
  budget = math.min(budget, body.max_tokens - 1)
  -- An effort means what fits under the client's cap, a budget means itself.
  if budget < BUDGET_MIN or (asked and budget ~= asked) then
    lost('params.reasoning')
  end
  if budget < BUDGET_MIN then
    return
  end
  body.thinking = { type = 'enabled', budget_tokens = budget }
end

local function set_adaptive(body, request, wish, knowledge, lost)
  body.thinking = {
    type = 'adaptive',
    display = request.reasoning.visible and 'summarized' or nil,
  }
  set_effort(body, wish, knowledge, lost)
end

local function set_off(body, knowledge, lost)
  if knowledge.thinking == 'always' then
    lost('params.reasoning')
    if knowledge.effort then
      body.output_config = { effort = knowledge.effort[1] }
    end
  elseif knowledge.thinking and knowledge.thinking ~= 'none' then
    body.thinking = { type = knowledge.thinking_off or 'disabled' }
  end
end

--- Sets `thinking`, `output_config.effort` and, where it is ours to choose, `max_tokens`.
---
--- @param body table With `messages`, unless they do not matter.
--- @param request px.Request
--- @param knowledge px.Knowledge
--- @param lost fun(path: string)
function M.set(body, request, knowledge, lost)
  body.max_tokens = request.max_tokens or knowledge.default_output or DEFAULT_OUTPUT
  if knowledge.max_output and body.max_tokens > knowledge.max_output then
    if request.max_tokens then
      lost('params.max_tokens')
    end
    body.max_tokens = knowledge.max_output
  end
  local wish = request.reasoning and effort.wish(request.reasoning)
  local dialect = knowledge.thinking
  if not wish then
    return
  elseif wish == 'off' then
    set_off(body, knowledge, lost)
  elseif dialect == 'none' then
    lost('params.reasoning')
  elseif dialect == 'always' then
    set_effort(body, wish, knowledge, lost)
  elseif dialect == 'adaptive' or (dialect == 'both' and not request.reasoning.budget) then
    set_adaptive(body, request, wish, knowledge, lost)
  else
    set_budget(body, request, wish, knowledge, lost)
  end
end

return M
