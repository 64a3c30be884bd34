// Upstreams and clients that misbehave: what the client then sees, and that nothing is left behind
// (the stage compares the gauges after each test).

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { openaiFrames, anthropicFrames, frames } from '../upstream/events.mjs';
import { openaiError } from '../upstream/openai.mjs';
import { anthropicError } from '../upstream/anthropic.mjs';
import { useStage } from './lib/stage.mjs';
import { gate, until, within } from './lib/wait.mjs';
import { TWO_CALLS } from './scenarios/shared.mjs';

const stage = useStage({ config: { timeouts: { head: 2, connect: 2, first_byte: 2, idle: 2 } } });

const HI = [{ role: 'user', content: 'Hi' }];
const TOOL = { type: 'object', properties: {} };

const CLIENT = {
  openai: {
    target: '/v1/chat/completions',
    body: (model, stream) => ({ model, messages: HI, stream,
      tools: [{ type: 'function', function: { name: 'get_weather', parameters: TOOL } }] }),
    hasEnd: (text) => /\[DONE\]|"finish_reason":\s*"/.test(text),
    isError: (text) => /^data: ?\{"error":\{/m.test(text),
  },
  anthropic: {
    target: '/v1/messages',
    body: (model, stream) => ({ model, max_tokens: 100, messages: HI, stream,
      tools: [{ name: 'get_weather', input_schema: TOOL }] }),
    hasEnd: (text) => /message_stop|"stop_reason":\s*"/.test(text),
    isError: (text) => /^event: error\n/m.test(text),
  },
};

const UPSTREAM = {
  openai: { fake: 'oa', model: 'oa:gpt-4o', frames: openaiFrames,
    error: (message) => [`data: ${JSON.stringify({ error: { message, type: 'server_error',
      param: null, code: null } })}\n\n`] },
  anthropic: { fake: 'an', model: 'an:claude-sonnet-4-6', frames: anthropicFrames,
    error: (message) => frames([{ type: 'error', error: { type: 'api_error', message } }]) },
};

function ask(client, upstream, stream = true, more = {}) {
  const { target, body } = CLIENT[client];
  return stage.gw.post(target, body(UPSTREAM[upstream].model, stream),
    { headers: { 'anthropic-version': '2023-06-01' }, ...more });
}

function assertErrorBody(client, reply, message) {
  const { json } = reply;
  assert.equal(typeof json.error.message, 'string');
  assert.equal(typeof json.error.type, 'string');
  assert.equal(json.type, client === 'anthropic' ? 'error' : undefined);
  if (message) {
    assert.match(json.error.message, message);
  }
}

/** Asks for a stream whose upstream goes on only after the client saw `mark`. */
async function askAndSee(client, upstream, mark, given, rest) {
  const seen = gate();
  let text = '';
  stage[UPSTREAM[upstream].fake].script({ pieces: [given.join(''), () => seen.promise], ...rest });
  return ask(client, upstream, true, { onPart: (bytes) => {
    text += bytes;
    if (text.includes(mark)) {
      seen.open();
    }
  } });
}

function cutTests(client, upstream) {
  const { fake, frames: make, error } = UPSTREAM[upstream];
  const { hasEnd, isError } = CLIENT[client];
  const talk = make({ text: 'Half of the answer', step: 4 });
  const call = make({ calls: TWO_CALLS, step: 3 });

  for (const finish of ['cut', 'reset', 'end']) {
    test(`an upstream that ends (${finish}) before its first event is a 502`, async () => {
      stage[fake].script({ pieces: [], finish });
      const reply = await ask(client, upstream);
      assert.equal(reply.status, 502);
      assertErrorBody(client, reply);
    });

    test(`an upstream that ends (${finish}) in the middle of the text ends in an error event`,
      async () => {
        const reply = await askAndSee(client, upstream, 'Half', talk.slice(0, 5), { finish });
        assert.equal(reply.status, 200);
        assert.match(reply.text, /Half/);
        assert.ok(isError(reply.text), reply.text);
        assert.ok(!hasEnd(reply.text), reply.text);
      });

    test(`an upstream that ends (${finish}) in the middle of a tool call ends in an error event`,
      async () => {
        const reply = await askAndSee(client, upstream, 'get_weather', call.slice(0, 6),
          { finish });
        assert.equal(reply.status, 200);
        assert.ok(isError(reply.text), reply.text);
        assert.ok(!hasEnd(reply.text), reply.text);
      });

    test(`an upstream that ends (${finish}) after the finish but without a terminator is complete`,
      async () => {
        const reply = await askAndSee(client, upstream, 'Half', talk.slice(0, -1), { finish });
        assert.equal(reply.status, 200);
        assert.ok(!isError(reply.text), reply.text);
        assert.ok(hasEnd(reply.text), reply.text);
        if (client === upstream) {
          assert.equal(reply.text, talk.slice(0, -1).join(''));
        }
      });
  }

  test('200, created, then an error: the error becomes a status', async () => {
    stage[fake].script({ pieces: [talk[0], 20, ...error('broke early')] });
    const reply = await ask(client, upstream);
    assert.equal(reply.status, 500);
    assertErrorBody(client, reply, /broke early/);
  });

  test('an upstream that is cut inside an event ends in an error event of its own', async () => {
    const reply = await askAndSee(client, upstream, 'Half',
      [...talk.slice(0, 5), talk[5].slice(0, -9)], { finish: 'cut' });
    assert.equal(reply.status, 200);
    const last = reply.text.split(/\r?\n\r?\n/).filter(Boolean).at(-1);
    assert.ok(isError(last), reply.text);
    assert.ok(!hasEnd(reply.text), reply.text);
  });

  test('an error in the middle of a stream is the client\'s protocol\'s error event', async () => {
    stage[fake].script({ pieces: [talk.slice(0, 5).join(''), ...error('broke late')] });
    const reply = await ask(client, upstream);
    assert.equal(reply.status, 200);
    assert.match(reply.text, /Half/);
    assert.match(reply.text, /broke late/);
    assert.ok(isError(reply.text), reply.text);
    assert.ok(!hasEnd(reply.text), reply.text);
  });
}

function answerTests(client, upstream) {
  const { fake } = UPSTREAM[upstream];
  const { isError, hasEnd } = CLIENT[client];

  for (const [name, answer] of [
    ['garbage instead of HTTP', { raw: ['\x00\x01 not http at all\r\n\r\n'], finish: 'cut' }],
    ['an endless head', { raw: ['HTTP/1.1 200 OK\r\nx-long: ', 'a'.repeat(1 << 20)],
      finish: 'stall' }],
    ['endless header lines', { raw: ['HTTP/1.1 200 OK\r\n', 'x-a: b\r\n'.repeat(100_000)],
      finish: 'stall' }],
    ['a 302', { status: 302, headers: { location: 'http://127.0.0.1:1/' }, body: '' }],
    ['a 307', { status: 307, headers: { location: '/v1/elsewhere' }, body: '' }],
    ['a 200 that is HTML', { headers: { 'content-type': 'text/html' }, body: '<html>hi</html>' }],
  ]) {
    test(`${name} from an upstream is a 502 in the client's shape`, async () => {
      stage[fake].script(answer);
      const reply = await ask(client, upstream, false);
      assert.equal(reply.status, 502);
      assertErrorBody(client, reply);
      assert.equal(stage[fake].requests.length, 1, 'a redirect is not followed');
    });
  }

  test('a whole reply that is no JSON, or not all there, never looks like one', async () => {
    for (const answer of [{ body: '{"id":"x","choices":[{' }, { raw: ['HTTP/1.1 200 OK\r\n'
      + 'content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"id":'], finish: 'cut' }]) {
      stage[fake].script(answer);
      const reply = await ask(client, upstream, false);
      if (client === upstream && reply.status === 200) {
        assert.ok(reply.cut || reply.text === answer.body, reply.text);
      } else {
        assert.equal(reply.status, 502);
        assertErrorBody(client, reply);
      }
    }
  });

  test('an upstream\'s HTML error is wrapped and cut', async () => {
    stage[fake].script({ status: 502, headers: { 'content-type': 'text/html' },
      body: `<html>Bad gateway ${'x'.repeat(20_000)}</html>` });
    const reply = await ask(client, upstream, false);
    assert.equal(reply.status, 502);
    assertErrorBody(client, reply);
    assert.ok(reply.text.length < 3000, `${reply.text.length} bytes`);
  });

  test('events that are no JSON end a stream in an error', async () => {
    stage[fake].script({ pieces: ['data: {"a":\n\n', 'data: !!\n\n', 'data: [1\n\n'] });
    const reply = await ask(client, upstream);
    assert.ok(reply.status === 502 || isError(reply.text), `${reply.status} ${reply.text}`);
    assert.ok(!hasEnd(reply.text));
  });

  test('an upstream that says nothing is a 504', async () => {
    stage[fake].script({ delay: stage[fake].nextRequest().then((x) => x.closed), body: '' });
    const reply = await ask(client, upstream, false);
    assert.equal(reply.status, 504);
    assertErrorBody(client, reply);
  });

  test('an upstream that falls silent in a stream ends in an error event', async () => {
    const talk = UPSTREAM[upstream].frames({ text: 'Half of the answer', step: 4 });
    stage[fake].script({ pieces: [talk.slice(0, 5).join('')], finish: 'stall' });
    const reply = await ask(client, upstream);
    assert.equal(reply.status, 200);
    assert.ok(isError(reply.text), reply.text);
    assert.ok(!hasEnd(reply.text), reply.text);
  });

  test('a client that leaves in the middle of a stream frees the upstream within a second',
    async () => {
      const talk = UPSTREAM[upstream].frames({ text: 'Half of the answer', step: 4 });
      stage[fake].script({ pieces: [talk.slice(0, 5).join('')], finish: 'stall' });
      const { target, body } = CLIENT[client];
      const wire = await stage.gw.begin(target, body(UPSTREAM[upstream].model, true));
      await until(5000, () => wire.bytes.includes('Half'), 'the first words');
      wire.close();
      await within(1000, stage[fake].last.closed, 'the upstream\'s connection is closed');
    });

  test('a client that leaves before the answer frees the upstream within a second', async () => {
    const held = gate();
    stage[fake].script({ delay: held.promise, body: '' });
    const { target, body } = CLIENT[client];
    const arrived = stage[fake].nextRequest();
    const wire = await stage.gw.begin(target, body(UPSTREAM[upstream].model, false));
    const exchange = await arrived;
    wire.close();
    await within(1000, exchange.closed, 'the upstream\'s connection is closed');
    held.open();
  });
}

for (const client of ['openai', 'anthropic']) {
  for (const upstream of ['openai', 'anthropic']) {
    describe(`a client of ${client}, an upstream of ${upstream}`, () => {
      cutTests(client, upstream);
      answerTests(client, upstream);
    });
  }
}

test('a stop sequence that the gateway watches for ends the answer and the upstream\'s',
  async () => {
    const held = gate();
    const talk = openaiFrames({ text: 'One END two', step: 3 });
    stage.oa.script({ pieces: [talk.slice(0, -3).join(''), () => held.promise], finish: 'stall' });
    const reply = await within(1500, stage.gw.messages({ model: 'oa:gpt-5-mini', max_tokens: 100,
      stop_sequences: ['END'], messages: HI, stream: true }), 'the answer ends');
    await within(1000, stage.oa.last.closed, 'the upstream\'s connection is closed');
    held.open();
    assert.equal(stage.oa.last.json.stop, undefined);
    assert.equal(reply.status, 200);
    assert.match(reply.text, /"stop_reason":"stop_sequence","stop_sequence":"END"/);
    assert.match(reply.text, /"output_tokens":[1-9]/);
    assert.match(reply.text, /event: message_stop/);
    assert.doesNotMatch(reply.text, /two|event: error/);
  });

test('an upstream that cannot be reached is a 502 that names no address', async () => {
  stage.gw.writeConfig((config) => {
    config.providers.gone = { type: 'openai', base_url: 'http://127.0.0.1:1/v1',
      accounts: [{ name: 'g', api_key: 'sk-gone' }] };
  });
  const reply = await until(10_000, async () => {
    const got = await stage.gw.chat({ model: 'gone:m', messages: HI });
    return got.status !== 200 && got;
  }, 'the new provider is known');
  assert.equal(reply.status, 502);
  assertErrorBody('openai', reply);
  assert.doesNotMatch(reply.text, /sk-gone|127\.0\.0\.1:1/);
});

test('our account\'s bad key is a 502 that no client retries, without the key in its words',
  async () => {
    stage.oa.script(openaiError(401, 'invalid_request_error', 'invalid_api_key',
      'Incorrect API key provided: sk-up. Ask again.'));
    const reply = await ask('openai', 'openai', false);
    assert.equal(reply.status, 502);
    assert.equal(reply.json.error.code, 'upstream_auth');
    assert.equal(reply.headers['x-should-retry'], 'false');
    assert.match(reply.json.error.message, /Incorrect API key provided/);
    assert.doesNotMatch(reply.text, /sk-up/);
    assert.match(reply.headers['x-proxima-upstream'], /^401 /);
    assert.doesNotMatch(stage.gw.log, /sk-up|test-key/);
  });

test('an overloaded Anthropic is 503 to an OpenAI client, which sees what it was', async () => {
  stage.an.script(anthropicError(529, 'overloaded_error', 'Overloaded', { 'retry-after': '3' }));
  const reply = await ask('openai', 'anthropic', true);
  assert.equal(reply.status, 503);
  assert.equal(reply.headers['x-proxima-upstream'], '529 overloaded_error');
  assert.equal(reply.headers['retry-after'], '3');
});

/** A stream that never ends, and how many of its bytes were taken so far. */
function endless(fake, make) {
  const text = make({ text: 'x'.repeat(30_000), step: 1000 });
  const middle = text.slice(3, -4).join('');
  const count = { bytes: 0 };
  const more = async ({ socket }) => {
    while (!socket.destroyed && !socket.writableEnded) {
      const chunk = `${middle.length.toString(16)}\r\n${middle}\r\n`;
      if (!socket.write(chunk)) {
        await new Promise((done) => {
          socket.once('drain', done);
          socket.once('close', done);
        });
      }
      count.bytes += middle.length;
      await new Promise((done) => { setImmediate(done); });
    }
  };
  fake.script({ pieces: [text.slice(0, 4).join(''), more], finish: 'stall' });
  return count;
}

function rss(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

for (const [client, upstream] of [['openai', 'openai'], ['anthropic', 'openai']]) {
  test(`a client (${client}) that hardly reads stops its upstream (${upstream}), and memory `
    + 'stays bounded', async () => {
    const count = endless(stage[UPSTREAM[upstream].fake], UPSTREAM[upstream].frames);
    const { target, body } = CLIENT[client];
    const wire = await stage.gw.begin(target, body(UPSTREAM[upstream].model, true));
    wire.socket.pause();
    let before = -1;
    await until(20_000, async () => {
      const still = count.bytes === before && count.bytes > 0;
      before = count.bytes;
      wire.socket.read(1);
      await new Promise((done) => { setTimeout(done, 300); });
      return still && count.bytes === before;
    }, () => `the upstream is paused (${count.bytes} bytes were taken)`);
    assert.ok(count.bytes < 64 << 20, `${count.bytes} bytes were taken`);
    assert.ok(rss(stage.gw.child.pid) < 600 << 20);
    wire.close();
    await within(2000, stage[UPSTREAM[upstream].fake].last.closed, 'the upstream is let go');
  });
}
