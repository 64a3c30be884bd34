// Starts the gateway on a folder of its own, talks to it, and judges how it ended.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import net from 'node:net';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ask, Wire, format } from './wire.mjs';
import { until, within } from './wait.mjs';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The program under test. */
export const BIN = path.resolve(ROOT, process.env.PX_BIN ?? 'build/dev/proxima');
export const KEY = 'test-key-of-the-client';
const REPORT = /(ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:)/;

/** What a child sees: nothing of this process but what a program needs, and the sanitizers'. */
export function childEnv(more = {}) {
  return { PATH: process.env.PATH, HOME: os.tmpdir(), LANG: 'C.UTF-8',
    ASAN_OPTIONS: process.env.ASAN_OPTIONS ?? 'detect_leaks=1:abort_on_error=0',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    TSAN_OPTIONS: process.env.TSAN_OPTIONS ?? 'halt_on_error=0:exitcode=66',
    ...(process.env.LSAN_OPTIONS ? { LSAN_OPTIONS: process.env.LSAN_OPTIONS } : {}), ...more };
}

async function isFree(port) {
  const server = net.createServer();
  server.listen(port, '127.0.0.1');
  const free = await Promise.race([once(server, 'listening').then(() => true),
    once(server, 'error').then(() => false)]);
  server.close();
  return free;
}

/** A port below those that the kernel gives out by itself, so that nobody takes it meanwhile. */
export async function freePort() {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (await isFree(port)) {
      return port;
    }
  }
}

