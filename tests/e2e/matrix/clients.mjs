// The clients of the matrix. Each writes what a concept asks in the words of its protocol, and reads
// the answer strictly, in the words that all share:
//
//   asks    { system, turns, tools, choice, parallel, think, format, stop, max, likely }
//   turns   { user, images } | { assistant, calls } | { results: [{ id, name, text, error }] }
//   answer  { problems, text, thinking, calls: [{ id, name, args }], likely, refusal,
//            finish, usage, error }
//
// `can` says what a protocol has words for; `finish` what its words mean.

import { readAnthropicBody, readAnthropicStream } from '../lib/anthropic_reader.mjs';
import { readChatBody, readChatStream } from '../lib/chat_reader.mjs';
import { readGeminiBody, readGeminiStream } from '../lib/gemini_reader.mjs';
import { readOllamaBody, readOllamaStream } from '../lib/ollama_reader.mjs';
import { readResponsesBody, readResponsesStream } from '../lib/responses_reader.mjs';
import { KEY } from '../lib/gateway.mjs';

const PNG_URL = (data) => `data:image/png;base64,${data}`;

/** Arguments as text, for readers that parsed them. */
const asText = (args) => (typeof args === 'string' ? args : JSON.stringify(args));

function errorOf(reply) {
  const { error } = reply.json ?? {};
  return typeof error === 'string' ? { message: error } : error;
}

// Chat --------------------------------------------------------------------------------------------

function chatMessages({ turns, system }) {
  const out = system ? [{ role: 'system', content: system }] : [];
  for (const { user, images, assistant, calls, results } of turns) {
    if (results) {
      results.forEach(({ id, text }) => out.push({ role: 'tool', tool_call_id: id, content: text }));
    } else if (assistant !== undefined || calls) {
      out.push({ role: 'assistant', content: assistant ?? null,
        ...(calls && { tool_calls: calls.map(({ args, id, name }) => ({ id, type: 'function',
          function: { name, arguments: args } })) }) });
    } else {
      out.push({ role: 'user', content: images ? [{ type: 'text', text: user },
        ...images.map((data) => ({ type: 'image_url', image_url: { url: PNG_URL(data) } }))]
        : user });
    }
  }
  return out;
}

const chat = {
  path: () => '/v1/chat/completions',
  can: { choice: true, error: false, format: true, likely: true, parallel: true, stop: true },
  body: (asks, model, stream) => ({
    model, stream, messages: chatMessages(asks), max_completion_tokens: asks.max,
    ...(stream && { stream_options: { include_usage: true } }),
    ...(asks.stop && { stop: asks.stop }),
    ...(asks.think && { reasoning_effort: asks.think }),
    ...(asks.likely && { logprobs: true, top_logprobs: asks.likely }),
    ...(asks.tools && { tools: asks.tools.map(({ description, name, schema }) => ({
      type: 'function', function: { name, description, parameters: schema } })) }),
    ...(asks.choice && { tool_choice: asks.choice.name
      ? { type: 'function', function: { name: asks.choice.name } } : 'required' }),
    ...(asks.parallel === false && { parallel_tool_calls: false }),
    ...(asks.format && { response_format: { type: 'json_schema',
      json_schema: { name: 'answer', strict: true, schema: asks.format } } }),
  }),
  finish: { stop: 'stop', length: 'length', tool_calls: 'tool', content_filter: 'filter' },
  read: (reply, stream) => (stream ? readChatStream(reply.text) : readChatBody(reply.json)),
  usage: (usage) => ({ input: usage.prompt_tokens, output: usage.completion_tokens,
    cacheRead: usage.prompt_tokens_details?.cached_tokens ?? 0,
    reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0 }),
};

// Responses ---------------------------------------------------------------------------------------

function responsesInput({ turns }) {
  return turns.flatMap(({ user, images, assistant, calls, results }) => {
    if (results) {
      return results.map(({ id, text }) => ({ type: 'function_call_output', call_id: id,
        output: text }));
    } else if (assistant !== undefined || calls) {
      return [...(assistant ? [{ role: 'assistant', content: [{ type: 'output_text',
        text: assistant }] }] : []),
      ...(calls ?? []).map(({ args, id, name }) => ({ type: 'function_call', call_id: id, name,
        arguments: args }))];
    }
    return [{ role: 'user', content: [{ type: 'input_text', text: user },
      ...(images ?? []).map((data) => ({ type: 'input_image', image_url: PNG_URL(data) }))] }];
  });
}

