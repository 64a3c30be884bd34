// What the official Anthropic SDK must be able to do against any upstream. `get()` gives
// `{ client, fake, kind, model(name), direct }` as in openai.mjs.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { openaiError } from '../../upstream/openai.mjs';
import { anthropicError } from '../../upstream/anthropic.mjs';
import { ANSWER, IMAGE_URL, MODEL, PNG, REFUSALS, THINKER, TWO_CALLS, USAGE, WEATHER, WORDS,
  collect }
  from './shared.mjs';

const TOOLS = [{ name: 'get_weather', description: 'Tells weather', input_schema: WEATHER }];
const HI = [{ role: 'user', content: 'Hi' }];
const OLD_RULES = { headers: { 'anthropic-version': '2023-06-01' } };

const CLASS = { 400: Anthropic.BadRequestError, 401: Anthropic.AuthenticationError,
  403: Anthropic.PermissionDeniedError, 404: Anthropic.NotFoundError,
  429: Anthropic.RateLimitError };

function textTests(get) {
  test('a reply is read with its stop reason and usage', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: WORDS, usage: USAGE }));
    const reply = await client.messages.create({ model: model(MODEL[kind]), max_tokens: 100,
      system: [{ type: 'text', text: 'Be brief.' }], messages: HI });
    assert.equal(reply.type, 'message');
    assert.equal(reply.role, 'assistant');
    assert.deepEqual(reply.content.map((b) => [b.type, b.text]), [['text', WORDS]]);
    assert.equal(reply.stop_reason, 'end_turn');
    assert.equal(reply.usage.input_tokens, 11);
    assert.equal(reply.usage.cache_read_input_tokens, 64);
    assert.equal(reply.usage.output_tokens, 21);
    const sent = fake.last.json;
    assert.equal(sent.model, MODEL[kind]);
    assert.equal(sent.max_completion_tokens ?? sent.max_tokens, 100);
    assert.equal(kind === 'openai' ? sent.messages[0].content : sent.system[0].text, 'Be brief.');
  });

  test('a stream gives the same message', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: WORDS, usage: USAGE }));
    const final = await client.messages.stream({ model: model(MODEL[kind]), max_tokens: 100,
      messages: HI }).finalMessage();
    assert.deepEqual(final.content.map((b) => [b.type, b.text]), [['text', WORDS]]);
    assert.equal(final.stop_reason, 'end_turn');
    assert.equal(final.usage.input_tokens, 11);
    assert.equal(final.usage.cache_read_input_tokens, 64);
    assert.equal(final.usage.output_tokens, 21);
  });

  test('a stream starts with message_start, ends with message_stop, and every block is closed once',
    async () => {
      const { client, fake, kind, model } = get();
      fake.script((x) => fake.say(x, { text: 'Looking.', calls: TWO_CALLS }));
      const all = await collect(await client.messages.create({ model: model(MODEL[kind]),
        max_tokens: 100, messages: HI, tools: TOOLS, stream: true }));
      const events = all.filter((one) => one.type !== 'ping');
      assert.equal(events[0].type, 'message_start');
      assert.equal(typeof events[0].message.usage.input_tokens, 'number');
      assert.equal(events[events.length - 1].type, 'message_stop');
      assert.equal(events[events.length - 2].type, 'message_delta');
      const starts = events.filter((one) => one.type === 'content_block_start');
      const stops = events.filter((one) => one.type === 'content_block_stop');
      assert.deepEqual(starts.map((one) => one.index), [0, 1, 2]);
      assert.deepEqual(stops.map((one) => one.index), [0, 1, 2]);
    });

  for (const finish of ['length', 'filter']) {
    test(`a reply that ended by ${finish} says so, streamed or not`, async () => {
      const { client, fake, kind, model } = get();
      const want = finish === 'length' ? 'max_tokens' : 'refusal';
      const say = (x) => fake.say(x, { text: 'Half a', finish });
      fake.script(say, say);
      const ask = { model: model(MODEL[kind]), max_tokens: 16, messages: HI };
      assert.equal((await client.messages.create(ask)).stop_reason, want);
      assert.equal((await client.messages.stream(ask).finalMessage()).stop_reason, want);
    });
  }

  test('zero stays zero, and stop sequences arrive', async () => {
    const { client, fake, kind, model } = get();
    await client.messages.create({ model: model(MODEL[kind]), max_tokens: 100, messages: HI,
      temperature: 0, stop_sequences: ['END', 'FIN'] }, OLD_RULES);
    const sent = fake.last.json;
    assert.equal(sent.temperature, 0);
    assert.deepEqual(sent.stop ?? sent.stop_sequences, ['END', 'FIN']);
  });
}

