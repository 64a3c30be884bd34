--- A request without the thoughts of earlier turns, for an upstream that does not accept what signs
--- them: they were made by another model or another account.

local json = require('px.json')

local M = {}

-- What upstreams say. Lower case, plain.
local WORDS = {
  anthropic = { 'signature', 'must start with a thinking block', 'cannot be modified' },
  gemini = { 'thought signature', 'thought_signature', 'thoughtsignature' },
  openai_chat = { 'invalid signature', '`signature`', 'thought signature', 'thought_signature',
    'invalid_encrypted_content' },
  openai_responses = { 'invalid_encrypted_content', 'encrypted content', 'encrypted_content',
    'of type \'reasoning\' was provided without', 'without its required \'reasoning\' item' },
}

--- Tells whether a refusal is about signed thoughts.
---
--- @param protocol string
--- @param text string The refusal's body.
--- @return boolean
function M.meant(protocol, text)
  local lower = text:sub(1, 4000):lower()
  for _, word in ipairs(WORDS[protocol] or {}) do
    if lower:find(word, 1, true) then
      return true
    end
  end
  return false
end

--- Copies a list without what `drop` says; `changed` tells whether anything went.
local function without(list, drop)
  local out, changed = json.array(), false
  for i = 1, #list do
    if drop(list[i]) then
      changed = true
    else
      out[#out + 1] = list[i]
    end
  end
  return out, changed
end

local function is_list(value)
  return type(value) == 'table' and json.is_array(value)
end

local strip = {}

function strip.anthropic(body)
  local changed, calls = false, false
  local messages = json.array()
  for _, message in ipairs(is_list(body.messages) and body.messages or {}) do
    local keep = true
    if type(message) == 'table' and is_list(message.content) then
      local content, went = without(message.content, function(block)
        return type(block) == 'table'
          and (block.type == 'thinking' or block.type == 'redacted_thinking')
      end)
      if went then
        changed = true
        message.content = content
        keep = #content > 0
        for _, block in ipairs(content) do
          calls = calls or (type(block) == 'table' and block.type == 'tool_use')
        end
      end
    end
    messages[#messages + 1] = keep and message or nil
  end
  if changed then
    body.messages = messages
    if calls and type(body.thinking) == 'table' and body.thinking.type == 'enabled' then
      body.thinking = nil  -- Turns that call tools need their thoughts while it is on.
    end
  end
  return changed
end

local SKIP = require('protocol.gemini._proof').SKIP

function strip.gemini(body)
  local changed = false
  for _, content in ipairs(is_list(body.contents) and body.contents or {}) do
    if type(content) == 'table' and is_list(content.parts) then
      local parts, went = without(content.parts, function(part)
        return type(part) == 'table' and part.thought == true
      end)
      changed = changed or went
      local first = true
      for _, part in ipairs(parts) do
        if type(part) == 'table' then
          local proof = part.thoughtSignature or part.thought_signature
          local call = part.functionCall or part.function_call
          local wanted = call and first and content.role == 'model' and SKIP or nil
          first = first and not call
          if proof ~= wanted then
            changed = true
            part.thought_signature, part.thoughtSignature = nil, wanted
          end
        end
      end
      content.parts = #parts > 0 and parts or content.parts
    end
  end
  return changed
end

function strip.openai_chat(body)
  local changed = false
  for _, message in ipairs(is_list(body.messages) and body.messages or {}) do
    if type(message) == 'table' then
      for _, name in ipairs({ 'reasoning_details', 'extra_content' }) do
        changed = changed or message[name] ~= nil
        message[name] = nil
      end
      for _, call in ipairs(is_list(message.tool_calls) and message.tool_calls or {}) do
        if type(call) == 'table' and call.extra_content ~= nil then
          changed = true
          call.extra_content = nil
        end
      end
    end
  end
  return changed
end

function strip.openai_responses(body)
  if not is_list(body.input) then
    return false
  end
  local input, changed = without(body.input, function(item)
    return type(item) == 'table' and item.type == 'reasoning'
  end)
  if changed then
    for _, item in ipairs(input) do
      -- An item with its id is looked for together with the thoughts before it.
      if type(item) == 'table' and item.type ~= 'item_reference' then
        item.id = nil
      end
    end
    body.input = input
  end
  return changed
end

--- Takes the thoughts out of a decoded request.
---
--- @param protocol string
--- @param body table Changed.
--- @return boolean changed
function M.strip(protocol, body)
  return strip[protocol] ~= nil and strip[protocol](body)
end

return M
