// What an upstream refuses is left out and asked for once more; what a person knows of a model is
// said in rules.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { anthropicError } from '../upstream/anthropic.mjs';
import { KEY, run } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';
import { gate, until } from './lib/wait.mjs';

const stage = useStage({
  keepsConnections: true,
  files: { 'rules/known.lua': '' },
  config: ({ oa, an }) => ({
    workers: 3,
    providers: {
      ad: { type: 'openai', base_url: `${oa.url}/v1`, adapt: undefined,
        accounts: [{ name: 'a', api_key: oa.key }] },
      strict: { type: 'openai', base_url: `${oa.url}/v1`, adapt: true, loss: 'refuse',
        accounts: [{ name: 'a', api_key: oa.key }] },
      cl: { type: 'anthropic', base_url: an.url, adapt: undefined,
        accounts: [{ name: 'b', api_key: an.key }] },
    },
  }),
});

const openai = (more = {}) => new OpenAI({ apiKey: KEY, baseURL: `${stage.gw.url}/v1`,
  maxRetries: 0, ...more });
const anthropic = () => new Anthropic({ apiKey: KEY, baseURL: stage.gw.url, maxRetries: 0 });

/** What OpenAI says of a parameter that a model does not support. */
const unsupported = (param) => ({ status: 400, body: { error: {
  message: `Unsupported parameter: '${param}' is not supported with this model.`,
  type: 'invalid_request_error', param, code: 'unsupported_parameter' } } });

const say = (fake, text) => (exchange) => fake.say(exchange, { text });
const HI = [{ role: 'user', content: 'Hi' }];
const bodies = (fake) => fake.requests.map((exchange) => exchange.json);

