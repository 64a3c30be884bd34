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

  for (const prefix of ['', '/ollama']) {
    test(`and all that Ollama's client asks is answered at ${prefix || '/'}`, async () => {
      const client = new Ollama({ host: gw.url + prefix,
        headers: { authorization: `Bearer ${KEY}` } });
      assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);
      assert.ok((await client.list()).models.length > ALL.length - 1);
      assert.ok((await client.ps()).models.every((one) => one.name && one.expires_at));
      assert.ok((await client.show({ model: 'llama3.2:latest' })).model_info);
      const reply = await client.chat({ model: 'llama3.2:latest',
        messages: [{ role: 'user', content: 'Hi' }] });
      assert.equal(reply.message.content, 'You said: Hi');
      const other = { model: 'llama3.2:latest', source: 'a', destination: 'b', from: 'a' };
      for (const verb of ['pull', 'push', 'create', 'copy', 'delete']) {
        await assert.rejects(client[verb](other), /keeps no models/, verb);
      }
      for (const method of ['GET', 'HEAD']) {
        const front = await fetch(gw.url + (prefix || '/'), { method });
        assert.equal(front.status, 200);
        await front.arrayBuffer();
      }
    });
  }

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

describe('a name in a path', () => {
  const HARD = ['openai/gpt-4o', 'a b', 'x:free', 'Ünï', '100%', 'models/m'];

  test('may hold what SDKs escape', async () => {
    fakes.openai.models = [...HARD, 'nomic-embed-text'];
    const other = await start();
    try {
      const openai = new OpenAI({ apiKey: KEY, baseURL: `${other.url}/v1` });
      const anthropic = new Anthropic({ apiKey: KEY, baseURL: other.url });
      for (const id of HARD) {
        assert.equal((await openai.models.retrieve(id)).id, id);
        assert.equal((await anthropic.models.retrieve(id)).id, id);
      }
      const labelled = await openai.models.retrieve('[My openai] openai/gpt-4o');
      assert.equal(labelled.id, 'openai/gpt-4o');
      const { capabilities } = await new Ollama({ host: other.url, headers: { authorization:
        `Bearer ${KEY}` } }).show({ model: 'nomic-embed-text' });
      assert.deepEqual(capabilities, ['embedding']);
      const odd = await other.get('/v1/models/%FF%00%zz', { headers: { authorization:
        `Bearer ${KEY}` } });
      assert.equal(odd.status, 404, odd.text);
    } finally {
      fakes.openai.models = HAS.openai;
      await other.stop();
    }
  });

  test('and pages are numbers, or refused', async () => {
    for (const [path, headers] of [['/v1/models?limit=x', { 'anthropic-version': '2023-06-01' }],
      ['/v1beta/models?pageToken=2.5', {}], ['/v1beta/models?pageSize=-1', {}]]) {
      const { status, text } = await gw.get(path, { headers: { 'x-api-key': KEY, ...headers } });
      assert.equal(status, 400, text);
    }
  });

  test('Claude Code finds models to choose from, with names for people', async () => {
    const { json } = await gw.get('/v1/models?limit=1000', { headers: { 'anthropic-version':
      '2023-06-01', authorization: `Bearer ${KEY}` } });
    assert.ok(json.data.every((one) => one.type === 'model' && one.display_name));
    assert.equal(json.has_more, false);
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

describe('lists of providers', () => {
  const list = async (other) => (await other.get('/v1/models', { timeout: 10_000,
    headers: { authorization: `Bearer ${KEY}` } })).json.data.map((one) => one.id);
  const MANY = Array.from({ length: 45 }, (_, i) => `m&${i} =/#?ö`);

  for (const kind of ['anthropic', 'gemini']) {
    test(`of ${kind} in pages are read to the last`, async () => {
      const fake = fakes[kind];
      const other = await start();
      try {
        Object.assign(fake, { models: MANY, pageMost: 10 });
        fake.clear();
        const got = await list(other);
        assert.deepEqual(MANY.filter((id) => !got.includes(id)), []);
        assert.deepEqual(fake.refusals, []);
        assert.equal(listings(fake), 5);
      } finally {
        Object.assign(fake, { models: HAS[kind], pageMost: undefined });
        await other.stop();
      }
    });
  }

  test('with all that an aggregator tells of 800 models are read', async () => {
    const real = fakes.openai.reply;
    const parameters = ['max_tokens', 'temperature', 'tools', 'tool_choice', 'stop', 'seed', 'top_p'];
    fakes.openai.reply = () => ({ body: { data: Array.from({ length: 800 }, (_, i) => ({
      id: `maker/model-${i}`, name: `Maker: Model ${i}`, created: 1_790_000_000 + i,
      description: 'What it is good for. '.repeat(60), context_length: 131_072,
      architecture: { modality: 'text+image->text', input_modalities: ['text', 'image'],
        output_modalities: ['text'], tokenizer: 'Other', instruct_type: null },
      pricing: { prompt: '0.000001', completion: '0.000004', request: '0', image: '0.001' },
      top_provider: { context_length: 131_072, max_completion_tokens: 16_384, is_moderated: false },
      supported_parameters: parameters, default_parameters: { temperature: null, top_p: null },
    })) } });
    const other = await start();
    try {
      assert.equal((await list(other)).filter((id) => id.startsWith('maker/')).length, 800);
      const shown = await other.post('/api/show', { model: 'maker/model-7' });
      assert.ok(JSON.stringify(shown.json.model_info).includes('131072'));
    } finally {
      fakes.openai.reply = real;
      await other.stop();
    }
  });

  test('without an end, huge or with odd names do no harm', async () => {
    const real = [fakes.openai.reply, fakes.gemini.reply, fakes.ollama.reply];
    const names = ['', 'a\nb', 'x'.repeat(201), '\u0000', 'x'.repeat(200), 'fine', 7, null];
    fakes.openai.reply = () => ({ body: { data: names.map((id) => ({ id })) } });
    fakes.gemini.reply = (exchange) => ({ body: { models: [{ name: 'models/again' }],
      nextPageToken: `${exchange.query.get('pageToken') ?? 'Cg+/=&#% '}1` } });
    fakes.ollama.reply = () => ({ body: { models: Array.from({ length: 60_000 }, (_, i) => (
      { model: `m${i}` })) } });
    const other = await start();
    try {
      fakes.gemini.clear();
      const got = await list(other);
      assert.deepEqual(got.filter((id) => /^(x+|fine|again)$/.test(id)).sort(),
        ['again', 'fine', 'x'.repeat(200)]);
      assert.ok(got.filter((id) => /^m\d+$/.test(id)).length <= 5000);
      assert.ok(got.includes('claude-haiku-4-5'));
      assert.equal(listings(fakes.gemini), 20);
      const begun = Date.now();
      await list(other);
      assert.ok(Date.now() - begun < 1500, 'what failed is not waited for again');
    } finally {
      [fakes.openai.reply, fakes.gemini.reply, fakes.ollama.reply] = real;
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
