--- Recorded answers and requests of real vendors, for specs that read them.
---
--- The recordings are not part of the project: PX_CORPUS names their folder.

local json = require('px.json')
local kit = require('corpus_kit')

local M = {}

M.FOLDER = os.getenv('PX_CORPUS')

local FOLDERS = { openai_chat = 'openai-chat', anthropic = 'anthropic', ollama = 'ollama' }

--- The files of a protocol, in order.
function M.files(protocol)
  return kit.list(M.FOLDER .. '/' .. FOLDERS[protocol])
end

--- Takes lines apart into { type, data } pairs.
function M.lines(text)
  local out = {}
  for line in text:gmatch('[^\r\n]+') do
    out[#out + 1] = { 'message', line }
  end
  return out
end

local function sort_answer(out, protocol, status, body)
  local text = type(body) == 'string'
  if protocol == 'ollama' and text and body:find('"done":', 1, true) then
    table.insert(out.streams, M.lines(body))
  elseif text and body:find('data:', 1, true) then
    table.insert(out.streams, kit.frames(body))
  elseif status and status >= 400 then
    table.insert(out.errors, { status, text and body or json.encode(body) })
  elseif not text and (body.choices or body.content or body.done ~= nil) then
    table.insert(out.replies, body)
  end
end

local function is_chat(exchange)
  local path = (exchange.request.uri or ''):gsub('%?.*', '')
  return path:find('chat/completions$') or path:find('/messages$') or path:find('/chat$')
    or path:find('/api/generate$')
end

--- What a file holds: `streams` of { type, data } pairs, unary `replies`, `errors` of status and
--- text, `requests`.
function M.read(protocol, path)
  local out = { streams = {}, replies = {}, errors = {}, requests = {} }
  local text = kit.slurp(path)
  if path:find('%.chunks%.txt$') then
    out.streams = kit.split_streams(protocol, text)
    return out
  elseif path:find('%.sse$') then
    out.streams[1] = kit.frames(text)
    return out
  end
  local body = assert(json.decode(text))
  if not body.exchanges then
    sort_answer(out, protocol, nil, body)
    return out
  end
  for _, exchange in ipairs(body.exchanges) do
    if is_chat(exchange) then
      local asked = exchange.request.body
      if type(asked) == 'table' and (asked.messages or asked.prompt) then
        table.insert(out.requests, asked)
      end
      sort_answer(out, protocol, exchange.response.status, exchange.response.body)
    end
  end
  return out
end

local CLASS = { stop_seq = 'stop', pause = 'stop', error = 'stop' }

--- What a reply says, without what only one protocol can say.
function M.meaning(events)
  local out, calls = { text = {}, thinking = {}, calls = {}, finishes = 0 }, {}
  for _, event in ipairs(events) do
    if event.kind == 'text' or event.kind == 'refusal' then
      table.insert(out.text, event.text)
    elseif event.kind == 'thinking' then
      table.insert(out.thinking, event.text)
    elseif event.kind == 'tool_start' then
      calls[event.index] = { id = event.id, name = event.name, args = {} }
      table.insert(out.calls, calls[event.index])
    elseif event.kind == 'args' then
      table.insert(calls[event.index].args, event.text)
    elseif event.kind == 'finish' then
      out.finish = CLASS[event.reason] or event.reason
      out.finishes = out.finishes + 1
    elseif event.kind == 'usage' then
      out.usage = { event.input + event.cache_read + event.cache_write, event.output }
    elseif event.kind == 'error' then
      out.error = event.message
    end
  end
  out.text, out.thinking = table.concat(out.text), table.concat(out.thinking)
  for _, call in ipairs(out.calls) do
    local text = table.concat(call.args)
    local value = text == '' and json.object({}) or json.decode(text)
    call.args = type(value) == 'table' and json.encode(value) or text
  end
  return out
end

return M
