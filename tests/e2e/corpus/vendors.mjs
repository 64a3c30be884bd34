// What a recorded stream says, read from the vendor's own words by readers that share nothing with
// the gateway:
//
//   { text, thinking, calls: [{ name, args }], finish, usage: { input, read, output }, error }
//
// `args` is text, undefined where the recording has them in pieces that only a gateway joins;
// `input` counts what came from a cache too. `broken` says that a stream must not look complete.

import fs from 'node:fs';
import path from 'node:path';
import { corpusMissing, events, readAnthropic, readOpenai, streams }
  from '../../upstream/corpus.mjs';

const json = JSON.stringify;

// Chat --------------------------------------------------------------------------------------------

/** Usage in whatever dialect an imitator writes it. */
export function chatUsage(usage) {
  if (!usage) {
    return null;
  }
  const reasoning = usage.completion_tokens_details?.reasoning_tokens
    ?? usage.reasoning_tokens ?? 0;
  const apart = reasoning > 0
    && usage.total_tokens === usage.prompt_tokens + usage.completion_tokens + reasoning;
  const output = usage.completion_tokens + (apart ? reasoning : 0);
  const input = Math.max(usage.prompt_tokens, (usage.total_tokens ?? 0) - output);
  const details = usage.prompt_tokens_details ?? {};
  return { input, output,
    read: Math.min(details.cached_tokens ?? usage.prompt_cache_hit_tokens ?? 0, input) };
}

const CHAT_FINISH = { length: 'length', content_filter: 'filter', max_tokens: 'length' };

function chat(text) {
  const said = readOpenai(text);
  // Snowflake has its thoughts in the details alone.
  const details = said.thinking ? '' : events(text).flatMap((one) => (
    one.choices?.[0]?.delta?.reasoning_details ?? [])).map((one) => one.text ?? one.summary ?? '')
    .join('');
  const refusal = events(text).map((one) => one.choices?.[0]?.delta?.refusal ?? '').join('');
  const groq = events(text).map((one) => one.x_groq?.usage).find(Boolean);
  return { ...said, text: said.text + refusal, thinking: said.thinking + details,
    usage: chatUsage(said.usage ?? groq),
    finish: CHAT_FINISH[said.finish] ?? (said.calls.length ? 'tool' : 'stop'),
    broken: !said.finish && !/data: ?\[DONE\]/.test(text) };
}

// Anthropic ---------------------------------------------------------------------------------------

const CLAUDE_FINISH = { max_tokens: 'length', refusal: 'filter',
  model_context_window_exceeded: 'length' };

function anthropic(text) {
  const said = readAnthropic(text);
  const { cache_creation_input_tokens: written, cache_read_input_tokens: read, input_tokens: fresh,
    output_tokens: output } = said.usage;
  return { ...said, finish: CLAUDE_FINISH[said.finish] ?? (said.calls.length ? 'tool' : 'stop'),
    usage: output === undefined ? null
      : { input: (fresh ?? 0) + (read ?? 0) + (written ?? 0), read: read ?? 0, output },
    broken: !said.finish || events(text).filter((one) => one.type === 'message_start').length > 1
      && said.calls.length > 0 };
}

// Responses ---------------------------------------------------------------------------------------

const ENDS = /^response\.(completed|incomplete|failed|done|cancelled)$/;

function responses(text) {
  const all = events(text);
  const last = all.findLast((one) => ENDS.test(one.type));
  const error = all.find((one) => one.type === 'error') ?? last?.response?.error ?? null;
  if (!last || error) {
    return { error, broken: true };
  }
  const { incomplete_details: why, output, usage } = last.response;
  const done = all.filter((one) => one.type === 'response.output_item.done').map((one) => one.item);
  const items = output?.length ? output : done;
  const texts = (type, member) => items.filter((one) => one.type === type)
    .flatMap((one) => one[member] ?? []).map((part) => part.text ?? part.refusal ?? '').join('');
  const calls = items.filter((one) => /^(function|custom_tool)_call$/.test(one.type))
    .map((one) => ({ name: one.namespace ? `${one.namespace}__${one.name}` : one.name,
      args: one.arguments ?? one.input }));
  const reasons = { max_output_tokens: 'length', content_filter: 'filter' };
  return { text: texts('message', 'content'), calls, error: null,
    thinking: texts('reasoning', 'summary') || texts('reasoning', 'content'),
    finish: reasons[why?.reason] ?? (calls.length ? 'tool' : 'stop'),
    usage: usage ? { input: usage.input_tokens, output: usage.output_tokens,
      read: usage.input_tokens_details?.cached_tokens ?? 0 } : null };
}

