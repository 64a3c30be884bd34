// The strict readers of Chat, Anthropic and Ollama find what is wrong: legal streams have no
// problems, and each frame that is lost, said twice or out of place is one.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { anthropicFrames, openaiFrames } from '../upstream/events.mjs';
import { ollamaLines } from '../upstream/ollama_lines.mjs';
import { readAnthropicBody, readAnthropicStream } from './lib/anthropic_reader.mjs';
import { readChatBody, readChatStream } from './lib/chat_reader.mjs';
import { readOllamaBody, readOllamaStream } from './lib/ollama_reader.mjs';
import { TWO_CALLS, WORDS } from './scenarios/shared.mjs';

const SAYS = { text: WORDS, thinking: 'Hm.', calls: TWO_CALLS, step: 100 };
// Of each protocol: a stream; which of its frames may be missing or come again without a reader
// noticing, for they hold nothing but more text; and which may only be missing.
const STREAMS = {
  chat: { frames: openaiFrames(SAYS), read: readChatStream, free: /"(reasoning_)?content":"[^"]/,
    spare: /"choices":\[\]/ },
  anthropic: { frames: anthropicFrames(SAYS), read: readAnthropicStream,
    free: /event: ping|text_delta|thinking_delta|signature_delta|"partial_json":""/,
    spare: /input_json_delta/ },
  ollama: { frames: ollamaLines(SAYS), read: readOllamaStream, free: /"done":false/ },
};

for (const [name, { frames, free, read, spare }] of Object.entries(STREAMS)) {
  describe(`the reader of ${name}`, () => {
    test('has nothing against a legal stream', () => {
      const got = read(frames.join(''));
      assert.deepEqual([got.problems, got.text, got.thinking], [[], WORDS, 'Hm.']);
      assert.deepEqual(got.calls.map((call) => call.name), TWO_CALLS.map((call) => call.name));
    });

    frames.forEach((frame, at) => {
      if (free.test(frame)) {
        return;
      }
      const without = spare?.test(frame) ? [] : [['misses', frames.filter((_, one) => one !== at)]];
      for (const [what, odd] of [...without, ['hears twice', [...frames.slice(0, at), frame,
        ...frames.slice(at)]]]) {
        test(`${what} frame ${at}`, () => {
          assert.notDeepEqual(read(odd.join('')).problems, []);
        });
      }
    });

    test('misses the end of the last frame', () => {
      assert.notDeepEqual(read(frames.join('').trimEnd()).problems, []);
    });

    test('takes no garbage', () => {
      for (const text of ['', 'x', '\n\n', 'data: {}\n\n', '{}\n', 'null\n', 'data: [DONE]\n\n']) {
        let problems = ['it raised'];
        try {
          ({ problems } = read(text));
        } catch {
          // Nonsense that no reader can walk through is noticed too.
        }
        assert.notDeepEqual(problems, [], text);
      }
    });
  });
}

test('answers that were not streamed are checked too', () => {
  const chat = { id: 'c', object: 'chat.completion', created: 1, model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hi', refusal: null },
      finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } };
  assert.deepEqual(readChatBody(chat).problems, []);
  assert.notDeepEqual(readChatBody({ ...chat, created: 'now' }).problems, []);
  assert.notDeepEqual(readChatBody({ ...chat, usage: { ...chat.usage, total_tokens: 4 } }).problems,
    []);
  const messages = { type: 'message', role: 'assistant', id: 'm', model: 'm', stop_sequence: null,
    content: [{ type: 'text', text: 'Hi' }], stop_reason: 'end_turn',
    usage: { input_tokens: 1, output_tokens: 2 } };
  assert.deepEqual(readAnthropicBody(messages).problems, []);
  assert.notDeepEqual(readAnthropicBody({ ...messages, stop_reason: 'tool_use' }).problems, []);
  assert.notDeepEqual(readAnthropicBody({ ...messages, usage: { output_tokens: 2 } }).problems, []);
  const line = JSON.parse(ollamaLines({ text: 'Hi' }).at(-1));
  assert.deepEqual(readOllamaBody(line).problems, []);
  assert.notDeepEqual(readOllamaBody({ ...line, done: false }).problems, []);
  assert.notDeepEqual(readOllamaBody({ ...line, eval_count: -1 }).problems, []);
});
