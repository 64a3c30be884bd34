// Conversations that go on by previous_response_id, over upstreams that know no such thing and over
// one that does, and what /v1/responses/{id} tells of them. The official OpenAI SDK asks.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import OpenAI from 'openai';
import { KINDS, useFive } from './lib/five.mjs';
import { KEY } from './lib/gateway.mjs';
import { TWO_CALLS, WEATHER, WORDS } from './scenarios/shared.mjs';

const OTHER_KEY = 'px-another-client-0123456789';
const TOOLS = [{ type: 'function', name: 'get_weather', description: 'Tells weather',
  parameters: WEATHER, strict: false }];
const RULE = `px.on('event', { kind = 'text', header = { ['x-edit'] = '*' } }, function(ev)
  ev.text = ev.text .. ' '
end)`;

const five = useFive({ workers: 3, limits: { responses: '1MiB' },
  clients: [{ name: 'test', key: KEY }, { name: 'other', key: OTHER_KEY }] },
{ 'rules/edit.lua': RULE });

const clientOf = (apiKey = KEY, more = {}) => new OpenAI({ apiKey, baseURL: `${five.gw.url}/v1`,
  maxRetries: 0, ...more });

async function create(body, streamed) {
  return streamed ? clientOf().responses.stream(body).finalResponse()
    : clientOf().responses.create(body);
}

const said = (fake) => fake.last.body.toString();
const unknown = (error) => error instanceof OpenAI.NotFoundError;
const notKept = (error) => error instanceof OpenAI.BadRequestError
  && error.code === 'previous_response_not_found' && error.param === 'previous_response_id';

const FOREIGN = Object.keys(KINDS).filter((kind) => kind !== 'responses');

