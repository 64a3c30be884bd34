// Reads what was written for a client of Anthropic's Messages, and says everything about it that a
// strict client could trip over.

import { Problems } from './problems.mjs';

const STOP = new Set(['end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'pause_turn',
  'refusal', 'model_context_window_exceeded']);
const DELTA = { text: ['text_delta', 'text'], thinking: ['thinking_delta', 'thinking'],
  tool_use: ['input_json_delta', 'partial_json'] };

class Reader extends Problems {
  constructor() {
    super();
    Object.assign(this, { text: '', thinking: '', calls: [], signatures: [], finish: null,
      stop: null, usage: null, error: null, ended: false, count: 0, open: null });
  }

  message(body) {
    this.need(body.type === 'message' && body.role === 'assistant', 'no message of the assistant');
    this.need(typeof body.id === 'string' && body.id, 'no id');
    this.need(typeof body.model === 'string' && body.model, 'no model');
    this.need(Array.isArray(body.content), 'content is no list');
    this.tokens(body.usage);
  }

  tokens(usage) {
    for (const name of ['input_tokens', 'output_tokens']) {
      this.need(Number.isInteger(usage?.[name]) && usage[name] >= 0, `${name} is ${usage?.[name]}`);
    }
    this.usage = { ...this.usage, ...usage };
  }

  end(reason, sequence) {
    this.need(STOP.has(reason), `stop_reason is ${reason}`);
    this.need(!this.finish, 'a second stop_reason');
    this.need((reason === 'stop_sequence') === (typeof sequence === 'string'),
      `stop_sequence ${sequence} with ${reason}`);
    this.need(reason !== 'tool_use' || this.calls.length, 'tool_use without a call');
    this.finish = reason;
    this.stop = sequence;
  }

  addCall({ id, name }, args) {
    this.need(/^[A-Za-z0-9_-]+$/.test(id), `call id ${id}`);
    this.need(typeof name === 'string' && name, 'a call without a name');
    this.need(!this.calls.some((one) => one.id === id), `call id ${id} comes again`);
    this.calls.push({ id, name, args });
  }

  event(body) {
    if (body.type === 'error') {
      this.need(body.error?.type && typeof body.error.message === 'string', 'an error without type '
        + 'or message');
      this.error = body.error;
    } else if (body.type !== 'ping' && this.need(this[`on_${body.type}`], `type ${body.type}`)) {
      this.need(this.started || body.type === 'message_start', `${body.type} before message_start`);
      this[`on_${body.type}`](body);
    }
  }

  on_message_start({ message }) {
    this.need(!this.started, 'a second message_start');
    this.started = true;
    this.message(message);
    this.need(message.content?.length === 0 && message.stop_reason === null, 'content or a '
      + 'stop_reason at the start');
  }

  on_content_block_start({ index, content_block: block }) {
    this.need(!this.open, `block ${index} opens while another is open`);
    this.need(index === this.count, `block ${index}, ${this.count} is next`);
    this.count++;
    this.open = { index, block, json: '' };
    if (block.type === 'tool_use') {
      this.need(JSON.stringify(block.input) === '{}', 'a call opens with input');
      this.addCall(block, '');
    } else if (block.type === 'text') {
      this.need(block.text === '', 'a text opens with text');
    } else if (block.type === 'thinking') {
      this.need(block.thinking === '' && 'signature' in block, 'a thought opens with text, or '
        + 'without a signature');
    }
  }

  on_content_block_delta({ index, delta }) {
    if (!this.need(this.open?.index === index, `a delta of block ${index}`)) {
      return;
    }
    const { type } = this.open.block;
    if (delta.type === 'signature_delta') {
      this.need(type === 'thinking' && delta.signature, 'a signature where no thought is');
      this.signatures.push(delta.signature);
      return;
    } else if (delta.type === 'citations_delta') {
      this.need(type === 'text', 'a citation where no text is');
      return;
    }
    const [kind, member] = DELTA[type] ?? [];
    this.need(delta.type === kind && typeof delta[member] === 'string',
      `${delta.type} in a block of ${type}`);
    if (type === 'tool_use') {
      this.calls.at(-1).args += delta.partial_json;
    } else {
      this[type] += delta[member];
    }
  }

  on_content_block_stop({ index }) {
    this.need(this.open?.index === index, `a stop of block ${index}`);
    this.open = null;
  }

  on_message_delta({ delta, usage }) {
    this.need(!this.open, 'message_delta inside a block');
    if (delta.stop_reason !== 'max_tokens') {
      this.calls.filter(({ args }) => args !== '').forEach(({ args }) => this.parse(args));
    }
    this.end(delta.stop_reason, delta.stop_sequence ?? null);
    this.tokens({ ...this.usage, ...usage });
    this.need(Number.isInteger(usage?.output_tokens), 'message_delta without output_tokens');
  }

  on_message_stop() {
    this.need(this.finish, 'message_stop without a stop_reason');
    this.ended = true;
  }
}

/** Reads the text of a whole stream. `problems` is empty when it is legal. */
export function readAnthropicStream(text) {
  const reader = new Reader();
  reader.frames(text).forEach(({ event, data }, at) => {
    reader.at = at;
    const body = reader.parse(data);
    reader.need(!reader.ended && !reader.error, 'something after the end');
    if (body) {
      reader.need(event === body.type, `event: is '${event}', type is '${body.type}'`);
      reader.event(body);
    }
  });
  reader.at = undefined;
  reader.need(reader.ended !== (reader.error !== null), 'an end and an error, or neither');
  return reader;
}

/** The same of an answer that was not streamed. */
export function readAnthropicBody(body) {
  const reader = new Reader();
  reader.message(body);
  for (const block of body.content) {
    if (block.type === 'tool_use') {
      reader.need(typeof block.input === 'object' && !Array.isArray(block.input), 'input is no '
        + 'object');
      reader.addCall(block, JSON.stringify(block.input));
    } else if (block.type === 'text' || block.type === 'thinking') {
      reader.need(typeof block[block.type] === 'string', `a ${block.type} without it`);
      reader[block.type] += block[block.type];
      reader.need(block.type !== 'text' || block.text !== '', 'an empty text');
    }
  }
  reader.end(body.stop_reason, body.stop_sequence);
  return reader;
}
