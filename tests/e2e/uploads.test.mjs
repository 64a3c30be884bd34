// Uploads, which pass through without being kept: their memory, their pace, and every way in which
// one of the three sides can fail in the middle. Through both lanes to an upstream.

import { after, afterEach, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { Sink, refuseEarly } from '../upstream/sink.mjs';
import { Gateway, KEY } from './lib/gateway.mjs';
import { Wire } from './lib/wire.mjs';
import { gate, until, within } from './lib/wait.mjs';

const MIB = 1 << 20;
const PATH = '/v1/audio/transcriptions';
const B = 'xBOUNDARYx';

const RULES = `
px.on('request', { header = { ['x-rename'] = '*' } }, function(m)
  assert(m.upload and m:get('model') == m.model or m.model == '')
  m.model = m.headers['x-rename']
end)
px.on('request', { header = { ['x-read'] = '*' }, on_error = 'deny' }, function(m) m:json() end)
px.on('attempt', { header = { ['x-attempt'] = '*' } }, function(m) m.model = 'whisper-9' end)
`;

const stage = {};
before(async () => {
  stage.sink = await new Sink().listen();
  const provider = (host) => ({ type: 'openai', base_url: `http://${host}:${stage.sink.port}/v1`,
    accounts: [{ name: 'a', api_key: 'sk-up' }] });
  // A name goes through the library, an address does not.
  stage.gw = await Gateway.start({ files: { 'rules/uploads.lua': RULES }, config: { workers: 1, default_provider: 'lean',
    limits: { upload: '26MiB' },
    providers: { lean: provider('127.0.0.1'), library: provider('up.localhost'),
      fw: { type: 'forward', base_url: `http://up.localhost:${stage.sink.port}/any`,
        accounts: [{ name: 'f', api_key: 'sk-fw' }] },
      other: { type: 'anthropic', base_url: 'http://127.0.0.1:1', accounts: [] } } } });
});
afterEach(async () => {
  await stage.gw.settle();
  stage.sink.handle = (request, response) => stage.sink.swallow(request, response);
  stage.sink.seen.length = 0;
});
after(async () => {
  try {
    await stage.gw?.stop();
  } finally {
    await stage.sink?.close();
  }
});

const field = (name, value) => `--${B}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`
  + `${value}\r\n`;
const FILE = `--${B}\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n`
  + 'Content-Type: audio/mpeg\r\n\r\n';
const END = `\r\n--${B}--\r\n`;

/** The bytes of a form: fields, then a file of `size` bytes, then `late` fields. */
function form(size, { model = 'whisper-1', late = '' } = {}) {
  const start = (model === null ? '' : field('model', model)) + FILE;
  const end = late ? `\r\n${late}--${B}--\r\n` : END;
  return Buffer.concat([Buffer.from(start), randomBytes(size), Buffer.from(end)]);
}

const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Writes as fast as the other side takes it. */
async function pour(wire, bytes) {
  for (let at = 0; at < bytes.length && !wire.over; at += 65_536) {
    if (!wire.socket.write(bytes.subarray(at, at + 65_536)) && !wire.over) {
      await Promise.race([new Promise((done) => { wire.socket.once('drain', done); }),
        wire.closed, wire.ended]);
    }
  }
}

function chunked(bytes, size = 50_000) {
  const out = [];
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    out.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...out, Buffer.from('0\r\n\r\n')]);
}

function headOf(length, { target = PATH, lane = 'lean', more = '' } = {}) {
  const framing = length === null ? 'transfer-encoding: chunked' : `content-length: ${length}`;
  return `POST ${target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n`
    + `model-provider: ${lane}\r\ncontent-type: multipart/form-data; boundary=${B}\r\n`
    + `${more}${framing}\r\n\r\n`;
}

/** Begins an upload; `bytes` are poured in by and by. */
async function begin(bytes, { chunks = false, ...options } = {}) {
  const wire = await Wire.open(stage.gw.port);
  await wire.send(headOf(chunks ? null : options.length ?? bytes.length, options));
  wire.poured = pour(wire, chunks ? chunked(bytes) : bytes);
  wire.poured.catch(() => {});
  return wire;
}

