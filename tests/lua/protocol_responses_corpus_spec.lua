--- Recorded traffic through Responses: its own recordings converted to the other protocols and
--- back, those of the others written as Responses, checked strictly, and read back.
---
--- The recordings are not part of the project: PX_CORPUS names their folder.

local json = require('px.json')
local kit = require('corpus_kit')
local strict = require('strict')
local strict_responses = require('strict_responses')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq
local check_order, context, frames, meaning = kit.check_order, kit.context, kit.frames, kit.meaning
local module, write_stream = kit.module, kit.write_stream

local CORPUS = os.getenv('PX_CORPUS')
local OWN = 'openai_responses'
local FOLDERS = {
  openai_responses = 'openai-responses', openai_chat = 'openai-chat', anthropic = 'anthropic',
}
local ENDINGS = { openai_responses = '/responses$', openai_chat = '/chat/completions$',
  anthropic = '/messages$' }

local counts = { stream = 0, unary = 0, failed = 0, refusal = 0, request = 0, refused = 0,
  converted = 0, other = 0 }

local function count(name)
  counts[name] = counts[name] + 1
end

local function copy(value)
  return assert(json.decode(json.encode(value)))
end

local function read_stream(protocol, pieces, ctx)
  local out = kit.read_stream(protocol, pieces, ctx or context())
  check_order(out)
  return out
end

--- Custom tools over Anthropic are functions, whose request says so to the reader.
local function customs_of(events)
  local out = {}
  for _, event in ipairs(events) do
    if event.kind == 'tool_start' and event.custom then
      out[event.name] = true
    end
  end
  return out
end

