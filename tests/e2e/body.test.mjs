// Request bodies: codings, sizes, and JSON that is none.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import zlib from 'node:zlib';
import { useStage } from './lib/stage.mjs';
import { KEY } from './lib/gateway.mjs';
import { Wire, format } from './lib/wire.mjs';
import { within } from './lib/wait.mjs';

const stage = useStage();

const MIB = 1 << 20;
const HI = [{ role: 'user', content: 'Hi' }];
const CHAT = { model: 'oa:gpt-4o', messages: HI };
const TEXT = Buffer.from(JSON.stringify(CHAT));
const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

function blockHeader(last, type, size) {
  const value = (size << 3) | (type << 1) | (last ? 1 : 0);
  return Buffer.from([value & 255, (value >> 8) & 255, (value >> 16) & 255]);
}

/** A zstd frame of one raw block. `bytes` has at most 255 of them. */
function zstdRaw(bytes) {
  return Buffer.concat([MAGIC, Buffer.from([0x20, bytes.length]),
    blockHeader(true, 0, bytes.length), bytes]);
}

/** A zstd frame that says one byte `count` times, 128 KiB in each four bytes. */
function zstdBomb(count) {
  const blocks = [];
  for (let left = count; left > 0; left -= 128 << 10) {
    const size = Math.min(left, 128 << 10);
    blocks.push(blockHeader(left <= 128 << 10, 1, size), Buffer.from(' '));
  }
  return Buffer.concat([MAGIC, Buffer.from([0x00, 0x38]), ...blocks]);
}

function post(body, coding) {
  return stage.gw.chat(body, { headers: { 'content-encoding': coding } });
}

describe('content codings', () => {
  for (const [coding, bytes] of [
    ['gzip', zlib.gzipSync(TEXT)], ['x-gzip', zlib.gzipSync(TEXT)],
    ['GZIP', zlib.gzipSync(TEXT)], ['deflate', zlib.deflateSync(TEXT)],
    ['deflate', zlib.deflateRawSync(TEXT)], ['zstd', zstdRaw(TEXT)], ['identity', TEXT]]) {
    test(`${coding} of ${bytes.length} bytes is undone`, async () => {
      const reply = await post(bytes, coding);
      assert.equal(reply.status, 200, reply.text);
      assert.equal(stage.oa.last.body.toString(), TEXT.toString().replace('oa:', ''));
      assert.equal(stage.oa.last.headers['content-encoding'], undefined);
    });
  }

  test('a large body is undone', async () => {
    const content = 'x'.repeat(3 * MIB);
    const big = JSON.stringify({ ...CHAT, messages: [{ role: 'user', content }] });
    assert.equal((await post(zlib.gzipSync(big), 'gzip')).status, 200);
    assert.equal(stage.oa.last.body.length, big.length - 3);
  });

  for (const [coding, bytes] of [
    ['gzip', zlib.gzipSync(Buffer.alloc(40 * MIB, ' '))],
    ['deflate', zlib.deflateSync(Buffer.alloc(40 * MIB, ' '))],
    ['zstd', zstdBomb(40 * MIB)]]) {
    test(`a bomb in ${coding} is a 413`, async () => {
      assert.ok(bytes.length < MIB);
      const reply = await post(bytes, coding);
      assert.equal(reply.status, 413);
      assert.equal(stage.oa.requests.length, 0);
    });
  }

  for (const [what, coding, bytes] of [
    ['noise in gzip', 'gzip', Buffer.from('this is not gzip at all')],
    ['a cut gzip', 'gzip', zlib.gzipSync(TEXT).subarray(0, -9)],
    ['a wrong checksum in gzip', 'gzip', (() => {
      const bytes = Buffer.from(zlib.gzipSync(TEXT));
      bytes[bytes.length - 6] ^= 1;
      return bytes;
    })()],
    ['more after gzip\'s end', 'gzip', Buffer.concat([zlib.gzipSync(TEXT), Buffer.from('junk')])],
    ['noise in deflate', 'deflate', Buffer.from('\xff\xff\xff\xff', 'latin1')],
    ['noise in zstd', 'zstd', Buffer.from('this is not zstd at all')],
    ['a cut zstd', 'zstd', zstdRaw(TEXT).subarray(0, -5)],
  ]) {
    test(`${what} is a 400`, async () => {
      assert.equal((await post(bytes, coding)).status, 400);
      assert.equal(stage.oa.requests.length, 0);
    });
  }

  test('a coding that is not known is a 415', async () => {
    assert.equal((await post(zlib.brotliCompressSync(TEXT), 'br')).status, 415);
  });
});

function sized(length) {
  const head = '{"model":"oa:gpt-4o","messages":[{"role":"user","content":"';
  const tail = '"}]}';
  const body = Buffer.alloc(length, 'x');
  body.write(head);
  body.write(tail, length - tail.length);
  return body;
}

