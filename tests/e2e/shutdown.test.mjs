// SIGTERM: requests may end, up to a limit; then they are cut with an error event.

import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { Gateway } from './lib/gateway.mjs';
import { FakeOpenAI } from '../upstream/openai.mjs';
import { FakeAnthropic } from '../upstream/anthropic.mjs';
import { Wire } from './lib/wire.mjs';
import { gate, until, within } from './lib/wait.mjs';

let oa;
let an;
let gw;

before(async () => {
  oa = await new FakeOpenAI().listen();
  an = await new FakeAnthropic().listen();
});
after(async () => {
  await oa.close();
  await an.close();
});
beforeEach(async () => {
  oa.clear();
  an.clear();
  gw = await Gateway.start({ fakes: { oa, an }, config: { timeouts: { shutdown: 2 } } });
});

const HI = [{ role: 'user', content: 'Hi' }];

function held(fake) {
  const opened = gate();
  fake.script((x) => {
    const whole = fake.say(x, { text: 'before and after', step: 7 });
    return { ...whole,
      pieces: [...whole.pieces.slice(0, 4), () => opened.promise, ...whole.pieces.slice(4)] };
  });
  return opened;
}

async function started(target, body) {
  const wire = await gw.begin(target, body);
  await until(5000, () => wire.bytes.includes('before'), 'the first words');
  return wire;
}

async function refusesNewConnections() {
  await until(5000, async () => {
    try {
      const wire = await Wire.open(gw.port, { timeout: 500 });
      wire.close();
      return false;
    } catch {
      return true;
    }
  }, 'new connections are refused');
}

test('a running stream may end after SIGTERM, new connections are refused meanwhile', async () => {
  const opened = held(oa);
  const wire = await started('/v1/chat/completions', { model: 'oa:gpt-4o', messages: HI,
    stream: true });
  gw.child.kill('SIGTERM');
  await refusesNewConnections();
  assert.equal(gw.exit, undefined, 'it still runs');
  opened.open();
  const reply = await wire.response();
  assert.match(reply.text, /\[DONE\]\n\n$/);
  await within(3000, wire.ended, 'the connection is closed');
  await gw.stop({ signal: null });
});

for (const [client, target, model, isError, hasEnd] of [
  ['OpenAI', '/v1/chat/completions', 'oa:gpt-4o', /^data: ?\{"error":/m, /\[DONE\]/],
  ['Anthropic', '/v1/messages', 'an:claude-sonnet-4-6', /^event: error$/m, /message_stop/],
  ['Anthropic in front of an OpenAI', '/v1/messages', 'oa:gpt-4o', /^event: error$/m,
    /message_stop/]]) {
  test(`a stream to ${client} that does not end is cut with an error event`, async () => {
    const fake = model.startsWith('oa') ? oa : an;
    held(fake);
    const wire = await started(target, { model, max_tokens: 100, messages: HI, stream: true });
    const begun = Date.now();
    const ending = gw.stop();
    const reply = await wire.response();
    assert.match(reply.text, isError);
    assert.doesNotMatch(reply.text, hasEnd);
    assert.ok(Date.now() - begun >= 1500, 'it had its time');
    await within(2000, fake.last.closed, 'the upstream is let go');
    await ending;
    wire.close();
  });
}

test('idle connections do not hold up the end', async () => {
  const wires = await Promise.all(Array.from({ length: 20 }, () => Wire.open(gw.port)));
  const begun = Date.now();
  await gw.stop();
  assert.ok(Date.now() - begun < 2000 * Number(process.env.PX_SLOW ?? 1));
  for (const wire of wires) {
    await within(1000, wire.ended, 'it is closed');
  }
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`${signal} ends it gracefully, and a second one at once, as that signal does`, async () => {
    held(oa);
    const wire = await started('/v1/chat/completions', { model: 'oa:gpt-4o', messages: HI,
      stream: true });
    const begun = Date.now();
    gw.child.kill(signal);
    await refusesNewConnections();
    gw.child.kill(signal);
    await within(10_000, gw.exited, 'it ends');
    assert.ok(Date.now() - begun < 1900, 'the second signal is not ignored');
    assert.deepEqual(gw.exit, { code: null, signal });
    wire.close();
  });
}
