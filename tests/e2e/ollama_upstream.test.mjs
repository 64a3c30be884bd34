// Ollama as the upstream: the official clients of three protocols in front of it.

import { after, afterEach, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { Ollama } from 'ollama';
import { FakeOllama, ollamaError } from '../upstream/ollama.mjs';
import { Gateway, KEY } from './lib/gateway.mjs';
import { PNG, TWO_CALLS, WEATHER, WORDS, collect } from './scenarios/shared.mjs';

const MODEL = 'qwen3:latest';
const HI = [{ role: 'user', content: 'Hi' }];
const DESCRIBED = { thinking: 'Hm, well', text: WORDS, usage: { input: 12, output: 9 } };
const NDJSON = { 'content-type': 'application/x-ndjson' };
const OPENAI_TOOLS = [{ type: 'function', function: { name: 'get_weather', parameters: WEATHER } }];

let fake;
let gw;
let openai;
let claude;
let ollama;

before(async () => {
  fake = await new FakeOllama({ key: 'sk-up' }).listen();
  gw = await Gateway.start({ config: { default_provider: 'home', providers: { home: {
    type: 'ollama', base_url: fake.url, num_ctx: 32768, models: [MODEL],
    accounts: [{ name: 'a', api_key: fake.key }] } } } });
  openai = new OpenAI({ apiKey: KEY, baseURL: `${gw.url}/v1`, maxRetries: 0 });
  claude = new Anthropic({ apiKey: KEY, baseURL: gw.url, maxRetries: 0 });
  ollama = new Ollama({ host: gw.url, headers: { Authorization: `Bearer ${KEY}` } });
});
afterEach(() => {
  assert.deepEqual(fake.failures, []);
  fake.clear();
});
after(async () => {
  await gw?.stop();
  await fake?.close();
});

const say = (description, more) => fake.script((x) => fake.say(x, description, more));

describe('the OpenAI client over Ollama', () => {
  test('a reply is read whole', async () => {
    say(DESCRIBED);
    const reply = await openai.chat.completions.create({ model: MODEL, temperature: 0,
      max_completion_tokens: 50, reasoning_effort: 'high',
      messages: [{ role: 'system', content: 'Be brief.' }, ...HI] });
    const [{ message, finish_reason: finish }] = reply.choices;
    assert.deepEqual([message.content, message.reasoning_content, finish],
      [WORDS, 'Hm, well', 'stop']);
    assert.deepEqual([reply.usage.prompt_tokens, reply.usage.completion_tokens], [12, 9]);
    const sent = fake.last.json;
    assert.deepEqual([sent.stream, sent.think, sent.options], [false, true,
      { num_ctx: 32768, num_predict: 50, temperature: 0 }]);
    assert.deepEqual(sent.messages[0], { role: 'system', content: 'Be brief.' });
    assert.equal(fake.last.headers.authorization, 'Bearer sk-up');
  });

  for (const split of [1, 50, undefined]) {
    test(`a stream gives the same, in pieces of ${split ?? 'a line'}`, async () => {
      say({ ...DESCRIBED, finish: 'length' }, { split });
      const chunks = await collect(await openai.chat.completions.create({ model: MODEL,
        messages: HI, stream: true, stream_options: { include_usage: true } }));
      const choices = chunks.flatMap((one) => one.choices);
      assert.equal(choices.map((one) => one.delta.content ?? '').join(''), WORDS);
      assert.deepEqual(choices.map((one) => one.finish_reason).filter(Boolean), ['length']);
      assert.equal(chunks.at(-1).usage.completion_tokens, 9);
    });
  }

  for (const stream of [false, true]) {
    test(`calls go both ways${stream ? ' in a stream' : ''}`, async () => {
      say({ calls: TWO_CALLS });
      const ask = { model: MODEL, messages: [...HI], tools: OPENAI_TOOLS };
      const message = stream
        ? await openai.chat.completions.stream(ask).finalMessage()
        : (await openai.chat.completions.create(ask)).choices[0].message;
      const calls = message.tool_calls;
      assert.deepEqual(calls.map((one) => one.function.arguments),
        TWO_CALLS.map((one) => one.args));
      ask.messages.push(message, ...calls.map((call, at) => ({ role: 'tool',
        tool_call_id: call.id, content: `sun ${at}` })));
      await openai.chat.completions.create(ask);
      assert.deepEqual(fake.refusals, []);
      assert.ok(fake.last.body.toString().includes('9007199254740993'));
      assert.deepEqual(fake.last.json.messages.slice(-2).map((one) => one.content),
        ['sun 0', 'sun 1']);
    });
  }

  test('images arrive without what stands in front of them', async () => {
    await openai.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: [
      { type: 'text', text: 'What is it?' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } }] }] });
    assert.deepEqual(fake.last.json.messages[0].images, [PNG]);
  });

  for (const stream of [false, true]) {
    test(`a refusal has its class${stream ? ' of a stream' : ''}`, async () => {
      fake.script(ollamaError(503, 'server busy, please try again'));
      await assert.rejects(openai.chat.completions.create({ model: MODEL, messages: HI, stream }),
        (error) => error.status === 503 && /server busy/.test(error.message));
      await assert.rejects(openai.chat.completions.create({ model: 'missing', messages: HI,
        stream }), OpenAI.NotFoundError);
    });
  }

  test('an error instead of a stream has a status, one within it raises', async () => {
    const ask = { model: MODEL, messages: HI, stream: true };
    fake.script({ headers: NDJSON, pieces: ['{"error":"server busy"}\n'] });
    await assert.rejects(openai.chat.completions.create(ask), (error) => error.status === 503);
    fake.script((x) => ({ headers: NDJSON, pieces: [fake.say(x, { text: 'Half' }).pieces[0],
      '{"error":"runner stopped"}\n'] }));
    await assert.rejects(async () => collect(await openai.chat.completions.create(ask)),
      /runner stopped/);
    fake.script((x) => ({ headers: NDJSON, pieces: fake.say(x, { text: WORDS }).pieces
      .slice(0, 2) }));
    await assert.rejects(async () => collect(await openai.chat.completions.create(ask)),
      /upstream/);
  });
});

