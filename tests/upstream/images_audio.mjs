// Images and sound of the fake OpenAI, and a strict reader of multipart/form-data.

import { createHash } from 'node:crypto';
import { must, parseBody } from './vendor.mjs';
import { frames } from './events.mjs';

function bad(ok, param, message) {
  must(ok, 400, 'invalid_request_error', message, { param, code: null });
}

export const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Reads the headers of a part. */
function partOf(head, content) {
  const headers = Object.fromEntries(head.split('\r\n').map((line) => {
    const [, name, value] = /^([\w-]+):[ \t]*(.*)$/.exec(line) ?? [];
    bad(name, null, `Could not parse multipart form: malformed MIME header line: ${line}`);
    return [name.toLowerCase(), value];
  }));
  const named = /^form-data;\s*name="([^"\\]+)"(?:;\s*filename="([^"]*)")?/i
    .exec(headers['content-disposition'] ?? '');
  bad(named, null, 'Could not parse multipart form: a part has no name');
  return { name: named[1], filename: named[2], type: headers['content-type'], content };
}

/** The parts of a body, each `{ name, filename, type, content }`. Raises what the vendor refuses. */
export function multipart(type, body) {
  const [, quoted, plain] = /^multipart\/form-data;.*boundary=(?:"([^"]+)"|([^;\s]+))/i
    .exec(type ?? '') ?? [];
  const boundary = quoted ?? plain;
  bad(boundary, null, 'request Content-Type isn\'t multipart/form-data');
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  bad(body.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2)), null,
    'Could not parse multipart form: no boundary at the beginning');
  const parts = [];
  for (let at = delimiter.length - 2; ;) {
    if (body.toString('latin1', at, at + 2) === '--') {
      bad(body.length - at <= 4, null, 'Could not parse multipart form: bytes behind the end');
      return parts;
    }
    const head = body.indexOf('\r\n\r\n', at);
    const end = body.indexOf(delimiter, head + 2);
    bad(body.toString('latin1', at, at + 2) === '\r\n' && head >= 0 && end >= 0, null,
      'Could not parse multipart form: unexpected EOF');
    parts.push(partOf(body.toString('latin1', at + 2, head), body.subarray(head + 4, end)));
    at = end + delimiter.length;
  }
}

function formOf(exchange, known) {
  const fields = {};
  for (const part of multipart(exchange.headers['content-type'], exchange.body)) {
    bad(known.includes(part.name), part.name, `Unknown parameter: '${part.name}'.`);
    bad(!(part.name in fields) || part.name.endsWith('[]'), part.name,
      `Duplicate parameter: '${part.name}'.`);
    fields[part.name] = part.filename === undefined ? part.content.toString() : part;
  }
  return fields;
}

function jsonOf(exchange, known) {
  bad(/^application\/json/.test(exchange.headers['content-type'] ?? ''), null,
    'Unsupported content type: JSON is expected.');
  const body = parseBody(exchange, 'invalid_request_error', 'We could not parse the JSON body of '
    + 'your request.');
  const odd = Object.keys(body).find((name) => !known.includes(name));
  bad(!odd, odd, `Unknown parameter: '${odd}'.`);
  return body;
}

function need(fields, ...names) {
  for (const name of names) {
    bad(fields[name] !== undefined && fields[name] !== '', name,
      `Missing required parameter: '${name}'.`);
  }
  must(!/:/.test(fields.model ?? ''), 404, 'invalid_request_error',
    `The model '${fields.model}' does not exist.`, { code: 'model_not_found' });
}

const USAGE = { input_tokens: 7, output_tokens: 11, total_tokens: 18 };

function images(kind, seed, { stream, n = 1 }) {
  const b64 = Buffer.from(seed).toString('base64');
  if (stream === true || stream === 'true') {
    return { pieces: frames([
      { type: `${kind}.partial_image`, partial_image_index: 0, b64_json: b64.slice(0, 8) },
      { type: `${kind}.completed`, b64_json: b64, usage: USAGE }]) };
  }
  const data = Array.from({ length: Number(n) }, () => ({ b64_json: b64 }));
  return { body: { created: 1790000000, data, usage: USAGE } };
}

function heard(fields) {
  const text = `heard ${digest(fields.file.content)} by ${fields.model}`;
  if (fields.stream === 'true') {
    return { pieces: frames([{ type: 'transcript.text.delta', delta: text.slice(0, 6) },
      { type: 'transcript.text.delta', delta: text.slice(6) },
      { type: 'transcript.text.done', text }]) };
  }
  return fields.response_format === 'text'
    ? { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${text}\n` }
    : { body: { text } };
}

const IMAGE = ['model', 'n', 'size', 'user', 'response_format', 'output_format', 'quality', 'stream',
  'background', 'partial_images', 'moderation', 'style'];
const SOUND = ['file', 'model', 'prompt', 'response_format', 'temperature'];

/** What the fake has under each path: reads a request as the vendor does, and answers it. */
export const MEDIA = {
  '/v1/images/generations': (exchange) => {
    const body = jsonOf(exchange, [...IMAGE, 'prompt']);
    need(body, 'prompt');
    return images('image_generation', `${body.model ?? 'dall-e-2'}: ${body.prompt}`, body);
  },
  '/v1/images/edits': (exchange) => {
    const form = formOf(exchange, [...IMAGE, 'prompt', 'image', 'image[]', 'mask', 'input_fidelity']);
    need(form, 'prompt');
    const image = form.image ?? form['image[]'];
    bad(image?.filename !== undefined, 'image', "Missing required parameter: 'image'.");
    return images('image_edit', `${form.model ?? 'dall-e-2'}: ${digest(image.content)}`, form);
  },
  '/v1/images/variations': (exchange) => {
    const form = formOf(exchange, [...IMAGE, 'image']);
    need(form, 'image');
    return images('none', `${form.model ?? 'dall-e-2'}: ${digest(form.image.content)}`, form);
  },
  '/v1/audio/speech': (exchange) => {
    const body = jsonOf(exchange, ['model', 'input', 'voice', 'instructions', 'response_format',
      'speed', 'stream_format']);
    need(body, 'model', 'input', 'voice');
    if (body.stream_format === 'sse') {
      const audio = Buffer.from(body.input).toString('base64');
      return { pieces: frames([{ type: 'speech.audio.delta', audio },
        { type: 'speech.audio.done', usage: USAGE }]) };
    }
    const sound = Buffer.from(body.input.repeat(1000));
    return { headers: { 'content-type': 'audio/mpeg' },
      pieces: [sound.subarray(0, 100), sound.subarray(100)] };
  },
  '/v1/audio/transcriptions': (exchange) => {
    const form = formOf(exchange, [...SOUND, 'language', 'stream', 'include[]',
      'timestamp_granularities[]', 'chunking_strategy']);
    need(form, 'file', 'model');
    return heard(form);
  },
  '/v1/audio/translations': (exchange) => {
    const form = formOf(exchange, SOUND);
    need(form, 'file', 'model');
    return heard(form);
  },
};
