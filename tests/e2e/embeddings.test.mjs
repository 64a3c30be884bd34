// Embeddings by the official SDKs of three protocols, over vendors of each of them.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { GoogleGenAI } from '@google/genai';
import { Ollama } from 'ollama';
import { vector, vectorText } from '../upstream/embeddings.mjs';
import { useFive } from './lib/five.mjs';
import { KEY } from './lib/gateway.mjs';

const five = useFive();
const TEXTS = ['Hello', 'Grüße, 世界 🌍', 'and a longer text of several words'];
const MAKES = ['openai', 'responses', 'gemini', 'ollama'];

const openai = () => new OpenAI({ apiKey: KEY, baseURL: `${five.gw.url}/v1`, maxRetries: 0 });
const gemini = () => new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: five.gw.url } });
const ollama = () => new Ollama({ host: five.gw.url,
  headers: { authorization: `Bearer ${KEY}` } });

const float32 = (list) => [...Float32Array.from(list)];
const near = (got, want) => assert.deepEqual(float32(got), float32(want));

for (const kind of MAKES) {
  const model = () => five.of(kind).model;
  const fake = () => five.of(kind).fake;

  describe(`embeddings over ${kind}`, () => {
    for (const format of [undefined, 'float', 'base64']) {
      test(`the OpenAI SDK reads them, format ${format}`, async () => {
        const reply = await openai().embeddings.create({ model: model(), input: TEXTS,
          encoding_format: format });
        assert.deepEqual(reply.data.map((one) => one.index).sort(), [0, 1, 2]);
        for (const { embedding, index } of reply.data) {
          const got = typeof embedding === 'string'
            ? [...new Float32Array(Uint8Array.from(Buffer.from(embedding, 'base64')).buffer)]
            : embedding;
          near(got, vector(TEXTS[index]));
        }
        assert.ok(reply.usage.prompt_tokens > 5 && reply.usage.total_tokens > 5);
        assert.deepEqual(fake().refusals, []);
      });
    }

    test('one text and dimensions reach the vendor', async () => {
      const reply = await openai().embeddings.create({ model: model(), input: 'Hello',
        dimensions: 3, encoding_format: 'float' });
      near(reply.data[0].embedding, vector('Hello', 3));
      assert.deepEqual(fake().refusals, []);
    });

    test('Google\'s SDK reads them', async () => {
      const reply = await gemini().models.embedContent({ model: model(), contents: TEXTS,
        config: { outputDimensionality: 4 } });
      reply.embeddings.forEach(({ values }, at) => near(values, vector(TEXTS[at], 4)));
      assert.equal(reply.embeddings.length, 3);
      assert.deepEqual(fake().refusals, []);
    });

    test('embedContent of one text is answered in its own form', async () => {
      const { json, headers } = await five.gw.post(`/v1beta/models/${model()}:embedContent`,
        { content: { parts: [{ text: 'Hel' }, { text: 'lo' }] }, taskType: 'CLUSTERING' },
        { headers: { 'x-goog-api-key': KEY } });
      near(json.embedding.values, vector('Hello'));
      assert.equal(headers['x-proxima-lost'], kind === 'gemini' ? undefined : 'params.task');
      assert.deepEqual(fake().refusals, []);
    });

    test('Ollama\'s client reads them', async () => {
      const reply = await ollama().embed({ model: model(), input: TEXTS });
      reply.embeddings.forEach((values, at) => near(values, vector(TEXTS[at])));
      assert.ok(reply.prompt_eval_count > 5);
      const old = await ollama().embeddings({ model: model(), prompt: 'Hello' });
      near(old.embedding, vector('Hello'));
      assert.deepEqual(fake().refusals, []);
    });

    test('the digits are the vendor\'s', async () => {
      const asks = [['/v1/embeddings', { model: model(), input: 'Hello' }],
        [`/v1beta/models/${model()}:batchEmbedContents`, { requests: [{
          model: 'models/any', content: { parts: [{ text: 'Hello' }] } }] }],
        ['/api/embed', { model: model(), input: 'Hello' }],
        ['/ollama/api/embeddings', { model: model(), prompt: 'Hello' }]];
      for (const [path, body] of asks) {
        const { text } = await five.gw.post(path, body);
        assert.ok(text.includes(vectorText('Hello')), text);
      }
    });

    test('many large ones are passed', async () => {
      const input = Array.from({ length: 2048 }, (_, at) => `text ${at}`);
      const reply = await openai().embeddings.create({ model: model(), input, dimensions: 256,
        encoding_format: 'float' });
      assert.equal(reply.data.length, 2048);
      for (const at of [0, 1000, 2047]) {
        near(reply.data.find(({ index }) => index === at).embedding, vector(input[at], 256));
      }
    });

    test('a refusal is told in each client\'s words', async () => {
      const { refuse } = five.of(kind);
      refuse('Slow down');
      await assert.rejects(openai().embeddings.create({ model: model(), input: 'Hi' }),
        (error) => error instanceof OpenAI.RateLimitError && /Slow down/.test(error.message));
      refuse('Slow down');
      await assert.rejects(gemini().models.embedContent({ model: model(), contents: 'Hi' }),
        (error) => error.status === 429 && /Slow down/.test(error.message));
      refuse('Slow down');
      await assert.rejects(ollama().embed({ model: model(), input: 'Hi' }), /Slow down/);
    });

    test('fewer vectors than texts, or none, are no answer', async () => {
      for (const body of ['{"data":[],"embeddings":[]}', '{}', '[]', '{"data":[{"embedding":"x"}],'
        + '"embeddings":["x"]}']) {
        fake().script({ body });
        const client = kind === 'gemini' ? '/api/embed' : null;
        const reply = client ? await five.gw.post(client, { model: model(), input: 'Hi' })
          : await five.gw.post(`/v1beta/models/${model()}:embedContent`,
            { content: { parts: [{ text: 'Hi' }] } });
        assert.equal(reply.status, 502, body);
      }
    });
  });
}

