// Builds what Ollama would answer, from the same plain description of a reply as events.mjs.

import { slices } from './events.mjs';
import { listed, piecesOf } from './logprobs.mjs';

const STAMP = '2026-01-01T00:00:00.123456Z';

function complete(reply) {
  return { model: 'fake-model', step: 4, calls: [], thinking: '', finish: 'stop',
    text: (reply.tokens ?? []).map(([token]) => token).join(''),
    ...reply, usage: { input: 11, cacheRead: 0, cacheWrite: 0, output: 7, ...reply.usage } };
}

/** What only the last line has. */
function metrics({ finish, usage }) {
  return { done: true, done_reason: finish === 'length' ? 'length' : 'stop',
    total_duration: 900000000, load_duration: 1000000,
    prompt_eval_count: usage.input + usage.cacheRead + usage.cacheWrite,
    prompt_eval_duration: 20000000, eval_count: usage.output, eval_duration: 300000000 };
}

function message(generate, text, more = {}) {
  return generate ? { response: text, ...more }
    : { message: { role: 'assistant', content: text, ...more } };
}

function toolCalls(reply) {
  return reply.calls.map((call, index) => ({ id: call.id,
    function: { index, name: call.name, arguments: { raw: index } } }));
}

/** JSON text with the arguments exactly as described (JavaScript would round their numbers). */
function exact(line, reply) {
  return JSON.stringify(line).replace(/\{"raw":(\d+)\}/g, (_, at) => reply.calls[at].args || '{}');
}

/** One non-streamed answer, as JSON text; of /api/generate if `generate`. */
export function ollamaText(description, generate = false) {
  const reply = complete(description);
  const more = {};
  if (reply.thinking) {
    more.thinking = reply.thinking;
  }
  if (reply.calls.length) {
    more.tool_calls = toolCalls(reply);
  }
  return exact({ model: reply.model, created_at: STAMP, ...message(generate, reply.text, more),
    logprobs: listed(reply.tokens, reply.top), ...metrics(reply) }, reply);
}

/** The lines of a stream, each with its end. Every call has a line of its own. */
export function ollamaLines(description, generate = false) {
  const reply = complete(description);
  const lines = [];
  const add = (text, more, logprobs) => lines.push({ model: reply.model, created_at: STAMP,
    ...message(generate, text, more), logprobs, done: false });
  slices(reply.thinking, reply.step).forEach((piece) => add('', { thinking: piece }));
  piecesOf(reply, slices).forEach(({ text, tokens }) => add(text, {}, listed(tokens, reply.top)));
  toolCalls(reply).forEach((call) => add('', { tool_calls: [call] }));
  lines.push({ model: reply.model, created_at: STAMP, ...message(generate, ''),
    ...metrics(reply) });
  return lines.map((line) => `${exact(line, reply)}\n`);
}
