--- Checks the sizes of files and of C functions. Run: luajit tests/lint/sizes.lua
---
--- A file aims for 300 lines and stops at 500, a function of the program at 60. What is a little
--- over that is reported; what is far over it fails.

local FILE = { stop = 500, fail = 600 }
local FUNCTION = { stop = 60, fail = 80 }

local bad = 0

local function judge(place, what, lines, limit)
  if lines <= limit.stop then
    return
  end
  local far = lines > limit.fail
  bad = bad + (far and 1 or 0)
  print(('%s: %s has %d lines, %s'):format(place, what, lines, far
    and ('%d is the end'):format(limit.fail) or ('aim for at most %d'):format(limit.stop)))
end

local function check(file)
  local number, start = 0, nil
  for line in io.lines(file) do
    number = number + 1
    if file:find('^src/.*%.c$') and line == '{' then
      start = number
    elseif start and line:find('^}') then
      judge(('%s:%d'):format(file, start), 'a function', number - start - 1, FUNCTION)
      start = nil
    end
  end
  judge(file, 'it', number, FILE)
end

local FIND = [[find src include lua cmake tests tools -name node_modules -prune
  -o -name .venv -prune
  -o -type f '(' -name '*.[ch]' -o -name '*.lua' -o -name '*.mjs' -o -name '*.py'
  -o -name '*.cmake' -o -name run -o -name install ')' -print]]

for file in io.popen((FIND:gsub('\n', ' '))):lines() do
  check(file)
end
os.exit(bad == 0 and 0 or 1)
