// What hostile upstreams and clients must not get: a secret told on, memory filled, a tail dropped.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openaiError } from '../upstream/openai.mjs';
import { useStage } from './lib/stage.mjs';

const stage = useStage({ files: { 'rules/drop.lua': `
px.on('event', { header = { ['x-drop'] = '*' } }, function() return {} end)
` } });

const body = (model, more) => ({ model, messages: [{ role: 'user', content: 'Hi' }], ...more });
const ask = (json, headers = {}) => stage.gw.post('/v1/chat/completions', json, { headers });

describe('an upstream that echoes the account\'s secret', () => {
  test('in an error event: the client does not see it', async () => {
    const error = { message: `no: ${stage.oa.key}`, type: 'server_error', param: null, code: null };
    stage.oa.script({ pieces: [`data: ${JSON.stringify({ error })}\n\n`] });
    const reply = await ask(body('oa:gpt-4o', { stream: true }));
    assert.match(reply.json.error.message, /^no: \*\*\*$/);
    assert.ok(!reply.text.includes(stage.oa.key));
  });

  test('in a header of a refusal: the client does not see it', async () => {
    stage.oa.script({ ...openaiError(400, 'invalid_request_error', 'no'),
      headers: { 'x-request-id': `id-${stage.oa.key}` } });
    const reply = await ask(body('oa:gpt-4o'));
    assert.equal(reply.status, 400);
    assert.ok(!JSON.stringify(reply.headers).includes(stage.oa.key));
  });
});

describe('members that a client invents', () => {
  test('are labels of a counter only while they are few and short', async () => {
    const many = {};
    for (let i = 0; i < 600; i++) {
      many[`made_up_${i}`] = 1;
    }
    many['x'.repeat(5000)] = 1;
    await ask(body('an:claude-sonnet-4-6', many));
    const text = (await stage.gw.get('/metrics')).text;
    const lines = text.split('\n').filter((line) => line.startsWith('proxima_lost_total'));
    assert.ok(lines.length > 100 && lines.length < 520, String(lines.length));
    assert.ok(lines.some((line) => line.includes('field="other"')));
    assert.ok(!text.includes('x'.repeat(200)));
  });
});

describe('an event rule that gives an empty list', () => {
  test('drops text, but not finish and usage', async () => {
    const reply = await ask(body('oa:gpt-4o'), { 'x-drop': '1' });
    assert.equal(reply.status, 200);
    assert.equal(reply.json.choices[0].finish_reason, 'stop');
    assert.ok(!reply.json.choices[0].message.content);
    assert.ok(reply.json.usage.total_tokens > 0);
  });
});
