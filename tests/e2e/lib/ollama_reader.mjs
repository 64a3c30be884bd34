// Reads what was written for a client of Ollama's /api/chat, and says everything about it that a
// strict client could trip over.

import { readList } from './logprobs.mjs';
import { Problems } from './problems.mjs';

const COUNTS = ['total_duration', 'load_duration', 'prompt_eval_count', 'prompt_eval_duration',
  'eval_count', 'eval_duration'];

class Reader extends Problems {
  constructor() {
    super();
    Object.assign(this, { text: '', thinking: '', calls: [], likely: [], finish: null, usage: null,
      error: null });
  }

  line(body) {
    if (body.error !== undefined) {
      this.need(typeof body.error === 'string', 'an error that is no text');
      this.error = { message: body.error };
      return;
    }
    this.need(typeof body.model === 'string' && body.model, 'no model');
    this.need(!Number.isNaN(Date.parse(body.created_at)), `created_at is ${body.created_at}`);
    const { message } = body;
    this.need(message?.role === 'assistant' && typeof message.content === 'string',
      'a message without role or content');
    this.text += message?.content ?? '';
    this.thinking += message?.thinking ?? '';
    this.likely.push(...readList(body.logprobs ?? [], (ok, words) => this.need(ok, words)));
    (message?.tool_calls ?? []).forEach(({ id, function: { arguments: args, name } }) => {
      this.need(name && typeof args === 'object' && !Array.isArray(args), 'a call without name or '
        + 'arguments');
      this.calls.push({ id, name, args: JSON.stringify(args) });
    });
    this.need(typeof body.done === 'boolean', `done is ${body.done}`);
    if (body.done) {
      this.finish = body.done_reason;
      this.need(['stop', 'length'].includes(body.done_reason), `done_reason ${body.done_reason}`);
      for (const name of COUNTS) {
        this.need(Number.isInteger(body[name]) && body[name] >= 0, `${name} is ${body[name]}`);
      }
      this.usage = body;
    }
  }
}

/** Reads the text of a whole stream. `problems` is empty when it is legal. */
export function readOllamaStream(text) {
  const reader = new Reader();
  const lines = text.split('\n');
  reader.need(lines.pop() === '', 'the last line has no end');
  lines.forEach((line, at) => {
    reader.at = at;
    reader.need(!reader.finish && !reader.error, 'something after the end');
    const body = reader.parse(line);
    if (body) {
      reader.line(body);
    }
  });
  reader.at = undefined;
  reader.need((reader.finish !== null) !== (reader.error !== null), 'an end and an error, or '
    + 'neither');
  return reader;
}

/** The same of an answer that was not streamed. */
export function readOllamaBody(body) {
  const reader = new Reader();
  reader.line(body);
  reader.need(body.done === true, 'an answer that is not done');
  return reader;
}