const folders = [];
process.on('exit', () => {
  for (const folder of folders) {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** A new folder, which goes when this process ends. */
export function tempDir() {
  folders.push(fs.mkdtempSync(path.join(os.tmpdir(), 'proxima-e2e-')));
  return folders.at(-1);
}

/** The configuration of one gateway between the two fakes; `more` replaces or adds members. */
export function configFor(port, { oa, an } = {}, more = {}) {
  const providers = { demo: { type: 'demo', accounts: [{ name: 'demo' }] } };
  if (oa) {
    providers.oa = { type: 'openai', base_url: `${oa.url}/v1`,
      accounts: [{ name: 'a', api_key: oa.key }] };
  }
  if (an) {
    providers.an = { type: 'anthropic', base_url: an.url,
      accounts: [{ name: 'b', api_key: an.key }] };
  }
  const all = { ...providers, ...more.providers };
  for (const provider of Object.values(all)) {
    // A member that a conversion should not have sent must be seen, not left out by a second try.
    // Tests about that name the member, undefined for the default.
    if (provider.type !== 'demo' && !('adapt' in provider)) {
      provider.adapt = false;
    }
  }
  return { listen: [{ address: '127.0.0.1', port }], workers: 2, data_dir: 'data', scripts: './',
    clients: [{ name: 'me', key: KEY }], default_provider: oa ? 'oa' : an ? 'an' : 'demo',
    ...more, providers: all };
}

/** Runs the program to its end: for commands and for starts that must fail. */
export async function run(args, { env, cwd, timeout = 20_000 } = {}) {
  const child = spawn(BIN, args, { env: childEnv(env), cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (piece) => { out.stdout += piece; });
  child.stderr.on('data', (piece) => { out.stderr += piece; });
  try {
    const [code, signal] = await within(timeout, once(child, 'close'), `${args.join(' ')} ends`);
    if (REPORT.test(out.stderr)) {
      throw new Error(`a sanitizer reported:\n${out.stderr}`);
    }
    return { code, signal, ...out };
  } finally {
    child.kill('SIGKILL');
  }
}

export class Gateway {
  /**
   * Starts a gateway and waits until it is ready.
   *
   * `fakes` are the upstreams `{ oa, an }`; `config` more members of the configuration, or a
   * function of the port that gives them; `files` texts by name, written beside it;
   * `prepare(dir)` may put more into its folder.
   */
  static async start({ fakes = {}, config = {}, files = {}, env, args = [], prepare } = {}) {
    const gateway = new Gateway();
    gateway.dir = tempDir();
    gateway.port = await freePort();
    gateway.url = `http://127.0.0.1:${gateway.port}`;
    const more = typeof config === 'function' ? config(gateway.port) : config;
    gateway.config = configFor(gateway.port, fakes, more);
    prepare?.(gateway.dir);
    gateway.write('proxima.json', JSON.stringify(gateway.config, null, 2));
    for (const [name, text] of Object.entries(files)) {
      gateway.write(name, text);
    }
    await gateway.launch(args, env);
    return gateway;
  }

  async launch(args = [], env = undefined) {
    this.stderr = '';
    this.stdout = '';
    this.child = spawn(BIN, ['serve', '-c', path.join(this.dir, 'proxima.json'), ...args],
      { env: childEnv(env), stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.on('data', (piece) => { this.stdout += piece; });
    this.child.stderr.on('data', (piece) => { this.stderr += piece; });
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.exit = { code, signal };
      return this.exit;
    });
    this.exited.catch((error) => { this.exit = { error: error.message }; });
    try {
      await until(20_000, async () => (
        this.exit || (await this.get('/ready', { timeout: 2000 })).status === 200),
      () => `the gateway is ready; it said:\n${this.log}`);
      if (this.exit) {
        throw new Error(`the gateway ended (${JSON.stringify(this.exit)}); it said:\n${this.log}`);
      }
    } catch (error) {
      this.child.kill('SIGKILL');
      throw error;
    }
    this.before = await this.gauges();
  }

  get log() {
    return this.stdout + this.stderr;
  }

  write(name, text) {
    const file = path.join(this.dir, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }

  /** Writes a file the way editors do: a new one, renamed over the old one. */
  replace(name, text) {
    this.write(`${name}.new`, text);
    fs.renameSync(path.join(this.dir, `${name}.new`), path.join(this.dir, name));
  }

  remove(name) {
    fs.rmSync(path.join(this.dir, name), { force: true });
  }

  writeConfig(change) {
    change(this.config);
    this.replace('proxima.json', JSON.stringify(this.config, null, 2));
  }

  /** Waits until the log, from `from` on, matches. */
  async logged(pattern, { from = 0, timeout = 10_000 } = {}) {
    return until(timeout, () => pattern.exec(this.log.slice(from)),
      () => `the log says ${pattern}; it says:\n${this.log.slice(from).slice(-3000)}`);
  }

  get(target, options) {
    return ask(this.port, 'GET', target, options);
  }

  /** POSTs JSON with the client's key. */
  post(target, body, { headers, ...more } = {}) {
    return ask(this.port, 'POST', target,
      { body, headers: { authorization: `Bearer ${KEY}`, ...headers }, ...more });
  }

  chat(body, more) {
    return this.post('/v1/chat/completions', body, more);
  }

  messages(body, { headers, ...more } = {}) {
    return this.post('/v1/messages', body,
      { headers: { 'anthropic-version': '2023-06-01', ...headers }, ...more });
  }

  /** Opens a connection and sends a request on it, for tests that watch the answer grow. */
  async begin(target, body, headers = {}) {
    const wire = await Wire.open(this.port);
    await wire.send(format('POST', target,
      { body, headers: { authorization: `Bearer ${KEY}`, 'anthropic-version': '2023-06-01',
        ...headers } }));
    return wire;
  }

  async metrics() {
    const { text } = await this.get('/metrics', { timeout: 5000 });
    const values = {};
    for (const line of text.split('\n')) {
      const [, name, value] = /^(proxima_\w+(?:\{.*\})?) ([-+.\deInfa]+)/.exec(line) ?? [];
      if (name) {
        values[name] = Number(value);
      }
    }
    return values;
  }

  async gauges() {
    const all = await this.metrics();
    const names = ['connections', 'requests', 'tasks', 'transfers', 'body_bytes', 'generations'];
    return Object.fromEntries(names.map((name) => [name, all[`proxima_${name}`]]));
  }

  /** Waits until every gauge is back where it was at the start. */
  async settle({ except = [], timeout = 10_000 } = {}) {
    let now;
    await until(timeout, async () => {
      now = await this.gauges();
      return Object.keys(now).every((name) => (
        now[name] === this.before[name] || except.includes(name)));
    }, () => `gauges are back at ${JSON.stringify(this.before)}, are ${JSON.stringify(now)}`);
  }

  /** Ends it gracefully (unless it was told already) and demands a clean end. */
  async stop({ signal = 'SIGTERM', timeout = 60_000, keep = false } = {}) {
    if (!this.exit && signal) {
      this.child.kill(signal);
    }
    try {
      await within(timeout, this.exited, `the gateway ends; it said:\n${this.log.slice(-3000)}`);
    } finally {
      this.child.kill('SIGKILL');
      if (!keep) {
        fs.rmSync(this.dir, { recursive: true, force: true });
      }
    }
    if (REPORT.test(this.stderr)) {
      const at = this.stderr.search(REPORT);
      throw new Error(`a sanitizer reported:\n${this.stderr.slice(at, at + 12_000)}`);
    }
    if (this.exit.code !== 0) {
      throw new Error(`exit ${JSON.stringify(this.exit)}; it said:\n${this.log.slice(-4000)}`);
    }
  }
}
