// A fake OpenAI that speaks Responses too: create, get, delete, count; as strict as the real one.

import { must, parseBody, Refusal } from './vendor.mjs';
import { FakeOpenAI } from './openai.mjs';
import { checkBody } from './responses_rules.mjs';
import { responsesBody, responsesFrames } from './responses_events.mjs';

const PATH = /^\/v1\/responses(?:\/(?<id>[^/]+))?(?:\/(?<verb>input_items|cancel))?$/;
const NOT_JSON = 'We could not parse the JSON body of your request. (HINT: This likely means you '
  + "aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was "
  + 'sent was not valid JSON.)';

/** The calls of the stored response that a request goes on from. */
class Stored {
  constructor(output) {
    this.anything = output === null;
    this.calls = new Map((output ?? []).filter((item) => item.call_id)
      .map((item) => [item.call_id, true]));
  }

  has(id) {
    return this.anything || this.calls.has(id);
  }

  answer(id) {
    this.calls.delete(id);
  }

  /** A call that nothing has answered. */
  open() {
    return this.calls.keys().next().value;
  }
}

function lastInputText(input) {
  if (typeof input === 'string') {
    return input;
  }
  const last = (input ?? []).findLast((item) => item.role === 'user' || 'output' in item);
  const content = last?.content ?? last?.output ?? '';
  return typeof content === 'string' ? content
    : content.map((part) => part.text ?? `[${part.type}]`).join(' ');
}

/**
 * A fake api.openai.com with `/v1/responses` beside what FakeOpenAI has. `dialect` loosens what
 * only other vendors of this protocol loosen: `extra` members at the top, the form of `proof`
 * (a pattern for `encrypted_content`), `openReasoning`, ids without `prefixes`, `foreign` models.
 */
export class FakeResponses extends FakeOpenAI {
  constructor({ key, models = ['gpt-4o', 'gpt-5-mini'], dialect = {} } = {}) {
    super({ key, models });
    this.kept = new Map();
    this.can = { openReasoning: false, prefixes: true, proof: /^gAAAA/,
      reasons: (model) => /^(o\d|gpt-5)/.test(model), stored: (id) => this.keptItem(id),
      ...dialect };
  }

  clear() {
    super.clear();
    this.kept.clear();
  }

  /** Keeps a response for `previous_response_id`; without a body, one that allows any output. */
  remember(id, body = null) {
    this.kept.set(id, body);
  }

  keptItem(id) {
    return [...this.kept.values()].some((body) => !body
      || body.output.some((item) => item.id === id));
  }

  check(exchange) {
    const { method, path } = exchange;
    const found = PATH.exec(path);
    if (!found) {
      super.check(exchange);
      return;
    }
    this.checkKey(exchange);
    const { id, verb } = found.groups;
    const sub = !verb && (id === 'input_tokens' || id === 'compact');
    if (id && !sub) {
      this.checkStored(exchange, id, verb);
      return;
    }
    must(method === 'POST', 405, 'invalid_request_error', `Not allowed to ${method} on ${path}`,
      { code: 'method_not_supported' });
    must(/^application\/json/.test(exchange.headers['content-type'] ?? ''), 400,
      'invalid_request_error', "Missing required parameter: 'model'.", { param: 'model',
        code: 'missing_required_parameter' });
    const body = parseBody(exchange, 'invalid_request_error', NOT_JSON);
    checkBody(body, this.can, () => this.previous(body));
  }

  checkStored({ method, path }, id, verb) {
    const wanted = verb === 'cancel' ? ['POST'] : verb ? ['GET'] : ['GET', 'DELETE'];
    must(wanted.includes(method), 405, 'invalid_request_error',
      `Not allowed to ${method} on ${path}`, { code: 'method_not_supported' });
    must(this.kept.get(id), 404, 'invalid_request_error', `Response with id '${id}' not found.`);
  }

  previous({ previous_response_id: id, conversation }) {
    if (!id) {
      return new Stored(conversation ? null : []);
    }
    if (!this.kept.has(id)) {
      throw new Refusal(400, 'invalid_request_error', `Previous response with id '${id}' not `
        + 'found.', { param: 'previous_response_id', code: 'previous_response_not_found' });
    }
    const body = this.kept.get(id);
    return new Stored(body && body.output);
  }

  reply(exchange) {
    const found = PATH.exec(exchange.path);
    if (!found) {
      return super.reply(exchange);
    }
    const { id, verb } = found.groups;
    if (id === 'input_tokens') {
      return { body: { object: 'response.input_tokens',
        input_tokens: Math.ceil(exchange.body.length / 4) } };
    }
    if (id === 'compact') {
      return { body: { id: 'resp_compacted', object: 'response.compaction', created_at: 1790000000,
        output: [{ id: 'cmp_1', type: 'compaction', encrypted_content: 'gAAAAcompacted' }],
        usage: responsesBody({}).usage } };
    }
    if (id) {
      return { body: this.replyStored(exchange.method, id, verb) };
    }
    return this.sayResponse(exchange, { text: `You said: ${lastInputText(exchange.json.input)}` });
  }

  replyStored(method, id, verb) {
    if (method === 'DELETE') {
      this.kept.delete(id);
      return { id, object: 'response', deleted: true };
    }
    const body = this.kept.get(id);
    return verb === 'input_items' ? { object: 'list', data: [], first_id: null, last_id: null,
      has_more: false } : verb === 'cancel' ? { ...body, status: 'cancelled' } : body;
  }

  /** As `say` of FakeOpenAI, on whichever of the two paths the request came. */
  say(exchange, description, more = {}) {
    return PATH.test(exchange.path) ? this.sayResponse(exchange, description, more)
      : super.say(exchange, description, more);
  }

  sayResponse(exchange, description, more = {}) {
    const request = exchange.json;
    const headers = { 'x-request-id': 'req_fake', 'openai-version': '2020-10-01', ...more.headers };
    const full = { id: `f${this.requests.length}`, model: request.model, ...description };
    const body = responsesBody(full, request);
    if (request.store !== false) {
      this.kept.set(body.id, body);
    }
    return request.stream ? { ...more, headers, pieces: responsesFrames(full, request) }
      : { ...more, headers, body };
  }
}
