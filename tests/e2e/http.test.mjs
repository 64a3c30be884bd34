// The HTTP surface: what clients may send, and what becomes of what they may not.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { useStage } from './lib/stage.mjs';
import { KEY } from './lib/gateway.mjs';
import { Wire, ask, format } from './lib/wire.mjs';
import { gate, within } from './lib/wait.mjs';

const stage = useStage({ config: { timeouts: { head: 1, keep_alive: 2 } } });

const HI = [{ role: 'user', content: 'Hi' }];
const CHAT = { model: 'oa:gpt-4o', messages: HI };

/** Sends raw bytes on a fresh connection; gives the response and whether the connection ended. */
async function raw(bytes) {
  const wire = await Wire.open(stage.gw.port);
  try {
    wire.send(bytes);
    const reply = await wire.response();
    await within(3000, wire.ended, 'the connection is closed');
    assert.equal(wire.bytes.length, 0, 'nothing follows');
    return reply;
  } finally {
    wire.close();
  }
}

const POST = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n`;

describe('a malformed head is refused and the connection closed', () => {
  for (const [what, text, status = [400]] of [
    ['a bare LF', 'GET /health HTTP/1.1\nhost: x\n\n'],
    ['a bare LF between lines', 'GET /health HTTP/1.1\r\nhost: x\nx: y\r\n\r\n'],
    ['a bare CR in a value', 'GET /health HTTP/1.1\r\nhost: x\r\na: b\rc: d\r\n\r\n'],
    ['a bare CR that hides a coding',
      'GET /health HTTP/1.1\r\nhost: x\r\nabc:\rxtransfer-encoding: chunked\r\n\r\n'],
    ['a NUL', 'GET /health HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n'],
    ['a folded line', 'GET /health HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'GET /health HTTP/1.1\r\nhost : x\r\n\r\n'],
    ['a line without a colon', 'GET /health HTTP/1.1\r\nhost: x\r\nabc\r\n\r\n'],
    ['an empty name', 'GET /health HTTP/1.1\r\nhost: x\r\n: v\r\n\r\n'],
    ['no Host', 'GET /health HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET /health HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n'],
    ['HTTP/0.9', 'GET /health\r\n\r\n'],
    ['HTTP/2.0', 'GET /health HTTP/2.0\r\nhost: x\r\n\r\n', [400, 505]],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 505]],
    ['two spaces in the request line', 'GET  /health HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['Content-Length with Transfer-Encoding',
      `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two Content-Lengths', `${POST}content-length: 2\r\ncontent-length: 2\r\n\r\n{}`],
    ['a list of Content-Lengths', `${POST}content-length: 2, 2\r\n\r\n{}`],
    ['a Content-Length with a sign', `${POST}content-length: +2\r\n\r\n{}`],
    ['a negative Content-Length', `${POST}content-length: -2\r\n\r\n{}`],
    ['a Content-Length in hex', `${POST}content-length: 0x2\r\n\r\n{}`],
    ['a Content-Length beyond all numbers', `${POST}content-length: ${'9'.repeat(30)}\r\n\r\n{}`,
      [400, 413]],
    ['a second transfer coding', `${POST}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      [400, 501]],
    ['a foreign transfer coding', `${POST}transfer-encoding: gzip\r\n\r\n`, [400, 501]],
    ['two Transfer-Encodings',
      `${POST}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      [400, 501]],
    ['chunks in HTTP/1.0',
      `${POST.replace('1.1', '1.0')}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a head of more than 64 KiB', `GET /health HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(70_000)}`,
      [431]],
    ['a thousand thousand header lines', `GET /health HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(
      20_000)}`, [431]],
    ['a target of more than 64 KiB', `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      [414, 431]],
  ]) {
    test(what, async () => {
      const reply = await raw(Buffer.from(text, 'latin1'));
      assert.ok(status.includes(reply.status), `${reply.status}, not ${status}`);
    });
  }

  test('a head a byte at a time is as good as one in a piece', async () => {
    const wire = await Wire.open(stage.gw.port);
    for (const byte of 'GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n') {
      await wire.send(byte);
    }
    assert.equal((await wire.response()).status, 200);
    wire.close();
  });
});

