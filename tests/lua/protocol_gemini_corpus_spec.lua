--- Recorded answers and requests: Gemini's through the other protocols, the others' through Gemini.
---
--- The recordings are not part of the project: PX_CORPUS names their folder.

local json = require('px.json')
local kit = require('corpus_kit')
local knowledge = require('policy.knowledge')
local strict = require('strict')
local strict_gemini = require('strict_gemini')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq
local context, frames, module = kit.context, kit.frames, kit.module

local CORPUS = os.getenv('PX_CORPUS')
local TARGETS = {
  gemini = { 'openai_chat', 'anthropic', 'gemini' },
  anthropic = { 'gemini' }, openai_chat = { 'gemini' },
}
local FOLDERS = { { 'gemini', 'gemini' }, { 'anthropic', 'anthropic' },
  { 'openai_chat', 'openai-chat' } }
local MODELS = { 'gemini-1.5-pro', 'gemini-2.5-flash', 'gemini-3-pro-preview' }

local counts = { stream = 0, unary = 0, error = 0, request = 0, pair = 0, skipped = 0 }

local function same(want, events)
  kit.check_order(events)
  local got = kit.meaning(events)
  if want.usage[1] == 0 and want.usage[4] == 0 then
    got.usage = want.usage -- Estimated by the writer.
  end
  eq(want, got)
end

--- What Gemini cannot say: how much was written to a cache is fresh input there.
local function through_gemini(want)
  local usage = want.usage
  want.usage = { usage[1] + usage[3], usage[2], 0, usage[4], math.min(usage[5], usage[4]) }
  for _, call in ipairs(want.calls) do
    local value = json.decode(call.args)
    if type(value) ~= 'table' or json.is_array(value) then
      call.args = nil
    end
  end
  return want
end

local function without_odd_args(want, events)
  for i, call in ipairs(want.calls) do
    if call.args == nil then
      local at = 0
      for _, event in ipairs(events) do
        at = at + (event.kind == 'tool_start' and 1 or 0)
        if event.kind == 'args' and at == i then
          call.args = json.encode(json.decode(event.text))
        end
      end
    end
  end
  return want
end

local function through(target, want, events)
  local text = kit.write_stream(target, events, context())
  if target == 'gemini' then
    strict_gemini.stream(text)
    want = through_gemini(want)
  end
  local back = kit.read_stream(target, frames(text), context())
  same(without_odd_args(want, back), back)
  local body = json.encode(module(target, 'reply').write(events, context()))
  same(want, module(target, 'reply').read(assert(json.decode(body)), context()))
  if target == 'gemini' then
    local array = kit.write_stream(target, events, context({ array = true }))
    same(want, module(target, 'reply').read(strict_gemini.array(array), context()))
  end
end

