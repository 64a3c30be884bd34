// Recorded streams of real vendors, each read by the official SDK of every client: they say what
// the vendor said. At the end the numbers are printed.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { corpusMissing } from '../upstream/corpus.mjs';
import { SDKS } from './corpus/sdks.mjs';
import { Table } from './corpus/table.mjs';
import { ollamaStreams, VENDORS } from './corpus/vendors.mjs';
import { useFive } from './lib/five.mjs';

const five = useFive();
const splits = [undefined, 1, { seed: 1 }, { seed: 2 }, { seed: 3 }];
const table = new Table('Recorded streams, as the SDKs of their clients read them');
const HI = [{ role: 'user', content: 'Hi' }];

function count(vendor, client, what) {
  table.count(`${vendor} to ${client}`, what);
}

/** Arguments by content: key order and white space are the writer's. */
function json(text) {
  try {
    return JSON.parse(text || '{}');
  } catch {
    return text;
  }
}

/** Free text where a protocol has only objects: in `input`, or as what could not be read. */
const unwrapped = (value) => (typeof value === 'object' && value !== null
  && Object.keys(value).length === 1 && ('input' in value || '_raw' in value)
  ? value.input ?? value._raw : value);

function sameCalls(got, want) {
  assert.deepEqual(got.map((one) => one.name), want.map((one) => one.name));
  want.forEach(({ args }, at) => {
    if (args !== undefined) {
      assert.deepEqual(unwrapped(json(got[at].args)), unwrapped(json(args)));
    }
  });
}

/** What a client has no words for: section 16 of the losses that conversion cannot avoid. */
function expected(client, want) {
  const finish = client === 'ollama' && want.finish === 'filter'
    ? want.calls.length ? 'tool' : 'stop' : want.finish;
  return { ...want, finish };
}

function same(client, got, said) {
  const want = expected(client, said);
  // A note stands in for an image.
  assert.equal(got.text.replaceAll('[image omitted]', ''), want.text);
  sameCalls(got.calls, want.calls);
  assert.equal(got.finish, want.finish);
  assert.equal(got.thinking, want.thinking ?? '');
  if (want.usage && (want.usage.input || want.usage.output)) {
    const { read, ...rest } = want.usage;
    assert.deepEqual(got.usage, got.usage.read === undefined ? rest : want.usage);
  }
}

for (const [vendor, { read, streams }] of Object.entries(VENDORS)) {
  const lines = vendor === 'ollama';
  const headers = lines ? { 'content-type': 'application/x-ndjson' } : undefined;

  for (const [client, readWith] of Object.entries(SDKS)) {
    if (client === vendor) {
      continue;  // Relayed: below.
    }
    describe(`${vendor} read by ${client}`, { skip: corpusMissing }, () => {
      streams().forEach(({ name, text }, at) => {
        test(name, async () => {
          const { fake, model } = five.of(vendor);
          fake.script({ pieces: [text], split: splits[at % splits.length], headers });
          const said = read(text);
          const asked = readWith({ url: five.gw.url, model });
          if (said.error || said.broken) {
            await assert.rejects(asked);
            count(vendor, client, 'raise');
            return;
          }
          same(client, await asked, said);
          count(vendor, client, 'same');
        });
      });
    });
  }
}

// Where client and vendor speak the same, not a byte is another one; what a stream then says is
// between the two.
const RELAYED = {
  openai: ['/v1/chat/completions', (model) => ({ model, messages: HI, stream: true })],
  responses: ['/v1/responses', (model) => ({ model, input: 'Hi', stream: true })],
  anthropic: ['/v1/messages', (model) => ({ model, messages: HI, max_tokens: 10, stream: true })],
  gemini: [(model) => `/v1beta/models/${model}:streamGenerateContent?alt=sse`, () => ({
    contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] })],
  ollama: ['/api/chat', (model) => ({ model, messages: HI })],
};

for (const [vendor, { read, streams }] of Object.entries(VENDORS)) {
  describe(`${vendor} relayed`, { skip: corpusMissing }, () => {
    streams().forEach(({ name, text }, at) => {
      test(`${name} passes byte for byte`, async () => {
        const { fake, model } = five.of(vendor);
        fake.script({ pieces: [text], split: splits[at % splits.length],
          headers: vendor === 'ollama' ? { 'content-type': 'application/x-ndjson' } : undefined });
        const [path, body] = RELAYED[vendor];
        const reply = await five.gw.post(typeof path === 'string' ? path : path(model),
          body(model));
        const said = read(text);
        if (reply.status !== 200) {
          assert.ok(said.error, `${reply.status} ${reply.text}`);
          return;
        }
        assert.ok(reply.text === text || (said.broken && reply.text.startsWith(text)), name);
        count(vendor, vendor, 'same');
      });
    });
  });
}

describe('ollama generations relayed', { skip: corpusMissing }, () => {
  ollamaStreams(/\/api\/generate$/).forEach(({ name, text }) => {
    test(`${name} passes byte for byte`, async () => {
      const { fake, model } = five.of('ollama');
      fake.script({ pieces: [text], headers: { 'content-type': 'application/x-ndjson' } });
      const reply = await five.gw.post('/api/generate', { model, prompt: 'Hi' });
      assert.deepEqual([reply.status, reply.text], [200, text]);
    });
  });
});

after(() => corpusMissing || table.print());
