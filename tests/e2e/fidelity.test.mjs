// Same protocol on both sides: bytes pass untouched, but for the model that is spliced.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { useStage } from './lib/stage.mjs';
import { openaiFrames, anthropicFrames } from '../upstream/events.mjs';

const stage = useStage();

// Odd in every way that JSON allows: spacing, order, escapes, numbers, members of the future.
const ODD_OPENAI = '{ "messages" : [ {"content":"h\\u00e9llo \\/ \\ud83d\\ude00 \\u0000 \\ud800",'
  + '"role":"user" , "x_new":[ ]}],\r\n\t"model":"MODEL" ,"seed":9007199254740993,'
  + '"temperature":1.0,"top_p":1E0,"logit_bias":{},"zz_future":{"b":1,"a":[1.10,-0.0,1e400]},'
  + '"metadata":{"z":"1","a":"2"},"aaa":null }\n';
const ODD_ANTHROPIC = '\n{"max_tokens" : 10.0,"x":0.1000000000000000055511151231257827,"model"'
  + ':\t"MODEL","messages":[{"role":"user","content":[{"type":"text","text":"\\u00e9\\n",'
  + '"cache_control" :{"type":"ephemeral" }}]}],"context_management":{"edits":[]}}  ';

const CASES = [
  { kind: 'OpenAI', fake: 'oa', path: '/v1/chat/completions', body: ODD_OPENAI, model: 'gpt-4o' },
  { kind: 'Anthropic', fake: 'an', path: '/v1/messages', body: ODD_ANTHROPIC,
    model: 'claude-sonnet-4-6' },
];

for (const { kind, fake, path, body, model } of CASES) {
  test(`a request to ${kind} arrives byte for byte but for the model`, async () => {
    stage[fake].lenient = true;
    const headers = { 'anthropic-version': '2023-06-01' };
    await stage.gw.post(path, body.replace('MODEL', `${fake}:${model}`), { headers });
    assert.equal(stage[fake].last.body.toString(), body.replace('MODEL', model));
  });

  test(`a request to ${kind} whose model needs no change arrives byte for byte`, async () => {
    stage[fake].lenient = true;
    const headers = { 'anthropic-version': '2023-06-01', 'model-provider': fake };
    await stage.gw.post(path, body.replace('MODEL', model), { headers });
    assert.equal(stage[fake].last.body.toString(), body.replace('MODEL', model));
  });

  test(`a model written with escapes is understood by ${kind}'s surface`, async () => {
    stage[fake].lenient = true;
    const escaped = `${fake}\\u003a${model.replace('-', '\\u002d')}`;
    const headers = { 'anthropic-version': '2023-06-01' };
    await stage.gw.post(path, body.replace('MODEL', escaped), { headers });
    assert.equal(stage[fake].last.json.model, model);
    assert.equal(stage[fake].last.body.toString(), body.replace('MODEL', model));
  });

  test(`a whole reply of ${kind} is relayed byte for byte`, async () => {
    stage[fake].lenient = true;
    const text = '{"id" : "x",\r\n "choices":[ ],"content":[],"n":1.0,"big":12345678901234567890,'
      + '"usage":{"input_tokens":1, "future":[1e2]} }\n\n';
    stage[fake].script({ body: text });
    const reply = await stage.gw.post(path, body.replace('MODEL', `${fake}:${model}`),
      { headers: { 'anthropic-version': '2023-06-01' } });
    assert.equal(reply.status, 200);
    assert.match(reply.headers['content-type'], /^application\/json/);
    assert.equal(reply.text, text);
  });
}

function oddStream(frames) {
  const odd = frames.flatMap((frame, at) => [
    at % 3 === 0 ? `: comment ${at}\n\n` : '',
    at % 2 ? frame.replaceAll('\n', '\r\n') : frame,
    at === 2 ? 'id: 7\nretry: 10\nfuture: x\n\n' : '',
  ]);
  return odd.join('').replace('data: ', 'data:');
}

