// Images and sound by the official OpenAI SDK, over a vendor that has them.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import OpenAI, { toFile } from 'openai';
import { corpusMissing } from '../upstream/corpus.mjs';
import { digest } from '../upstream/images_audio.mjs';
import { KEY } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';
import { collect } from './scenarios/shared.mjs';

const RULES = `px.on('done', {}, function(r)
  px.log.info(('used %s %s %s'):format(r.provider, r.upstream_model,
    r.usage and r.usage.input + r.usage.output or 'nothing'))
end)`;
const stage = useStage({ keepsConnections: true, files: { 'rules/done.lua': RULES }, config: {
  providers: { both: { type: 'responses', base_url: 'http://127.0.0.1:1/v1', models: ['gpt-x'],
    accounts: [{ name: 'c', api_key: 'sk-up' }] } },
  models: { painter: 'oa:gpt-image-1', ear: 'oa:whisper-1' } } });
const client = (more = {}) => new OpenAI({ apiKey: KEY, baseURL: `${stage.gw.url}/v1`,
  maxRetries: 0, ...more });
const png = (size = 1000) => randomBytes(size);
const text = (reply, at = 0) => Buffer.from(reply.data[at].b64_json, 'base64').toString();

describe('images', () => {
  test('are generated, by an alias, with a prefix and without a model', async () => {
    for (const [model, name] of [['painter', 'gpt-image-1'], ['oa:dall-e-3', 'dall-e-3'],
      ['gpt-image-1', 'gpt-image-1'], [undefined, 'dall-e-2']]) {
      const reply = await client().images.generate({ model, prompt: 'a fox', n: 2 });
      assert.equal(text(reply, 1), `${name}: a fox`);
    }
    assert.deepEqual(stage.oa.refusals, []);
  });

  test('are generated as a stream', async () => {
    const events = await collect(await client().images.generate({ model: 'painter',
      prompt: 'a fox', stream: true, partial_images: 1 }));
    assert.deepEqual(events.map((one) => one.type),
      ['image_generation.partial_image', 'image_generation.completed']);
    assert.equal(events[1].usage.total_tokens, 18);
  });

  test('are edited, also as a stream, and varied', async () => {
    const image = png();
    const file = () => toFile(image, 'a.png', { type: 'image/png' });
    const edited = await client().images.edit({ model: 'painter', image: await file(),
      prompt: 'more red' });
    assert.equal(text(edited), `gpt-image-1: ${digest(image)}`);
    const two = await client().images.edit({ image: [await file(), await file()],
      prompt: 'more red', model: 'oa:gpt-image-1' });
    assert.equal(text(two), `gpt-image-1: ${digest(image)}`);
    const events = await collect(await client().images.edit({ model: 'painter', stream: true,
      image: await file(), prompt: 'more red' }));
    assert.equal(events.at(-1).type, 'image_edit.completed');
    const varied = await client().images.createVariation({ image: await file(), n: 3 });
    assert.deepEqual([varied.data.length, text(varied)], [3, `dall-e-2: ${digest(image)}`]);
    assert.deepEqual(stage.oa.refusals, []);
  });
});

test('an image that is larger than what is looked at passes whole', async () => {
  const large = { type: 'image_generation.completed', b64_json: 'A'.repeat(12_000_000) };
  for (const events of [[large], [{ ...large, b64_json: 'AA' }, large]]) {
    stage.oa.script({ pieces: events.map((one) => `data: ${JSON.stringify(one)}\n\n`) });
    const seen = await collect(await client().images.generate({ model: 'painter', prompt: 'x',
      stream: true }));
    assert.deepEqual(seen.map((one) => one.b64_json.length), events.map((one) => one.b64_json.length));
  }
});

