--- How likely each token of an answer was: asked for, read and written.
---
--- The neutral form is a list of { token, logprob, bytes, top }: `bytes` are the token's own where
--- an upstream tells them, `top` is a list of { token, logprob, bytes }. It stands in the event of
--- the text that the tokens make. An answer is read for them only if its request asked.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

local MOST = 20
-- What a decoder writes for bytes that are no whole character.
local BROKEN = '\239\191\189'

--- Reads how many alternatives a request wants of each token.
---
--- @param value any
--- @param path string
--- @return integer? count
function M.count(value, path)
  local count = json.tonumber(read.number(value, path))
  if count and (count < 0 or count > MOST or count % 1 ~= 0) then
    read.bad(('%s must be a whole number from 0 to %d'):format(path, MOST), path)
  end
  return count
end

--- Reads the pair of members by which Chat and Ollama ask.
---
--- @param body table
--- @return integer? count nil when none are asked for.
function M.read(body)
  local count = M.count(body.top_logprobs, 'top_logprobs')
  local wish = read.opt(body.logprobs)
  if wish ~= nil and type(wish) ~= 'boolean' then
    read.bad('logprobs must be true or false', 'logprobs')
  elseif not wish and count and count > 0 then
    read.bad('top_logprobs: logprobs must be true', 'top_logprobs')
  end
  return wish and (count or 0) or nil
end

--- Writes the same pair.
---
--- @param body table
--- @param request px.Request
--- @param ctx px.Context Gets `logprobs`.
function M.write(body, request, ctx)
  local count = request.logprobs
  if count then
    body.logprobs = true
    body.top_logprobs = count > 0 and count or nil
    ctx.logprobs = true
  end
end

-- Reading answers ---------------------------------------------------------------------------------

-- One token; `name` is the member of its likelihood.
local function entry(item, name)
  local token = type(item) == 'table' and read.maybe_text(item.token)
  local likely = token and item[name]
  if not token or not json.is_number(likely) then
    return nil
  end
  local bytes = read.maybe_table(item.bytes)
  return { token = token, logprob = likely, bytes = read.is_list(bytes) and bytes or nil }
end

local function entries(list, name)
  local out = {}
  for _, item in ipairs(read.maybe_table(list)) do
    out[#out + 1] = entry(item, name)
  end
  return out
end

--- Reads the form of OpenAI and Ollama.
---
--- @param list any
--- @return px.Logprob[]
function M.of_openai(list)
  local out = {}
  for _, item in ipairs(read.maybe_table(list)) do
    local one = entry(item, 'logprob')
    if one then
      one.top = entries(item.top_logprobs, 'logprob')
      out[#out + 1] = one
    end
  end
  return out
end

--- Reads Gemini's form.
---
--- @param result table
--- @return px.Logprob[]
function M.of_gemini(result)
  local out, tops = {}, read.maybe_table(result.topCandidates)
  for i, item in ipairs(read.maybe_table(result.chosenCandidates)) do
    local one = entry(item, 'logProbability')
    if one then
      one.top = entries(read.maybe_table(tops[i]).candidates, 'logProbability')
      out[#out + 1] = one
    end
  end
  return out
end

local function append(to, list)
  for _, one in ipairs(list) do
    to[#to + 1] = one
  end
  return to
end

--- Puts tokens where the text is that they make: into the last text of `events`.
---
--- @param events px.Event[] What the same piece of the answer said.
--- @param list px.Logprob[]
--- @param held? px.Logprob[] Tokens that came before any text.
--- @return px.Logprob[]? held Tokens that still wait for a text.
function M.attach(events, list, held)
  list = held and append(held, list) or list
  if not list[1] then
    return nil
  end
  for i = #events, 1, -1 do
    local event = events[i]
    if event.kind == 'text' then
      event.logprobs = event.logprobs and append(event.logprobs, list) or list
      return nil
    end
  end
  return list
end

-- Writing answers ---------------------------------------------------------------------------------

local function bytes_of(one, unknown)
  if one.bytes then
    return json.array(one.bytes)
  elseif one.token:find(BROKEN, 1, true) then
    return unknown
  end
  return json.array({ one.token:byte(1, -1) })
end

--- Writes the form of OpenAI and Ollama.
---
--- @param list? px.Logprob[]
--- @param unknown any What stands for bytes that nobody knows.
--- @return table
function M.openai(list, unknown)
  local out = json.array({})
  for i, one in ipairs(list or {}) do
    local top = json.array({})
    for j, other in ipairs(one.top) do
      top[j] = { token = other.token, logprob = other.logprob, bytes = bytes_of(other, unknown) }
    end
    out[i] = { token = one.token, logprob = one.logprob, bytes = bytes_of(one, unknown),
      top_logprobs = top }
  end
  return out
end

local function candidate(one)
  return json.object({ token = one.token, logProbability = one.logprob })
end

--- Writes Gemini's form.
---
--- @param list px.Logprob[]
--- @return table
function M.gemini(list)
  local chosen, tops, any = json.array({}), json.array({}), false
  for i, one in ipairs(list) do
    local others = json.array({})
    for j, other in ipairs(one.top) do
      others[j], any = candidate(other), true
    end
    chosen[i], tops[i] = candidate(one), json.object({ candidates = others })
  end
  return json.object({ chosenCandidates = chosen, topCandidates = any and tops or nil })
end

--- How many characters a text has.
---
--- @param text string
--- @return integer
function M.characters(text)
  local _, count = text:gsub('[^\128-\191]', '')
  return count
end

--- Writes the form of OpenAI's legacy completions.
---
--- @param list px.Logprob[]
--- @param at integer Where the text of these tokens begins, in characters of the whole answer.
--- @return table
function M.legacy(list, at)
  local tokens, likely, tops, places = json.array(), json.array(), json.array(), json.array()
  local any = false
  for i, one in ipairs(list) do
    local top = json.object()
    for _, other in ipairs(one.top) do
      top[other.token], any = other.logprob, true
    end
    tokens[i], likely[i], tops[i], places[i] = one.token, one.logprob, top, at
    at = at + M.characters(one.token)
  end
  return {
    tokens = tokens, token_logprobs = likely, top_logprobs = any and tops or json.null,
    text_offset = places,
  }
end

--- The tokens of all texts of a reply.
---
--- @param blocks px.Block[]
--- @return px.Logprob[]? list
function M.folded(blocks)
  local out
  for _, block in ipairs(blocks) do
    if block.logprobs then
      out = append(out or {}, block.logprobs)
    end
  end
  return out
end

return M
