// What the official OpenAI SDK must be able to do against any upstream. `get()` gives
// `{ client, fake, kind, model(name), direct }`: the SDK's client, the vendor behind it and which
// kind it is; `direct` when there is no gateway between them.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { openaiError } from '../../upstream/openai.mjs';
import { anthropicError } from '../../upstream/anthropic.mjs';
import { ANSWER, IMAGE_URL, MODEL, PNG, REFUSALS, THINKER, TWO_CALLS, USAGE, WEATHER, WORDS,
  collect }
  from './shared.mjs';

const TOOLS = [{ type: 'function', function: { name: 'get_weather', description: 'Tells weather',
  parameters: WEATHER } }];
const HI = [{ role: 'user', content: 'Hi' }];

const CLASS = { 400: OpenAI.BadRequestError, 401: OpenAI.AuthenticationError,
  403: OpenAI.PermissionDeniedError, 404: OpenAI.NotFoundError, 429: OpenAI.RateLimitError };

function textTests(get) {
  test('a reply is read with its finish reason and usage', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: WORDS, usage: USAGE }));
    const reply = await client.chat.completions.create({ model: model(MODEL[kind]),
      messages: [{ role: 'system', content: 'Be brief.' }, ...HI] });
    assert.equal(reply.object, 'chat.completion');
    assert.equal(reply.choices[0].message.content, WORDS);
    assert.equal(reply.choices[0].message.role, 'assistant');
    assert.equal(reply.choices[0].finish_reason, 'stop');
    assert.equal(reply.usage.prompt_tokens, 75);
    assert.equal(reply.usage.prompt_tokens_details.cached_tokens, 64);
    assert.equal(reply.usage.completion_tokens, 21);
    assert.equal(reply.usage.total_tokens, 96);
    const sent = fake.last.json;
    assert.equal(sent.model, MODEL[kind]);
    const system = kind === 'openai' ? sent.messages[0].content
      : sent.system[0].text ?? sent.system;
    assert.equal(system, 'Be brief.');
  });

  test('a stream gives the same text, one finish reason and the usage asked for', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: WORDS, usage: USAGE }));
    const chunks = await collect(await client.chat.completions.create({ model: model(MODEL[kind]),
      messages: HI, stream: true, stream_options: { include_usage: true } }));
    const choices = chunks.flatMap((chunk) => chunk.choices);
    assert.equal(choices.map((one) => one.delta.content ?? '').join(''), WORDS);
    assert.deepEqual(choices.map((one) => one.finish_reason).filter(Boolean), ['stop']);
    assert.deepEqual(choices.map((one) => one.delta.role).filter(Boolean), ['assistant']);
    assert.equal(new Set(chunks.map((one) => one.id)).size, 1);
    const usage = chunks.filter((one) => one.usage);
    assert.equal(usage.length, 1);
    assert.equal(usage[0].choices.length, 0);
    assert.equal(usage[0].usage.prompt_tokens, 75);
    assert.equal(usage[0].usage.completion_tokens, 21);
  });

  test('a stream has no usage chunk when none was asked for', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: 'Hello', usage: USAGE }));
    const chunks = await collect(await client.chat.completions.create({ model: model(MODEL[kind]),
      messages: HI, stream: true }));
    assert.ok(chunks.every((one) => one.choices.length === 1 && !one.usage));
  });

  for (const finish of ['length', 'filter']) {
    test(`a reply that ended by ${finish} says so, streamed or not`, async () => {
      const { client, fake, kind, model } = get();
      const want = finish === 'length' ? 'length' : 'content_filter';
      const say = (x) => fake.say(x, { text: 'Half a', finish });
      fake.script(say, say);
      const ask = { model: model(MODEL[kind]), messages: HI, max_completion_tokens: 16 };
      const reply = await client.chat.completions.create(ask);
      assert.equal(reply.choices[0].finish_reason, want);
      const chunks = await collect(await client.chat.completions.create({ ...ask, stream: true }));
      assert.equal(chunks.flatMap((c) => c.choices).findLast((c) => c.finish_reason).finish_reason,
        want);
      const sent = fake.last.json;
      assert.equal(sent.max_completion_tokens ?? sent.max_tokens, 16);
    });
  }

  test('zero stays zero, and stop sequences arrive', async () => {
    const { client, fake, kind, model } = get();
    await client.chat.completions.create({ model: model(MODEL[kind]), messages: HI, temperature: 0,
      stop: ['END', 'FIN'] });
    const sent = fake.last.json;
    assert.equal(sent.temperature, 0);
    assert.deepEqual(sent.stop ?? sent.stop_sequences, ['END', 'FIN']);
  });
}

