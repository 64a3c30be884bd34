--- What strict upstreams ask of a request, as assertions. For specs.

local json = require('px.json')

local M = {}

local TOP = {}
for name in ([[model messages max_tokens system stop_sequences stream temperature top_p top_k tools
  tool_choice thinking output_config metadata service_tier cache_control]]):gmatch('%S+') do
  TOP[name] = true
end

local function count_cache(list, sum)
  for _, item in ipairs(list or {}) do
    sum = sum + (item.cache_control and 1 or 0)
  end
  return sum
end

local function check_turn(message, before, used)
  local results, other = {}, false
  for _, block in ipairs(message.content) do
    if block.type == 'tool_result' then
      assert(message.role == 'user' and not other, 'a result that is not first')
      assert(not results[block.tool_use_id], 'two results of one call')
      results[block.tool_use_id] = true
    else
      other = true
    end
    if block.type == 'text' then
      assert(block.text:find('%S'), 'an empty text')
    elseif block.type == 'tool_use' then
      assert(message.role == 'assistant', 'a call of the user')
      assert(block.id:find('^[%w_-]+$') and not used[block.id], 'a bad or repeated id')
      assert(json.is_object(block.input), 'an input that is no object')
      used[block.id] = true
    end
  end
  for _, block in ipairs(before and before.role == 'assistant' and before.content or {}) do
    if block.type == 'tool_use' then
      assert(results[block.id], 'a call without its result right after')
      results[block.id] = nil
    end
  end
  assert(next(results) == nil, 'a result without its call right before')
end

--- @param body table A request for Anthropic.
function M.anthropic(body)
  for name in pairs(body) do
    assert(TOP[name], 'an unknown member: ' .. name)
  end
  assert(body.max_tokens >= 1, 'no max_tokens')
  assert(body.messages[1].role == 'user', 'the first turn is not the user\'s')
  assert(not body.tool_choice or body.tools, 'tool_choice without tools')
  local used, before, calls = {}, nil, false
  local caches = count_cache(body.tools, count_cache(body.system, 0))
  for _, message in ipairs(body.messages) do
    assert(#message.content > 0, 'an empty turn')
    assert(not before or before.role ~= message.role, 'neighbours of one role')
    check_turn(message, before, used)
    caches = count_cache(message.content, caches)
    calls = calls or next(used) ~= nil
    before = message
  end
  for _, block in ipairs(before.content) do
    assert(block.type ~= 'tool_use', 'a call at the end')
  end
  assert(not calls or body.tools, 'calls without tools')
  assert(caches <= 4, 'more than four marks of caching')
  for _, tool in ipairs(body.tools or {}) do
    assert(not tool.input_schema or tool.input_schema.type == 'object', 'a root that is no object')
  end
end

local PARTS = { text = true, image_url = true, input_audio = true, file = true }

--- @param body table A request for Chat Completions.
function M.openai_chat(body)
  assert(not body.tool_choice or body.tools, 'tool_choice without tools')
  assert(body.parallel_tool_calls == nil or body.tools, 'parallel_tool_calls without tools')
  local open, used = {}, {}
  for _, message in ipairs(body.messages) do
    if message.role == 'tool' then
      assert(open[message.tool_call_id], 'a result without its call')
      assert(type(message.content) == 'string', 'a tool message of parts')
      open[message.tool_call_id] = nil
    else
      assert(next(open) == nil, 'a call without its result')
    end
    for _, call in ipairs(message.tool_calls or {}) do
      assert(#call.id <= 40 and not used[call.id], 'a long or repeated id')
      used[call.id], open[call.id] = true, true
      local inner = call['function']
      assert(not inner or #inner.name <= 64 and json.decode(inner.arguments) ~= nil,
        'arguments that are no JSON')
    end
    for _, part in ipairs(type(message.content) == 'table' and message.content or {}) do
      assert(PARTS[part.type], 'an unknown part')
    end
    assert(message.role ~= 'assistant' or message.content ~= json.null or message.tool_calls
      or message.refusal, 'an empty turn')
  end
  assert(next(open) == nil, 'a call without its result at the end')
end

return M
