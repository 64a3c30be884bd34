// How many tokens a request has: asked of the vendor that counts, guessed where none does.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { GoogleGenAI } from '@google/genai';
import { useFive } from './lib/five.mjs';
import { KEY } from './lib/gateway.mjs';
import { gate } from './lib/wait.mjs';
import { PNG, WEATHER } from './scenarios/shared.mjs';

// Rules for some clients' names of models.
const RULES = `
px.on('request', { model = 'to-gemini', path = '*count*' }, function(req)
  req:route('to_gemini:gemini-2.5-flash')
end)
px.on('request', { model = 'forbidden' }, function(req)
  req:deny(403, 'not this one')
end)
px.on('attempt', { model = 'marked' }, function(at)
  at:set('system', 'From a rule.')
  at.headers['x-marked'] = 'yes'
end)
px.on('attempt', { model = 'stopped', on_error = 'deny' }, function()
  error('not over there')
end)
`;
const five = useFive({ models: { marked: 'to_anthropic:claude-sonnet-4-6',
  stopped: 'to_anthropic:claude-sonnet-4-6' } }, { 'rules/count.lua': RULES });
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

// What Claude Code counts before it compacts: images, and marks inside the results of calls.
const LONG = [
  { role: 'user', content: [{ type: 'text', text: SAY }, { type: 'image', source: { type: 'base64',
    media_type: 'image/png', data: PNG } }] },
  { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'get_weather',
    input: { city: 'Ulm' } }] },
  { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: [
    { type: 'text', text: 'Rain', cache_control: { type: 'ephemeral' } },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } }] }] },
];

for (const kind of ['anthropic', 'gemini', 'responses', 'openai', 'ollama']) {
  test(`images and marks inside results are counted over ${kind}`, async () => {
    const { fake, model } = five.of(kind);
    const client = new Anthropic({ apiKey: KEY, baseURL: five.gw.url, maxRetries: 0 });
    const tools = [{ name: 'get_weather', input_schema: WEATHER }];
    const all = await client.messages.countTokens({ model, messages: LONG, tools });
    const first = await client.messages.countTokens({ model, tools,
      messages: [{ role: 'user', content: SAY }] });
    assert.ok(all.input_tokens > first.input_tokens,
      `${all.input_tokens} and ${first.input_tokens}`);
    // Anthropic takes no marks there, and what it refuses to count is guessed.
    assert.equal(fake.refusals.length, kind === 'anthropic' ? 1 : 0);
    assert.equal(fake.requests.length, COUNTS.includes(kind) ? 2 : 0);
  });
}

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

test('a vendor that does not count in time is not waited for', async () => {
  const { fake, model } = five.of('anthropic');
  const held = gate();
  const real = fake.reply;
  fake.reply = () => held.promise.then(() => ({ body: { input_tokens: 7 } }));
  try {
    const begun = Date.now();
    const { body, path } = CLIENTS.anthropic;
    const reply = await five.gw.post(path(model), body(model), { timeout: 20_000 });
    assert.deepEqual([reply.status, reply.headers['x-proxima-estimated']], [200, 'true']);
    assert.ok(Date.now() - begun >= 9000 && Date.now() - begun < 15_000);
  } finally {
    held.open();
    fake.reply = real;
  }
});

describe('rules see what is counted', () => {
  const count = (model) => five.gw.post('/v1/messages/count_tokens',
    CLIENTS.anthropic.body(model));

  test('and route it', async () => {
    const reply = await count('to-gemini');
    assert.deepEqual([reply.status, reply.headers['x-proxima-estimated']], [200, undefined]);
    assert.equal(five.fakes.gemini.requests.length, 1);
  });

  test('and change it', async () => {
    assert.equal((await count('marked')).status, 200);
    const { headers, json } = five.fakes.anthropic.last;
    assert.deepEqual([headers['x-marked'], json.system], ['yes', 'From a rule.']);
  });

  test('and deny it', async () => {
    for (const [model, status, words] of [['forbidden', 403, /not this one/],
      ['stopped', 500, /rule/]]) {
      const reply = await count(model);
      assert.equal(reply.status, status);
      assert.match(reply.text, words);
    }
    assert.equal(five.fakes.anthropic.requests.length, 0);
  });
});
