// Images and documents by address, fetched for upstreams that want the bytes, and what is not
// fetched.

import { after, afterEach, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { FakeGemini } from '../upstream/gemini.mjs';
import { FakeOllama } from '../upstream/ollama.mjs';
import { FakeOpenAI } from '../upstream/openai.mjs';
import { Gateway, KEY } from './lib/gateway.mjs';
import { until } from './lib/wait.mjs';
import { PNG } from './scenarios/shared.mjs';

const PDF = Buffer.from('%PDF-1.7 and more');
const MODELS = { ollama: 'home:llava', gemini: 'gem:gemini-1.5-pro',
  'gemini 2': 'gem:gemini-2.5-flash' };

const fakes = {};
let pages;
let gw;
let openai;
let claude;
let hits = [];
let open = 0;

/** A server of images, some of which are none. */
function serve(request, response) {
  const bytes = Buffer.from(PNG, 'base64');
  hits.push(request.url);
  open += 1;
  response.on('close', () => { open -= 1; });
  const send = (status, headers, body) => {
    response.writeHead(status, headers);
    response.end(body);
  };
  const path = request.url.replace(/\?.*/, '');
  const port = pages.address().port;
  const page = {
    '/ok.png': () => send(200, { 'content-type': 'image/png' }, bytes),
    '/lies.png': () => send(200, { 'content-type': 'image/gif' }, bytes),
    '/page.png': () => send(200, { 'content-type': 'text/html' }, '<html>no image</html>'),
    '/a.pdf': () => send(200, { 'content-type': 'application/pdf' }, PDF),
    '/a.txt': () => send(200, { 'content-type': 'text/plain' }, 'The law says so'),
    '/big.png': () => send(200, { 'content-type': 'image/png' },
      Buffer.concat([bytes, Buffer.alloc(80_000)])),
    '/endless.png': () => {
      response.writeHead(200, { 'content-type': 'image/png' });
      response.write(bytes);
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(20_000))) { /* until full */ }
      };
      response.on('drain', more);
      more();
    },
    '/slow.png': () => {
      response.writeHead(200, { 'content-type': 'image/png', 'content-length': bytes.length + 9 });
      response.write(bytes);
    },
    '/gone.png': () => {
      response.writeHead(200, { 'content-type': 'image/png', 'content-length': 1000 });
      response.write(bytes, () => request.socket.destroy());
    },
    '/to-ok': () => send(302, { location: '/ok.png' }),
    '/to-name': () => send(302, { location: `http://localhost:${port}/ok.png` }),
    '/to-metadata': () => send(307, { location: 'http://169.254.169.254/latest/meta-data/' }),
    '/to-itself': () => send(302, { location: '/to-itself' }),
  }[path];
  (page ?? (() => send(404, {}, 'nothing')))();
}

const at = (path, host = '127.0.0.1') => `http://${host}:${pages.address().port}${path}`;

before(async () => {
  pages = http.createServer(serve);
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  fakes.home = await new FakeOllama({ key: 'sk-up' }).listen();
  fakes.gem = await new FakeGemini({ key: 'sk-up' }).listen();
  fakes.oa = await new FakeOpenAI({ key: 'sk-up' }).listen();
  const accounts = [{ name: 'a', api_key: 'sk-up' }];
  gw = await Gateway.start({ config: {
    workers: 1, default_provider: 'home',
    fetch: { media: ['127.0.0.1', 'local*', '127.*', '*.invalid'], media_size: '64KiB',
      media_total: '128KiB', media_timeout: 1.5 },
    providers: {
      home: { type: 'ollama', base_url: fakes.home.url, accounts },
      gem: { type: 'gemini', base_url: fakes.gem.url, accounts },
      ch: { type: 'openai', base_url: `${fakes.oa.url}/v1`, accounts },
      strict: { type: 'ollama', base_url: fakes.home.url, loss: 'refuse', accounts },
    },
  } });
  openai = new OpenAI({ apiKey: KEY, baseURL: `${gw.url}/v1`, maxRetries: 0 });
  claude = new Anthropic({ apiKey: KEY, baseURL: gw.url, maxRetries: 0 });
});
afterEach(async () => {
  await gw.settle({ except: ['connections'] });
  await until(5000, () => open === 0, () => 'no page is being read any more');
  hits = [];
  for (const fake of Object.values(fakes)) {
    assert.deepEqual(fake.failures, []);
    fake.clear();
  }
});
after(async () => {
  await gw?.stop();
  for (const fake of Object.values(fakes)) {
    await fake.close();
  }
  pages?.closeAllConnections();
  pages?.close();
});

