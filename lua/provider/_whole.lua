--- Whole numbers that a vendor tells of a model: tokens, seconds.

local MOST = 2 ^ 33

--- The first of some values that is a whole number above zero.
---
--- @param ... any
--- @return integer?
return function(...)
  for i = 1, select('#', ...) do
    local value = select(i, ...)
    if type(value) == 'number' and value >= 1 and value < MOST and value % 1 == 0 then
      return value
    end
  end
end
