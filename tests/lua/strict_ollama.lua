--- What Ollama asks of a request, and what its clients ask of an answer, as assertions. For specs.

local json = require('px.json')
local media = require('protocol._media')

local M = {}

local function set_of(names)
  local out = {}
  for name in names:gmatch('%S+') do
    out[name] = true
  end
  return out
end

local TOP = set_of('model messages tools format think options keep_alive stream')
local MESSAGE = set_of('role content images thinking tool_calls tool_name tool_call_id')
local ROLES = set_of('system user assistant tool')
local LEVELS = set_of('low medium high max')
local IMAGES = { ['image/jpeg'] = true, ['image/png'] = true, ['image/webp'] = true }
local OPTIONS = set_of([[num_predict temperature top_p top_k seed presence_penalty
  frequency_penalty num_ctx]])
local INTEGERS = set_of('num_predict top_k seed num_ctx')
local SCHEMA = set_of('type description enum properties required items anyOf $defs $ref')

local function only(object, known, where)
  assert(json.is_object(object), where .. ' is no object')
  for _, name in ipairs(json.keys(object)) do
    assert(known[name], where .. ' has an unknown member: ' .. name)
    assert(object[name] ~= json.null, where .. ' has a null: ' .. name)
  end
end

local function texts(list, where)
  assert(json.is_array(list), where .. ' is no array')
  for _, text in ipairs(list) do
    assert(type(text) == 'string', where .. ' holds what is no text')
  end
end

local function each(map, check, where)
  assert(json.is_object(map), where .. ' is no object')
  for _, name in ipairs(json.keys(map)) do
    check(map[name], where .. '.' .. name)
  end
end

local function check_schema(schema, where)
  only(schema, SCHEMA, where)
  if schema.type ~= nil and type(schema.type) ~= 'string' then
    texts(schema.type, where .. '.type')
  end
  assert(schema.description == nil or type(schema.description) == 'string',
    where .. ' has a description that is no text')
  assert(schema.enum == nil or json.is_array(schema.enum), where .. '.enum is no array')
  if schema.required then
    texts(schema.required, where .. '.required')
  end
  if schema.properties then
    each(schema.properties, check_schema, where .. '.properties')
  end
  if schema['$defs'] then
    each(schema['$defs'], check_schema, where .. '.$defs')
  end
  if schema.items then
    check_schema(schema.items, where .. '.items')
  end
  for _, one in ipairs(schema.anyOf or {}) do
    check_schema(one, where .. '.anyOf')
  end
end

local function check_tool(tool, names)
  only(tool, set_of('type function'), 'a tool')
  local inner = tool['function']
  only(inner, set_of('name description parameters'), 'a function')
  assert(tool.type == 'function' and type(inner.name) == 'string' and inner.name ~= '')
  check_schema(inner.parameters, inner.name)
  assert(inner.parameters.type == 'object' and inner.parameters.properties)
  names[inner.name] = true
end

local function check_image(data)
  assert(type(data) == 'string' and #data % 4 == 0 and data:find('^[%w+/]+=?=?$'),
    'an image that is no plain base64')
  assert(IMAGES[media.sniff(nil, data)], 'an image of an unknown kind')
end

local function check_calls(message, open)
  for _, call in ipairs(message.tool_calls or {}) do
    only(call, set_of('id function'), 'a call')
    only(call['function'], set_of('name arguments'), 'a function')
    assert(type(call.id) == 'string' and not open[call.id], 'a call without an id of its own')
    assert(json.is_object(call['function'].arguments), 'arguments that are no object')
    open[call.id] = call['function'].name
  end
end

