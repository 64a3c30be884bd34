// Starting: what the first start makes, what stops it, and what the commands say.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Gateway, KEY, configFor, freePort, run, tempDir } from './lib/gateway.mjs';
import { until } from './lib/wait.mjs';

const runFile = promisify(execFile);

/** Writes a configuration into a folder of its own and gives the file's name. */
async function written(change = {}, text = undefined) {
  const dir = tempDir();
  const port = await freePort();
  const file = path.join(dir, 'proxima.json');
  fs.writeFileSync(file, text ?? JSON.stringify(configFor(port, {}, change), null, 2));
  return { dir, file, port };
}

function lines(text) {
  return text.split('\n').filter((line) => line.trim());
}

/** A start that must fail with one line that matches. */
async function refused(file, pattern, options) {
  const { code, stdout, stderr } = await run(['serve', '-c', file], options);
  assert.equal(code, 1, stdout + stderr);
  const errors = lines(stderr).filter((line) => /error|cannot|fail|in use|unknown/i.test(line));
  assert.match(stderr, pattern);
  assert.ok(errors.length <= 2, `one line, not:\n${stderr}`);
}

describe('a start is refused with one line that says what to do', () => {
  test('when the port is in use', async () => {
    const { file, port } = await written();
    const server = net.createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    await refused(file, new RegExp(`${port}`));
    server.close();
  });

  test('when another gateway of the same user has the port', async () => {
    const gw = await Gateway.start();
    const { file } = await written({ listen: [{ address: '127.0.0.1', port: gw.port }] });
    await refused(file, new RegExp(`${gw.port}.*in use`));
    await gw.stop();
  });

  test('when another process has the data folder', async () => {
    const gw = await Gateway.start();
    const { file } = await written({ data_dir: path.join(gw.dir, 'data') });
    await refused(file, /data/);
    assert.equal((await gw.get('/health')).status, 200);
    await gw.stop();
  });

  test('when a certificate cannot be read', async () => {
    const { file, port } = await written();
    const config = JSON.parse(fs.readFileSync(file));
    const tls = { cert_file: 'no.pem', key_file: 'no.key' };
    config.listen = [{ address: '127.0.0.1', port, tls }];
    fs.writeFileSync(file, JSON.stringify(config));
    await refused(file, /no\.pem/);
  });

  test('when an env: name is missing', async () => {
    const { file } = await written({ providers: { oa: { type: 'openai',
      accounts: [{ name: 'a', api_key: 'env:NO_SUCH_NAME' }] } } });
    await refused(file, /NO_SUCH_NAME/);
  });

  test('when a file: value is missing', async () => {
    const { file } = await written({ providers: { oa: { type: 'openai',
      accounts: [{ name: 'a', api_key: 'file:nothing/here.key' }] } } });
    await refused(file, /nothing\/here\.key/);
  });

  test('when the configuration is not there', async () => {
    await refused('/nowhere/proxima.json', /\/nowhere\/proxima\.json/);
  });

  test('when the configuration is no JSON', async () => {
    const { file } = await written({}, '{\n  "listen": [,]\n}\n');
    await refused(file, /proxima\.json:2/);
  });

  test('when a rule does not load', async () => {
    const { dir, file } = await written();
    fs.mkdirSync(path.join(dir, 'rules'));
    fs.writeFileSync(path.join(dir, 'rules/x.lua'), '\n\nthis is not lua\n');
    await refused(file, /rules\/x\.lua:3/);
  });
});

describe('a mistake in the configuration is named', () => {
  for (const [what, change, pattern] of [
    ['a wrong type, with what was expected', { workers: true }, /workers/],
    ['an unknown type of provider, with the nearest', { providers: { x: { type: 'antropic',
      accounts: [] } } }, /antropic.*anthropic/],
    ['a default provider that is not there', { default_provider: 'dmeo' }, /dmeo.*demo/],
    ['a port out of range', { listen: [{ address: '127.0.0.1', port: 70000 }] }, /port/],
    ['an address that is none', { listen: [{ address: 'nowhere', port: 80 }] }, /nowhere/],
  ]) {
    test(what, async () => {
      const { file } = await written(change);
      const { code, stdout, stderr } = await run(['check', '-c', file]);
      assert.equal(code, 1, stdout + stderr);
      assert.match(stdout + stderr, pattern);
    });
  }
});

test('an unknown member is named with a suggestion, and does not stop a start', async () => {
  const { file } = await written({ timeout: {} });
  const { code, stdout, stderr } = await run(['check', '-c', file]);
  assert.match(stdout + stderr, /timeout.*timeouts/);
  assert.equal(code, 0);
});

