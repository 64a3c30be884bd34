--- A long text in its making, which came in many pieces.
---
--- Each collection of garbage visits every string that lives, so the text of a stream must not be
--- held as thousands of them: they are joined as they gather.

local M = {}

local concat = table.concat

-- So many loose pieces become one.
local GATHER = 64

--- Adds a piece. The whole text is table.concat(pieces) at any time.
---
--- @param pieces string[] At first {}.
--- @param text string
function M.add(pieces, text)
  local size, loose = #pieces + 1, (pieces.loose or 0) + 1
  pieces[size] = text
  if loose < GATHER then
    pieces.loose = loose
    return
  end
  local first = size - GATHER + 1
  pieces[first] = concat(pieces, '', first)
  for i = size, first + 1, -1 do
    pieces[i] = nil
  end
  pieces.loose = 0
end

return M
