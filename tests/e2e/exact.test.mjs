// What must not change between any client and any upstream: arguments of tools to the letter, there
// and back, and answers however their bytes were cut.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { KINDS, useFive } from './lib/five.mjs';
import { ask, CLIENTS } from './matrix/clients.mjs';
import { WORDS } from './scenarios/shared.mjs';

const five = useFive();

// Key order, empty objects and lists, whole numbers that are none in JavaScript, numbers written as
// a double is not, names of schemas' words.
const ARGS = '{"z":{},"a":[],"n":9007199254740993,"f":1.0,"m":[{"b":[{}],"a":-0.10}],"e":1E+2,'
  + '"type":"é","s":"a\\"b\\\\n\\nc"}';
const CALL = { id: 'call_1', name: 'get_weather', args: ARGS };
const TOOL = { name: 'get_weather', description: 'W', schema: { type: 'object', properties: {} } };

/** True if arguments stand in a body, as JSON or as text that holds JSON. */
function holds(body, args) {
  return body.includes(args) || body.includes(JSON.stringify(args));
}

/** What the pieces of a stream's arguments make together. */
function joined(text) {
  return [...text.matchAll(/"(?:partial_json|arguments)":("(?:[^"\\]|\\.)*")/g)]
    .map(([, piece]) => JSON.parse(piece)).join('');
}

for (const kind of Object.keys(KINDS)) {
  for (const client of Object.keys(CLIENTS)) {
    describe(`arguments between ${client} and ${kind}`, () => {
      for (const stream of [false, true]) {
        test(`come back to the letter, ${stream ? 'streamed' : 'whole'}`, async () => {
          const upstream = five.of(kind);
          upstream.say({ calls: [CALL], finish: 'tool' });
          const reply = await ask(five.gw, client, { model: upstream.model, stream,
            asks: { turns: [{ user: 'Hi' }], tools: [TOOL] } });
          assert.equal(reply.status, 200, reply.text);
          assert.ok(holds(reply.text, ARGS) || joined(reply.text).includes(ARGS), reply.text);
        });
      }

      test('go out to the letter', async () => {
        const upstream = five.of(kind);
        const { body, path } = CLIENTS[client];
        // The client writes a stand-in, which is an object or text that holds one.
        const text = JSON.stringify(body({ max: 4000, tools: [TOOL], turns: [{ user: 'Hi' },
          { calls: [{ ...CALL, args: '{"raw":0}' }] },
          { results: [{ id: CALL.id, name: CALL.name, text: 'x' }] }] }, upstream.model, false))
          .replace('"{\\"raw\\":0}"', () => JSON.stringify(ARGS)).replace('{"raw":0}', () => ARGS);
        const reply = await five.gw.post(path(upstream.model, false), text,
          { headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' } });
        assert.equal(reply.status, 200, reply.text);
        assert.deepEqual(upstream.fake.refusals, []);
        const sent = upstream.fake.last.body.toString();
        assert.ok(holds(sent, ARGS), sent);
      });
    });
  }
}

const SAID = { thinking: 'Hm', text: WORDS, calls: [CALL], finish: 'tool', step: 40 };

// A stream with more bytes than this is cut at as many places as this, evenly.
const MOST = 1200;

/** An answer without what is another one each time. */
function settled({ status, text }) {
  return `${status} ${text}`.replace(/"(created|created_at|completed_at)":("[^"]*"|\d+)/g, '"$1":0')
    .replace(/"(total|load|eval|prompt_eval)_duration":\d+/g, '"$1_duration":0')
    .replace(/\b(chatcmpl|resp|msg|rs|fc|gen)[-_]\w+/g, '$1')
    .replace(/"responseId":"[^"]*"/g, '"responseId":""');
}

/** Makes `count` things by `make(index)`, eight at a time. */
async function many(count, make) {
  let next = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (next < count) {
      await make(next++);
    }
  }));
}

// One client for each upstream that converts, and the one that is relayed: between them is what a
// cut could meet, the gateway's parsers of events and of lines and its watch over what it relays.
const OTHER = { openai: 'anthropic', responses: 'openai', anthropic: 'responses', gemini: 'openai',
  ollama: 'gemini' };

for (const kind of Object.keys(KINDS)) {
  for (const client of [OTHER[kind], kind]) {
    test(`${client} reads the same of ${kind} wherever the bytes are cut`, async () => {
      const upstream = five.of(kind);
      const asks = { turns: [{ user: 'Hi' }], tools: [TOOL] };
      let whole;
      upstream.fake.script((exchange) => {
        const answer = upstream.fake.say(exchange, SAID);
        whole = { ...answer, pieces: [Buffer.concat(answer.pieces
          .filter((piece) => typeof piece !== 'number').map((piece) => Buffer.from(piece)))] };
        return whole;
      });
      const once = () => ask(five.gw, client, { asks, model: upstream.model, stream: true });
      const want = settled(await once());
      assert.match(want, /^200 /);
      const [bytes] = whole.pieces;
      const step = Math.max(1, bytes.length / MOST);
      const places = Array.from({ length: Math.floor((bytes.length - 1) / step) },
        (_, at) => 1 + Math.floor(at * step));
      upstream.fake.script(...places.map((at) => ({ ...whole,
        pieces: [bytes.subarray(0, at), bytes.subarray(at)] })));
      const different = [];
      await many(places.length, async () => {
        const got = settled(await once());
        if (got !== want) {
          different.push(got);
        }
      });
      assert.deepEqual(different.slice(0, 1), [], `${different.length} of ${places.length} cuts`);
    });
  }
}