async function upload(bytes, options) {
  const wire = await begin(bytes, options);
  try {
    return await wire.response({ timeout: 60_000 });
  } finally {
    wire.close();
  }
}

function rssAnon() {
  const text = fs.readFileSync(`/proc/${stage.gw.child.pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+)/.exec(text)[1]) * 1024;
}

for (const lane of ['lean', 'library']) {
  describe(`uploads through the ${lane} lane`, () => {
    for (const chunks of [false, true]) {
      const how = chunks ? 'in chunks' : 'with a length';
      test(`16 of 25 MB at a time ${how} take less than 64 MiB`, { timeout: 300_000 }, async () => {
        const open = gate();
        stage.sink.handle = async (request, response) => {
          await open.promise;
          stage.sink.swallow(request, response);
        };
        const bytes = form(25 * 1000 * 1000);
        const want = sha(bytes);
        const earlier = rssAnon();
        let most = 0;
        const watch = setInterval(() => { most = Math.max(most, rssAnon() - earlier); }, 5);
        try {
          const wires = await Promise.all(Array.from({ length: 16 },
            () => begin(bytes, { lane, chunks })));
          await until(30_000, () => stage.sink.seen.length === 16, 'all have reached the upstream');
          // Nobody reads: the clients are stopped, and stay so.
          await until(30_000, () => wires.every((one) => one.socket.writableLength > 0), 'all wait');
          for (const one of wires) {
            assert.ok(one.socket.bytesWritten - one.socket.writableLength < 24 * MIB);
          }
          open.open();
          for (const reply of await Promise.all(wires.map((one) => one.response({
            timeout: 200_000 })))) {
            assert.deepEqual([reply.status, reply.json], [200, { text: want, bytes: bytes.length }]);
          }
          wires.forEach((one) => one.close());
        } finally {
          clearInterval(watch);
        }
        assert.ok(most > 0 && most < 64 * MIB, `${most} bytes more`);
        assert.ok(stage.sink.seen.every((one) => one.headers['content-length']
          === (chunks ? undefined : String(bytes.length))));
      });

      test(`every size passes ${how}`, async () => {
        for (const size of [0, 1, 65_535, 200_000, 262_144, 262_145, 300_000, 1_000_000]) {
          const bytes = form(size);
          const reply = await upload(bytes, { lane, chunks });
          assert.deepEqual(reply.json, { text: sha(bytes), bytes: bytes.length }, `${size}`);
        }
      });
    }

    test('a name for the model is spliced in, and the length with it', async () => {
      for (const size of [10, 1_000_000]) {
        const bytes = form(size, { model: `${lane}:whisper-1` });
        const want = Buffer.concat([Buffer.from(field('model', 'whisper-1')),
          bytes.subarray(field('model', `${lane}:whisper-1`).length)]);
        const reply = await upload(bytes, { lane });
        assert.deepEqual(reply.json, { text: sha(want), bytes: want.length });
        assert.equal(stage.sink.last.headers['content-length'], String(want.length));
        assert.equal(stage.sink.last.headers['content-type'],
          `multipart/form-data; boundary=${B}`);
      }
    });

    test('a refusal in the middle reaches a client that still sends', async () => {
      stage.sink.handle = refuseEarly;
      for (const chunks of [false, true]) {
        const reply = await upload(form(20 * MIB), { lane, chunks });
        assert.deepEqual([reply.status, reply.json.error.param], [400, 'file']);
        assert.equal(reply.headers.connection, 'close');
        assert.ok(stage.sink.last.bytes < 8 * MIB);
      }
    });

    test('a refusal reaches a client that sends no more for now', async () => {
      const bytes = form(MIB);
      stage.sink.handle = (request, response) => {
        request.on('data', (piece) => {
          request.entry.bytes += piece.length;
          if (request.entry.bytes >= 500_000 && !response.headersSent) {
            refuseEarly(request, response);
          }
        });
      };
      const wire = await begin(bytes.subarray(0, 500_000), { lane, length: bytes.length });
      const reply = await wire.response();
      assert.deepEqual([reply.status, reply.json.error.message], [400, 'Not this file.']);
      wire.close();
    });

    test('an upstream that leaves in the middle is a 502', async () => {
      stage.sink.handle = (request) => {
        request.once('data', () => request.socket.destroy());
      };
      const reply = await upload(form(10 * MIB), { lane });
      assert.equal(reply.status, 502, reply.text);
      assert.equal(reply.json.error.type, 'server_error');
    });

    test('a client that leaves in the middle takes its upstream along', async () => {
      const left = gate();
      stage.sink.handle = (request, response, sink) => {
        sink.swallow(request, response);
        request.socket.on('close', left.open);
      };
      const bytes = form(10 * MIB);
      const wire = await begin(bytes.subarray(0, 8 * MIB), { lane, length: bytes.length });
      await until(10_000, () => stage.sink.last?.bytes > MIB, 'it has begun');
      wire.close();
      await within(10_000, left.promise, 'the upstream is left');
      assert.equal(stage.sink.last.whole, false);
    });

    test('so does one that leaves while it is stopped', async () => {
      stage.sink.handle = () => {};
      const bytes = form(20 * MIB);
      const wire = await begin(bytes, { lane });
      await until(10_000, () => stage.sink.seen.length > 0 && wire.socket.writableLength > 0,
        'the client waits');
      wire.socket.resetAndDestroy();
      await stage.gw.settle();
      assert.equal(stage.sink.last.whole, false);
    });

    test('what breaks off is not shown to the upstream as complete', async () => {
      const left = gate();
      stage.sink.handle = (request, response, sink) => {
        sink.swallow(request, response);
        request.socket.on('close', left.open);
      };
      const start = form(MIB).subarray(0, 600_000);
      const wire = await Wire.open(stage.gw.port);
      await wire.send(headOf(null, { lane }));
      await wire.send(Buffer.concat([Buffer.from(`${start.length.toString(16)}\r\n`), start,
        Buffer.from('\r\nnonsense\r\n')]));
      const reply = await wire.response();
      assert.equal(reply.status, 400, reply.text);
      assert.equal(reply.json.error.type, 'invalid_request_error');
      await within(10_000, left.promise, 'the upstream is left');
      assert.equal(stage.sink.last.whole, false);
      wire.close();
    });

    test('chunks beyond the limit are a 413', async () => {
      const reply = await upload(form(27 * MIB), { lane, chunks: true });
      assert.equal(reply.status, 413, reply.text);
      assert.equal(stage.sink.last.whole, false);
    });

    test('a connection that the upstream has closed is no loss to a small one', async () => {
      let closes = false;
      stage.sink.handle = (request, response, sink) => {
        if (closes && !request.socket.fresh) {
          closes = false;
          request.socket.destroy();
        } else {
          sink.swallow(request, response);
        }
      };
      const bytes = form(lane === 'lean' ? 100_000 : 10_000);
      assert.equal((await upload(bytes, { lane })).status, 200);
      closes = true;
      const reply = await upload(bytes, { lane });
      assert.deepEqual(reply.json, { text: sha(bytes), bytes: bytes.length });
      assert.equal(stage.sink.seen.length, 3);
    });

    test('a connection serves an upload and then another request', async () => {
      const wire = await Wire.open(stage.gw.port);
      for (const size of [500_000, 10, 300_000]) {
        const bytes = form(size);
        await wire.send(headOf(bytes.length, { lane }));
        await pour(wire, bytes);
        const reply = await wire.response();
        assert.deepEqual(reply.json, { text: sha(bytes), bytes: bytes.length });
      }
      wire.close();
    });
  });
}

test('an announced length beyond the limit is a 413', async () => {
  const reply = await upload(form(27 * MIB));
  assert.equal(reply.status, 413);
  assert.equal(stage.sink.seen.length, 0);
});

test('a client that expects to be told is told to go on', async () => {
  const bytes = form(400_000);
  const wire = await Wire.open(stage.gw.port);
  await wire.send(headOf(bytes.length, { more: 'expect: 100-continue\r\n' }));
  assert.equal((await wire.response()).status, 100);
  await pour(wire, bytes);
  assert.equal((await wire.response()).json.text, sha(bytes));
  assert.equal(stage.sink.last.headers.expect, undefined);
  wire.close();
});

test('a key is asked for before anything is passed on', async () => {
  const wire = await Wire.open(stage.gw.port);
  const bytes = form(5 * MIB);
  await wire.send(headOf(bytes.length).replace(KEY, 'wrong'));
  const poured = pour(wire, bytes);
  assert.equal((await wire.response()).status, 401);
  await poured;
  assert.equal(stage.sink.seen.length, 0);
  wire.close();
});

describe('a model that comes late', () => {
  const late = field('model', 'whisper-1');

  test('goes where the provider is named, or to the default', async () => {
    const bytes = form(400_000, { model: null, late });
    for (const lane of ['lean', 'library']) {
      assert.equal((await upload(bytes, { lane })).json.text, sha(bytes));
    }
    const wire = await Wire.open(stage.gw.port);
    await wire.send(headOf(bytes.length).replace('model-provider: lean\r\n', ''));
    await pour(wire, bytes);
    assert.equal((await wire.response()).json.text, sha(bytes));
    wire.close();
  });

  test('is asked for earlier where that is no provider of such things', async () => {
    const reply = await upload(form(400_000, { model: null, late }), { lane: 'other' });
    assert.equal(reply.status, 400);
    assert.match(reply.json.error.message, /before the file/);
  });
});

describe('rules', () => {
  const renamed = (bytes, from, to) => Buffer.concat([Buffer.from(field('model', to)),
    bytes.subarray(field('model', from).length)]);

  test('rename the model of an upload, before it is sent', async () => {
    const bytes = form(600_000);
    for (const [more, name] of [['x-rename: whisper-2', 'whisper-2'],
      ['x-attempt: 1', 'whisper-9'], ['x-rename: a\r\nx-attempt: 1', 'whisper-9']]) {
      const reply = await upload(bytes, { more: `${more}\r\n` });
      assert.equal(reply.json?.text, sha(renamed(bytes, 'whisper-1', name)), reply.text);
    }
  });

  test('cannot rename what has not come, and cannot read it', async () => {
    const bytes = form(600_000, { model: null, late: field('model', 'whisper-1') });
    const reply = await upload(bytes, { more: 'x-rename: whisper-2\r\n' });
    assert.deepEqual([reply.status, reply.json.error.param], [400, 'model']);
    assert.ok((await upload(form(10), { more: 'x-read: 1\r\n' })).status >= 400);
    assert.equal(stage.sink.seen.length, 0);
  });
});

test('what is forwarded passes the same way', async () => {
  for (const [size, chunks] of [[100, false], [2 * MIB, false], [2 * MIB, true]]) {
    const bytes = form(size);
    const reply = await upload(bytes, { target: '/fw/v2/things?a=b', chunks });
    assert.deepEqual(reply.json, { text: sha(bytes), bytes: bytes.length });
    assert.equal(stage.sink.last.url, '/any/v2/things?a=b');
    assert.equal(stage.sink.last.headers.authorization, 'Bearer sk-fw');
  }
  stage.sink.handle = refuseEarly;
  const reply = await upload(form(10 * MIB), { target: '/fw/v2/things' });
  assert.deepEqual([reply.status, reply.json.error.param], [400, 'file']);
});

describe('a form that could be read in two ways', () => {
  const body = (text) => Buffer.from(text);
  const cases = {
    'the model stands twice': body(field('model', 'a') + field('model', 'b') + FILE + END),
    'the model is a file': body(FILE.replace('"file"', '"model"') + END),
    'the boundary is another': body((field('model', 'a') + FILE + END).replaceAll(B, 'another')),
    'a part has no name': body(field('model', 'a').replace('; name="model"', '') + FILE + END),
    'the end is missing': body(field('model', 'a') + FILE),
    'it is no form': body('{"model":"a"}'),
  };
  for (const [what, bytes] of Object.entries(cases)) {
    test(`is refused: ${what}`, async () => {
      const reply = await upload(bytes);
      assert.equal(reply.status, 400, reply.text);
      assert.match(reply.json.error.message, /not valid multipart/);
      assert.equal(stage.sink.seen.length, 0);
    });
  }
});
