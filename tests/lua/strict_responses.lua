--- What strict clients and upstreams of Responses ask of a stream, an answer and a request, as
--- assertions. For specs.

local json = require('px.json')

local M = {}

local NEEDED = { 'id', 'object', 'created_at', 'model', 'output', 'error', 'incomplete_details',
  'instructions', 'metadata', 'parallel_tool_calls', 'temperature', 'tool_choice', 'tools',
  'top_p', 'usage', 'status' }
local PREFIX = { message = 'msg_', reasoning = 'rs_', function_call = 'fc_',
  custom_tool_call = 'ctc_' }
local ARRAYS = { message = 'content', reasoning = 'summary' }

local function check_response(body)
  for _, name in ipairs(NEEDED) do
    assert(body[name] ~= nil, 'a response without ' .. name)
  end
  assert(body.object == 'response' and body.id:find('^resp_'), 'no response')
  assert(json.is_array(body.output) and json.is_array(body.tools), 'lists that are none')
  assert(json.is_object(body.metadata), 'metadata that is no object')
end

local function check_part(part, whole)
  if part.type == 'output_text' then
    assert(type(part.text) == 'string' and json.is_array(part.annotations), 'an odd text part')
  else
    assert(part.type == 'refusal' and type(part.refusal) == 'string', 'an unknown part')
  end
  assert(whole or (part.text or part.refusal) == '', 'a part that begins with text')
end

