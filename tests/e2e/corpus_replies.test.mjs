// Recorded whole answers of real vendors, through the gateway to the clients of every other
// protocol: strict readers find in them what the vendor said.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { corpusMissing, FOLDERS, isChat, replies } from '../upstream/corpus.mjs';
import { isWhole, said } from './corpus/said.mjs';
import { Table } from './corpus/table.mjs';
import { KINDS, useFive } from './lib/five.mjs';
import { ask, CLIENTS, read } from './matrix/clients.mjs';

const five = useFive();
const table = new Table('Recorded answers, as their clients read them');
const losses = new Table('What was told as lost on the way to whom');
after(() => {
  if (!corpusMissing) {
    table.print();
    losses.print();
  }
});

/** What differs between what was said and what a client of the protocol `client` read. */
function differences(client, want, got) {
  const out = got.problems.map((problem) => `not legal: ${problem}`);
  const same = (what, one, other) => {
    if (JSON.stringify(one) !== JSON.stringify(other)) {
      out.push(`${what}: ${JSON.stringify(one)?.slice(0, 200)}, not ${
        JSON.stringify(other)?.slice(0, 200)}`);
    }
  };
  // Chat has a place for images, where others get a note.
  same('text', got.text, client === 'openai' ? want.text.replaceAll('[image omitted]', '')
    : want.text);
  same('thinking', got.thinking, want.thinking);
  same('calls', got.calls.map(({ args, name }) => ({ name, args })), want.calls);
  same('finish', got.finish, client === 'ollama' && want.finish === 'filter' ? 'stop'
    : want.finish);
  for (const [what, count] of Object.entries((want.usage && got.usage) ?? {})) {
    same(what, count, want.usage[what]);
  }
  const ids = got.calls.map(({ id }) => id).filter(Boolean);
  same('unique ids', new Set(ids).size, ids.length);
  return out;
}

for (const [kind, folder] of Object.entries(FOLDERS)) {
  describe(`answers of ${folder}`, { skip: corpusMissing }, () => {
    const recorded = replies(folder).filter(({ uri }) => !uri || isChat(uri));
    for (const client of Object.keys(CLIENTS).filter((other) => other !== kind)) {
      test(`are read by clients of ${client}`, async () => {
        const upstream = five.of(kind);
        const problems = [];
        for (const { body, name } of recorded) {
          upstream.fake.clear();
          upstream.fake.script({ body });
          const reply = await ask(five.gw, client, { asks: { turns: [{ user: 'Hi' }] },
            model: upstream.model, stream: false });
          const row = `${kind} to ${client}`;
          if (!isWhole(kind, body)) {
            table.count(row, 'not whole');
            problems.push(...(reply.status === 502 ? [] : [`${name}: ${reply.status}`]));
            continue;
          }
          const found = reply.status === 200
            ? differences(client, said(kind, body), read(client, reply, false))
            : [`${reply.status} ${reply.text.slice(0, 200)}`];
          table.count(row, 'answers');
          table.count(row, found.length ? 'differ' : 'equal');
          for (const path of reply.headers['x-proxima-lost']?.split(',') ?? []) {
            losses.count(path, client);
          }
          problems.push(...found.map((what) => `${name}: ${what}`));
        }
        assert.deepEqual(problems, []);
      });
    }
  });
}
