--- Parameters of an Ollama request, by meaning.

local effort = require('protocol._effort')
local json = require('px.json')
local params = require('protocol._params')

local value, put = params.value, params.put

--- Sets an option, of which a body may have none yet.
local function put_option(body, name, wish)
  if wish == nil then
    body:remove('options.' .. name)
  elseif body:set('options.' .. name, wish) == 0 then
    body:set('options', { [name] = wish })
  end
end

local function option(name)
  return {
    get = function(body)
      return value(body, 'options.' .. name)
    end,
    set = function(body, wish)
      put_option(body, name, wish)
    end,
  }
end

local max_tokens = {}

function max_tokens.get(body)
  local count = value(body, 'options.num_predict')
  return json.is_number(count) and json.tonumber(count) >= 1 and count or nil
end

function max_tokens.set(body, count)
  put_option(body, 'num_predict', count)
end

local stop = {}

function stop.get(body)
  local list = value(body, 'options.stop')
  return type(list) == 'string' and { list } or list
end

function stop.set(body, list)
  if type(list) == 'string' then
    list = { list }
  end
  put_option(body, 'stop', list and json.array(list))
end

local reasoning = {}
local FROM_THINK = { [true] = 'auto', [false] = 'off' }
local TO_THINK = { auto = true, off = false, minimal = 'low', xhigh = 'max' }

function reasoning.get(body)
  local think = value(body, 'think')
  return FROM_THINK[think] or think
end

function reasoning.set(body, wish)
  if type(wish) == 'number' then
    wish = effort.of_budget(wish)
  elseif wish ~= nil and not effort.known(wish) then
    error(('reasoning: %q is not an effort'):format(tostring(wish)), 4)
  end
  local think = TO_THINK[wish]
  if think == nil then
    think = wish
  end
  put(body, 'think', think)
end

local response_format = {}

function response_format.get(body)
  local format = value(body, 'format')
  if type(format) == 'table' then
    return { kind = 'schema', schema = format }
  end
  return format == 'json' and { kind = 'json' } or nil
end

function response_format.set(body, format)
  if type(format) == 'table' and format.kind == 'schema' then
    put(body, 'format', format.schema)
  else
    put(body, 'format', format ~= nil and 'json' or nil)
  end
end

return params.module('Ollama', {
  temperature = option('temperature'),
  top_p = option('top_p'),
  top_k = option('top_k'),
  seed = option('seed'),
  presence_penalty = option('presence_penalty'),
  frequency_penalty = option('frequency_penalty'),
  max_tokens = max_tokens,
  stop = stop,
  reasoning = reasoning,
  response_format = response_format,
})
