--- Lists of models that providers tell themselves: when they are asked for, kept and given up.

local engine = require('engine')
local json = require('px.json')
local t = require('harness')

local describe, it, eq = t.describe, t.it, t.eq

--- A world with a clock, a cache, vendors and a log. Spawned tasks run when `settle` is called.
local function world(providers)
  local w = { now = 1000, asked = {}, logged = {}, spawned = {}, slept = 0 }
  local kept = {}
  local cache = { lists = {
    get = function(key)
      local entry = kept[key]
      return entry and entry.till > w.now and entry.value or nil
    end,
    put = function(key, value, seconds)
      kept[key] = { value = value, till = w.now + seconds }
      return not (w.full and key:find('^list'))
    end,
    remove = function(key)
      kept[key] = nil
    end,
  } }
  local transfer = {
    fetch = function(url, headers, _, options)
      w.asked[#w.asked + 1] = url
      w.headers, w.options = headers, options
      return w.answer(url)
    end,
  }
  local ids = 0
  w.core = {
    now = function() return w.now end,
    clock = function() return w.now end,
    id = function()
      ids = ids + 1
      return ('id%d'):format(ids)
    end,
    log = function(_, text) w.logged[#w.logged + 1] = text end,
    sleep = function(seconds)
      w.now, w.slept = w.now + seconds, w.slept + seconds
      if w.hurry then
        w.settle()
      end
    end,
    spawn = function(fn, ...) w.spawned[#w.spawned + 1] = { fn, ... } end,
  }
  function w.settle()
    local tasks = w.spawned
    w.spawned = {}
    for _, task in ipairs(tasks) do
      task[1](task[2])
    end
  end
  --- A worker, or a generation: what is in Lua is its own, what is in the cache is everyone's.
  function w.worker(changed)
    engine.load({ providers = changed or providers },
      { ['px.cache'] = cache, ['px.transfer'] = transfer })
    local upstreams = require('policy.upstreams')
    upstreams.load()
    return upstreams, require('policy.lists')
  end
  return w
end

local function provider(more)
  local out = { type = 'openai', base_url = 'http://up.test/v1',
    accounts = { { name = 'a', api_key = 'sk-1' } } }
  for name, value in pairs(more or {}) do
    out[name] = value
  end
  return { p = out }
end

local function says(...)
  local data = json.array()
  for i, id in ipairs({ ... }) do
    data[i] = { id = id }
  end
  local reply = { status = 200, body = json.encode({ data = data }) }
  return function()
    return reply
  end
end

local function ids(models)
  local out = {}
  for i, model in ipairs(models or {}) do
    out[i] = model.id
  end
  return table.concat(out, ' ')
end

--- Runs a story in a world whose lists are `before`, asked for and there.
local function story(name, providers, fn)
  it(name, function()
    local w = world(providers)
    w.answer = says('m1', 'm2')
    engine.with_core(w.core, function()
      fn(w, w.worker())
    end)
  end)
end

local function learn(w, upstreams)
  upstreams.want()
  w.settle()
end

describe('a list', function()
  story('is not asked for until somebody wants it', provider(), function(w)
    eq({}, w.asked)
    eq({}, w.spawned)
  end)

  story('is waited for a little, the first time', provider(), function(w, upstreams)
    w.hurry = true
    upstreams.want()
    eq('m1 m2', ids(upstreams.models()))
    assert(w.slept < 0.1)
  end)

  story('that does not come is waited for two seconds, by all together', provider(),
    function(w, upstreams)
      upstreams.want()
      assert(w.slept > 1.9 and w.slept < 2.1)
      upstreams.want()
      assert(w.slept < 2.1)
      eq(1, #w.spawned)
    end)

  story('is kept for ten minutes', provider(), function(w, upstreams)
    learn(w, upstreams)
    w.now = w.now + 590
    upstreams.want()
    eq({ 1, 0 }, { #w.asked, #w.spawned })
  end)

  story('that is old is told while it is asked for anew', provider(), function(w, upstreams)
    learn(w, upstreams)
    w.now, w.slept, w.answer = w.now + 601, 0, says('m3')
    upstreams.want()
    eq({ 'm1 m2', 0 }, { ids(upstreams.models()), w.slept })
    w.settle()
    eq('m3', ids(upstreams.models()))
  end)

  story('is shared by all workers', provider(), function(w, upstreams)
    learn(w, upstreams)
    local other = w.worker()
    other.want()
    eq({ 'm1 m2', 1 }, { ids(other.models()), #w.asked })
  end)

  story('is asked for by one of several workers', provider(), function(w, upstreams)
    upstreams.want()
    w.worker().want()
    eq(1, #w.spawned)
  end)

  story('is another one when the provider is asked elsewhere or otherwise', provider(),
    function(w, upstreams)
      learn(w, upstreams)
      for i, change in ipairs({
        { base_url = 'http://other.test/v1' },
        { accounts = { { name = 'a', api_key = 'sk-2' } } },
        { accounts = { { name = 'a', api_key = 'sk-1', proxy = 'http://proxy.test' } } },
      }) do
        local changed = w.worker(provider(change))
        eq('', ids(changed.models()))
        learn(w, changed)
        eq({ 'm1 m2', i + 1 }, { ids(changed.models()), #w.asked })
      end
    end)

  story('is asked for with what the account says', provider({ accounts = {
    { name = 'a', api_key = 'sk-1', proxy = 'http://proxy.test', ca_file = '/ca.pem' } } }),
    function(w, upstreams)
      learn(w, upstreams)
      eq({ 'http://up.test/v1/models' }, w.asked)
      eq('Bearer sk-1', w.headers.authorization)
      eq({ 'http://proxy.test', '/ca.pem', 10 },
        { w.options.proxy, w.options.ca_file, w.options.timeout })
    end)

  story('holds only what an account may serve', provider({ accounts = {
    { name = 'a', api_key = 'k', not_models = { 'm1' } },
    { name = 'b', api_key = 'l', models = { 'm2', 'm9-*' } } } }), function(w, upstreams)
      w.answer = says('m1', 'm2', 'm3')
      learn(w, upstreams)
      eq('m2 m3', ids(upstreams.models()))
      eq('p', upstreams.having('m3').id)
      eq(nil, upstreams.having('m1'))
    end)

  story('is not asked for where the configuration names the models',
    provider({ models = { 'only' } }), function(w, upstreams)
      learn(w, upstreams)
      eq({ 'only', 0 }, { ids(upstreams.models()), #w.asked })
    end)

  story('is known to routing as soon as it is there', provider(), function(w, upstreams)
    local route = require('policy.route')
    route.load()
    eq(nil, route.target('m1'))
    learn(w, upstreams)
    eq('p', route.target('m1').upstream.id)
    w.now, w.answer = w.now + 601, says('m2')
    learn(w, upstreams)
    eq(nil, route.target('m1'))
    eq('p', route.target('[openai] m1').upstream.id)
  end)
end)

describe('a list that cannot be had', function()
  local function fails(w, upstreams, answer)
    w.answer = answer
    learn(w, upstreams)
  end

  for what, answer in pairs({
    ['a refusal'] = function() return { status = 500, body = '{}' } end,
    ['no connection'] = function() return nil, 'no way to http://user:pw@up.test/v1' end,
    ['no JSON'] = function() return { status = 200, body = '<html>' } end,
    ['an error of our own'] = function() error('broken') end,
  }) do
    story(('(%s) leaves what was said last'):format(what), provider(), function(w, upstreams)
      learn(w, upstreams)
      w.now = w.now + 601
      fails(w, upstreams, answer)
      w.now, w.slept = w.now + 86400, 0
      fails(w, upstreams, answer)
      eq({ 'm1 m2', 0 }, { ids(upstreams.models()), w.slept })
      eq(1, #w.logged)
      assert(w.logged[1]:find('provider p', 1, true))
      assert(not w.logged[1]:find('pw', 1, true))
    end)
  end

  story('is asked for later each time, and at once after it came', provider(),
    function(w, upstreams)
      local no = function() return { status = 500, body = '' } end
      local times = {}
      w.answer = no
      for _ = 1, 4000 do
        upstreams.want()
        if #w.spawned > 0 then
          times[#times + 1] = w.now
          w.settle()
        end
        w.now = w.now + 1
      end
      for i = 2, #times do
        local gap = times[i] - times[i - 1]
        assert(gap >= math.min(60 * 2 ^ (i - 2), 960) and gap < 60 * 2 ^ (i - 2) + 10
          or gap >= 960 and gap < 970, gap)
      end
      assert(#times >= 6)
      eq(1, #w.logged)
      w.now, w.answer = w.now + 1000, says('m1')
      learn(w, upstreams)
      eq('m1', ids(upstreams.models()))
      w.now = w.now + 601
      fails(w, upstreams, no)
      eq(2, #w.logged)
      w.now = w.now + 70
      w.answer = says('m2')
      learn(w, upstreams)
      eq('m2', ids(upstreams.models()))
    end)

  story('since the engine ended the task is a failure too', provider(), function(w, upstreams)
    upstreams.want()
    local task = table.remove(w.spawned)
    w.answer = coroutine.yield
    coroutine.wrap(task[1])(task[2])  -- Nobody resumes it.
    w.now, w.slept = w.now + 30, 0
    upstreams.want()
    eq({ 0, 0, 0 }, { #w.spawned, w.slept, #w.logged })
    w.now = w.now + 31
    upstreams.want()
    eq(1, #w.spawned)
    assert(w.logged[1]:find('time or memory', 1, true))
  end)

  story('for want of room is a failure', provider(), function(w, upstreams)
    w.full = true
    learn(w, upstreams)
    eq('', ids(upstreams.models()))
    assert(w.logged[1]:find('more than can be kept', 1, true))
  end)

  story('from one account is asked of the next', provider({ accounts = {
    { name = 'a', api_key = 'sk-1' }, { name = 'b', api_key = 'sk-2' } } }),
    function(w, upstreams)
      w.answer = function()
        return w.headers.authorization == 'Bearer sk-1' and { status = 401, body = '' }
          or says('m1')()
      end
      learn(w, upstreams)
      eq({ 'm1', 2, 0 }, { ids(upstreams.models()), #w.asked, #w.logged })
    end)
end)

describe('a list in pages', function()
  local ANTHROPIC = { p = { type = 'anthropic', base_url = 'http://up.test',
    accounts = { { name = 'a', api_key = 'k' } } } }

  local function pages(w, count, last_id)
    local n = 0
    w.answer = function()
      n = n + 1
      return { status = 200, body = json.encode({
        data = { { id = 'm' .. n } }, has_more = n < count, last_id = last_id(n),
      }) }
    end
  end

  story('is read to its end, with cursors escaped', ANTHROPIC, function(w, upstreams)
    pages(w, 3, function(n) return 'm&' .. n .. ' #/' end)
    learn(w, upstreams)
    eq('m1 m2 m3', ids(upstreams.models()))
    eq('http://up.test/v1/models?limit=1000&after_id=m%261%20%23%2F', w.asked[2])
  end)

  story('without an end is cut', ANTHROPIC, function(w, upstreams)
    pages(w, math.huge, function(n) return 'm' .. n end)
    learn(w, upstreams)
    eq(20, #w.asked)
    eq(20, #upstreams.models())
  end)

  for what, cursor in pairs({ same = 'x', huge = ('x'):rep(2001), empty = '', odd = 7 }) do
    story(('with the %s cursor again and again ends'):format(what), ANTHROPIC,
      function(w, upstreams)
        pages(w, math.huge, function() return cursor end)
        learn(w, upstreams)
        eq(what == 'same' and 2 or 1, #w.asked)
      end)
  end

  story('of too many models is cut', provider(), function(w, upstreams)
    local many = {}
    for i = 1, 5001 do
      many[i] = 'm' .. i
    end
    w.answer = says(unpack(many))
    learn(w, upstreams)
    eq(5000, #upstreams.models())
  end)

  story('leaves names out that cannot be shown', provider(), function(w, upstreams)
    w.answer = says('', 'a\nb', 'a\0', 'a\127', ('x'):rep(201), 'fine')
    learn(w, upstreams)
    eq('fine', ids(upstreams.models()))
  end)
end)

t.finish()
