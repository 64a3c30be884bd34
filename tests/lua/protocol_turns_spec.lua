--- Conversations with holes in them: whatever a client leaves out, what is sent is in order.

local json = require('px.json')
local strict = require('strict')
local t = require('harness')

local describe, it = t.describe, t.it

local HISTORY = {
  openai_chat = {
    '{"role":"system","content":"Be good"}',
    '{"role":"user","content":"Hi"}',
    '{"role":"assistant","content":" ","tool_calls":[{"id":"c","type":"function","function":'
      .. '{"name":"f","arguments":"{\\"a\\":1}"}},{"id":"d","type":"function","function":'
      .. '{"name":"g","arguments":""}}]}',
    '{"role":"tool","tool_call_id":"d","content":"D"}',
    '{"role":"system","content":"Mind the gap"}',
    '{"role":"tool","tool_call_id":"c","content":""}',
    '{"role":"user","content":"and?"}',
    '{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":'
      .. '{"name":"f","arguments":"{"}}]}',
    '{"role":"tool","tool_call_id":"c","content":"again"}',
    '{"role":"assistant","content":"done"}',
  },
  anthropic = {
    '{"role":"user","content":"Hi"}',
    '{"role":"assistant","content":[{"type":"text","text":"on it"},{"type":"tool_use","id":"t.1",'
      .. '"name":"f","input":{}},{"type":"tool_use","id":"t2","name":"g","input":{"a":[]}}]}',
    '{"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":[{"type":'
      .. '"image","source":{"type":"url","url":"https://x"}}]}]}',
    '{"role":"system","content":"Mind the gap"}',
    '{"role":"user","content":[{"type":"text","text":"wait"},{"type":"tool_result",'
      .. '"tool_use_id":"t.1","is_error":true}]}',
    '{"role":"assistant","content":[]}',
    '{"role":"assistant","content":[{"type":"tool_use","id":"t2","name":"f","input":{}}]}',
    '{"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":"ok"}]}',
    '{"role":"user","content":"and?"}',
    '{"role":"assistant","content":"done "}',
  },
}

local OTHER = { openai_chat = 'anthropic', anthropic = 'openai_chat' }

local function check(from, picked, knowledge)
  local text = '{"model":"m","max_tokens":99,"messages":[' .. table.concat(picked, ',') .. ']}'
  local ctx = { model = 'm', knowledge = knowledge, lost = function() end }
  local ok, err = pcall(function()
    local to = OTHER[from]
    local request = require('protocol.' .. from .. '.request').read(json.decode(text), ctx)
    local body = require('protocol.' .. to .. '.request').write(request, ctx)
    strict[to](json.decode(json.encode(body)))
  end)
  if not ok then
    error(tostring(type(err) == 'table' and err.message or err) .. '\n' .. text, 0)
  end
end

--- Calls `try` with every selection of a list, in order.
local function selections(list, try)
  for bits = 1, 2 ^ #list - 1 do
    local picked, rest = {}, bits
    for _, item in ipairs(list) do
      if rest % 2 == 1 then
        picked[#picked + 1] = item
      end
      rest = math.floor(rest / 2)
    end
    try(picked)
  end
end

describe('a conversation with holes', function()
  for from, history in pairs(HISTORY) do
    for name, knowledge in pairs({ plain = {}, ['with system turns'] = { mid_system = true } }) do
      it(('from %s is sent in order, %s'):format(from, name), function()
        selections(history, function(picked)
          check(from, picked, knowledge)
        end)
      end)
    end
  end
end)

t.finish()
