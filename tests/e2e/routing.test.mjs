// Which provider a request goes to, and which models are listed.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { useStage } from './lib/stage.mjs';
import { KEY } from './lib/gateway.mjs';

const stage = useStage({
  config: ({ oa, an }) => ({
    default_provider: 'an',
    providers: {
      oa: { type: 'openai', base_url: `${oa.url}/v1`,
        accounts: [{ name: 'a', api_key: oa.key, models: ['gpt-4o', 'gpt-5-mini'] },
          { name: 'any', api_key: oa.key, priority: 200 }] },
      an: { type: 'anthropic', base_url: an.url,
        accounts: [{ name: 'b', api_key: an.key, models: ['claude-sonnet-4-6', 'a:b'] },
          { name: 'any', api_key: an.key, priority: 200 }] },
      off: { type: 'openai', base_url: `${oa.url}/v1`,
        accounts: [{ name: 'c', api_key: oa.key, enabled: false }] },
      two: { type: 'openai', base_url: `${oa.url}/v1`,
        accounts: [{ name: 'late', api_key: 'sk-late', priority: 20 },
          { name: 'off', api_key: 'sk-off', priority: 1, enabled: false },
          { name: 'only', api_key: 'sk-only', priority: 2, models: ['other-*'] },
          { name: 'never', api_key: 'sk-never', priority: 3, not_models: ['gpt-*'] },
          { name: 'first', api_key: oa.key, priority: 5 }] },
    },
  }),
  files: { 'rules/models.lua': `
px.models{
  ['fast'] = 'oa:gpt-5-mini',
  ['gpt-4o-*'] = 'oa:gpt-4o',
  ['gpt-4o-mini-*'] = 'an:claude-haiku-4-5',
  ['gpt-4o-mini-x'] = 'oa:gpt-4o',
}
` },
});

const HI = [{ role: 'user', content: 'Hi' }];

/** Sends a chat request and says where it arrived, as 'oa gpt-4o'. */
async function routed(model, { target = '/v1/chat/completions', headers } = {}) {
  stage.oa.clear();
  stage.an.clear();
  const reply = await stage.gw.post(target, { model, messages: HI }, { headers });
  assert.equal(reply.status, 200, reply.text);
  const [oa, an] = [stage.oa.last, stage.an.last];
  assert.ok(!(oa && an), 'one upstream was asked');
  return oa ? `oa ${oa.json.model}` : `an ${an.json.model}`;
}

describe('a request goes', () => {
  for (const [how, want, model, more] of [
    ['by its path', 'oa claude-x', 'claude-x', { target: '/oa/v1/chat/completions' }],
    ['by its path, whatever the header says', 'oa m', 'm',
      { target: '/oa/v1/chat/completions', headers: { 'model-provider': 'an' } }],
    ['by the header Model-Provider', 'oa m', 'm', { headers: { 'Model-Provider': 'oa' } }],
    ['by the header, whatever the prefix of the model says', 'oa an:m', 'an:m',
      { headers: { 'model-provider': 'oa' } }],
    ['by the prefix of its model', 'oa gpt-9', 'oa:gpt-9'],
    ['by the prefix, the rest of the name holding colons', 'oa a:b:c', 'oa:a:b:c'],
    ['by a name of px.models', 'oa gpt-5-mini', 'fast'],
    ['by the name of px.models with the longest literal text', 'an claude-haiku-4-5',
      'gpt-4o-mini-2024'],
    ['by an exact name of px.models before any glob', 'oa gpt-4o', 'gpt-4o-mini-x'],
    ['by a shorter glob of px.models', 'oa gpt-4o', 'gpt-4o-2024'],
    ['by the list of models of an account', 'oa gpt-5-mini', 'gpt-5-mini'],
    ['by the list, a colon in the name without a provider before it', 'an a:b', 'a:b'],
    ['to the default provider', 'an something-new', 'something-new'],
  ]) {
    test(how, async () => {
      assert.equal(await routed(model, more), want);
    });
  }
});

test('the enabled account with the lowest priority that may serve the model is used', async () => {
  assert.equal(await routed('two:gpt-4o'), 'oa gpt-4o');
  assert.equal(stage.oa.last.headers.authorization, 'Bearer sk-up');
});