function assertCalls(calls, want) {
  assert.deepEqual(calls.map((call) => [call.id, call.function.name]),
    want.map((call) => [call.id, call.name]));
  calls.forEach((call, at) => {
    assert.deepEqual(JSON.parse(call.function.arguments), JSON.parse(want[at].args));
    const big = /\d{16,}/.exec(want[at].args)?.[0];
    assert.ok(!big || call.function.arguments.includes(big), 'a 64-bit number survives');
  });
}

function toolTests(get) {
  test('parallel tool calls are read, and their results reach the upstream', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: 'Looking.', calls: TWO_CALLS }));
    const ask = { model: model(MODEL[kind]), messages: [...HI], tools: TOOLS, tool_choice: 'auto' };
    const first = await client.chat.completions.create(ask);
    const { message, finish_reason: finish } = first.choices[0];
    assert.equal(finish, 'tool_calls');
    assert.equal(message.content, 'Looking.');
    assertCalls(message.tool_calls, TWO_CALLS);

    ask.messages.push(message, ...TWO_CALLS.map((call, at) => ({ role: 'tool',
      tool_call_id: call.id, content: `sun ${at}` })));
    const second = await client.chat.completions.create(ask);
    assert.match(second.choices[0].message.content, /sun/);
    assert.deepEqual(fake.refusals, []);
    const sent = JSON.stringify(fake.last.json);
    for (const wanted of ['toolu_a1', 'toolu_b2', 'sun 0', 'sun 1', '9007199254740993']) {
      assert.ok(fake.last.body.includes(wanted), `${wanted} is missing in ${sent}`);
    }
  });

  test('streamed parallel tool calls are joined by the helper without mixing', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: 'Looking.', calls: TWO_CALLS, step: 3 }));
    const stream = client.chat.completions.stream({ model: model(MODEL[kind]), messages: HI,
      tools: TOOLS });
    const final = await stream.finalChatCompletion();
    assert.equal(final.choices[0].finish_reason, 'tool_calls');
    assertCalls(final.choices[0].message.tool_calls, TWO_CALLS);
  });

  test('a call without arguments has {} as arguments', async () => {
    const { client, fake, kind, model, direct } = get();
    if (direct || kind === 'openai') {
      return;
    }
    const calls = [{ id: 'toolu_n', name: 'get_weather', args: '' }];
    fake.script((x) => fake.say(x, { calls }));
    const final = await client.chat.completions.stream({ model: model(MODEL[kind]), messages: HI,
      tools: TOOLS }).finalChatCompletion();
    assert.equal(final.choices[0].message.tool_calls[0].function.arguments, '{}');
  });

  for (const [choice, want] of [['required', { type: 'any' }], ['none', { type: 'none' }],
    [{ type: 'function', function: { name: 'get_weather' } },
      { type: 'tool', name: 'get_weather' }]]) {
    test(`tool_choice ${JSON.stringify(choice)} keeps its meaning`, async () => {
      const { client, fake, kind, model } = get();
      await client.chat.completions.create({ model: model(MODEL[kind]), messages: HI, tools: TOOLS,
        tool_choice: choice, parallel_tool_calls: choice === 'required' ? false : undefined });
      const sent = fake.last.json;
      if (kind === 'openai') {
        assert.deepEqual(sent.tool_choice, choice);
      } else {
        assert.equal(sent.tool_choice.type, want.type);
        assert.equal(sent.tool_choice.name, want.name);
        assert.equal(sent.tool_choice.disable_parallel_tool_use === true, choice === 'required');
      }
    });
  }
}