local function check_message(message, open)
  only(message, MESSAGE, 'a message')
  local role = message.role
  assert(ROLES[role], 'an unknown role')
  assert(type(message.content) == 'string', 'content that is no text')
  assert(not message.thinking or role == 'assistant', 'thinking of someone else')
  assert(not message.tool_calls or role == 'assistant' and #message.tool_calls > 0)
  assert(not message.images or #message.images > 0, 'an empty list of images')
  for _, image in ipairs(message.images or {}) do
    check_image(image)
  end
  check_calls(message, open)
  if role == 'tool' then
    assert(open[message.tool_call_id] == message.tool_name, 'a result without its call')
    open[message.tool_call_id] = nil
  else
    assert(not message.tool_name and not message.tool_call_id)
    assert(message.tool_calls or next(open) == nil, 'a call without its result')
    assert(message.content ~= '' or message.images or message.tool_calls, 'an empty message')
  end
end

local function check_options(options)
  for _, name in ipairs(json.keys(options)) do
    local value = options[name]
    if name == 'stop' then
      texts(value, 'stop')
    else
      assert(OPTIONS[name], 'an unknown option: ' .. name)
      assert(json.is_number(value), name .. ' is no number')
      assert(not INTEGERS[name] or json.tonumber(value) % 1 == 0, name .. ' is no integer')
    end
  end
end

--- @param body table A request for Ollama, decoded.
function M.request(body)
  only(body, TOP, 'the body')
  assert(type(body.model) == 'string' and body.model ~= '', 'no model')
  assert(type(body.stream) == 'boolean', 'stream is not said')
  assert(json.is_array(body.messages) and #body.messages > 0, 'no messages')
  local open = {}
  for _, message in ipairs(body.messages) do
    check_message(message, open)
  end
  assert(next(open) == nil, 'a call without its result at the end')
  assert(not body.tools or #body.tools > 0, 'an empty list of tools')
  local names = {}
  for _, tool in ipairs(body.tools or {}) do
    check_tool(tool, names)
  end
  assert(body.format == nil or body.format == 'json' or json.is_object(body.format))
  assert(body.think == nil or type(body.think) == 'boolean' or LEVELS[body.think])
  if body.options then
    check_options(body.options)
  end
end

-- Answers -----------------------------------------------------------------------------------------

local METRICS = { 'total_duration', 'load_duration', 'prompt_eval_count', 'prompt_eval_duration',
  'eval_count', 'eval_duration' }

local function check_end(line)
  assert(line.done_reason == 'stop' or line.done_reason == 'length', 'an unknown done_reason')
  for _, name in ipairs(METRICS) do
    assert(type(line[name]) == 'number' and line[name] >= 0 and line[name] % 1 == 0,
      name .. ' is no count')
  end
  assert(line.eval_count == 0 or line.eval_duration > 0, 'clients would divide by nothing')
end

--- What a line says: its message, or for a generation the line itself.
local function check_line(line, state)
  assert(type(line.model) == 'string' and type(line.done) == 'boolean')
  assert(line.created_at:find('^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d[%d.]*Z$'), 'a bad time')
  assert((line.message == nil) == (state.generate == true), 'the other form of answer')
  local message = line.message or line
  local text = message.content or message.response
  assert(message == line or message.role == 'assistant')
  assert(type(text) == 'string', 'no text')
  assert(message.thinking == nil or type(message.thinking) == 'string' and message.thinking ~= '')
  for _, call in ipairs(message.tool_calls or {}) do
    only(call, set_of('id function'), 'a call')
    local inner = call['function']
    only(inner, set_of('index name arguments'), 'a function')
    assert(json.is_object(inner.arguments), 'arguments that are no object')
    assert(inner.index == state.calls, 'calls that are not numbered in order')
    state.calls = state.calls + 1
  end
  return text ~= '' or message.thinking or message.tool_calls
end

--- @param text string A whole stream.
--- @param generate? boolean It is one of /api/generate.
--- @return string[] lines
function M.stream(text, generate)
  local lines, state, over = {}, { calls = 0, generate = generate }, false
  assert(text:sub(-1) == '\n', 'a line without its end')
  for line in text:gmatch('(.-)\n') do
    assert(line ~= '', 'an empty line')
    assert(not over, 'something after the last line')
    lines[#lines + 1] = line
    local body = assert(json.decode(line))
    if body.error then
      only(body, set_of('error'), 'an error')
      assert(type(body.error) == 'string')
      over = true
    else
      local says = check_line(body, state)
      assert(says or body.done, 'a line that says nothing')
      over = body.done
      if over then
        check_end(body)
      end
    end
  end
  assert(over, 'no last line')
  return lines
end

--- @param body table A unary answer, decoded.
--- @param generate? boolean
function M.reply(body, generate)
  check_line(body, { calls = 0, generate = generate })
  assert(body.done == true)
  check_end(body)
end

return M
