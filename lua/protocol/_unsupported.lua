--- What in a refusal says that a parameter is not supported: the paths it names, in the words of
--- vendors and of those who speak like them.

local json = require('px.json')

local M = {}

local PATHS_MAX = 16
local PATH_LEN = 200
local MESSAGE_LEN = 4000

-- Anthropic's words behind a path, also those of pydantic.
local EXTRA = ': Extra inputs are not permitted'

-- OpenAI's codes; `param` has the path.
local CODES = { unknown_parameter = true, unsupported_parameter = true, unsupported_value = true }

-- Words around a path. Several paths in one pair of them are separated by commas.
local WORDS = {
  'Unsupported parameter%(?s?%)?:? *[\'"`]?([%w_.%[%]-]+)',
  'Unsupported value: *[\'"`]([%w_.%[%]-]+)[\'"`] does not support',
  'Unknown parameter: *[\'"`]?([%w_.%[%]-]+)',
  'Unrecognized request arguments? supplied: *([%w_., -]+)',
  '[Uu]nknown field:? *\\?[\'"`]([%w_.-]+)',
  'unknown field: parameter [\'"`]([%w_.-]+)',
  'extraneous key %[([%w_.-]+)%]',
  'Argument not supported on this model: *([%w_.-]+)',
  'does not support parameter[s:]* *[\'"`]?([%w_.-]+)',
  'does not support the [\'"`]?([%w_.-]+)[\'"`]? parameter',
  'Extra inputs are not permitted, field: [\'"`]([%w_.-]+)',
  '[\'"`]([%w_.-]+)[\'"`] is deprecated for this model',
  '[\'"`]([%w_.-]+)[\'"`] is not supported with this model',
}

-- Groq's words for what is inside a message.
local NESTED = '[\'"]([%w_.]+)[\'"] : property [\'"]([%w_.-]+)[\'"] is unsupported'

-- What is not named by its path.
local MEANT = {
  { '" does not support thinking', 'think' },
  { 'does not support effort level', 'output_config.effort', true },
  { 'does not support the effort parameter', 'output_config.effort' },
  { 'thinking is not supported by this model', 'generationConfig.thinkingConfig' },
  { 'Thinking level is not supported', 'generationConfig.thinkingConfig.thinkingLevel' },
  { 'Penalty is not enabled', 'generationConfig.presencePenalty' },
  { 'Penalty is not enabled', 'generationConfig.frequencyPenalty' },
  { 'ogprobs is not enabled', 'generationConfig.responseLogprobs' },
  { '`temperature` and `top_p` cannot both be specified', 'top_p' },
}

--- Takes a path apart: 'messages[0].name', 'messages.0.name'. Indexes become numbers.
---
--- @param text string
--- @return (string|integer)[]
function M.split(text)
  local out = {}
  for part in text:gmatch('[^.%[%]]+') do
    out[#out + 1] = part:find('^%d+$') and tonumber(part) or part
  end
  return out
end

--- The path that a `loc` is, without its 'body'; empty when it has what is no step.
local function steps_of(loc)
  local parts = {}
  for _, part in ipairs(loc) do
    local step = json.is_number(part) and json.tonumber(part) or part
    if type(step) ~= 'string' and type(step) ~= 'number' then
      return {}
    elseif step ~= 'body' or #parts > 0 then
      parts[#parts + 1] = step
    end
  end
  return parts
end

--- The members of lists of details, as FastAPI and pydantic tell them: loc = ('body', 'x').
local function located(list, add)
  for _, item in ipairs(type(list) == 'table' and list or {}) do
    local loc = type(item) == 'table' and item.loc
    if type(loc) == 'table' and item.type == 'extra_forbidden' then
      add(steps_of(loc))
    end
  end
end

--- @param message string
--- @param add fun(path: (string|integer)[], value: boolean?)
local function of_message(message, add)
  local at, last = message:find(EXTRA, 1, true)
  while at do
    local path = message:sub(math.max(1, at - PATH_LEN), at - 1):match('[%w_.-]+$')
    if path then
      add(M.split(path))
    end
    at, last = message:find(EXTRA, last, true)
  end
  for name, rest in message:gmatch('Unknown name "([%w_$.-]+)"([^\n]*)') do
    local where = rest:match('^ at \'([%w_.%[%]-]*)\'') or ''
    local parts = M.split(where)
    parts[#parts + 1] = name
    add(parts)
  end
  for where, name in message:gmatch(NESTED) do
    local parts = M.split(where)
    parts[#parts + 1] = name
    add(parts)
  end
  local property = message:match('^property [\'"]([%w_.-]+)[\'"] is unsupported')
  if property then
    add(M.split(property))
  end
  for loc in message:gmatch('extra_forbidden[\'"], [\'"]loc[\'"]: %(([^()]*)%)') do
    local parts = {}
    for part in loc:gmatch('[^, ]+') do
      local name = part:match('^[\'"](.*)[\'"]$')
      if name ~= 'body' or #parts > 0 then
        parts[#parts + 1] = name or tonumber(part)
      end
    end
    add(parts)
  end
  for _, pattern in ipairs(WORDS) do
    for found in message:gmatch(pattern) do
      for path in found:gmatch('[^, ]+') do
        add(M.split((path:gsub('%.$', ''))), pattern:find('^Unsupported value') ~= nil)
      end
    end
  end
  for _, meant in ipairs(MEANT) do
    if message:find(meant[1], 1, true) then
      add(M.split(meant[2]), meant[3])
    end
  end
end

--- Gathers every text of an answer that may be a message.
local function messages_of(body, text)
  if type(body) ~= 'table' then
    return { (type(body) == 'string' and body or text):sub(1, MESSAGE_LEN) }
  end
  local out = {}
  local inner = type(body.error) == 'table' and body.error or body
  local function take(value)
    out[#out + 1] = type(value) == 'string' and value:sub(1, MESSAGE_LEN) or nil
  end
  take(body.error)
  for _, name in ipairs({ 'message', 'detail', 'msg' }) do
    take(inner[name])
    take(inner ~= body and body[name] or nil)
  end
  return out
end

--- What an upstream's refusal names as not supported.
---
--- @param text string The refusal's body.
--- @return table[] found { path: (string|integer)[], value: boolean?, use: string? }; `value`: it
---   is refused only with the value it has; `use`: another name for it that the upstream takes.
function M.read(text)
  local body = json.decode(text)
  local first = json.is_array(body) and type(body[1]) == 'table' and body[1] or body
  local found, seen = {}, {}
  local messages = messages_of(first, text)
  local all = table.concat(messages, '\n')
  local use = all:match('[Uu]se [\'"`](max_[%w_]*tokens)[\'"`] instead')
  local function add(path, value)
    local key = table.concat(path, '.')
    if #path > 0 and #path <= 12 and #key <= PATH_LEN and not seen[key] and #found < PATHS_MAX then
      seen[key] = true
      local renamed = #path == 1 and path[1] ~= use
        and tostring(path[1]):find('^max_[%w_]*tokens$')
      found[#found + 1] = { path = path, value = value or nil, use = renamed and use or nil }
    end
  end
  if type(first) == 'table' then
    local inner = type(first.error) == 'table' and first.error or first
    if CODES[inner.code] and type(inner.param) == 'string' and inner.param ~= '' then
      add(M.split(inner.param), inner.code == 'unsupported_value')
    end
    located(first.detail, add)
    located(type(first.message) == 'table' and first.message.detail, add)
  end
  for _, message in ipairs(messages) do
    of_message(message, add)
  end
  return found
end

return M