describe('the Anthropic client over Ollama', () => {
  for (const stream of [false, true]) {
    test(`a reply has thinking, text and calls${stream ? ' in a stream' : ''}`, async () => {
      say({ ...DESCRIBED, calls: TWO_CALLS });
      const ask = { model: MODEL, max_tokens: 50, messages: HI, tools: [{ name: 'get_weather',
        input_schema: WEATHER }] };
      const reply = stream ? await claude.messages.stream(ask).finalMessage()
        : await claude.messages.create(ask);
      assert.deepEqual(reply.content.map((one) => one.type),
        ['thinking', 'text', 'tool_use', 'tool_use']);
      assert.equal(reply.content[1].text, WORDS);
      assert.equal(reply.content[3].input.city, JSON.parse(TWO_CALLS[1].args).city);
      assert.deepEqual([reply.stop_reason, reply.usage.input_tokens, reply.usage.output_tokens],
        ['tool_use', 12, 9]);
    });
  }
});

describe('the Ollama client over Ollama', () => {
  test('a reply passes as it is', async () => {
    say(DESCRIBED);
    const reply = await ollama.chat({ model: MODEL, messages: HI, keep_alive: '5m',
      options: { num_ctx: 4096 } });
    assert.equal(reply.total_duration, 900000000);
    assert.deepEqual([fake.last.json.keep_alive, fake.last.json.options.num_ctx], ['5m', 4096]);
  });

  test('a stream passes as it is, and one that was cut ends in an error', async () => {
    say(DESCRIBED, { split: 7 });
    const ask = { model: MODEL, messages: HI, stream: true };
    const parts = await collect(await ollama.chat(ask));
    assert.equal(parts.map((one) => one.message.content).join(''), WORDS);
    assert.equal(parts.at(-1).total_duration, 900000000);
    fake.script((x) => ({ headers: NDJSON, pieces: fake.say(x, { text: WORDS }).pieces
      .slice(0, 2) }));
    await assert.rejects(async () => collect(await ollama.chat(ask)), /upstream/);
  });

  test('a generation is one to the end', async () => {
    const reply = await ollama.generate({ model: MODEL, prompt: 'Hi' });
    assert.equal(reply.response, 'You said: Hi');
    const parts = await collect(await ollama.generate({ model: MODEL, prompt: 'Hi',
      stream: true }));
    assert.equal(parts.map((one) => one.response).join(''), 'You said: Hi');
    assert.equal(fake.last.path, '/api/generate');
  });

  test('a request that does not say so is streamed', async () => {
    const reply = await fetch(`${gw.url}/api/chat`, { method: 'POST',
      headers: { authorization: `Bearer ${KEY}` }, body: JSON.stringify({ model: MODEL,
        messages: HI }) });
    assert.match(reply.headers.get('content-type'), /application\/x-ndjson/);
    const lines = (await reply.text()).trimEnd().split('\n').map((one) => JSON.parse(one));
    assert.ok(lines.length > 1 && lines.at(-1).done);
  });

  test('what there is, is told', async () => {
    assert.match((await ollama.version()).version, /^\d+\.\d+\.\d+$/);
    assert.ok((await ollama.show({ model: MODEL })).capabilities.includes('tools'));
    assert.deepEqual((await ollama.ps()).models.map((one) => one.model).filter((name) => (
      name === MODEL)), [MODEL]);
    const load = await ollama.chat({ model: MODEL, messages: [] });
    assert.equal(load.done_reason, 'load');
  });
});
