--- Answers of OpenAI's legacy completions: one text.

local chat = require('protocol.openai_chat.reply')
local errors = require('protocol.openai_chat.errors')
local finish = require('protocol.openai_chat._finish')
local fold = require('protocol._fold')
local json = require('px.json')
local logprobs = require('protocol._logprobs')
local usage = require('protocol.openai_chat._usage')

local M = {}

M.read = chat.read

--- The members that an answer and each chunk of a stream begin with.
---
--- @param ctx px.Context
--- @param model? string The upstream's word for it.
--- @return table
function M.head(ctx, model)
  return {
    id = 'cmpl-' .. (ctx.id or '0'),
    object = 'text_completion',
    created = ctx.now or 0,
    model = ctx.model or model or '',
  }
end

--- @param text string
--- @param reason? string Neutral.
--- @param likely? table How likely its tokens were, as logprobs.legacy() writes it.
--- @return table
function M.choice(text, reason, likely)
  return {
    text = text, index = 0, logprobs = likely or json.null,
    finish_reason = reason and finish.write(reason) or json.null,
  }
end

local TEXT = { text = true, refusal = true }

--- Makes the answer that events tell. It has no place for anything but text.
---
--- @param events px.Event[]
--- @param ctx px.Context
--- @return table body
function M.write(events, ctx)
  local folded = fold.fold(events, ctx, 'openai_completions')
  if folded.failure then
    local _, body = errors.write(errors.failure(folded.failure))
    return body
  end
  local texts = { ctx.echo }
  for _, block in ipairs(folded.blocks) do
    if TEXT[block.kind] then
      texts[#texts + 1] = block.text
      if block.citations then
        ctx.lost('reply.citations')
      end
    else
      ctx.lost('reply.' .. block.kind)
    end
  end
  local reason = folded.finish == 'tool' and 'stop' or folded.finish or 'stop'
  local body = M.head(ctx, folded.model)
  local likely = logprobs.folded(folded.blocks)
  likely = likely and logprobs.legacy(likely, logprobs.characters(ctx.echo or ''))
  body.choices = json.array({ M.choice(table.concat(texts), reason, likely) })
  body.usage = usage.write(folded.usage or {})
  return body
end

return M
