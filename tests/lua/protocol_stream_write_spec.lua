--- Streams written for strict clients, one claim each.

local json = require('px.json')
local kit = require('corpus_kit')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

--- Ids and times that tests know.
local function context(more)
  local ctx = kit.context(more)
  ctx.id, ctx.now, ctx.origin = 'ID', 7, more and more.origin
  return ctx
end

local function write(protocol, events, more)
  return kit.write_stream(protocol, events, context(more))
end

local function e(kind, index, text)
  return { kind = kind, index = index, text = text }
end
local function call(index, id, name)
  return { kind = 'tool_start', index = index, id = id, name = name }
end

local STARTED = { kind = 'start', id = 'u', model = 'up' }
local USED = { kind = 'usage', input = 3, cache_read = 4, cache_write = 0, output = 9,
  reasoning = 2 }
local function done(reason)
  return { kind = 'finish', reason = reason }
end

--- Frames of an Anthropic stream in short.
local function claude_short(text)
  local out = {}
  for kind, data in text:gmatch('event: ([%w_]+)\ndata: (.-)\n\n') do
    local body = json.decode(data)
    eq(kind, body.type)
    local at = body.index and ('%d'):format(body.index) or ''
    if kind == 'content_block_start' then
      out[#out + 1] = '+' .. at .. body.content_block.type
    elseif kind == 'content_block_delta' then
      local d = body.delta
      out[#out + 1] = at .. ':' .. (d.text or d.thinking or d.partial_json or d.signature or d.type)
    elseif kind == 'content_block_stop' then
      out[#out + 1] = '-' .. at
    elseif kind == 'message_delta' then
      out[#out + 1] = body.delta.stop_reason
    else
      out[#out + 1] = kind
    end
  end
  return table.concat(out, ' ')
end

local CLAUDE_WRITES = {
  { 'text', { STARTED, e('text', 0, 'a'), e('text', 0, 'b'), e('block_stop', 0), done('stop'),
    USED }, 'message_start +0text 0:a 0:b -0 end_turn message_stop' },
  { 'an empty reply', { STARTED, done('stop') }, 'message_start end_turn message_stop' },
  { 'no start', { e('text', 0, 'a'), done('stop') },
    'message_start +0text 0:a -0 end_turn message_stop' },
  { 'thinking, then text', { STARTED, e('thinking', 0, 'hm'), e('signature', 0, 'S'),
    e('block_stop', 0), e('text', 1, 'a'), done('stop') },
    'message_start +0thinking 0:hm 0:S -0 +1text 1:a -1 end_turn message_stop' },
  { 'text that closes thinking', { STARTED, e('thinking', 0, 'hm'), e('text', 1, 'a'),
    e('block_stop', 0), e('block_stop', 1), done('stop') },
    'message_start +0thinking 0:hm -0 +1text 1:a -1 end_turn message_stop' },
  { 'a call without arguments', { STARTED, call(0, 'a', 'f'), e('block_stop', 0), done('tool') },
    'message_start +0tool_use -0 tool_use message_stop' },
  { 'calls that are mixed', { STARTED, call(0, 'a', 'f'), call(1, 'b', 'g'), e('args', 0, '{'),
    e('args', 1, '['), e('args', 0, '}'), e('args', 1, ']'), e('block_stop', 0),
    e('block_stop', 1), done('tool') },
    'message_start +0tool_use 0:{ 0:} -0 +1tool_use 1:[ 1:] -1 tool_use message_stop' },
  { 'a later call that ends first', { STARTED, call(0, 'a', 'f'), call(1, 'b', 'g'),
    e('args', 1, '[]'), e('block_stop', 1), e('args', 0, '{}'), e('block_stop', 0),
    done('tool') },
    'message_start +0tool_use 0:{} -0 +1tool_use 1:[] -1 tool_use message_stop' },
  { 'calls that never end', { STARTED, call(0, 'a', 'f'), call(1, 'b', 'g'), call(2, 'c', 'h'),
    done('tool') },
    'message_start +0tool_use -0 +1tool_use -1 +2tool_use -2 tool_use message_stop' },
  { 'a refusal', { STARTED, e('refusal', 0, 'no'), e('block_stop', 0), done('filter') },
    'message_start +0text 0:no -0 refusal message_stop' },
  { 'pings', { STARTED, { kind = 'ping' }, done('stop') },
    'message_start ping end_turn message_stop' },
}

describe('a stream for a client of Anthropic\'s', function()
  for _, case in ipairs(CLAUDE_WRITES) do
    it('is written: ' .. case[1], function()
      eq(case[3], claude_short(write('anthropic', case[2])))
    end)
  end

  it('says numbers at the start and the truth at the end', function()
    local text = write('anthropic', { STARTED, done('length'), USED }, { estimate = 12 })
    assert(text:find('"usage":{"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
      .. '"input_tokens":12,"output_tokens":0}', 1, true))
    assert(text:find('"usage":{"cache_creation_input_tokens":0,"cache_read_input_tokens":4,'
      .. '"input_tokens":3,"output_tokens":9,"output_tokens_details":{"thinking_tokens":2}}', 1,
      true))
    assert(text:find('"id":"msg_ID"', 1, true) and text:find('"model":"m"', 1, true))
  end)

  it('ends with an error and nothing else', function()
    local step = require('protocol.anthropic.stream').writer(context())
    step(STARTED)
    eq('event: error\ndata: {"error":{"message":"gone","type":"api_error"},"type":"error"}\n\n',
      step({ kind = 'error', code = 'cut', message = 'gone' }))
    eq(nil, step(e('text', 0, 'late')))
    eq(nil, step(nil))
  end)

  it('tags foreign proofs', function()
    local events = { STARTED, e('thinking', 0, 'hm'), e('signature', 0, 'S'), done('stop') }
    assert(write('anthropic', events, { origin = 'openai_chat' })
      :find('"signature":"openai_chat#S"', 1, true))
    assert(write('anthropic', events, { origin = 'anthropic:opus' })
      :find('"signature":"S"', 1, true))
  end)
end)

local HEAD = 'data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":7,"model":"m",'
  .. '"choices":[{"index":0,"delta":'
local REST = ',"finish_reason":null}],"usage":null}\n\n'
local ROLE = HEAD .. '{"role":"assistant","content":""}' .. REST

local function ending(reason)
  return HEAD .. '{},"finish_reason":"' .. reason .. '"}],"usage":null}\n\n'
end

local USAGE = 'data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":7,"model":"m",'
  .. '"choices":[],"usage":{"completion_tokens":9,"completion_tokens_details":'
  .. '{"reasoning_tokens":2},"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":4},'
  .. '"total_tokens":16}}\n\n'
local DONE = 'data: [DONE]\n\n'

describe('a stream for a client of chat', function()
  it('begins with the role and ends with usage and [DONE]', function()
    eq(ROLE .. HEAD .. '{"content":"a\\n"}' .. REST .. ending('stop') .. USAGE .. DONE,
      write('openai_chat', { STARTED, e('text', 0, 'a\n'), e('block_stop', 0), done('stop'),
        USED }))
  end)

  it('tells usage only to who asked', function()
    local text = write('openai_chat', { STARTED, done('stop'), USED }, { include_usage = false })
    eq(nil, text:find('usage', 1, true))
  end)

  it('numbers calls from 0 and gives each an argument', function()
    eq(ROLE .. HEAD .. '{"tool_calls":[{"function":{"arguments":"","name":"f"},"id":"a","index":0,'
      .. '"type":"function"}]}' .. REST
      .. HEAD .. '{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}' .. REST
      .. HEAD .. '{"tool_calls":[{"function":{"arguments":"","name":"g"},"id":"b","index":1,'
      .. '"type":"function"}]}' .. REST
      .. HEAD .. '{"tool_calls":[{"index":1,"function":{"arguments":"[1]"}}]}' .. REST
      .. ending('tool_calls') .. USAGE .. DONE,
      write('openai_chat', { STARTED, call(1, 'a', 'f'), e('block_stop', 1), call(2, 'b', 'g'),
        e('args', 2, '[1]'), e('block_stop', 2), done('tool'), USED }))
  end)

  it('carries thoughts, and their proofs with a tag', function()
    local text = write('openai_chat', { STARTED, e('thinking', 0, 'h'), e('thinking', 0, 'm'),
      e('signature', 0, 'S'), { kind = 'redacted', index = 1, data = 'D' }, done('stop') },
      { origin = 'anthropic' })
    assert(text:find('"delta":{"reasoning_content":"m"}', 1, true))
    assert(text:find('{"reasoning_details":[{"index":0,"signature":"anthropic#S","text":"hm",'
      .. '"type":"reasoning.text"}]}', 1, true))
    assert(text:find('{"reasoning_details":[{"data":"anthropic#D","index":1,'
      .. '"type":"reasoning.encrypted"}]}', 1, true))
  end)

  it('ends with an error without [DONE]', function()
    local step = require('protocol.openai_chat.stream').writer(context())
    step(STARTED)
    eq('data: {"error":{"code":"upstream_cut","message":"gone","param":null,'
      .. '"type":"server_error"}}\n\n',
      step({ kind = 'error', code = 'cut', message = 'gone' }))
    eq(nil, step(nil))
  end)
end)

t.finish()
