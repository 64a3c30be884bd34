--- Parameters of a Gemini request, by meaning. Both spellings of a member are read; a new one is
--- written in camelCase, into the config that is there.

local config = require('protocol.gemini._config')
local effort = require('protocol._effort')
local json = require('px.json')
local names = require('protocol.gemini._names')
local params = require('protocol._params')

local value = params.value

local CONFIG = 'generationConfig'

--- The path of a member as the body spells it, and whether it is there.
local function place(body, path)
  local at = ''
  local found
  for name in path:gmatch('[^.]+') do
    found = value(body, at .. name)
    local snake = names.snake(name)
    if found == nil and value(body, at .. snake) ~= nil then
      name, found = snake, value(body, at .. snake)
    end
    at = at .. name .. '.'
  end
  return at:sub(1, -2), found
end

local function get(body, path)
  local _, found = place(body, path)
  return found
end

local function remove(body, path)
  local at, found = place(body, path)
  if found ~= nil then
    body:remove(at)
  end
end

--- Sets a member; objects on the way to it are made.
local function set(body, path, new)
  if new == nil then
    remove(body, path)
    return
  end
  local at = place(body, path)
  if body:set(at, new) == 0 then
    local parent, name = path:match('^(.*)%.([^.]+)$')
    if parent then
      set(body, parent, json.object({ [name] = new }))
    end
  end
end

local function plain(name)
  local path = CONFIG .. '.' .. name
  return {
    get = function(body)
      return get(body, path)
    end,
    set = function(body, new)
      set(body, path, new)
    end,
  }
end

local stop = plain('stopSequences')

function stop.set(body, list)
  if type(list) == 'string' then
    list = { list }
  end
  set(body, CONFIG .. '.stopSequences', list and json.array(list))
end

local reasoning = {}
local THINKING = CONFIG .. '.thinkingConfig'

function reasoning.get(body)
  local budget, level = get(body, THINKING .. '.thinkingBudget'), get(body, THINKING
    .. '.thinkingLevel')
  if json.is_number(budget) then
    local word = effort.of_budget(json.tonumber(budget))
    return (word == 'off' or word == 'auto') and word or budget
  end
  return type(level) == 'string' and level:lower() or nil
end

local function not_told() end

--- Says it as conversion would. What a client sees of the thoughts is left to it.
function reasoning.set(body, wish, knowledge)
  if wish ~= nil and type(wish) ~= 'number' and not effort.known(wish) then
    error(('reasoning: %q is not an effort'):format(tostring(wish)), 4)
  end
  remove(body, THINKING .. '.thinkingBudget')
  remove(body, THINKING .. '.thinkingLevel')
  if wish == nil then
    return
  end
  local asked = effort.reasoning(wish)
  asked.visible = false
  local made, most = {}, get(body, CONFIG .. '.maxOutputTokens')
  config.thinking(made, {
    max_tokens = json.is_number(most) and json.tonumber(most) or nil, reasoning = asked,
  }, knowledge, not_told)
  local told = made.thinkingConfig or {}
  set(body, THINKING .. '.thinkingBudget', told.thinkingBudget)
  set(body, THINKING .. '.thinkingLevel', told.thinkingLevel)
end

local response_format = {}

function response_format.get(body)
  if get(body, CONFIG .. '.responseMimeType') ~= 'application/json' then
    return nil
  end
  local schema = get(body, CONFIG .. '.responseJsonSchema') or get(body, CONFIG
    .. '.responseSchema')
  return schema and { kind = 'schema', schema = schema } or { kind = 'json' }
end

function response_format.set(body, format)
  for _, name in ipairs({ 'responseMimeType', 'responseJsonSchema', 'responseSchema' }) do
    remove(body, CONFIG .. '.' .. name)
  end
  if format == nil then
    return
  elseif type(format) ~= 'table' or (format.kind ~= 'json' and format.kind ~= 'schema') then
    error('response_format: kind must be json or schema', 4)
  end
  set(body, CONFIG .. '.responseMimeType', 'application/json')
  if format.kind == 'schema' then
    set(body, CONFIG .. '.responseJsonSchema', format.schema)
  end
end

local tool_choice = {}
local CALLING = 'toolConfig.functionCallingConfig'
local MODES = { AUTO = 'auto', ANY = 'any', NONE = 'none', VALIDATED = 'auto' }
local WORDS = { auto = 'AUTO', any = 'ANY', none = 'NONE' }

function tool_choice.get(body)
  local mode = MODES[get(body, CALLING .. '.mode')]
  local allowed = get(body, CALLING .. '.allowedFunctionNames')
  if mode == 'any' and type(allowed) == 'table' and #allowed == 1 then
    return { name = allowed[1] }
  end
  return mode
end

function tool_choice.set(body, choice)
  local name = params.tool_name(choice)
  if choice == nil then
    remove(body, CALLING)
    return
  elseif not name and not WORDS[choice] then
    error(('tool_choice: %s is not a choice'):format(tostring(choice)), 4)
  end
  set(body, CALLING, json.object({
    mode = name and 'ANY' or WORDS[choice],
    allowedFunctionNames = name and json.array({ name }) or nil,
  }))
end

return params.module('Gemini', {
  temperature = plain('temperature'),
  top_p = plain('topP'),
  top_k = plain('topK'),
  max_tokens = plain('maxOutputTokens'),
  stop = stop,
  seed = plain('seed'),
  presence_penalty = plain('presencePenalty'),
  frequency_penalty = plain('frequencyPenalty'),
  reasoning = reasoning,
  response_format = response_format,
  tool_choice = tool_choice,
})