test('a provider without an enabled account is a 503 that says why', async () => {
  const reply = await stage.gw.chat({ model: 'off:m', messages: HI });
  assert.equal(reply.status, 503);
  assert.match(reply.json.error.message, /\bc\b/);
});

test('an unknown provider in the path or the header is a 404 that names it', async () => {
  const path = await stage.gw.post('/nobody/v1/chat/completions', { model: 'm', messages: HI });
  assert.equal(path.status, 404);
  const header = await stage.gw.chat({ model: 'm', messages: HI },
    { headers: { 'model-provider': 'nobody' } });
  assert.ok([400, 404].includes(header.status), header.text);
  assert.match(header.text, /nobody/);
});

test('every surface works behind a provider\'s name', async () => {
  for (const name of ['oa', 'an', 'demo']) {
    const chat = await stage.gw.post(`/${name}/v1/chat/completions`, { model: 'claude-sonnet-4-6',
      messages: HI });
    assert.equal(chat.status, 200, name);
    const claude = await stage.gw.post(`/${name}/v1/messages`, { model: 'claude-sonnet-4-6',
      max_tokens: 9, messages: HI }, { headers: { 'anthropic-version': '2023-06-01' } });
    assert.equal(claude.json.type, 'message', name);
    for (const path of ['health', 'ready', 'v1/models']) {
      const reply = await stage.gw.get(`/${name}/${path}`,
        { headers: { authorization: `Bearer ${KEY}` } });
      assert.equal(reply.status, 200, `/${name}/${path}`);
    }
  }
});

test('models of accounts, of px.models and of the demo are listed in both shapes', async () => {
  const headers = { authorization: `Bearer ${KEY}` };
  const openai = (await stage.gw.get('/v1/models', { headers })).json;
  assert.equal(openai.object, 'list');
  const ids = openai.data.map((model) => model.id);
  for (const id of ['gpt-4o', 'gpt-5-mini', 'claude-sonnet-4-6', 'fast']) {
    assert.ok(ids.some((one) => one === id || one.endsWith(`:${id}`)), `${id} in ${ids}`);
  }
  assert.ok(ids.some((id) => /demo/.test(id)), `demo in ${ids}`);
  assert.ok(!ids.some((id) => id.includes('*')), 'globs are no models');
  assert.equal(new Set(ids).size, ids.length, 'no model twice');
  const anthropic = (await stage.gw.get('/v1/models',
    { headers: { ...headers, 'anthropic-version': '2023-06-01' } })).json;
  assert.deepEqual(anthropic.data.map((model) => model.id).sort(), [...ids].sort());
  assert.equal(anthropic.has_more, false);
  assert.equal(anthropic.first_id, anthropic.data[0].id);
});

test('a model of the list can be asked for, and one that is not there is a 404', async () => {
  const headers = { authorization: `Bearer ${KEY}` };
  const one = await stage.gw.get('/v1/models/fast', { headers });
  assert.equal(one.json.id, 'fast');
  assert.equal(one.json.object, 'model');
  const none = await stage.gw.get('/v1/models/nobody-has-this', { headers });
  assert.equal(none.status, 404);
  assert.equal(none.json.error.code, 'model_not_found');
});

test('what a conversion loses is in the header, and counted', async () => {
  const reply = await stage.gw.chat({ model: 'an:claude-sonnet-4-6', messages: HI, seed: 7,
    presence_penalty: 0.5, logit_bias: { 1: 2 } });
  assert.equal(reply.status, 200);
  const lost = reply.headers['x-proxima-lost'].split(/, */);
  for (const field of ['seed', 'presence_penalty', 'logit_bias']) {
    assert.ok(lost.some((path) => path.endsWith(field)), `${field} in ${lost}`);
  }
  const metrics = await stage.gw.metrics();
  const names = Object.keys(metrics).filter((name) => name.startsWith('proxima_lost_total{'));
  assert.ok(names.some((name) => /from="[^"]*openai/.test(name) && /to="anthropic/.test(name)
    && /field="[^"]*seed"/.test(name)), names.join('\n'));
  assert.ok(reply.headers['x-proxima-lost'].length <= 1024);
});

test('a conversion that loses nothing says nothing of a loss', async () => {
  const reply = await stage.gw.chat({ model: 'an:claude-sonnet-4-6', messages: HI,
    max_tokens: 10 });
  assert.equal(reply.headers['x-proxima-lost'], undefined);
});
