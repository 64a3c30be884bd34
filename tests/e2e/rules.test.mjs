// Rules that people write: what they can do, and what they cannot break.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openaiFrames } from '../upstream/events.mjs';
import { useStage } from './lib/stage.mjs';
import { KEY } from './lib/gateway.mjs';
import { gate, until } from './lib/wait.mjs';
import { ask } from './lib/wire.mjs';
import { TWO_CALLS } from './scenarios/shared.mjs';

const RULES = `
px.on('request', { model = 'route-me*', desc = 'to the other vendor' }, function(req)
  req:route 'an:claude-sonnet-4-6'
end)
px.on('request', { model = 'rename-me' }, function(req) req.model = 'gpt-4o' end)
px.on('request', { model = 'deny-me' }, function(req)
  req:deny(429, 'not today', { code = 'closed', retry_after = 9 })
end)
px.on('request', { model = 'set-me' }, function(req)
  assert(req:get('messages[0].content') == 'Hi')
  req:set('messages[0].content', 'Changed')
  req:set('user', 'someone')
  req:remove('metadata')
  req:route 'oa:gpt-4o'
end)
px.on('request', { model = 'params-me' }, function(req)
  req.params.temperature = 0
  req.params.max_tokens = 77
  req:route 'an:claude-sonnet-4-6'
end)
px.on('request', { model = 'raise-me' }, function() error('a mistake in a rule') end)
px.on('request', { model = 'raise-deny', on_error = 'deny' }, function() error('oh no') end)
px.on('request', { model = 'loop-me', on_error = 'deny' }, function() while true do end end)
px.on('request', { model = 'loop-pass' }, function() while true do pcall(error, 'x') end end)
px.on('request', { model = 'hog-me', on_error = 'deny' }, function()
  local hog = {}
  for i = 1, 1e9 do hog[i] = ('x'):rep(1000) .. i end
end)
px.on('request', { model = 'deep-me', on_error = 'deny' }, function()
  local function down() return down() + 1 end
  down()
end)
px.on('request', { model = 'sleep-me' }, function(req)
  px.sleep(0.2)
  req:route 'oa:gpt-4o'
end)
px.on('request', { header = { ['x-team'] = 'red*' } }, function(req) req:set('user', 'red') end)
px.on('request', { client = 'other' }, function(req) req:set('user', 'other') end)
px.on('request', { protocol = 'anthropic', model = 'by-protocol' }, function(req)
  req:route 'oa:gpt-5-mini'
end)
px.on('request', { stream = true, model = 'by-stream' }, function(req)
  req:route 'oa:gpt-5-mini'
end)
px.on('request', { model = { 'glob-a*', 'glob-b', '!glob-ax' } }, function(req)
  req:route 'oa:gpt-5-mini'
end)
px.on('request', { when = function(m) return m.model == 'by-when' end }, function(req)
  req:route 'oa:gpt-5-mini'
end)

px.on('attempt', { provider = 'oa', model = 'attempt-me' }, function(m)
  m.headers['x-extra'] = 'yes'
  m.headers['openai-organization'] = m.account
  m:set('user', 'attempted')
end)

px.on('event', { kind = 'text', model = 'shout*' }, function(ev) ev.text = ev.text:upper() end)
px.on('event', { kind = 'text', model = 'oa:shout-drop' }, function() return false end)
px.on('event', { kind = 'text', model = 'twice*' }, function(ev) return { ev, ev } end)
px.on('event', { kind = 'text', model = 'broken-event' }, function() error('event trouble') end)

px.on('event', { kind = 'text', model = 'only-calls' }, function() return false end)
px.on('event', { kind = 'finish', model = 'only-calls' }, function() return false end)
px.on('event', { model = 'count-me' }, function(ev, req)
  req.state.count = (req.state.count or 0) + 1
  if ev.kind == 'finish' then
    return { { kind = 'text', index = 9, text = ' after ' .. req.state.count }, ev }
  end
end)

px.on('request', { model = 'tag-me' }, function(req)
  req.tags.team = 'blue'
  req:route 'oa:gpt-4o'
end)
px.on('done', {}, function(rec)
  local usage = rec.usage or {}
  px.log.info(('DONE-RECORD %s %s %s %s/%s %s in=%s out=%s team=%s estimated=%s'):format(rec.outcome,
    tostring(rec.status), rec.model, tostring(rec.provider), tostring(rec.upstream_model),
    tostring(rec.code), tostring(usage.input), tostring(usage.output), tostring(rec.tags.team),
    tostring(usage.estimated)))
end)

px.on('request', { model = 'all-params*' }, function(req)
  local p = req.params
  p.temperature, p.top_p, p.max_tokens, p.stop = 0.5, nil, 4321, { 'END' }
  p.tool_choice, p.parallel, p.reasoning = { name = 'get_weather' }, false, 'off'
  assert(p.temperature == 0.5 and p.max_tokens == 4321 and p.stop[1] == 'END')
end)
`;

