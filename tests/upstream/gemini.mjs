// A fake Gemini: generate, stream (both forms), count, embed and models, on the paths of the
// Gemini API and of Vertex AI; as strict as the real ones.

import { Vendor, must, parseBody } from './vendor.mjs';
import { checkBody } from './gemini_rules.mjs';
import { geminiEmbeddings } from './embeddings.mjs';
import { geminiArray, geminiFrames, geminiText } from './gemini_events.mjs';

// Tokens of pages hold what a URL must escape.
const TOKEN = 'Cg+/=&#% ';
const STUDIO = /^\/v1(?:beta|alpha)?\/models(?:\/(?<rest>.+))?$/;
const PLACE = '/v1(?:beta1)?/(?:projects/[^/]+/locations/[^/]+/)?publishers/google';
const VERTEX = new RegExp(`^${PLACE}/models/(?<rest>.+)$`);
const VERBS = ['generateContent', 'streamGenerateContent', 'countTokens', 'embedContent',
  'batchEmbedContents'];
const QUERY = new Set(['alt', 'key', 'pageSize', 'pageToken', '$alt', 'prettyPrint', 'fields']);

/** What a path asks for: `{ model, verb, isVertex }`, or undefined. The last colon counts. */
function target(exchange) {
  const path = decodeURIComponent(exchange.path);
  const isVertex = VERTEX.test(path);
  const found = (isVertex ? VERTEX : STUDIO).exec(path);
  if (!found) {
    return undefined;
  }
  const rest = found.groups.rest ?? '';
  const colon = rest.lastIndexOf(':');
  return colon < 0 ? { model: rest, verb: undefined, isVertex }
    : { model: rest.slice(0, colon), verb: rest.slice(colon + 1), isVertex };
}

function lastUserText(contents) {
  const last = contents.findLast((one) => one.role !== 'model');
  const say = (part) => part.text ?? (part.functionResponse ?? part.function_response)?.response;
  return last.parts.map((part) => {
    const said = say(part);
    return said === undefined ? `[${Object.keys(part)[0]}]`
      : typeof said === 'string' ? said : Object.values(said).join(' ');
  }).join(' ');
}

/**
 * A fake generativelanguage.googleapis.com, and Vertex AI beside it. The one good key is `key`, as
 * a header or in the query; Vertex takes `token` alone, as a Bearer token.
 */
export class FakeGemini extends Vendor {
  constructor({ key = 'sk-up', token = 'ya29.up',
    models = ['gemini-2.5-flash', 'gemini-3-flash-preview'] } = {}) {
    super();
    this.key = key;
    this.token = token;
    this.models = models;
  }

