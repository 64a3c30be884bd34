// The official Ollama client through the gateway, over vendors of other protocols.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Ollama } from 'ollama';
import { anthropicError } from '../upstream/anthropic.mjs';
import { openaiError } from '../upstream/openai.mjs';
import { KEY } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';
import { THINKER, TWO_CALLS, WEATHER, WORDS, collect } from './scenarios/shared.mjs';

const stage = useStage({ keepsConnections: true });
const MODEL = { oa: 'oa:gpt-4o', an: 'an:claude-sonnet-4-6' };
const HI = [{ role: 'user', content: 'Hi' }];
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJ'
  + 'RU5ErkJggg==';
const TOOLS = [{ type: 'function', function: { name: 'get_weather', description: 'Tells weather',
  parameters: WEATHER } }];

function clientOf(prefix = '') {
  return new Ollama({ host: stage.gw.url + prefix, headers: { Authorization: `Bearer ${KEY}` } });
}

for (const kind of ['oa', 'an']) {
  describe(`the Ollama client over ${kind === 'oa' ? 'OpenAI' : 'Anthropic'}`, () => {
    const model = MODEL[kind];
    const say = (description) => stage[kind].script((x) => stage[kind].say(x, description));
    const usage = { input: 5, cacheRead: 6, output: 9 };

    test('a reply is read whole', async () => {
      say({ text: WORDS, usage });
      const reply = await clientOf().chat({ model, messages: HI, options: { num_predict: 50 } });
      assert.equal(reply.message.content, WORDS);
      assert.deepEqual([reply.done, reply.done_reason, reply.model], [true, 'stop', model]);
      assert.deepEqual([reply.prompt_eval_count, reply.eval_count], [11, 9]);
      assert.ok(reply.eval_duration > 1000 && reply.eval_duration < 60e9, `${reply.eval_duration} ns`);
    });

    for (const prefix of ['', '/ollama']) {
      test(`a stream gives the same under ${prefix}/api`, async () => {
        say({ text: WORDS, usage, finish: 'length' });
        const parts = await collect(await clientOf(prefix).chat({ model, messages: HI,
          stream: true }));
        assert.equal(parts.map((one) => one.message.content).join(''), WORDS);
        assert.deepEqual(parts.filter((one) => one.done).map((one) => one.done_reason),
          ['length']);
        assert.deepEqual([parts.at(-1).prompt_eval_count, parts.at(-1).eval_count], [11, 9]);
      });
    }

    test('thinking has its own channel', async () => {
      say({ thinking: 'Hm, well', text: WORDS });
      const parts = await collect(await clientOf().chat({ model: `${kind}:${THINKER[{ oa: 'openai',
        an: 'anthropic' }[kind]]}`, messages: HI, stream: true, think: 'high' }));
      assert.equal(parts.map((one) => one.message.thinking ?? '').join(''), 'Hm, well');
      assert.equal(parts.map((one) => one.message.content).join(''), WORDS);
    });

    test('calls are read, and their results reach the upstream without ids', async () => {
      say({ text: 'Looking.', calls: TWO_CALLS });
      const ask = { model, messages: [...HI], tools: TOOLS };
      const parts = await collect(await clientOf().chat({ ...ask, stream: true }));
      const calls = parts.flatMap((one) => one.message.tool_calls ?? []);
      assert.deepEqual(calls.map((call) => call.function.name), TWO_CALLS.map((one) => one.name));
      assert.deepEqual(calls.map((call) => call.function.arguments),
        TWO_CALLS.map((one) => JSON.parse(one.args)));
      ask.messages.push({ role: 'assistant', content: 'Looking.', tool_calls: calls.map((call) => (
        { function: { name: call.function.name, arguments: call.function.arguments } })) },
      ...calls.map((call, at) => ({ role: 'tool', tool_name: call.function.name,
        content: `sun ${at}` })));
      const reply = await clientOf().chat(ask);
      assert.ok(reply.done);
      assert.deepEqual(stage[kind].refusals, []);
      const sent = JSON.stringify(stage[kind].last.json);
      assert.ok(sent.indexOf('sun 0') < sent.indexOf('sun 1'));
    });

    test('a generation has its own form', async () => {
      say({ text: WORDS });
      say({ text: WORDS });
      const ask = { model, prompt: 'Hi', system: 'Be brief.', images: [PNG] };
      assert.equal((await clientOf().generate(ask)).response, WORDS);
      const parts = await collect(await clientOf().generate({ ...ask, stream: true }));
      assert.equal(parts.map((one) => one.response).join(''), WORDS);
      const sent = JSON.stringify(stage[kind].last.json);
      assert.ok(sent.includes('Be brief.') && sent.includes(PNG));
    });

    test('a refusal has its status and the upstream\'s words', async () => {
      const error = kind === 'oa' ? openaiError(429, 'requests', 'rate_limit_exceeded', 'Slow down')
        : anthropicError(429, 'rate_limit_error', 'Slow down');
      stage[kind].script(error);
      await assert.rejects(clientOf().chat({ model, messages: HI, stream: true }),
        (raised) => raised.status_code === 429 && /Slow down/.test(raised.message));
    });

    test('a stream that is cut ends in an error', async () => {
      stage[kind].script((x) => {
        const whole = stage[kind].say(x, { text: WORDS });
        return { ...whole, pieces: whole.pieces.slice(0, -3), finish: 'cut' };
      });
      const stream = await clientOf().chat({ model, messages: HI, stream: true });
      await assert.rejects(collect(stream), /upstream/);
    });
  });
}

describe('what the Ollama client is told of the gateway', () => {
  test('models are listed by the names that they have', async () => {
    const { models } = await clientOf().list();
    assert.ok(models.length > 0 && models.every((one) => one.name && one.digest.length === 64));
  });
});