const stage = useStage({
  config: { clients: [{ name: 'me', key: KEY }, { name: 'other', key: 'other-key' }] },
  files: { 'rules/all.lua': RULES },
});

const HI = [{ role: 'user', content: 'Hi' }];

function chat(model, more = {}, options = {}) {
  return stage.gw.chat({ model, messages: HI, ...more }, options);
}

describe('a request rule', () => {
  test('routes to another provider and model', async () => {
    assert.equal((await chat('route-me-now')).status, 200);
    assert.equal(stage.an.last.json.model, 'claude-sonnet-4-6');
    assert.equal(stage.oa.requests.length, 0);
  });

  test('renames the model before planning', async () => {
    await chat('rename-me');
    assert.equal(stage.oa.last.json.model, 'gpt-4o');
  });

  test('denies with its own status, code and retry-after, in the client\'s shape', async () => {
    const reply = await chat('deny-me');
    assert.equal(reply.status, 429);
    assert.equal(reply.json.error.message, 'not today');
    assert.equal(reply.json.error.code, 'closed');
    assert.equal(reply.headers['retry-after'], '9');
    const claude = await stage.gw.messages({ model: 'deny-me', max_tokens: 9, messages: HI });
    assert.equal(claude.status, 429);
    assert.equal(claude.json.type, 'error');
    assert.equal(claude.json.error.message, 'not today');
    assert.equal(stage.oa.requests.length, 0);
  });

  test('reads, sets and removes members of the body, the rest stays byte for byte', async () => {
    const body = '{"model":"set-me", "messages":[ {"role":"user","content":"Hi"} ],'
      + '"seed":9007199254740993,  "metadata":{"a":"b"}, "top_p":1.0}';
    assert.equal((await stage.gw.chat(body)).status, 200);
    const sent = stage.oa.last;
    assert.equal(sent.json.messages[0].content, 'Changed');
    assert.equal(sent.json.user, 'someone');
    assert.equal(sent.json.metadata, undefined);
    for (const kept of ['"messages":[ {"role"', '"seed":9007199254740993', '"top_p":1.0']) {
      assert.ok(sent.body.includes(kept), `${kept} in ${sent.body}`);
    }
  });

  test('sets parameters by meaning, whatever the protocol', async () => {
    assert.equal((await chat('params-me', { temperature: 1.5 })).status, 200);
    assert.equal(stage.an.last.json.temperature, 0);
    assert.equal(stage.an.last.json.max_tokens, 77);
  });

  test('sets every parameter in the dialect of each protocol', async () => {
    const tool = { name: 'get_weather', description: 'x' };
    const schema = { type: 'object', properties: {} };
    await chat('all-params', { top_p: 1,
      tools: [{ type: 'function', function: { ...tool, parameters: schema } }] });
    const openai = stage.oa.last.json;
    assert.equal(openai.temperature, 0.5);
    assert.equal(openai.top_p, undefined);
    assert.equal(openai.max_completion_tokens ?? openai.max_tokens, 4321);
    assert.equal(openai.tool_choice.function.name, 'get_weather');
    assert.equal(openai.parallel_tool_calls, false);
    const reply = await stage.gw.messages({ model: 'all-params', max_tokens: 5, top_p: 1,
      messages: HI, tools: [{ ...tool, input_schema: schema }] },
    { headers: { 'model-provider': 'an' } });
    assert.equal(reply.status, 200, reply.text);
    const claude = stage.an.last.json;
    assert.equal(claude.max_tokens, 4321);
    assert.deepEqual(claude.stop_sequences, ['END']);
    assert.equal(claude.tool_choice.name, 'get_weather');
    assert.equal(claude.tool_choice.disable_parallel_tool_use, true);
  });

  for (const [key, want, model, body, options] of [
    ['header', 'red', 'gpt-4o', {}, { headers: { 'x-team': 'reddish' } }],
    ['client', 'other', 'gpt-4o', {}, { headers: { authorization: 'Bearer other-key' } }]]) {
    test(`matches by ${key}, and only then`, async () => {
      await chat(model, body, options);
      assert.equal(stage.oa.last.json.user, want);
      await chat(model, body);
      assert.equal(stage.oa.last.json.user, undefined);
    });
  }

  for (const [how, model, target, more] of [
    ['protocol', 'by-protocol', '/v1/messages', { max_tokens: 10 }],
    ['stream', 'by-stream', '/v1/chat/completions', { stream: true }],
    ['a list of globs', 'glob-abc', '/v1/chat/completions', {}],
    ['a predicate', 'by-when', '/v1/chat/completions', {}]]) {
    test(`matches by ${how}`, async () => {
      const reply = await stage.gw.post(target, { model, messages: HI, ...more },
        { headers: { 'anthropic-version': '2023-06-01' } });
      assert.equal(reply.status, 200);
      assert.equal(stage.oa.last.json.model, 'gpt-5-mini');
    });
  }

  test('does not match what a glob excludes, nor another protocol', async () => {
    for (const model of ['glob-ax', 'glob-c', 'by-protocol', 'by-stream']) {
      await chat(model);
      assert.equal(stage.oa.last.json.model, model);
    }
  });

  test('may wait, and others are served meanwhile', async () => {
    const order = [];
    const slow = chat('sleep-me').then((reply) => { order.push('slow'); return reply; });
    await chat('gpt-4o');
    order.push('fast');
    assert.equal((await slow).status, 200);
    assert.deepEqual(order, ['fast', 'slow']);
  });
});

