// A fake vendor of every protocol, and a gateway between them and the tests of one file.

import { after, afterEach, before } from 'node:test';
import assert from 'node:assert/strict';
import { FakeAnthropic, anthropicError } from '../../upstream/anthropic.mjs';
import { FakeGemini, geminiError } from '../../upstream/gemini.mjs';
import { FakeOllama, ollamaError } from '../../upstream/ollama.mjs';
import { FakeOpenAI, openaiError } from '../../upstream/openai.mjs';
import { FakeResponses } from '../../upstream/responses.mjs';
import { frames } from '../../upstream/events.mjs';
import { Gateway, KEY } from './gateway.mjs';
import { TWO_CALLS, WORDS } from '../scenarios/shared.mjs';

const LATE = 'Overloaded';
const slow = (words) => openaiError(429, 'rate_limit_error', 'rate_limit_exceeded', words);

// Of each kind of upstream: the fake, what its address ends in, its model, how it refuses with 429
// and how it says within a stream that it cannot go on; `begun` is how many pieces of a stream say
// the first words.
export const KINDS = {
  responses: { Fake: FakeResponses, end: '/v1', model: 'gpt-4o', begun: 6, refuse: slow,
    late: (say) => say({ text: WORDS, error: { code: 'server_error', message: LATE } }).pieces },
  openai: { Fake: FakeOpenAI, end: '/v1', model: 'gpt-4o', begun: 3, refuse: slow,
    late: (say) => [...say({ text: WORDS }).pieces.slice(0, 3),
      `data: ${JSON.stringify({ error: { message: LATE, type: 'server_error',
        code: null } })}\n\n`] },
  anthropic: { Fake: FakeAnthropic, end: '', model: 'claude-sonnet-4-6', begun: 5,
    refuse: (words) => anthropicError(429, 'rate_limit_error', words),
    late: (say) => [...say({ text: WORDS }).pieces.slice(0, 5),
      ...frames([{ type: 'error', error: { type: 'overloaded_error', message: LATE } }])] },
  gemini: { Fake: FakeGemini, end: '', model: 'gemini-2.5-flash', begun: 2,
    refuse: (words) => geminiError(429, 'RESOURCE_EXHAUSTED', words),
    late: (say) => say({ text: WORDS, error: { code: 503, status: 'UNAVAILABLE',
      message: LATE } }).pieces },
  ollama: { Fake: FakeOllama, end: '', model: 'qwen3:latest', begun: 2,
    refuse: (words) => ollamaError(429, words),
    late: (say) => [...say({ text: WORDS }).pieces.slice(0, 2), `{"error":"${LATE}"}\n`] },
};

/** The calls of a reply, by what a test says of them. */
export const CALLS = { 'one call': [TWO_CALLS[0]], 'parallel calls': TWO_CALLS };

/**
 * Declares the hooks of one file; `more` stands beside what the configuration holds anyway. The returned object has `gw` and `fakes` by kind while tests run;
 * `of(kind)` gives what a test of that kind needs.
 */
export function useFive(more = {}, files = {}) {
  const five = { fakes: {} };
  before(async () => {
    const providers = {};
    for (const [kind, { Fake, end, model }] of Object.entries(KINDS)) {
      const fake = await new Fake({ key: 'sk-up' }).listen();
      five.fakes[kind] = fake;
      providers[`to_${kind}`] = { type: kind, base_url: fake.url + end, models: [model],
        accounts: [{ name: kind, api_key: fake.key }] };
    }
    five.gw = await Gateway.start({ files,
      config: { default_provider: 'to_openai', providers, ...more } });
  });
  afterEach(async () => {
    await five.gw?.settle({ except: ['connections'] });
    for (const fake of Object.values(five.fakes)) {
      const leaks = fake.requests.filter((x) => x.rawHead.includes(KEY) || x.body.includes(KEY));
      assert.deepEqual([leaks.length, fake.failures], [0, []]);
      fake.clear();
    }
  });
  after(async () => {
    try {
      await five.gw?.stop();
    } finally {
      await Promise.all(Object.values(five.fakes).map((fake) => fake.close()));
    }
  });
  five.of = (kind) => {
    const { begun, late, model, refuse } = KINDS[kind];
    const fake = five.fakes[kind];
    const script = (make) => fake.script((x) => make((description) => fake.say(x, description)));
    return { fake, model: `to_${kind}:${model}`,
      say: (description) => script((say) => say(description)),
      refuse: (words) => fake.script(refuse(words)),
      breakOff: () => script((say) => ({ ...say({ text: WORDS }), pieces: late(say) })),
      cut: () => script((say) => {
        const whole = say({ text: WORDS });
        return { ...whole, pieces: whole.pieces.slice(0, begun), finish: 'cut' };
      }) };
  };
  return five;
}
