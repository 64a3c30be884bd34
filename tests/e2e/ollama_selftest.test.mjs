// The fake Ollama itself: its official client against it directly, so that a failure elsewhere is
// the gateway's.

import { after, afterEach, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Ollama } from 'ollama';
import { FakeOllama, ollamaError } from '../upstream/ollama.mjs';

const MODEL = 'qwen3:latest';
const HI = [{ role: 'user', content: 'Hi' }];
const WORDS = 'Grüße, 世界 🌍!';
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJ'
  + 'RU5ErkJggg==';
const TOOLS = [{ type: 'function', function: { name: 'get_weather', description: 'Tells weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } } }];
const CALLS = [{ id: 'call_a', name: 'get_weather', args: '{"city":"Oslo"}' },
  { id: 'call_b', name: 'get_weather', args: '{"city":"Rome"}' }];

async function collect(stream) {
  const out = [];
  for await (const part of stream) {
    out.push(part);
  }
  return out;
}

describe('the Ollama client and the fake Ollama', () => {
  let fake;
  let client;

  before(async () => {
    fake = await new FakeOllama().listen();
    client = new Ollama({ host: fake.url });
  });
  afterEach(() => {
    assert.deepEqual(fake.failures, []);
    fake.clear();
  });
  after(() => fake.close());

  test('a reply is read with its reason and counts', async () => {
    fake.script((x) => fake.say(x, { text: WORDS, usage: { input: 12, output: 9 } }));
    const reply = await client.chat({ model: MODEL, messages: HI });
    assert.equal(reply.message.content, WORDS);
    assert.deepEqual([reply.done, reply.done_reason], [true, 'stop']);
    assert.deepEqual([reply.prompt_eval_count, reply.eval_count], [12, 9]);
    assert.equal(fake.last.json.stream, false);
  });

  for (const split of [1, 7, undefined]) {
    test(`a stream gives the same, in pieces of ${split ?? 'a line'}`, async () => {
      fake.script((x) => fake.say(x, { thinking: 'Hm, well', text: WORDS, finish: 'length' },
        { split }));
      const parts = await collect(await client.chat({ model: MODEL, messages: HI, stream: true,
        think: true }));
      assert.equal(parts.map((one) => one.message.content).join(''), WORDS);
      assert.equal(parts.map((one) => one.message.thinking ?? '').join(''), 'Hm, well');
      assert.deepEqual(parts.filter((one) => one.done).map((one) => one.done_reason), ['length']);
      assert.ok(parts.at(-1).eval_duration > 0);
    });
  }

  test('calls are read, and their results reach the server', async () => {
    fake.script((x) => fake.say(x, { text: 'Looking.', calls: CALLS }));
    const ask = { model: MODEL, messages: [...HI], tools: TOOLS };
    const parts = await collect(await client.chat({ ...ask, stream: true }));
    const calls = parts.flatMap((one) => one.message.tool_calls ?? []);
    assert.deepEqual(calls.map((call) => call.function.arguments.city), ['Oslo', 'Rome']);
    ask.messages.push({ role: 'assistant', content: 'Looking.', tool_calls: calls.map((call) => (
      { function: { name: call.function.name, arguments: call.function.arguments } })) },
    ...calls.map((call) => ({ role: 'tool', tool_name: call.function.name, content: 'sun' })));
    const reply = await client.chat(ask);
    assert.equal(reply.message.content, 'You said: sun');
    assert.deepEqual(fake.refusals, []);
  });

  test('a generation has its own form', async () => {
    const reply = await client.generate({ model: MODEL, prompt: 'Hi', system: 'Be brief.',
      images: [PNG], options: { temperature: 0, num_predict: -1, stop: ['x'] }, format: 'json' });
    assert.equal(reply.response, 'You said: Hi');
    const parts = await collect(await client.generate({ model: MODEL, prompt: 'Ho',
      stream: true }));
    assert.equal(parts.map((one) => one.response).join(''), 'You said: Ho');
    const load = await client.generate({ model: MODEL, prompt: '', keep_alive: 0 });
    assert.equal(load.done_reason, 'unload');
  });

  test('what there is, is told', async () => {
    assert.deepEqual((await client.list()).models.map((one) => one.name), fake.models);
    const about = await client.show({ model: MODEL });
    assert.ok(about.capabilities.includes('tools'));
    assert.deepEqual((await client.ps()).models, []);
    assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);
    assert.equal(await (await fetch(fake.url)).text(), 'Ollama is running');
  });

  // What is asked, status, words.
  for (const [ask, status, words] of [
    [{ model: 'missing' }, 404, /not found/],
    [{ model: 'llama3.2', think: true }, 400, /does not support thinking/],
    [{ model: 'plain', tools: TOOLS }, 400, /does not support tools/],
    [{ options: { temperature: 'hot' } }, 400, /must be of type float32/],
    [{ messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] }, 400, /unmarshal/],
    [{ messages: [{ role: 'user', content: 'Hi', images: ['http://x/y'] }] }, 400, /base64/],
    [{ tool_choice: 'auto' }, 400, /unknown field/],
    [{ think: 'very' }, 400, /invalid think value/],
    [{ format: 'xml' }, 400, /invalid format/],
  ]) {
    test(`${JSON.stringify(ask).slice(0, 60)} is refused`, async () => {
      await assert.rejects(client.chat({ model: MODEL, messages: HI, ...ask }),
        (error) => error.status_code === status && words.test(error.message));
      assert.equal(fake.refusals.length, 1);
    });
  }

  test('errors come before, within and instead of the end of a stream', async () => {
    const ask = { model: MODEL, messages: HI, stream: true };
    fake.script(ollamaError(503, 'server busy'));
    await assert.rejects(client.chat(ask), /server busy/);
    const ndjson = { 'content-type': 'application/x-ndjson' };
    fake.script({ headers: ndjson, pieces: ['{"error":"runner stopped"}\n'] });
    await assert.rejects(collect(await client.chat(ask)), /runner stopped/);
    fake.script((x) => ({ ...fake.say(x, { text: 'Half' }), pieces: fake.say(x, { text: 'Half' })
      .pieces.slice(0, 1) }));
    await assert.rejects(collect(await client.chat(ask)), /Did not receive done/);
  });

  test('a server with a key asks for it', async () => {
    fake.key = 'sk-up';
    await assert.rejects(client.list(), /unauthorized/);
    const knows = new Ollama({ host: fake.url, headers: { Authorization: 'Bearer sk-up' } });
    assert.equal((await knows.list()).models.length, 2);
    fake.key = undefined;
  });
});
