--- Media by address: what is fetched for whom, and what is refused.

local body = require('px.body')
local core = require('px.core')
local crypto = require('px.crypto')
local engine = require('engine')
local json = require('px.json')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

local REAL = require('px.transfer')
local PNG = '\137PNG\r\n\26\n-----------'
local PDF = '%PDF-1.7 x'

local function reply(bytes, kind, status, location)
  return { status = status or 200, bytes = #bytes, body = crypto.base64(bytes),
    headers = { ['content-type'] = kind, location = location } }
end

--- A module over this configuration, and what its fetch_all was asked. `pages` are answers by URL.
local function load(fetch, pages)
  local calls = {}
  engine.load({ fetch = fetch }, { ['px.transfer'] = {
    fetch_all = function(list, headers, limit, timeout)
      calls[#calls + 1] = { list = list, headers = headers, limit = limit, timeout = timeout }
      local out = {}
      for i, item in ipairs(list) do
        local page = pages[item.url]
        out[i] = page == nil and { error = 'no such page in this test' } or page
        if page and page.bytes and page.bytes > limit then
          out[i] = { error = 'too large' }
        end
      end
      return not pages.busy and out or nil
    end,
  } })
  local media = require('policy.media')
  package.loaded['px.transfer'] = REAL
  return media, calls
end

local function image(url)
  return { kind = 'image', url = url }
end

--- A request of one turn with these blocks, and its body as Chat would say it.
local function request_of(blocks)
  local content = json.array()
  for i, block in ipairs(blocks) do
    content[i] = block.url and { type = 'image_url', image_url = { url = block.url } }
      or { type = 'text', text = block.text }
  end
  local text = json.encode({ messages = json.array({ { role = 'user', content = content } }) })
  return { turns = { { role = 'user', blocks = blocks } } }, { body = body.new(text) }
end

local function everything()
  return true
end

--- Resolves blocks. Gives the failure's message, or nil, and the calls.
local function resolve(fetch, pages, blocks)
  local media, calls = load(fetch, pages)
  local request, q = request_of(blocks)
  local failure = media.resolve(q, request, everything, {})
  return failure and failure.message, calls, failure
end

local A = 'https://a.example/x.png'
local HELLO = { kind = 'text', text = 'Hi' }

describe('policy.media', function()
  it('puts what it fetched in place of the address', function()
    local block = image(A)
    local err, calls = resolve({ media = { '*.example' } }, { [A] = reply(PNG, 'text/html') },
      { HELLO, block })
    eq(nil, err)
    eq({ kind = 'image', data = crypto.base64(PNG), media = 'image/png' }, block)
    eq({ { url = A, guarded = true } }, calls[1].list)
  end)

  it('fetches each address once, four at a time, inside tool results too', function()
    local pages, blocks = {}, {}
    for i = 1, 10 do
      local url = 'https://a.example/' .. i
      pages[url] = reply(PNG)
      blocks[#blocks + 1] = image(url)
      blocks[#blocks + 1] = { kind = 'tool_result', blocks = { image(url) } }
    end
    local err, calls = resolve({ media = { '*' } }, pages, blocks)
    eq(nil, err)
    eq({ 4, 4, 2 }, { #calls[1].list, #calls[2].list, #calls[3].list })
    eq(crypto.base64(PNG), blocks[20].blocks[1].data)
  end)

  it('guards all but hosts that are named literally', function()
    for url, guarded in pairs({
      ['http://127.0.0.1:80/'] = false, ['http://[::1]/'] = false, ['http://in.corp/'] = false,
      ['http://IN.corp./'] = false, ['http://127.1/'] = true, ['http://x.corp/'] = true,
      ['http://127.0.0.1.corp/'] = true, ['http://[::2]/'] = true,
    }) do
      local _, calls = resolve({ media = { '*', '127.0.0.1', '[::1]', 'In.Corp' } },
        { [url] = reply(PNG) }, { image(url) })
      eq(guarded, calls[1].list[1].guarded, url)
    end
  end)

  it('leaves what may not be fetched to the writer', function()
    for _, media in ipairs({ false, {}, { 'b.example' }, { '*', '!a.example' } }) do
      local block = image(A)
      local err, calls = resolve({ media = media }, {}, { HELLO, block })
      eq({ nil, 0, A }, { err, #calls, block.url })
    end
    local err, calls = resolve({ media = { '*' } }, {}, { HELLO, image('ftp://a.example/') })
    eq({ nil, 0 }, { err, #calls })
  end)

  it('refuses a message that says nothing else, and names the place and the setting', function()
    local err, _, failure = resolve({ media = false }, {}, { image(A) })
    eq('messages[0].content[0].image_url.url: this upstream takes no URL, and a.example is not in '
      .. 'the configuration\'s fetch.media, so it cannot be fetched for it', err)
    eq({ 400, 'messages[0].content[0].image_url.url' }, { failure.status, failure.param })
  end)

  it('leaves addresses that the target may take, when it cannot fetch them', function()
    local function rather()
      return 'rather'
    end
    local media = load({ media = { 'a.example' } }, { [A] = reply('', nil, 404) })
    for _, url in ipairs({ A, 'https://b.example/' }) do
      local request, q = request_of({ image(url) })
      eq(nil, media.resolve(q, request, rather, {}))
      eq(url, request.turns[1].blocks[1].url)
    end
  end)

  it('leaves blocks alone that the target takes', function()
    local media, calls = load({ media = { '*' } }, {})
    local request, q = request_of({ image(A) })
    eq(nil, media.resolve(q, request, nil, {}))
    eq(nil, media.resolve(q, request, function() return false end, {}))
    eq(0, #calls)
  end)

  it('follows redirects to hosts that are allowed, and keeps the guard', function()
    local block = image('https://a.example/d/x?q')
    local err, calls = resolve({ media = { '*.example', 'in.corp' } }, {
      ['https://a.example/d/x?q'] = reply('', nil, 302, 'y'),
      ['https://a.example/d/y'] = reply('', nil, 307, '//in.corp/z'),
      ['https://in.corp/z'] = reply('', nil, 301, '/w'),
      ['https://in.corp/w'] = reply(PNG),
    }, { HELLO, block })
    eq(nil, err)
    eq('image/png', block.media)
    eq({ true, false }, { calls[2].list[1].guarded, calls[3].list[1].guarded })
  end)

  it('follows no redirect elsewhere, and not for ever', function()
    local where = 'messages[0].content[1].image_url.url: it cannot be fetched: '
    local err = resolve({ media = { '*.example' } },
      { [A] = reply('', nil, 302, 'http://169.254.169.254/') }, { HELLO, image(A) })
    eq(where .. 'it redirects to a host that is not in the configuration\'s fetch.media', err)
    err = resolve({ media = { '*' } }, { [A] = reply('', nil, 302, 'file:///etc/passwd') },
      { HELLO, image(A) })
    eq(where .. 'it redirects to a host that is not in the configuration\'s fetch.media', err)
    err = resolve({ media = { '*' } }, { [A] = reply('', nil, 302, A) }, { HELLO, image(A) })
    eq(where .. 'it redirects more than 3 times', err)
    err = resolve({ media = { '*' } }, { [A] = reply('x', nil, 302) }, { HELLO, image(A) })
    eq(where .. 'its server answered 302', err)
  end)

  it('stops at its limits', function()
    local pages, blocks = {}, { HELLO }
    for i = 1, 5 do
      pages['https://a.example/' .. i] = reply(PNG .. ('x'):rep(1000))
      blocks[#blocks + 1] = image('https://a.example/' .. i)
    end
    local fetch = { media = { '*' }, media_size = 1000 }
    eq(true, resolve(fetch, pages, blocks):find('larger than 1000 bytes', 1, true) ~= nil)
    fetch = { media = { '*' }, media_size = 2000, media_total = 3000 }
    eq(true, resolve(fetch, pages, blocks):find('too large (fetch.media_total)', 1, true) ~= nil)
    fetch = { media = { '*' }, media_size = 2000, media_total = 5100 }
    local err, calls = resolve(fetch, pages, blocks)
    eq(nil, err)
    eq({ 2000, 1024 }, { calls[1].limit, calls[2].limit })
    blocks = {}
    for i = 1, 65 do
      blocks[i] = image('https://a.example/' .. i)
    end
    err, calls = resolve({ media = { '*' } }, pages, blocks)
    eq(0, #calls)
    eq(true, err:find('more than 64 URLs', 1, true) ~= nil)
  end)

  it('has one limit of time for all', function()
    local pages, blocks = {}, { HELLO }
    for i = 1, 5 do
      pages['https://a.example/' .. i] = reply(PNG)
      blocks[#blocks + 1] = image('https://a.example/' .. i)
    end
    local now = 0
    engine.with_core({ clock = function()
      now = now + 3
      return now
    end }, function()
      local err, calls = resolve({ media = { '*' }, media_timeout = 5 }, pages, blocks)
      eq({ 1, 2 }, { #calls, calls[1].timeout })
      eq(true, err:find('longer than 5 seconds (fetch.media_timeout)', 1, true) ~= nil)
    end)
    eq(true, core.clock() > 0)
  end)

  it('is busy when too much is under way', function()
    local _, _, failure = resolve({ media = { '*' } }, { busy = true }, { image(A) })
    eq({ 503, 'overloaded', 2 }, { failure.status, failure.code, failure.retry_after })
    local media = load({ media = { '*' } }, { busy = true })
    local request, q = request_of({ image(A) })
    eq(nil, media.resolve(q, request, function() return 'rather' end, {}))
    eq(A, request.turns[1].blocks[1].url)
  end)

  -- Kind of the block, bytes, declared type; what it becomes, or words of the refusal.
  for _, case in ipairs({
    { 'image', 'GIF89a....', 'image/png', 'image/gif' },
    { 'image', '????ftypheic', 'image/heic', 'image/heic' },
    { 'image', '<html>', 'text/html; charset=utf-8', nil, 'it is no image (text/html)' },
    { 'image', '<svg>', 'image/svg+xml', nil, 'it is no image (image/svg+xml)' },
    { 'image', PDF, 'image/png', nil, 'it is no image (application/pdf)' },
    { 'image', 'x', nil, nil, 'it is no image (of no known type)' },
    { 'image', '', 'image/png', nil, 'it is empty' },
    { 'document', PDF, 'application/octet-stream', 'application/pdf' },
    { 'document', 'a\204\136', 'text/plain', 'text/plain' },
    { 'document', '{}', 'application/json', 'text/plain' },
    { 'document', '\255\254', 'text/plain', nil, 'it is no text in UTF-8' },
    { 'document', 'x', 'application/zip', nil, 'it is no PDF and no text (application/zip)' },
    { 'document', PNG, 'application/pdf', nil, 'it is no PDF and no text (image/png)' },
    { 'audio', 'x', 'audio/wav', 'audio/wav' },
    { 'audio', '{}', 'application/json', nil, 'it is no sound (application/json)' },
  }) do
    it(('takes %s of %q as %s for %s'):format(case[1], case[2], tostring(case[3]),
      tostring(case[4])), function()
      local block = { kind = case[1], url = A }
      local err = resolve({ media = { '*' } }, { [A] = reply(case[2], case[3]) }, { HELLO, block })
      if case[5] then
        eq('messages[0].content[1].image_url.url: it cannot be fetched: ' .. case[5], err)
      else
        eq({ nil, case[4], nil }, { err, block.media, block.url })
        eq(case[2], block.text or crypto.unbase64(block.data))
      end
    end)
  end
end)

-- Protocol, block, knowledge; whether it wants the bytes.
local WANTS = {
  { 'ollama', { kind = 'image' }, {}, true },
  { 'ollama', { kind = 'document', url = 'http://a/x.pdf' }, {}, false },
  { 'ollama', { kind = 'document', url = 'http://a/x.txt?y' }, {}, true },
  { 'ollama', { kind = 'document', media = 'text/plain' }, {}, true },
  { 'ollama', { kind = 'audio' }, {}, false },
  { 'ollama', { kind = 'audio' }, { audio = true }, true },
  { 'gemini', { kind = 'image' }, {}, 'rather' },
  { 'gemini', { kind = 'image' }, { file_urls = true }, false },
  { 'gemini', { kind = 'image' }, { file_urls = false }, true },
  { 'gemini', { kind = 'video', url = 'https://www.youtube.com/watch' }, { file_urls = false },
    false },
  { 'openai_chat', { kind = 'image' }, {}, false },
  { 'openai_chat', { kind = 'document' }, {}, true },
  { 'openai_responses', { kind = 'document' }, {}, false },
  { 'openai_responses', { kind = 'image' }, {}, false },
}

describe('request.wants_bytes', function()
  for _, case in ipairs(WANTS) do
    it(('of %s for %s is %s'):format(case[1], case[2].kind, tostring(case[4])), function()
      case[2].url = case[2].url or 'https://a.example/x'
      local wants = require('protocol.' .. case[1] .. '.request').wants_bytes
      eq(case[4], wants(case[2], { knowledge = case[3] }))
    end)
  end
end)

t.finish()
