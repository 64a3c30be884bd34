--- Parameters of a Chat Completions request, by meaning.

local effort = require('protocol._effort')
local json = require('px.json')
local params = require('protocol._params')
local read = require('protocol._read')

local value, put, opt = params.value, params.put, read.opt

local max_tokens = {}

function max_tokens.get(body)
  return value(body, 'max_completion_tokens') or value(body, 'max_tokens')
end

function max_tokens.set(body, count)
  if count == nil then
    body:remove('max_completion_tokens')
    body:remove('max_tokens')
  elseif value(body, 'max_tokens') and not value(body, 'max_completion_tokens') then
    body:set('max_tokens', count)
  else
    body:set('max_completion_tokens', count)
  end
end

local stop = {}

function stop.get(body)
  local list = value(body, 'stop')
  return type(list) == 'string' and { list } or list
end

function stop.set(body, list)
  put(body, 'stop', type(list) == 'table' and json.array(list) or list)
end

local reasoning = {}

function reasoning.get(body)
  local word = value(body, 'reasoning_effort')
  return word == 'none' and 'off' or word
end

function reasoning.set(body, wish)
  if type(wish) == 'number' then
    wish = effort.of_budget(wish)
  elseif wish ~= nil and not effort.known(wish) then
    error(('reasoning: %q is not an effort'):format(tostring(wish)), 4)
  end
  if wish == 'auto' then
    wish = nil
  end
  put(body, 'reasoning_effort', wish == 'off' and 'none' or wish)
end

local response_format = {}

function response_format.get(body)
  local format = value(body, 'response_format')
  if type(format) ~= 'table' or format.type == 'text' then
    return nil
  elseif format.type == 'json_schema' then
    local inner = read.maybe_table(format.json_schema)
    return {
      kind = 'schema', name = opt(inner.name), schema = opt(inner.schema),
      strict = opt(inner.strict),
    }
  end
  return { kind = 'json' }
end

function response_format.set(body, format)
  if format == nil then
    body:remove('response_format')
  elseif type(format) == 'table' and format.kind == 'schema' then
    body:set('response_format', {
      type = 'json_schema',
      json_schema = {
        name = format.name or 'response', schema = format.schema, strict = format.strict,
      },
    })
  else
    body:set('response_format', { type = 'json_object' })
  end
end

local tool_choice = {}

function tool_choice.get(body)
  local choice = value(body, 'tool_choice')
  if type(choice) == 'table' then
    local inner = choice['function'] or choice.custom
    return type(inner) == 'table' and { name = inner.name } or nil
  end
  return choice == 'required' and 'any' or choice
end

function tool_choice.set(body, choice)
  local name = params.tool_name(choice)
  if name then
    choice = { type = 'function', ['function'] = { name = name } }
  end
  put(body, 'tool_choice', choice == 'any' and 'required' or choice)
end

return params.module('OpenAI Chat', {
  temperature = 'temperature',
  top_p = 'top_p',
  top_k = 'top_k',
  seed = 'seed',
  presence_penalty = 'presence_penalty',
  frequency_penalty = 'frequency_penalty',
  parallel = 'parallel_tool_calls',
  max_tokens = max_tokens,
  stop = stop,
  reasoning = reasoning,
  response_format = response_format,
  tool_choice = tool_choice,
})
