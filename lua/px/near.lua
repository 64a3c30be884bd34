--- What somebody may have meant who wrote a name that is not known.

local M = {}

--- How many characters to put in, take out or exchange to make one text of another.
---
--- @param a string
--- @param b string
--- @return integer
function M.distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local corner = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and corner or corner + 1
      corner = row[j]
      row[j] = math.min(cost, row[j] + 1, row[j - 1] + 1)
    end
  end
  return row[#b]
end

--- The words that suggest the nearest of some names, or ones that list them all when none is near.
---
--- @param name any What was written.
--- @param names string[] Sorted.
--- @return string
function M.suggest(name, names)
  local text = tostring(name):sub(1, 100)
  local best, least
  for _, known in ipairs(names) do
    local far = M.distance(text:lower(), known:lower())
    if not least or far < least then
      best, least = known, far
    end
  end
  if best and least <= math.max(2, math.floor(#best / 3)) then
    return ('did you mean %q?'):format(best)
  end
  return 'known are: ' .. table.concat(names, ', ')
end

return M
