--- Recorded answers and requests of real vendors, converted to the other protocol and read back.
---
--- The recordings are not part of the project: PX_CORPUS names their folder.

local json = require('px.json')
local kit = require('corpus_kit')
local strict = require('strict')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq
local check_order, context, frames, meaning = kit.check_order, kit.context, kit.frames, kit.meaning
local module, read_stream, write_stream = kit.module, kit.read_stream, kit.write_stream

local CORPUS = os.getenv('PX_CORPUS')
local OTHER = { openai_chat = 'anthropic', anthropic = 'openai_chat' }
local FOLDERS = { openai_chat = 'openai-chat', anthropic = 'anthropic' }

--- Checks an Anthropic stream as its SDK would.
local function check_anthropic(text)
  local next_index, open, ended = 0, nil, false
  local started
  for _, frame in ipairs(frames(text)) do
    local body = assert(json.decode(frame[2]))
    assert(frame[1] == body.type, 'event line and type differ')
    assert(not ended, 'something after message_stop')
    if body.type == 'message_start' then
      assert(not started, 'two message_start')
      started = true
    elseif body.type == 'content_block_start' then
      assert(open == nil and body.index == next_index, 'blocks overlap')
      open, next_index = body.index, next_index + 1
    elseif body.type == 'content_block_delta' then
      assert(body.index == open, 'a delta outside its block')
    elseif body.type == 'content_block_stop' then
      assert(body.index == open, 'a stop outside its block')
      open = nil
    elseif body.type == 'message_delta' then
      assert(open == nil, 'message_delta inside a block')
    elseif body.type == 'message_stop' then
      ended = true
    end
  end
  assert(ended, 'no message_stop')
end

--- Checks a Chat Completions stream as its SDK would.
local function check_openai_chat(text)
  local role, finished, done, seen = 0, 0, 0, -1
  for _, frame in ipairs(frames(text)) do
    assert(done == 0, 'something after [DONE]')
    if frame[2] == '[DONE]' then
      done = 1
    else
      local body = assert(json.decode(frame[2]))
      local choice = body.choices[1]
      if choice then
        role = role + (choice.delta.role and 1 or 0)
        finished = finished + (choice.finish_reason ~= json.null and 1 or 0)
        for _, call in ipairs(choice.delta.tool_calls or {}) do
          assert(call.index <= seen + 1, 'a gap in tool indices')
          assert((call.index == seen + 1) == (call.id ~= nil), 'an id but in the first delta')
          seen = math.max(seen, call.index)
        end
      end
    end
  end
  assert(role == 1 and finished == 1 and done == 1, 'role, finish and [DONE] once each')
end

local CHECK = { anthropic = check_anthropic, openai_chat = check_openai_chat }

local function tool_finish(said)
  return said.finish ~= 'tool' or #said.calls > 0
end

--- Converts a reply to the other protocol, as a stream and unary, and compares what comes back.
local function round_trip(protocol, events)
  local other = OTHER[protocol]
  local want = meaning(events)
  if want.error then
    return 'error'
  end
  assert(want.finish, 'no finish')
  assert(tool_finish(want), 'a tool finish without a call')
  want.usage = want.usage or { 0, 0, 0, 0, 0 }
  local text = write_stream(other, events, context())
  CHECK[other](text)
  local back = read_stream(other, frames(text), context())
  check_order(back)
  local got = meaning(back)
  if want.usage[4] == 0 and want.usage[1] == 0 then
    got.usage = want.usage -- Estimated by the writer.
  end
  eq(want, got)
  local body = module(other, 'reply').write(events, context())
  local unary = module(other, 'reply').read(assert(json.decode(json.encode(body))), context())
  check_order(unary)
  got = meaning(unary)
  got.usage = (want.usage[4] == 0 and want.usage[1] == 0) and want.usage or got.usage
  eq(want, got)
  return 'reply'
end

