--- Guesses how many tokens a request has, for where nobody counted.

local json = require('px.json')

local M = {}

-- What a token is worth on average: of English prose, and of JSON with its many signs.
local LETTERS_PER_TOKEN, SIGNS_PER_TOKEN = 4.4, 3.5
-- Letters of two bytes (Greek, Cyrillic, …) make shorter tokens, those of three (Chinese, …) about
-- one each, those of four (emoji) two.
local OF_TWO, OF_THREE, OF_FOUR = 0.5, 1, 2
-- Of an answer, whatever it is made of: it is counted while it passes.
local BYTES_PER_TOKEN = 4
local PER_MEDIUM = 1000
local PER_TURN = 4

local function count(text, pattern)
  return select(2, text:gsub(pattern, ''))
end

local SAMPLE = 2048

local weigh
function weigh(text, per_token)
  if #text > 4 * SAMPLE then  -- Looking at every letter would take longer than it is worth.
    local middle = math.floor(#text / 2)
    local sample = text:sub(1, SAMPLE) .. text:sub(middle, middle + SAMPLE - 1)
    return weigh(sample, per_token) * #text / #sample
  elseif not text:find('[\128-\255]') then
    return #text / per_token
  end
  local two, three, four = count(text, '[\192-\223]'), count(text, '[\224-\239]'),
    count(text, '[\240-\247]')
  local ascii = #text - 2 * two - 3 * three - 4 * four
  return math.max(ascii, 0) / per_token + two * OF_TWO + three * OF_THREE + four * OF_FOUR
end

local of_blocks
function of_blocks(blocks)
  local tokens = 0
  for _, block in ipairs(blocks or {}) do
    if block.text then
      tokens = tokens + weigh(block.text, LETTERS_PER_TOKEN)
    end
    if block.args then
      tokens = tokens + weigh((block.name or '') .. block.args, SIGNS_PER_TOKEN)
    end
    if block.data or block.url or block.file then
      tokens = tokens + PER_MEDIUM
    end
    if block.blocks then
      tokens = tokens + of_blocks(block.blocks)
    end
  end
  return tokens
end

--- @param text string
--- @return integer
function M.text(text)
  return math.ceil(weigh(text, LETTERS_PER_TOKEN))
end

--- The usage of an answer whose upstream told none.
---
--- @param input integer Tokens of the request.
--- @param bytes integer Of what was said.
--- @return px.Event
function M.used(input, bytes)
  return {
    kind = 'usage', input = input, cache_read = 0, cache_write = 0,
    output = math.ceil(bytes / BYTES_PER_TOKEN), reasoning = 0, estimated = true,
  }
end

--- @param request px.Request
--- @return integer
function M.request(request)
  local tokens = of_blocks(request.system)
  for _, turn in ipairs(request.turns) do
    tokens = tokens + PER_TURN + of_blocks(turn.blocks)
  end
  for _, tool in ipairs(request.tools or {}) do
    local schema = tool.schema or tool.hosted
    tokens = tokens + M.text(tool.name) + M.text(tool.description or '')
      + (schema and weigh(json.encode(schema), SIGNS_PER_TOKEN) or 0)
  end
  return math.ceil(tokens)
end

return M
