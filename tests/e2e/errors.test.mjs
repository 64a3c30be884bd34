// Refusals in all their spellings: the same meaning, status, words and delay in the shape of the
// client's protocol.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openaiError } from '../upstream/openai.mjs';
import { anthropicError } from '../upstream/anthropic.mjs';
import { anthropicEvents, frames, openaiFrames } from '../upstream/events.mjs';
import { KEY } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';

const stage = useStage();
const HI = [{ role: 'user', content: 'Hi' }];

function ask(client, upstream, stream = false) {
  const model = upstream === 'oa' ? 'oa:gpt-4o' : 'an:claude-sonnet-4-6';
  return client === 'openai' ? stage.gw.chat({ model, messages: HI, stream })
    : stage.gw.messages({ model, max_tokens: 10, messages: HI, stream });
}

const quota = ['insufficient_quota', 'insufficient_quota'];
const tooLong = 'prompt is too long: 300000 tokens > 200000 maximum';

// What an upstream says; what a client of each protocol then gets: status, type, code.
const CASES = [
  ['an exhausted quota of OpenAI', 'oa', openaiError(429, ...quota, 'You exceeded your quota'),
    { openai: [429, ...quota], anthropic: [402, 'billing_error'] }],
  ['a bill of Anthropic', 'an', anthropicError(402, 'billing_error', 'Your credit is too low'),
    { openai: [429, ...quota], anthropic: [402, 'billing_error'] }],
  ['a prompt too long for OpenAI', 'oa', openaiError(400, 'invalid_request_error',
    'context_length_exceeded', 'This model\'s maximum context length is 128000 tokens'),
  { openai: [400, 'invalid_request_error', 'context_length_exceeded'],
    anthropic: [400, 'invalid_request_error'] }],
  ['a prompt too long for Anthropic', 'an', anthropicError(400, 'invalid_request_error', tooLong),
    { openai: [400, 'invalid_request_error', 'context_length_exceeded'],
      anthropic: [400, 'invalid_request_error'] }],
  ['a body too large for Anthropic', 'an', anthropicError(413, 'request_too_large', 'Too large'),
    { openai: [413, 'invalid_request_error'], anthropic: [413, 'request_too_large'] }],
  ['a timeout of Anthropic', 'an', anthropicError(504, 'timeout_error', 'Too slow'),
    { openai: [504], anthropic: [504, 'timeout_error'] }],
  ['a conflict', 'oa', openaiError(409, 'invalid_request_error', null, 'Conflict'),
    { openai: [409], anthropic: [409] }],
  ['a status that nobody lists', 'oa', openaiError(422, 'invalid_request_error', null, 'Hm'),
    { openai: [422], anthropic: [422] }],
  ['an error that is only text', 'oa', { status: 400, body: { error: 'just words' } },
    { openai: [400], anthropic: [400, 'invalid_request_error'] }, /just words/],
  ['an error called detail', 'oa', { status: 422, body: { detail: 'just words' } },
    { openai: [422], anthropic: [422] }, /just words/],
  ['an error called message', 'oa', { status: 500, body: { message: 'just words', code: 17 } },
    { openai: [500], anthropic: [500, 'api_error'] }, /just words/],
  ['an error without a body', 'oa', { status: 500, body: '' },
    { openai: [500, 'server_error'], anthropic: [500, 'api_error'] }],
  ['an error in plain text', 'an', { status: 502, headers: { 'content-type': 'text/plain' },
    body: 'upstream connect error' }, { openai: [502], anthropic: [502] }, /connect error/],
  ['an error with a body of noise', 'an', { status: 500, body: Buffer.from([255, 0, 254, 34]) },
    { openai: [500], anthropic: [500] }],
  ['a code that is a number', 'oa', { status: 429, body: { error: { message: 'slow down',
    code: 429 } } }, { openai: [429], anthropic: [429, 'rate_limit_error'] }, /slow down/],
];

for (const [what, upstream, answer, wants, words] of CASES) {
  for (const [client, want] of Object.entries(wants)) {
    test(`${what} is ${want.join(' ')} to a client of ${client}`, async () => {
      stage[upstream].script(answer);
      const reply = await ask(client, upstream);
      const [status, type, code] = want;
      assert.equal(reply.status, status, reply.text);
      assert.match(reply.headers['x-proxima-upstream'], new RegExp(`^${answer.status}`));
      const { error } = reply.json;
      if (words) {
        assert.match(JSON.stringify(reply.json), words);
      }
      assert.equal(typeof error.message, 'string');
      assert.ok(error.message.length > 0);
      assert.equal(error.type ?? type, type ?? error.type);
      assert.equal(code ? error.code : undefined, code);
    });
  }
}

test('Claude Code compacts when it reads that a prompt is too long, also from OpenAI', async () => {
  stage.oa.script(CASES[2][2]);
  const reply = await ask('anthropic', 'oa');
  assert.match(reply.json.error.message, /prompt is too long/);
  assert.match(reply.json.error.message, /maximum context length is 128000/);
});

function inDate(seconds) {
  return new Date(Date.now() + seconds * 1000).toUTCString();
}

