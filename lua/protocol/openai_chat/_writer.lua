--- Writes neutral events as a Chat Completions stream.
---
--- The bytes around a delta are made once, and not joined to its text: see px.Writer.

local json = require('px.json')
local details = require('protocol.openai_chat._details')
local errors = require('protocol.openai_chat.errors')
local finish = require('protocol.openai_chat._finish')
local logprobs = require('protocol._logprobs')
local NONE = require('protocol._read').NONE
local signature = require('protocol._signature')
local usage = require('protocol.openai_chat._usage')

local M = {}

M.KEEPALIVE = ': ping\n\n'

local encode = json.encode

--- @class px.ChatWriter
--- @field ctx px.Context
--- @field head? string Bytes in front of the choices of every chunk; nil before the first.
--- @field delta_head string ... in front of a delta.
--- @field delta_tail string ... behind a delta's content.
--- @field text string[] The pieces of a chunk of text.
--- @field thinking string[] The same of thinking.
--- @field tail string ... behind the choices.
--- @field tools table<integer, table> Calls by block.
--- @field order table[] Calls by their index on the wire.
--- @field thoughts table<integer, string[]> Thinking by block, which proofs repeat.
--- @field proofs integer

--- A citation as an annotation.
---
--- @param event px.Event
--- @return table
function M.annotation(event)
  return {
    type = 'url_citation',
    url_citation = {
      url = event.url,
      title = event.title or event.url,
      start_index = event.first or 0,
      end_index = event.last or 0,
    },
  }
end

--- How likely tokens were, as a choice tells it.
---
--- @param list px.Logprob[]
--- @return table
function M.logprobs(list)
  return { content = logprobs.openai(list, json.null), refusal = json.null }
end

--- Begins the stream: the chunk with the role.
local function begin(self, event)
  local ctx = self.ctx
  local model = ctx.model or (event and event.model) or ''
  self.head = 'data: {"id":' .. encode('chatcmpl-' .. (ctx.id or '0'))
    .. ',"object":"chat.completion.chunk","created":' .. ('%d'):format(ctx.now or 0)
    .. ',"model":' .. encode(model) .. ',"choices":['
  self.tail = ctx.include_usage and ',"usage":null}\n\n' or '}\n\n'
  self.delta_head = self.head .. '{"index":0,"delta":'
  self.delta_tail = '},"finish_reason":null}]' .. self.tail
  self.text = { self.delta_head .. '{"content":', '', self.delta_tail }
  self.thinking = { self.delta_head .. '{"reasoning_content":', '', self.delta_tail }
  return self.delta_head .. '{"role":"assistant","content":""' .. self.delta_tail
end

local function chunk(self, delta)
  return self.delta_head .. encode(delta) .. ',"finish_reason":null}]' .. self.tail
end

--- Puts a text between the bytes of its kind of chunk.
local function around(pieces, text)
  pieces[2] = encode(text)
  return pieces
end

local function lose(self, path)
  self.ctx.lost(path)
  return nil
end

-- Kind of event: what it writes. Called with (self, event).
local on = {}

function on.text(self, event)
  if event.text == '' then
    return nil
  end
  if event.logprobs then
    return self.text[1] .. encode(event.text) .. '},"logprobs":'
      .. encode(M.logprobs(event.logprobs)) .. ',"finish_reason":null}]' .. self.tail
  end
  return around(self.text, event.text)
end

function on.thinking(self, event)
  local pieces = self.thoughts[event.index]
  if not pieces then
    pieces = {}
    self.thoughts[event.index] = pieces
  end
  pieces[#pieces + 1] = event.text
  return around(self.thinking, event.text)
end

function on.refusal(self, event)
  return chunk(self, { refusal = event.text })
end

local function proof(self, kind, event, text)
  local tagged = signature.tag('openai_chat', self.ctx.origin, text)
  local pieces = self.thoughts[event.index]
  local item = details.item(kind, pieces and table.concat(pieces), tagged, self.proofs)
  self.proofs = self.proofs + 1
  return chunk(self, { reasoning_details = { item } })
end

function on.signature(self, event)
  return proof(self, 'thinking', event, event.text)
end

function on.redacted(self, event)
  return proof(self, 'redacted', event, event.data)
end

function on.tool_start(self, event)
  local kind = event.custom and 'custom' or 'function'
  local tool = { empty = true, custom = event.custom }
  local at = #self.order
  tool.head = self.delta_head .. '{"tool_calls":[{"index":' .. ('%d'):format(at)
    .. (event.custom and ',"custom":{"input":' or ',"function":{"arguments":')
  self.order[at + 1] = tool
  self.tools[event.index] = tool
  local inner = { name = event.name, [event.custom and 'input' or 'arguments'] = '' }
  return chunk(self, { tool_calls = {
    { index = at, id = event.id, type = kind, [kind] = inner },
  } })
end

local function arguments(self, tool, text)
  tool.empty = false
  return tool.head .. text .. '}}]' .. self.delta_tail
end

function on.args(self, event)
  local tool = self.tools[event.index]
  if not tool or event.text == '' then
    return nil
  end
  return arguments(self, tool, encode(event.text))
end

--- Clients parse the arguments of every call, so that there must be some.
function on.block_stop(self, event)
  local tool = self.tools[event.index]
  return tool and tool.empty and not tool.custom and arguments(self, tool, '"{}"') or nil
end

function on.citation(self, event)
  if not event.url then
    return lose(self, 'reply.citations')
  end
  return chunk(self, { annotations = { M.annotation(event) } })
end

--- An image as OpenRouter tells of it.
---
--- @param url string
--- @return table
function M.image(url)
  return { type = 'image_url', image_url = { url = url } }
end

function on.image(self, event)
  return chunk(self, { images = { M.image(event.url) } })
end

function on.opaque(self)
  return lose(self, 'reply.opaque')
end

function on.finish(self, event)
  self.reason = event.reason
end

function on.usage(self, event)
  self.used = event
end

function on.ping()
  return M.KEEPALIVE
end

local function write_end(self)
  local out = self.head and '' or begin(self)
  for _, tool in ipairs(self.order) do
    if tool.empty and not tool.custom then
      out = out .. arguments(self, tool, '"{}"')
    end
  end
  out = out .. self.delta_head .. '{},"finish_reason":"' .. finish.write(self.reason or 'stop')
    .. '"}]' .. self.tail
  if self.ctx.include_usage then
    local used = self.used or NONE
    out = out .. self.head .. '],"usage":' .. encode(usage.write(used)) .. '}\n\n'
  end
  return out .. 'data: [DONE]\n\n'
end

local function write_error(event)
  local _, body = errors.write(errors.failure(event))
  return 'data: ' .. encode(body) .. '\n\n'
end

--- @param ctx px.Context
--- @return px.Writer
function M.new(ctx)
  local self = { ctx = ctx, tools = {}, order = {}, thoughts = {}, proofs = 0 }
  local over = false

  return function(event)
    if over then
      return nil
    elseif not event then
      over = true
      return write_end(self)
    end
    local kind = event.kind
    if kind == 'error' then
      over = true
      return write_error(event)
    end
    local write = on[kind]
    if not self.head and kind ~= 'ping' then
      local role, first = begin(self, event), write and write(self, event) or ''
      return role .. (type(first) == 'table' and table.concat(first) or first)
    end
    return write and write(self, event)
  end
end

return M
