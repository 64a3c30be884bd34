// The vendors' Python SDKs through the gateway, in front of upstreams of both protocols.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openaiError } from '../upstream/openai.mjs';
import { anthropicError } from '../upstream/anthropic.mjs';
import { KEY, childEnv } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';
import { within } from './lib/wait.mjs';
import { MODEL, TWO_CALLS, USAGE } from './scenarios/shared.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const stage = useStage({ keepsConnections: true });

/** One Python process that runs cases of one SDK. */
class Python {
  constructor(script) {
    this.child = spawn(`${HERE}.venv/bin/python`, ['-u', `${HERE}python/${script}`],
      { env: childEnv({ BASE: stage.gw.url, KEY, PYTHONDONTWRITEBYTECODE: '1' }),
        stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async run(name, model) {
    this.child.stdin.write(`${name} ${model}\n`);
    const { value } = await within(60_000, this.lines.next(), `case ${name}`);
    const result = JSON.parse(value);
    assert.ok(result.ok, result.error);
  }

  end() {
    this.child.stdin.end();
    this.child.kill();
  }
}

/** What the upstream does in each case. */
const PLAY = {
  text: (fake) => fake.script((x) => fake.say(x, { text: 'Grüße 🌍', usage: USAGE })),
  stream: (fake) => fake.script((x) => fake.say(x, { text: 'Grüße 🌍', usage: USAGE })),
  tools: (fake) => fake.script((x) => fake.say(x, { text: 'Looking.', calls: TWO_CALLS })),
  rate_limit: (fake, kind) => fake.script(kind === 'openai'
    ? openaiError(429, 'rate_limit_error', 'rate_limit_exceeded', 'slow down', { 'retry-after': 7 })
    : anthropicError(429, 'rate_limit_error', 'slow down', { 'retry-after': 7 })),
  overloaded: (fake, kind) => fake.script(kind === 'openai'
    ? openaiError(503, 'server_error', 'server_is_overloaded', 'busy')
    : anthropicError(529, 'overloaded_error', 'busy')),
  cut: (fake) => fake.script((x) => {
    const whole = fake.say(x, { text: 'Half of the answer', step: 4 });
    return { ...whole, pieces: whole.pieces.slice(0, 5), finish: 'cut' };
  }),
  models: () => {},
};

const CLAIM = {
  text: 'a reply is read with its usage',
  stream: 'a stream gives the same text and usage',
  tools: 'parallel tool calls are joined without mixing, and their results are accepted',
  rate_limit: 'a 429 raises RateLimitError with retry-after',
  overloaded: 'an overloaded upstream raises InternalServerError',
  cut: 'a stream that broke off raises',
  models: 'models are listed',
};

for (const sdk of ['openai', 'anthropic']) {
  for (const [name, kind] of [['oa', 'openai'], ['an', 'anthropic']]) {
    describe(`the Python SDK of ${sdk} and an upstream of kind ${kind}`, () => {
      let python;
      before(() => { python = new Python(`${sdk}_cases.py`); });
      after(() => python.end());
      for (const [id, claim] of Object.entries(CLAIM)) {
        test(claim, async () => {
          const fake = stage[name];
          PLAY[id](fake, kind);
          await python.run(id, `${name}:${MODEL[kind]}`);
          assert.deepEqual(fake.refusals, []);
        });
      }
    });
  }
}
