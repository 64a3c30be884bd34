// A fake Ollama: chat, generate and what is around them, as strict as the real one, in its own
// words. Where the real one ignores a member that it does not know, this one refuses it, since a
// gateway has no reason to send one.

import { checkOllama, ollamaEmbeddings } from './embeddings.mjs';
import { Vendor, must, isObject, stranger, parseBody } from './vendor.mjs';
import { ollamaLines, ollamaText } from './ollama_lines.mjs';

const TOP = new Set(['model', 'messages', 'stream', 'tools', 'format', 'think', 'options',
  'keep_alive', 'truncate', 'shift', 'logprobs', 'top_logprobs']);
const GENERATE = new Set(['model', 'prompt', 'suffix', 'system', 'template', 'raw', 'images',
  'format', 'options', 'stream', 'think', 'keep_alive', 'truncate', 'shift', 'context', 'logprobs',
  'top_logprobs']);
const MESSAGE = new Set(['role', 'content', 'images', 'thinking', 'tool_calls', 'tool_name',
  'tool_call_id']);
const PROPERTY = new Set(['type', 'description', 'enum', 'properties', 'required', 'items',
  'anyOf', '$defs', '$ref']);
const ROLES = new Set(['system', 'user', 'assistant', 'tool']);
const LEVELS = new Set(['low', 'medium', 'high', 'max']);
const INTEGERS = new Set(['num_predict', 'top_k', 'seed', 'repeat_last_n', 'num_ctx', 'num_keep',
  'num_batch', 'num_gpu', 'main_gpu', 'num_thread']);
const FLOATS = new Set(['temperature', 'top_p', 'min_p', 'typical_p', 'repeat_penalty',
  'presence_penalty', 'frequency_penalty']);
const MAGIC = [[0xff, 0xd8, 0xff], [0x89, 0x50, 0x4e, 0x47], [0x52, 0x49, 0x46, 0x46]];

function need(ok, message) {
  must(ok, 400, 'bad_request', message);
}

function goType(value) {
  return Array.isArray(value) ? 'array' : isObject(value) ? 'object' : value === null ? 'null'
    : { boolean: 'bool' }[typeof value] ?? typeof value;
}

/** Raises what Go's decoder says of a value of the wrong type. */
function typed(ok, value, field, type) {
  need(ok, `json: cannot unmarshal ${goType(value)} into Go struct field ${field} of type `
    + `${type}`);
}

function text(value, field) {
  typed(value === undefined || typeof value === 'string', value, field, 'string');
}

function known(object, names) {
  const odd = stranger(object, names);
  need(!odd, `json: unknown field "${odd}"`);
}

function checkImages(images, field) {
  typed(images === undefined || Array.isArray(images), images, field, '[]api.ImageData');
  for (const image of images ?? []) {
    text(image, field);
    const bad = image.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(image);
    need(!bad, `illegal base64 data at input byte ${image.search(/[^A-Za-z0-9+/]|$/)}`);
    const bytes = Buffer.from(image, 'base64');
    need(MAGIC.some((magic) => magic.every((byte, at) => bytes[at] === byte)),
      'Failed to load image or audio file');
  }
}

function checkCalls(message) {
  for (const call of message.tool_calls ?? []) {
    known(call, new Set(['id', 'type', 'function']));
    text(call.id, 'ToolCall.messages.tool_calls.id');
    text(call.function?.name, 'ToolCallFunction.messages.tool_calls.function.name');
    const args = call.function?.arguments;
    typed(isObject(args), args, 'ToolCallFunction.messages.tool_calls.function.arguments',
      'api.ToolCallFunctionArguments');
  }
}

function checkMessages(messages) {
  typed(messages === undefined || Array.isArray(messages), messages, 'ChatRequest.messages',
    '[]api.Message');
  const open = [];
  for (const message of messages ?? []) {
    known(message, MESSAGE);
    need(ROLES.has(message.role), `invalid role: ${message.role}`);
    for (const name of ['content', 'thinking', 'tool_name', 'tool_call_id']) {
      text(message[name], `Message.messages.${name}`);
    }
    checkImages(message.images, 'Message.messages.images');
    checkCalls(message);
    open.push(...(message.tool_calls ?? []).map((call) => call.function.name));
    if (message.role === 'tool') {
      const at = open.indexOf(message.tool_name);
      need(at >= 0, `tool ${message.tool_name} was not called`);
      open.splice(at, 1);
    }
  }
}

