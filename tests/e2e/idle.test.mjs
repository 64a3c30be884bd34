// Many connections on which nothing happens.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { useStage } from './lib/stage.mjs';
import { Wire, format } from './lib/wire.mjs';
import { until } from './lib/wait.mjs';

const COUNT = 10_000;
const stage = useStage({ config: { timeouts: { head: 120, keep_alive: 120 },
  limits: { connections: 12_000 } } });

function rssAnon() {
  const text = fs.readFileSync(`/proc/${stage.gw.child.pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+)/.exec(text)[1]) * 1024;
}

function softLimit() {
  return Number(/Max open files\s+(\d+)/.exec(fs.readFileSync('/proc/self/limits', 'utf8'))[1]);
}

test(`${COUNT} idle connections are held, cost little, and hold up nobody`, async () => {
  assert.ok(softLimit() > COUNT + 200, `ulimit -n is ${softLimit()}; use tests/e2e/run`);
  const before = rssAnon();
  const wires = [];
  while (wires.length < COUNT) {
    wires.push(...await Promise.all(Array.from({ length: 250 },
      () => Wire.open(stage.gw.port, { timeout: 20_000 }))));
  }
  try {
    await until(20_000, async () => (await stage.gw.gauges()).connections >= COUNT,
      'all are counted');
    const each = (rssAnon() - before) / COUNT;
    assert.ok(process.env.PX_BIN?.includes('release') ? each < 8192 : each < 65_536,
      `${each} bytes for each connection`);
    const reply = await stage.gw.chat({ model: 'oa:gpt-4o',
      messages: [{ role: 'user', content: 'Hi' }] });
    assert.equal(reply.status, 200);
    for (const wire of [wires[0], wires[COUNT - 1]]) {
      wire.send(format('GET', '/health', {}));
      assert.equal((await wire.response()).status, 200);
    }
    assert.ok(wires.every((wire) => !wire.over), 'none was dropped');
  } finally {
    for (const wire of wires) {
      wire.close();
    }
  }
});

test('connections over the limit wait, and are served when others leave', async () => {
  const limit = 20;
  stage.gw.writeConfig((config) => { config.limits = { connections: limit }; });
  await stage.gw.logged(/generation 2/);
  const wires = [];
  try {
    while (wires.length < 3 * limit) {
      wires.push(await Wire.open(stage.gw.port));
    }
    await stage.gw.logged(/accepts no more/);
    const answers = wires.map(async (wire) => {
      wire.send(format('GET', '/health', { headers: { connection: 'close' } }));
      const reply = await wire.response();
      wire.close();
      return reply?.status;
    });
    assert.deepEqual(new Set(await Promise.all(answers)), new Set([200]));
  } finally {
    for (const wire of wires) {
      wire.close();
    }
  }
  assert.equal((await stage.gw.get('/health')).status, 200);
});

test('when all leave a full gateway at once, it serves on', async () => {
  const wires = [];
  while (wires.length < 60) {
    wires.push(await Wire.open(stage.gw.port));
  }
  await stage.gw.logged(/accepts no more/);
  for (const wire of wires) {
    wire.close();
  }
  await until(10_000, async () => (await stage.gw.get('/health')).status === 200,
    'it serves again');
});