describe('a delay', () => {
  for (const [how, headers, low, high] of [
    ['in seconds', { 'retry-after': '7' }, 7, 7],
    ['in milliseconds', { 'retry-after-ms': '1500' }, 2, 2],
    ['in milliseconds, which win', { 'retry-after-ms': '1500', 'retry-after': '90' }, 2, 2],
    ['as a date', { 'retry-after': inDate(40) }, 25, 41],
  ]) {
    test(`${how} reaches clients of the other protocol in whole seconds`, async () => {
      stage.oa.script(openaiError(429, 'rate_limit_error', 'rate_limit_exceeded', 'wait', headers));
      const claude = await ask('anthropic', 'oa');
      assert.equal(claude.status, 429);
      assert.match(claude.headers['retry-after'], /^\d+$/);
      const got = Number(claude.headers['retry-after']);
      assert.ok(got >= low && got <= high, `${got}`);
      stage.an.script(anthropicError(429, 'rate_limit_error', 'wait', headers));
      const chat = await ask('openai', 'an');
      assert.ok(Number(chat.headers['retry-after']) >= low);
      assert.ok(Number(chat.headers['retry-after-ms']) >= 1500);
    });
  }
});

describe('an error as the first event of a stream', () => {
  const start = (upstream) => (upstream === 'oa' ? [openaiFrames({ text: 'x' })[0]]
    : frames(anthropicEvents({ text: 'x' }).slice(0, 1)));
  const openai = (type, code) => [`data: ${JSON.stringify({
    error: { message: 'no more', type, code, param: null } })}\n\n`];
  const anthropic = (type) => frames([{ type: 'error', error: { type, message: 'no more' } }]);
  for (const [what, upstream, event, wants] of [
    ['a rate limit', 'oa', openai('rate_limit_error', 'rate_limit_exceeded'), [429, 429]],
    ['a quota', 'oa', openai(...quota), [429, 402]],
    ['an overload', 'an', anthropic('overloaded_error'), [503, 529]],
    ['a rate limit', 'an', anthropic('rate_limit_error'), [429, 429]],
    ['a bad request', 'an', anthropic('invalid_request_error'), [400, 400]],
  ]) {
    ['openai', 'anthropic'].forEach((client, at) => {
      for (const created of [true, false]) {
        test(`${what} of ${upstream} ${created ? 'after' : 'without'} a created event is `
          + `${wants[at]} to a client of ${client}`, async () => {
          stage[upstream].script({ pieces: [...created ? start(upstream) : [], ...event] });
          const reply = await ask(client, upstream, true);
          assert.equal(reply.status, wants[at], reply.text);
          assert.match(reply.json.error.message, /no more/);
        });
      }
    });
  }
});

test('what an upstream says of its limits reaches a client of the same protocol', async () => {
  stage.an.script(anthropicError(429, 'rate_limit_error', 'wait', {
    'anthropic-ratelimit-requests-remaining': '0', 'set-cookie': 'a=b' }));
  const reply = await ask('anthropic', 'an');
  assert.equal(reply.headers['anthropic-ratelimit-requests-remaining'], '0');
  assert.equal(reply.headers['set-cookie'], undefined);
});

describe('bytes that are no base64 are refused in the client\'s shape, by their place', () => {
  const bad = 'data:image/png;base64,!!!*';
  const content = (part) => [{ role: 'user', content: [part] }];
  const asks = [
    ['/v1/chat/completions', { model: 'an:claude-sonnet-4-6',
      messages: content({ type: 'image_url', image_url: { url: bad } }) },
    (body) => [body.error.type, body.error.param],
    ['invalid_request_error', 'messages[0].content[0].image_url.url']],
    ['/v1/responses', { model: 'an:claude-sonnet-4-6',
      input: content({ type: 'input_image', image_url: bad }) },
    (body) => [body.error.type, body.error.param],
    ['invalid_request_error', 'input[0].content[0].image_url']],
    ['/v1/messages', { model: 'oa:gpt-4o', max_tokens: 9, messages: content({ type: 'image',
      source: { type: 'base64', media_type: 'image/png', data: '!!!*' } }) },
    (body) => [body.type, body.error.type, body.error.message],
    ['error', 'invalid_request_error', 'messages[0].content[0].source.data is not base64']],
    ['/v1beta/models/oa:gpt-4o:generateContent', { contents: [{ parts: [{ inlineData: {
      mimeType: 'image/png', data: '!!!*' } }] }] },
    (body) => [body.error.status, body.error.message],
    ['INVALID_ARGUMENT', 'contents[0].parts[0].data is not base64']],
    ['/api/chat', { model: 'oa:gpt-4o', messages: [{ role: 'user', content: 'x',
      images: ['!!!*'] }] },
    (body) => [body.error], ['messages[0].images[0] is not base64']],
  ];
  for (const [path, ask, told, wanted] of asks) {
    test(path, async () => {
      const reply = await fetch(stage.gw.url + path, { method: 'POST', body: JSON.stringify(ask),
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' } });
      assert.equal(reply.status, 400);
      assert.deepEqual(told(await reply.json()), wanted);
    });
  }
});
