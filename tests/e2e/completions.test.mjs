// Legacy completions by the official OpenAI SDK, over vendors that know conversations alone, and
// over one that has them.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { FakeOpenAI } from '../upstream/openai.mjs';
import { KINDS, useFive } from './lib/five.mjs';
import { Gateway, KEY } from './lib/gateway.mjs';
import { collect, USAGE, WORDS } from './scenarios/shared.mjs';

const five = useFive();
const clientOf = (gw = five.gw) => new OpenAI({ apiKey: KEY, baseURL: `${gw.url}/v1`,
  maxRetries: 0 });

async function streamed(body) {
  const chunks = await collect(await clientOf().completions.create({ ...body, stream: true,
    stream_options: { include_usage: true } }));
  const choices = chunks.flatMap((one) => one.choices);
  assert.ok(chunks.every((one) => one.object === 'text_completion' && one.id === chunks[0].id));
  assert.deepEqual(choices.filter((one) => one.finish_reason).length, 1);
  return { text: choices.map((one) => one.text).join(''), usage: chunks.at(-1).usage,
    finish: choices.at(-1).finish_reason, count: choices.length };
}

for (const kind of Object.keys(KINDS)) {
  describe(`a completion over ${kind}`, () => {
    test('is read whole and streamed', async () => {
      const { fake, model, say } = five.of(kind);
      say({ text: WORDS, usage: USAGE });
      const whole = await clientOf().completions.create({ model, prompt: 'Once upon',
        max_tokens: 20, temperature: 0.5 });
      assert.equal(whole.object, 'text_completion');
      assert.deepEqual(whole.choices, [{ text: WORDS, index: 0, logprobs: null,
        finish_reason: 'stop' }]);
      assert.deepEqual([whole.usage.prompt_tokens, whole.usage.completion_tokens], [75, 21]);
      assert.ok(fake.last.body.includes('Once upon') && fake.last.body.includes('20'));
      say({ text: WORDS, usage: USAGE });
      const { count, finish, text, usage } = await streamed({ model, prompt: ['Once upon'] });
      assert.deepEqual([text, finish, usage.total_tokens], [WORDS, 'stop', 96]);
      assert.ok(count > 3, 'in pieces');
      assert.deepEqual(fake.refusals, []);
    });

    test('begins with its prompt where that is asked for, and ends by length', async () => {
      const { model, say } = five.of(kind);
      say({ text: ' a time', finish: 'length' });
      const whole = await clientOf().completions.create({ model, prompt: 'Once upon', echo: true });
      assert.deepEqual([whole.choices[0].text, whole.choices[0].finish_reason],
        ['Once upon a time', 'length']);
      say({ text: ' a time', finish: 'length' });
      const { finish, text } = await streamed({ model, prompt: 'Once upon', echo: true });
      assert.deepEqual([text, finish], ['Once upon a time', 'length']);
    });

    test('fails as the vendor does', async () => {
      const { breakOff, cut, model, refuse } = five.of(kind);
      refuse('Slow down');
      await assert.rejects(clientOf().completions.create({ model, prompt: 'Hi' }),
        (error) => error instanceof OpenAI.RateLimitError && /Slow down/.test(error.message));
      for (const [fail, words] of [[breakOff, /Overloaded/], [cut, /upstream/]]) {
        fail();
        await assert.rejects(streamed({ model, prompt: 'Hi' }), words);
      }
    });
  });
}

const WRONG = [[{}, 'prompt'], [{ prompt: ['a', 'b'] }, 'prompt'], [{ prompt: [1, 2] }, 'prompt'],
  [{ prompt: [[1]] }, 'prompt[0]'], [{ prompt: 'a', n: 2 }, 'n'],
  [{ prompt: 'a', best_of: 3 }, 'best_of'], [{ prompt: 'a', suffix: 'b' }, 'suffix'],
  [{ prompt: 'a', echo: true, logprobs: 1 }, 'logprobs'], [{ prompt: 'a', logprobs: 6 }, 'logprobs'],
  [{ prompt: 'a', max_tokens: 0 }, 'max_tokens']];