describe('a parameter that the upstream does not support', () => {
  for (const stream of [false, true]) {
    test(`is left out and asked for once more, ${stream ? 'streamed' : 'whole'}`, async () => {
      const model = `one-${stream}`;
      stage.oa.script(unsupported('logit_bias'), say(stage.oa, 'Fine'), say(stage.oa, 'Again'));
      const ask = { model: `ad:${model}`, messages: HI, logit_bias: { 50256: -100 }, seed: 7,
        stream };
      const texts = [];
      for (let i = 0; i < 2; i++) {
        const { data, response } = await openai().chat.completions.create(ask).withResponse();
        let text = stream ? '' : data.choices[0].message.content;
        if (stream) {
          for await (const chunk of data) {
            text += chunk.choices[0]?.delta?.content ?? '';
          }
        }
        texts.push(text);
        assert.equal(response.headers.get('x-proxima-lost'), 'request.logit_bias');
      }
      assert.deepEqual(texts, ['Fine', 'Again']);
      assert.deepEqual(bodies(stage.oa).map((body) => ['logit_bias' in body, body.seed]),
        [[true, 7], [false, 7], [false, 7]]);
      assert.ok((await stage.gw.metrics())[
        'proxima_lost_total{from="openai_chat",to="openai_chat",field="request.logit_bias"}'] >= 2);
    });
  }

  test('takes with it what is refused without it', async () => {
    stage.oa.script(unsupported('logprobs'), say(stage.oa, 'Fine'), say(stage.oa, 'Again'));
    for (const more of [{}, { top_logprobs: 2 }]) {
      const { response } = await openai().chat.completions.create({ model: 'ad:unlikely',
        messages: HI, logprobs: true, ...more }).withResponse();
      assert.equal(response.headers.get('x-proxima-lost'), 'params.logprobs');
    }
    stage.oa.script(unsupported('logprobs'), say(stage.oa, 'Fine'));
    await openai().chat.completions.create({ model: 'ad:unlikelier', messages: HI, logprobs: true,
      top_logprobs: 2 });
    assert.deepEqual(bodies(stage.oa).map((body) => [body.logprobs, body.top_logprobs]),
      [[true, undefined], [undefined, undefined], [undefined, undefined], [true, 2],
        [undefined, undefined]]);
    assert.deepEqual(stage.oa.refusals, []);
  });

  test('is left out by every worker, also after a reload', async () => {
    stage.oa.script(unsupported('logit_bias'));
    const body = JSON.stringify({ model: 'ad:all', messages: HI, logit_bias: {} });
    const ask = async () => {  // On a connection of its own: any worker's.
      const [reply] = await once(http.request(`${stage.gw.url}/v1/chat/completions`,
        { method: 'POST', agent: false, headers: { authorization: `Bearer ${KEY}` } }).end(body),
      'response');
      assert.equal(reply.statusCode, 200);
      reply.resume();
      await once(reply, 'end');
    };
    for (let i = 0; i < 12; i++) {
      await ask();
    }
    const from = stage.gw.log.length;
    stage.gw.replace('rules/known.lua', '-- Another generation.\n');
    await stage.gw.logged(/generation \d+ serves/, { from });
    await ask();
    assert.deepEqual(bodies(stage.oa).map((body) => 'logit_bias' in body),
      [true, ...Array(13).fill(false)]);
  });

  test('is told in the log once, with a line that works in a file of rules', async () => {
    const from = stage.gw.log.length;
    const ask = { model: 'ad:lined', messages: HI, logit_bias: {} };
    stage.oa.script(unsupported('logit_bias'));
    await openai().chat.completions.create(ask);
    await openai().chat.completions.create(ask);
    const [, line] = await stage.gw.logged(/for good: (px\..*)/, { from });
    assert.equal(stage.gw.log.slice(from).match(/for good/g).length, 1);
    stage.gw.replace('rules/known.lua', `${line}\n`);
    await stage.gw.logged(/generation \d+ serves/, { from });
    stage.oa.clear();
    await openai().chat.completions.create(ask);
    assert.deepEqual(bodies(stage.oa).map((body) => 'logit_bias' in body), [false]);
  });

  test('of a request that was converted is left out too, beside its other losses', async () => {
    stage.an.script(anthropicError(400, 'invalid_request_error',
      '`temperature` is deprecated for this model.'), say(stage.an, 'Fine'));
    const { data, response } = await openai().chat.completions.create({
      model: 'cl:claude-3-5-sonnet-20241022', messages: HI, temperature: 0.5, seed: 1,
    }).withResponse();
    assert.equal(data.choices[0].message.content, 'Fine');
    assert.equal(response.headers.get('x-proxima-lost'), 'params.seed,params.temperature');
    assert.deepEqual(bodies(stage.an).map((body) => body.temperature), [0.5, undefined]);
  });

  test('reaches the client as the upstream\'s 400 where nothing may be left out', async () => {
    for (const [target, param] of [['ad', 'messages'], ['strict', 'logit_bias'],
      ['oa', 'logit_bias']]) {
      stage.oa.clear();
      stage.oa.script(unsupported(param));
      await assert.rejects(openai().chat.completions.create({ model: `${target}:refused`,
        messages: HI, logit_bias: {} }), (error) => error instanceof OpenAI.BadRequestError
        && error.code === 'unsupported_parameter' && error.param === param);
      assert.equal(stage.oa.requests.length, 1);
    }
  });

  test('is left out once a request: the second refusal reaches the client', async () => {
    stage.oa.script(unsupported('logit_bias'), unsupported('seed'));
    await assert.rejects(openai().chat.completions.create({ model: 'ad:twice', messages: HI,
      logit_bias: {}, seed: 1 }), (error) => error.status === 400 && error.param === 'seed');
    assert.equal(stage.oa.requests.length, 2);
  });

  test('in a refusal of any length and kind costs its request nothing but that', async () => {
    for (const message of ['a'.repeat(900_000), '`a'.repeat(400_000), 'Unknown parameter: '.repeat(
      40_000), ': Extra inputs are not permitted'.repeat(20_000)]) {
      stage.oa.clear();
      stage.oa.script({ status: 400, body: { error: { message, type: 'invalid_request_error',
        param: null, code: null } } });
      const { status, text } = await stage.gw.chat({ model: 'ad:long', messages: HI });
      assert.equal(status, 400);
      assert.equal(JSON.parse(text).error.message, message);
      assert.equal(stage.oa.requests.length, 1);
    }
  });

  test('of a client that leaves between the tries costs nothing more', async () => {
    const held = gate();
    stage.oa.script(unsupported('logit_bias'), async (exchange) => {
      await held.promise;
      return stage.oa.say(exchange, { text: 'Late' });
    });
    const leave = new AbortController();
    const asked = openai().chat.completions.create({ model: 'ad:left', messages: HI,
      logit_bias: {} }, { signal: leave.signal });
    await until(5000, () => stage.oa.requests.length === 2, () => 'the second try begins');
    leave.abort();
    await assert.rejects(asked);
    await until(5000, async () => (await stage.gw.gauges()).transfers === 0,
      () => 'the upstream is let go');
    held.open();
  });
});

