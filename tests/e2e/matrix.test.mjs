// Every client protocol over every upstream protocol: each concept, whole and streamed, in front of
// a strict vendor and read by a strict reader. At the end the matrix is printed.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { KINDS, useFive } from './lib/five.mjs';
import { ask, CLIENTS, read } from './matrix/clients.mjs';
import { CONCEPTS, FAILURES } from './matrix/concepts.mjs';
import { CANNOT, seen } from './matrix/upstreams.mjs';

const five = useFive();
const THINKERS = { openai: 'gpt-5-mini', responses: 'gpt-5-mini' };
const cells = new Map();
const notes = new Set();

function note(client, upstream, name, mark, loss) {
  const row = `${client} over ${upstream}`;
  cells.set(row, { ...cells.get(row), [name]: (cells.get(row)?.[name] ?? '') + mark });
  if (loss) {
    notes.add(`${name}: ${loss}`);
  }
}

/** One cell: gives '+' for right, 'l' for a loss that is told. */
async function convey(concept, client, kind, stream) {
  const upstream = five.of(kind);
  const cannot = (what) => CANNOT[kind].includes(what);
  const about = { cannot, client, clientCan: CLIENTS[client].can, kind, stream };
  const reply = typeof concept.reply === 'function' ? concept.reply(about) : concept.reply;
  const model = concept.thinks && THINKERS[kind] ? `to_${kind}:${THINKERS[kind]}` : upstream.model;
  upstream.say(reply);
  const answer = await ask(five.gw, client, { asks: concept.asks, model, stream });
  assert.deepEqual(upstream.fake.refusals, []);
  assert.equal(answer.status, 200, answer.text);
  const got = read(client, answer, stream);
  const loss = concept.check.call({ ...concept, reply },
    { ...about, got, seen: seen(kind, upstream.fake) });
  const lost = client === kind ? [] : concept.losses?.(about) ?? [];
  assert.deepEqual((answer.headers['x-proxima-lost'] ?? '').split(',').filter(Boolean).sort(),
    lost.sort());
  return loss;
}

for (const kind of Object.keys(KINDS)) {
  for (const client of Object.keys(CLIENTS)) {
    describe(`${client} over ${kind}`, () => {
      for (const concept of CONCEPTS) {
        const said = (concept.needs ?? []).every((what) => CLIENTS[client].can[what]);
        const given = (concept.gives ?? []).every((what) => !CANNOT[kind].includes(what));
        if (!said || !given) {
          note(client, kind, concept.name, '--');
          continue;
        }
        for (const stream of [false, true]) {
          test(`${concept.name}, ${stream ? 'streamed' : 'whole'}`, async () => {
            try {
              const loss = await convey(concept, client, kind, stream);
              note(client, kind, concept.name, loss ? 'l' : '+', loss);
            } catch (error) {
              note(client, kind, concept.name, '!');
              throw error;
            }
          });
        }
      }

      for (const { check, fail, name, streamed, whole } of FAILURES) {
        for (const stream of [false, true].filter((one) => (one ? !whole : !streamed))) {
          test(`${name}, ${stream ? 'streamed' : 'whole'}`, async () => {
            const upstream = five.of(kind);
            fail(upstream);
            const asks = { turns: [{ user: 'Hi' }] };
            const answer = await ask(five.gw, client, { asks, model: upstream.model, stream });
            const got = read(client, answer, stream);
            assert.deepEqual(got.problems, []);
            check({ got });
            note(client, kind, name, '+');
          });
        }
      }
    });
  }
}

after(() => {
  const names = [...new Set([...CONCEPTS, ...FAILURES].map(({ name }) => name))];
  const width = Math.max(...[...cells.keys()].map((row) => row.length));
  console.log(`matrix ${'whole, streamed'.padEnd(width)}  ${names.join(' ')}`);
  for (const [row, marks] of cells) {
    console.log(`matrix ${row.padEnd(width)}  ${names.map((name) => (
      (marks[name] ?? '').padEnd(name.length))).join(' ')}`);
  }
  console.log('matrix + right, l told or unavoidable loss, - one side has no word for it, ! wrong');
  console.log(`matrix losses: ${[...notes].sort().join('; ')}`);
});