local function check_item(item, whole)
  assert(type(item.type) == 'string', 'an item without type')
  local prefix = PREFIX[item.type]
  assert(not prefix or item.id:find('^' .. prefix), 'an item id of another kind')
  local list = ARRAYS[item.type]
  assert(not list or json.is_array(item[list]), 'an item without ' .. tostring(list))
  if item.type == 'message' then
    assert(item.role == 'assistant', 'a message of another role')
    assert(whole or #item.content == 0, 'a message that begins with parts')
    for _, part in ipairs(item.content) do
      check_part(part, true)
    end
  elseif item.type == 'function_call' or item.type == 'custom_tool_call' then
    assert(#item.call_id > 0 and #item.call_id <= 64, 'a bad call_id')
    assert(#item.name > 0, 'a call without name')
    local text = item.arguments or item.input
    assert(type(text) == 'string' and (whole or text == ''), 'a call with odd arguments')
  end
  if prefix then
    assert(item.status == (whole and item.status ~= 'in_progress' and item.status
      or 'in_progress'), 'an item of another status')
  end
end

--- Checks a unary answer.
---
--- @param body table
function M.reply(body)
  check_response(body)
  assert(body.status == 'completed' or body.status == 'incomplete', 'an answer that is not over')
  assert((body.status == 'incomplete') == (body.incomplete_details ~= json.null), 'no reason')
  local seen = {}
  for _, item in ipairs(body.output) do
    check_item(item, true)
    assert(not seen[item.id], 'two items of one id')
    seen[item.id] = true
  end
  assert(type(body.usage) == 'table', 'no usage')
end

--- @class px.StrictStream
--- @field next integer sequence_number to come.
--- @field items table[] Items by order.
--- @field open? table The open item.

-- Type of event: what it must be. Called with (state, body).
local on = {}

local function item_of(state, body)
  local item = state.open
  assert(item and body.output_index == item.at, 'an event outside its item')
  assert(body.item_id == item.id, 'an id that changed')
  return item
end

local function part_of(state, body, kind)
  local item = item_of(state, body)
  local part = item.part
  assert(part and part.at == body.content_index, 'an event outside its part')
  assert(part.type == kind, 'an event of another part')
  return part
end

on['response.created'] = function(state, body)
  assert(state.next == 0, 'created is not first')
  check_response(body.response)
  assert(body.response.status == 'in_progress' and body.response.usage == json.null, 'not new')
  state.id = body.response.id
end

on['response.in_progress'] = function(state, body)
  assert(state.next == 1 and body.response.id == state.id, 'in_progress is not second')
end

on['response.output_item.added'] = function(state, body)
  assert(not state.open, 'two open items')
  assert(body.output_index == #state.items, 'a gap between items')
  check_item(body.item, PREFIX[body.item.type] == nil)
  for _, item in ipairs(state.items) do
    assert(item.id ~= body.item.id, 'two items of one id')
  end
  state.open = { at = body.output_index, id = body.item.id, type = body.item.type, parts = 0,
    text = '' }
end

on['response.content_part.added'] = function(state, body)
  local item = item_of(state, body)
  assert(item.type == 'message' and not item.part, 'two open parts')
  assert(body.content_index == item.parts, 'a gap between parts')
  check_part(body.part, false)
  item.part = { at = body.content_index, type = body.part.type, text = '', notes = 0 }
  item.parts = item.parts + 1
end

on['response.output_text.delta'] = function(state, body)
  local part = part_of(state, body, 'output_text')
  assert(not part.done and body.delta ~= '' and json.is_array(body.logprobs), 'an odd delta')
  part.text = part.text .. body.delta
end

on['response.output_text.annotation.added'] = function(state, body)
  local part = part_of(state, body, 'output_text')
  assert(body.annotation_index == part.notes, 'a gap between annotations')
  part.notes = part.notes + 1
end

on['response.refusal.delta'] = function(state, body)
  local part = part_of(state, body, 'refusal')
  part.text = part.text .. body.delta
end

on['response.output_text.done'] = function(state, body)
  local part = part_of(state, body, 'output_text')
  assert(not part.done and part.text == body.text, 'a text that differs from its deltas')
  part.done = true
end

on['response.refusal.done'] = function(state, body)
  local part = part_of(state, body, 'refusal')
  assert(not part.done and part.text == body.refusal, 'a refusal that differs')
  part.done = true
end

on['response.content_part.done'] = function(state, body)
  local part = part_of(state, body, body.part.type)
  assert(part.done and part.text == (body.part.text or body.part.refusal), 'a part that differs')
  assert(part.type == 'refusal' or #body.part.annotations == part.notes, 'lost annotations')
  state.open.text = state.open.text .. part.text
  state.open.part = nil
end

on['response.reasoning_summary_part.added'] = function(state, body)
  local item = item_of(state, body)
  assert(item.type == 'reasoning' and not item.part and body.summary_index == item.parts, 'a gap')
  item.part, item.parts = { at = body.summary_index, text = '' }, item.parts + 1
end

on['response.reasoning_summary_text.delta'] = function(state, body)
  local part = item_of(state, body).part
  assert(part and not part.done and part.at == body.summary_index, 'thinking outside its part')
  part.text = part.text .. body.delta
end

on['response.reasoning_summary_text.done'] = function(state, body)
  local part = item_of(state, body).part
  assert(part.text == body.text, 'thinking that differs')
  part.done = true
end

on['response.reasoning_summary_part.done'] = function(state, body)
  local item = item_of(state, body)
  assert(item.part.done and item.part.text == body.part.text, 'thinking that differs')
  item.text, item.part = item.text .. item.part.text, nil
end

local function args_delta(state, body)
  local item = item_of(state, body)
  assert(not item.over and body.delta ~= '', 'arguments after their end')
  item.text = item.text .. body.delta
end
on['response.function_call_arguments.delta'] = args_delta
on['response.custom_tool_call_input.delta'] = args_delta

local function args_done(kind, member)
  return function(state, body)
    local item = item_of(state, body)
    assert(item.type == kind and item.text == body[member], 'arguments that differ')
    item.over = true
  end
end
on['response.function_call_arguments.done'] = args_done('function_call', 'arguments')
on['response.custom_tool_call_input.done'] = args_done('custom_tool_call', 'input')

local function text_of(item)
  local out = { item.arguments or item.input }
  for _, list in ipairs({ item.content or {}, item.summary or {} }) do
    for _, part in ipairs(type(list) == 'table' and list or {}) do
      out[#out + 1] = part.text or part.refusal
    end
  end
  return table.concat(out)
end

on['response.output_item.done'] = function(state, body)
  local open, item = state.open, body.item
  assert(open and open.at == body.output_index and item.id == open.id, 'an end without an item')
  assert(item.type == open.type and not open.part, 'an item with an open part')
  check_item(item, true)
  if PREFIX[item.type] then
    assert(text_of(item) == open.text, 'an item that differs from its deltas')
    local called = item.type == 'function_call' or item.type == 'custom_tool_call'
    assert(not called or open.over, 'a call without its arguments')
    assert(item.type ~= 'message' or #item.content == open.parts, 'lost parts')
  end
  state.items[#state.items + 1], state.open = item, nil
end

local function terminal(status)
  return function(state, body)
    local response = body.response
    check_response(response)
    assert(response.status == status, 'an end of another status')
    assert(response.id == (state.id or response.id), 'a response id that changed')
    assert(json.encode(response.output) == json.encode(json.array(state.items)),
      'an output that differs from what was streamed')
    if status == 'failed' then
      assert(type(response.error.code) == 'string' and response.error.message, 'no error')
    else
      assert(not state.open, 'an item that never ended')
      assert(type(response.usage) == 'table', 'no usage')
      local used = response.usage
      assert(used.total_tokens == used.input_tokens + used.output_tokens, 'a wrong total')
      assert((status == 'incomplete') == (response.incomplete_details ~= json.null), 'no reason')
    end
    state.ended = body.type
  end
end
on['response.completed'] = terminal('completed')
on['response.incomplete'] = terminal('incomplete')
on['response.failed'] = terminal('failed')

function on.error(state, body)
  assert(type(body.error) == 'table' and type(body.message) == 'string', 'an odd error')
  state.told = true
end

--- Checks a stream as strict clients read it.
---
--- @param frames table[] { type, data } pairs.
--- @return string ended Type of the event that ended it.
function M.stream(frames)
  local state = { next = 0, items = {} }
  for _, frame in ipairs(frames) do
    local body = assert(json.decode(frame[2]), 'data that is no JSON')
    assert(frame[1] == body.type, 'event line and type differ')
    assert(not state.ended, 'something after the end')
    assert(body.sequence_number == state.next, 'a gap in sequence_number')
    assert(state.told == nil or body.type == 'response.failed', 'something after the error')
    assert(on[body.type], 'an unknown event: ' .. body.type)(state, body)
    state.next = state.next + 1
  end
  return assert(state.ended, 'a stream without its end')
end

-- Requests ----------------------------------------------------------------------------------------

local TOP = {}
for name in ([[model input instructions tools tool_choice parallel_tool_calls text reasoning include
  max_output_tokens temperature top_p user metadata store service_tier stream]]):gmatch('%S+') do
  TOP[name] = true
end
local USER_PARTS = { input_text = true, input_image = true, input_file = true, input_audio = true }
local OWN_PARTS = { output_text = true, refusal = true }

local function check_message(item)
  assert(#item.content > 0, 'a message without content')
  for _, part in ipairs(item.content) do
    assert((item.role == 'assistant' and OWN_PARTS or USER_PARTS)[part.type], 'a wrong part')
    assert(part.type ~= 'input_image' or part.file_id or type(part.image_url) == 'string',
      'an image that is no string')
  end
end

--- Checks a request for an upstream.
---
--- @param body table
function M.request(body)
  for name in pairs(body) do
    assert(TOP[name], 'an unknown member: ' .. name)
  end
  assert(body.store == false, 'a request that wants to be kept')
  assert(not body.tool_choice or body.tools, 'tool_choice without tools')
  assert(not body.max_output_tokens or body.max_output_tokens >= 16, 'too few tokens')
  assert(#body.input > 0, 'no input')
  local open, used = {}, {}
  for _, item in ipairs(body.input) do
    if item.type == 'message' then
      check_message(item)
    elseif item.type == 'function_call' or item.type == 'custom_tool_call' then
      assert(#item.call_id <= 64 and not used[item.call_id], 'a long or repeated id')
      assert(#item.name <= 64 and item.id == nil, 'a long name or an invented id')
      assert(item.type == 'custom_tool_call' or type(item.arguments) == 'string', 'no arguments')
      used[item.call_id], open[item.call_id] = true, item.type .. '_output'
    elseif item.type:find('_call_output$') and open[item.call_id] then
      assert(open[item.call_id] == item.type, 'a result of another kind')
      open[item.call_id] = nil
    elseif item.type == 'reasoning' then
      assert(json.is_array(item.summary) and item.id == nil, 'an odd reasoning item')
    end
  end
  assert(next(open) == nil, 'a call without its result')
  for _, tool in ipairs(body.tools or {}) do
    assert(tool.type ~= 'function' or (tool.strict ~= nil and tool.parameters), 'an open strict')
  end
end

return M
