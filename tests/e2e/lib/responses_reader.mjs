// Reads a Responses stream that was written for a client, and says everything about it that a
// strict client could trip over.

import { isDeepStrictEqual } from 'node:util';
import { readList } from './logprobs.mjs';

const MEMBERS = ['created_at', 'error', 'id', 'incomplete_details', 'instructions', 'metadata',
  'model', 'object', 'output', 'parallel_tool_calls', 'status', 'temperature', 'tool_choice',
  'tools', 'top_p'];
const TERMINAL = new Set(['response.completed', 'response.failed', 'response.incomplete']);

// What an item must have when it opens.
const OPENING = { custom_tool_call: { input: '' }, function_call: { arguments: '' },
  message: { content: [] }, reasoning: { summary: [] } };

// Event of a part: the kind of part, and the member that carries its text.
const TEXT = {
  'response.output_text': ['output_text', 'text'],
  'response.reasoning_summary_text': ['summary_text', 'text'],
  'response.reasoning_text': ['reasoning_text', 'text'],
  'response.refusal': ['refusal', 'refusal'],
};
const INPUT = { 'response.custom_tool_call_input': ['custom_tool_call', 'input'],
  'response.function_call_arguments': ['function_call', 'arguments'] };

/** The frames of a stream: `{ event, data }`, other lines in `odd`. */
function framesOf(text, complain) {
  const pieces = text.replace(/\r\n/g, '\n').split('\n\n');
  if (pieces.pop() !== '') {
    complain('the stream does not end with a blank line');
  }
  return pieces.flatMap((piece) => {
    const lines = piece.split('\n').filter((line) => !line.startsWith(':'));
    if (!lines.length) {
      return [];
    }
    const value = (name) => lines.filter((line) => line.startsWith(`${name}:`))
      .map((line) => line.slice(name.length + 1).replace(/^ /, '')).join('\n');
    return [{ event: value('event'), data: value('data') }];
  });
}

class Reader {
  constructor() {
    this.problems = [];
    this.items = [];
    this.open = undefined;
    this.error = null;
    this.response = undefined;
    this.last = undefined;
  }

  complain(words) {
    this.problems.push(this.at === undefined ? words : `event ${this.at}: ${words}`);
  }

  need(ok, words) {
    if (!ok) {
      this.complain(words);
    }
    return ok;
  }

  read(text) {
    framesOf(text, (words) => this.complain(words)).forEach(({ event, data }, at) => {
      this.at = at;
      let body;
      try {
        body = JSON.parse(data);
      } catch {
        this.complain(`data is no JSON: ${data.slice(0, 40)}`);
        return;
      }
      this.need(event === body.type, `event: is '${event}', type is '${body.type}'`);
      this.need(body.sequence_number === at, `sequence_number is ${body.sequence_number}`);
      this.need(!this.response, `${body.type} after the terminal event`);
      this.one(body);
      this.last = body.type;
    });
    this.at = undefined;
    this.need(this.response, 'no terminal event');
    return this;
  }

  one(body) {
    const { type } = body;
    const [, stem, step] = /^(.*?)\.(delta|done|added)$/.exec(type) ?? [];
    if (['response.created', 'response.in_progress', 'response.queued'].includes(type)) {
      this.start(body);
    } else if (TERMINAL.has(type)) {
      this.finish(body);
    } else if (type === 'error') {
      this.error = body.error ?? body;
      this.need(typeof this.error.message === 'string', 'an error without a message');
    } else if (!this.need(this.id, `${type} before response.created`)) {
      return;
    } else if (type === 'response.output_item.added') {
      this.addItem(body);
    } else if (type === 'response.output_item.done') {
      this.closeItem(body);
    } else if (/^response\.(content|reasoning_summary)_part$/.test(stem)) {
      this.part(body, step);
    } else if (stem in TEXT) {
      this.text(body, step, ...TEXT[stem]);
    } else if (stem in INPUT) {
      this.input(body, step, ...INPUT[stem]);
    } else if (type === 'response.output_text.annotation.added') {
      this.annotation(body);
    } else {
      this.need(type.startsWith('response.'), `an unknown event ${type}`);
      this.inItem(body);
    }
  }