describe('an attempt rule', () => {
  test('changes headers and body of what is sent upstream', async () => {
    stage.oa.lenient = true;
    assert.equal((await chat('attempt-me')).status, 200);
    assert.equal(stage.oa.last.headers['x-extra'], 'yes');
    assert.equal(stage.oa.last.headers['openai-organization'], 'a');
    assert.equal(stage.oa.last.json.user, 'attempted');
  });
});

describe('an event rule', () => {
  for (const stream of [true, false]) {
    for (const upstream of ['oa', 'an']) {
      test(`changes the text of a ${stream ? 'stream' : 'reply'} from ${upstream}`, async () => {
        const options = { headers: { 'model-provider': upstream } };
        const ask = { stream, max_completion_tokens: 10 };
        const reply = await chat('shout-claude', ask, options);
        const pieces = [...reply.text.matchAll(/"content":"([^"]*)"/g)];
        const text = stream ? pieces.map((m) => m[1]).join('')
          : reply.json.choices[0].message.content;
        assert.equal(text, 'YOU SAID: HI');
        const doubled = await chat('twice', { max_completion_tokens: 10 }, options);
        assert.match(doubled.json.choices[0].message.content, /^(You said: HiYou said: Hi)$/);
      });
    }
  }

  test('drops what it does not want, but never the finish', async () => {
    stage.oa.script((x) => stage.oa.say(x, { text: 'Some words', calls: TWO_CALLS }));
    const reply = await chat('only-calls');
    const [choice] = reply.json.choices;
    assert.ok(!choice.message.content);
    assert.deepEqual(choice.message.tool_calls.map((one) => one.id), ['toolu_a1', 'toolu_b2']);
    assert.equal(choice.finish_reason, 'tool_calls');
  });

  test('adds events, and keeps its state with the request', async () => {
    const reply = await chat('count-me', { stream: true });
    const text = [...reply.text.matchAll(/"content":"([^"]*)"/g)].map((m) => m[1]).join('');
    assert.match(text, /^You said: Hi after \d+$/);
    assert.match(reply.text, /\[DONE\]\n\n$/);
  });

  test('that raises is passed over, and its mistake is logged with its place', async () => {
    const from = stage.gw.log.length;
    const reply = await chat('broken-event');
    assert.equal(reply.json.choices[0].message.content, 'You said: Hi');
    await stage.gw.logged(/all\.lua:\d+.*event trouble/, { from });
  });
});