describe('sound', () => {
  test('is spoken, whole and as events', async () => {
    const said = await client().audio.speech.create({ model: 'oa:tts-1', voice: 'alloy',
      input: 'Hello' });
    assert.equal(said.headers.get('content-type'), 'audio/mpeg');
    assert.equal(Buffer.from(await said.arrayBuffer()).toString(), 'Hello'.repeat(1000));
    const events = await client().audio.speech.create({ model: 'gpt-4o-mini-tts', voice: 'alloy',
      input: 'Hello', stream_format: 'sse' });
    assert.match(await events.text(), /speech\.audio\.delta[\s\S]*speech\.audio\.done/);
  });

  test('is spoken while it is made', async () => {
    let go;
    const made = new Promise((done) => { go = done; });
    stage.oa.script({ headers: { 'content-type': 'audio/pcm' },
      pieces: ['first', () => made, 'second'] });
    const said = await client().audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'x' });
    const pieces = said.body[Symbol.asyncIterator]();
    assert.equal(Buffer.from((await pieces.next()).value).toString(), 'first');
    go();
    assert.equal(Buffer.from((await pieces.next()).value).toString(), 'second');
    assert.equal((await pieces.next()).done, true);
  });

  test('is never shown as complete when it was cut', async () => {
    stage.oa.script({ headers: { 'content-type': 'audio/pcm' }, pieces: ['first'], finish: 'cut' });
    const said = await client().audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'x' });
    await assert.rejects(said.arrayBuffer());
  });

  test('is written down and translated, in every form', async () => {
    const sound = randomBytes(200_000);
    const heard = `heard ${digest(sound)} by whisper-1`;
    const file = () => toFile(sound, 'a.mp3', { type: 'audio/mpeg' });
    const { audio } = client();
    assert.equal((await audio.transcriptions.create({ file: await file(), model: 'ear' })).text,
      heard);
    assert.equal(await audio.transcriptions.create({ file: await file(), model: 'oa:whisper-1',
      response_format: 'text' }), `${heard}\n`);
    const events = await collect(await audio.transcriptions.create({ file: await file(),
      model: 'ear', stream: true }));
    assert.equal(events.filter((one) => one.delta).map((one) => one.delta).join(''), heard);
    assert.equal(events.at(-1).text, heard);
    assert.equal((await audio.translations.create({ file: await file(), model: 'ear' })).text,
      heard);
    assert.deepEqual(stage.oa.refusals, []);
  });

  test('that fails before anything was said fails with a status', async () => {
    const nested = { type: 'error', error: { type: 'rate_limit_error', code: 'rate_limit_exceeded',
      message: 'Slow down.' } };
    const flat = { type: 'error', code: 'rate_limit_exceeded', message: 'Slow down.', param: null };
    for (const event of [nested, flat, { error: nested.error }]) {
      stage.oa.script({ pieces: [': hi\n\n', `event: error\ndata: ${JSON.stringify(event)}\n\n`] });
      await assert.rejects(client().audio.transcriptions.create({ model: 'ear', stream: true,
        file: await toFile(png(), 'a.mp3') }), (error) => {
        assert.deepEqual([error.status, error.error.message], [429, 'Slow down.']);
        return true;
      });
    }
  });

  test('of which nothing is heard fails with a status', async () => {
    for (const [pieces, finish] of [[[], 'cut'], [[], 'reset'], [[': hi\n\n', 'data: {"ty'], 'cut']]) {
      stage.oa.script({ pieces, finish });
      await assert.rejects(client().audio.transcriptions.create({ model: 'ear', stream: true,
        file: await toFile(png(), 'a.mp3') }), (error) => {
        assert.deepEqual([error.status, error.error.code], [502, 'upstream_cut']);
        return true;
      });
    }
  });

  test('whose stream is cut ends with an error', async () => {
    stage.oa.script({ pieces: ['event: transcript.text.delta\n'
      + 'data: {"type":"transcript.text.delta","delta":"Hel"}\n\n', 'event: tran'],
    finish: 'cut' });
    const stream = await client().audio.transcriptions.create({ model: 'ear', stream: true,
      file: await toFile(png(), 'a.mp3') });
    const seen = [];
    await assert.rejects(async () => {
      for await (const event of stream) {
        seen.push(event.delta);
      }
    }, /upstream/);
    assert.deepEqual(seen, ['Hel']);
  });
});

test('what was used reaches the rules', async () => {
  for (const [more, used] of [[{}, '18'], [{ stream: true }, '18']]) {
    const from = stage.gw.log.length;
    const reply = await client().images.generate({ model: 'painter', prompt: 'a fox', ...more });
    if (more.stream) {
      await collect(reply);
    }
    await stage.gw.logged(new RegExp(`used oa gpt-image-1 ${used}`), { from });
  }
  const from = stage.gw.log.length;
  const said = await client().audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'x' });
  await said.arrayBuffer();
  await stage.gw.logged(/used oa tts-1 nothing/, { from });
});

