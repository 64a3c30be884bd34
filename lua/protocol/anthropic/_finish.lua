--- Stop reasons of Anthropic Messages.

local M = {}

local READ = {
  end_turn = 'stop', max_tokens = 'length', model_context_window_exceeded = 'length',
  stop_sequence = 'stop_seq', tool_use = 'tool', pause_turn = 'pause', refusal = 'filter',
}
local WRITE = {
  stop = 'end_turn', stop_seq = 'stop_sequence', length = 'max_tokens', tool = 'tool_use',
  filter = 'refusal', pause = 'pause_turn', error = 'end_turn',
}

--- @param word? string
--- @param called boolean A tool call of the client's was seen.
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

--- @param reason? string
--- @return string
function M.write(reason)
  return WRITE[reason] or 'end_turn'
end

return M