test('tokens are for OpenAI alone', async () => {
  for (const input of [[1, 2, 3], [[1, 2], [3]], [100000]]) {
    const own = await openai().embeddings.create({ model: five.of('openai').model, input });
    assert.ok(own.data.length > 0);
    assert.deepEqual(five.of('openai').fake.refusals, []);
    for (const kind of ['gemini', 'ollama']) {
      await assert.rejects(openai().embeddings.create({ model: five.of(kind).model, input }),
        (error) => error instanceof OpenAI.BadRequestError && error.param === 'input');
      assert.equal(five.of(kind).fake.requests.length, 0);
    }
  }
});

test('a provider that makes none says so', async () => {
  const { model } = five.of('anthropic');
  await assert.rejects(openai().embeddings.create({ model, input: 'Hi' }),
    (error) => error instanceof OpenAI.BadRequestError && /no embeddings/.test(error.message));
});

const WRONG = [
  ['/v1/embeddings', {}, 'input'], ['/v1/embeddings', { input: [] }, 'input'],
  ['/v1/embeddings', { input: ['a', 1] }, 'input[1]'],
  ['/v1/embeddings', { input: Array(2049).fill('a') }, 'input'],
  ['/v1/embeddings', { input: 'a', encoding_format: 'hex' }, 'encoding_format'],
  ['/v1/embeddings', { input: 'a', dimensions: -1 }, 'dimensions'],
  ['/api/embed', { input: { a: 1 } }, 'input'], ['/api/embed', { input: [[1]] }, 'input[0]'],
  ['/api/embeddings', { input: 'a' }, 'prompt'],
  [':embedContent', {}, 'content'], [':batchEmbedContents', { requests: [] }, 'requests'],
  [':batchEmbedContents', { requests: [{ content: { parts: [{ inlineData: {} }] } }] },
    'requests[0].content.parts[0]'],
];
for (const [path, body, where] of WRONG) {
  test(`${path} with ${JSON.stringify(body).slice(0, 60)} is refused by name`, async () => {
    const foreign = five.of(path[0] === ':' ? 'ollama' : 'gemini').model;
    const target = path[0] === ':' ? `/v1beta/models/${foreign}${path}` : path;
    const reply = await five.gw.post(target, { model: foreign, ...body });
    assert.equal(reply.status, 400, reply.text);
    const message = reply.json.error.message ?? reply.json.error;
    assert.ok(message.includes(where), message);
  });
}
