// A fake Anthropic: Messages, token counting and models, as strict as the real one.

import { Vendor, must, parseBody } from './vendor.mjs';
import { checkBody } from './anthropic_rules.mjs';
import { anthropicFrames, anthropicText } from './events.mjs';

const VERSIONS = new Set(['2023-06-01', '2026-10-21']);

function lastUserText(messages) {
  const { content } = messages.findLast((one) => one.role === 'user') ?? { content: '' };
  const say = (block) => block.text
    ?? (typeof block.content === 'string' ? block.content : `[${block.type}]`);
  return typeof content === 'string' ? content : content.map(say).join(' ');
}

/** A fake api.anthropic.com. The one good key is `key`, as x-api-key or as a Bearer token. */
export class FakeAnthropic extends Vendor {
  constructor({ key = 'sk-up', models = ['claude-sonnet-4-6', 'claude-opus-5'] } = {}) {
    super();
    this.key = key;
    this.models = models;
  }

  check(exchange) {
    const { headers } = exchange;
    const bearer = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1];
    must(headers['x-api-key'] || bearer, 401, 'authentication_error',
      'x-api-key header is required');
    must((headers['x-api-key'] ?? bearer) === this.key, 401, 'authentication_error',
      'invalid x-api-key');
    must(headers['anthropic-version'], 400, 'invalid_request_error',
      'anthropic-version: header is required');
    must(VERSIONS.has(headers['anthropic-version']), 400, 'invalid_request_error',
      `anthropic-version: "${headers['anthropic-version']}" is not a valid version`);
    if (exchange.method === 'GET' && exchange.path.startsWith('/v1/models')) {
      const limit = Number(exchange.query.get('limit') ?? 20);
      must(limit >= 1 && limit <= 1000, 400, 'invalid_request_error',
        'limit: Input should be between 1 and 1000');
      const after = exchange.query.get('after_id');
      must(after === null || this.models.includes(after), 400, 'invalid_request_error',
        `after_id: "${after}" is not a valid cursor`);
      return;
    }
    const counts = exchange.path === '/v1/messages/count_tokens';
    must(counts || exchange.path === '/v1/messages', 404, 'not_found_error', 'Not Found');
    must(exchange.method === 'POST', 405, 'invalid_request_error', 'Method Not Allowed');
    must(/^application\/json/.test(headers['content-type'] ?? ''), 400, 'invalid_request_error',
      'Expected request with `Content-Type: application/json`');
    const body = parseBody(exchange, 'invalid_request_error',
      'The request body is not valid JSON: expected value at line 1 column 1');
    checkBody(counts ? { max_tokens: 1, ...body } : body, headers['anthropic-version']);
  }

  refuse({ status, type, message }) {
    return { status, headers: { 'request-id': 'req_fake' },
      body: { type: 'error', error: { type, message }, request_id: 'req_fake' } };
  }

  reply(exchange) {
    const entry = (id) => ({ id, type: 'model', display_name: id,
      created_at: '2026-01-01T00:00:00Z' });
    if (exchange.method === 'GET') {
      const id = decodeURIComponent(exchange.path.slice('/v1/models/'.length));
      return { body: id ? entry(id) : this.replyModels(exchange.query, entry) };
    }
    if (exchange.path.endsWith('/count_tokens')) {
      return { body: { input_tokens: Math.ceil(exchange.body.length / 4) } };
    }
    return this.say(exchange, { text: `You said: ${lastUserText(exchange.json.messages)}` });
  }

  /** A page of models, of `pageMost` at most. */
  replyModels(query, entry) {
    const after = query.get('after_id');
    const start = this.models.indexOf(after) + 1;
    const limit = Number(query.get('limit') ?? 20);
    const end = start + Math.min(limit, this.pageMost ?? 1000);
    const data = this.models.slice(start, end).map(entry);
    return { data, has_more: end < this.models.length, first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null };
  }

  /** The answer to `exchange` that says what `description` says, streamed if that was asked. */
  say(exchange, description, more = {}) {
    const body = exchange.json;
    const headers = { 'request-id': 'req_fake', ...more.headers };
    const full = { model: body.model, ...description };
    return body.stream ? { ...more, headers, pieces: anthropicFrames(full) }
      : { ...more, headers, body: anthropicText(full) };
  }
}

/** An error body of Anthropic's, for scripts. */
export function anthropicError(status, type, message, headers = {}) {
  return { status, headers,
    body: { type: 'error', error: { type, message }, request_id: 'req_fake' } };
}
