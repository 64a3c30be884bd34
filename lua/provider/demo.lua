--- A model that lives inside the gateway: it echoes, thinks, calls tools and counts tokens.
---
--- It answers what a person tries first, so that clients and rules can be tried without an account.
--- The same request gets the same answer.

local json = require('px.json')
local estimate = require('protocol._estimate')
local ids = require('protocol._ids')
local sample = require('provider._sample')

local PACE = 20
local BYTES_PER_TOKEN = 4
local QUOTE_MAX = 2000

--- @type px.Provider
local M = {
  name = 'demo',
  label = 'Demo',
  -- It takes neutral requests: no protocol of the wire.
  speaks = { { protocol = 'demo', path = '' } },
  settings = {
    pace = { type = 'number', doc = 'Milliseconds between two words of a stream. Default 20.' },
  },
}

--- The models that it plays.
---
--- @return px.Model[]
function M.models()
  return {
    { id = 'demo', owned_by = 'proxima', display_name = 'Demo' },
    { id = 'demo-think', owned_by = 'proxima', display_name = 'Demo, thinking' },
  }
end

--- Refusals of its own making are the client's.
function M.judge()
  return 'give_up'
end

-- What the user said ------------------------------------------------------------------------------

local function join_texts(blocks)
  local out = {}
  for _, block in ipairs(blocks or {}) do
    if block.kind == 'text' and block.text ~= '' then
      out[#out + 1] = block.text
    end
  end
  return table.concat(out, '\n')
end

local function last_user_turn(request)
  for i = #request.turns, 1, -1 do
    if request.turns[i].role == 'user' then
      return request.turns[i]
    end
  end
  return { role = 'user', blocks = request.system }
end

--- Clients put reminders of their own beside what the person typed.
local function spoken(turn)
  local last = ''
  for _, block in ipairs(turn.blocks or {}) do
    local text = block.kind == 'text' and block.text or ''
    if text:find('%S') and not text:find('^%s*<system%-reminder>') then
      last = text
    end
  end
  return last ~= '' and last or join_texts(turn.blocks)
end

local function last_result(turn)
  local found
  for _, block in ipairs(turn.blocks) do
    if block.kind == 'tool_result' then
      found = block
    end
  end
  return found
end

-- Tools -------------------------------------------------------------------------------------------

local function mentions(text, word)
  local plain = word:gsub('%p', '%%%0')
  return (' ' .. text .. ' '):find('[^%w_]' .. plain .. '[^%w_]') ~= nil
end

--- Chooses the tool that a request asks for, nil if it asks for none.
local function chosen_tool(request, text)
  local choice = request.tool_choice or { mode = 'auto' }
  if choice.mode == 'none' then
    return nil
  end
  local lower = text:lower()
  local asked = lower:find('use the tool', 1, true) or lower:find('use a tool', 1, true)
    or mentions(lower, 'call')
  local first, named
  for _, tool in ipairs(request.tools or {}) do
    if not tool.hosted then
      first = first or tool
      if choice.mode == 'one' then
        named = named or (tool.name == choice.name and tool)
      elseif not named and mentions(lower, tool.name:lower()) then
        named = tool
      end
    end
  end
  if named then
    return named
  end
  return (asked or choice.mode == 'any' or choice.mode == 'one') and first or nil
end

--- What a tool's text arguments shall say: a quoted text, a path, else the whole message.
local function subject(text)
  return text:match('"([^"\n]+)"') or text:match("'([^'\n]+)'") or text:match('`([^`\n]+)`')
    or text:match('%f[%S](~?/[%w_./-]*[%w_-])') or text:match('%f[%S]([%w_-]+%.%w+)%f[%W]')
    or text:sub(1, 200)
end

-- Answering ---------------------------------------------------------------------------------------

local function answer_text(request, turn, text)
  local result = last_result(turn)
  local format = request.response_format
  if format and format.kind == 'schema' then
    return json.encode(sample.of(format.schema, subject(text)))
  elseif format then
    return json.encode({ answer = 'You said: ' .. text })
  elseif result then
    local said = join_texts(result.blocks):sub(1, QUOTE_MAX)
    local name = result.name or 'tool'
    if result.is_error then
      return ('The %s tool failed: %s'):format(name, said)
    end
    return ('The %s tool answered: %s'):format(name, said)
  end
  return 'You said: ' .. text
end

local function thinks(request)
  local wish = request.reasoning
  if wish and wish.effort then
    return wish.effort ~= 'off'
  end
  return (wish and wish.budget or 0) > 0 or (request.model or ''):find('think', 1, true) ~= nil
end

--- Cuts at the first stop sequence.
local function cut_at_stop(text, stops)
  local at, found
  for _, stop in ipairs(stops or {}) do
    local place = stop ~= '' and text:find(stop, 1, true)
    if place and (not at or place < at) then
      at, found = place, stop
    end
  end
  if at then
    return text:sub(1, at - 1), found
  end
  return text, nil
end

--- Cuts to a number of bytes, never inside a character.
local function cut_to(text, bytes)
  if #text <= bytes then
    return text, false
  end
  local cut = math.max(0, bytes)
  while cut > 0 and (text:byte(cut + 1) or 0) >= 128 and (text:byte(cut + 1) or 0) < 192 do
    cut = cut - 1
  end
  return text:sub(1, cut), true
end

--- Makes a function that hands out a text word by word, at the pace of a stream.
local function speaker(request, out, settings)
  local pace = json.tonumber(settings.pace or PACE) or PACE
  local px = request.stream and pace > 0 and require('px') or nil
  return function(kind, index, text)
    for piece in text:gmatch('%s*%S+%s*') do
      out({ kind = kind, index = index, text = piece })
      if px then
        px.sleep(pace / 1000)
      end
    end
  end
end

--- The parts of the answer: thinking, then text or a tool call.
local function plan(request)
  local turn = last_user_turn(request)
  local text = spoken(turn)
  local tool = not last_result(turn) and chosen_tool(request, text) or nil
  local room = request.max_tokens and request.max_tokens * BYTES_PER_TOKEN or math.huge
  local parts = { finish = 'stop' }
  local cut
  if thinks(request) then
    local thought = tool and ('The user wants the tool %s.'):format(tool.name)
      or 'The user said something; I repeat it.'
    parts.thinking, cut = cut_to(thought, room)
    room = room - #parts.thinking
  end
  if cut then
    parts.finish = 'length'
  elseif tool then
    local args = tool.custom and subject(text) or json.encode(sample.of(tool.schema, subject(text)))
    parts.tool, parts.finish = tool, 'tool'
    parts.args, cut = cut_to(args, room)
    parts.finish = cut and 'length' or 'tool'
  else
    local whole, stop = cut_at_stop(answer_text(request, turn, text), request.stop)
    parts.text, cut = cut_to(whole, room)
    parts.stop = not cut and stop or nil
    parts.finish = cut and 'length' or (stop and 'stop_seq') or 'stop'
  end
  return parts
end

--- Answers a request.
---
--- @param request px.Request
--- @param out fun(event: px.Event)
--- @param settings? table Its account's settings.
function M.answer(request, out, settings)
  local say = speaker(request, out, settings or {})
  local parts = plan(request)
  local index = 0
  local id = ids.hash(json.encode({ tostring(#request.turns), parts.text or parts.args or '' }))
  out({ kind = 'start', id = id, model = request.model })
  if parts.thinking then
    say('thinking', index, parts.thinking)
    out({ kind = 'signature', index = index, text = 'demo#' .. ids.hash(parts.thinking) })
    out({ kind = 'block_stop', index = index })
    index = index + 1
  end
  if parts.tool then
    out({ kind = 'tool_start', index = index, id = 'call_' .. id, name = parts.tool.name,
      custom = parts.tool.custom and true or nil })
    say('args', index, parts.args)
    out({ kind = 'block_stop', index = index })
  elseif parts.text and parts.text ~= '' then
    say('text', index, parts.text)
    out({ kind = 'block_stop', index = index })
  end
  out({ kind = 'finish', reason = parts.finish, stop = parts.stop })
  out({
    kind = 'usage',
    input = estimate.request(request),
    cache_read = 0,
    cache_write = 0,
    output = estimate.text((parts.thinking or '') .. (parts.text or '') .. (parts.args or '')),
    reasoning = estimate.text(parts.thinking or ''),
  })
end

return M