const responses = {
  path: () => '/v1/responses',
  can: { choice: true, error: false, format: true, likely: true, parallel: true, stop: false },
  body: (asks, model, stream) => ({
    model, stream, input: responsesInput(asks), max_output_tokens: asks.max, store: false,
    ...(asks.system && { instructions: asks.system }),
    ...(asks.likely && { include: ['message.output_text.logprobs'], top_logprobs: asks.likely }),
    ...(asks.think && { reasoning: { effort: asks.think, summary: 'auto' } }),
    ...(asks.tools && { tools: asks.tools.map(({ description, name, schema }) => ({
      type: 'function', name, description, parameters: schema, strict: false })) }),
    ...(asks.choice && { tool_choice: asks.choice.name
      ? { type: 'function', name: asks.choice.name } : 'required' }),
    ...(asks.parallel === false && { parallel_tool_calls: false }),
    ...(asks.format && { text: { format: { type: 'json_schema', name: 'answer', strict: true,
      schema: asks.format } } }),
  }),
  finish: { completed: 'stop', max_output_tokens: 'length', content_filter: 'filter' },
  read: (reply, stream) => (stream ? readResponsesStream(reply.text)
    : readResponsesBody(reply.json)),
  usage: (usage) => ({ input: usage.input_tokens, output: usage.output_tokens,
    cacheRead: usage.input_tokens_details.cached_tokens,
    reasoning: usage.output_tokens_details.reasoning_tokens }),
};

// Anthropic ---------------------------------------------------------------------------------------

function anthropicMessages({ turns }) {
  return turns.map(({ user, images, assistant, calls, results }) => {
    if (results) {
      return { role: 'user', content: results.map(({ error, id, text }) => ({ type: 'tool_result',
        tool_use_id: id, content: text, ...(error && { is_error: true }) })) };
    } else if (assistant !== undefined || calls) {
      return { role: 'assistant', content: [
        ...(assistant ? [{ type: 'text', text: assistant }] : []),
        ...(calls ?? []).map(({ args, id, name }) => ({ type: 'tool_use', id, name,
          input: JSON.parse(args) }))] };
    }
    return { role: 'user', content: [{ type: 'text', text: user },
      ...(images ?? []).map((data) => ({ type: 'image', source: { type: 'base64',
        media_type: 'image/png', data } }))] };
  });
}

const anthropic = {
  path: () => '/v1/messages',
  can: { choice: true, error: true, format: true, likely: false, parallel: true, stop: true },
  body: (asks, model, stream) => ({
    model, stream, messages: anthropicMessages(asks), max_tokens: asks.max,
    ...(asks.system && { system: asks.system }),
    ...(asks.stop && { stop_sequences: asks.stop }),
    ...(asks.think && { thinking: { type: 'enabled', budget_tokens: 20000 } }),
    ...(asks.tools && { tools: asks.tools.map(({ description, name, schema }) => ({
      name, description, input_schema: schema })) }),
    ...((asks.choice || asks.parallel === false) && { tool_choice: {
      ...(asks.choice?.name ? { type: 'tool', name: asks.choice.name }
        : { type: asks.choice ? 'any' : 'auto' }),
      ...(asks.parallel === false && { disable_parallel_tool_use: true }) } }),
    ...(asks.format && { output_config: { format: { type: 'json_schema',
      schema: asks.format } } }),
  }),
  finish: { end_turn: 'stop', stop_sequence: 'stop', max_tokens: 'length', tool_use: 'tool',
    refusal: 'filter' },
  read: (reply, stream) => (stream ? readAnthropicStream(reply.text)
    : readAnthropicBody(reply.json)),
  usage: (usage) => ({ input: usage.input_tokens + (usage.cache_read_input_tokens ?? 0)
    + (usage.cache_creation_input_tokens ?? 0), output: usage.output_tokens,
  cacheRead: usage.cache_read_input_tokens ?? 0 }),
};

// Gemini ------------------------------------------------------------------------------------------

function geminiContents({ turns }) {
  return turns.map(({ user, images, assistant, calls, results }) => {
    if (results) {
      return { role: 'user', parts: results.map(({ error, id, name, text }) => ({
        functionResponse: { id, name, response: { [error ? 'error' : 'output']: text } } })) };
    } else if (assistant !== undefined || calls) {
      return { role: 'model', parts: [...(assistant ? [{ text: assistant }] : []),
        ...(calls ?? []).map(({ args, id, name }) => ({ functionCall: { id, name,
          args: JSON.parse(args) } }))] };
    }
    return { role: 'user', parts: [{ text: user }, ...(images ?? []).map((data) => ({
      inlineData: { mimeType: 'image/png', data } }))] };
  });
}

