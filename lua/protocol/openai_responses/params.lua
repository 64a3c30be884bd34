--- Parameters of a Responses request, by meaning.

local effort = require('protocol._effort')
local params = require('protocol._params')
local read = require('protocol._read')

local value, put, opt = params.value, params.put, read.opt

local reasoning = {}

function reasoning.get(body)
  local word = value(body, 'reasoning.effort')
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
  elseif wish == 'off' then
    wish = 'none'
  end
  local given = value(body, 'reasoning')
  if type(given) == 'table' then
    put(body, 'reasoning.effort', wish)
  else
    put(body, 'reasoning', wish and { effort = wish })
  end
end

local response_format = {}

function response_format.get(body)
  local format = value(body, 'text.format')
  if type(format) ~= 'table' or format.type == 'text' then
    return nil
  elseif format.type == 'json_schema' then
    return {
      kind = 'schema', name = opt(format.name), schema = opt(format.schema),
      strict = opt(format.strict),
    }
  end
  return { kind = 'json' }
end

function response_format.set(body, format)
  local given
  if type(format) == 'table' and format.kind == 'schema' then
    given = {
      type = 'json_schema', name = format.name or 'response', schema = format.schema,
      strict = format.strict,
    }
  elseif format ~= nil then
    given = { type = 'json_object' }
  end
  if type(value(body, 'text')) == 'table' then
    put(body, 'text.format', given)
  else
    put(body, 'text', given and { format = given })
  end
end

local tool_choice = {}

function tool_choice.get(body)
  local choice = value(body, 'tool_choice')
  if type(choice) == 'table' then
    return opt(choice.name) and { name = choice.name } or nil
  end
  return choice == 'required' and 'any' or choice
end

function tool_choice.set(body, choice)
  local name = params.tool_name(choice)
  if name then
    choice = { type = 'function', name = name }
  end
  put(body, 'tool_choice', choice == 'any' and 'required' or choice)
end

return params.module('OpenAI Responses', {
  temperature = 'temperature',
  top_p = 'top_p',
  parallel = 'parallel_tool_calls',
  max_tokens = 'max_output_tokens',
  reasoning = reasoning,
  response_format = response_format,
  tool_choice = tool_choice,
})