--- What a request says, without what only one protocol can say.
local function request_meaning(request)
  local out = { texts = {}, calls = {}, results = {}, images = 0, tools = {} }
  local pairs_of = {}
  local function text(value)
    out.texts[#out.texts + 1] = value:gsub('%s+', ' ')
  end
  for _, block in ipairs(request.system) do
    text(block.text)
  end
  for _, turn in ipairs(request.turns) do
    for _, block in ipairs(turn.blocks) do
      if block.kind == 'text' and block.text:find('%S') then
        text(block.text)
      elseif block.kind == 'document' and block.text then
        text((block.title or '') .. block.text)
      elseif block.kind == 'image' and not block.file then
        out.images = out.images + 1
      elseif block.kind == 'tool_call' then
        local args = block.args == '' and json.object({}) or json.decode(block.args)
        out.calls[#out.calls + 1] = { block.name, args == nil and block.args or json.encode(args) }
        pairs_of[block.id] = block.name
      elseif block.kind == 'tool_result' then
        local inner = {}
        for _, part in ipairs(block.blocks) do
          inner[#inner + 1] = part.text
          if part.kind == 'image' and not part.file then
            out.images = out.images + 1
          end
        end
        assert(pairs_of[block.id], 'a result without a call')
        out.results[#out.results + 1] = { pairs_of[block.id],
          (table.concat(inner, '\n'):gsub('%s+', '')) }
      end
    end
  end
  for _, tool in ipairs(request.tools or {}) do
    if not tool.hosted then
      out.tools[#out.tools + 1] = { tool.name, tool.description }
    end
  end
  out.texts = table.concat(out.texts, ' '):gsub('%s+', '')
  return out
end

-- Clients may send what no repair keeps: a call without its result, texts that are notes of ours.
local function relax(said)
  said.texts = said.texts:gsub('Resultsofthetoolcallsabove:', '')
    :gsub('%[[%w_]+omitted[^%]]*%]', ''):gsub('</?system%-reminder>', '')
  for _, result in ipairs(said.results) do
    result[2] = result[2]:gsub('%[seethenextmessage%]', ''):gsub('^Error:', '')
      :gsub('%[[%w_]+omitted[^%]]*%]', '')
  end
  return said
end

--- Takes away what a writer had to add: a first turn of the user's, and asking for JSON in words.
local function drop_additions(request, back, ctx)
  local first = request.turns[1]
  if first and first.role == 'assistant' and back.turns[1].blocks[1].text == '.' then
    table.remove(back.turns, 1)
  end
  if request.response_format and not ctx.format_tool then
    for i, block in ipairs(back.system) do
      if block.text:find('Answer with one JSON', 1, true) then
        table.remove(back.system, i)
        break
      end
    end
  end
end

local function check_request(protocol, body)
  local other = OTHER[protocol]
  local request = module(protocol, 'request').read(body, context({ knowledge = {} }))
  local plain = context({ model = request.model })
  strict[other](json.decode(json.encode(module(other, 'request').write(request, plain))))
  local ctx = context({ model = request.model, knowledge = { tool_images = true } })
  local written = json.encode(module(other, 'request').write(request, ctx))
  local back = module(other, 'request').read(assert(json.decode(written)), context())
  drop_additions(request, back, ctx)
  local want, got = relax(request_meaning(request)), relax(request_meaning(back))
  if ctx.format_tool then
    got.tools = want.tools
  end
  if #want.tools == 0 and #got.tools > 0 then
    got.tools = want.tools -- Stand-ins for the tools of the history.
  end
  return want, got
end

local counts = { stream = 0, unary = 0, error = 0, request = 0, skipped = 0 }

--- A recorded answer: what it is, told by its shape.
local function check_answer(protocol, status, body)
  if type(body) == 'string' and body:find('data:', 1, true) then
    local events = read_stream(protocol, frames(body), context())
    check_order(events)
    local kind = round_trip(protocol, events)
    counts[kind == 'error' and 'error' or 'stream'] =
      counts[kind == 'error' and 'error' or 'stream'] + 1
  elseif status and status >= 400 then
    local text = type(body) == 'table' and json.encode(body) or tostring(body)
    local failure = module(protocol, 'errors').read(status, text, {}, 0)
    assert(failure.message ~= '' and failure.code)
    local at, written = module(OTHER[protocol], 'errors').write(failure)
    assert(at >= 400)
    assert(written.error.message:find(failure.message, 1, true))
    counts.error = counts.error + 1
  elseif type(body) == 'table' and (body.choices or body.content) then
    local events = module(protocol, 'reply').read(body, context())
    check_order(events)
    round_trip(protocol, events)
    counts.unary = counts.unary + 1
  elseif type(body) == 'table' and body.error then
    local events = module(protocol, 'reply').read(body, context())
    eq('error', events[#events].kind)
    counts.error = counts.error + 1
  else
    counts.skipped = counts.skipped + 1
  end
end

local function is_chat(exchange)
  local path = (exchange.request.uri or ''):gsub('%?.*', '')
  return path:find('chat/completions$') or path:find('/messages$') or path:find('/chat$')
end

local function check_exchange(protocol, exchange, place)
  local body = exchange.request.body
  if not is_chat(exchange) then
    counts.skipped = counts.skipped + 1
    return
  end
  if type(body) == 'table' and body.messages then
    local ok, want, got = pcall(check_request, protocol, body)
    if not ok and type(want) == 'table' then
      error(place .. ': ' .. tostring(want.message), 0)
    elseif not ok then
      error(place .. ': ' .. tostring(want), 0)
    end
    eq(want, got)
    counts.request = counts.request + 1
  end
  check_answer(protocol, exchange.response.status, exchange.response.body)
end

local function check_chunks(protocol, text)
  for _, stream in ipairs(kit.split_streams(protocol, text)) do
    local events = read_stream(protocol, stream, context())
    check_order(events)
    local kind = round_trip(protocol, events)
    counts[kind == 'error' and 'error' or 'stream'] =
      counts[kind == 'error' and 'error' or 'stream'] + 1
  end
end

local function check_file(protocol, path)
  local text = kit.slurp(path)
  if path:find('%.chunks%.txt$') then
    return check_chunks(protocol, text)
  elseif path:find('%.sse$') then
    return check_answer(protocol, 200, text)
  end
  local body = assert(json.decode(text))
  if not body.exchanges then
    return check_answer(protocol, nil, body)
  end
  for i, exchange in ipairs(body.exchanges) do
    check_exchange(protocol, exchange, 'exchange ' .. (i - 1))
  end
end

if not CORPUS then
  print('# skipped: PX_CORPUS is not set, so there are no recordings to read')
else
  for protocol, folder in pairs(FOLDERS) do
    describe(folder, function()
      for _, path in ipairs(kit.list(CORPUS .. '/' .. folder)) do
        it(path:sub(#CORPUS + #folder + 3), function()
          check_file(protocol, path)
        end)
      end
    end)
  end
  print(('# %d streams, %d unary answers, %d errors, %d requests, %d not of a chat'):format(
    counts.stream, counts.unary, counts.error, counts.request, counts.skipped))
end

t.finish()