  start({ type, response }) {
    const first = type === 'response.created';
    this.need(first === (this.last === undefined), `${type} after ${this.last}`);
    this.need(first || ['response.created', 'response.queued', 'response.in_progress']
      .includes(this.last), `${type} after ${this.last}`);
    this.envelope(response);
    this.need(['queued', 'in_progress'].includes(response.status), `status ${response.status}`);
    this.need(response.output?.length === 0, 'output is not empty at the start');
    this.need(!response.usage, 'usage at the start');
  }

  envelope(response) {
    const missing = MEMBERS.filter((name) => !(name in (response ?? {})));
    this.need(!missing.length, `the response lacks ${missing.join(', ')}`);
    this.need(response.object === 'response', `object is ${response.object}`);
    this.id ??= response.id;
    this.need(typeof response.id === 'string' && response.id === this.id,
      `the id changes from ${this.id} to ${response.id}`);
    this.need(Array.isArray(response.output) && Array.isArray(response.tools),
      'output or tools is no array');
  }

  addItem({ output_index: index, item }) {
    this.need(!this.open, `item ${index} opens while ${this.open?.item.id} is open`);
    this.need(index === this.items.length, `output_index ${index}, ${this.items.length} is next`);
    this.need(typeof item?.id === 'string' && item.id, 'an item without id');
    this.need(!this.items.some((one) => one.item.id === item.id), `id ${item.id} comes again`);
    for (const [name, value] of Object.entries(OPENING[item.type] ?? {})) {
      this.need(isDeepStrictEqual(item[name], value), `${item.type} opens with ${name} `
        + `${JSON.stringify(item[name])}`);
    }
    this.need(item.type === 'reasoning' || !(item.type in OPENING)
      || item.status === 'in_progress', `${item.type} opens with status ${item.status}`);
    if (item.type === 'function_call' || item.type === 'custom_tool_call') {
      this.need(item.call_id && item.name, `${item.type} without call_id or name`);
    }
    this.open = { item, index, content: [], summary: [], input: '', inputDone: false,
      annotations: 0 };
    this.items.push(this.open);
  }

  /** The open item that an event belongs to. */
  inItem({ type, item_id: id, output_index: index }) {
    const { open } = this;
    if (!this.need(open, `${type} outside an item`)) {
      return undefined;
    }
    this.need(index === open.index, `${type} for output_index ${index}, ${open.index} is open`);
    this.need(id === undefined || id === open.item.id,
      `${type} for ${id}, ${open.item.id} is open`);
    return open;
  }

  /** The parts that an event is about, and its place among them. */
  place(body) {
    const open = this.inItem(body);
    const name = 'summary_index' in body ? 'summary' : 'content';
    return open && { parts: open[name], at: body[`${name}_index`] };
  }

  part(body, step) {
    const { parts, at } = this.place(body) ?? {};
    if (!parts) {
      return;
    }
    if (step === 'added') {
      this.need(at === parts.length, `part ${at} opens, ${parts.length} is next`);
      this.need(parts.every((one) => one.closed), `part ${at} opens while another is open`);
      const text = body.part.text ?? body.part.refusal;
      this.need(text === '', `a part opens with ${JSON.stringify(text)}`);
      parts.push({ type: body.part.type, text: '', likely: [], done: false, closed: false });
    } else if (this.need(parts[at] && !parts[at].closed, `part ${at} is not open`)) {
      this.need(parts[at].done, `part ${at} closes before its text is done`);
      this.need((body.part.text ?? body.part.refusal) === parts[at].text,
        `part ${at} closes with another text than was streamed`);
      this.tokens(body.part, parts[at]);
      parts[at].closed = true;
      parts[at].value = body.part;
    }
  }