--- Writes a reply in a protocol, as a stream and unary, and compares what comes back.
local function round_trip(events, via)
  local want = meaning(events)
  if want.error then
    count('failed')
    return
  end
  assert(want.finishes == 1, 'no finish')
  assert(want.finish ~= 'tool' or #want.calls > 0, 'a tool finish without a call')
  local used = want.usage or { 0, 0, 0, 0, 0 } -- Where nobody counted, the writer estimates.
  local more = { customs = customs_of(events) }
  local text = write_stream(via, events, context())
  if via == OWN then
    strict_responses.stream(frames(text))
  end
  local function compare(got)
    if used[1] == 0 and used[4] == 0 then
      got.usage = want.usage
    end
    got.text = got.text:gsub('%[image omitted%]', '')
    eq(want, got)
    count('converted')
  end
  compare(meaning(read_stream(via, frames(text), context(more))))
  local body = copy(module(via, 'reply').write(events, context()))
  if via == OWN then
    strict_responses.reply(body)
  end
  local unary = module(via, 'reply').read(body, context(more))
  check_order(unary)
  compare(meaning(unary))
end

local function check_reply(protocol, events)
  if protocol == OWN then
    round_trip(events, 'openai_chat')
    round_trip(events, 'anthropic')
  end
  round_trip(events, OWN)
end

--- What a request says, without what only one protocol can say.
local function request_meaning(request)
  local out = { texts = {}, calls = {}, results = {}, images = 0, tools = {} }
  local names = {}
  local function take(block, texts)
    if block.kind == 'text' or block.kind == 'refusal' or (block.kind == 'document' and block.text)
    then
      texts[#texts + 1] = (block.title or '') .. block.text
    elseif block.kind == 'image' and not block.file then
      out.images = out.images + 1
    end
  end
  for _, block in ipairs(request.system) do
    take(block, out.texts)
  end
  for _, turn in ipairs(request.turns) do
    for _, block in ipairs(turn.blocks) do
      take(block, out.texts)
      if block.kind == 'tool_call' then
        local value = block.args == '' and json.object({}) or json.decode(block.args)
        out.calls[#out.calls + 1] = { block.name, value == nil and block.args
          or json.encode(value) }
        names[block.id] = block.name
      elseif block.kind == 'tool_result' then
        local inner = {}
        for _, part in ipairs(block.blocks) do
          take(part, inner)
        end
        out.results[#out.results + 1] = { assert(names[block.id], 'a result without a call'),
          table.concat(inner) }
      end
    end
  end
  for _, tool in ipairs(request.tools or {}) do
    if not tool.hosted then
      out.tools[#out.tools + 1] = { tool.name, tool.description }
    end
  end
  out.texts = table.concat(out.texts)
  return out
end

-- White space between parts, and notes of ours.
local function relax(said)
  local function plain(text)
    return (text:gsub('%s+', ''):gsub('%[[%w_]+omitted[^%]]*%]', '')
      :gsub('Resultsofthetoolcallsabove:', ''):gsub('%[seethenextmessage%]', '')
      :gsub('AnswerwithoneJSONobject[^.]*%.', ''):gsub('</?system%-reminder>', '')
      :gsub('^Error:', ''):gsub('Continue%.$', ''))
  end
  said.texts = plain(said.texts)
  for _, result in ipairs(said.results) do
    result[2] = plain(result[2])
  end
  return said
end

local STRICT = {
  openai_responses = strict_responses.request, openai_chat = strict.openai_chat,
  anthropic = strict.anthropic,
}

local function convert(protocol, body, via)
  local read_ctx = context()
  local request = module(protocol, 'request').read(copy(body), read_ctx)
  local plain = context({ model = request.model })
  STRICT[via](copy(module(via, 'request').write(request, plain)))
  local ctx = context({ model = request.model, knowledge = { tool_images = true } })
  local written = copy(module(via, 'request').write(request, ctx))
  local back = module(via, 'request').read(written, context())
  local first, turns = request.turns[1], back.turns
  if via == 'anthropic' and first and first.role == 'assistant'
    and turns[1].blocks[1].text == '.' then
    table.remove(turns, 1)
  end
  local want, got = relax(request_meaning(request)), relax(request_meaning(back))
  if ctx.format_tool or (#want.tools == 0 and #got.tools > 0) then
    got.tools = want.tools -- Stand-ins.
  end
  eq(want, got)
end

--- What was written once is written the same again.
local function check_idempotent(body)
  local function pass(value)
    local request = module(OWN, 'request').read(copy(value), context())
    return module(OWN, 'request').write(request, context({ origin = OWN, model = request.model }))
  end
  local first = copy(pass(body))
  local second = copy(pass(first))
  eq(first, second)
end

local function check_request(protocol, body)
  local ok, problem = pcall(module(protocol, 'request').read, copy(body), context())
  if not ok then
    assert(type(problem) == 'table' and problem.status == 400, tostring(problem))
    assert(problem.raw_code == 'previous_response_not_found', problem.message)
    count('refused')
    return
  end
  for _, via in ipairs(protocol == OWN and { 'openai_chat', 'anthropic', OWN } or { OWN }) do
    local good, why = pcall(convert, protocol, body, via)
    if not good then
      error(via .. ': ' .. (type(why) == 'table' and why.message or tostring(why)), 0)
    end
  end
  if protocol == OWN then
    check_idempotent(body)
  end
  count('request')
end

local function check_answer(protocol, status, body)
  if type(body) == 'string' and body:find('data:', 1, true) then
    count('stream')
    check_reply(protocol, read_stream(protocol, frames(body)))
  elseif status and status >= 400 then
    local text = type(body) == 'table' and json.encode(body) or tostring(body)
    local failure = module(protocol, 'errors').read(status, text, {}, 0)
    for via in pairs(FOLDERS) do
      local at, written = module(via, 'errors').write(failure)
      assert(at >= 400 and written.error.message:find(failure.message, 1, true))
    end
    count('refusal')
  elseif type(body) == 'table' and (body.output or body.choices or body.content or body.error) then
    local events = module(protocol, 'reply').read(body, context())
    check_order(events)
    count('unary')
    check_reply(protocol, events)
  else
    count('other')
  end
end

local function check_file(protocol, path)
  local text = kit.slurp(path)
  if path:find('%.chunks%.txt$') then
    for _, stream in ipairs(kit.split_streams(protocol, text)) do
      count('stream')
      check_reply(protocol, read_stream(protocol, stream))
    end
    return
  elseif path:find('%.sse$') then
    return check_answer(protocol, 200, text)
  end
  local body = assert(json.decode(text))
  if not body.exchanges then
    return check_answer(protocol, nil, body)
  end
  for i, exchange in ipairs(body.exchanges) do
    local asked = exchange.request.body
    local uri = (exchange.request.uri or ''):gsub('%?.*', '')
    local ok, why = pcall(function()
      if exchange.request.method ~= 'POST' or not uri:find(ENDINGS[protocol]) then
        return count('other')
      elseif type(asked) == 'table' and (asked.input or asked.messages) then
        check_request(protocol, asked)
      end
      check_answer(protocol, exchange.response.status, exchange.response.body)
    end)
    if not ok then
      error(('exchange %d: %s'):format(i - 1, type(why) == 'table' and why.message or why), 0)
    end
  end
end

if not CORPUS then
  print('# skipped: PX_CORPUS is not set, so there are no recordings to read')
else
  for _, protocol in ipairs({ OWN, 'openai_chat', 'anthropic' }) do
    describe(FOLDERS[protocol] .. ' by way of Responses', function()
      for _, path in ipairs(kit.list(CORPUS .. '/' .. FOLDERS[protocol])) do
        it(path:sub(#CORPUS + #FOLDERS[protocol] + 3), function()
          check_file(protocol, path)
        end)
      end
    end)
  end
  print(('# %d streams, %d unary answers, %d of them failed; %d conversions of answers; '
    .. '%d refusals; %d requests, %d more that name kept state; %d not of a chat'):format(
    counts.stream, counts.unary, counts.failed, counts.converted, counts.refusal, counts.request,
    counts.refused, counts.other))
end

t.finish()