for (const kind of FOREIGN) {
  describe(`a conversation over ${kind}`, () => {
    for (const streamed of [false, true]) {
      const how = streamed ? 'streamed' : 'whole';

      test(`goes on by its last response, ${how}`, async () => {
        const { fake, model, say } = five.of(kind);
        say({ text: 'Looking.', calls: TWO_CALLS, step: 1 });
        const first = await create({ model, tools: TOOLS, instructions: 'Be brief.',
          input: 'What is the weather in Ulm and Bonn?' }, streamed);
        assert.equal(first.store, true);
        const results = first.output.filter((item) => item.type === 'function_call')
          .map((call, at) => ({ type: 'function_call_output', call_id: call.call_id,
            output: `sun ${at}` }));
        assert.equal(results.length, 2);
        say({ text: WORDS });
        const second = await create({ model, tools: TOOLS, previous_response_id: first.id,
          input: results }, streamed);
        assert.equal(second.previous_response_id, first.id);
        for (const words of ['in Ulm and Bonn?', 'Looking.', '9007199254740993', 'sun 0', 'sun 1']) {
          assert.ok(said(fake).includes(words), `${words} is missing`);
        }
        assert.ok(!said(fake).includes('Be brief.'), 'instructions are not inherited');
        say({ text: 'Bye.' });
        const third = await create({ model, tools: TOOLS, previous_response_id: second.id,
          input: 'Thanks' }, streamed);
        for (const words of ['in Ulm and Bonn?', 'sun 1', 'Thanks']) {
          assert.equal(said(fake).split(words).length, 2, `${words} is there once`);
        }
        assert.deepEqual(fake.refusals, []);
        // Two clients may go on from the same response.
        say({ text: 'Ciao.' });
        await create({ model, previous_response_id: first.id, tools: TOOLS,
          input: [...results, { role: 'user', content: 'Grazie' }] }, !streamed);
        assert.ok(!said(fake).includes('Thanks'));
        assert.equal((await clientOf().responses.retrieve(third.id)).output_text, 'Bye.');
      });

      test(`is told, listed and deleted, ${how}`, async () => {
        const { fake, model, say } = five.of(kind);
        say({ text: WORDS });
        const made = await create({ model, input: [{ role: 'user', content: 'Hello you' }],
          metadata: { a: 'b' } }, streamed);
        const asked = fake.requests.length;
        const told = await clientOf().responses.retrieve(made.id);
        assert.deepEqual([told.id, told.output_text, told.status, told.metadata],
          [made.id, WORDS, 'completed', { a: 'b' }]);
        assert.deepEqual(told.usage, made.usage);
        const items = await clientOf().responses.inputItems.list(made.id);
        assert.deepEqual(items.data.map((one) => [one.type, one.role, one.content[0].text]),
          [['message', 'user', 'Hello you']]);
        await assert.rejects(clientOf(OTHER_KEY).responses.retrieve(made.id), unknown);
        await clientOf().responses.delete(made.id);
        await assert.rejects(clientOf().responses.retrieve(made.id), unknown);
        await assert.rejects(create({ model, previous_response_id: made.id, input: 'Hi' },
          streamed), notKept);
        assert.equal(fake.requests.length, asked, 'no upstream was asked');
      });
    }

    test('another client does not go on with it', async () => {
      const { model, say } = five.of(kind);
      say({ text: WORDS });
      const made = await create({ model, input: 'Hi' });
      await assert.rejects(clientOf(OTHER_KEY).responses.create({ model, input: 'Go on',
        previous_response_id: made.id }), notKept);
    });

    test('what must not be stored is not, and a cut answer is not either', async () => {
      const { model, say, cut } = five.of(kind);
      say({ text: WORDS });
      const made = await create({ model, input: 'Hi', store: false });
      assert.equal(made.store, false);
      const before = (await five.gw.metrics()).proxima_kept_responses;
      await assert.rejects(create({ model, input: 'Hi', previous_response_id: made.id }), notKept);
      cut();
      const events = [];
      await assert.rejects(async () => {
        for await (const event of await clientOf().responses.create({ model, input: 'Hi',
          stream: true })) {
          events.push(event);
        }
        throw new Error(events.at(-1).type);
      }, /failed|upstream/);
      assert.equal((await five.gw.metrics()).proxima_kept_responses, before);
    });

    test('an item is meant by its id', async () => {
      const { fake, model, say } = five.of(kind);
      say({ text: 'A remarkable answer' });
      const made = await create({ model, input: 'Hi' });
      say({ text: WORDS });
      await create({ model, input: [{ role: 'user', content: 'Hi' },
        { type: 'item_reference', id: made.output[0].id }, { role: 'user', content: 'Why?' }] });
      assert.ok(said(fake).includes('A remarkable answer'));
      assert.deepEqual(fake.refusals, []);
    });

    test('it goes on at an upstream that speaks Responses itself', async () => {
      const own = five.of(kind);
      own.say({ text: 'Looking.', calls: TWO_CALLS, step: 2 });
      const first = await create({ model: own.model, tools: TOOLS, input: 'Weather in Ulm?' });
      const results = first.output.filter((item) => item.type === 'function_call')
        .map((call) => ({ type: 'function_call_output', call_id: call.call_id, output: 'snow' }));
      const { fake, model, say } = five.of('responses');
      say({ text: WORDS });
      const next = await create({ model, tools: TOOLS, previous_response_id: first.id,
        input: results });
      assert.equal(next.output_text, WORDS);
      assert.deepEqual(fake.refusals, []);
      for (const words of ['Weather in Ulm?', 'Looking.', '9007199254740993', 'snow']) {
        assert.ok(said(fake).includes(words), `${words} is missing`);
      }
      assert.ok(!said(fake).includes('previous_response_id'));
    });
  });
}

describe('a conversation that its upstream keeps', () => {
  for (const streamed of [false, true]) {
    for (const edited of [false, true]) {
      test(`goes on there, ${streamed ? 'streamed' : 'whole'}${
        edited ? ', though a rule reads it' : ''}`, async () => {
        const { fake, model, say } = five.of('responses');
        const headers = edited ? { 'x-edit': 'yes' } : {};
        const client = clientOf(KEY, { defaultHeaders: headers });
        const ask = (body) => (streamed ? client.responses.stream(body).finalResponse()
          : client.responses.create(body));
        say({ text: WORDS });
        const first = await ask({ model, input: 'Hi' });
        assert.ok(fake.kept.has(first.id), 'the id is the upstream\'s');
        say({ text: 'More.' });
        // Without its provider's name: the response knows where it is kept.
        const next = await ask({ model: 'gpt-4o', previous_response_id: first.id, input: 'And?' });
        assert.match(said(fake), /"previous_response_id"/);
        assert.equal(fake.requests.length, 2);
        assert.equal((await clientOf().responses.retrieve(next.id)).output_text.trim(), 'More.');
        await clientOf().responses.delete(next.id);
        assert.ok(!fake.kept.has(next.id));
        assert.deepEqual(fake.refusals, []);
      });
    }
  }

  test('elsewhere it is unknown', async () => {
    const { model, say } = five.of('responses');
    say({ text: WORDS });
    const first = await create({ model, input: 'Hi' });
    for (const kind of FOREIGN) {
      await assert.rejects(create({ model: five.of(kind).model, input: 'Go on',
        previous_response_id: first.id }), notKept, kind);
    }
  });
});

