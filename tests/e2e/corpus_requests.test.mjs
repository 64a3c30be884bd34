// Recorded requests of real programs, converted to the other protocol: a strict vendor takes them,
// and finds in them what their users wrote.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { corpusMissing, requests } from '../upstream/corpus.mjs';
import { useStage } from './lib/stage.mjs';

const stage = useStage();

/** Every text that a user or a system prompt says in a request of either protocol. */
function texts(body) {
  const out = [];
  const add = (content) => {
    if (typeof content === 'string') {
      out.push(content);
    }
    for (const part of Array.isArray(content) ? content : []) {
      if (part.type === 'text') {
        out.push(part.text);
      } else if (part.type === 'tool_result') {
        add(part.content);
      }
    }
  };
  add(body.system);
  body.messages.filter(({ role }) => role !== 'assistant').forEach(({ content }) => add(content));
  return out.filter((text) => text?.trim());
}

/** All strings of a JSON value in one text. */
function strings(value) {
  if (typeof value === 'string') {
    return value;
  }
  return value && typeof value === 'object' ? Object.values(value).map(strings).join('\n') : '';
}

const TABLE = [
  ['openai-chat', 'an', ['claude-haiku-4-5', 'claude-sonnet-4-6', 'claude-opus-5']],
  ['anthropic', 'oa', ['gpt-4o', 'gpt-5-mini']],
];

for (const [protocol, fake, models] of TABLE) {
  for (const model of models) {
    describe(`requests of ${protocol} to ${model}`, { skip: corpusMissing }, () => {
      for (const { name, body } of requests(protocol)) {
        test(name, async () => {
          const upstream = stage[fake];
          const send = protocol === 'anthropic' ? stage.gw.messages : stage.gw.chat;
          const reply = await send.call(stage.gw, { ...body, model: `${fake}:${model}` });
          assert.equal(reply.status, 200, reply.text);
          assert.deepEqual(upstream.refusals, []);
          const said = strings(upstream.last.json);
          for (const text of texts(body)) {
            assert.ok(said.includes(text.trim()), `${text} is in ${said.slice(0, 2000)}`);
          }
        });
      }
    });
  }
}
