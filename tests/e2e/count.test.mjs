// How many tokens a request has: asked of the vendor that counts, guessed where none does.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { GoogleGenAI } from '@google/genai';
import { useFive } from './lib/five.mjs';
import { KEY } from './lib/gateway.mjs';
import { WEATHER } from './scenarios/shared.mjs';

const five = useFive();
const SAY = 'How is the weather in Ulm?';
const COUNTS = ['anthropic', 'gemini', 'responses'];

// Of each client: what its SDK makes of a question, and where that is on the wire.
const CLIENTS = {
  anthropic: {
    ask: async (model) => (await new Anthropic({ apiKey: KEY, baseURL: five.gw.url, maxRetries: 0 })
      .messages.countTokens({ model, system: 'Be brief.', messages: [{ role: 'user',
        content: SAY }], tools: [{ name: 'get_weather', input_schema: WEATHER }] })).input_tokens,
    path: () => '/v1/messages/count_tokens',
    body: (model) => ({ model, messages: [{ role: 'user', content: SAY }] }),
  },
  gemini: {
    ask: async (model) => (await new GoogleGenAI({ apiKey: KEY, httpOptions: {
      baseUrl: five.gw.url } }).models.countTokens({ model, contents: SAY })).totalTokens,
    path: (model) => `/v1beta/models/${model}:countTokens`,
    body: () => ({ contents: [{ role: 'user', parts: [{ text: SAY }] }] }),
  },
  responses: {
    ask: async (model) => (await new OpenAI({ apiKey: KEY, baseURL: `${five.gw.url}/v1`,
      maxRetries: 0 }).responses.inputTokens.count({ model, input: SAY })).input_tokens,
    path: () => '/v1/responses/input_tokens',
    body: (model) => ({ model, input: SAY }),
  },
};

for (const [client, { ask, body, path }] of Object.entries(CLIENTS)) {
  describe(`${client} counts`, () => {
    for (const kind of ['anthropic', 'gemini', 'responses', 'openai', 'ollama']) {
      const wire = () => {
        const { model } = five.of(kind);
        return five.gw.post(path(model), body(model));
      };
      const number = (reply) => reply.json.input_tokens ?? reply.json.totalTokens;

      test(`over ${kind}`, async () => {
        const { fake, model } = five.of(kind);
        assert.ok(await ask(model) > 0);
        const reply = await wire();
        assert.ok(Number.isInteger(number(reply)));
        assert.equal(reply.headers['x-proxima-estimated'],
          COUNTS.includes(kind) ? undefined : 'true');
        assert.deepEqual(fake.refusals, []);
        assert.equal(fake.requests.length, COUNTS.includes(kind) ? 2 : 0);
        if (COUNTS.includes(kind)) {
          assert.ok(fake.last.body.includes(SAY));
        }
      });

      for (const [what, answer] of [['refuses', { status: 529, body: {} }],
        ['answers with nonsense', { body: '"x"' }], ['answers with no count', { body: {} }],
        ['is cut', { raw: ['HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{'], finish: 'cut' }]].slice(0, COUNTS.includes(kind) ? 4 : 0)) {
        test(`over ${kind}, guessed when it ${what}`, async () => {
          five.of(kind).fake.script(answer);
          const reply = await wire();
          assert.deepEqual([reply.status, reply.headers['x-proxima-estimated']], [200, 'true']);
          assert.ok(number(reply) > 3 && number(reply) < 20, reply.text);
        });
      }
    }

    test('what is no request is refused by name, and no vendor is asked', async () => {
      const { fake, model } = five.of('anthropic');
      const bad = { ...body(model) };
      for (const name of ['messages', 'contents', 'input']) {
        if (name in bad) {
          bad[name] = 7;
        }
      }
      const reply = await five.gw.post(path(model), bad);
      assert.equal(reply.status, 400, reply.text);
      assert.equal(fake.requests.length, 0);
    });
  });
}