const gemini = {
  path: (model, stream) => `/v1beta/models/${model}:${
    stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  can: { choice: true, error: true, format: true, likely: true, parallel: false, stop: true },
  body: (asks) => ({
    contents: geminiContents(asks),
    ...(asks.system && { systemInstruction: { parts: [{ text: asks.system }] } }),
    generationConfig: { maxOutputTokens: asks.max,
      ...(asks.likely && { responseLogprobs: true, logprobs: asks.likely }),
      ...(asks.stop && { stopSequences: asks.stop }),
      ...(asks.think && { thinkingConfig: { thinkingBudget: 20000, includeThoughts: true } }),
      ...(asks.format && { responseMimeType: 'application/json',
        responseJsonSchema: asks.format }) },
    ...(asks.tools && { tools: [{ functionDeclarations: asks.tools.map((tool) => ({
      name: tool.name, description: tool.description, parametersJsonSchema: tool.schema })) }] }),
    ...(asks.choice && { toolConfig: { functionCallingConfig: { mode: 'ANY',
      ...(asks.choice.name && { allowedFunctionNames: [asks.choice.name] }) } } }),
  }),
  finish: { STOP: 'stop', MAX_TOKENS: 'length', SAFETY: 'filter' },
  read: (reply, stream) => (stream ? readGeminiStream(reply.text) : readGeminiBody(reply.json)),
  usage: (usage) => ({ input: usage.promptTokenCount,
    output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
    cacheRead: usage.cachedContentTokenCount ?? 0, reasoning: usage.thoughtsTokenCount ?? 0 }),
};

// Ollama ------------------------------------------------------------------------------------------

function ollamaMessages({ system, turns }) {
  const out = system ? [{ role: 'system', content: system }] : [];
  for (const { user, images, assistant, calls, results } of turns) {
    if (results) {
      results.forEach(({ id, name, text }) => out.push({ role: 'tool', tool_name: name,
        tool_call_id: id, content: text }));
    } else if (assistant !== undefined || calls) {
      out.push({ role: 'assistant', content: assistant ?? '', ...(calls && {
        tool_calls: calls.map(({ args, id, name }) => ({ id, function: { name,
          arguments: JSON.parse(args) } })) }) });
    } else {
      out.push({ role: 'user', content: user, ...(images && { images }) });
    }
  }
  return out;
}

/** Ollama's schemas have few words. */
const plain = ({ additionalProperties: _, ...schema }) => schema;

const ollama = {
  path: () => '/api/chat',
  can: { choice: false, error: false, format: true, likely: true, parallel: false, stop: true },
  body: (asks, model, stream) => ({
    model, stream, messages: ollamaMessages(asks),
    options: { num_predict: asks.max, ...(asks.stop && { stop: asks.stop }) },
    ...(asks.think && { think: asks.think }),
    ...(asks.likely && { logprobs: true, top_logprobs: asks.likely }),
    ...(asks.format && { format: asks.format }),
    ...(asks.tools && { tools: asks.tools.map(({ description, name, schema }) => ({
      type: 'function', function: { name, description, parameters: plain(schema) } })) }),
  }),
  finish: { stop: 'stop', length: 'length' },
  read: (reply, stream) => (stream ? readOllamaStream(reply.text) : readOllamaBody(reply.json)),
  usage: (usage) => ({ input: usage.prompt_eval_count, output: usage.eval_count }),
};

export const CLIENTS = { openai: chat, responses, anthropic, gemini, ollama };

/** Asks as a client does; gives the reply as it came. */
export function ask(gw, client, { asks, model, stream }) {
  const { body, path } = CLIENTS[client];
  // Numbers beyond 2^53 are written as the text that they are.
  const text = JSON.stringify(body({ max: asks.think ? 30000 : 4000, ...asks }, model, stream))
    .replaceAll('"BIG"', '9007199254740993');
  return gw.post(path(model, stream), text, { headers: { 'x-goog-api-key': KEY,
    'content-type': 'application/json', 'anthropic-version': '2023-06-01' } });
}

const BIG = '9007199254740993';

/** Reads an answer. A number that lost a digit on its way is not read as the one that was said. */
export function read(client, reply, stream) {
  const { finish, read: readWith, usage } = CLIENTS[client];
  if (reply.status !== 200) {
    return { problems: [], status: reply.status, error: errorOf(reply) };
  }
  // Where arguments are JSON and no text, JavaScript would round their numbers.
  const inText = client === 'openai' || client === 'responses' || (client === 'anthropic' && stream);
  const text = inText ? reply.text : reply.text.replaceAll(`:${BIG}`, ':"BIG"');
  const exact = { text, get json() { return JSON.parse(text); } };
  const got = readWith(exact, stream);
  const said = got.error && stream ? null : finish[got.finish] ?? `unknown ${got.finish}`;
  return { problems: got.problems, status: 200, text: got.text, thinking: got.thinking,
    likely: got.likely ?? [], refusal: got.refusal ?? '', error: got.error ?? null,
    finish: said === 'stop' && got.calls?.length ? 'tool' : said, usage: got.usage
      ? usage(got.usage) : null,
    calls: (got.calls ?? []).map(({ args, id, name }) => ({ id, name,
      args: JSON.parse(asText(args).replaceAll(`:${BIG}`, ':"BIG"')) })) };
}
