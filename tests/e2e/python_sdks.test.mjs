// The vendors' Python SDKs through the gateway, over vendors of every protocol. They check types
// that the ones in JavaScript let pass.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { KEY, childEnv } from './lib/gateway.mjs';
import { KINDS, useFive } from './lib/five.mjs';
import { within } from './lib/wait.mjs';
import { TWO_CALLS, USAGE } from './scenarios/shared.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const five = useFive();

/** One Python process that runs cases of one SDK. Warnings are errors there. */
class Python {
  constructor(script) {
    this.child = spawn(`${HERE}.venv/bin/python`, ['-u', `${HERE}python/${script}`],
      { env: childEnv({ BASE: five.gw.url, KEY, PYTHONDONTWRITEBYTECODE: '1' }),
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

const TEXT = { text: 'Grüße 🌍', usage: USAGE };
const THINKERS = { openai: 'gpt-5-mini', responses: 'gpt-5-mini' };

/** What the upstream does in each case. */
const PLAY = {
  text: ({ say }) => say(TEXT),
  stream: ({ say }) => say(TEXT),
  call: ({ say }) => say({ calls: [TWO_CALLS[0]] }),
  tools: ({ say }) => say({ text: 'Looking.', calls: TWO_CALLS }),
  thinking: ({ say }) => say({ thinking: 'Let me think.', signature: 'c2lnbmVk', text: 'Aha' }),
  thinking_stream: ({ say }) => say({ thinking: 'Let me think.', signature: 'c2lnbmVk',
    text: 'Aha' }),
  rate_limit: ({ refuse }) => refuse('slow down'),
  rate_limit_stream: ({ refuse }) => refuse('slow down'),
  broken: ({ breakOff }) => breakOff(),
  cut: ({ cut }) => cut(),
  models: () => {},
};

const CLAIM = {
  text: 'a reply is read with its usage',
  stream: 'a stream gives the same text and usage',
  call: 'a call is read whole',
  tools: 'parallel calls are joined without mixing, and their results are accepted',
  thinking: 'thoughts are read',
  thinking_stream: 'thoughts are read from a stream',
  rate_limit: 'a 429 raises the SDK\'s own error',
  rate_limit_stream: 'a 429 raises it for a stream too',
  broken: 'an error within a stream raises',
  cut: 'a stream that broke off raises',
  models: 'models are listed',
};

for (const sdk of ['openai', 'responses', 'anthropic', 'gemini', 'ollama']) {
  for (const kind of Object.keys(KINDS)) {
    describe(`the Python SDK of ${sdk} over ${kind}`, () => {
      let python;
      before(() => { python = new Python(`${sdk}_cases.py`); });
      after(() => python.end());
      for (const [id, claim] of Object.entries(CLAIM)) {
        test(claim, async () => {
          const upstream = five.of(kind);
          const thinks = id.startsWith('thinking') && THINKERS[kind];
          PLAY[id](upstream);
          await python.run(id, thinks ? `to_${kind}:${thinks}` : upstream.model);
          assert.deepEqual(upstream.fake.refusals, []);
        });
      }
    });
  }
}
