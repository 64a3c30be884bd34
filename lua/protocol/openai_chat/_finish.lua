--- Finish reasons of Chat Completions.

local M = {}

local READ = {
  stop = 'stop', length = 'length', tool_calls = 'tool', function_call = 'tool',
  content_filter = 'filter', end_turn = 'stop', eos = 'stop', max_tokens = 'length',
  error = 'error',
}
local WRITE = {
  stop = 'stop', stop_seq = 'stop', length = 'length', tool = 'tool_calls',
  filter = 'content_filter', pause = 'stop', error = 'stop',
}

--- @param word? string
--- @param called boolean A tool call was seen: that decides where the finish is a natural one.
--- @return string
function M.read(word, called)
  local reason = READ[word] or 'stop'
  if called and reason == 'stop' then
    return 'tool'
  elseif not called and reason == 'tool' then
    return 'stop'
  end
  return reason
end

--- @param reason string
--- @return string
function M.write(reason)
  return WRITE[reason] or 'stop'
end

return M