function assertCalls(content, want) {
  const calls = content.filter((block) => block.type === 'tool_use');
  assert.deepEqual(calls.map((call) => [call.id, call.name, call.input]),
    want.map((call) => [call.id, call.name, JSON.parse(call.args)]));
}

function toolTests(get) {
  test('parallel tool calls are read, and their results reach the upstream', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: 'Looking.', calls: TWO_CALLS }));
    const ask = { model: model(MODEL[kind]), max_tokens: 100, messages: [...HI], tools: TOOLS };
    const first = await client.messages.create(ask);
    assert.equal(first.stop_reason, 'tool_use');
    assertCalls(first.content, TWO_CALLS);

    ask.messages.push({ role: 'assistant', content: first.content }, { role: 'user', content: [
      { type: 'tool_result', tool_use_id: 'toolu_a1', content: 'sun 0' },
      { type: 'tool_result', tool_use_id: 'toolu_b2', is_error: true,
        content: [{ type: 'text', text: 'no signal' }] },
      { type: 'text', text: 'and now?' }] });
    const second = await client.messages.create(ask);
    assert.match(second.content[0].text, /and now\?/);
    assert.deepEqual(fake.refusals, []);
    for (const wanted of ['toolu_a1', 'toolu_b2', 'sun 0', 'no signal', 'and now?']) {
      assert.ok(fake.last.body.includes(wanted), `${wanted} is missing in ${fake.last.body}`);
    }
  });

  test('streamed parallel tool calls are joined by the helper without mixing', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: 'Looking.', calls: TWO_CALLS, step: 3 }));
    const final = await client.messages.stream({ model: model(MODEL[kind]), max_tokens: 100,
      messages: HI, tools: TOOLS }).finalMessage();
    assert.equal(final.stop_reason, 'tool_use');
    assertCalls(final.content, TWO_CALLS);
  });

  test('a picture in a tool result reaches the upstream', async () => {
    const { client, fake, kind, model } = get();
    await client.messages.create({ model: model(MODEL[kind]), max_tokens: 100, tools: TOOLS,
      messages: [...HI,
        { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_p', name: 'get_weather',
          input: { city: 'Oslo' } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_p', content: [
          { type: 'text', text: 'a map' }, { type: 'image', source: { type: 'base64',
            media_type: 'image/png', data: PNG } }] }] }] });
    assert.deepEqual(fake.refusals, []);
    assert.ok(fake.last.body.includes(PNG));
  });

  for (const [choice, want] of [[{ type: 'any', disable_parallel_tool_use: true }, 'required'],
    [{ type: 'none' }, 'none'], [{ type: 'tool', name: 'get_weather' },
      { type: 'function', function: { name: 'get_weather' } }]]) {
    test(`tool_choice ${JSON.stringify(choice)} keeps its meaning`, async () => {
      const { client, fake, kind, model } = get();
      await client.messages.create({ model: model(MODEL[kind]), max_tokens: 100, messages: HI,
        tools: TOOLS, tool_choice: choice });
      const sent = fake.last.json;
      assert.deepEqual(sent.tool_choice, kind === 'openai' ? want : choice);
      if (kind === 'openai') {
        assert.equal(sent.parallel_tool_calls === false, choice.type === 'any');
      }
    });
  }
}