describe('the first start', () => {
  test('makes a client key that only its owner can read, and prints a curl line that works',
    async () => {
      const { dir, file, port } = await written({ clients: [{ name: 'me',
        key: 'file:data/client.key' }] });
      const gw = new Gateway();
      Object.assign(gw, { dir, port, url: `http://127.0.0.1:${port}` });
      await gw.launch();
      const key = path.join(dir, 'data/client.key');
      assert.equal(fs.statSync(key).mode & 0o777, 0o600);
      const text = fs.readFileSync(key, 'utf8').trim();
      assert.ok(text.length >= 24, 'the key is long');
      assert.ok(!gw.log.includes(text), 'the key is not printed');
      const line = await until(5000, () => /^.*\bcurl\b[^]*?[^\\]$/m.exec(gw.log)?.[0],
        () => `a curl line in:\n${gw.log}`);
      const command = line.slice(line.indexOf('curl'));
      const { stdout } = await runFile('bash', ['-c', command.replace(/^curl/, 'curl -sS')],
        { cwd: dir });
      assert.match(stdout, /"choices"|"content"|data:/, `${command}\n${stdout}`);
      await gw.stop({ keep: true });

      gw.exit = undefined;
      await gw.launch();
      assert.equal(fs.readFileSync(key, 'utf8').trim(), text, 'the second start keeps the key');
      assert.equal(fs.statSync(file).isFile(), true);
      await gw.stop();
    });

  test('with the demo alone answers both protocols', async () => {
    const gw = await Gateway.start();
    const chat = await gw.chat({ model: 'anything', messages: [{ role: 'user',
      content: 'heliotrope' }] });
    assert.match(chat.json.choices[0].message.content, /heliotrope/);
    const claude = await gw.messages({ model: 'anything', max_tokens: 100, stream: true,
      messages: [{ role: 'user', content: 'heliotrope' }] });
    assert.match(claude.text, /event: message_stop/);
    await gw.stop();
  });

  test('takes values from flags over the environment over the file', async () => {
    const port = await freePort();
    const gw = await Gateway.start({ env: { PROXIMA_DEFAULT_PROVIDER: 'nowhere',
      PROXIMA_LOG_LEVEL: 'debug' }, args: ['--default-provider', 'demo'] });
    assert.equal((await gw.chat({ model: 'x', messages: [{ role: 'user', content: 'a' }] })).status,
      200);
    await gw.stop();
    const moved = new Gateway();
    const { dir } = await written();
    Object.assign(moved, { dir, port, url: `http://127.0.0.1:${port}` });
    await moved.launch(['--port', String(port), '--set', 'log.level=debug']);
    assert.equal((await moved.get('/health')).status, 200);
    await moved.stop();
  });
});

describe('commands', () => {
  test('check is silent about a good configuration, with exit 0', async () => {
    const { dir, file } = await written();
    const { code, stdout, stderr } = await run(['check', '-c', file]);
    assert.equal(code, 0, stdout + stderr);
    assert.ok(!fs.existsSync(path.join(dir, 'data/client.key')), 'check makes nothing');
  });

  test('check names file and line of a rule that does not load, with exit 1', async () => {
    const { dir, file } = await written();
    fs.mkdirSync(path.join(dir, 'rules'));
    fs.writeFileSync(path.join(dir, 'rules/x.lua'), "\npx.on('reqest', {}, function() end)\n");
    const { code, stdout, stderr } = await run(['check', '-c', file]);
    assert.equal(code, 1, stdout + stderr);
    assert.match(stdout + stderr, /rules\/x\.lua:2.*reqest/);
  });

  test('version says a number, with exit 0', async () => {
    for (const word of ['version', '--version']) {
      const { code, stdout } = await run([word]);
      assert.equal(code, 0);
      assert.match(stdout, /\d+\.\d+\.\d+/);
    }
  });

  for (const args of [['--help'], ['serve', '--help'], ['check', '--help']]) {
    test(`${args.join(' ')} explains itself on standard output, with exit 0`, async () => {
      const { code, stdout } = await run(args);
      assert.equal(code, 0);
      assert.match(stdout, /usage/i);
    });
  }

  for (const [what, args] of [['an unknown command', ['srve']], ['an unknown flag',
    ['serve', '--prot', '1']], ['a flag without its value', ['serve', '-c']]]) {
    test(`${what} is exit 2 with a hint`, async () => {
      const { code, stderr } = await run(args);
      assert.equal(code, 2);
      assert.match(stderr, /serve|--port|-c|--help|--config/);
    });
  }
});

test('no secret of the configuration is ever logged', async () => {
  const gw = await Gateway.start({ config: { log: { level: 'debug' } } });
  await gw.chat({ model: 'x', messages: [{ role: 'user', content: 'a' }] });
  await gw.get(`/v1/models?key=${KEY}`);
  await gw.stop();
  assert.ok(!gw.log.includes(KEY));
});