// Gemini ------------------------------------------------------------------------------------------

const GEMINI_FINISH = { MAX_TOKENS: 'length', SAFETY: 'filter', RECITATION: 'filter',
  BLOCKLIST: 'filter', PROHIBITED_CONTENT: 'filter', SPII: 'filter', LANGUAGE: 'filter',
  IMAGE_SAFETY: 'filter' };

function gemini(text) {
  const said = { text: '', thinking: '', calls: [], error: null, finish: null, media: 0 };
  let usage = {};
  for (const chunk of events(text).flat()) {
    said.error = chunk.error ?? said.error;
    usage = { ...usage, ...chunk.usageMetadata };
    const candidate = chunk.candidates?.[0];
    said.finish = candidate?.finishReason ?? chunk.promptFeedback?.blockReason ?? said.finish;
    for (const part of candidate?.content?.parts ?? []) {
      if (typeof part.text === 'string') {
        said[part.thought ? 'thinking' : 'text'] += part.text;
      } else if (part.functionCall?.name) {
        const partly = part.functionCall.willContinue || part.functionCall.partialArgs;
        said.calls.push({ name: part.functionCall.name,
          args: partly ? undefined : json(part.functionCall.args ?? {}) });
      }
    }
  }
  const { candidatesTokenCount = 0, cachedContentTokenCount: read = 0, promptTokenCount,
    thoughtsTokenCount = 0, toolUsePromptTokenCount = 0 } = usage;
  return { ...said, broken: !said.finish,
    finish: GEMINI_FINISH[said.finish] ?? (said.calls.length ? 'tool' : 'stop'),
    usage: promptTokenCount === undefined ? null : { read,
      input: promptTokenCount + toolUsePromptTokenCount,
      output: candidatesTokenCount + thoughtsTokenCount } };
}

// Ollama ------------------------------------------------------------------------------------------

function ollama(text) {
  const lines = text.trim().split('\n').map((line) => JSON.parse(line));
  const last = lines.at(-1);
  const calls = lines.flatMap((one) => one.message?.tool_calls ?? []).map((call) => ({
    name: call.function.name, args: json(call.function.arguments) }));
  return { calls, error: lines.find((one) => one.error) ?? null, broken: !last.done,
    text: lines.map((one) => one.message?.content ?? one.response ?? '').join(''),
    thinking: lines.map((one) => one.message?.thinking ?? one.thinking ?? '').join(''),
    finish: last.done_reason === 'length' ? 'length' : calls.length ? 'tool' : 'stop',
    usage: last.eval_count === undefined ? null
      : { input: last.prompt_eval_count ?? 0, output: last.eval_count, read: 0 } };
}

/** Ollama's recorded conversations or, by their address, its generations. */
export function ollamaStreams(address = /\/api\/chat$/) {
  if (corpusMissing) {
    return [];
  }
  const root = path.join(process.env.PX_CORPUS, 'ollama');
  return fs.readdirSync(root, { recursive: true }).filter((name) => name.endsWith('.json')).sort()
    .flatMap((name) => (JSON.parse(fs.readFileSync(path.join(root, name), 'utf8')).exchanges ?? [])
      .flatMap(({ request, response }, at) => (typeof response.body === 'string'
        && response.body.includes('"done":') && address.test(request.uri)
        ? [{ name: `ollama/${name}#${at}`, text: response.body }] : [])));
}

export const VENDORS = {
  openai: { read: chat, streams: () => streams('openai-chat') },
  responses: { read: responses, streams: () => streams('openai-responses') },
  anthropic: { read: anthropic, streams: () => streams('anthropic') },
  gemini: { read: gemini, streams: () => streams('gemini') },
  ollama: { read: ollama, streams: ollamaStreams },
};
