// Upstreams of every protocol that answer 200 with what is no answer: clients of every protocol get
// an error in their own shape, and the log quotes what came.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { KINDS, useFive } from './lib/five.mjs';
import { KEY } from './lib/gateway.mjs';

const five = useFive();

const HI = [{ role: 'user', content: 'Hi' }];
const message = (json) => json.error?.message ?? json.error;

// Of each kind of client: where it asks and what, and what an error is in its streams.
const CLIENTS = {
  openai: { path: () => '/v1/chat/completions', error: /^data: ?\{"error":/m,
    body: (model, stream) => ({ model, messages: HI, stream }) },
  responses: { path: () => '/v1/responses', error: /^event: response\.failed$/m,
    body: (model, stream) => ({ model, input: 'Hi', stream }) },
  anthropic: { path: () => '/v1/messages', error: /^event: error$/m,
    body: (model, stream) => ({ model, max_tokens: 100, messages: HI, stream }) },
  gemini: { error: /^data: ?\{"error":/m,
    path: (model, stream) => `/v1beta/models/${model}:${
      stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: () => ({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] }) },
  ollama: { path: () => '/api/chat', error: /^\{"error":/m,
    body: (model, stream) => ({ model, messages: HI, stream }) },
};

function ask(client, model, stream) {
  const { body, path } = CLIENTS[client];
  return five.gw.post(path(model, stream), body(model, stream),
    { headers: { 'x-goog-api-key': KEY } });
}

// What is no answer in any protocol.
const WHOLE = ['', 'QUOTED page', '{"QUOTED":', '"QUOTED"', 'null', 'QUOTED}'];
// What is JSON but no answer: relayed as it is, converted never.
const ODD = ['{}', '[]', '{"QUOTED":1}', '[{"QUOTED":1}]'];
const EVENTS = ['QUOTED', '{"QUOTED":', '17'];

for (const upstream of Object.keys(KINDS)) {
  for (const client of Object.keys(CLIENTS)) {
    describe(`${client} over ${upstream}`, () => {
      for (const body of client === upstream ? WHOLE : [...WHOLE, ...ODD]) {
        test(`${body || 'nothing'} is a 502, and quoted`, async () => {
          const { fake, model } = five.of(upstream);
          const from = five.gw.log.length;
          fake.script({ body });
          const reply = await ask(client, model, false);
          assert.equal(reply.status, 502, reply.text);
          assert.match(message(reply.json), /upstream/);
          await five.gw.logged(/warn.*answered 200 with/, { from });
          if (body.includes('QUOTED')) {
            await five.gw.logged(/QUOTED/, { from });
          }
        });
      }

      for (const event of EVENTS) {
        test(`the event ${event} fails a stream, and is quoted`, async () => {
          const { fake, model } = five.of(upstream);
          const from = five.gw.log.length;
          const lines = upstream === 'ollama';
          fake.script({ pieces: [lines ? `${event}\n` : `data: ${event}\n\n`],
            headers: lines ? { 'content-type': 'application/x-ndjson' } : undefined });
          const reply = await ask(client, model, true);
          assert.ok(reply.status === 502 || CLIENTS[client].error.test(reply.text),
            `${reply.status} ${reply.text}`);
          await five.gw.logged(/warn.*answered 200 with/, { from });
        });
      }
    });
  }
}