  checkKey(exchange, isVertex) {
    const bearer = /^Bearer (.*)$/.exec(exchange.headers.authorization ?? '')?.[1];
    const key = exchange.headers['x-goog-api-key'] ?? exchange.query.get('key');
    if (bearer !== undefined || isVertex) {
      must(bearer === this.token, 401, 'UNAUTHENTICATED', 'Request had invalid authentication '
        + 'credentials. Expected OAuth 2 access token, login cookie or other valid authentication '
        + 'credential.');
      return;
    }
    must(key, 403, 'PERMISSION_DENIED', "Method doesn't allow unregistered callers (callers "
      + 'without established identity). Please use API Key or other form of API consumer identity '
      + 'to call this API.');
    must(key === this.key, 400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API '
      + 'key.', { details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: 'API_KEY_INVALID', domain: 'googleapis.com',
      metadata: { service: 'generativelanguage.googleapis.com' } }] });
  }

  check(exchange) {
    const asked = target(exchange);
    must(asked, 404, 'NOT_FOUND', 'The requested URL was not found on this server.');
    this.checkKey(exchange, asked.isVertex);
    for (const name of exchange.query.keys()) {
      must(QUERY.has(name), 400, 'INVALID_ARGUMENT', 'Invalid JSON payload received. Unknown name '
        + `"${name}": Cannot bind query parameter. Field '${name}' could not be found in request `
        + 'message.');
    }
    must(['sse', 'json', null].includes(exchange.query.get('alt')), 400, 'INVALID_ARGUMENT',
      `Invalid value at 'alt', "${exchange.query.get('alt')}"`);
    const token = exchange.query.get('pageToken');
    must(token === null || token.startsWith(TOKEN) && /^\d+$/.test(token.slice(TOKEN.length)), 400,
      'INVALID_ARGUMENT', 'The page token is invalid.');
    const { model, verb } = asked;
    const isPost = exchange.method === 'POST';
    must(verb ? isPost && VERBS.includes(verb) : exchange.method === 'GET', 404, 'NOT_FOUND',
      'The requested URL was not found on this server.');
    must(!model.startsWith('missing') && !model.startsWith('nonexistent'), 404, 'NOT_FOUND',
      `models/${model} is not found for API version v1beta, or is not supported for ${verb}. Call `
      + 'ListModels to see the list of available models and their supported methods.');
    if (!verb) {
      return;
    }
    checkBody(parseBody(exchange, 'INVALID_ARGUMENT', 'Invalid JSON payload received. Unexpected '
      + 'end of string. Expected a value.'), asked);
  }

  refuse({ status, type, message, more }, exchange) {
    const body = { error: { code: status, message, status: type,
      ...(more.details ? { details: more.details } : {}) } };
    const isArray = target(exchange)?.verb === 'streamGenerateContent'
      && exchange.query.get('alt') !== 'sse';
    return { status, headers: { 'content-type': 'application/json; charset=UTF-8' },
      body: isArray ? [body] : body };
  }

  reply(exchange) {
    const { model, verb } = target(exchange);
    if (!verb) {
      return { body: this.replyModels(model, exchange.query) };
    }
    const tokens = Math.ceil(exchange.body.length / 4);
    if (verb === 'countTokens') {
      return { body: { totalTokens: tokens,
        promptTokensDetails: [{ modality: 'TEXT', tokenCount: tokens }] } };
    }
    if (verb === 'embedContent' || verb === 'batchEmbedContents') {
      return { body: geminiEmbeddings(exchange.json, verb === 'embedContent') };
    }
    return this.say(exchange, { text: `You said: ${lastUserText(exchange.json.contents)}` });
  }

  replyModels(model, query) {
    const entry = (id) => ({ name: `models/${id}`, version: '001', displayName: id,
      inputTokenLimit: 1048576, outputTokenLimit: 65536, thinking: true,
      supportedGenerationMethods: ['generateContent', 'countTokens'] });
    if (model) {
      return entry(model);
    }
    const start = Number((query.get('pageToken') ?? TOKEN + 0).slice(TOKEN.length));
    const end = start + Math.min(Number(query.get('pageSize')) || 50, this.pageMost ?? 1000);
    return { models: this.models.slice(start, end).map(entry),
      ...(end < this.models.length ? { nextPageToken: TOKEN + end } : {}) };
  }

  /** The answer to `exchange` that says what `description` says, in the form that was asked for. */
  say(exchange, description, more = {}) {
    const { model, verb } = target(exchange);
    const { logprobs = 0, responseLogprobs } = exchange.json.generationConfig ?? {};
    const full = { model, top: responseLogprobs ? logprobs : undefined, ...description };
    if (verb !== 'streamGenerateContent') {
      const headers = { 'content-type': 'application/json; charset=UTF-8', ...more.headers };
      return { ...more, headers, body: geminiText(full) };
    }
    if (exchange.query.get('alt') === 'sse') {
      return { ...more, headers: { 'content-type': 'text/event-stream', ...more.headers },
        pieces: geminiFrames(full) };
    }
    return { ...more,
      headers: { 'content-type': 'application/json; charset=UTF-8', ...more.headers },
      pieces: geminiArray(full) };
  }
}

/** An error body of Google's, for scripts. */
export function geminiError(code, status, message, details = undefined) {
  return { status: code, body: { error: { code, message, status,
    ...(details ? { details } : {}) } } };
}
