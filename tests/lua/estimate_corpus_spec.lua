--- Estimated tokens against what vendors counted of the same prompts.

local estimate = require('protocol._estimate')
local json = require('px.json')
local kit = require('corpus_kit')
local recordings = require('recordings')
local t = require('harness')

local FOLDERS = { openai_chat = 'openai-chat', anthropic = 'anthropic', gemini = 'gemini',
  openai_responses = 'openai-responses' }
-- Members and models by which a vendor adds to the prompt what the request does not hold: schemas
-- in words, pages that it searched, a prompt of its own.
local ADDS = { 'tools', 'web_search_options', 'plugins', 'cachedContent', 'mcp_servers',
  'search_parameters', 'previous_response_id', 'container', 'response_format', 'output_config',
  'text', 'reasoning', 'transforms' }
local MODELS = { 'compound', 'online', 'grok' }

local function adds(body)
  for _, name in ipairs(ADDS) do
    if body[name] ~= nil and body[name] ~= json.null then
      return true
    end
  end
  for _, name in ipairs(MODELS) do
    if tostring(body.model):find(name, 1, true) then
      return true
    end
  end
  return false
end

local function is_text(request)
  for _, turn in ipairs(request.turns) do
    for _, block in ipairs(turn.blocks) do
      if block.kind ~= 'text' then
        return false
      end
    end
  end
  return true
end

local function counted(protocol, body)
  local ok, events
  if type(body) == 'string' then
    ok, events = pcall(kit.read_stream, protocol, kit.frames(body), kit.context())
  elseif type(body) == 'table' then
    ok, events = pcall(kit.module(protocol, 'reply').read, body, kit.context())
  end
  for _, event in ipairs(ok and events or {}) do
    if event.kind == 'usage' then
      return event.input + event.cache_read + event.cache_write
    end
  end
end

--- How far off each estimate is, over prompts of more than 200 tokens.
local function errors_of(protocol)
  local out = {}
  for _, path in ipairs(kit.list(recordings.FOLDER .. '/' .. FOLDERS[protocol])) do
    local doc = path:find('json$') and json.decode(kit.slurp(path))
    for _, exchange in ipairs(type(doc) == 'table' and doc.exchanges or {}) do
      local body = exchange.request.body
      if type(body) == 'table' and exchange.response.status == 200 and not adds(body) then
        local ok, request = pcall(kit.module(protocol, 'request').read, body, kit.context())
        local tokens = ok and is_text(request) and counted(protocol, exchange.response.body)
        if tokens and tokens > 200 then
          out[#out + 1] = math.abs(estimate.request(request) / tokens - 1)
        end
      end
    end
  end
  return out
end

if not recordings.FOLDER then
  print('# skipped: PX_CORPUS is not set, so there are no recordings to read')
else
  t.it('half of all estimates are within 10 % of what was counted', function()
    local all = {}
    for protocol in pairs(FOLDERS) do
      for _, off in ipairs(errors_of(protocol)) do
        all[#all + 1] = off
      end
    end
    table.sort(all)
    local median = all[math.ceil(#all / 2)]
    print(('# %d text prompts: half are within %.1f %%, three quarters within %.1f %%'):format(#all,
      median * 100, all[math.ceil(#all * 0.75)] * 100))
    assert(#all >= 20, 'too few recordings')
    assert(median <= 0.1)
  end)
end

t.it('letters of other scripts are more tokens than their number', function()
  assert(estimate.text(('a'):rep(440)) == 100)
  assert(estimate.text(('世'):rep(100)) == 100)
  assert(estimate.text(('ж'):rep(100)) == 50)
  assert(estimate.text('') == 0)
  assert(estimate.text(('\255'):rep(100)) > 0)
end)

t.finish()
