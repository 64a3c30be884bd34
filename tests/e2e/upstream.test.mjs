// The way to an upstream: TLS, proxies, connections that are used again, and bodies in flight.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { FakeOpenAI } from '../upstream/openai.mjs';
import { HttpProxy, SocksProxy } from '../upstream/proxy.mjs';
import { KEY, tempDir } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';
import { gate, until } from './lib/wait.mjs';
import { Wire, format } from './lib/wire.mjs';

const HI = [{ role: 'user', content: 'Hi' }];
const MIB = 1 << 20;

/** A certificate for 127.0.0.1, signed by itself. */
function certificate() {
  const dir = tempDir();
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(dir, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=fake',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { dir, file: cert, key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
}

const pem = certificate();
const http = new HttpProxy('joe', 'p%40ss');
const socks = new SocksProxy('joe', 'secret');
const secure = new FakeOpenAI();

before(async () => {
  http.password = 'p@ss';
  await Promise.all([http.listen(), socks.listen(), secure.listen(pem)]);
});
after(async () => {
  await Promise.all([http.close(), socks.close(), secure.close()]);
  fs.rmSync(pem.dir, { recursive: true });
});

const stage = useStage({ config: ({ oa }) => {
  const provider = (base, more) => ({ type: 'openai', base_url: `${base.url}/v1`, ...more,
    accounts: [{ name: 'a', api_key: 'sk-up' }] });
  const viaHttp = `http://joe:p%40ss@127.0.0.1:${http.port}`;
  return { limits: { body: '2MiB', bodies: '4MiB' }, workers: 1, providers: {
    tls: provider(secure, { ca_file: pem.file }),
    'tls-unknown': provider(secure),
    'http-proxy': provider(oa, { proxy: viaHttp }),
    'http-proxy-tls': provider(secure, { ca_file: pem.file, proxy: viaHttp }),
    'http-proxy-wrong': provider(oa, { proxy: viaHttp.replace('joe', 'jim') }),
    socks: provider(oa, { proxy: socks.url('socks5h') }),
    'socks-tls': provider(secure, { ca_file: pem.file, proxy: socks.url('socks5') }),
    'socks-wrong': provider(oa, { proxy: socks.url('socks5h').replace('secret', 'wrong') }),
  } };
} });

function chat(provider, more = {}, options = {}) {
  return stage.gw.chat({ model: `${provider}:gpt-4o`, messages: HI, ...more }, options);
}

describe('an upstream is reached', () => {
  for (const [how, provider, proxy] of [
    ['over TLS with a CA of its own', 'tls'],
    ['through an HTTP proxy with a password', 'http-proxy', http],
    ['over TLS through an HTTP proxy', 'http-proxy-tls', http],
    ['through a SOCKS5 proxy with a password', 'socks', socks],
    ['over TLS through a SOCKS5 proxy', 'socks-tls', socks],
  ]) {
    test(how, async () => {
      const before = proxy?.used;
      const whole = await chat(provider);
      assert.equal(whole.status, 200, whole.text);
      const stream = await chat(provider, { stream: true });
      assert.match(stream.text, /\[DONE\]\n\n$/);
      assert.ok(!proxy || proxy.used > before, 'the proxy was used');
    });
  }
});

for (const [what, provider] of [['with an unknown CA', 'tls-unknown'],
  ['behind a proxy that refuses', 'http-proxy-wrong'],
  ['behind a SOCKS5 proxy that refuses', 'socks-wrong']]) {
  test(`an upstream ${what} is a 502 without a secret in it`, async () => {
    const reply = await chat(provider);
    assert.equal(reply.status, 502);
    assert.doesNotMatch(reply.text, /p@ss|p%40ss|secret|wrong@|sk-up/);
    assert.doesNotMatch(stage.gw.log, /p@ss|p%40ss|joe:secret|sk-up/);
  });
}

test('connections are used again, also over TLS, and after a stream', async () => {
  await chat('tls');
  const opened = secure.accepted;
  for (let round = 0; round < 10; round++) {
    assert.equal((await chat('tls', { stream: round % 2 === 0 })).status, 200);
  }
  assert.equal(secure.accepted, opened);
});

test('a connection that the upstream closed while it was idle costs no request', async () => {
  for (let round = 0; round < 5; round++) {
    assert.equal((await chat('oa')).status, 200);
    for (const socket of stage.oa.sockets) {
      socket.end();
    }
    await until(5000, () => stage.oa.open === 0, 'the gateway lets the connection go');
  }
});

test('a connection that ends right after its answer costs no later request', async () => {
  for (let round = 0; round < 20; round++) {
    stage.oa.script((exchange) => {
      const answer = stage.oa.say(exchange, { text: 'bye' });
      setImmediate(() => setImmediate(() => exchange.socket.end()));
      return answer;
    });
    assert.equal((await chat('oa')).status, 200);
  }
});

test('a body for which there is no room waits, and is served when there is', async () => {
  const held = gate();
  const messages = [{ role: 'user', content: 'x'.repeat(1.9 * MIB) }];
  const slow = async (x) => {
    await held.promise;
    return stage.oa.say(x, { text: 'ok' });
  };
  stage.oa.script(slow, slow);
  const replies = [];
  for (const wanted of [1, 2]) {
    replies.push(chat('oa', { messages }, { timeout: 60_000 }));
    await until(10_000, () => stage.oa.requests.length === wanted, 'it arrives');
  }
  replies.push(chat('oa', { messages }, { timeout: 60_000 }));
  await until(10_000, async () => (await stage.gw.gauges()).requests > 3, 'the third one is read');
  const { body_bytes: bytes } = await stage.gw.gauges();
  assert.ok(bytes <= 4 * MIB, `${bytes} bytes of bodies`);
  assert.equal(stage.oa.requests.length, 2);
  held.open();
  for (const reply of await Promise.all(replies)) {
    assert.equal(reply.status, 200, reply.text);
  }
});

test('bodies that come all at once, and together are over the budget, are all served', async () => {
  const count = 6;
  const content = 'x'.repeat(1.9 * MIB);
  const bytes = format('POST', '/v1/chat/completions', {
    headers: { authorization: `Bearer ${KEY}` },
    body: { model: 'oa:gpt-4o', messages: [{ role: 'user', content }] } });
  const wires = await Promise.all(Array.from({ length: count }, () => Wire.open(stage.gw.port)));
  for (let at = 0; at < bytes.length; at += 100_000) {
    for (const wire of wires) {
      wire.send(bytes.subarray(at, at + 100_000));
    }
    await new Promise((done) => { setTimeout(done, 5); });
  }
  for (const wire of wires) {
    assert.equal((await wire.response()).status, 200);
    wire.close();
  }
});