test('a provider of Responses has them too', async () => {
  await assert.rejects(client().images.generate({ model: 'both:gpt-image-1', prompt: 'a fox' }),
    (error) => error.status === 502 && /both cannot be reached/.test(error.message));
});

describe('refusals', () => {
  test('the vendor\'s own words reach the client', async () => {
    await assert.rejects(client().images.generate({ model: 'painter', prompt: '' }), (error) => (
      error instanceof OpenAI.BadRequestError && error.param === 'prompt'));
    await assert.rejects(client().images.edit({ model: 'painter', image: await toFile(png(), 'a') }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === 'prompt');
  });

  test('a provider that has none says so', async () => {
    for (const ask of [() => client().images.generate({ model: 'an:claude', prompt: 'a fox' }),
      async () => client().images.createVariation({ model: 'an:claude', image: await toFile(png(),
        'a.png') })]) {
      await assert.rejects(ask, (error) => error instanceof OpenAI.BadRequestError
        && /The provider an has no \/images/.test(error.message));
    }
    assert.equal(stage.an.requests.length, 0);
  });

  test('a provider is named by path and header', async () => {
    const file = async () => toFile(png(), 'a.mp3');
    for (const more of [{ baseURL: `${stage.gw.url}/an/v1` },
      { defaultHeaders: { 'model-provider': 'an' } }]) {
      await assert.rejects(client(more).audio.transcriptions.create({ file: await file(),
        model: 'whisper-1' }), /The provider an has no \/audio/);
    }
    const own = client({ baseURL: `${stage.gw.url}/oa/v1` });
    assert.match((await own.audio.transcriptions.create({ file: await file(),
      model: 'whisper-1' })).text, /whisper-1/);
  });

  test('an upload is nothing for a conversation', async () => {
    const { json, status } = await stage.gw.post('/v1/chat/completions', '--b--\r\n',
      { headers: { 'content-type': 'multipart/form-data; boundary=b' } });
    assert.deepEqual([status, json.error.type], [400, 'invalid_request_error']);
    assert.match(json.error.message, /JSON is expected/);
  });
});

describe('recorded answers', { skip: corpusMissing }, () => {
  const files = corpusMissing ? [] : ['openai-images', 'openai-audio'].flatMap((protocol) => {
    const root = path.join(process.env.PX_CORPUS, protocol);
    return fs.readdirSync(root, { recursive: true }).filter((name) => name.endsWith('.json'))
      .map((name) => path.join(root, name));
  });

  for (const file of files) {
    test(path.basename(file), async () => {
      const recorded = JSON.parse(fs.readFileSync(file, 'utf8'));
      const list = recorded.exchanges ?? [{ response: { status: 200, headers: {
        'content-type': 'application/json' }, ...(recorded.headers ? recorded : { body: recorded }) },
      request: { uri: `/v1/${file.includes('images') ? 'images/generations'
        : 'audio/transcriptions'}`, headers: {}, body: { model: 'x', prompt: 'x' } } }];
      for (const { request, response } of list) {
        const bytes = Buffer.from(typeof response.body === 'string' ? response.body
          : JSON.stringify(response.body));
        stage.oa.lenient = true;
        stage.oa.script({ status: response.status, body: bytes,
          headers: { 'content-type': response.headers['content-type'] } });
        const target = new URL(request.uri, 'http://vendor').pathname;
        const body = Buffer.from(typeof request.body === 'string' ? request.body
          : JSON.stringify(request.body));
        const reply = await stage.gw.post(target, body, { headers: {
          'content-type': request.headers['content-type'] ?? 'application/json' } });
        assert.equal(reply.status, response.status, reply.text.slice(0, 200));
        assert.ok(reply.body.equals(bytes), 'byte for byte');
        assert.equal(reply.headers['content-type'], response.headers['content-type']);
        assert.ok(stage.oa.last.body.equals(body), 'the request too');
      }
    });
  }
});