  text(body, step, kind, member) {
    const { parts, at } = this.place(body) ?? {};
    const part = parts?.[at];
    if (!this.need(part && !part.closed, `${body.type} outside a part`)) {
      return;
    }
    this.need(part.type === kind, `${body.type} in a part of type ${part.type}`);
    this.need(!part.done, `${body.type} after its text was done`);
    if (step === 'delta') {
      this.need(typeof body.delta === 'string', 'a delta that is no text');
      part.text += body.delta;
      part.likely.push(...body.logprobs ?? []);
    } else {
      this.need(body[member] === part.text, `${body.type} has another text than was streamed`);
      this.tokens(body, part);
      part.done = true;
    }
  }

  /** What an event repeats of the tokens of its part. */
  tokens({ logprobs }, { likely, type }) {
    this.need(type !== 'output_text' || isDeepStrictEqual(logprobs ?? [], likely),
      'other logprobs than were streamed');
  }

  input(body, step, type, member) {
    const open = this.inItem(body);
    if (!open) {
      return;
    }
    this.need(open.item.type === type, `${body.type} in an item of type ${open.item.type}`);
    this.need(!open.inputDone, `${body.type} after it was done`);
    if (step === 'delta') {
      open.input += body.delta;
    } else {
      this.need(body[member] === open.input, `${body.type} differs from what was streamed`);
      open.inputDone = true;
    }
  }

  annotation(body) {
    const open = this.inItem(body);
    if (open) {
      this.need(body.annotation_index === open.annotations,
        `annotation ${body.annotation_index}, ${open.annotations} is next`);
      open.annotations++;
    }
  }

  closeItem(body) {
    const { item } = body;
    const open = this.inItem({ ...body, item_id: item.id });
    if (!open) {
      return;
    }
    this.need(item.type === open.item.type, `${open.item.type} closes as ${item.type}`);
    const unclosed = [...open.content, ...open.summary].filter((part) => !part.closed);
    this.need(!unclosed.length, `${item.id} closes with an open part`);
    for (const name of ['content', 'summary']) {
      const parts = open[name].map((part) => part.value);
      const ends = (item[name] ?? []);
      this.need(ends.length === parts.length && ends.every((part, at) => (
        (part.text ?? part.refusal) === (parts[at]?.text ?? parts[at]?.refusal)
        && part.type === parts[at]?.type)), `${item.id} closes with another ${name}`);
    }
    for (const [type, member] of Object.values(INPUT)) {
      if (item.type === type) {
        this.need(open.inputDone, `${item.id} closes before its ${member} were done`);
        this.need(item[member] === open.input, `${item.id} closes with other ${member}`);
        this.need(item.call_id === open.item.call_id && item.name === open.item.name,
          `${item.id} closes with another call_id or name`);
      }
    }
    this.need(item.type === 'reasoning' || !(item.type in OPENING)
      || ['completed', 'incomplete'].includes(item.status), `${item.id} closes as ${item.status}`);
    open.done = item;
    this.open = undefined;
  }

  finish({ type, response }) {
    this.response = response;
    this.envelope(response);
    this.need(type === `response.${response.status}`, `${type} with status ${response.status}`);
    if (type === 'response.failed') {
      // Clients act on items that end, so one that is half there stays open.
      this.need(typeof response.error?.message === 'string', 'failed without an error');
      return;
    }
    this.need(!this.open, `${type} while ${this.open?.item.id} is open`);
    this.need(type !== 'response.incomplete' || response.incomplete_details?.reason,
      'incomplete without a reason');
    this.checkOutput(response.output);
    this.count(response);
  }

  count({ usage }) {
    const counts = [usage?.input_tokens, usage?.output_tokens, usage?.total_tokens];
    this.need(counts.every(Number.isInteger), 'usage is not whole');
    this.need(Number.isInteger(usage?.input_tokens_details?.cached_tokens)
      && Number.isInteger(usage?.output_tokens_details?.reasoning_tokens),
    'usage without details');
    this.need(counts[0] + counts[1] === counts[2], `usage does not add up: ${counts}`);
  }