for (const [body, param] of WRONG) {
  test(`${JSON.stringify(body)} is refused by name`, async () => {
    const { fake, model } = five.of('anthropic');
    await assert.rejects(clientOf().completions.create({ model, ...body }), (error) => (
      error instanceof OpenAI.BadRequestError && error.param === param));
    assert.equal(fake.requests.length, 0);
  });
}

const TOKENS = [['Hé', -0.25, [['Hé', -0.25], ['Ho', -2]]],
  [' you', -0.5, [[' you', -0.5], [' all', -1.5]]]];
const likely = (from, to, start = 0) => ({
  tokens: TOKENS.slice(from, to).map(([token]) => token),
  token_logprobs: TOKENS.slice(from, to).map(([, value]) => value),
  top_logprobs: TOKENS.slice(from, to).map(([, , top]) => Object.fromEntries(top)),
  text_offset: [0, 2].slice(from, to).map((at) => at + start),
});

for (const kind of Object.keys(KINDS).filter((one) => one !== 'anthropic')) {
  test(`how likely tokens were is told over ${kind}`, async () => {
    const { fake, model, say } = five.of(kind);
    const ask = { model, prompt: 'Hi', logprobs: 2 };
    say({ tokens: TOKENS });
    const whole = await clientOf().completions.create(ask);
    assert.deepEqual([whole.choices[0].text, whole.choices[0].logprobs], ['Hé you', likely(0, 2)]);
    say({ tokens: TOKENS });
    const { logprobs } = (await clientOf().completions.create({ ...ask, logprobs: 0 })).choices[0];
    assert.deepEqual([logprobs.token_logprobs, logprobs.top_logprobs], [[-0.25, -0.5], null]);
    say({ tokens: TOKENS });
    const chunks = await collect(await clientOf().completions.create({ ...ask, stream: true }));
    const choices = chunks.flatMap((one) => one.choices).filter((one) => one.text !== '');
    assert.deepEqual(choices.map((one) => [one.text, one.logprobs]),
      [['Hé', likely(0, 1)], [' you', likely(1, 2)]]);
    assert.deepEqual(fake.refusals, []);
  });
}

test('logprobs are a loss that is told where the vendor has none', async () => {
  const { model, say } = five.of('anthropic');
  say({ text: 'Hi' });
  const { headers, status } = await five.gw.post('/v1/completions', { model, prompt: 'Hi',
    logprobs: 2 });
  assert.deepEqual([status, headers['x-proxima-lost']], [200, 'params.logprobs']);
});

test('an upstream that has completions takes them as they are', async () => {
  const fake = await new FakeOpenAI({ key: 'sk-up' }).listen();
  const gw = await Gateway.start({ config: { default_provider: 'own', providers: { own: {
    type: 'openai', base_url: `${fake.url}/v1`, completions: true,
    accounts: [{ name: 'a', api_key: 'sk-up' }] } } } });
  try {
    const body = { model: 'gpt-4o', prompt: 'a', n: 2, suffix: 'c', logprobs: 3 };
    const answer = { id: 'cmpl-1', object: 'text_completion', created: 1, model: 'gpt-4o',
      choices: [{ text: 'b', index: 0, logprobs: null, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } };
    const chunk = (choice) => `data: ${JSON.stringify({ ...answer, choices: [choice],
      usage: undefined })}\n\n`;
    fake.passes = true;
    fake.script({ body: answer });
    const reply = await clientOf(gw).completions.create(body);
    assert.deepEqual(reply.choices, answer.choices);
    assert.deepEqual(JSON.parse(fake.last.body.toString()), body);
    assert.equal(fake.last.path, '/v1/completions');
    fake.script({ pieces: [chunk({ text: 'b', index: 0, finish_reason: null }),
      chunk({ text: '', index: 0, finish_reason: 'stop' }), 'data: [DONE]\n\n'] });
    const chunks = await collect(await clientOf(gw).completions.create({ ...body, stream: true }));
    assert.equal(chunks.map((one) => one.choices[0].text).join(''), 'b');
  } finally {
    await gw.stop();
    await fake.close();
  }
});