function checkSchema(schema, field) {
  typed(isObject(schema), schema, field, 'api.ToolProperty');
  known(schema, PROPERTY);
  const { type } = schema;
  typed(type === undefined || typeof type === 'string' || Array.isArray(type), type,
    `${field}.type`, 'api.PropertyType');
  text(schema.description, `${field}.description`);
  typed(!schema.required || schema.required.every((name) => typeof name === 'string'),
    schema.required, `${field}.required`, '[]string');
  Object.values(schema.properties ?? {}).forEach((one) => checkSchema(one, field));
  Object.values(schema.$defs ?? {}).forEach((one) => checkSchema(one, field));
  (schema.anyOf ?? []).forEach((one) => checkSchema(one, field));
  if (schema.items !== undefined) {
    checkSchema(schema.items, field);
  }
}

function checkTools(tools) {
  typed(tools === undefined || Array.isArray(tools), tools, 'ChatRequest.tools', 'api.Tools');
  for (const tool of tools ?? []) {
    known(tool, new Set(['type', 'function']));
    need(tool.type === 'function', `unsupported tool type: ${tool.type}`);
    known(tool.function, new Set(['name', 'description', 'parameters']));
    need(typeof tool.function.name === 'string' && tool.function.name, 'tool name is missing');
    text(tool.function.description, 'ToolFunction.tools.function.description');
    checkSchema(tool.function.parameters, 'ToolFunction.tools.function.parameters');
  }
}

function checkOptions(options) {
  typed(options === undefined || isObject(options), options, 'ChatRequest.options',
    'map[string]interface {}');
  for (const [name, value] of Object.entries(options ?? {})) {
    if (name === 'stop') {
      need(Array.isArray(value) && value.every((one) => typeof one === 'string'),
        'option "stop" must be of type array');
    } else {
      need(INTEGERS.has(name) || FLOATS.has(name) || name === 'use_mmap',
        `invalid option provided: ${name}`);
      need(!INTEGERS.has(name) || Number.isInteger(value),
        `option "${name}" must be of type integer`);
      need(!FLOATS.has(name) || typeof value === 'number',
        `option "${name}" must be of type float32`);
    }
  }
}

function checkFormat(format) {
  const fine = format === undefined || format === null || format === '' || format === 'json'
    || isObject(format);
  need(fine, `invalid format: ${JSON.stringify(format)}; expected "json" or a valid JSON Schema `
    + 'object');
}

function checkLikely({ logprobs, top_logprobs: top }) {
  typed(logprobs === undefined || typeof logprobs === 'boolean', logprobs, 'ChatRequest.logprobs',
    'bool');
  typed(top === undefined || Number.isInteger(top), top, 'ChatRequest.top_logprobs', 'int');
  need(top === undefined || (top >= 0 && top <= 20), 'top_logprobs must be between 0 and 20');
}

/** Models that start with `plain` can neither think nor call tools; only some others think. */
function thinks(model) {
  return /think|qwen3|gpt-oss|deepseek-r1/.test(model);
}

function checkAbilities(body) {
  const { model, think } = body;
  must(!model.startsWith('missing'), 404, 'not_found', `model '${model}' not found`);
  need(think === undefined || typeof think === 'boolean' || LEVELS.has(think), `invalid think `
    + `value: ${JSON.stringify(think)} (must be "high", "medium", "low", "max", true, or false)`);
  need(!think || thinks(model), `"${model}" does not support thinking`);
  need(!body.tools?.length || !model.startsWith('plain'),
    `registry.ollama.ai/library/${model} does not support tools`);
}

function checkBody(body, generate) {
  known(body, generate ? GENERATE : TOP);
  need(typeof body.model === 'string' && body.model, 'model is required');
  typed(body.stream === undefined || typeof body.stream === 'boolean', body.stream,
    'ChatRequest.stream', 'bool');
  if (generate) {
    ['prompt', 'system', 'suffix', 'template'].forEach((name) => (
      text(body[name], `GenerateRequest.${name}`)));
    checkImages(body.images, 'GenerateRequest.images');
    need(!body.suffix, `registry.ollama.ai/library/${body.model} does not support insert`);
  } else {
    checkMessages(body.messages);
    checkTools(body.tools);
  }
  checkFormat(body.format);
  checkLikely(body);
  checkOptions(body.options);
  checkAbilities(body);
}