describe('a done rule', () => {
  for (const [what, model, want, options] of [
    ['a whole reply', 'gpt-4o', /ok 200 gpt-4o oa\/gpt-4o nil in=11 out=7 team=nil/],
    ['a stream', 'gpt-4o', /ok 200 gpt-4o oa\/gpt-4o nil in=\S+ out=\S+ team=nil/,
      { stream: true }],
    ['a routed request with its tags', 'tag-me', /ok 200 tag-me oa\/gpt-4o .* team=blue/],
    ['a refusal of its upstream', 'oa:missing', /failed 404 oa:missing oa\/missing not_found/],
    ['a refusal of a rule', 'deny-me', /429 deny-me nil\/nil/]]) {
    test(`sees the end of ${what}`, async () => {
      const from = stage.gw.log.length;
      await chat(model, options);
      await stage.gw.logged(want, { from });
    });
  }

  test('sees that a client left', async () => {
    const from = stage.gw.log.length;
    const held = gate();
    stage.oa.script({ delay: held.promise, body: '' });
    const arrived = stage.oa.nextRequest();
    const wire = await stage.gw.begin('/v1/chat/completions', { model: 'gpt-4o', messages: HI });
    await arrived;
    wire.close();
    await stage.gw.logged(/DONE-RECORD left \S+ gpt-4o/, { from });
    held.open();
  });

  for (const [end, want] of [['close', /DONE-RECORD left 200 \S+ .* in=[1-9]\d* out=4 .*=true/],
    ['cut', /DONE-RECORD failed 200 \S+ .* cut in=[1-9]\d* out=4 .*=true/]]) {
    test(`sees an estimate of what was used before the end (${end})`, async () => {
      const from = stage.gw.log.length;
      const talk = openaiFrames({ text: 'Half of a reply', step: 99 });
      const held = gate();
      stage.oa.script({ pieces: [talk.slice(0, 2).join(''), () => held.promise], finish: 'cut' });
      const wire = await stage.gw.begin('/v1/messages', { model: 'oa:gpt-4o', max_tokens: 99,
        messages: HI, stream: true });
      await until(5000, () => wire.bytes.includes('Half'), 'the first words');
      if (end === 'close') {
        wire.close();
      } else {
        held.open();
      }
      await stage.gw.logged(want, { from });
      held.open();
      wire.close();
    });
  }

  test('sees that a request which cannot be converted has failed', async () => {
    const from = stage.gw.log.length;
    const reply = await chat('an:claude-sonnet-4-6', { n: 2 });
    assert.equal(reply.status, 400);
    await stage.gw.logged(/DONE-RECORD failed 400 \S+ an\/claude-sonnet-4-6 bad_request/, { from });
  });
});

describe('a bad rule costs at most its request', () => {
  test('one that raises is passed over, and its mistake is logged with its place', async () => {
    const from = stage.gw.log.length;
    assert.equal((await chat('raise-me')).status, 200);
    await stage.gw.logged(/all\.lua:\d+.*a mistake in a rule/, { from });
  });

  test('one that raises under on_error = deny refuses without showing its words', async () => {
    const reply = await chat('raise-deny');
    assert.ok(reply.status >= 500, `${reply.status}`);
    assert.doesNotMatch(reply.text, /oh no|all\.lua/);
    assert.equal(stage.oa.requests.length, 0);
  });

  for (const model of ['loop-me', 'hog-me', 'deep-me']) {
    test(`${model} is ended, and others go on meanwhile`, async () => {
      const bad = [1, 2, 3, 4].map(() => chat(model, {}, { timeout: 30_000 }));
      const good = [1, 2, 3, 4, 5, 6].map(() => chat('gpt-4o'));
      for (const reply of await Promise.all(good)) {
        assert.equal(reply.status, 200);
      }
      for (const reply of await Promise.all(bad)) {
        assert.ok(reply.status >= 500, `${reply.status}`);
        assert.doesNotMatch(reply.text, /all\.lua/);
      }
      assert.equal((await chat('gpt-4o')).status, 200);
    });
  }

  test('one that loops and catches its own end is ended all the same', async () => {
    const started = Date.now();
    await chat('loop-pass', {}, { timeout: 30_000 });
    assert.ok(Date.now() - started < 20_000);
    assert.equal((await ask(stage.gw.port, 'GET', '/health', {})).status, 200);
  });
});
