// Reads what was written for a client of Gemini, streamed or not, and says everything about it that
// a strict client could trip over.

import { readResult } from './logprobs.mjs';
import { DATA } from '../../upstream/gemini_fields.mjs';

const FINISH = new Set(['STOP', 'MAX_TOKENS', 'SAFETY', 'RECITATION', 'LANGUAGE', 'OTHER',
  'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII', 'MALFORMED_FUNCTION_CALL', 'IMAGE_SAFETY',
  'IMAGE_PROHIBITED_CONTENT', 'IMAGE_RECITATION', 'IMAGE_OTHER', 'NO_IMAGE', 'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS', 'MISSING_THOUGHT_SIGNATURE', 'MALFORMED_RESPONSE']);
const BESIDE = new Set(['thought', 'thoughtSignature', 'videoMetadata', 'partMetadata']);
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

class Reader {
  constructor() {
    Object.assign(this, { problems: [], text: '', thinking: '', calls: [], signatures: [], likely: [],
      finish: null, usage: null, blocked: null, error: null, media: 0 });
  }

  complain(words) {
    this.problems.push(this.at === undefined ? words : `chunk ${this.at}: ${words}`);
  }

  need(ok, words) {
    if (!ok) {
      this.complain(words);
    }
    return ok;
  }

  /** One response object: the whole of an answer, or its next increment. */
  chunk(body) {
    if (body.error) {
      this.error = body.error;
      this.need(Number.isInteger(body.error.code) && typeof body.error.message === 'string'
        && typeof body.error.status === 'string', 'an error without code, message or status');
      return;
    }
    this.need(!this.error, 'a chunk after an error');
    for (const name of ['modelVersion', 'responseId']) {
      if (this.need(typeof body[name] === 'string' && body[name], `no ${name}`)) {
        this[name] ??= body[name];
        this.need(this[name] === body[name], `${name} changes to ${body[name]}`);
      }
    }
    this.blocked = body.promptFeedback?.blockReason ?? this.blocked;
    this.need(body.candidates?.length || body.promptFeedback || body.usageMetadata,
      'neither candidates nor promptFeedback nor usage');
    this.need((body.candidates ?? []).length <= 1, 'more than one candidate');
    (body.candidates ?? []).forEach((candidate) => this.candidate(candidate));
    this.count(body.usageMetadata);
  }

  candidate({ content, finishReason, index, logprobsResult }) {
    this.need(index === undefined || index === 0, `candidate index ${index}`);
    const parts = content?.parts ?? [];
    if (content) {
      this.need(content.role === 'model', `role ${content.role}`);
      this.need(content.parts === undefined || parts.length, 'parts is an empty list');
    }
    this.need(!this.finish || parts.every((part) => part.text === ''), 'content after the finish');
    parts.forEach((part) => this.part(part));
    if (logprobsResult) {
      this.likely.push(...readResult(logprobsResult, (ok, words) => this.need(ok, words)));
    }
    if (finishReason !== undefined) {
      this.need(FINISH.has(finishReason), `an unknown finishReason ${finishReason}`);
      this.need(!this.finish || this.finish === finishReason, 'a second finishReason');
      this.finish = finishReason;
    }
  }

  part(part) {
    const names = DATA.filter((name) => name in part);
    this.need(names.length === 1 || (!names.length && part.thoughtSignature),
      `a part with ${names.length ? names.join(' and ') : 'nothing'}`);
    const odd = Object.keys(part).find((name) => !DATA.includes(name) && !BESIDE.has(name));
    this.need(!odd, `a part with an unknown ${odd}`);
    if ('thoughtSignature' in part) {
      this.need(BASE64.test(part.thoughtSignature), 'a thoughtSignature that is no base64');
      this.signatures.push(part.thoughtSignature);
    }
    if ('text' in part) {
      this.need(typeof part.text === 'string', 'text that is no text');
      this[part.thought ? 'thinking' : 'text'] += part.text;
    }
    this.need(part.thought === undefined || part.thought === true, `thought is ${part.thought}`);
    if (part.functionCall) {
      this.call(part.functionCall);
    }
    if (part.inlineData) {
      this.media++;
      this.need(part.inlineData.mimeType && BASE64.test(part.inlineData.data), 'a bad inlineData');
    }
  }

  call({ args, id, name, ...rest }) {
    this.need(typeof name === 'string' && name, 'a call without a name');
    this.need(args === undefined || isObject(args), 'args that are no object');
    this.need(!('partialArgs' in rest) && !('willContinue' in rest), 'a call that is not whole');
    this.need(id === undefined || (typeof id === 'string' && id), `a call id ${id}`);
    this.need(!id || !this.calls.some((one) => one.id === id), `call id ${id} comes again`);
    this.calls.push({ id, name, args: args ?? {} });
  }

  count(usage) {
    if (!usage) {
      return;
    }
    for (const name of ['promptTokenCount', 'candidatesTokenCount', 'totalTokenCount',
      'cachedContentTokenCount', 'thoughtsTokenCount', 'toolUsePromptTokenCount']) {
      const value = usage[name];
      this.need(value === undefined || (Number.isInteger(value) && value >= 0),
        `${name} is ${value}`);
      this.need(!(value < this.usage?.[name]), `${name} shrinks to ${value}`);
    }
    this.usage = { ...this.usage, ...usage };
  }

  end() {
    this.at = undefined;
    this.need(this.finish || this.blocked || this.error, 'no finishReason');
    if (this.error) {
      return this;
    }
    const counts = ['promptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount',
      'toolUsePromptTokenCount'].map((name) => this.usage?.[name] ?? 0);
    this.need(counts.reduce((sum, one) => sum + one) === this.usage?.totalTokenCount,
      `usage does not add up: ${JSON.stringify(this.usage)}`);
    return this;
  }
}

function parse(reader, text) {
  try {
    return JSON.parse(text);
  } catch {
    reader.complain(`no JSON: ${text.slice(0, 40)}`);
    return undefined;
  }
}

/** Reads a stream of `alt=sse`. `problems` is empty when it is legal. */
export function readGeminiStream(text) {
  const reader = new Reader();
  const frames = text.split('\r\n\r\n');
  reader.need(frames.pop() === '', 'the last frame does not end with a blank line');
  frames.forEach((frame, at) => {
    reader.at = at;
    // Google's own reader loses an event with any other line in it.
    reader.need(/^data: [^\r\n]*$/.test(frame), `not one data line: ${frame.slice(0, 40)}`);
    const body = parse(reader, frame.replace(/^data: ?/, ''));
    if (body) {
      reader.chunk(body);
    }
  });
  return reader.end();
}

/** Reads a stream without `alt=sse`: one JSON array. */
export function readGeminiArray(text) {
  const reader = new Reader();
  const list = parse(reader, text);
  reader.need(Array.isArray(list), 'no JSON array');
  (Array.isArray(list) ? list : []).forEach((body, at) => {
    reader.at = at;
    reader.chunk(body);
  });
  return reader.end();
}

/** Reads an answer that was not streamed. */
export function readGeminiBody(body) {
  const reader = new Reader();
  reader.chunk(body);
  return reader.end();
}
