// What models there are: asked of the providers, told in each client's words, and known to routing.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { GoogleGenAI } from '@google/genai';
import { Ollama } from 'ollama';
import { FakeAnthropic } from '../upstream/anthropic.mjs';
import { FakeGemini } from '../upstream/gemini.mjs';
import { FakeOllama } from '../upstream/ollama.mjs';
import { FakeOpenAI } from '../upstream/openai.mjs';
import { Gateway, KEY } from './lib/gateway.mjs';
import { gate, until } from './lib/wait.mjs';
import { collect } from './scenarios/shared.mjs';

const fakes = {};
let gw;

const HAS = { anthropic: ['claude-sonnet-4-6', 'claude-haiku-4-5'], gemini: ['gemini-2.5-flash'],
  ollama: ['llama3.2:latest', 'gpt-4o'], openai: ['gpt-4o', 'gpt-5-mini', 'secret-model'] };
const END = { openai: '/v1' };
const FAKES = { anthropic: FakeAnthropic, gemini: FakeGemini, ollama: FakeOllama,
  openai: FakeOpenAI };

const start = (more = {}, accounts = {}) => Gateway.start({ config: { workers: 2,
  default_provider: undefined, models: { fast: 'a_openai:gpt-5-mini' },
  providers: { demo: { type: 'demo', enabled: false }, ...Object.fromEntries(
    Object.keys(FAKES).map((kind) => [`a_${kind}`, { type: kind, label: `My ${kind}`,
      base_url: fakes[kind].url + (END[kind] ?? ''),
      accounts: [{ name: 'a', api_key: 'sk-up', ...accounts[kind] }] }])) }, ...more } });

before(async () => {
  for (const [kind, Fake] of Object.entries(FAKES)) {
    fakes[kind] = await new Fake({ key: 'sk-up', models: HAS[kind] }).listen();
  }
  gw = await start({}, { openai: { not_models: ['secret-*'] } });
});
after(async () => {
  await gw?.stop();
  await Promise.all(Object.values(fakes).map((fake) => fake.close()));
});

const ALL = ['claude-haiku-4-5', 'claude-sonnet-4-6', 'fast', 'gemini-2.5-flash', 'gpt-4o',
  'gpt-5-mini', 'llama3.2:latest'];
const sorted = (list) => [...list].sort();
const listings = (fake) => fake.requests.filter((one) => one.method === 'GET').length;

describe('the union of what providers have', () => {
  test('is told to the OpenAI SDK, each model once', async () => {
    const client = new OpenAI({ apiKey: KEY, baseURL: `${gw.url}/v1` });
    const list = await collect(client.models.list());
    assert.deepEqual(sorted(list.map((one) => one.id)), ALL);
    const one = await client.models.retrieve('claude-haiku-4-5');
    assert.deepEqual([one.id, one.owned_by], ['claude-haiku-4-5', 'a_anthropic']);
    await assert.rejects(client.models.retrieve('secret-model'), OpenAI.NotFoundError);
  });

  test('is told to the Anthropic SDK, in pages too', async () => {
    const client = new Anthropic({ apiKey: KEY, baseURL: gw.url });
    assert.deepEqual(sorted((await collect(client.models.list())).map((one) => one.id)), ALL);
    const paged = await collect(client.models.list({ limit: 2 }));
    assert.deepEqual(sorted(paged.map((one) => one.id)), ALL);
    const { data, has_more: more } = await client.models.list({ limit: 3 });
    assert.deepEqual([data.length, more], [3, true]);
    assert.equal((await client.models.retrieve('gpt-4o')).type, 'model');
  });

  test('is told to Google\'s SDK, in pages too', async () => {
    const client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: gw.url } });
    for (const pageSize of [undefined, 2]) {
      const list = await collect(await client.models.list({ config: { pageSize } }));
      assert.deepEqual(sorted(list.map((one) => one.name.replace('models/', ''))), ALL);
    }
    assert.equal((await client.models.get({ model: 'gpt-4o' })).name, 'models/gpt-4o');
  });

  test('is told to Ollama\'s client; what two providers have, once for each', async () => {
    const client = new Ollama({ host: gw.url, headers: { authorization: `Bearer ${KEY}` } });
    const { models } = await client.list();
    assert.deepEqual(sorted(models.map((one) => one.name)), sorted([...ALL.filter((one) => (
      one !== 'gpt-4o')), '[My ollama] gpt-4o', '[My openai] gpt-4o']));
    const shown = await client.show({ model: '[My openai] gpt-4o' });
    assert.ok(shown.capabilities.includes('completion'));
  });

  test('was asked of each provider once, and not by each worker', async () => {
    for (const fake of Object.values(fakes)) {
      assert.equal(listings(fake), 1);
    }
  });

  test('of one provider alone', async () => {
    const { json } = await gw.get('/a_anthropic/v1/models', { headers: { authorization:
      `Bearer ${KEY}` } });
    assert.deepEqual(sorted(json.data.map((one) => one.id)), sorted(HAS.anthropic));
  });
});