describe('the store', () => {
  test('outlives a reload', async () => {
    const { model, say } = five.of('anthropic');
    say({ text: WORDS });
    const made = await create({ model, input: 'Hi' });
    const from = five.gw.log.length;
    five.gw.writeConfig((config) => {
      config.vars = { changed: true };
    });
    await five.gw.logged(/generation \d+ serves/, { from });
    assert.equal((await clientOf().responses.retrieve(made.id)).output_text, WORDS);
  });

  test('is bounded: the oldest make room, and the process does not grow', async () => {
    const { model, say } = five.of('openai');
    const input = 'x'.repeat(20_000);
    const first = await (say({ text: WORDS }), create({ model, input }));
    for (let at = 0; at < 100; at += 1) {
      say({ text: WORDS });
      await create({ model, input });
    }
    const now = await five.gw.metrics();
    assert.ok(now.proxima_kept_bytes <= 1 << 20, `${now.proxima_kept_bytes} bytes`);
    assert.ok(now.proxima_kept_responses > 30 && now.proxima_kept_evicted > 30);
    await assert.rejects(create({ model, input: 'Hi', previous_response_id: first.id }), notKept);
  });

  test('a response of more than a quarter of it is answered, and said to be too large', async () => {
    const { model, say } = five.of('openai');
    const from = five.gw.log.length;
    say({ text: WORDS });
    const made = await create({ model, input: 'x'.repeat(300_000) });
    await five.gw.logged(/too large to be kept/, { from });
    await assert.rejects(create({ model, input: 'Hi', previous_response_id: made.id }), notKept);
  });

  test('a long conversation takes what it says, once', async () => {
    const { fake, model, say } = five.of('ollama');
    let previous;
    const before = (await five.gw.metrics()).proxima_kept_bytes;
    for (let at = 0; at < 60; at += 1) {
      say({ text: `Answer ${at}.` });
      ({ id: previous } = await create({ model, input: `Question ${at}?`,
        previous_response_id: previous }));
    }
    const after = (await five.gw.metrics());
    assert.ok(after.proxima_kept_bytes - before < 60 * 2500, `${after.proxima_kept_bytes - before}`);
    for (let at = 0; at < 59; at += 1) {
      assert.ok(said(fake).includes(`Question ${at}?`) && said(fake).includes(`Answer ${at}.`));
    }
    assert.deepEqual(fake.refusals, []);
  });

  for (const odd of ['resp_nothing', 'x', '..', 'a%2Fb', 'resp_%00', 'r'.repeat(5000)]) {
    test(`the id ${odd.slice(0, 20)} is a 404`, async () => {
      for (const method of ['GET', 'DELETE']) {
        const reply = await fetch(`${five.gw.url}/v1/responses/${odd}`, { method,
          headers: { authorization: `Bearer ${KEY}`, 'model-provider': 'to_gemini' } });
        assert.equal(reply.status, 404);
        assert.ok((await reply.json()).error.message);
      }
    });
  }

  test('without a key nothing is told', async () => {
    const reply = await fetch(`${five.gw.url}/v1/responses/resp_x`);
    assert.equal(reply.status, 401);
  });

  test('nothing of it is on the disk', async () => {
    const names = fs.readdirSync(path.join(five.gw.dir), { recursive: true });
    assert.ok(!names.some((name) => /resp|cache|store/.test(name)), names.join());
  });
});
