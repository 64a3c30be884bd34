// The official Anthropic SDK through the gateway, in front of upstreams of both protocols.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { anthropicScenarios } from './scenarios/anthropic.mjs';
import { KEY } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';

const stage = useStage({ keepsConnections: true });

function clientOf(more = {}) {
  return new Anthropic({ apiKey: KEY, baseURL: stage.gw.url, maxRetries: 0, ...more });
}

for (const [name, kind] of [['an', 'anthropic'], ['oa', 'openai']]) {
  describe(`the Anthropic SDK, the gateway and an upstream of kind ${kind}`, () => {
    anthropicScenarios(() => ({ client: clientOf(), fake: stage[name], kind,
      model: (model) => `${name}:${model}` }));
  });
}

test('models are listed in Anthropic\'s shape', async () => {
  const ids = [];
  for await (const model of clientOf().models.list()) {
    assert.equal(model.type, 'model');
    assert.equal(typeof model.display_name, 'string');
    assert.ok(!Number.isNaN(Date.parse(model.created_at)));
    ids.push(model.id);
  }
  assert.ok(ids.length > 0);
  assert.equal((await clientOf().models.retrieve(ids[0])).id, ids[0]);
});

test('a wrong client key raises AuthenticationError and reaches no upstream', async () => {
  const wrong = clientOf({ apiKey: 'wrong-key' });
  await assert.rejects(wrong.messages.create({ model: 'an:claude-sonnet-4-6', max_tokens: 10,
    messages: [{ role: 'user', content: 'Hi' }] }), (error) => (
    error instanceof Anthropic.AuthenticationError && error.type === 'authentication_error'));
  assert.equal(stage.an.requests.length, 0);
});

test('the demo provider answers, thinks when thinking is on, and calls a tool that is asked for',
  async () => {
    const ask = { model: 'demo:demo', max_tokens: 4000,
      messages: [{ role: 'user', content: 'Say heliotrope' }] };
    const whole = await clientOf().messages.create(ask);
    assert.match(whole.content[0].text, /heliotrope/);
    assert.ok(whole.usage.input_tokens > 0 && whole.usage.output_tokens > 0);
    const thought = await clientOf().messages.stream({ ...ask,
      thinking: { type: 'enabled', budget_tokens: 2000 } }).finalMessage();
    assert.equal(thought.content[0].type, 'thinking');
    assert.match(thought.content.find((b) => b.type === 'text').text, /heliotrope/);
    const called = await clientOf().messages.create({ ...ask, tool_choice: { type: 'any' },
      tools: [{ name: 'look_up', input_schema: { type: 'object',
        properties: { word: { type: 'string' } }, required: ['word'] } }] });
    assert.equal(called.stop_reason, 'tool_use');
    assert.equal(called.content.find((b) => b.type === 'tool_use').name, 'look_up');
  });