const chat = (model, urls, more = {}) => openai.chat.completions.create({ model, messages: [{
  role: 'user', content: [...(more.text === null ? [] : [{ type: 'text', text: 'Look' }]),
    ...urls.map((url) => ({ type: 'image_url', image_url: { url } }))] }] }, more.options);

const message = (model, blocks) => claude.messages.create({ model, max_tokens: 100,
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Look' }, ...blocks] }] });

const by = (url) => ({ type: 'image', source: { type: 'url', url } });

/** The images that an upstream was sent. */
const IMAGES = {
  ollama: () => fakes.home.requests.at(-1).json.messages.flatMap((m) => m.images ?? []),
  gemini: () => fakes.gem.requests.at(-1).json.contents.flatMap((c) => c.parts)
    .flatMap((part) => (part.inlineData ? [part.inlineData.data] : [])),
};
IMAGES['gemini 2'] = IMAGES.gemini;

for (const kind of Object.keys(MODELS)) {
  describe(`images by address, for an upstream of kind ${kind}`, () => {
    test('are fetched for the OpenAI SDK', async () => {
      await chat(MODELS[kind], [at('/ok.png'), at('/lies.png'), at('/to-ok')]);
      assert.deepEqual(IMAGES[kind](), [PNG, PNG, PNG]);
      assert.deepEqual(hits.sort(), ['/lies.png', '/ok.png', '/ok.png', '/to-ok']);
    });

    test('are fetched for the Anthropic SDK, each once', async () => {
      await message(MODELS[kind], [by(at('/ok.png')), by(at('/ok.png')), by(at('/ok.png'))]);
      assert.deepEqual(IMAGES[kind](), [PNG, PNG, PNG]);
      assert.deepEqual(hits, ['/ok.png']);
    });
  });
}

test('a PDF by address reaches a Chat upstream whole, a text reaches Ollama', async () => {
  await message('ch:gpt-4o', [{ type: 'document', source: { type: 'url', url: at('/a.pdf') } }]);
  const parts = fakes.oa.requests[0].json.messages[0].content;
  assert.equal(parts[1].file.file_data, `data:application/pdf;base64,${PDF.toString('base64')}`);
  await message(MODELS.ollama, [{ type: 'document', source: { type: 'url', url: at('/a.txt') } }]);
  assert.match(fakes.home.requests[0].json.messages[0].content, /The law says so/);
});

test('an upstream that takes addresses gets them, and nothing is fetched', async () => {
  const url = `https://127.0.0.1:${pages.address().port}/ok.png`;
  await chat('gem:gemini-3-flash-preview', [url]);
  const [{ parts }] = fakes.gem.requests[0].json.contents;
  assert.equal(parts[1].fileData.fileUri, url);
  assert.deepEqual(hits, []);
});

describe('what cannot be fetched is a 400 that says where and why:', () => {
  const PLACE = 'messages[0].content[1].image_url.url';
  for (const [what, url, why] of [
    ['a name of this machine', () => at('/ok.png', 'localhost'), /has no public address/],
    ['another spelling of it', () => at('/ok.png', '127.1'), /has no public address/],
    ['a name that does not exist', () => 'http://no-such-host.invalid/', /has no address/],
    ['what is no URL', () => 'http://127.0.0.1 x/', /must be escaped/],
    ['a user before another host', () => 'http://127.0.0.1@127.0.0.2/', /must not hold a user/],
    ['nobody there', () => 'http://127.0.0.1:1/', /cannot connect|refused/],
    ['no such page', () => at('/nothing'), /answered 404/],
    ['a page', () => at('/page.png'), /no image \(text\/html\)/],
    ['one that is too large', () => at('/big.png'), /larger than 65536 bytes/],
    ['one without an end', () => at('/endless.png'), /larger than 65536 bytes/],
    ['one that takes too long', () => at('/slow.png'), /was not over within 1\d+ ms/],
    ['one that breaks off', () => at('/gone.png'), /closed the connection before the end/],
    ['a redirect to a name of this machine', () => at('/to-name'), /has no public address/],
    ['a redirect to a metadata service', () => at('/to-metadata'), /not in the configuration/],
    ['a redirect without an end', () => at('/to-itself'), /redirects more than 3 times/],
  ]) {
    test(what, async () => {
      await assert.rejects(chat(MODELS.ollama, [url()]), (error) => {
        assert.equal(error.status, 400);
        assert.equal(error.param, PLACE);
        assert.ok(error.message.includes(`${PLACE}: it cannot be fetched: `), error.message);
        assert.match(error.message, why);
        return true;
      });
      assert.equal(fakes.home.requests.length, 0);
    });
  }

  test('many that are too large together', async () => {
    const urls = Array.from({ length: 2000 }, (_, i) => at(`/ok.png?${i}`));
    await assert.rejects(chat(MODELS.ollama, urls), /more than 64 URLs/);
    assert.deepEqual(hits, []);
  });
});

test('the Anthropic SDK is told the place in its own request', async () => {
  await assert.rejects(message(MODELS.ollama, [by(at('/nothing'))]), (error) => (
    error.status === 400 && error.message.includes('messages[0].content[1].source.url: ')));
});

describe('a host that is not allowed', () => {
  test('leaves a note, which is a recorded loss', async () => {
    const { response } = await openai.chat.completions.create({ model: MODELS.ollama, messages: [{
      role: 'user', content: [{ type: 'text', text: 'Look' },
        { type: 'image_url', image_url: { url: 'http://10.0.0.1/x.png' } }] }] }).withResponse();
    assert.equal(response.headers.get('x-proxima-lost'), 'messages.image');
    assert.match(fakes.home.requests[0].json.messages[0].content, /\[image omitted: http:\/\/10/);
  });

  test('is a 400 where the message says nothing else, or losses are refused', async () => {
    await assert.rejects(chat(MODELS.ollama, ['http://10.0.0.1/x.png'], { text: null }),
      /messages\[0\]\.content\[0\]\.image_url\.url: .*10\.0\.0\.1.*fetch\.media/);
    await assert.rejects(chat('strict:llava', ['http://10.0.0.1/x.png']), /messages\.image/);
    assert.equal(fakes.home.requests.length, 0);
  });
});

test('a client that leaves ends what is fetched for it', async () => {
  const leave = new AbortController();
  const asked = chat(MODELS.ollama, [at('/slow.png'), at('/slow.png?2')],
    { options: { signal: leave.signal } });
  await until(5000, () => hits.length === 2, () => 'both are being fetched');
  const left = Date.now();
  leave.abort();
  await assert.rejects(asked);
  await until(5000, () => open === 0, () => 'both are let go');
  assert.ok(Date.now() - left < 1300, 'before their time is over');
});

test('more than 64 at once are too many: who comes too late is told to come again', async () => {
  const urls = Array.from({ length: 4 }, (_, i) => at(`/slow.png?${i}`));
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => (
    chat(MODELS.ollama, urls).then(() => 'answered', (error) => (
      `${error.status} ${error.headers.get('retry-after')}`)))));
  const count = (what) => outcomes.filter((outcome) => outcome === what).length;
  assert.deepEqual([count('400 null'), count('503 2')], [16, 4]);
  assert.equal(hits.length, 64);
});

test('files as large as may be fit into what a request may use', async () => {
  const size = 9 * 1024 * 1024;
  const bytes = Buffer.concat([Buffer.from(PNG, 'base64'), Buffer.alloc(size, 7)]);
  const large = http.createServer((request, response) => {
    response.end(bytes);
  }).listen(0, '127.0.0.1');
  await once(large, 'listening');
  const wide = await Gateway.start({ config: { default_provider: 'home',
    fetch: { media: ['127.0.0.1'] }, providers: { home: { type: 'ollama',
      base_url: fakes.home.url, accounts: [{ name: 'a', api_key: 'sk-up' }] } } } });
  try {
    const url = `http://127.0.0.1:${large.address().port}/`;
    const content = [0, 1].map((i) => ({ type: 'image_url', image_url: { url: `${url}?${i}` } }));
    const { status, text } = await wide.chat({ model: 'llava',
      messages: [{ role: 'user', content }] }, { timeout: 60_000 });
    assert.equal(status, 200, text);
    const { images } = fakes.home.requests[0].json.messages[0];
    assert.deepEqual(images.map((image) => image.length), Array(2).fill(4 * Math.ceil(
      bytes.length / 3)));
  } finally {
    await wide.stop();
    large.closeAllConnections();
    large.close();
  }
});

test('many requests at once get all of theirs', async () => {
  const urls = Array.from({ length: 6 }, (_, i) => at(`/ok.png?${i}`));
  await Promise.all(Array.from({ length: 12 }, () => chat(MODELS.ollama, urls)));
  assert.equal(hits.length, 72);
  assert.ok(fakes.home.requests.every(({ json }) => json.messages[0].images.length === 6));
});
