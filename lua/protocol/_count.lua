--- Counting tokens as Anthropic and OpenAI do: what of a request is asked, and the answer.

local read = require('protocol._read')

--- @param kept string[] Members of a request that have a part in its count.
--- @return table module A protocol's count.lua.
return function(kept)
  local M = {}

  --- Makes the question of a request that request.write made.
  ---
  --- @param body table
  --- @return table
  function M.write(body)
    local out = {}
    for _, name in ipairs(kept) do
      out[name] = body[name]
    end
    return out
  end

  --- @param body table
  --- @return integer? tokens
  function M.read(body)
    return read.maybe_number(body.input_tokens)
  end

  return M
end
