--- Finish reasons of Gemini. Tool calls end with STOP as all else does.

local M = {}

local READ = {
  STOP = 'stop', MAX_TOKENS = 'length',
  SAFETY = 'filter', RECITATION = 'filter', BLOCKLIST = 'filter', PROHIBITED_CONTENT = 'filter',
  SPII = 'filter', LANGUAGE = 'filter', IMAGE_SAFETY = 'filter',
  IMAGE_PROHIBITED_CONTENT = 'filter', IMAGE_RECITATION = 'filter',
  MALFORMED_FUNCTION_CALL = 'error', UNEXPECTED_TOOL_CALL = 'error',
  TOO_MANY_TOOL_CALLS = 'error', MALFORMED_RESPONSE = 'error',
}
-- Words that are a failure when nothing came before them.
local VAGUE = { OTHER = true, NO_IMAGE = true, IMAGE_OTHER = true }
local WRITE = { length = 'MAX_TOKENS', filter = 'SAFETY', error = 'OTHER' }

--- @param word? string
--- @param called boolean A tool call was seen.
--- @param said boolean Anything at all was seen.
--- @return string
function M.read(word, called, said)
  local reason = READ[word] or 'stop'
  if VAGUE[word] and not said then
    return 'error'
  elseif reason == 'stop' and called then
    return 'tool'
  end
  return reason
end

--- @param reason? string
--- @return string
function M.write(reason)
  return WRITE[reason] or 'STOP'
end

return M