describe('bodies in chunks', () => {
  const chunked = `${POST}content-type: application/json\r\ntransfer-encoding: chunked\r\n`
    + 'connection: close\r\n\r\n';

  test('arrive upstream whole', async () => {
    const text = JSON.stringify(CHAT);
    const parts = [text.slice(0, 7), text.slice(7, 8), text.slice(8)];
    const body = parts.map((part) => `${part.length.toString(16)};x=y\r\n${part}\r\n`).join('');
    const reply = await raw(`${chunked}${body}0\r\nx-trailer: 1\r\n\r\n`);
    assert.equal(reply.status, 200);
    assert.equal(stage.oa.last.body.toString(), text.replace('oa:', ''));
  });

  for (const [what, body, status = 400] of [
    ['a size that is no number', 'zz\r\n{}\r\n0\r\n\r\n'],
    ['a size with a sign', '+2\r\n{}\r\n0\r\n\r\n'],
    ['a size without digits', '\r\n{}\r\n0\r\n\r\n'],
    ['a size beyond all numbers', 'fffffffffffffffff\r\n{}'],
    ['a bare LF after the size', '2\n{}\r\n0\r\n\r\n'],
    ['a chunk longer than its size', '1\r\n{}\r\n0\r\n\r\n'],
    ['an endless extension', `2;${'x'.repeat(70_000)}`],
    ['endless trailers', `0\r\n${'a: b\r\n'.repeat(20_000)}`, [400, 431]],
  ]) {
    test(`${what} is refused and the connection closed`, async () => {
      const reply = await raw(chunked + body);
      assert.ok([status, 413].flat().includes(reply.status), `${reply.status}`);
    });
  }
});

