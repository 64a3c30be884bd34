// Reads what was written for a client of Chat Completions, and says everything about it that a
// strict client could trip over.

import { readList } from './logprobs.mjs';
import { Problems } from './problems.mjs';

const FINISH = new Set(['stop', 'length', 'tool_calls', 'content_filter', 'function_call']);

class Reader extends Problems {
  constructor() {
    super();
    Object.assign(this, { text: '', thinking: '', refusal: '', calls: [], likely: [], finish: null,
      usage: null, error: null, done: false });
  }

  envelope(body, object) {
    this.need(body.object === object, `object is ${body.object}`);
    this.need(typeof body.id === 'string' && body.id, 'no id');
    this.id ??= body.id;
    this.need(body.id === this.id, `the id changes to ${body.id}`);
    this.need(Number.isInteger(body.created), `created is ${body.created}`);
    this.need(typeof body.model === 'string' && body.model, 'no model');
  }

  count(usage) {
    const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = usage;
    this.need([input, output, total].every((one) => Number.isInteger(one) && one >= 0),
      `usage is ${JSON.stringify(usage)}`);
    this.need(input + output === total, 'usage does not add up');
    this.need(!this.usage, 'usage comes twice');
    this.usage = usage;
  }

  end(finish) {
    this.need(FINISH.has(finish), `finish_reason is ${finish}`);
    this.need(!this.finish, 'a second finish_reason');
    this.finish = finish;
    this.need((finish === 'tool_calls') === (this.calls.length > 0) || finish === 'length'
      || finish === 'content_filter', `${finish} with ${this.calls.length} calls`);
  }

  /** What a choice tells of its tokens, which are no more than its text. */
  tokens(logprobs, text) {
    const list = readList(logprobs?.content ?? [], (ok, words) => this.need(ok, words));
    this.need(!list.length || list.map(([token]) => token).join('') === text,
      `tokens are not the text ${text}`);
    this.need(!logprobs || 'refusal' in logprobs, 'logprobs without refusal');
    this.likely.push(...list);
  }

  chunk(body) {
    if (body.error) {
      this.need(typeof body.error.message === 'string', 'an error without a message');
      this.error = body.error;
      return;
    }
    this.envelope(body, 'chat.completion.chunk');
    this.need(Array.isArray(body.choices), 'choices is no list');
    const [choice] = body.choices;
    this.need(body.choices.length <= 1, 'more than one choice');
    if (body.usage) {
      this.need(!choice && this.finish, 'usage before the finish, or beside a choice');
      this.count(body.usage);
    }
    if (choice) {
      this.need(choice.index === 0 && choice.delta, 'a choice without index or delta');
      this.need(!this.finish, 'a choice after the finish');
      this.delta(choice.delta);
      this.tokens(choice.logprobs, choice.delta.content ?? '');
      if (choice.finish_reason) {
        this.end(choice.finish_reason);
      }
    }
  }

  delta({ content, reasoning_content: thinking, refusal, role, tool_calls: calls = [] }) {
    this.need((role !== undefined) === !this.begun, `role ${role}`);
    this.need(role === undefined || role === 'assistant', `role ${role}`);
    this.begun = true;
    this.text += content ?? '';
    this.thinking += thinking ?? '';
    this.refusal += refusal ?? '';
    calls.forEach((call) => {
      const known = this.calls[call.index];
      if (!known) {
        this.need(call.index === this.calls.length, `call index ${call.index}`);
        this.need(call.id && call.type && call.function?.name, 'a call without id, type or name');
        this.need(!this.calls.some((one) => one.id === call.id), `call id ${call.id} comes again`);
        this.calls[call.index] = { id: call.id, name: call.function?.name,
          args: call.function?.arguments };
      } else {
        this.need(call.id === undefined && call.function?.name === undefined,
          'a call begins a second time');
        known.args += call.function?.arguments ?? '';
      }
    });
  }

  checkCalls() {
    this.calls.forEach(({ args }) => this.parse(args));
    return this;
  }
}

/** Reads the text of a whole stream. `problems` is empty when it is legal. */
export function readChatStream(text) {
  const reader = new Reader();
  reader.frames(text).forEach(({ event, data }, at) => {
    reader.at = at;
    reader.need(event === '', `an event: line ${event}`);
    reader.need(!reader.done && !reader.error, 'something after the end');
    if (data === '[DONE]') {
      reader.done = true;
      return;
    }
    const body = reader.parse(data);
    if (body) {
      reader.chunk(body);
    }
  });
  reader.at = undefined;
  reader.need(reader.done !== (reader.error !== null), '[DONE] and an error, or neither');
  reader.need(reader.error || (reader.finish && reader.begun), 'no finish_reason or no role');
  return reader.error ? reader : reader.checkCalls();
}

/** The same of an answer that was not streamed. */
export function readChatBody(body) {
  const reader = new Reader();
  reader.envelope(body, 'chat.completion');
  const [choice] = body.choices;
  const { message } = choice;
  reader.need(body.choices.length === 1 && choice.index === 0, 'not one choice');
  reader.need(message.role === 'assistant' && 'content' in message && 'refusal' in message,
    'a message without role, content or refusal');
  reader.need(message.content !== '' || !message.tool_calls, 'empty content beside calls');
  reader.need(message.tool_calls === undefined || message.tool_calls.length, 'no calls in a list');
  reader.text = message.content ?? '';
  reader.tokens(choice.logprobs, reader.text);
  reader.thinking = message.reasoning_content ?? '';
  reader.refusal = message.refusal ?? '';
  for (const { id, type, custom, function: made } of message.tool_calls ?? []) {
    const { name, arguments: args } = made
      ?? { ...custom, arguments: JSON.stringify({ input: custom?.input }) };
    reader.need(id && type === (made ? 'function' : 'custom') && name,
      'a call without id, type or name');
    reader.calls.push({ id, name, args });
  }
  reader.end(choice.finish_reason);
  reader.count(body.usage);
  return reader.checkCalls();
}