--- Converts a reply to the other protocols, as a stream and unary, and compares what comes back.
local function check_reply(protocol, events, kind)
  kit.check_order(events)
  if kit.meaning(events).error then
    counts.error = counts.error + 1
    return
  end
  for _, target in ipairs(TARGETS[protocol]) do
    local want = kit.meaning(events)
    assert(want.finish, 'no finish')
    assert(want.finish ~= 'tool' or #want.calls > 0, 'a tool finish without a call')
    want.usage = want.usage or { 0, 0, 0, 0, 0 }
    through(target, want, events)
    counts.pair = counts.pair + 1
  end
  counts[kind] = counts[kind] + 1
end

local function check_answer(protocol, status, body)
  if type(body) == 'string' and body:find('data:', 1, true) then
    check_reply(protocol, kit.read_stream(protocol, frames(body), context()), 'stream')
  elseif status and status >= 400 then
    local text = type(body) == 'table' and json.encode(body) or tostring(body)
    local failure = module(protocol, 'errors').read(status, text, {}, 0)
    assert(failure.message ~= '' and failure.code)
    for _, target in ipairs(TARGETS[protocol]) do
      local at, written = module(target, 'errors').write(failure)
      assert(at >= 400 and written.error.message:find(failure.message, 1, true))
    end
    counts.error = counts.error + 1
  elseif type(body) == 'table'
    and (body.candidates or body.promptFeedback or body.choices or body.content or body[1]) then
    check_reply(protocol, module(protocol, 'reply').read(body, context()), 'unary')
  else
    counts.skipped = counts.skipped + 1
  end
end

local function additions(request, back)
  local first = request.turns[1]
  if first and first.role == 'assistant' and back.turns[1].blocks[1].text == '.' then
    table.remove(back.turns, 1)
  end
  local last = request.turns[#request.turns]
  local ours = back.turns[#back.turns]
  local first_said = ours.blocks[1] and ours.blocks[1].text
  if last and last.role == 'assistant' and first_said == 'Continue.' then
    table.remove(back.turns)
  end
  for i = #back.system, 1, -1 do
    local text = back.system[i].text
    if request.response_format and (text:find('JSON', 1, true)) then
      local ask = text:find('Answer with one JSON', 1, true)
        or text:find('Give the final answer', 1, true)
      back.system[i].text = ask and text:sub(1, ask - 1) or text
    end
  end
end

local function write_request(target, request, ctx)
  local body = json.decode(json.encode(module(target, 'request').write(request, ctx)))
  if target == 'gemini' then
    strict_gemini.request(body)
  elseif not (ctx.knowledge or {}).tool_images then
    strict[target](body)
  end
  return body
end

local function request_through(protocol, target, body, model)
  local request = module(protocol, 'request').read(body, context())
  local known = target == 'gemini' and knowledge.lookup(model, target) or { tool_images = true }
  local lost = {}
  local ctx = context({
    model = model, knowledge = known, origin = target,
    lost = function(path)
      lost[path] = true
    end,
  })
  local written = write_request(target, request, ctx)
  local back = module(target, 'request').read(written, context())
  additions(request, back)
  local want = kit.relax(kit.request_meaning(request))
  local got = kit.relax(kit.request_meaning(back))
  if known.file_urls == false and lost['messages.image'] then
    got.images = want.images -- Only newer models fetch.
  end
  if ctx.format_tool or #want.tools == 0 then
    got.tools = want.tools
  end
  for i, call in ipairs(got.calls) do
    call[1] = ctx.names and ctx.names[call[1]] or call[1]
    local mine = want.calls[i]
    if mine and type(json.decode(mine[2])) ~= 'table' then
      mine[2] = call[2]
    end
  end
  for i, name in ipairs(got.tools) do
    got.tools[i] = ctx.names and ctx.names[name] or name
  end
  for _, result in ipairs(got.results) do
    result[1] = ctx.names and ctx.names[result[1]] or result[1]
  end
  if protocol == 'gemini' then
    for i, result in ipairs(want.results) do
      local mine = got.results[i]
      if mine and json.decode(result[2]) ~= nil then
        result[2], mine[2] = '', ''
      end
    end
  end
  eq(want, got)
end

local REFUSED = { 'images of type' }

local function check_request(protocol, body)
  for _, target in ipairs(TARGETS[protocol]) do
    for _, model in ipairs(target == 'gemini' and MODELS or { 'm' }) do
      local ok, err = pcall(request_through, protocol, target, body, model)
      local message = type(err) == 'table' and err.message or tostring(err)
      local refused = false
      for _, text in ipairs(REFUSED) do
        refused = refused or (type(err) == 'table' and message:find(text, 1, true) ~= nil)
      end
      if not ok and not refused then
        error(target .. ' ' .. model .. ': ' .. message, 0)
      end
    end
  end
  counts.request = counts.request + 1
end

local function is_chat(protocol, exchange)
  local path = (exchange.request.uri or ''):gsub('%?.*', '')
  if protocol == 'gemini' then
    return path:find('generateContent$') or path:find('streamGenerateContent$')
  end
  return path:find('chat/completions$') or path:find('/messages$') or path:find('/chat$')
end

local function check_exchange(protocol, exchange, place)
  local body = exchange.request.body
  if not is_chat(protocol, exchange) then
    counts.skipped = counts.skipped + 1
    return
  end
  if type(body) == 'table' and (body.messages or body.contents) then
    local ok, err = pcall(check_request, protocol, body)
    if not ok then
      error(place .. ': ' .. tostring(err), 0)
    end
  end
  check_answer(protocol, exchange.response.status, exchange.response.body)
end

local function check_responses(text)
  for line in text:gmatch('[^\r\n]+') do
    local record = assert(json.decode(line))
    if record.method == 'generateContentStream' then
      local list = {}
      for i, chunk in ipairs(record.response) do
        list[i] = { 'message', json.encode(chunk) }
      end
      check_reply('gemini', kit.read_stream('gemini', list, context()), 'stream')
    elseif record.method == 'generateContent' then
      check_answer('gemini', nil, record.response)
    else
      counts.skipped = counts.skipped + 1
    end
  end
end

--- One file may hold several streams, one after the other.
local function check_chunks(protocol, text)
  local streams, last_id = {}, nil
  for line in text:gmatch('[^\r\n]+') do
    local body = json.decode(line)
    local fresh = #streams == 0
    if protocol == 'anthropic' then
      fresh = fresh or (type(body) == 'table' and body.type == 'message_start')
    elseif protocol == 'openai_chat' then
      local id = type(body) == 'table' and type(body.id) == 'string' and body.id ~= '' and body.id
      fresh = fresh or (id and last_id and id ~= last_id)
      last_id = id or last_id
    end
    if fresh then
      streams[#streams + 1] = {}
    end
    table.insert(streams[#streams], { 'message', line })
  end
  for _, stream in ipairs(streams) do
    if protocol == 'openai_chat' then
      stream[#stream + 1] = { 'message', '[DONE]' }
    end
    check_reply(protocol, kit.read_stream(protocol, stream, context()), 'stream')
  end
end

local function check_file(protocol, path)
  local text = kit.slurp(path)
  if path:find('%.chunks%.txt$') then
    return check_chunks(protocol, text)
  elseif path:find('%.sse$') then
    return check_answer(protocol, 200, text)
  elseif path:find('%.responses$') then
    return check_responses(text)
  end
  local body = assert(json.decode(text))
  if not body.exchanges then
    return check_answer(protocol, nil, body)
  end
  for i, exchange in ipairs(body.exchanges) do
    if exchange.protocol == (protocol:gsub("_", "-")) then
      check_exchange(protocol, exchange, 'exchange ' .. (i - 1))
    end
  end
end

if not CORPUS then
  print('# skipped: PX_CORPUS is not set, so there are no recordings to read')
else
  for _, pair in ipairs(FOLDERS) do
    local protocol, folder = pair[1], pair[2]
    describe('gemini with ' .. folder, function()
      for _, path in ipairs(kit.list(CORPUS .. '/' .. folder)) do
        it(path:sub(#CORPUS + #folder + 3), function()
          check_file(protocol, path)
        end)
      end
    end)
    print(("# %s: %d streams, %d unary answers (%d conversions), %d errors, %d requests, %d others")
      :format(folder, counts.stream, counts.unary, counts.pair, counts.error,
      counts.request, counts.skipped))
    for name in pairs(counts) do
      counts[name] = 0
    end
  end
end

t.finish()