describe('connections', () => {
  test('pipelined requests are answered in order', async () => {
    const held = gate();
    stage.oa.script((x) => ({ ...stage.oa.say(x, { text: 'first' }), delay: held.promise }),
      (x) => stage.oa.say(x, { text: 'third' }));
    const wire = await Wire.open(stage.gw.port);
    const headers = { authorization: `Bearer ${KEY}` };
    wire.send(Buffer.concat([
      format('POST', '/v1/chat/completions', { headers, body: CHAT }),
      format('GET', '/health', {}),
      format('POST', '/v1/chat/completions', { headers, body: { ...CHAT, stream: true } }),
      format('GET', '/nowhere', { headers: { ...headers, connection: 'close' } })]));
    setTimeout(held.open, 100);
    assert.match((await wire.response()).text, /first/);
    assert.equal((await wire.response()).status, 200);
    assert.match((await wire.response()).text, /"thir/);
    assert.equal((await wire.response()).status, 404);
    await within(3000, wire.ended, 'the connection is closed');
    wire.close();
  });

  test('a connection serves many requests, and ends when asked to', async () => {
    const wire = await Wire.open(stage.gw.port);
    for (let round = 0; round < 20; round++) {
      wire.send(format('POST', '/v1/chat/completions',
        { headers: { authorization: `Bearer ${KEY}` }, body: CHAT }));
      assert.equal((await wire.response()).status, 200);
    }
    wire.send(format('GET', '/health', { headers: { connection: 'close' } }));
    const last = await wire.response();
    assert.match(last.headers.connection, /close/i);
    await within(3000, wire.ended, 'the connection is closed');
    wire.close();
    assert.ok(stage.oa.accepted <= 4, 'upstream connections are used again');
  });

  test('an HTTP/1.0 client gets a stream without chunks, up to the end', async () => {
    const wire = await Wire.open(stage.gw.port);
    wire.send(format('POST', '/v1/chat/completions', { headers: { authorization: `Bearer ${KEY}` },
      body: { ...CHAT, stream: true } }).toString().replace('HTTP/1.1', 'HTTP/1.0'));
    const reply = await wire.response();
    assert.equal(reply.headers['transfer-encoding'], undefined);
    assert.match(reply.text, /^data: .*\[DONE\]\n\n$/s);
    wire.close();
  });

  test('Expect: 100-continue is answered before the body comes', async () => {
    const wire = await Wire.open(stage.gw.port);
    const bytes = format('POST', '/v1/chat/completions', { body: CHAT,
      headers: { authorization: `Bearer ${KEY}`, expect: '100-continue' } });
    const end = bytes.indexOf('\r\n\r\n') + 4;
    wire.send(bytes.subarray(0, end));
    assert.equal((await wire.response()).status, 100);
    wire.send(bytes.subarray(end));
    assert.equal((await wire.response()).status, 200);
    wire.close();
  });

  test('Expect: 100-continue with a body that is too large is a 413 at once', async () => {
    const reply = await raw(`${POST}expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n`);
    assert.equal(reply.status, 413);
  });

  test('a head that is slow to come ends the connection', async () => {
    const wire = await Wire.open(stage.gw.port);
    wire.send('GET /health HTTP/1.1\r\nhost');
    const reply = await wire.response({ timeout: 5000 });
    assert.ok(reply === undefined || reply.status === 408, `${reply?.status}`);
    await within(1000, wire.ended, 'the connection is closed');
    wire.close();
  });

  test('a connection on which nothing is asked ends by itself', async () => {
    const wire = await Wire.open(stage.gw.port);
    const used = await Wire.open(stage.gw.port);
    used.send(format('GET', '/health', {}));
    assert.equal((await used.response()).status, 200);
    await within(6000, Promise.all([wire.ended, used.ended]), 'both connections are closed');
    wire.close();
    used.close();
  });

  test('an upgrade to WebSocket is a 426', async () => {
    const reply = await ask(stage.gw.port, 'GET', '/v1/responses', { headers: {
      authorization: `Bearer ${KEY}`, connection: 'Upgrade', upgrade: 'websocket',
      'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' } });
    assert.equal(reply.status, 426);
  });
});

describe('who asks', () => {
  for (const [where, target, headers] of [
    ['Authorization', '/v1/chat/completions', { authorization: `Bearer ${KEY}` }],
    ['authorization of any case', '/v1/chat/completions', { Authorization: `bEARER ${KEY}` }],
    ['x-api-key', '/v1/chat/completions', { 'x-api-key': KEY }],
    ['x-goog-api-key', '/v1/chat/completions', { 'x-goog-api-key': KEY }],
    ['?key=', `/v1/chat/completions?key=${KEY}`, {}],
  ]) {
    test(`a key in ${where} is known`, async () => {
      const reply = await ask(stage.gw.port, 'POST', target, { headers, body: CHAT });
      assert.equal(reply.status, 200);
      assert.doesNotMatch(stage.gw.log, new RegExp(KEY));
    });
  }

  for (const [what, headers] of [['no key', {}], ['a wrong key', { 'x-api-key': `${KEY}x` }],
    ['a part of a key', { 'x-api-key': KEY.slice(0, -1) }], ['an empty key', { 'x-api-key': '' }],
    ['Basic', { authorization: `Basic ${btoa(`me:${KEY}`)}` }]]) {
    test(`${what} is a 401 in the shape of the client's protocol`, async () => {
      const { port } = stage.gw;
      const chat = await ask(port, 'POST', '/v1/chat/completions', { headers, body: CHAT });
      assert.equal(chat.status, 401);
      assert.equal(chat.json.error.code, 'invalid_api_key');
      const claude = await ask(port, 'POST', '/v1/messages',
        { headers: { 'anthropic-version': '2023-06-01', ...headers }, body: CHAT });
      assert.equal(claude.status, 401);
      assert.equal(claude.json.type, 'error');
      assert.equal(claude.json.error.type, 'authentication_error');
      const models = await ask(port, 'GET', '/v1/models', { headers });
      assert.equal(models.status, 401);
      assert.equal(stage.oa.requests.length, 0);
    });
  }

  test('health, readiness and metrics need no key', async () => {
    for (const path of ['/health', '/ready', '/metrics']) {
      assert.equal((await stage.gw.get(path)).status, 200, path);
    }
  });

  test('metrics are lines of the text format, the last one ended', async () => {
    const { text, headers } = await stage.gw.get('/metrics');
    assert.match(headers['content-type'], /^text\/plain/);
    assert.match(text, /\n$/);
    for (const line of text.trimEnd().split('\n')) {
      assert.match(line, /^(# (HELP|TYPE) .*|\w+(\{.*\})? [-+.\deInfNa]+)$/);
    }
  });

  test('HEAD / is 200 without a body, and GET / says name and version', async () => {
    const head = await ask(stage.gw.port, 'HEAD', '/', {});
    assert.equal(head.status, 200);
    assert.equal(head.text, '');
    const get = await stage.gw.get('/');
    assert.equal(get.status, 200);
    assert.match(get.text, /proxima/i);
    assert.match(get.text, /\d+\.\d+\.\d+/);
  });

  for (const path of ['/v1/models', '/v1/models/oa:gpt-4o', '/v1beta/models', '/api/tags',
    '/api/version', '/ollama', '/ollama/', '/ollama/api/version', '/health', '/ready', '/oa/health']) {
    test(`HEAD ${path} is answered as GET is, without a body`, async () => {
      const headers = { authorization: `Bearer ${KEY}` };
      const get = await stage.gw.get(path, { headers });
      const head = await ask(stage.gw.port, 'HEAD', path, { headers });
      assert.equal(head.status, get.status);
      assert.equal(head.headers['content-length'], get.headers['content-length']);
      assert.equal(head.headers['content-type'], get.headers['content-type']);
      assert.equal(head.text, '');
    });
  }

  test('what Ollama clients look for at the address is there', async () => {
    assert.equal((await stage.gw.get('/ollama')).text, 'Ollama is running');
  });

  test('a preflight of CORS allows every header that these clients send', async () => {
    const names = ['authorization', 'content-type', 'x-api-key', 'x-goog-api-key',
      'anthropic-version', 'anthropic-beta', 'anthropic-dangerous-direct-browser-access',
      'x-stainless-os', 'x-stainless-retry-count', 'model-provider', 'openai-organization'];
    const reply = await ask(stage.gw.port, 'OPTIONS', '/v1/chat/completions', { headers: {
      origin: 'https://app.example', 'access-control-request-method': 'POST',
      'access-control-request-headers': names.join(',') } });
    assert.ok([200, 204].includes(reply.status));
    const allowed = reply.headers['access-control-allow-headers'].toLowerCase();
    for (const name of names) {
      assert.ok(allowed.split(/, */).includes(name) || allowed === '*', `${name} in ${allowed}`);
    }
    assert.match(reply.headers['access-control-allow-methods'], /POST/);
    assert.match(reply.headers['access-control-allow-origin'], /^(\*|https:\/\/app\.example)$/);
    const real = await stage.gw.chat(CHAT, { headers: { origin: 'https://app.example' } });
    assert.match(real.headers['access-control-allow-origin'], /^(\*|https:\/\/app\.example)$/);
  });
});

describe('where to', () => {
  for (const path of ['/v1/v1/chat/completions', '/v1/chat/completions/v1/chat/completions',
    '/v1/chat/completions/chat/completions', '/v1/chat/completions/', '/v1//chat/completions',
    '/chat/completions', '/oa/v1/v1/chat/completions']) {
    test(`${path} is understood`, async () => {
      assert.equal((await stage.gw.post(path, CHAT)).status, 200);
    });
  }

  test('a doubled path of Anthropic is understood', async () => {
    for (const path of ['/v1/messages/v1/messages', '/v1/v1/messages']) {
      const reply = await stage.gw.post(path, { model: 'an:claude-sonnet-4-6', max_tokens: 9,
        messages: HI }, { headers: { 'anthropic-version': '2023-06-01' } });
      assert.equal(reply.status, 200, path);
    }
  });

  for (const [path, near] of [['/v1/chat/completion', '/v1/chat/completions'],
    ['/v1/message', '/v1/messages'], ['/v1/model', '/v1/models']]) {
    test(`${path} is a 404 that names ${near}`, async () => {
      const reply = await stage.gw.post(path, CHAT);
      assert.equal(reply.status, 404);
      assert.ok(reply.json.error.message.includes(near), reply.text);
    });
  }

  test('a wrong method is a 405 in JSON', async () => {
    const reply = await stage.gw.get('/v1/chat/completions',
      { headers: { authorization: `Bearer ${KEY}` } });
    assert.equal(reply.status, 405);
    assert.match(reply.headers.allow, /POST/);
    assert.equal(typeof reply.json.error.message, 'string');
    const models = await stage.gw.post('/v1/models', {});
    assert.deepEqual([models.status, models.headers.allow], [405, 'GET, HEAD']);
    for (const path of ['/', '/health', '/ready', '/metrics', '/ollama', '/ollama/']) {
      const own = await ask(stage.gw.port, 'PUT', path, { body: {} });
      assert.deepEqual([own.status, own.headers.allow], [405, 'GET, HEAD'], path);
    }
    const gone = await ask(stage.gw.port, 'GET', '/api/delete', {});
    assert.deepEqual([gone.status, gone.headers.allow], [405, 'DELETE']);
  });
});
