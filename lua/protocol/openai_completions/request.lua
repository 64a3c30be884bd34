--- OpenAI's legacy completions: a prompt without roles. Read from a client alone: every upstream
--- answers it as a conversation of one turn, or takes the bytes if it speaks this protocol too.

local json = require('px.json')
local logprobs = require('protocol._logprobs')
local read = require('protocol._read')

local M = {}

--- @type px.Path[]
M.paths = {
  { method = 'POST', path = '/v1/completions', operation = 'chat' },
  { method = 'POST', path = '/completions', operation = 'chat' },
}

local bad, opt = read.bad, read.opt

-- What the vendor gives when nobody says how much.
local DEFAULT_TOKENS = 16
local LIKELY_MAX = 5

local KNOWN = {}
for name in ([[
  model prompt suffix echo max_tokens temperature top_p n best_of stream stream_options stop seed
  presence_penalty frequency_penalty user logprobs
]]):gmatch('%S+') do
  KNOWN[name] = true
end

local function prompt_of(value)
  if type(value) == 'string' then
    return value
  elseif value == nil then
    bad('prompt is missing', 'prompt')
  end
  local list = read.table(value, 'prompt', 'an array')
  if #list ~= 1 then
    bad('prompt: one prompt can be answered at a time, and tokens cannot be read', 'prompt')
  end
  return type(list[1]) == 'string' and list[1]
    or bad('prompt[0] must be a text; tokens cannot be read', 'prompt[0]')
end

--- What a conversation cannot do.
local function check(body)
  read.one_answer(body.n, 'n')
  read.one_answer(body.best_of, 'best_of')
  local suffix = read.text(body.suffix, 'suffix')
  if suffix and suffix ~= '' then
    bad('suffix: this upstream cannot fill in the middle', 'suffix')
  end
end

--- How many alternatives are asked for of each token; nil when nobody wants to know.
local function read_logprobs(body)
  local count = logprobs.count(body.logprobs, 'logprobs')
  if count and count > LIKELY_MAX then
    bad(('logprobs must not be more than %d'):format(LIKELY_MAX), 'logprobs')
  elseif count and opt(body.echo) == true then
    bad('logprobs: a prompt\'s own cannot be told', 'logprobs')
  end
  return count
end

local function stops_of(value)
  if type(value) == 'string' then
    return { value }
  end
  local out = {}
  for i, text in ipairs(read.table(value, 'stop', 'an array') or {}) do
    out[i] = read.text(text, ('stop[%d]'):format(i - 1))
  end
  return out[1] and out or nil
end

--- @param body table
--- @param ctx px.Context Gets `echo`: what the answer begins with.
--- @return px.Request
function M.read(body, ctx)
  local lost = ctx.lost
  if type(body) ~= 'table' or json.is_array(body) then
    bad('the body must be a JSON object')
  end
  local prompt = prompt_of(opt(body.prompt))
  check(body)
  read.unknown(body, KNOWN, 'request.', lost)
  ctx.echo = opt(body.echo) == true and prompt or nil
  local options = read.table(body.stream_options, 'stream_options', 'an object') or {}
  return {
    model = read.text(body.model, 'model') or bad('model is missing', 'model'),
    system = {},
    turns = { { role = 'user', blocks = { { kind = 'text', text = prompt } } } },
    max_tokens = read.count(body.max_tokens, 'max_tokens') or DEFAULT_TOKENS,
    temperature = read.number(body.temperature, 'temperature'),
    top_p = read.number(body.top_p, 'top_p'),
    stop = stops_of(opt(body.stop)),
    seed = read.number(body.seed, 'seed'),
    logprobs = read_logprobs(body),
    presence_penalty = read.number(body.presence_penalty, 'presence_penalty'),
    frequency_penalty = read.number(body.frequency_penalty, 'frequency_penalty'),
    user = read.text(body.user, 'user'),
    stream = opt(body.stream) == true,
    include_usage = options.include_usage == true,
  }
end

--- @param body px.Body
--- @return boolean
function M.include_usage(body)
  return body:get('stream_options.include_usage') == true
end

return M
