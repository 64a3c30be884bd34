--- How hard to think: efforts, budgets in tokens, and one made from the other.

local M = {}

local ORDER = { off = 0, minimal = 1, low = 2, medium = 3, high = 4, xhigh = 5, max = 6 }
local BUDGET = {
  minimal = 1024, low = 2048, medium = 8192, high = 24576, xhigh = 32768, max = 65536,
  auto = 8192,
}

--- @param effort string
--- @return integer? tokens
function M.budget(effort)
  return BUDGET[effort]
end

--- @param budget integer
--- @return string effort
function M.of_budget(budget)
  if budget == -1 then
    return 'auto'
  elseif budget <= 0 then
    return 'off'
  elseif budget <= 512 then
    return 'minimal'
  elseif budget <= 1024 then
    return 'low'
  elseif budget <= 8192 then
    return 'medium'
  elseif budget <= 24576 then
    return 'high'
  end
  return 'xhigh'
end

--- Tells whether a word is an effort of the neutral model.
function M.known(effort)
  return ORDER[effort] ~= nil or effort == 'auto'
end

--- What a rule wishes for, an effort or a budget, as a request has it.
---
--- @param wish string|number
--- @return px.Reasoning
function M.reasoning(wish)
  if type(wish) ~= 'number' then
    return { effort = wish }
  end
  return { effort = M.of_budget(wish), budget = wish > 0 and wish or nil }
end

--- The effort that says all of a request's wish, for targets without budgets.
---
--- @param reasoning px.Reasoning
--- @return string? effort
function M.wish(reasoning)
  return reasoning.effort or (reasoning.budget and M.of_budget(reasoning.budget)) or nil
end

--- The accepted effort that is nearest: the same, else the next weaker, else the weakest.
---
--- @param effort string
--- @param accepted string[] Weakest first, neutral names ('off', not 'none').
--- @return string
function M.clamp(effort, accepted)
  local best
  for _, candidate in ipairs(accepted) do
    if candidate == effort then
      return effort
    end
    if (ORDER[candidate] or 0) <= (ORDER[effort] or 0) and candidate ~= 'off' then
      best = candidate
    end
  end
  if best then
    return best
  end
  return accepted[1] == 'off' and effort ~= 'off' and accepted[2] or accepted[1]
end

return M