function contentTests(get) {
  test('images arrive, as bytes and as a link', async () => {
    const { client, fake, kind, model } = get();
    await client.messages.create({ model: model(MODEL[kind]), max_tokens: 100, messages: [{
      role: 'user', content: [{ type: 'text', text: 'What is it?' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
        { type: 'image', source: { type: 'url', url: IMAGE_URL } }] }] });
    const parts = fake.last.json.messages[0].content;
    if (kind === 'openai') {
      assert.equal(parts[1].image_url.url, `data:image/png;base64,${PNG}`);
      assert.equal(parts[2].image_url.url, IMAGE_URL);
    } else {
      assert.equal(parts[1].source.data, PNG);
      assert.equal(parts[2].source.url, IMAGE_URL);
    }
  });

  test('thinking is asked for and comes back as a block before the text', async () => {
    const { client, fake, kind, model } = get();
    const say = (x) => fake.say(x, { thinking: 'Let me see.', text: 'Yes' });
    fake.script(say, say);
    const ask = { model: model(THINKER[kind]), max_tokens: 9000, messages: HI,
      thinking: { type: 'enabled', budget_tokens: 8192 } };
    const reply = await client.messages.create(ask);
    assert.deepEqual(reply.content.map((block) => block.type), ['thinking', 'text']);
    assert.equal(reply.content[0].thinking, 'Let me see.');
    const final = await client.messages.stream(ask).finalMessage();
    assert.deepEqual(final.content.map((b) => b.thinking ?? b.text), ['Let me see.', 'Yes']);
    if (kind === 'openai') {
      assert.equal(fake.last.json.reasoning_effort, 'medium');
    } else {
      assert.equal(final.content[0].signature, 'EqQBsigned');
      assert.equal(fake.last.json.thinking.budget_tokens, 8192);
    }
  });

  test('a signed thinking block goes back to its signer and to nobody else', async () => {
    const { client, fake, kind, model } = get();
    const calls = [TWO_CALLS[0]];
    fake.script((x) => fake.say(x, { thinking: 'Hm.', signature: 'EqQBabc+/=', calls }));
    const ask = { model: model(THINKER[kind]), max_tokens: 9000, messages: [...HI], tools: TOOLS,
      thinking: { type: 'enabled', budget_tokens: 8192 } };
    const first = await client.messages.create(ask);
    ask.messages.push({ role: 'assistant', content: first.content }, { role: 'user', content: [
      { type: 'tool_result', tool_use_id: calls[0].id, content: 'sun' }] });
    await client.messages.create(ask);
    assert.deepEqual(fake.refusals, []);
    assert.equal(fake.last.body.includes('EqQBabc+/='), kind === 'anthropic');
  });

  test('structured output is asked for in the vendor\'s way', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: '{"answer":42}' }));
    const reply = await client.messages.create({ model: model(MODEL[kind]), max_tokens: 100,
      messages: HI, output_config: { format: { type: 'json_schema', schema: ANSWER } } });
    assert.equal(JSON.parse(reply.content[0].text).answer, 42);
    const sent = fake.last.json;
    const schema = sent.response_format?.json_schema.schema ?? sent.output_config.format.schema;
    assert.deepEqual(schema.properties, ANSWER.properties);
  });
}

function errorTests(get) {
  for (const refusal of REFUSALS) {
    for (const stream of [false, true]) {
      test(`an upstream's ${refusal.name} raises the right class${stream ? ' of a stream' : ''}`,
        async () => {
          const { client, fake, kind, model, direct } = get();
          const words = `because of ${refusal.name}`;
          const [vendorStatus, type, code] = refusal[kind];
          const headers = vendorStatus === 429 ? { 'retry-after': '7' } : {};
          fake.script(kind === 'openai' ? openaiError(vendorStatus, type, code, words, headers)
            : anthropicError(vendorStatus, type, words, headers));
          const status = direct ? vendorStatus : refusal.status.anthropic;
          await assert.rejects(client.messages.create({ model: model(MODEL[kind]), max_tokens: 10,
            messages: HI, stream }), (error) => {
            assert.equal(error.status, status);
            const Wanted = CLASS[status] ?? Anthropic.InternalServerError;
            assert.ok(error instanceof Wanted, error.name);
            assert.equal(error.error.type, 'error');
            assert.ok(error.error.error.message.includes(words), error.message);
            if (status === 429) {
              assert.equal(error.headers.get('retry-after'), '7');
            }
            if (status === 529) {
              assert.equal(error.type, 'overloaded_error');
            }
            return true;
          });
        });
    }
  }

  test('a request that the vendor finds wrong raises the vendor\'s words', async () => {
    const { client, kind, model } = get();
    await assert.rejects(client.messages.create({ model: model(`missing-${kind}`), max_tokens: 10,
      messages: HI }), (error) => {
      assert.ok(error instanceof Anthropic.NotFoundError);
      assert.match(error.message, /missing-/);
      return true;
    });
  });
}

/** Declares all of it. */
export function anthropicScenarios(get) {
  textTests(get);
  toolTests(get);
  contentTests(get);
  errorTests(get);
}