function contentTests(get) {
  test('images arrive, as bytes and as a link', async () => {
    const { client, fake, kind, model } = get();
    await client.chat.completions.create({ model: model(MODEL[kind]), messages: [{ role: 'user',
      content: [{ type: 'text', text: 'What is it?' },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
        { type: 'image_url', image_url: { url: IMAGE_URL } }] }] });
    const parts = fake.last.json.messages[0].content;
    assert.equal(parts[0].text, 'What is it?');
    if (kind === 'openai') {
      assert.equal(parts[1].image_url.url, `data:image/png;base64,${PNG}`);
      assert.equal(parts[2].image_url.url, IMAGE_URL);
    } else {
      assert.deepEqual(parts[1].source, { type: 'base64', media_type: 'image/png', data: PNG });
      assert.deepEqual(parts[2].source, { type: 'url', url: IMAGE_URL });
    }
  });

  test('thinking is asked for and comes back', async () => {
    const { client, fake, kind, model } = get();
    const say = (x) => fake.say(x, { thinking: 'Let me see.', text: 'Yes', model: THINKER[kind] });
    fake.script(say, say);
    const ask = { model: model(THINKER[kind]), messages: HI, reasoning_effort: 'medium' };
    const reply = await client.chat.completions.create(ask);
    assert.equal(reply.choices[0].message.content, 'Yes');
    assert.equal(reply.choices[0].message.reasoning_content, 'Let me see.');
    const chunks = await collect(await client.chat.completions.create({ ...ask, stream: true }));
    const deltas = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta));
    assert.equal(deltas.map((delta) => delta.reasoning_content ?? '').join(''), 'Let me see.');
    assert.equal(deltas.map((delta) => delta.content ?? '').join(''), 'Yes');
    const sent = fake.last.json;
    if (kind === 'anthropic') {
      assert.equal(sent.thinking.type, 'enabled');
      assert.equal(sent.thinking.budget_tokens, 8192);
      assert.ok(sent.thinking.budget_tokens < sent.max_tokens);
    } else {
      assert.equal(sent.reasoning_effort, 'medium');
    }
  });

  test('structured output is asked for in the vendor\'s way and parsed', async () => {
    const { client, fake, kind, model } = get();
    fake.script((x) => fake.say(x, { text: '{"answer":42}' }));
    const reply = await client.chat.completions.parse({ model: model(MODEL[kind]), messages: HI,
      response_format: { type: 'json_schema',
        json_schema: { name: 'answer', strict: true, schema: ANSWER } } });
    assert.equal(JSON.parse(reply.choices[0].message.content).answer, 42);
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
          const status = direct ? vendorStatus : refusal.status.openai;
          await assert.rejects(client.chat.completions.create({ model: model(MODEL[kind]),
            messages: HI, stream }), (error) => {
            assert.equal(error.status, status);
            assert.ok(error instanceof (CLASS[status] ?? OpenAI.InternalServerError), error.name);
            assert.ok(error.message.includes(words), error.message);
            if (status === 429) {
              assert.equal(error.headers.get('retry-after'), '7');
            }
            if (!direct) {
              assert.match(error.headers.get('x-proxima-upstream') ?? '',
                new RegExp(`^${vendorStatus} `));
            }
            return true;
          });
        });
    }
  }

  test('a request that the vendor finds wrong raises the vendor\'s words', async () => {
    const { client, kind, model } = get();
    await assert.rejects(client.chat.completions.create({ model: model(`missing-${kind}`),
      messages: HI }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.match(error.message, /missing-/);
      return true;
    });
  });
}

/** Declares all of it. */
export function openaiScenarios(get) {
  textTests(get);
  toolTests(get);
  contentTests(get);
  errorTests(get);
}
