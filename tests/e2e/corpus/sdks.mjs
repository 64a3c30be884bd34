// The official SDKs, each reading a whole stream into the words that `vendors.mjs` explains. What
// does not come to its proper end must raise.

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { GoogleGenAI } from '@google/genai';
import { Ollama } from 'ollama';
import { KEY } from '../lib/gateway.mjs';
import { collect } from '../scenarios/shared.mjs';

const HI = [{ role: 'user', content: 'Hi' }];

async function chat({ url, model }) {
  const client = new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0 });
  const stream = client.chat.completions.stream({ model, messages: HI,
    stream_options: { include_usage: true } });
  let thinking = '';
  stream.on('chunk', (chunk) => {
    thinking += chunk.choices[0]?.delta.reasoning_content ?? '';
  });
  const { choices: [{ finish_reason: finish, message }], usage } = await stream
    .finalChatCompletion();
  const words = { tool_calls: 'tool', length: 'length', content_filter: 'filter', stop: 'stop' };
  return { text: (message.content ?? '') + (message.refusal ?? ''), thinking,
    calls: (message.tool_calls ?? []).map((call) => ({
      name: (call.function ?? call.custom).name,
      args: call.function?.arguments ?? call.custom.input })), finish: words[finish],
    usage: { input: usage.prompt_tokens, output: usage.completion_tokens,
      read: usage.prompt_tokens_details.cached_tokens } };
}

async function responses({ url, model }) {
  const client = new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0 });
  let final;
  for await (const event of client.responses.stream({ model, input: 'Hi', store: false })) {
    if (event.type === 'response.failed' || event.type === 'error') {
      throw new Error(event.response?.error.message ?? event.message);
    }
    final = event.response ?? final;
  }
  if (!['completed', 'incomplete'].includes(final.status)) {
    throw new Error(`it ended as ${final.status}`);
  }
  const { incomplete_details: why, output, usage } = final;
  const texts = (type, member) => output.filter((one) => one.type === type)
    .flatMap((one) => one[member] ?? []).map((part) => part.text ?? part.refusal ?? '').join('');
  const calls = output.filter((one) => /^(function|custom_tool)_call$/.test(one.type))
    .map((one) => ({ name: one.name, args: one.arguments ?? one.input }));
  const reasons = { max_output_tokens: 'length', content_filter: 'filter' };
  return { text: texts('message', 'content'), calls,
    thinking: texts('reasoning', 'summary') || texts('reasoning', 'content'),
    finish: reasons[why?.reason] ?? (calls.length ? 'tool' : 'stop'),
    usage: { input: usage.input_tokens, output: usage.output_tokens,
      read: usage.input_tokens_details.cached_tokens } };
}

async function anthropic({ url, model }) {
  const client = new Anthropic({ apiKey: KEY, baseURL: url, maxRetries: 0 });
  const { content, stop_reason: reason, usage } = await client.messages.stream({ model,
    max_tokens: 4000, messages: HI }).finalMessage();
  const words = { tool_use: 'tool', max_tokens: 'length', refusal: 'filter' };
  const texts = (type, member) => content.filter((one) => one.type === type)
    .map((one) => one[member]).join('');
  return { text: texts('text', 'text'), thinking: texts('thinking', 'thinking'),
    calls: content.filter((one) => one.type === 'tool_use').map((one) => ({ name: one.name,
      args: JSON.stringify(one.input) })), finish: words[reason] ?? 'stop',
    usage: { output: usage.output_tokens, read: usage.cache_read_input_tokens ?? 0,
      input: usage.input_tokens + (usage.cache_read_input_tokens ?? 0)
        + (usage.cache_creation_input_tokens ?? 0) } };
}

async function gemini({ url, model }) {
  const client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: url } });
  const chunks = await collect(await client.models.generateContentStream({ model,
    contents: 'Hi' }));
  const out = { text: '', thinking: '', calls: [] };
  let finish;
  for (const { candidates } of chunks) {
    finish = candidates?.[0]?.finishReason ?? finish;
    for (const part of candidates?.[0]?.content?.parts ?? []) {
      if (typeof part.text === 'string') {
        out[part.thought ? 'thinking' : 'text'] += part.text;
      } else if (part.functionCall) {
        out.calls.push({ name: part.functionCall.name,
          args: JSON.stringify(part.functionCall.args ?? {}) });
      }
    }
  }
  const blocked = chunks.some((one) => one.promptFeedback?.blockReason);
  if (!finish && !blocked) {
    throw new Error('it ended without a finishReason');
  }
  const words = { MAX_TOKENS: 'length', SAFETY: 'filter' };
  const { cachedContentTokenCount: read = 0, candidatesTokenCount = 0, promptTokenCount,
    thoughtsTokenCount = 0 } = chunks.findLast((one) => one.usageMetadata).usageMetadata;
  return { ...out, finish: blocked ? 'filter' : words[finish] ?? (out.calls.length ? 'tool'
    : 'stop'), usage: { read, input: promptTokenCount,
    output: candidatesTokenCount + thoughtsTokenCount } };
}

async function ollama({ url, model }) {
  const client = new Ollama({ host: url, headers: { authorization: `Bearer ${KEY}` } });
  const parts = await collect(await client.chat({ model, messages: HI, stream: true }));
  const last = parts.at(-1);
  if (!last?.done) {
    throw new Error('it ended without its last line');
  }
  const calls = parts.flatMap((one) => one.message.tool_calls ?? []).map((call) => ({
    name: call.function.name, args: JSON.stringify(call.function.arguments) }));
  return { text: parts.map((one) => one.message.content).join(''), calls,
    thinking: parts.map((one) => one.message.thinking ?? '').join(''),
    finish: last.done_reason === 'length' ? 'length' : calls.length ? 'tool' : 'stop',
    usage: { input: last.prompt_eval_count, output: last.eval_count } };
}

export const SDKS = { openai: chat, responses, anthropic, gemini, ollama };
