--- Responses against chance: any order of events is written legally, any order of an upstream's
--- events is read to an end.

local json = require('px.json')
local kit = require('corpus_kit')
local strict = require('strict_responses')
local t = require('harness')

local describe, it = t.describe, t.it

local ROUNDS = 400

--- Numbers that repeat on every machine.
local function dice(seed)
  local state = seed * 7919 + 17
  return function(most)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % most + 1
  end
end

local function context()
  return { model = 'm', knowledge = {}, id = 'ID', now = 7, settings = {}, origin = 'anthropic',
    lost = function() end, include_usage = true }
end

local KINDS = { 'text', 'thinking', 'refusal', 'tool', 'custom', 'redacted', 'opaque' }

--- One event of a block, as some reader might give it.
local function event_of(block, roll)
  local kind = block.kind
  if kind == 'tool' or kind == 'custom' then
    if not block.begun then
      return { kind = 'tool_start', index = block.index, id = 'c' .. block.index, name = 'f',
        custom = kind == 'custom' or nil }
    end
    return { kind = 'args', index = block.index, text = roll(3) == 1 and '' or '{}' }
  elseif kind == 'redacted' then
    return { kind = 'redacted', index = block.index, data = 'd' }
  elseif kind == 'opaque' then
    return { kind = 'opaque', index = block.index, protocol = 'openai_responses',
      json = json.object({ type = 'web_search_call', id = 'ws_' .. block.index }) }
  elseif kind == 'thinking' and block.begun and roll(4) == 1 then
    return { kind = 'signature', index = block.index, text = 'p' }
  elseif kind == 'text' and roll(4) == 1 then
    return { kind = 'citation', index = block.index, url = 'u' }
  end
  return { kind = kind, index = block.index, text = roll(5) == 1 and '' or 'word ' }
end

--- Events of blocks that overlap in any way.
local function events_of(roll)
  local out, open, count = { { kind = 'start', id = 'x', model = 'm' } }, {}, 0
  for _ = 1, roll(40) do
    local choice = roll(10)
    if choice <= 3 or #open == 0 then
      local block = { kind = KINDS[roll(#KINDS)], index = count }
      count = count + 1
      open[#open + 1] = block
      out[#out + 1] = event_of(block, roll)
      block.begun = true
    elseif choice <= 8 then
      local block = open[roll(#open)]
      if block.kind ~= 'opaque' and block.kind ~= 'redacted' then
        out[#out + 1] = event_of(block, roll)
      end
    else
      local block = table.remove(open, roll(#open))
      out[#out + 1] = { kind = 'block_stop', index = block.index }
    end
  end
  for _, block in ipairs(open) do
    out[#out + 1] = { kind = 'block_stop', index = block.index }
  end
  local reasons = { 'stop', 'length', 'tool', 'filter', 'pause' }
  out[#out + 1] = { kind = 'finish', reason = reasons[roll(#reasons)] }
  return out
end

local function write(events)
  return kit.write_stream('openai_responses', events, context())
end

local function said(events, kind)
  local out = {}
  for _, event in ipairs(events) do
    out[#out + 1] = event.kind == kind and event.text or nil
  end
  return #table.concat(out)
end

local function read(datas)
  local step, out = require('protocol.openai_responses.stream').reader(context()), {}
  for i = 1, #datas + 1 do
    for _, event in ipairs(step(datas[i] and 'message', datas[i]) or {}) do
      out[#out + 1] = event
    end
  end
  return out
end

--- Each block opens once and ends once, and the reply ends once.
local function check_order(events)
  local open, over, ended = {}, {}, 0
  for _, event in ipairs(events) do
    if event.index then
      assert(ended == 0, 'a block after the end')
      assert(not over[event.index], 'an event of a closed block')
      over[event.index] = event.kind == 'block_stop' or nil
      open[event.index] = true
    elseif event.kind == 'finish' or event.kind == 'error' then
      ended = ended + 1
    end
  end
  assert(ended == 1, 'not one end')
  for index in pairs(open) do
    assert(over[index] or events[#events].kind == 'error', 'a block that never ended')
  end
end

describe('Responses', function()
  it('writes any order of blocks legally, and loses no text', function()
    for seed = 1, ROUNDS do
      local events = events_of(dice(seed))
      local ok, why = pcall(function()
        local list = kit.frames(write(events))
        strict.stream(list)
        local datas = {}
        for i, frame in ipairs(list) do
          datas[i] = frame[2]
        end
        local back = read(datas)
        check_order(back)
        for _, kind in ipairs({ 'text', 'refusal', 'thinking' }) do
          assert(said(events, kind) == said(back, kind), 'lost ' .. kind)
        end
      end)
      assert(ok, ('seed %d: %s'):format(seed, tostring(why)))
    end
  end)

  it('ends items in order, however large their numbers are', function()
    local datas = {}
    for _, at in ipairs({ '12000000000000000000', '20000000', '3' }) do
      datas[#datas + 1] = '{"type":"response.output_item.added","output_index":' .. at
        .. ',"item":{"type":"function_call","id":"i' .. at .. '","call_id":"c' .. at
        .. '","name":"f","arguments":""}}'
    end
    datas[#datas + 1] = '{"type":"response.completed","response":{"status":"completed"}}'
    local began, stopped = os.clock(), {}
    for _, event in ipairs(read(datas)) do
      stopped[#stopped + 1] = event.kind == 'block_stop' and event.index or nil
    end
    assert(os.clock() - began < 0.1)
    t.eq({ 2, 1, 0 }, stopped)
  end)

  it('reads events that are missing, doubled, mixed or spoiled', function()
    for seed = 1, ROUNDS do
      local roll = dice(seed)
      local list, datas = kit.frames(write(events_of(roll))), {}
      for _, frame in ipairs(list) do
        local data, choice = frame[2], roll(20)
        if choice == 1 then
          data = nil
        elseif choice == 2 then
          datas[#datas + 1] = data
        elseif choice == 3 then
          data = data:gsub('"output_index":%d+', '"output_index":' .. roll(4) - 1)
        elseif choice == 4 then
          data = data:gsub('"id":"[^"]*"', '"id":null'):gsub('"text":"[^"]*"', '"text":5')
        elseif choice == 5 then
          data = data:gsub('"item":%b{}', '"item":[]'):gsub('"delta":"[^"]*"', '"delta":{}')
        end
        table.insert(datas, #datas > 0 and roll(10) == 1 and #datas or #datas + 1, data)
      end
      local ok, why = pcall(function()
        local events = read(datas)
        check_order(events)
        for _, to in ipairs({ 'openai_chat', 'anthropic', 'openai_responses' }) do
          local step = require('protocol.' .. to .. '.stream').writer(context())
          for _, event in ipairs(events) do
            step(event)
          end
          step(nil)
        end
        if events[#events].kind ~= 'error' then
          strict.stream(kit.frames(write(events)))
        end
      end)
      assert(ok, ('seed %d: %s'):format(seed, tostring(why)))
    end
  end)
end)

t.finish()