describe('sizes', () => {
  test('a body of 0 bytes is a 400', async () => {
    const reply = await stage.gw.chat(Buffer.alloc(0));
    assert.equal(reply.status, 400);
    assert.equal(reply.json.error.type, 'invalid_request_error');
  });

  test('a body of 32 MiB passes whole', async () => {
    const body = sized(32 * MIB);
    const reply = await stage.gw.chat(body, { timeout: 60_000 });
    assert.equal(reply.status, 200);
    assert.equal(stage.oa.last.body.length, 32 * MIB - 3);
  });

  for (const [how, target, headers] of [
    ['OpenAI', '/v1/chat/completions', {}],
    ['Anthropic', '/v1/messages', { 'anthropic-version': '2023-06-01' }]]) {
    test(`a body of 33 MiB is a 413 in the shape of ${how}`, async () => {
      const wire = await Wire.open(stage.gw.port);
      wire.send(format('POST', target, { headers: { authorization: `Bearer ${KEY}`, ...headers },
        body: sized(33 * MIB) }));
      const reply = await wire.response();
      assert.equal(reply.status, 413);
      assert.equal(reply.json.error.type, 'request_too_large');
      assert.equal(typeof reply.json.error.message, 'string');
      await within(5000, wire.ended, 'the connection is closed');
      wire.close();
    });
  }

  test('a chunked body of 33 MiB is a 413', async () => {
    const wire = await Wire.open(stage.gw.port);
    wire.send(format('POST', '/v1/chat/completions', { headers: { authorization: `Bearer ${KEY}`,
      'transfer-encoding': 'chunked' } }));
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB, ' '),
      Buffer.from('\r\n')]);
    for (let sent = 0; sent < 33 && !wire.over && !wire.bytes.length; sent++) {
      await Promise.race([wire.send(chunk), wire.ended]);
    }
    assert.equal((await wire.response()).status, 413);
    wire.close();
  });

  test('a client that stops in the middle of its body leaves nothing behind', async () => {
    const wire = await Wire.open(stage.gw.port);
    wire.send(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n`
      + 'content-length: 1000000\r\n\r\n{"model":');
    await new Promise((done) => { setTimeout(done, 50); });
    wire.close();
    assert.equal(stage.oa.requests.length, 0);
  });
});

describe('JSON that is none', () => {
  for (const [what, body, offset] of [
    ['a comma at the end', '{"model":"oa:gpt-4o",}', [20, 22]],
    ['a number of no form', '{"model":"oa:gpt-4o","n":01}', [25, 28]],
    ['a control character in a string', '{"model":"oa:gpt-4o","n":"a\nb"}', [26, 29]],
    ['the end too early', '{"model":"oa:gpt-4o"', [19, 21]],
    ['more after the end', '{"model":"oa:gpt-4o"} {}', [21, 24]],
    ['bytes that are no UTF-8', Buffer.from('{"model":"oa:gpt-4o","n":"\xff"}', 'latin1'),
      [25, 28]],
  ]) {
    test(`${what} is a 400 with the offset`, async () => {
      const chat = await stage.gw.chat(Buffer.from(body));
      assert.equal(chat.status, 400);
      assert.equal(chat.json.error.type, 'invalid_request_error');
      const numbers = (chat.json.error.message.match(/\d+/g) ?? []).map(Number);
      assert.ok(numbers.some((n) => n >= offset[0] && n <= offset[1]), chat.json.error.message);
      const claude = await stage.gw.messages(Buffer.from(body));
      assert.equal(claude.status, 400);
      assert.equal(claude.json.type, 'error');
      assert.equal(stage.oa.requests.length, 0);
    });
  }

  for (const [what, body] of [
    ['a list', '[]'], ['a string', '"x"'], ['nothing but spaces', '   '],
    ['a byte order mark', '\ufeff{"model":"oa:gpt-4o","messages":[]}'],
    ['no model', '{"messages":[]}'], ['a model that is no text', '{"model":7,"messages":[]}'],
    ['an empty model', '{"model":"","messages":[]}'],
    ['two models', '{"model":"oa:gpt-4o","model":"oa:gpt-5-mini","messages":[]}'],
    ['two streams', '{"model":"oa:gpt-4o","stream":true,"stream":false,"messages":[]}'],
    ['a nest of 200 lists', `{"model":"oa:gpt-4o","x":${'['.repeat(200)}${']'.repeat(200)}}`],
  ]) {
    test(`${what} is a 400`, async () => {
      const reply = await stage.gw.chat(Buffer.from(body));
      assert.equal(reply.status, 400, reply.text);
      assert.equal(stage.oa.requests.length, 0);
    });
  }

  for (const [what, body] of [
    ['no messages', {}], ['messages that are no list', { messages: 'Hi' }],
    ['a message that is no object', { messages: [7] }],
    ['an unknown role', { messages: [{ role: 'wizard', content: 'Hi' }] }],
    ['content of a wrong type', { messages: [{ role: 'user', content: 7 }] }],
    ['tools that are no list', { messages: HI, tools: 'f' }],
  ]) {
    test(`a conversion of ${what} is a 400 or the upstream's own`, async () => {
      const reply = await stage.gw.chat({ model: 'an:claude-sonnet-4-6', ...body });
      assert.equal(reply.status, 400, reply.text);
      assert.equal(typeof reply.json.error.message, 'string');
      const back = await stage.gw.messages({ model: 'oa:gpt-4o', max_tokens: 9, ...body });
      assert.equal(back.status, 400, back.text);
      assert.equal(back.json.type, 'error');
    });
  }
});
