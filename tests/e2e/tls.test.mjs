// A listener with TLS, and its certificate changing under running connections.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { Gateway, KEY, freePort } from './lib/gateway.mjs';
import { FakeOpenAI } from '../upstream/openai.mjs';
import { Wire, format } from './lib/wire.mjs';
import { gate, until } from './lib/wait.mjs';

let gw;
let oa;
let port;

function makeCertificate(dir, name, subject) {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${subject}`,
    '-keyout', path.join(dir, `${name}.key`), '-out', path.join(dir, `${name}.pem`)],
  { stdio: 'ignore' });
}

before(async () => {
  oa = await new FakeOpenAI().listen();
  port = await freePort();
  gw = await Gateway.start({ fakes: { oa }, prepare: (dir) => makeCertificate(dir, 'a', 'first'),
    config: (plain) => ({ listen: [{ address: '127.0.0.1', port: plain },
      { address: '127.0.0.1', port, tls: { cert_file: 'a.pem', key_file: 'a.key' } }] }) });
});

after(async () => {
  try {
    await gw?.stop();
  } finally {
    await oa?.close();
  }
});

function open(more = {}) {
  return Wire.open(port, { secure: { minVersion: 'TLSv1.2', ...more } });
}

const BODY = { model: 'oa:gpt-4o', messages: [{ role: 'user', content: 'Hi' }], stream: true };
const headers = { authorization: `Bearer ${KEY}` };

test('a stream passes through TLS 1.2 and 1.3', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const wire = await open({ minVersion: version, maxVersion: version });
    wire.send(format('POST', '/v1/chat/completions', { headers, body: BODY }));
    const reply = await wire.response();
    assert.equal(reply.status, 200);
    assert.match(reply.text, /\[DONE\]\n\n$/);
    wire.close();
  }
});

test('TLS 1.1 is refused', async () => {
  await assert.rejects(open({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0' }));
});

test('ALPN chooses http/1.1, also where h2 is offered first', async () => {
  const wire = await open({ ALPNProtocols: ['h2', 'http/1.1'] });
  assert.equal(wire.socket.alpnProtocol, 'http/1.1');
  wire.close();
});

test('a body of 8 MiB and an answer of 8 MiB pass', async () => {
  oa.script((x) => oa.say(x, { text: 'y'.repeat(8 << 20), step: 1 << 16 }));
  const wire = await open();
  wire.send(format('POST', '/v1/chat/completions', { headers, body: { ...BODY, stream: false,
    messages: [{ role: 'user', content: 'x'.repeat(8 << 20) }] } }));
  const reply = await wire.response({ timeout: 30_000 });
  assert.equal(reply.json.choices[0].message.content.length, 8 << 20);
  wire.close();
});

test('plain HTTP on the TLS port ends the connection and harms nobody', async () => {
  const wire = await Wire.open(port);
  wire.send('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
  await wire.ended;
  wire.close();
  const other = await open();
  other.send(format('GET', '/health', {}));
  assert.equal((await other.response()).status, 200);
  other.close();
});

test('a new certificate is used by new connections, and a running stream goes on', async () => {
  const held = gate();
  oa.script((x) => {
    const whole = oa.say(x, { text: 'before and after', step: 7 });
    return { ...whole,
      pieces: [...whole.pieces.slice(0, 2), () => held.promise, ...whole.pieces.slice(2)] };
  });
  const running = await open();
  running.send(format('POST', '/v1/chat/completions', { headers, body: BODY }));
  await until(5000, () => running.bytes.includes('before'), 'the first words');
  makeCertificate(gw.dir, 'a', 'second');
  gw.child.kill('SIGHUP');
  await until(10_000, async () => {
    const wire = await open();
    const name = wire.socket.getPeerCertificate().subject.CN;
    wire.close();
    return name === 'second';
  }, 'the new certificate is shown');
  held.open();
  const reply = await running.response();
  assert.match(reply.text, /\[DONE\]\n\n$/);
  running.close();
});

test('a certificate that cannot be read leaves the old one, and the log says so', async () => {
  const from = gw.log.length;
  gw.write('a.pem', 'this is no certificate');
  gw.child.kill('SIGHUP');
  await gw.logged(/a\.pem/, { from });
  const wire = await open();
  assert.equal(wire.socket.getPeerCertificate().subject.CN, 'second');
  wire.close();
});
