// Claude Code, as people install it, reads a file through a tool call and reports what it says.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { KEY, tempDir } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';
import { within } from './lib/wait.mjs';

const CLAUDE = fileURLToPath(new URL('node_modules/.bin/claude', import.meta.url));
const stage = useStage({ keepsConnections: true });

async function claude(model, env) {
  const home = tempDir();
  fs.writeFileSync(path.join(home, 'note.txt'), 'the secret word is heliotrope\n');
  const child = spawn(CLAUDE, ['-p', 'What is the word in note.txt?', '--allowedTools', 'Read'], {
    cwd: home, stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: home, ANTHROPIC_BASE_URL: stage.gw.url,
      ANTHROPIC_MODEL: model, ANTHROPIC_SMALL_FAST_MODEL: model,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', ...env } });
  let said = '';
  child.stdout.on('data', (piece) => { said += piece; });
  child.stderr.on('data', (piece) => { said += piece; });
  try {
    const [code] = await within(60_000, once(child, 'close'), 'claude ends');
    return { code, said, note: path.join(home, 'note.txt') };
  } finally {
    child.kill('SIGKILL');
    fs.rmSync(home, { recursive: true, force: true });
  }
}

/** The main conversation asks with tools; the first such request gets a call of Read. */
function readsTheNote(fake) {
  let called = false;
  fake.reply = (exchange) => {
    const body = exchange.json;
    const cwd = /Primary working directory: (\S+?)(\\n|\n)/.exec(exchange.body.toString())?.[1];
    // Who was asked to think does so: the client must give that block back.
    const thinking = body.thinking?.type === 'enabled' ? 'A file.' : undefined;
    if (body.tools?.length && !called && cwd) {
      called = true;
      const args = JSON.stringify({ file_path: `${cwd}/note.txt` });
      return fake.say(exchange, { thinking, text: 'Reading it.',
        calls: [{ id: 'toolu_read1', name: 'Read', args }] });
    }
    const seen = /heliotrope/.test(exchange.body.toString());
    return fake.say(exchange, { thinking, text: seen ? 'It says heliotrope.' : 'I see nothing.' });
  };
}

for (const [name, kind, model] of [['an', 'anthropic', 'an:claude-opus-4-6'],
  ['an', 'anthropic', 'an:claude-haiku-4-5'], ['oa', 'openai', 'oa:gpt-4o']]) {
  for (const [how, env] of [['x-api-key', { ANTHROPIC_API_KEY: KEY }],
    ['a Bearer token', { ANTHROPIC_AUTH_TOKEN: KEY }]]) {
    test(`claude -p works with ${model} of an upstream of kind ${kind}, signed by ${how}`,
      async () => {
        const fake = stage[name];
        const original = fake.reply;
        readsTheNote(fake);
        try {
          const { code, said } = await claude(model, env);
          assert.deepEqual(fake.refusals, []);
          assert.match(said, /heliotrope/);
          assert.equal(code, 0);
          assert.ok(fake.requests.length >= 2);
        } finally {
          fake.reply = original;
        }
      });
  }
}