/** A fake Ollama. It asks for a key only if it is given one. */
export class FakeOllama extends Vendor {
  constructor({ key = undefined, models = ['llama3.2:latest', 'qwen3:latest'] } = {}) {
    super();
    this.key = key;
    this.models = models;
  }

  check(exchange) {
    const { method, path } = exchange;
    must(!this.key || exchange.headers.authorization === `Bearer ${this.key}`, 401, 'auth',
      'unauthorized');
    const reads = ['/', '/api/version', '/api/tags', '/api/ps'];
    if ((method === 'GET' || method === 'HEAD') && reads.includes(path)) {
      return;
    }
    const writes = ['/api/chat', '/api/generate', '/api/show'];
    if (method === 'POST' && path.startsWith('/api/embed')) {
      checkOllama(exchange);
      return;
    }
    must(method === 'POST' && writes.includes(path), 404, 'not_found', '404 page not found');
    const body = parseBody(exchange, 'bad_request',
      "invalid character 'x' looking for beginning of value");
    if (path === '/api/show') {
      const name = body.model ?? body.name;
      need(name, 'model is required');
      must(this.models.includes(name), 404, 'not_found', `model '${name}' not found`);
      return;
    }
    checkBody(body, path === '/api/generate');
  }

  refuse({ status, message }) {
    return { status, headers: { 'content-type': 'application/json; charset=utf-8' },
      body: { error: message } };
  }

  about(exchange) {
    const entry = (name) => ({ name, model: name, modified_at: '2026-01-01T00:00:00Z', size: 4e9,
      digest: '0'.repeat(64), details: { parent_model: '', format: 'gguf', family: 'llama',
        families: ['llama'], parameter_size: '8B', quantization_level: 'Q4_K_M' } });
    switch (exchange.path) {
      case '/': return { body: 'Ollama is running', headers: { 'content-type': 'text/plain' } };
      case '/api/version': return { body: { version: '0.13.0' } };
      case '/api/ps': return { body: { models: [] } };
      case '/api/tags': return { body: { models: this.models.map(entry) } };
      default: return { body: { ...entry(exchange.json.model), modelfile: '', template: '',
        parameters: '', model_info: { 'general.architecture': 'llama',
          'llama.context_length': 131072 }, capabilities: ['completion', 'tools'] } };
    }
  }

  reply(exchange) {
    if (exchange.path.startsWith('/api/embed')) {
      return { body: ollamaEmbeddings(exchange.json) };
    }
    if (!['/api/chat', '/api/generate'].includes(exchange.path)) {
      return this.about(exchange);
    }
    const body = exchange.json;
    const last = body.messages?.at(-1)?.content ?? body.prompt;
    if (!last) {
      const empty = exchange.path === '/api/chat'
        ? { message: { role: 'assistant', content: '' } } : { response: '' };
      return { body: { model: body.model, created_at: '2026-01-01T00:00:00Z', ...empty, done: true,
        done_reason: body.keep_alive === 0 ? 'unload' : 'load' } };
    }
    return this.say(exchange, { text: `You said: ${last}` });
  }

  /** The answer to `exchange` that says what `description` says, streamed unless told not to. */
  say(exchange, description, more = {}) {
    const body = exchange.json;
    const generate = exchange.path === '/api/generate';
    const full = { model: body.model, top: body.logprobs ? body.top_logprobs ?? 0 : undefined,
      ...description };
    return body.stream === false
      ? { ...more, headers: { 'content-type': 'application/json; charset=utf-8', ...more.headers },
        body: ollamaText(full, generate) }
      : { ...more, headers: { 'content-type': 'application/x-ndjson', ...more.headers },
        pieces: ollamaLines(full, generate) };
  }
}

/** An error body of Ollama's, for scripts. */
export function ollamaError(status, message, headers = {}) {
  return { status, headers, body: { error: message } };
}
