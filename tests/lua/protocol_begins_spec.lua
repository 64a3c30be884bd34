local anthropic = require('protocol.anthropic.stream')
local chat = require('protocol.openai_chat.stream')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local CHAT = {
  { '{"choices":[{"delta":{"role":"assistant","content":""}}]}', nil },
  { '{"choices":[{"delta":{"role":"assistant","content":null,"refusal":null}}]}', nil },
  { '{"choices":[]}', nil },
  { '{"choices":[{"delta":{},"finish_reason":null}],"usage":{"prompt_tokens":1}}', nil },
  { '{"choices":[{"delta":{"content":"a"}}]}', 'content' },
  { '{"choices":[{"delta":{"reasoning_content":"a"}}]}', 'content' },
  { '{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}', 'content' },
  { '{"choices":[{"delta":{},"finish_reason":"stop"}]}', 'content' },
  { '[DONE]', 'content' },
  { '{"error":{"message":"no"}}', 'error' },
  { '{"error":null,"choices":[]}', nil },
  { '<html>', 'error' },
  { '3', 'error' },
}

local ANTHROPIC = {
  { 'message_start', '{"type":"message_start","message":{}}', nil },
  { 'ping', '{"type":"ping"}', nil },
  { 'content_block_start',
    '{"type":"content_block_start","content_block":{"type":"text","text":""}}', nil },
  { 'content_block_start',
    '{"type":"content_block_start","content_block":{"type":"tool_use","id":"t"}}', 'content' },
  { 'content_block_delta', '{}', 'content' },
  { 'message_delta', '{}', 'content' },
  { 'error', '{"type":"error","error":{}}', 'error' },
  { 'message', '{"type":"content_block_delta"}', 'content' },
  { 'message', '{"type":"error","error":{}}', 'error' },
  { 'message', 'nonsense', 'error' },
}

describe('the start of a stream', function()
  for _, case in ipairs(CHAT) do
    it('of Chat: ' .. case[1], function()
      eq(case[2], chat.begins('message', case[1]))
    end)
  end

  for _, case in ipairs(ANTHROPIC) do
    it('of Anthropic: ' .. case[1] .. ' ' .. case[2], function()
      eq(case[3], anthropic.begins(case[1], case[2]))
    end)
  end
end)

t.finish()
