local engine = require('engine')
local t = require('harness')

local describe, it, eq, raises = t.describe, t.it, t.eq, t.raises

--- Loads rules afresh from a function that registers them.
local function with(register)
  engine.load()
  local rules = require('policy.rules')
  rules.load('rules/test.lua', function()
    register(rules.on, rules)
  end)
  rules.finish()
  return rules
end

local function subject(fields)
  local out = { model = 'm', protocol = 'openai_chat', client = 'me', path = '/v1/chat/completions',
    ex = engine.exchange({ ['user-agent'] = 'curl/8' }) }
  for key, value in pairs(fields or {}) do
    out[key] = value
  end
  return out
end

describe('policy.rules registering', function()
  for name, case in pairs({
    ['an unknown phase'] = { 'unknown phase "nope"', 'nope', {}, print },
    ['no table'] = { 'table of match keys', 'request', 5, print },
    ['no function'] = { 'the rule\'s function', 'request', {}, 5 },
    ['an unknown key'] = { 'unknown key "modell"', 'request', { modell = 'x' }, print },
    ['a key of a later phase'] = { 'not known in the phase "request"', 'request',
      { provider = 'x' }, print },
    ['a model that is no glob'] = { 'model must be a glob', 'request', { model = 5 }, print },
    ['an empty list'] = { 'model must be a glob', 'request', { model = {} }, print },
    ['a list of others'] = { 'model must be a glob', 'request', { model = { 5 } }, print },
    ['a header that is no table'] = { 'header must be a table', 'request', { header = 'x' },
      print },
    ['a stream that is no boolean'] = { 'stream must be', 'request', { stream = 'yes' }, print },
    ['a when that is no function'] = { 'when must be', 'request', { when = true }, print },
    ['an option of another type'] = { 'order must be a number', 'request', { order = 'x' }, print },
    ['an unknown on_error'] = { 'on_error must be one of', 'request', { on_error = 'x' }, print },
    ['an unknown kind of event'] = { 'no event has the kind "txt"', 'event', { kind = 'txt' },
      print },
  }) do
    it('refuses ' .. name, function()
      with(function(on)
        raises(case[1], function()
          on(case[2], case[3], case[4])
        end)
      end)
    end)
  end

  it('refuses rules after loading', function()
    local rules = with(function() end)
    raises('while their file is loaded', function()
      rules.on('request', print)
    end)
  end)
end)

describe('policy.rules matching', function()
  local function matches(match, fields, phase)
    local ran = false
    local rules = with(function(on)
      on(phase or 'request', match, function()
        ran = true
      end)
    end)
    rules.run(phase or 'request', subject(fields), {})
    return ran
  end

  for name, case in pairs({
    ['everything without keys'] = { {}, {}, true },
    ['a model'] = { { model = 'claude*' }, { model = 'claude-x' }, true },
    ['not another model'] = { { model = 'claude*' }, { model = 'gpt' }, false },
    ['excluded ones not'] = { { model = { '*', '!gpt*' } }, { model = 'gpt-5' }, false },
    ['all keys together'] = { { model = 'm', client = 'other' }, {}, false },
    ['a header'] = { { header = { ['User-Agent'] = 'curl*' } }, {}, true },
    ['a header that is not there'] = { { header = { cookie = '*' } }, {}, false },
    ['streams'] = { { stream = true }, { stream = true }, true },
    ['what says nothing as no stream'] = { { stream = false }, { stream = nil }, true },
    ['a predicate'] = { { when = function() return true end }, {}, true },
    ['a predicate that says no'] = { { when = function() return nil end }, {}, false },
    ['a predicate that raises as no'] = { { when = function() error('x') end }, {}, false },
  }) do
    it(name, function()
      eq(case[3], matches(case[1], case[2]))
    end)
  end
end)

describe('policy.rules running', function()
  it('goes by order, then by place', function()
    local out = {}
    local rules = with(function(on)
      for _, item in ipairs({ { 'c', 5 }, { 'a', -1 }, { 'd', 5 }, { 'b', nil } }) do
        on('request', { order = item[2] }, function()
          out[#out + 1] = item[1]
        end)
      end
    end)
    eq(nil, rules.run('request', subject(), {}))
    eq('abcd', table.concat(out))
  end)

  it('stops at a rule that denies', function()
    local later = false
    local rules = with(function(on, rules)
      on('request', function()
        rules.leave({ deny = { status = 403 } })
      end)
      on('request', function()
        later = true
      end)
    end)
    eq({ deny = { status = 403 } }, rules.run('request', subject(), {}))
    eq(false, later)
  end)

  it('goes on after a rule that failed, and counts it', function()
    local counted, logged, ran = {}, {}, false
    engine.with_core({
      count = function(series) counted[#counted + 1] = series end,
      log = function(_, text) logged[#logged + 1] = text end,
    }, function()
      local rules = with(function(on)
        on('request', { desc = 'mine' }, function() error('oh') end)
        on('request', function() ran = true end)
      end)
      eq(nil, rules.run('request', subject(), {}))
    end)
    eq(true, ran)
    eq(true, counted[1]:find('^proxima_rule_errors_total{rule="rules/test.lua:%d+"}$') ~= nil)
    eq(true, logged[1]:find('(mine)', 1, true) ~= nil and logged[1]:find('oh', 1, true) ~= nil)
  end)

  it('denies for one that says so, and switches off one that says so', function()
    engine.with_core({ log = function() end }, function()
      local calls = 0
      local rules = with(function(on)
        on('request', { on_error = 'disable' }, function()
          calls = calls + 1
          error('x')
        end)
        on('request', { on_error = 'deny', model = 'secret' }, function() error('x') end)
      end)
      eq(nil, rules.run('request', subject(), {}))
      eq(nil, rules.run('request', subject(), {}))
      eq(1, calls)
      eq(500, rules.run('request', subject({ model = 'secret' }), {}).deny.status)
    end)
  end)

  it('costs nothing without rules', function()
    local rules = with(function() end)
    eq(nil, rules.request)
    eq(false, rules.concerns('request', subject()))
    eq(nil, rules.filter(subject(), {}))
  end)
end)

describe('policy.rules events', function()
  local function pass(events, match, fn)
    local rules = with(function(on)
      on('event', match, fn)
    end)
    return rules.filter(subject(), {})(events)
  end

  local text, finish = { kind = 'text', text = 'a' }, { kind = 'finish', reason = 'stop' }

  it('passes, drops and replaces', function()
    eq({ text }, pass({ text }, {}, function() end))
    eq({}, pass({ text }, {}, function() return false end))
    eq({ finish }, pass({ text }, {}, function() return finish end))
    eq({ text, text }, pass({ text }, {}, function() return { text, text } end))
    eq({ { kind = 'text', text = 'b' } }, pass({ { kind = 'text', text = 'a' } }, {}, function(ev)
      ev.text = 'b'
    end))
  end)

  it('does not drop what a stream needs', function()
    eq({ finish }, pass({ finish }, {}, function() return false end))
  end)

  it('looks at the kinds it names', function()
    eq({ finish }, pass({ text, finish }, { kind = 'text' }, function() return false end))
  end)

  it('passes what a failing rule, or an odd result, would have changed', function()
    engine.with_core({ log = function() end }, function()
      eq({ text }, pass({ text }, {}, function() error('x') end))
      eq({ text }, pass({ text }, {}, function() return 'x' end))
    end)
  end)
end)

t.finish()