describe('the Anthropic SDK', () => {
  test('gets an answer where a forced tool was refused beside thinking', async () => {
    stage.an.script(anthropicError(400, 'invalid_request_error',
      'Thinking may not be enabled when tool_choice forces tool use.'), say(stage.an, 'Fine'));
    const { data, response } = await anthropic().messages.create({ model: 'cl:claude-sonnet-4-6',
      max_tokens: 2000, messages: HI, thinking: { type: 'adaptive' },
      tools: [{ name: 'f', input_schema: { type: 'object', properties: {} } }],
      tool_choice: { type: 'tool', name: 'f' } }).withResponse();
    assert.equal(data.content[0].text, 'Fine');
    assert.equal(response.headers.get('x-proxima-lost'), 'tool_choice');
    assert.deepEqual(bodies(stage.an).map((body) => body.tool_choice.type), ['tool', 'auto']);
  });

  test('gets an answer where a signature was refused', async () => {
    stage.an.script(say(stage.an, 'Fine'));
    const answer = await anthropic().messages.create({ model: 'cl:claude-sonnet-4-6',
      max_tokens: 2000, thinking: { type: 'adaptive' }, messages: [...HI,
        { role: 'assistant', content: [{ type: 'thinking', thinking: 'Hm', signature: 'abcd' },
          { type: 'text', text: 'Yes' }] }, ...HI] });
    assert.equal(answer.content[0].text, 'Fine');
    assert.match(stage.an.refusals[0], /Invalid `signature`/);
    assert.deepEqual(bodies(stage.an).map((body) => body.messages[1].content.map((b) => b.type)),
      [['thinking', 'text'], ['text']]);
  });

  test('gets an answer where calls were made without a thought', async () => {
    stage.an.script(say(stage.an, 'Fine'));
    const tools = [{ name: 'f', input_schema: { type: 'object', properties: {} } }];
    const { data, response } = await anthropic().messages.create({ model: 'cl:claude-sonnet-4-6',
      max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 1024 }, tools, messages: [...HI,
        { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'f', input: {} }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1',
          content: 'Done' }] }] }).withResponse();
    assert.equal(data.content[0].text, 'Fine');
    assert.match(stage.an.refusals[0], /Expected `thinking`/);
    assert.equal(response.headers.get('x-proxima-lost'), 'params.reasoning');
    assert.deepEqual(bodies(stage.an).map((body) => body.thinking?.type), ['enabled', undefined]);
  });

  test('is told that there are no threads: what is said later needs what was said before',
    async () => {
      const refusal = anthropicError(400, 'invalid_request_error',
        'thread: Extra inputs are not permitted');
      stage.an.script(refusal, refusal);
      const ask = { model: 'cl:claude-sonnet-4-6', max_tokens: 20, messages: HI };
      for (const thread of [{ type: 'create' },
        { type: 'continue', previous_message_id: 'msg_1' }]) {
        await assert.rejects(anthropic().messages.create({ ...ask, thread }), { status: 400 });
      }
      assert.equal(stage.an.requests.length, 2);
    });
});

describe('px.knowledge', () => {
  test('changes what the next request is sent', async () => {
    const ask = { model: 'cl:my-own', messages: HI, max_tokens: 60_000 };
    for (const [rule, sent] of [['px.knowledge{ model = "my-*", max_output = 4096 }', 4096],
      ['px.knowledge{ provider = "cl", model = "MY-OWN", max_output = 512 }', 512], ['', 60_000]]) {
      const from = stage.gw.log.length;
      stage.gw.replace('rules/known.lua', rule);
      await stage.gw.logged(/generation \d+ serves/, { from });
      stage.an.clear();
      await openai().chat.completions.create(ask);
      assert.equal(bodies(stage.an)[0].max_tokens, sent);
    }
  });

  test('that is wrong does not load: file, line and a suggestion are told', async () => {
    stage.gw.replace('rules/known.lua', '\npx.knowledge{ model = "m", max_ouput = 1 }\n');
    const from = stage.gw.log.length;
    const { code, stderr, stdout } = await run(['check', '-c',
      path.join(stage.gw.dir, 'proxima.json')]);
    assert.equal(code, 1);
    assert.match(stdout + stderr, /rules\/known\.lua:2: .*max_ouput.*did you mean "max_output"\?/);
    await stage.gw.logged(/rules\/known\.lua:2: /, { from: Math.max(0, from - 2000) });
    stage.gw.replace('rules/known.lua', '');
  });
});