const STREAMS = [
  { kind: 'OpenAI', fake: 'oa', target: '/v1/chat/completions', body: { model: 'oa:gpt-4o',
    messages: [{ role: 'user', content: 'Hi' }], stream: true },
  frames: openaiFrames({ text: 'Grüße, 世界 🌍 und mehr' }) },
  { kind: 'Anthropic', fake: 'an', target: '/v1/messages', body: { model: 'an:claude-sonnet-4-6',
    max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }], stream: true },
  frames: anthropicFrames({ text: 'Grüße, 世界 🌍 und mehr' }) },
];

for (const { kind, fake, target, body, frames } of STREAMS) {
  for (const [how, split] of [['whole', undefined], ['a byte at a time', 1],
    ['cut by chance', { seed: 7 }]]) {
    test(`a stream of ${kind} with comments and CRLF is relayed untouched, ${how}`, async () => {
      const text = oddStream(frames);
      stage[fake].script({ pieces: [text], split });
      const reply = await stage.gw.post(target, body,
        { headers: { 'anthropic-version': '2023-06-01' } });
      assert.equal(reply.status, 200);
      assert.match(reply.headers['content-type'], /^text\/event-stream/);
      assert.equal(reply.headers['content-length'], undefined);
      assert.equal(reply.text, text);
      assert.ok(reply.complete);
    });
  }

  test(`an event of ${kind} reaches the client while the stream goes on`, async () => {
    let release;
    const held = new Promise((done) => { release = done; });
    stage[fake].script({ pieces: [frames.slice(0, -1).join(''), () => held, frames.at(-1)] });
    let seen = '';
    const reply = await stage.gw.post(target, body, {
      headers: { 'anthropic-version': '2023-06-01' },
      onPart: (bytes) => {
        seen += bytes;
        if (seen.endsWith(frames.at(-2))) {
          release();
        }
      } });
    assert.equal(reply.text, frames.join(''));
  });
}

test('beta flags of an Anthropic client reach an Anthropic upstream, and no other', async () => {
  const headers = { 'anthropic-version': '2023-06-01',
    'anthropic-beta': 'effort-2025-11-24,context-management-2025-06-27' };
  const body = { max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] };
  await stage.gw.post('/v1/messages?beta=true', { ...body, model: 'an:claude-sonnet-4-6' },
    { headers });
  assert.equal(stage.an.last.headers['anthropic-beta'], headers['anthropic-beta']);
  await stage.gw.post('/v1/messages?beta=true', { ...body, model: 'oa:gpt-4o' }, { headers });
  for (const name of Object.keys(stage.oa.last.headers)) {
    assert.doesNotMatch(name, /^anthropic-/);
  }
});

test('what a client says of itself does not reach an upstream', async () => {
  await stage.gw.chat({ model: 'oa:gpt-4o', messages: [{ role: 'user', content: 'Hi' }] },
    { headers: { cookie: 'a=b', 'x-forwarded-for': '10.0.0.9', 'model-provider': 'oa',
      'proxy-authorization': 'Basic eA==' } });
  const { headers } = stage.oa.last;
  for (const name of ['cookie', 'x-forwarded-for', 'model-provider', 'proxy-authorization']) {
    assert.equal(headers[name], undefined, name);
  }
  assert.equal(headers['accept-encoding'], 'identity');
  assert.equal(headers.expect, undefined);
});

test('the same request makes the same upstream bytes, converted or not', async () => {
  const body = { max_tokens: 10, system: 'Be brief.', messages: [{ role: 'user', content: 'Hi' }],
    tools: [{ name: 'f', input_schema: { type: 'object', properties: { z: { type: 'string' },
      a: { type: 'number' } } } }] };
  for (const [fake, model] of [['an', 'an:claude-sonnet-4-6'], ['oa', 'oa:gpt-4o']]) {
    await stage.gw.messages({ ...body, model });
    await stage.gw.messages({ ...body, model });
    const [first, second] = stage[fake].requests;
    assert.equal(first.body.toString(), second.body.toString());
    const text = first.body.toString();
    assert.ok(text.indexOf('"z"') < text.indexOf('"a"'), 'the order of members is kept');
  }
});
