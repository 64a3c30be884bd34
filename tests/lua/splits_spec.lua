--- A stream reads the same wherever it is cut: streams of every form, and every recorded one, cut
--- at each of their bytes.

local json = require('px.json')
local kit = require('corpus_kit')
local recordings = require('recordings')
local splits = require('splits')
local t = require('harness')

local describe, it, eq, raises = t.describe, t.it, t.eq, t.raises

--- Events as somebody else reads them.
local function expected(text, framing)
  return framing == 'lines' and recordings.lines(text) or kit.frames(text)
end

local function check(text, framing)
  local events, cuts = splits.everywhere(text, framing)
  eq(expected(text, framing), events)
  return cuts
end

describe('a stream cut at each of its bytes', function()
  it('reads the same, whatever ends its lines', function()
    for _, stop in ipairs({ '\n', '\r\n', '\r' }) do
      local text = table.concat({
        'event: a', 'data: {"x":1}', '', 'data:one', 'data: two', '', ': a comment', '', 'data', '',
        'id: 7', 'data: ', '', 'retry: 5', 'event: b', '', 'data: été 😀', '', '',
      }, stop)
      local events, cuts = splits.everywhere(text, 'sse')
      eq({ { 'a', '{"x":1}' }, { 'message', 'one\ntwo' }, { 'message', '' }, { 'message', '' },
        { 'message', 'été 😀' } }, events)
      assert(cuts > 100, cuts)
    end
  end)

  it('reads the same in lines, with blank ones and without an end', function()
    eq(expected('{"a":1}\n\r\n{"b":2}\r\n{"c":3}', 'lines'),
      (splits.everywhere('{"a":1}\n\r\n{"b":2}\r\n{"c":3}', 'lines')))
  end)

  it('is read to its end where that is cut off', function()
    local events = splits.everywhere('data: 1\n\ndata: 2', 'sse')
    eq({ { 'message', '1' }, { 'message', '2' } }, events)
  end)

  it('tells apart what can and what cannot be read', function()
    raises('it cannot be read', function()
      splits.everywhere('data: ' .. ('x'):rep(17 * 1024 * 1024), 'sse')
    end)
  end)
end)

-- Recordings --------------------------------------------------------------------------------------

--- Calls back with each stream in a recorded value, as the vendor sent it.
local function each_stream(value, call)
  if type(value) == 'table' then
    for _, inner in pairs(value) do
      each_stream(inner, call)
    end
  elseif type(value) == 'string' then
    if value:find('^data:') or value:find('^event:') or value:find('^: ') then
      call(value, 'sse')
    elseif value:find('^{.*"done":.*}\n{') then
      call(value, 'lines')
    end
  end
end

describe('recorded streams cut at each of their bytes', function()
  if not recordings.FOLDER then
    print('# skipped: PX_CORPUS names no folder of recordings')
    return
  end

  it('read the same', function()
    local streams, cuts = { sse = 0, lines = 0 }, 0
    for _, path in ipairs(kit.list(recordings.FOLDER)) do
      local text = kit.slurp(path)
      local value = path:find('%.sse$') and text or json.decode(text) or ''
      each_stream(value, function(stream, framing)
        local ok, got = pcall(check, stream, framing)
        assert(ok, path .. ': ' .. tostring(got))
        streams[framing], cuts = streams[framing] + 1, cuts + got
      end)
    end
    print(('# %d streams of events, %d of lines, %d cuts'):format(streams.sse, streams.lines, cuts))
    assert(streams.sse > 100 and streams.lines > 5 and cuts > 1000000)
  end)
end)

t.finish()
