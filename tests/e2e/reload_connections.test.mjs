// What a reload does to connections and listeners, and how many generations may live.

import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { useStage } from './lib/stage.mjs';
import { freePort, KEY } from './lib/gateway.mjs';
import { gate, until } from './lib/wait.mjs';
import { ask, format, Wire } from './lib/wire.mjs';

const RULE = (text) => `
px.on('request', { model = 'm' }, function(req) req:set('user', '${text}') end)
`;

const stage = useStage({ files: { 'rules/a.lua': RULE('one') } });
const HI = [{ role: 'user', content: 'Hi' }];
const HEADERS = { authorization: `Bearer ${KEY}` };

function request(port) {
  return ask(port, 'POST', '/v1/chat/completions',
    { headers: HEADERS, body: { model: 'm', messages: HI } });
}

async function obeys(text, port = stage.gw.port) {
  await until(20_000, async () => (
    (await request(port)).status === 200 && stage.oa.last.json.user === text), `obeys ${text}`);
}

/** A stream that stands still after its first words until `open()`. */
async function standingStream() {
  const held = gate();
  stage.oa.lenient = true;
  stage.oa.script((x) => {
    const { pieces, ...rest } = stage.oa.say(x, { text: 'before and after', step: 7 });
    return { ...rest, pieces: [...pieces.slice(0, 2), () => held.promise, ...pieces.slice(2)] };
  });
  let seen = '';
  const reply = stage.gw.chat({ model: 's', messages: HI, stream: true },
    { onPart: (bytes) => { seen += bytes; }, timeout: 120_000 });
  await until(10_000, () => seen.includes('before'), 'the first words');
  return { reply, open: () => held.open() };
}

test('a connection that is kept alive outlives a reload and obeys the new rule', async () => {
  await obeys('one');
  const wire = await Wire.open(stage.gw.port);
  const once = async () => {
    wire.send(format('POST', '/v1/chat/completions',
      { headers: HEADERS, body: { model: 'm', messages: HI } }));
    assert.equal((await wire.response()).status, 200);
    return stage.oa.last.json.user;
  };
  assert.equal(await once(), 'one');
  stage.gw.write('rules/a.lua', RULE('two'));
  await obeys('two');
  assert.equal(await once(), 'two');
  wire.close();
});

test('sixteen generations live; then a reload waits, and the last edit is what serves', async () => {
  const streams = [];
  await obeys('two');
  while (streams.length < 16) {
    const from = stage.gw.log.length;
    streams.push(await standingStream());
    stage.gw.write('rules/a.lua', RULE(`n${streams.length}`));
    if (streams.length < 16) {
      await obeys(`n${streams.length}`);
    } else {
      await stage.gw.logged(/generations live; the reload waits/, { from, timeout: 20_000 });
    }
  }
  stage.gw.write('rules/a.lua', RULE('last'));
  assert.equal((await request(stage.gw.port)).status, 200);
  assert.equal(stage.oa.last.json.user, 'n15');
  streams[0].open();
  await obeys('last');
  for (const { open } of streams) {
    open();
  }
  for (const { reply } of streams) {
    assert.match((await reply).text, /\[DONE\]\n\n$/);
  }
});

async function serves(port, what) {
  await until(20_000, async () => (await ask(port, 'GET', '/ready')).status === 200, what);
}

test('a changed listener: the new port serves, the old one refuses, streams go on', async () => {
  const stream = await standingStream();
  const port = await freePort();
  const text = fs.readFileSync(path.join(stage.gw.dir, 'proxima.json'), 'utf8');
  const config = JSON.parse(text);
  config.listen = [{ address: '127.0.0.1', port }];
  stage.gw.write('proxima.json', JSON.stringify(config));
  await serves(port, 'the new port serves');
  // Workers change over one by one.
  await until(20_000, () => ask(stage.gw.port, 'GET', '/ready').then(() => false, () => true),
    'the old port refuses');
  stream.open();
  assert.match((await stream.reply).text, /\[DONE\]\n\n$/);
  stage.gw.write('proxima.json', text);
  await serves(stage.gw.port, 'the old port serves again');
});