  checkOutput(output) {
    this.need(output.length === this.items.length,
      `output has ${output.length} items, ${this.items.length} were streamed`);
    output.forEach((item, at) => {
      const bare = ({ encrypted_content: proof, ...rest }) => rest;
      const done = this.items[at]?.done;
      this.need(done && isDeepStrictEqual(bare(item), bare(done)),
        `output[${at}] is not what was streamed`);
    });
  }
}

/** The problems, the terminal response and what it says, of a stream or of a response body. */
function summary(response, problems, error) {
  const output = response?.output ?? [];
  const texts = (types, member) => output.filter((item) => types.includes(item.type))
    .flatMap((item) => item[member] ?? []).map((part) => part.text ?? part.refusal ?? '').join('');
  const parts = output.flatMap((item) => (item.type === 'message' ? item.content ?? [] : []));
  const likely = parts.flatMap((part) => readList(part.logprobs ?? [],
    (ok, words) => ok || problems.push(words)));
  return { problems, response, likely, error: response?.error ?? error,
    text: parts.map((part) => part.text ?? '').join(''),
    refusal: parts.map((part) => part.refusal ?? '').join(''),
    thinking: texts(['reasoning'], 'summary') + texts(['reasoning'], 'content'),
    calls: output.filter(({ type }) => type === 'function_call' || type === 'custom_tool_call')
      .map((item) => ({ id: item.call_id, name: item.name, args: item.arguments ?? item.input })),
    finish: response?.incomplete_details?.reason ?? response?.status ?? null,
    usage: response?.usage ?? null };
}

/** Reads the text of a whole stream. `problems` is empty when it is legal. */
export function readResponsesStream(text) {
  const reader = new Reader().read(text);
  return summary(reader.response, reader.problems, reader.error);
}

// Type of a part and of an item: what they must have, in an answer that was not streamed.
const IN_PART = { output_text: { text: 'string', annotations: 'array' },
  refusal: { refusal: 'string' } };
const IN_ITEM = { message: { id: 'string', role: 'string', status: 'string', content: 'array' },
  function_call: { id: 'string', call_id: 'string', name: 'string', arguments: 'string' },
  custom_tool_call: { call_id: 'string', name: 'string', input: 'string' },
  reasoning: { id: 'string', summary: 'array' } };

const typeOf = (value) => (Array.isArray(value) ? 'array' : typeof value);

/** The same of a response that was not streamed. */
export function readResponsesBody(response) {
  const reader = new Reader();
  const check = (object, members, what) => Object.entries(members ?? {}).forEach(([name, type]) => (
    reader.need(typeOf(object[name]) === type, `${what}.${name} is ${typeOf(object[name])}`)));
  reader.envelope(response);
  response.output.forEach((item, at) => {
    reader.need(item.type, 'an item without type');
    check(item, IN_ITEM[item.type], item.type);
    reader.need(!response.output.slice(0, at).some(({ id }) => id && id === item.id),
      `id ${item.id} comes again`);
    (item.type === 'message' ? item.content : []).forEach((part) => {
      reader.need(part.type in IN_PART, `a part of type ${part.type}`);
      check(part, IN_PART[part.type], part.type);
      reader.need(Array.isArray(part.logprobs ?? []), `logprobs is ${typeOf(part.logprobs)}`);
    });
  });
  // What runs in the background is answered before it is done.
  const waits = ['queued', 'in_progress'].includes(response.status);
  reader.need(['completed', 'incomplete', 'failed'].includes(response.status)
    || (waits && response.background === true), `status ${response.status}`);
  if (response.status !== 'failed' && !waits) {
    reader.count(response);
  }
  return summary(response, reader.problems, null);
}
