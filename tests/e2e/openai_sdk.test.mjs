// The official OpenAI SDK through the gateway, in front of upstreams of both protocols.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { openaiScenarios } from './scenarios/openai.mjs';
import { KEY } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';

const stage = useStage({ keepsConnections: true });

function clientOf(more = {}) {
  return new OpenAI({ apiKey: KEY, baseURL: `${stage.gw.url}/v1`, maxRetries: 0, ...more });
}

for (const [name, kind] of [['oa', 'openai'], ['an', 'anthropic']]) {
  describe(`the OpenAI SDK, the gateway and an upstream of kind ${kind}`, () => {
    openaiScenarios(() => ({ client: clientOf(), fake: stage[name], kind,
      model: (model) => `${name}:${model}` }));
  });
}

test('models are listed with those of the demo among them, and one can be asked for', async () => {
  const ids = [];
  for await (const model of clientOf().models.list()) {
    assert.equal(model.object, 'model');
    ids.push(model.id);
  }
  assert.ok(ids.length > 0);
  const one = await clientOf().models.retrieve(ids[0]);
  assert.equal(one.id, ids[0]);
});

test('a wrong client key raises AuthenticationError and reaches no upstream', async () => {
  const wrong = clientOf({ apiKey: 'wrong-key' });
  await assert.rejects(wrong.chat.completions.create({ model: 'oa:gpt-4o',
    messages: [{ role: 'user', content: 'Hi' }] }), (error) => (
    error instanceof OpenAI.AuthenticationError && !error.message.includes('wrong-key')));
  assert.equal(stage.oa.requests.length, 0);
});

test('the demo provider answers, streamed or not, and calls a tool that is asked for', async () => {
  const ask = { model: 'demo:demo', messages: [{ role: 'user', content: 'Say heliotrope' }] };
  const whole = await clientOf().chat.completions.create(ask);
  assert.match(whole.choices[0].message.content, /heliotrope/);
  assert.ok(whole.usage.prompt_tokens > 0 && whole.usage.completion_tokens > 0);
  const streamed = await clientOf().chat.completions.stream(ask).finalChatCompletion();
  assert.match(streamed.choices[0].message.content, /heliotrope/);
  const tools = [{ type: 'function', function: { name: 'look_up', parameters: { type: 'object',
    properties: { word: { type: 'string' } }, required: ['word'] } } }];
  const called = await clientOf().chat.completions.create({ ...ask, tools,
    tool_choice: 'required' });
  assert.equal(called.choices[0].message.tool_calls[0].function.name, 'look_up');
  assert.equal(called.choices[0].finish_reason, 'tool_calls');
});