describe('a request', () => {
  const ask = (model, more) => gw.chat({ model, messages: [{ role: 'user', content: 'Hi' }],
    ...more });

  for (const [model, kind] of [['claude-haiku-4-5', 'anthropic'], ['gemini-2.5-flash', 'gemini'],
    ['llama3.2:latest', 'ollama'], ['[My openai] gpt-4o', 'openai'], ['[my OLLAMA] gpt-4o', 'ollama'],
    ['[a_openai] gpt-4o', 'openai'], ['fast', 'openai']]) {
    test(`for ${model} goes where it is listed`, async () => {
      const { status, text } = await ask(model);
      assert.equal(status, 200, text);
      assert.equal(fakes[kind].last.method, 'POST');
      assert.deepEqual(fakes[kind].refusals, []);
      Object.values(fakes).forEach((fake) => fake.clear());
    });
  }

  test('for what nobody lists is a 404, as is one with an unknown label', async () => {
    assert.equal((await ask('nobody-has-this')).status, 404);
    assert.equal((await ask('[Nobody] gpt-4o')).status, 404);
    assert.equal((await ask('secret-model')).status, 404);
  });

  test('asks for the lists itself where there is no default provider', async () => {
    const other = await start();
    try {
      const reply = await other.chat({ model: 'claude-haiku-4-5',
        messages: [{ role: 'user', content: 'Hi' }] });
      assert.equal(reply.status, 200, reply.text);
    } finally {
      await other.stop();
    }
  });

  test('goes to the default provider when it lists the model too', async () => {
    const other = await start({ default_provider: 'a_openai' });
    try {
      await other.get('/v1/models', { headers: { authorization: `Bearer ${KEY}` } });
      fakes.openai.clear();
      const reply = await other.chat({ model: 'gpt-4o', messages: [{ role: 'user',
        content: 'Hi' }] });
      assert.equal(reply.status, 200);
      assert.equal(fakes.openai.requests.length, 1);
    } finally {
      await other.stop();
    }
  });
});

describe('providers that do not tell', () => {
  const list = async (other) => (await other.get('/v1/models', { timeout: 10_000,
    headers: { authorization: `Bearer ${KEY}` } })).json.data.map((one) => one.id);

  test('one that hangs costs two seconds once, and the others are told', async () => {
    const held = gate();
    const real = fakes.gemini.reply;
    fakes.gemini.reply = () => held.promise.then(() => ({ body: { models: [] } }));
    const other = await start();
    try {
      const begun = Date.now();
      assert.ok((await list(other)).includes('claude-haiku-4-5'));
      assert.ok(Date.now() - begun >= 1900);
      held.open();
      await until(5000, async () => listings(fakes.gemini) > 0, () => 'it was asked');
    } finally {
      held.open();
      fakes.gemini.reply = real;
      await other.stop();
    }
  });

  for (const [what, answer] of [['refuses', { status: 401, body: { error: {} } }],
    ['answers with nonsense', { body: 'no JSON' }], ['answers with odd JSON',
      { body: '{"data":[1,null,{"id":7},[],"x"],"models":{"a":1}}' }],
    ['is cut', { raw: ['HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{'], finish: 'cut' }],
    ['answers without end', { raw: ['HTTP/1.1 200 OK\r\n\r\n', ' '.repeat(9 << 20)],
      finish: 'cut' }]]) {
    test(`one that ${what} is left out, and named in the log once, without its key`, async () => {
      const real = fakes.openai.reply;
      fakes.openai.reply = () => answer;
      const other = await start();
      try {
        const ids = await list(other);
        assert.ok(ids.includes('claude-haiku-4-5') && !ids.includes('gpt-5-mini'), ids.join());
        await list(other);
        if (!/odd/.test(what)) {
          await other.logged(/provider a_openai does not tell its models/);
          assert.equal(other.log.match(/does not tell its models/g).length, 1);
        }
        assert.ok(!other.log.includes('sk-up'));
      } finally {
        fakes.openai.reply = real;
        await other.stop();
      }
    });
  }
});
