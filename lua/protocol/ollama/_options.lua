--- Sampling and limits, which Ollama keeps under `options`.

local json = require('px.json')
local read = require('protocol._read')

local M = {}

local opt = read.opt

-- The same name and the same meaning in the neutral model.
local SAME = { 'temperature', 'top_p', 'top_k', 'seed', 'presence_penalty', 'frequency_penalty' }

local KNOWN = { num_predict = true, stop = true }
for _, name in ipairs(SAME) do
  KNOWN[name] = true
end

-- Nothing that a request can ask of who runs the model elsewhere, at the value that is so anyway.
local HARMLESS = {
  min_p = 0, typical_p = 1, tfs_z = 1, repeat_penalty = 1, repeat_last_n = 0, num_keep = 0,
}

local function read_stop(stop)
  if type(stop) == 'string' then
    stop = { stop }
  elseif stop ~= nil and (type(stop) ~= 'table' or json.is_object(stop)) then
    read.bad('options.stop must be an array of strings', 'options.stop')
  end
  local list = {}
  for i, text in ipairs(stop or {}) do
    text = read.text(text, ('options.stop[%d]'):format(i - 1))
    if text and text ~= '' then
      list[#list + 1] = text
    end
  end
  return #list > 0 and list or nil
end

--- @param body table
--- @param request px.Request
--- @param lost fun(path: string)
function M.read(body, request, lost)
  local options = read.table(body.options, 'options', 'an object')
  if not options then
    return
  end
  for _, name in ipairs(SAME) do
    request[name] = read.number(options[name], 'options.' .. name)
  end
  local most = json.tonumber(read.number(options.num_predict, 'options.num_predict') or -1)
  if most >= 1 then -- What is less means no limit.
    request.max_tokens = math.floor(most)
  end
  request.stop = read_stop(opt(options.stop))
  for _, name in ipairs(json.keys(options)) do
    local value = opt(options[name])
    if not KNOWN[name] and value ~= nil and value ~= HARMLESS[name] then
      lost('request.options.' .. name)
    end
  end
end

--- @param request px.Request
--- @param ctx px.Context
--- @param lost fun(path: string)
--- @return table? options
function M.write(request, ctx, lost)
  local options = {}
  local settings, knowledge = ctx.settings or {}, ctx.knowledge or {}
  for _, name in ipairs(SAME) do
    options[name] = request[name]
  end
  local most = request.max_tokens
  if most and knowledge.max_output and most > knowledge.max_output then
    most = knowledge.max_output
    lost('params.max_tokens')
  end
  options.num_predict = most
  options.stop = request.stop and json.array(request.stop) or nil
  options.num_ctx = settings.num_ctx
  return next(options) ~= nil and options or nil
end

return M
