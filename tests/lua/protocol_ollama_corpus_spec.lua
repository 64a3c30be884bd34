--- Recorded traffic through Ollama: its own recordings read whole, those of others written as
--- Ollama's and read back.

local json = require('px.json')
local kit = require('corpus_kit')
local recordings = require('recordings')
local strict = require('strict')
local strict_ollama = require('strict_ollama')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local ALL = { 'ollama', 'openai_chat', 'anthropic' }
local counts = { streams = 0, replies = 0, failed = 0, errors = 0, requests = 0, refused = 0 }

local function module(protocol, name)
  return require('protocol.' .. protocol .. '.' .. name)
end

local function context(more)
  local ctx = {
    model = 'm', knowledge = {}, lost = function() end, id = 'abcdefghijklmnopqrstuvwx',
    now = 1790000000, stream = true, include_usage = true, settings = {}, origin = 'somewhere',
  }
  for key, value in pairs(more or {}) do
    ctx[key] = value
  end
  return ctx
end

local function copy(value)
  return assert(json.decode(json.encode(value)))
end

local function read_stream(protocol, pieces, ctx)
  local read, out = module(protocol, 'stream').reader(ctx or context()), {}
  for i = 1, #pieces + 1 do
    local piece = pieces[i] or {}
    for _, event in ipairs(read(piece[1], piece[2]) or {}) do
      out[#out + 1] = event
    end
  end
  kit.check_order(out)
  return out
end

--- What Ollama cannot tell: the filter, arguments that are no object, tokens nobody counted.
local function as_ollama(said)
  said.finish = said.finish == 'filter' and 'stop' or said.finish
  if #said.calls > 0 and said.finish == 'stop' then
    said.finish = 'tool'
  end
  for _, call in ipairs(said.calls) do
    local value = json.decode(call.args)
    if type(value) ~= 'table' then
      call.args = json.encode({ _raw = call.args })
    end
  end
  return said
end

local function same(want, got)
  if not want.usage then
    got.usage = nil
  end
  eq(want, got)
end

--- Writes a reply in both forms that Ollama's clients know, as a stream and unary, and reads it
--- back.
local function check_reply(events)
  local want = as_ollama(recordings.meaning(events))
  if want.error then
    local text = kit.write_stream('ollama', events, context())
    strict_ollama.stream(text)
    eq(want.error, recordings.meaning(read_stream('ollama', recordings.lines(text))).error)
    counts.failed = counts.failed + 1
    return
  end
  for _, generate in ipairs({ false, true }) do
    local text = kit.write_stream('ollama', events, context({ generate = generate }))
    strict_ollama.stream(text, generate)
    same(want, recordings.meaning(read_stream('ollama', recordings.lines(text))))
    eq(text, kit.write_stream('ollama', events, context({ generate = generate })))
    local body = copy(module('ollama', 'reply').write(events, context({ generate = generate })))
    strict_ollama.reply(body, generate)
    local back = module('ollama', 'reply').read(body, context())
    kit.check_order(back)
    same(want, recordings.meaning(back))
  end
end

--- Writes a reply of Ollama's for clients of the others, and reads it back.
local function check_foreign(events)
  local want = recordings.meaning(events)
  for _, protocol in ipairs({ 'openai_chat', 'anthropic' }) do
    local text = kit.write_stream(protocol, events, context())
    same(want, recordings.meaning(read_stream(protocol, kit.frames(text))))
    local body = copy(module(protocol, 'reply').write(events, context()))
    same(want, recordings.meaning(module(protocol, 'reply').read(body, context())))
  end
end

-- Requests ----------------------------------------------------------------------------------------

local function squeeze(text)
  return (text:gsub('%s+', ''):gsub('%[[%w_]+omitted[^%]]*%]', ''):gsub('^Error:', ''))
end

local function args_of(text)
  local value = text:find('%S') and json.decode(text) or json.object({})
  if value == nil then
    return json.encode({ _raw = text })
  elseif type(value) ~= 'table' or json.is_array(value) then
    value = json.object(value ~= json.null and { value = value } or {})
  end
  return json.encode(value)
end

--- Takes what a block says into `out`.
local function take_block(out, block)
  if block.kind == 'text' or block.kind == 'refusal' then
    out.texts[#out.texts + 1] = block.text
  elseif block.kind == 'document' and block.text then
    out.texts[#out.texts + 1] = (block.title or '') .. block.text
  elseif block.kind == 'image' and block.data then
    out.images = out.images + 1
  elseif block.kind == 'tool_call' then
    local args = block.custom and json.encode({ input = block.args }) or args_of(block.args)
    out.calls[#out.calls + 1] = { block.name, args }
  elseif block.kind == 'tool_result' then
    local inner = { texts = {}, images = 0, calls = {}, results = {} }
    for _, part in ipairs(block.blocks) do
      take_block(inner, part)
    end
    out.results[#out.results + 1] = { block.name, squeeze(table.concat(inner.texts)) }
    out.images = out.images + inner.images
  end
end

--- What a request says, without what Ollama cannot say.
local function request_meaning(request)
  local out = { texts = {}, calls = {}, results = {}, images = 0, tools = {} }
  for _, block in ipairs(request.system) do
    if block.text:sub(1, 26) ~= 'x-anthropic-billing-header' then
      take_block(out, block)
    end
  end
  for _, turn in ipairs(request.turns) do
    for _, block in ipairs(turn.blocks) do
      take_block(out, block)
    end
  end
  for _, tool in ipairs(request.tools or {}) do
    out.tools[#out.tools + 1] = not tool.hosted and tool.name or nil
  end
  out.texts = squeeze(table.concat(out.texts))
  out.max_tokens, out.temperature, out.stop = request.max_tokens, request.temperature, request.stop
  out.format = request.response_format and request.response_format.kind
  out.stream = request.stream or false
  return out
end

--- The turns as any writer sees them: repaired.
local function repaired(request)
  local out = {}
  for key, value in pairs(request) do
    out[key] = value
  end
  local turns = {}
  for i, turn in ipairs(request.turns) do
    turns[i] = { role = turn.role, blocks = turn.blocks }
  end
  out.turns = require('protocol._turns').repair(turns, function() end)
  local choice = request.tool_choice
  if choice and (choice.mode == 'none' or choice.mode == 'one' or choice.mode == 'subset') then
    out.tools = nil -- Fewer are offered instead.
  end
  return out
end

local function check_request(protocol, body)
  local ctx = context({ knowledge = {} })
  local request = module(protocol, 'request').read(body, ctx)
  local ok, written = pcall(module('ollama', 'request').write, request, context())
  if not ok then
    assert(type(written) == 'table' and written.status == 400, tostring(written))
    counts.refused = counts.refused + 1
    return
  end
  local text = json.encode(written)
  strict_ollama.request(assert(json.decode(text)))
  local want = repaired(request)
  local back = module('ollama', 'request').read(assert(json.decode(text)), context())
  local got = request_meaning(back)
  if not want.tools then
    got.tools = {}
  end
  eq(request_meaning(want), got)
  eq(text, json.encode(module('ollama', 'request').write(back, context())))
  counts.requests = counts.requests + 1
end

--- A request of an Ollama client, for upstreams of the others.
local function check_request_out(body)
  for _, protocol in ipairs({ 'openai_chat', 'anthropic' }) do
    local ctx = context()
    local request = module('ollama', 'request').read(body, ctx)
    eq(body.stream ~= false, request.stream)
    local written = copy(module(protocol, 'request').write(request, ctx))
    strict[protocol](written)
    local back = module(protocol, 'request').read(written, context())
    local want, got = request_meaning(repaired(request)), request_meaning(back)
    got.max_tokens, got.format = want.max_tokens, want.format
    got.tools = want.tools
    eq(want, got)
  end
end

local function check_file(protocol, path)
  local held = recordings.read(protocol, path)
  for _, pieces in ipairs(held.streams) do
    local events = read_stream(protocol, pieces)
    check_reply(events)
    if protocol == 'ollama' then
      check_foreign(events)
    end
    counts.streams = counts.streams + 1
  end
  for _, body in ipairs(held.replies) do
    local events = module(protocol, 'reply').read(body, context())
    check_reply(events)
    if protocol == 'ollama' then
      check_foreign(events)
    end
    counts.replies = counts.replies + 1
  end
  for _, failure in ipairs(held.errors) do
    local known = module(protocol, 'errors').read(failure[1], failure[2], {}, 0)
    local status, body = module('ollama', 'errors').write(known)
    assert(status >= 400)
    eq({ error = known.message }, body)
    counts.errors = counts.errors + 1
  end
  for _, body in ipairs(held.requests) do
    check_request(protocol, body)
    if protocol == 'ollama' then
      check_request_out(body)
    end
  end
end

if not recordings.FOLDER then
  print('# skipped: PX_CORPUS is not set, so there are no recordings to read')
else
  for _, protocol in ipairs(ALL) do
    describe(protocol .. ' through Ollama', function()
      for _, path in ipairs(recordings.files(protocol)) do
        it(path:sub(#recordings.FOLDER + 2), function()
          local ok, err = pcall(check_file, protocol, path)
          if not ok then
            error(type(err) == 'table' and err.message or err, 0)
          end
        end)
      end
    end)
  end
  print(('# %d streams, %d unary answers (%d of them failures), %d errors, %d requests, %d refused')
    :format(counts.streams, counts.replies, counts.failed, counts.errors, counts.requests,
      counts.refused))
end

t.finish()
