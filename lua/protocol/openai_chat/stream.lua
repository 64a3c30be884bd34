--- Chat Completions streams: read from an upstream, written for a client, watched while relayed.

local json = require('px.json')
local details = require('protocol.openai_chat._details')
local errors = require('protocol.openai_chat.errors')
local finish = require('protocol.openai_chat._finish')
local reader = require('protocol.openai_chat._reader')
local signature = require('protocol._signature')
local stops = require('protocol._stops')
local usage = require('protocol.openai_chat._usage')

local M = {}

M.content_type = 'text/event-stream; charset=utf-8'
M.keepalive = ': ping\n\n'

--- @type px.Tap
M.tap = { 'usage', 'x_groq', 'finish_reason' }

local decode, encode, null = json.decode, json.encode, json.null

local function decoded(text)
  local body = text and decode(text)
  return type(body) == 'table' and body or {}
end

local function has_finish(body)
  local choice = type(body.choices) == 'table' and body.choices[1]
  local word = type(choice) == 'table' and choice.finish_reason
  return type(word) == 'string' and word ~= ''
end

--- Reads the usage of a relayed stream.
---
--- @param found table<string, string>
--- @return boolean complete
--- @return px.Event? used
function M.tapped(found)
  local used = decoded(found.usage).usage
  local groq = decoded(found.x_groq).x_groq
  if type(used) ~= 'table' and type(groq) == 'table' then
    used = groq.usage
  end
  local complete = found.done ~= nil or has_finish(decoded(found.finish_reason))
  return complete, type(used) == 'table' and usage.read(used) or nil
end

--- Only the first choice is read: the neutral model has one.
local function is_first(choice)
  if type(choice) ~= 'table' then
    return false
  end
  local index = choice.index
  return index == 0 or index == nil or index == null
end

--- @param ctx px.Context
--- @return px.Reader
function M.reader(ctx)
  local state = reader.new(ctx)
  local delta_of, head, noted = state.delta, state.head, false

  return stops.behind(function(_, data)
    if not data then
      return state.close(false)
    elseif state.over() then
      return nil
    elseif data == '[DONE]' then
      return state.close(true)
    end
    local body = decode(data)
    if type(body) ~= 'table' or (body.error and body.error ~= null) then
      return state.fail(data)
    end
    local events = {}
    head(events, body)
    local choices = body.choices
    for _, choice in ipairs(type(choices) == 'table' and choices or {}) do
      if is_first(choice) then
        local delta = choice.delta or choice.message
        if type(delta) == 'table' then
          delta_of(events, delta)
        end
        if choice.finish_reason then
          state.finish(choice.finish_reason)
        end
      elseif not noted then
        noted = true
        if ctx.lost then
          ctx.lost('reply.choices')
        end
      end
    end
    return #events > 0 and events or nil
  end, ctx.stops)
end

--- @param ctx px.Context
--- @return px.Writer
function M.writer(ctx)
  local head, tail -- Bytes around the delta of every chunk.
  local text_head, thinking_head, args_tail
  local tools, order, reason, used, over = {}, {}, nil, nil, false
  local thoughts = {}
  local proofs = 0

  local function open(event)
    local model = ctx.model or (event and event.model) or ''
    head = 'data: {"id":' .. encode('chatcmpl-' .. (ctx.id or '0'))
      .. ',"object":"chat.completion.chunk","created":' .. ('%d'):format(ctx.now or 0)
      .. ',"model":' .. encode(model) .. ',"choices":['
    tail = ctx.include_usage and ',"usage":null}\n\n' or '}\n\n'
    local delta = head .. '{"index":0,"delta":'
    local rest = ',"finish_reason":null}]' .. tail
    text_head, args_tail = delta .. '{"content":', '}' .. rest
    thinking_head = delta .. '{"reasoning_content":'
    return delta .. '{"role":"assistant","content":""' .. args_tail
  end

  local function chunk(delta)
    return head .. '{"index":0,"delta":' .. encode(delta) .. ',"finish_reason":null}]' .. tail
  end

  local on = {}

  function on.text(event)
    if event.text == '' then
      return nil
    end
    return text_head .. encode(event.text) .. args_tail
  end

  function on.thinking(event)
    local pieces = thoughts[event.index]
    if not pieces then
      pieces = {}
      thoughts[event.index] = pieces
    end
    pieces[#pieces + 1] = event.text
    return thinking_head .. encode(event.text) .. args_tail
  end

  function on.refusal(event)
    return chunk({ refusal = event.text })
  end

  local function proof(kind, event, text)
    local tagged = signature.tag('openai_chat', ctx.origin, text)
    local pieces = thoughts[event.index]
    local item = details.item(kind, pieces and table.concat(pieces), tagged, proofs)
    proofs = proofs + 1
    return chunk({ reasoning_details = { item } })
  end

  function on.signature(event)
    return proof('thinking', event, event.text)
  end

  function on.redacted(event)
    return proof('redacted', event, event.data)
  end

  function on.tool_start(event)
    local kind = event.custom and 'custom' or 'function'
    local tool = { at = #order, empty = true, custom = event.custom }
    tool.head = head .. '{"index":0,"delta":{"tool_calls":[{"index":' .. ('%d'):format(tool.at)
      .. (event.custom and ',"custom":{"input":' or ',"function":{"arguments":')
    order[#order + 1] = tool
    tools[event.index] = tool
    local inner = { name = event.name, [event.custom and 'input' or 'arguments'] = '' }
    return chunk({ tool_calls = {
      { index = tool.at, id = event.id, type = kind, [kind] = inner },
    } })
  end

  function on.args(event)
    local tool = tools[event.index]
    if not tool or event.text == '' then
      return nil
    end
    tool.empty = false
    return tool.head .. encode(event.text) .. '}}]' .. args_tail
  end

  function on.block_stop(event)
    local tool = tools[event.index]
    if tool and tool.empty and not tool.custom then
      tool.empty = false
      return tool.head .. '"{}"}}]' .. args_tail
    end
    return nil
  end

  function on.citation(event)
    if not event.url then
      if ctx.lost then
        ctx.lost('reply.citations')
      end
      return nil
    end
    return chunk({ annotations = { M.annotation(event) } })
  end

  function on.opaque()
    if ctx.lost then
      ctx.lost('reply.opaque')
    end
    return nil
  end

  function on.finish(event)
    reason = event.reason
    return nil
  end

  function on.usage(event)
    used = event
    return nil
  end

  function on.ping()
    return M.keepalive
  end

  local function write_end()
    if over then
      return nil
    end
    over = true
    local out = head and '' or open()
    for _, tool in ipairs(order) do
      if tool.empty and not tool.custom then
        out = out .. tool.head .. '"{}"}}]' .. args_tail
      end
    end
    out = out .. head .. '{"index":0,"delta":{},"finish_reason":"'
      .. finish.write(reason or 'stop') .. '"}]' .. tail
    if ctx.include_usage and used then
      out = out .. head .. '],"usage":' .. encode(usage.write(used)) .. '}\n\n'
    end
    return out .. 'data: [DONE]\n\n'
  end

  return function(event)
    if not event then
      return write_end()
    end
    local kind = event.kind
    if over then
      return nil
    elseif kind == 'error' then
      over = true
      local _, body = errors.write(errors.failure(event))
      return 'data: ' .. encode(body) .. '\n\n'
    end
    local write = on[kind]
    if not head and kind ~= 'ping' then
      local role = open(event)
      return role .. (write and write(event) or '')
    end
    return write and write(event)
  end
end

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

return M
