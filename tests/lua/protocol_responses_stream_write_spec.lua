--- Responses streams written for strict clients, one claim each.

local json = require('px.json')
local kit = require('corpus_kit')
local strict = require('strict_responses')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

--- Ids and times that tests know.
local function context(more)
  local ctx = kit.context(more)
  ctx.id, ctx.now, ctx.origin = 'ID', 7, more and more.origin or 'openai_responses'
  return ctx
end

local function write(events, more)
  return kit.write_stream('openai_responses', events, context(more))
end

--- The last response of a stream that strict clients accept.
local function written(events, more)
  local list = kit.frames(write(events, more))
  local kind = strict.stream(list)
  return json.decode(list[#list][2]).response, kind, list
end

local function text(index, value)
  return { kind = 'text', index = index, text = value }
end

local function stop(index)
  return { kind = 'block_stop', index = index }
end

local function call(index, id, name, custom)
  return { kind = 'tool_start', index = index, id = id, name = name, custom = custom }
end

local function args(index, value)
  return { kind = 'args', index = index, text = value }
end

local START = { kind = 'start', id = 'x', model = 'm' }
local STOP = { kind = 'finish', reason = 'stop' }
local TOOL = { kind = 'finish', reason = 'tool' }

--- The items of a response in short.
local function items(response)
  local out = {}
  for _, item in ipairs(response.output) do
    local texts = {}
    for _, part in ipairs(item.content or item.summary or {}) do
      texts[#texts + 1] = part.text or part.refusal
    end
    local said = item.arguments or item.input or table.concat(texts, '|')
    out[#out + 1] = ('%s(%s%s)%s'):format(item.type, item.name and item.name .. ':' or '', said,
      item.status == 'incomplete' and '!' or '')
  end
  return table.concat(out, ' ')
end

describe('a Responses stream is written:', function()
  it('text in a row is one message of parts, text after a call a new one', function()
    local response, kind = written({ START, text(0, 'a'), stop(0), text(1, 'b'), stop(1),
      call(2, 'c', 'f'), args(2, '{}'), stop(2), text(3, 'd'), stop(3), TOOL })
    eq('message(a|b) function_call(f:{}) message(d)', items(response))
    eq('response.completed', kind)
  end)

  it('hundreds of texts and what comes between them, numbered without a gap', function()
    local events, said = { START }, {}
    for i = 1, 230 do
      events[#events + 1] = text(0, i .. ' ')
      said[i] = i .. ' '
      for _ = 1, i % 7 == 0 and i % 13 or 0 do
        events[#events + 1] = { kind = 'citation', index = 0, url = 'u', first = 0, last = 1 }
      end
    end
    events[#events + 1], events[#events + 2] = stop(0), STOP
    eq('message(' .. table.concat(said) .. ')', items((written(events))))
  end)

  it('calls that come mixed, one after the other', function()
    local response = written({ START, call(0, 'a', 'f'), call(1, 'b', 'g'), args(1, '{"y":'),
      args(0, '{"x":'), args(0, '1}'), args(1, '2}'), stop(0), stop(1), TOOL })
    eq('function_call(f:{"x":1}) function_call(g:{"y":2})', items(response))
  end)

  it('text inside an open call waits, text inside thinking does not', function()
    local thought = { kind = 'thinking', index = 0, text = 'A' }
    local response = written({ START, thought, text(1, 'b'), stop(0), call(2, 'c', 'f'),
      text(3, 'd'), args(2, '{}'), stop(2), stop(3), stop(1), TOOL })
    eq('reasoning(A) message(b) function_call(f:{}) message(d)', items(response))
  end)

  it('arguments where there are none', function()
    local response, _, list = written({ START, call(0, 'a', 'f'), stop(0), TOOL })
    eq('function_call(f:{})', items(response))
    eq('response.function_call_arguments.delta', list[4][1])
  end)

  it('custom calls and namespaces', function()
    local spaces = { crm__find = { namespace = 'crm', name = 'find' } }
    local response = written({ START, call(0, 'a', 'patch', true), args(0, 'free\ntext'), stop(0),
      call(1, 'b', 'crm__find'), stop(1), TOOL }, { namespaces = spaces })
    eq('custom_tool_call(patch:free\ntext) function_call(find:{})', items(response))
    eq('crm', response.output[2].namespace)
    eq('ctc_ID_0', response.output[1].id)
  end)

  it('a custom tool that its upstream took for a function', function()
    local response = written({ START, call(0, 'a', 'patch'), args(0, '{"input":"free'),
      args(0, '\\ntext"}'), stop(0), call(1, 'b', 'patch'), args(1, 'plain'), stop(1), TOOL },
      { declared = { patch = true } })
    eq('custom_tool_call(patch:free\ntext) custom_tool_call(patch:plain)', items(response))
  end)

  it('thinking with its proof, tagged when it is of others', function()
    local events = { START, { kind = 'thinking', index = 0, text = 'A' },
      { kind = 'signature', index = 0, text = 'p' }, stop(0),
      { kind = 'redacted', index = 1, data = 'd' }, stop(1), STOP }
    local own = written(events)
    eq('p', own.output[1].encrypted_content)
    eq('d', own.output[2].encrypted_content)
    local other = written(events, { origin = 'anthropic:opus' })
    eq('anthropic:opus#p', other.output[1].encrypted_content)
    eq('anthropic:opus#redacted:d', other.output[2].encrypted_content)
    eq('reasoning(A) reasoning()', items(other))
  end)

  it('citations, which others than the web\'s lose', function()
    local lost = {}
    local response = written({ START, text(0, 'a'),
      { kind = 'citation', index = 0, url = 'u', first = 0, last = 1 },
      { kind = 'citation', index = 0, json = { type = 'page_location' }, protocol = 'anthropic' },
      stop(0), STOP }, { lost = function(path)
        lost[#lost + 1] = path
      end })
    eq('u', response.output[1].content[1].annotations[1].url)
    eq({ 'reply.citations' }, lost)
  end)

  it('hosted items of its own, not of others', function()
    local item = json.decode('{"type":"web_search_call","id":"ws_1","status":"completed"}')
    local response = written({ START,
      { kind = 'opaque', index = 0, json = item, protocol = 'openai_responses' }, stop(0),
      { kind = 'opaque', index = 1, json = { type = 'x' }, protocol = 'anthropic' }, stop(1),
      text(2, 'a'), stop(2), STOP })
    eq('web_search_call() message(a)', items(response))
  end)

  for reason, why in pairs({ length = 'max_output_tokens', filter = 'content_filter' }) do
    it('an end by ' .. reason .. ' is incomplete, as is its last item', function()
      local response, kind = written({ START, text(0, 'a'), stop(0), call(1, 'c', 'f'),
        args(1, '{"x'), stop(1), { kind = 'finish', reason = reason } })
      eq('response.incomplete', kind)
      eq(why, response.incomplete_details.reason)
      eq('message(a) function_call(f:{"x)!', items(response))
    end)
  end

  it('usage, also when it comes after the finish', function()
    local response = written({ START, text(0, 'a'), stop(0), STOP, { kind = 'usage', input = 3,
      cache_read = 4, cache_write = 2, output = 5, reasoning = 1 } })
    eq({ input_tokens = 9, input_tokens_details = { cached_tokens = 4, cache_write_tokens = 2 },
      output_tokens = 5, output_tokens_details = { reasoning_tokens = 1 }, total_tokens = 14 },
      response.usage)
  end)

  it('an error after content: error, then failed, and items stay open', function()
    local response, kind, list = written({ START, call(0, 'a', 'f'), args(0, '{"x'),
      { kind = 'error', code = 'rate_limit', message = 'Slow down.', status = 429,
        retry_after = 3 } })
    eq('response.failed', kind)
    eq('error', list[#list - 1][1])
    eq('rate_limit_exceeded', response.error.code)
    eq('Slow down. Please try again in 3s.', response.error.message)
    eq(0, #response.output)
  end)

  it('an error that comes first', function()
    local text_of = write({ { kind = 'error', code = 'cut', message = 'Cut.', status = 502 } })
    local list = kit.frames(text_of)
    eq({ 'error', 'response.failed' }, { list[1][1], list[2][1] })
    eq('upstream_cut', json.decode(list[1][2]).code)
  end)

  it('an empty answer, and pings as comments', function()
    local response = written({ { kind = 'ping' }, START, { kind = 'ping' }, STOP })
    eq(0, #response.output)
    eq(': ping\n\n', kit.module('openai_responses', 'stream').keepalive)
    eq(': ping\n\n', kit.writer('openai_responses', context())({ kind = 'ping' }))
  end)

  it('what it repeats of the request', function()
    local echo = { temperature = 0.5, tool_choice = 'none' }
    local response = written({ START, STOP }, { echo = echo })
    eq({ 0.5, 'none', 1 }, { response.temperature, response.tool_choice, response.top_p })
  end)
end)

t.finish()
