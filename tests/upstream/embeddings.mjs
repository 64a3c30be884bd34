// Embeddings of the fake vendors: texts to vectors, each text to another one, always the same.

import { must, parseBody } from './vendor.mjs';

// Written as these digits; the second is a 32-bit float that JavaScript would write longer.
const DIGITS = ['-0.0010000000474974513', '0.1', '1e-7', '0.33333334'];

/** The vector of a text, as JSON text: its last number tells texts apart. */
export function vectorText(text, size = DIGITS.length + 1) {
  const last = `${[...Buffer.from(text)].reduce((sum, one) => sum + one, 0) % 1000}.5`;
  const rest = Array.from({ length: Math.max(size - 1, 0) }, (_, at) => DIGITS[at % DIGITS.length]);
  return `[${[...rest, last].join(',')}]`;
}

export const vector = (text, size) => JSON.parse(vectorText(text, size));

function packed(text) {
  return JSON.stringify(Buffer.from(Float32Array.from(JSON.parse(text)).buffer)
    .toString('base64'));
}

const tokensOf = (texts) => texts.join(' ').split(/\s+/).length;

const TOP = new Set(['model', 'input', 'dimensions', 'encoding_format', 'user']);

/** What OpenAI refuses of a request to /v1/embeddings. */
export function checkOpenai(exchange) {
  const bad = (ok, param, message) => must(ok, 400, 'invalid_request_error', message, { param,
    code: null });
  const body = parseBody(exchange, 'invalid_request_error', 'We could not parse the JSON body of '
    + 'your request.');
  const odd = Object.keys(body).find((name) => !TOP.has(name));
  bad(!odd, odd, `Unknown parameter: '${odd}'.`);
  bad(typeof body.model === 'string', 'model', 'you must provide a model parameter');
  const list = [body.input].flat();
  bad(list.length >= 1 && list.length <= 2048, 'input', "Invalid 'input': array too long.");
  bad(list.every((one) => typeof one === 'number' || Array.isArray(one)
    || (typeof one === 'string' && one !== '')), 'input', "'$.input' is invalid.");
  bad(['float', 'base64', undefined].includes(body.encoding_format), 'encoding_format',
    `Invalid value: '${body.encoding_format}'.`);
}

/** OpenAI's answer, as text. Out of order: clients must look at `index`. */
export function openaiEmbeddings({ dimensions, encoding_format: format, input, model }) {
  const texts = typeof input === 'string' ? [input]
    : input.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
  const data = texts.map((text, index) => {
    const value = vectorText(text, dimensions);
    return `{"object":"embedding","index":${index},"embedding":${
      format === 'base64' ? packed(value) : value}}`;
  }).reverse();
  const tokens = tokensOf(texts);
  return `{"object":"list","data":[${data.join(',')}],"model":"${model}",`
    + `"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens}}}`;
}

const geminiText = ({ content }) => content.parts.map((part) => part.text).join('');

/** Gemini's answer, as text. It tells no usage. */
export function geminiEmbeddings(body, isSingle) {
  const one = (request) => `{"values":${vectorText(geminiText(request),
    request.outputDimensionality)}}`;
  return isSingle ? `{"embedding":${one(body)}}`
    : `{"embeddings":[${body.requests.map(one).join(',')}]}`;
}

const OLLAMA = { '/api/embed': new Set(['model', 'input', 'truncate', 'dimensions', 'options',
  'keep_alive']), '/api/embeddings': new Set(['model', 'prompt', 'options', 'keep_alive']) };

/** What Ollama refuses of a request for embeddings. */
export function checkOllama(exchange) {
  const body = parseBody(exchange, 'bad_request', 'invalid character');
  const bad = (ok, message) => must(ok, 400, 'bad_request', message);
  const odd = Object.keys(body).find((name) => !OLLAMA[exchange.path].has(name));
  bad(!odd, `json: unknown field "${odd}"`);
  bad(typeof body.model === 'string' && body.model, 'model is required');
  bad(exchange.path !== '/api/embed' || [body.input].flat().every((one) => (
    typeof one === 'string')), 'invalid input type');
  bad(exchange.path !== '/api/embeddings' || typeof body.prompt === 'string',
    'json: cannot unmarshal');
}

/** Ollama's answer, as text. */
export function ollamaEmbeddings({ dimensions, input, model, prompt }) {
  if (input === undefined) {
    return `{"embedding":${vectorText(prompt)}}`;
  }
  const texts = [input].flat();
  return `{"model":"${model}","embeddings":[${texts.map((text) => vectorText(text, dimensions))
    .join(',')}],"total_duration":14143917,"load_duration":1019500,`
    + `"prompt_eval_count":${tokensOf(texts)}}`;
}
