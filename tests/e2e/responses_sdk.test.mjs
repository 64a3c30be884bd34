// The Responses API of the official OpenAI SDK through the gateway, over vendors of every protocol.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { KEY } from './lib/gateway.mjs';
import { CALLS, KINDS, useFive } from './lib/five.mjs';
import { readResponsesBody, readResponsesStream } from './lib/responses_reader.mjs';
import { ANSWER, USAGE, WEATHER, WORDS, collect } from './scenarios/shared.mjs';

const five = useFive();
const TOOLS = [{ type: 'function', name: 'get_weather', description: 'Tells weather',
  parameters: WEATHER, strict: false }];
const FORMAT = { type: 'json_schema', name: 'answer', strict: true, schema: ANSWER };

const clientOf = (apiKey = KEY) => new OpenAI({ apiKey, baseURL: `${five.gw.url}/v1`,
  maxRetries: 0 });

/** The text of a stream as it is on the wire, and what the strict reader says of it. */
async function raw(body) {
  const reply = await five.gw.post('/v1/responses', { ...body, stream: true });
  assert.equal(reply.status, 200, reply.text);
  assert.match(reply.headers['content-type'], /^text\/event-stream/);
  return readResponsesStream(reply.text);
}

/** The same reply whole, from the SDK's stream and from the wire. */
async function thrice(say, description, body) {
  [1, 2, 3].forEach(() => say(description));
  const whole = readResponsesBody(await clientOf().responses.create(body));
  const final = await clientOf().responses.stream(body).finalResponse();
  const wire = await raw(body);
  assert.deepEqual([whole.problems, wire.problems], [[], []]);
  for (const streamed of [readResponsesBody(final), wire]) {
    assert.deepEqual([streamed.text, streamed.finish, streamed.usage],
      [whole.text, whole.finish, whole.usage]);
    assert.deepEqual(streamed.calls.map((call) => [call.name, call.args]),
      whole.calls.map((call) => [call.name, call.args]));
  }
  return { ...whole, output: whole.response.output };
}

for (const kind of Object.keys(KINDS)) {
  describe(`the Responses API over ${kind}`, () => {
    test('text and usage are the same whole, streamed and on the wire', async () => {
      const { fake, model, say } = five.of(kind);
      const reply = await thrice(say, { text: WORDS, usage: USAGE }, { model, input: 'Hi',
        instructions: 'Be brief.', max_output_tokens: 50 });
      assert.deepEqual([reply.text, reply.finish], [WORDS, 'completed']);
      assert.deepEqual([reply.usage.input_tokens, reply.usage.output_tokens], [75, 21]);
      assert.ok(fake.last.body.includes('Be brief.'));
      assert.deepEqual(fake.refusals, []);
    });

    test('a reply that ended by length is incomplete', async () => {
      const { model, say } = five.of(kind);
      const reply = await thrice(say, { text: 'Half a', finish: 'length' }, { model, input: 'Hi' });
      assert.deepEqual([reply.text, reply.finish], ['Half a', 'max_output_tokens']);
    });

    for (const [name, calls] of Object.entries(CALLS)) {
      test(`${name} are read, and the results reach the upstream`, async () => {
        const { fake, model, say } = five.of(kind);
        const body = { model, input: [{ role: 'user', content: 'Hi' }], tools: TOOLS };
        const reply = await thrice(say, { text: 'Looking.', calls, step: 3 }, body);
        assert.deepEqual([reply.text, reply.finish], ['Looking.', 'completed']);
        assert.deepEqual(reply.calls.map((call) => [call.name, call.args]),
          calls.map((call) => [call.name, call.args]));
        const results = reply.output.filter((item) => item.type === 'function_call')
          .map((call, at) => ({ type: 'function_call_output', call_id: call.call_id,
            output: `sun ${at}` }));
        const next = await clientOf().responses.create({ ...body,
          input: [...body.input, ...reply.output, ...results] });
        assert.match(next.output_text, /sun/);
        assert.deepEqual(fake.refusals, []);
        for (const wanted of ['9007199254740993', ...results.map((one) => one.output)]) {
          assert.ok(fake.last.body.includes(wanted), `${wanted} is missing`);
        }
      });
    }

    test('structured output is asked for in the vendor\'s way and parsed', async () => {
      const { fake, model, say } = five.of(kind);
      say({ text: '{"answer":42}' });
      const reply = await clientOf().responses.parse({ model, input: 'Hi',
        text: { format: FORMAT } });
      assert.equal(reply.output_parsed.answer, 42);
      assert.match(fake.last.body.toString(), /"answer":\{"type":"integer"\}/i);
      assert.deepEqual(fake.refusals, []);
    });

    test('a refusal raises its class with the upstream\'s words, streamed or not', async () => {
      const { model, refuse } = five.of(kind);
      for (const stream of [false, true]) {
        refuse('Slow down');
        await assert.rejects(clientOf().responses.create({ model, input: 'Hi', stream }),
          (error) => (error instanceof OpenAI.RateLimitError && /Slow down/.test(error.message)));
      }
    });

    for (const [what, how, words] of [['with an error in it', 'breakOff', /Overloaded/],
      ['that is cut', 'cut', /upstream/]]) {
      test(`a stream ${what} has failed`, async () => {
        const upstream = five.of(kind);
        upstream[how]();
        const events = [];
        const read = async () => {
          for await (const event of await clientOf().responses.create({
            model: upstream.model, input: 'Hi', stream: true })) {
            events.push(event);
          }
          assert.equal(events.at(-1).type, 'response.failed');
          throw new Error(events.at(-1).response.error.message);
        };
        await assert.rejects(read, words);
      });

      test(`a stream ${what} ends legally on the wire`, async () => {
        const upstream = five.of(kind);
        upstream[how]();
        const { problems, error, finish } = await raw({ model: upstream.model, input: 'Hi' });
        assert.deepEqual(problems, []);
        assert.equal(finish, 'failed');
        assert.match(error.message, words);
      });
    }
  });
}

test('a wrong client key raises AuthenticationError and reaches no upstream', async () => {
  const { fake, model } = five.of('responses');
  await assert.rejects(clientOf('wrong-key').responses.create({ model, input: 'Hi' }),
    OpenAI.AuthenticationError);
  assert.equal(fake.requests.length, 0);
});
