// Rules and configuration change while the gateway runs.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { useStage } from './lib/stage.mjs';
import { gate, until } from './lib/wait.mjs';

const RULE = (text) => `
px.on('request', { model = 'm' }, function(req) req:set('user', '${text}') end)
px.on('event', { kind = 'text', model = 'marked' }, function(ev)
  ev.text = '${text} ' .. ev.text
end)
`;

const stage = useStage({ files: { 'rules/a.lua': RULE('one') } });
const HI = [{ role: 'user', content: 'Hi' }];

async function userSeen() {
  const reply = await stage.gw.chat({ model: 'm', messages: HI });
  assert.equal(reply.status, 200);
  return stage.oa.last.json.user;
}

function obeys(text) {
  return until(10_000, async () => (await userSeen()) === text, `a request obeys ${text}`);
}

async function restored() {
  stage.gw.replace('rules/a.lua', RULE('one'));
  await obeys('one');
}

test('an edit is obeyed by the next request, a running stream goes on as it began', async () => {
  await restored();
  const held = gate();
  stage.oa.lenient = true;
  stage.oa.script((x) => {
    const { pieces, ...rest } = stage.oa.say(x, { text: 'before and after', step: 7 });
    return { ...rest, pieces: [...pieces.slice(0, 2), () => held.promise, ...pieces.slice(2)] };
  });
  let seen = '';
  const stream = stage.gw.chat({ model: 'marked', messages: HI, stream: true },
    { onPart: (bytes) => { seen += bytes; } });
  await until(5000, () => seen.includes('one before'), () => `the first words, not ${seen}`);
  stage.gw.write('rules/a.lua', RULE('two'));
  await obeys('two');
  held.open();
  const reply = await stream;
  assert.match(reply.text, /\[DONE\]\n\n$/);
  assert.equal(reply.text.match(/one /g).length, 3);
  assert.doesNotMatch(reply.text, /two/);
});

for (const [what, text, pattern] of [
  ['does not parse', 'px.on(\n', /rules[/]a\.lua:\d+/],
  ['raises while it loads', 'local x = nil\nprint(x.y)\n', /rules[/]a\.lua:2/],
  ['knows a phase that is none', "\n\npx.on('nonsense', {}, function() end)\n",
    /rules[/]a\.lua:3.*nonsense/],
  ['matches by a key that its phase cannot know',
    "px.on('request', { status = '500' }, function() end)\n", /rules[/]a\.lua:1.*status/],
  ['never ends while it loads', 'while true do end\n', /rules[/]a\.lua/],
]) {
  test(`a rule that ${what} changes nothing, and the log names file and line`, async () => {
    await restored();
    const from = stage.gw.log.length;
    stage.gw.replace('rules/a.lua', text);
    await stage.gw.logged(pattern, { from, timeout: 20_000 });
    assert.equal(await userSeen(), 'one');
    assert.equal((await stage.gw.get('/ready')).status, 200);
    await restored();
  });
}

test('a new file is loaded and a removed one forgotten', async () => {
  await restored();
  stage.gw.write('rules/b.lua',
    "px.on('request', { model = 'm' }, function(req) req:set('user', 'b') end)");
  await obeys('b');
  stage.gw.remove('rules/b.lua');
  await obeys('one');
});

test('SIGHUP reloads', async () => {
  const from = stage.gw.log.length;
  stage.gw.child.kill('SIGHUP');
  await stage.gw.logged(/reload|generation/i, { from });
  assert.equal(await userSeen(), 'one');
});

test('a provider that is added is served, and one that is removed is not', async () => {
  stage.gw.writeConfig((config) => {
    config.providers.more = { ...config.providers.oa };
  });
  await until(10_000, async () => (await stage.gw.post('/more/v1/chat/completions',
    { model: 'm', messages: HI })).status === 200, 'the new provider serves');
  stage.gw.writeConfig((config) => { delete config.providers.more; });
  await until(10_000, async () => (await stage.gw.post('/more/v1/chat/completions',
    { model: 'm', messages: HI })).status === 404, 'the old provider is gone');
});

test('a client key that is added is known, and one that is removed is not', async () => {
  stage.gw.writeConfig((config) => config.clients.push({ name: 'new', key: 'second-key' }));
  const headers = { authorization: 'Bearer second-key' };
  await until(10_000, async () => (await stage.gw.chat({ model: 'm', messages: HI },
    { headers })).status === 200, 'the new key is known');
  stage.gw.writeConfig((config) => config.clients.pop());
  await until(10_000, async () => (await stage.gw.chat({ model: 'm', messages: HI },
    { headers })).status === 401, 'the key is refused');
});

for (const [what, text, pattern] of [
  ['is no JSON', '{ "listen": [ }', /proxima\.json:1/],
  ['has a wrong type', (c) => ({ ...c, providers: [] }), /providers/],
  ['names a type of provider that is none', (c) => ({ ...c,
    providers: { ...c.providers, x: { type: 'opnai', accounts: [] } } }), /opnai.*openai/],
]) {
  test(`a configuration that ${what} changes nothing, and the log says what is wrong`, async () => {
    const from = stage.gw.log.length;
    const broken = typeof text === 'function' ? JSON.stringify(text(stage.gw.config)) : text;
    stage.gw.replace('proxima.json', broken);
    await stage.gw.logged(pattern, { from });
    assert.equal(await userSeen(), 'one');
    stage.gw.writeConfig(() => {});
    await stage.gw.logged(/reload|generation/i, { from });
  });
}

test('a hundred edits in a row while requests run lose no request', async () => {
  await restored();
  let stop = false;
  const failures = [];
  const load = [1, 2, 3].map(async () => {
    while (!stop) {
      const reply = await stage.gw.chat({ model: 'm', messages: HI });
      if (reply?.status !== 200) {
        failures.push(reply?.status);
      }
    }
  });
  for (let round = 0; round < 100; round++) {
    stage.gw.replace('rules/a.lua', RULE(`r${round}`));
    await new Promise((done) => { setTimeout(done, 10); });
  }
  await obeys('r99');
  stop = true;
  await Promise.all(load);
  assert.deepEqual(failures, []);
  await restored();
});
