--- Parameters of an Anthropic Messages request, by meaning.

local effort = require('protocol._effort')
local json = require('px.json')
local params = require('protocol._params')
local thinking = require('protocol.anthropic._thinking')

local value, put = params.value, params.put

local stop = {}

function stop.get(body)
  return value(body, 'stop_sequences')
end

function stop.set(body, list)
  if type(list) == 'string' then
    list = { list }
  end
  put(body, 'stop_sequences', list and json.array(list))
end

local reasoning = {}

function reasoning.get(body)
  local given = value(body, 'thinking')
  local word = value(body, 'output_config.effort')
  if type(given) ~= 'table' then
    return word
  elseif given.type == 'enabled' then
    return given.budget_tokens
  elseif given.type == 'disabled' or given.type == 'between_tools' then
    return 'off'
  end
  return word or 'auto'
end

local function put_effort(body, word)
  if word == nil then
    body:remove('output_config.effort')
  elseif body:set('output_config.effort', word) == 0 then
    body:set('output_config', { effort = word })
  end
end

local function not_told() end

--- Says it as conversion would. What a client sees of the thoughts is left to it.
function reasoning.set(body, wish, knowledge)
  local made = {}
  if wish ~= nil and type(wish) ~= 'number' and not effort.known(wish) then
    error(('reasoning: %q is not an effort'):format(tostring(wish)), 4)
  elseif wish ~= nil then
    local most, asked = value(body, 'max_tokens'), effort.reasoning(wish)
    asked.visible = value(body, 'thinking.display') == 'summarized'
    thinking.set(made, {
      max_tokens = json.is_number(most) and json.tonumber(most) or nil,
      reasoning = asked,
    }, knowledge, not_told)
  end
  put(body, 'thinking', made.thinking)
  put_effort(body, (made.output_config or {}).effort)
end

local response_format = {}

function response_format.get(body)
  local format = value(body, 'output_config.format')
  return type(format) == 'table' and { kind = 'schema', schema = format.schema } or nil
end

function response_format.set(body, format)
  if format == nil then
    body:remove('output_config.format')
  elseif type(format) ~= 'table' or format.kind ~= 'schema' then
    error('response_format: Anthropic takes a schema only', 4)
  else
    local made = { type = 'json_schema', schema = format.schema }
    if body:set('output_config.format', made) == 0 then
      body:set('output_config', { format = made })
    end
  end
end

local tool_choice = {}

function tool_choice.get(body)
  local choice = value(body, 'tool_choice')
  if type(choice) ~= 'table' then
    return nil
  end
  return choice.type == 'tool' and { name = choice.name } or choice.type
end

function tool_choice.set(body, choice)
  local name = params.tool_name(choice)
  local quiet = value(body, 'tool_choice.disable_parallel_tool_use')
  if choice == nil then
    body:remove('tool_choice')
    return
  end
  body:set('tool_choice', {
    type = name and 'tool' or choice, name = name,
    disable_parallel_tool_use = choice ~= 'none' and quiet or nil,
  })
end

local parallel = {}

function parallel.get(body)
  local quiet = value(body, 'tool_choice.disable_parallel_tool_use')
  if quiet ~= nil then
    return not quiet
  end
end

function parallel.set(body, on)
  if on == nil or on == true then
    body:remove('tool_choice.disable_parallel_tool_use')
  elseif body:set('tool_choice.disable_parallel_tool_use', true) == 0 then
    body:set('tool_choice', { type = 'auto', disable_parallel_tool_use = true })
  end
end

return params.module('Anthropic', {
  temperature = 'temperature',
  top_p = 'top_p',
  top_k = 'top_k',
  max_tokens = 'max_tokens',
  stop = stop,
  reasoning = reasoning,
  response_format = response_format,
  tool_choice = tool_choice,
  parallel = parallel,
})
