// Agents that people use, through the gateway, over vendors of other protocols: each reads a file by
// a call of one of its tools, and answers with what the file says.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { KEY, tempDir } from '../e2e/lib/gateway.mjs';
import { useFive } from '../e2e/lib/five.mjs';
import { within } from '../e2e/lib/wait.mjs';
import { meaning } from '../e2e/matrix/upstreams.mjs';
import { AGENTS } from './clients.mjs';

const NAMES = { anthropic: 'claude-sonnet-4-6', gemini: 'gemini-2.5-flash', openai: 'gpt-4o',
  responses: 'gpt-5-mini', ollama: 'qwen3:latest' };
const PAIRS = [['Claude Code', 'openai'], ['Claude Code', 'gemini'], ['Claude Code', 'ollama'],
  ['Codex', 'anthropic'], ['Codex', 'openai'], ['Codex', 'gemini'], ['Gemini CLI', 'anthropic'],
  ['Gemini CLI', 'openai'], ['Qwen Code', 'anthropic'], ['Qwen Code', 'gemini'],
  ['opencode', 'anthropic'], ['opencode', 'responses']];
// Agents choose what they send by the name of a model: these are what they are told, and a rule
// makes them the vendor's own.
const KNOWN_AS = { 'Claude Code': 'claude-opus-4-6', Codex: 'gpt-5.5',
  'Gemini CLI': 'gemini-2.5-pro', 'Qwen Code': 'qwen3-coder', opencode: 'any-model' };
const WORD = 'heliotrope';
const NOTE = `the secret word is ${WORD}\n`;
const PATCHED = 'heliotrope made\n';
const PATCH = `*** Begin Patch\n*** Add File: out.txt\n+${PATCHED}*** End Patch\n`;

const RENAMES = Object.entries(NAMES).map(([kind, model]) => (
  `px.on('request', { path = '/to_${kind}/*' }, function(req) req.model = '${model}' end)\n`));

const five = useFive({}, { 'rules/names.lua': RENAMES.join('') });

/** Runs an agent at home, in the folder that holds the note. */
async function run(agent, kind, { folder, home }, prompt) {
  const gw = { url: `${five.gw.url}/to_${kind}` };
  const model = KNOWN_AS[agent];
  const { args, env, prepare, program } = AGENTS[agent];
  prepare(home, gw, model);
  const child = spawn(program, args(model, prompt), { cwd: folder, detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: home, TERM: 'dumb', NO_COLOR: '1', CI: '1',
      ...env(gw, model) } });
  let said = '';
  child.stdout.on('data', (piece) => { said += piece; });
  child.stderr.on('data', (piece) => { said += piece; });
  try {
    const [code] = await within(90_000, once(child, 'close'), () => `${agent} ends; it said:\n${
      said.slice(-3000)}`);
    const patched = path.join(folder, 'out.txt');
    return { code, said, patched: fs.existsSync(patched) && fs.readFileSync(patched, 'utf8') };
  } finally {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It left nothing behind.
    }
  }
}

const READS = ['Read', 'read_file', 'read', 'exec_command', 'shell', 'shell_command',
  'run_shell_command'];

/** The arguments by which a tool reads the note, after the names of its parameters. */
function argsOf({ schema }, folder) {
  const names = Object.keys(schema.properties ?? {});
  const file = names.find((name) => ['file_path', 'absolute_path', 'filePath', 'path'].includes(name));
  if (file) {
    return { [file]: `${folder}/note.txt` };
  } else if (names.includes('cmd')) {
    return { cmd: 'cat note.txt' };
  }
  return { command: /array/i.test(schema.properties.command.type) ? ['cat', 'note.txt']
    : 'cat note.txt' };
}

/** A vendor that has the note read, and a patch made where the client can, and then answers. */
function conduct(kind, fake, { folder, patches }) {
  const steps = { read: false, patched: !patches, words: '' };
  fake.reply = (exchange) => {
    const text = exchange.body.toString();
    const { results, tools } = meaning(kind, text);
    const reader = READS.map((name) => tools.find((tool) => tool.name === name)).find(Boolean);
    const patcher = tools.find((tool) => tool.name === 'apply_patch');
    if (reader && !steps.read) {
      steps.read = true;
      return fake.say(exchange, { text: 'Reading it.', calls: [{ id: 'call_read1',
        name: reader.name, args: JSON.stringify(argsOf(reader, folder)) }] });
    }
    steps.words ||= results.map((one) => one.text).find((one) => one?.includes(WORD)) ?? '';
    if (patcher && !steps.patched && steps.words) {
      steps.patched = true;
      return fake.say(exchange, { calls: [{ id: 'call_patch1', name: 'apply_patch',
        args: JSON.stringify({ input: PATCH }) }] });
    }
    return fake.say(exchange, { text: steps.words ? `It says ${WORD}.` : 'I see nothing.' });
  };
  return steps;
}

for (const [agent, kind] of PAIRS) {
  test(`${agent} over ${kind}`, async () => {
    const { fake } = five.of(kind);
    const original = fake.reply;
    const patches = agent === 'Codex';
    const home = tempDir();
    const folder = path.join(home, 'work');
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, 'note.txt'), NOTE);
    const steps = conduct(kind, fake, { folder, patches });
    try {
      const { code, patched, said } = await run(agent, kind, { folder, home },
        'What is the word in note.txt?');
      assert.deepEqual(fake.refusals, [], said.slice(-2000));
      assert.ok(steps.words.includes(WORD), `the vendor saw the note; the agent said:\n${
        said.slice(-3000)}`);
      assert.match(said, new RegExp(`It says ${WORD}`));
      assert.equal(code, 0);
      assert.equal(patched, patches ? PATCHED : false);
      assert.doesNotMatch(five.gw.log, / error /);
    } finally {
      fake.reply = original;
      fs.rmSync(home, { recursive: true, force: true });
    }
  });
}
