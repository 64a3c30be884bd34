// The fake Responses API itself: the official SDK against it directly, the recordings through it,
// and the reader that later judges what the gateway writes.

import { after, afterEach, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { FakeResponses } from '../upstream/responses.mjs';
import { openaiError } from '../upstream/openai.mjs';
import { corpusMissing, replies, requests, streams } from '../upstream/corpus.mjs';
import { responsesFrames } from '../upstream/responses_events.mjs';
import { readResponsesBody, readResponsesStream } from './lib/responses_reader.mjs';
import { ask } from './lib/wire.mjs';
import { ANSWER, IMAGE_URL, PNG, REFUSALS, TWO_CALLS, USAGE, WEATHER, WORDS, collect }
  from './scenarios/shared.mjs';

const TOOLS = [{ type: 'function', name: 'get_weather', description: 'Tells weather',
  parameters: WEATHER, strict: true }];
const ASK = { model: 'gpt-4o', input: 'Hi' };
const HEADERS = { authorization: 'Bearer sk-up' };

let fake;
let client;

before(async () => {
  fake = await new FakeResponses().listen();
  client = new OpenAI({ apiKey: fake.key, baseURL: `${fake.url}/v1`, maxRetries: 0 });
});
afterEach(() => {
  assert.deepEqual(fake.failures, []);
  fake.clear();
});
after(() => fake.close());

// What the SDK adds to a response.
const ADDED = new Set(['output_parsed', 'output_text', 'parsed', 'parsed_arguments']);

function plain(response) {
  return JSON.parse(JSON.stringify(response, (name, value) => (
    ADDED.has(name) ? undefined : value)));
}

/** Scripts the same reply twice, for one call that is streamed and one that is not. */
async function both(description, request = ASK) {
  const say = (exchange) => fake.say(exchange, { id: 'r1', ...description });
  fake.script(say, say);
  const whole = await client.responses.create(request);
  const final = await client.responses.stream(request).finalResponse();
  assert.deepEqual(plain(final), plain(whole));
  return plain(whole);
}

describe('the OpenAI SDK and the fake Responses API', () => {
  test('text and usage are the same, streamed or not', async () => {
    const reply = await both({ text: WORDS, usage: { ...USAGE, reasoning: 5 } },
      { ...ASK, instructions: 'Be brief.', metadata: { a: 'b' } });
    assert.equal(reply.output[0].content[0].text, WORDS);
    assert.equal(reply.usage.input_tokens, 75);
    assert.equal(reply.usage.input_tokens_details.cached_tokens, 64);
    assert.equal(reply.usage.output_tokens_details.reasoning_tokens, 5);
    assert.equal(reply.status, 'completed');
    assert.equal(fake.last.json.instructions, 'Be brief.');
  });

  for (const [finish, reason] of [['length', 'max_output_tokens'],
    ['filter', 'content_filter']]) {
    test(`a reply that ended by ${finish} is incomplete`, async () => {
      const reply = await both({ text: 'Half a', finish }, { ...ASK, max_output_tokens: 16 });
      assert.equal(reply.status, 'incomplete');
      assert.equal(reply.incomplete_details.reason, reason);
    });
  }

  test('a refusal is a part of its own', async () => {
    const reply = await both({ refusal: 'I will not.' });
    assert.deepEqual(reply.output[0].content, [{ type: 'refusal', refusal: 'I will not.' }]);
  });

  test('parallel calls are read and their results taken', async () => {
    const request = { ...ASK, tools: TOOLS, store: false };
    const reply = await both({ text: 'Looking.', calls: TWO_CALLS, step: 3 }, request);
    const calls = reply.output.filter((item) => item.type === 'function_call');
    assert.deepEqual(calls.map((call) => [call.call_id, call.name, call.arguments]),
      TWO_CALLS.map((call) => [call.id, call.name, call.args]));
    const results = calls.map((call, at) => ({ type: 'function_call_output',
      call_id: call.call_id, output: at ? 'sun' : [{ type: 'input_text', text: 'rain' }] }));
    const next = await client.responses.create({ ...request,
      input: [{ role: 'user', content: 'Hi' }, ...reply.output, ...results] });
    assert.equal(next.output_text, 'You said: sun');
  });

  test('a custom tool is called with free text', async () => {
    const reply = await both({ calls: [{ id: 'c1', name: 'patch', args: '*** Begin\n',
      custom: true }] }, { ...ASK, tools: [{ type: 'custom', name: 'patch' }] });
    assert.equal(reply.output[0].type, 'custom_tool_call');
    assert.equal(reply.output[0].input, '*** Begin\n');
  });

  test('reasoning comes with its proof and may be sent back', async () => {
    const request = { model: 'gpt-5-mini', input: [{ role: 'user', content: 'Hi' }], store: false,
      reasoning: { effort: 'low', summary: 'auto' }, include: ['reasoning.encrypted_content'] };
    const reply = await both({ thinking: 'Let me see.', text: 'Yes' }, request);
    assert.equal(reply.output[0].summary[0].text, 'Let me see.');
    assert.equal(reply.output[0].encrypted_content, 'gAAAAsigned');
    request.input.push(...reply.output, { role: 'user', content: 'Go on' });
    assert.equal((await client.responses.create(request)).output_text, 'You said: Go on');
  });

  test('images are taken, as bytes and as a link', async () => {
    const reply = await client.responses.create({ ...ASK, input: [{ role: 'user', content: [
      { type: 'input_text', text: 'What?' },
      { type: 'input_image', image_url: `data:image/png;base64,${PNG}`, detail: 'low' },
      { type: 'input_image', image_url: IMAGE_URL, detail: 'auto' }] }] });
    assert.match(reply.output_text, /What\? \[input_image\] \[input_image\]/);
  });

  test('structured output is parsed', async () => {
    fake.script((exchange) => fake.say(exchange, { text: '{"answer":42}' }));
    const reply = await client.responses.parse({ ...ASK, text: { format: { type: 'json_schema',
      name: 'answer', strict: true, schema: ANSWER } } });
    assert.equal(reply.output_parsed.answer, 42);
  });

  test('a conversation goes on from a stored response, which can be got and deleted', async () => {
    fake.script((exchange) => fake.say(exchange, { calls: [TWO_CALLS[0]] }));
    const first = await client.responses.create({ ...ASK, tools: TOOLS });
    assert.equal((await client.responses.retrieve(first.id)).id, first.id);
    const next = { ...ASK, tools: TOOLS, previous_response_id: first.id };
    await assert.rejects(client.responses.create({ ...next, input: 'Hm' }), /No tool output found/);
    const done = await client.responses.create({ ...next, input: [
      { type: 'function_call_output', call_id: TWO_CALLS[0].id, output: 'sun' }] });
    assert.equal(done.previous_response_id, first.id);
    await client.responses.delete(first.id);
    await assert.rejects(client.responses.retrieve(first.id), OpenAI.NotFoundError);
    await assert.rejects(client.responses.create(next), (error) => (
      error.code === 'previous_response_not_found'));
  });

  test('tokens are counted, Chat Completions and models are there too', async () => {
    assert.ok((await client.responses.inputTokens.count(ASK)).input_tokens > 0);
    const chat = await client.chat.completions.create({ model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Hi' }] });
    assert.equal(chat.choices[0].message.content, 'You said: Hi');
    assert.equal((await client.models.retrieve('gpt-4o')).id, 'gpt-4o');
  });

  for (const { name, openai: [status, type, code] } of REFUSALS) {
    test(`a scripted ${name} raises the right status, streamed or not`, async () => {
      for (const stream of [false, true]) {
        fake.script(openaiError(status, type, code, `because of ${name}`));
        await assert.rejects(client.responses.create({ ...ASK, stream }), (error) => (
          error.status === status && error.message.includes(`because of ${name}`)));
      }
    });
  }

  test('an error within a stream is seen, then the response has failed', async () => {
    fake.script((exchange) => fake.say(exchange, { error: { code: 'server_error',
      message: 'Overloaded' } }));
    await assert.rejects(async () => collect(await client.responses.create({ ...ASK,
      stream: true })), /Overloaded/);
    const { problems, error, finish } = readResponsesStream(responsesFrames({
      error: { code: 'server_error', message: 'Overloaded' } }).join(''));
    assert.deepEqual([problems, error.code, finish], [[], 'server_error', 'failed']);
  });

  for (const finish of ['cut', 'reset']) {
    test(`a stream that ends by ${finish} raises`, async () => {
      fake.script((exchange) => {
        const answer = fake.say(exchange, { text: WORDS });
        return { ...answer, pieces: answer.pieces.slice(0, 6), finish };
      });
      await assert.rejects(async () => collect(await client.responses.create({ ...ASK,
        stream: true })));
    });
  }

  test('a stream that is cut into single bytes says the same', async () => {
    fake.script((exchange) => ({ ...fake.say(exchange, { text: WORDS }), split: 1, delay: 1 }));
    const final = await client.responses.stream(ASK).finalResponse();
    assert.equal(final.output_text, WORDS);
  });
});

describe('recorded Responses streams', { skip: corpusMissing }, () => {
  // What vendors do that a strict client need not bear, and what the reader says of it.
  const ODD = [['raw_cot_stream_openrouter', /^event: is ''|opens while/],
    ['lmstudio-tool-call', /arguments/], ['openai-custom-tool', /sequence_number|input|status/],
    ['programmatic-tool-calling', /in_progress|not what was/], ['xai-web-search', /lacks error/]];

  for (const { name, text } of streams('openai-responses')) {
    const odd = ODD.find(([part]) => name.includes(part))?.[1];
    test(`${name} is read by the SDK and by the strict reader`, async () => {
      fake.script({ pieces: [text], split: { seed: 7 } });
      const want = readResponsesStream(text);
      const events = [];
      const run = async () => {
        for await (const event of await client.responses.create({ ...ASK, stream: true })) {
          events.push(event);
        }
      };
      if (want.finish === 'failed') {
        await assert.rejects(run(), (error) => error.message.includes(want.error.message));
      } else {
        await run();
        assert.equal(events.at(-1).type, 'response.completed');
        assert.deepEqual(events.at(-1).response.output, want.response.output);
      }
      assert.equal(want.problems.length > 0, odd !== undefined, want.problems.join('\n'));
      assert.ok(!odd || want.problems.some((problem) => odd.test(problem)));
    });
  }
});

describe('recorded Responses answers', { skip: corpusMissing }, () => {
  // Written by hand, or by a vendor that leaves members out or repeats an id.
  const ODD = new RegExp('test_openai_previous_response_id|responses_verbosity|xai-\\w+-search'
    + '|xai_grok-4_3_replays_search');

  for (const { name, body } of replies('openai-responses')) {
    if (body.object === 'response') {
      test(`${name} is read by the SDK and by the strict reader`, async () => {
        fake.script({ body });
        const got = await client.responses.create(ASK);
        const want = readResponsesBody(body);
        assert.deepEqual(plain(got), plain(body));
        assert.ok(ODD.test(name) || !want.problems.length, want.problems.join('\n'));
        assert.equal(got.output_text, body.output.filter((item) => item.type === 'message')
          .flatMap((item) => item.content).map((part) => part.text ?? '').join(''));
      });
    }
  }
});

// What other vendors of this protocol take that OpenAI does not.
function dialectOf(host) {
  return host === 'api.openai.com' || host.endsWith('azure.com') ? {} : { extra: ['provider'],
    foreign: true, openReasoning: true, prefixes: false, proof: /./, reasons: () => true };
}

describe('recorded Responses requests', { skip: corpusMissing }, () => {
  let other;
  before(async () => { other = await new FakeResponses({ dialect: dialectOf('') }).listen(); });
  after(() => other.close());

  // Of what was refused, only these were refused for what they say.
  const WRONG = /force_download-audio|modified_history/;
  const judged = requests('openai-responses')
    .filter(({ name, status }) => status === 200 || WRONG.test(name));

  for (const { name, uri, body, status } of judged) {
    test(`${name} is answered with ${status}`, async (t) => {
      const { host, pathname } = new URL(uri);
      const vendor = dialectOf(host).foreign ? other : fake;
      t.after(() => vendor.clear());
      if (body.previous_response_id) {
        vendor.remember(body.previous_response_id);
      }
      const path = pathname.replace(/^.*\/responses/, '/v1/responses');
      const reply = await ask(vendor.port, 'POST', path, { body, headers: HEADERS });
      assert.equal(reply.status, status, reply.text);
      if (status === 200 && path === '/v1/responses' && !body.stream) {
        assert.deepEqual(readResponsesBody(reply.json).problems, []);
      }
    });
  }
});
