--- What refusals mean for the pool, the same for every vendor that answers in the usual way.

local M = {}

-- How long, in seconds, to leave an account alone when the upstream did not say.
local COOL = { auth = 3600, forbidden = 3600, quota = 3600, rate_limit = 30, overloaded = 10 }

local VERDICT = {
  auth = 'next_account',
  connect = 'retry',
  cut = 'retry',
  empty = 'retry',
  forbidden = 'next_account',
  internal = 'retry',
  not_found = 'next_target',
  overloaded = 'next_account',
  quota = 'next_account',
  rate_limit = 'next_account',
  timeout = 'retry',
}

--- Judges a refusal. What is the client's own fault moves nothing.
---
--- @param reply px.Failure
--- @return 'retry'|'next_account'|'next_target'|'give_up' verdict
--- @return { cool: number? }? cooldown
function M.judge(reply)
  local verdict = VERDICT[reply.code] or 'give_up'
  if verdict == 'next_account' then
    return verdict, { cool = reply.retry_after or COOL[reply.code] }
  end
  return verdict
end

return M
