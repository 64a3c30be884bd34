// A fake OpenAI: Chat Completions and models, as strict as the real one, in its own words.

import { Vendor, must, Refusal, isObject, plainName, stranger, parseBody } from './vendor.mjs';
import { checkOpenai, openaiEmbeddings } from './embeddings.mjs';
import { openaiBody, openaiFrames } from './events.mjs';
import { MEDIA } from './images_audio.mjs';

const TOP = new Set(['audio', 'frequency_penalty', 'function_call', 'functions', 'logit_bias',
  'logprobs', 'max_completion_tokens', 'max_tokens', 'messages', 'metadata', 'modalities', 'model',
  'moderation', 'n', 'parallel_tool_calls', 'prediction', 'presence_penalty', 'prompt_cache_key',
  'prompt_cache_options', 'prompt_cache_retention', 'reasoning_effort', 'response_format',
  'safety_identifier', 'seed', 'service_tier', 'stop', 'store', 'stream', 'stream_options',
  'temperature', 'tool_choice', 'tools', 'top_logprobs', 'top_p', 'user', 'verbosity',
  'web_search_options']);

const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);
const EFFORT = new Set(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']);
const PART = { assistant: new Set(['text', 'refusal']), tool: new Set(['text']),
  user: new Set(['text', 'image_url', 'input_audio', 'file']) };

function bad(param, code, message) {
  throw new Refusal(400, 'invalid_request_error', message, { param, code });
}

function need(ok, param, code, message) {
  if (!ok) {
    bad(param, code, message);
  }
}

function range(body, name, low, high) {
  const value = body[name];
  if (value === undefined || value === null) {
    return;
  }
  need(typeof value === 'number', name, 'invalid_type',
    `Invalid type for '${name}': expected a decimal, but got ${typeof value} instead.`);
  need(value >= low, name, 'decimal_below_min_value', `Invalid '${name}': decimal below minimum `
    + `value. Expected a value >= ${low}, but got ${value} instead.`);
  need(value <= high, name, 'decimal_above_max_value', `Invalid '${name}': decimal above maximum `
    + `value. Expected a value <= ${high}, but got ${value} instead.`);
}

function checkSampling(body) {
  range(body, 'temperature', 0, 2);
  range(body, 'top_p', 0, 1);
  range(body, 'presence_penalty', -2, 2);
  range(body, 'frequency_penalty', -2, 2);
  range(body, 'top_logprobs', 0, 20);
  need(body.top_logprobs === undefined || body.logprobs === true, 'top_logprobs', null,
    "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.");
  need(!Array.isArray(body.stop) || body.stop.length <= 4, 'stop', 'array_above_max_length',
    `Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array `
    + `with length ${body.stop?.length} instead.`);
  need(body.stream_options === undefined || body.stream_options === null || body.stream === true,
    'stream_options', null, "The 'stream_options' parameter is only allowed when 'stream' is "
    + 'enabled.');
  for (const name of ['max_tokens', 'max_completion_tokens']) {
    const value = body[name];
    need(value === undefined || value === null || (Number.isInteger(value) && value >= 1), name,
      'integer_below_min_value', `Invalid '${name}': integer below minimum value. Expected a value `
      + `>= 1, but got ${value} instead.`);
  }
}

function checkModelTraits(body) {
  const reasons = /^(o\d|gpt-5)/.test(body.model);
  if (!reasons) {
    need(body.reasoning_effort === undefined, null, null,
      'Unrecognized request argument supplied: reasoning_effort');
    return;
  }
  need(body.reasoning_effort === undefined || EFFORT.has(body.reasoning_effort),
    'reasoning_effort', 'unsupported_value', `Invalid value: '${body.reasoning_effort}'.`);
  need(body.max_tokens === undefined, 'max_tokens', 'unsupported_parameter',
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    + "'max_completion_tokens' instead.");
  for (const name of ['temperature', 'top_p']) {
    need(body[name] === undefined || body[name] === 1, name, 'unsupported_value', `Unsupported `
      + `value: '${name}' does not support ${body[name]} with this model. Only the default (1) `
      + 'value is supported.');
  }
  for (const name of ['stop', 'logprobs', 'top_logprobs']) {
    need(body[name] === undefined, name, 'unsupported_parameter',
      `Unsupported parameter: '${name}' is not supported with this model.`);
  }
}

function checkTools(body) {
  const { tools } = body;
  need(tools || body.tool_choice === undefined, 'tool_choice', null,
    "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.");
  need(tools || body.parallel_tool_calls === undefined, 'parallel_tool_calls', null, 'Invalid '
    + "value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are "
    + 'specified.');
  if (tools === undefined) {
    return;
  }
  need(Array.isArray(tools) && tools.length > 0, 'tools', 'empty_array', "Invalid 'tools': empty "
    + 'array. Expected an array with minimum length 1, but got an empty array instead.');
  tools.forEach((tool, at) => {
    const where = `tools[${at}]`;
    need(tool.type === 'function' || tool.type === 'custom', `${where}.type`, 'invalid_value',
      `Invalid value: '${tool.type}'. Supported values are: 'function' and 'custom'.`);
    const inner = tool[tool.type];
    need(isObject(inner), `${where}.${tool.type}`, 'missing_required_parameter',
      `Missing required parameter: '${where}.${tool.type}'.`);
    need(plainName(inner.name, 64), `${where}.function.name`, 'invalid_value', `Invalid `
      + `'${where}.function.name': string does not match pattern. Expected a string that matches `
      + "the pattern '^[a-zA-Z0-9_-]+$'.");
    const schema = inner.parameters;
    need(schema === undefined || (isObject(schema) && schema.type === 'object'),
      `${where}.function.parameters`, 'invalid_function_parameters', `Invalid schema for function `
      + `'${inner.name}': schema must be a JSON Schema of 'type: "object"', got 'type: `
      + `"${schema?.type ?? 'None'}"'.`);
  });
  const choice = body.tool_choice;
  if (isObject(choice) && choice.type === 'function') {
    need(tools.some((tool) => tool.function?.name === choice.function?.name), 'tool_choice', null,
      `Tool choice '${choice.function?.name}' not found in 'tools' parameter.`);
  } else {
    const word = isObject(choice) ? choice.type : choice;
    const known = isObject(choice) ? ['custom', 'allowed_tools'] : ['none', 'auto', 'required'];
    need(choice === undefined || known.includes(word), 'tool_choice', 'invalid_value',
      `Invalid value: '${word}'. Supported values are: ${known.map((k) => `'${k}'`).join(', ')}.`);
  }
}

function checkPart(part, role, where) {
  const allowed = PART[role] ?? PART.tool;
  need(allowed.has(part?.type), `${where}.type`, 'invalid_value', `Invalid value: `
    + `'${part?.type}'. Supported values are: ${[...allowed].map((t) => `'${t}'`).join(', ')}.`);
  if (part.type === 'text') {
    need(typeof part.text === 'string', `${where}.text`, 'missing_required_parameter',
      `Missing required parameter: '${where}.text'.`);
  }
  if (part.type === 'image_url') {
    const url = part.image_url?.url;
    need(typeof url === 'string', `${where}.image_url`, 'invalid_type', `Invalid type for `
      + `'${where}.image_url': expected an object, but got ${typeof part.image_url} instead.`);
    need(/^https?:\/\//.test(url) || /^data:image\/(png|jpeg|gif|webp);base64,[\w+/]+=*$/.test(url),
      `${where}.image_url.url`, 'invalid_image_url', `Invalid '${where}.image_url.url'. Expected a `
      + 'valid URL or a base64-encoded data URL with an image MIME type.');
  }
}

function checkContent(message, where) {
  const { content, role } = message;
  if (content === null || content === undefined) {
    const excused = role === 'assistant'
      && (message.tool_calls || message.function_call || message.audio || message.refusal);
    need(excused, `${where}.content`, null,
      `Invalid value for 'content': expected a string, got null.`);
    return;
  }
  if (typeof content === 'string') {
    return;
  }
  need(Array.isArray(content) && content.length > 0, `${where}.content`, 'invalid_type', `Invalid `
    + `type for '${where}.content': expected one of a string or array of objects, but got `
    + `${Array.isArray(content) ? 'an empty array' : typeof content} instead.`);
  content.forEach((part, at) => checkPart(part, role, `${where}.content[${at}]`));
}

function checkCalls(message, where) {
  need(message.tool_calls === undefined || message.tool_calls?.length > 0, `${where}.tool_calls`,
    'empty_array', `Invalid '${where}.tool_calls': empty array. Expected an array with minimum `
    + 'length 1, but got an empty array instead.');
  (message.tool_calls ?? []).forEach((call, at) => {
    const path = `${where}.tool_calls[${at}]`;
    need(typeof call.id === 'string' && call.id.length > 0, `${path}.id`,
      'missing_required_parameter', `Missing required parameter: '${path}.id'.`);
    need(call.id.length <= 40, `${path}.id`, 'string_above_max_length', `Invalid '${path}.id': `
      + `string too long. Expected a string with maximum length 40, but got a string with length `
      + `${call.id.length} instead.`);
    const text = call.type === 'custom' ? call.custom?.input : call.function?.arguments;
    need(typeof text === 'string', `${path}.function.arguments`, 'invalid_type', `Invalid type for `
      + `'${path}.function.arguments': expected a string, but got ${typeof text} instead.`);
  });
}

/** Every call must be answered before anything else is said; every answer must have its call. */
function checkPairs(messages) {
  let waiting = null;
  messages.forEach((message, at) => {
    const where = `messages.[${at}]`;
    if (message.role === 'tool') {
      need(waiting, `${where}.role`, null, "Invalid parameter: messages with role 'tool' must be a "
        + "response to a preceeding message with 'tool_calls'.");
      need(typeof message.tool_call_id === 'string', `${where}.tool_call_id`,
        'missing_required_parameter', `Missing required parameter: '${where}.tool_call_id'.`);
      need(waiting.delete(message.tool_call_id), where, null, `Invalid parameter: 'tool_call_id' `
        + `of '${message.tool_call_id}' not found in 'tool_calls' of previous message.`);
      return;
    }
    need(!waiting || waiting.size === 0, where, null, "An assistant message with 'tool_calls' must "
      + "be followed by tool messages responding to each 'tool_call_id'. The following "
      + `tool_call_ids did not have response messages: ${[...(waiting ?? [])].join(', ')}`);
    waiting = message.tool_calls ? new Set(message.tool_calls.map((call) => call.id)) : null;
  });
  need(!waiting || waiting.size === 0, 'messages', null, "An assistant message with 'tool_calls' "
    + "must be followed by tool messages responding to each 'tool_call_id'. The following "
    + `tool_call_ids did not have response messages: ${[...(waiting ?? [])].join(', ')}`);
}

function checkMessages(messages) {
  need(Array.isArray(messages), 'messages', 'missing_required_parameter',
    "Missing required parameter: 'messages'.");
  need(messages.length > 0, 'messages', 'empty_array', "Invalid 'messages': empty array. Expected "
    + 'an array with minimum length 1, but got an empty array instead.');
  messages.forEach((message, at) => {
    const where = `messages[${at}]`;
    need(ROLES.has(message.role), `${where}.role`, 'invalid_value', `Invalid value: `
      + `'${message.role}'. Supported values are: 'system', 'assistant', 'user', 'function', `
      + "'tool', and 'developer'.");
    checkContent(message, where);
    checkCalls(message, where);
  });
  checkPairs(messages);
}

function checkFormat(body) {
  const format = body.response_format;
  if (format === undefined || format === null) {
    return;
  }
  if (format.type === 'json_object') {
    need(/json/i.test(JSON.stringify(body.messages)), 'messages', null, "'messages' must contain "
      + "the word 'json' in some form, to use 'response_format' of type 'json_object'.");
  } else if (format.type === 'json_schema') {
    need(plainName(format.json_schema?.name, 64), 'response_format.json_schema.name',
      'missing_required_parameter',
      "Missing required parameter: 'response_format.json_schema.name'.");
    need(isObject(format.json_schema.schema), 'response_format.json_schema.schema',
      'missing_required_parameter', "Missing required parameter: "
      + "'response_format.json_schema.schema'.");
  } else {
    need(format.type === 'text', 'response_format.type', 'invalid_value', `Invalid value: `
      + `'${format.type}'. Supported values are: 'json_object', 'json_schema', and 'text'.`);
  }
}

function checkBody(body) {
  need(typeof body.model === 'string' && body.model, null, null,
    'you must provide a model parameter');
  const odd = stranger(body, TOP);
  need(!odd, odd, 'unknown_parameter', `Unknown parameter: '${odd}'.`);
  must(!body.model.startsWith('missing'), 404, 'invalid_request_error', `The model `
    + `\`${body.model}\` does not exist or you do not have access to it.`,
  { code: 'model_not_found' });
  checkMessages(body.messages);
  checkSampling(body);
  checkModelTraits(body);
  checkTools(body);
  checkFormat(body);
}

function lastUserText(messages) {
  const message = messages.findLast((one) => one.role === 'user' || one.role === 'tool');
  const { content } = message ?? { content: '' };
  return typeof content === 'string' ? content
    : content.map((part) => part.text ?? `[${part.type}]`).join(' ');
}

/** A fake api.openai.com. The one good key is `key`. */
export class FakeOpenAI extends Vendor {
  constructor({ key = 'sk-up', models = ['gpt-4o', 'gpt-5-mini'] } = {}) {
    super();
    this.key = key;
    this.models = models;
  }

  checkKey(exchange) {
    const auth = exchange.headers.authorization;
    must(auth, 401, 'invalid_request_error', "You didn't provide an API key. You need to provide "
      + 'your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer '
      + 'YOUR_KEY).', { code: null });
    must(auth === `Bearer ${this.key}`, 401, 'invalid_request_error', `Incorrect API key provided: `
      + `${auth.slice(7)}. You can find your API key at https://platform.openai.com.`,
    { code: 'invalid_api_key' });
  }

  check(exchange) {
    this.checkKey(exchange);
    if (exchange.method === 'GET' && exchange.path.startsWith('/v1/models')) {
      return;
    }
    if (this.passes && exchange.path === '/v1/completions') {
      return;
    }
    if (exchange.method === 'POST' && exchange.path === '/v1/embeddings') {
      checkOpenai(exchange);
      return;
    }
    if (exchange.method === 'POST' && MEDIA[exchange.path]) {
      exchange.media = MEDIA[exchange.path](exchange);
      return;
    }
    must(exchange.path === '/v1/chat/completions', 404, 'invalid_request_error',
      `Invalid URL (${exchange.method} ${exchange.path})`);
    must(exchange.method === 'POST', 405, 'invalid_request_error',
      `Not allowed to ${exchange.method} on ${exchange.path}`, { code: 'method_not_supported' });
    must(/^application\/json/.test(exchange.headers['content-type'] ?? ''), 400,
      'invalid_request_error', 'you must provide a model parameter');
    checkBody(parseBody(exchange, 'invalid_request_error', 'We could not parse the JSON body of '
      + 'your request. (HINT: This likely means you aren\'t using your HTTP library correctly. The '
      + 'OpenAI API expects a JSON payload, but what was sent was not valid JSON.)'));
  }

  refuse({ status, type, message, more }) {
    return { status, headers: { 'x-request-id': 'req_fake' },
      body: { error: { message, type, param: more.param ?? null, code: more.code ?? null } } };
  }

  reply(exchange) {
    const entry = (id) => ({ id, object: 'model', created: 1790000000, owned_by: 'openai' });
    if (exchange.method === 'GET') {
      const id = decodeURIComponent(exchange.path.slice('/v1/models/'.length));
      return { body: id ? entry(id) : { object: 'list', data: this.models.map(entry) } };
    }
    if (exchange.media) {
      return exchange.media;
    }
    const body = exchange.json;
    if (exchange.path === '/v1/embeddings') {
      return { body: openaiEmbeddings(body) };
    }
    return this.say(exchange, { text: `You said: ${lastUserText(body.messages)}` });
  }

  /** The answer to `exchange` that says what `description` says, streamed if that was asked. */
  say(exchange, description, more = {}) {
    const body = exchange.json;
    const headers = { 'x-request-id': 'req_fake', 'openai-version': '2020-10-01', ...more.headers };
    const full = { model: body.model, top: body.logprobs ? body.top_logprobs ?? 0 : undefined,
      ...description };
    return body.stream
      ? { ...more, headers,
        pieces: openaiFrames(full, body.stream_options?.include_usage === true) }
      : { ...more, headers, body: openaiBody(full) };
  }
}

/** An error body of OpenAI's, for scripts. */
export function openaiError(status, type, code, message, headers = {}) {
  return { status, headers, body: { error: { message, type, param: null, code } } };
}
