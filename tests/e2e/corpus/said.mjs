// What a vendor's answer says, whole, read from any of the five protocols into the words that all
// share, by nothing of the gateway's:
//
//   { text, thinking, calls: [{ name, args }], finish, usage: { input, output, cacheRead,
//     reasoning } | null }
//
// `input` counts what came from a cache too, `output` what was thought. Recorded answers of many
// vendors come through here, so each dialect of theirs is known.

import { chatUsage } from './vendors.mjs';

const list = (value) => (Array.isArray(value) ? value : value ? [value] : []);
const joined = (parts, member = 'text') => list(parts).map((part) => part[member] ?? '').join('');

function argsOf(args) {
  if (typeof args !== 'string') {
    return args ?? {};
  }
  return args.trim() ? JSON.parse(args) : {};
}

/** Content of Chat as text: a string, or (Mistral) a list of parts. */
function chatText(content) {
  return typeof content === 'string' ? content
    : joined(list(content).filter((part) => part.type === 'text'));
}

/** One channel of thinking: what is said in several is the same. */
function chatThinking(message) {
  const details = list(message.reasoning_details);
  const parts = list(message.content).filter((part) => part.type === 'thinking');
  return message.reasoning_content || message.reasoning
    || details.map((one) => one.text ?? one.summary ?? '').join('')
    || parts.map((part) => joined(part.thinking)).join('');
}

function chatCounts(usage) {
  if (!usage) {
    return null;
  }
  const { input, output, read: cacheRead } = chatUsage(usage);
  return { input, output, cacheRead,
    reasoning: usage.completion_tokens_details?.reasoning_tokens ?? usage.reasoning_tokens ?? 0 };
}

const CHAT_FINISH = { stop: 'stop', length: 'length', tool_calls: 'tool', function_call: 'tool',
  content_filter: 'filter' };

function chat(body) {
  const { finish_reason: finish, message } = body.choices[0];
  return { text: chatText(message.content) + (message.refusal ?? ''),
    thinking: chatThinking(message),
    calls: list(message.tool_calls).map(({ custom, function: made }) => (made
      ? { name: made.name, args: argsOf(made.arguments) }
      : { name: custom.name, args: { input: custom.input } })),
    finish: CHAT_FINISH[finish] ?? 'stop', usage: chatCounts(body.usage ?? body.x_groq?.usage) };
}

function responses(body) {
  const said = { text: '', thinking: '', calls: [] };
  for (const item of body.output) {
    if (item.type === 'message') {
      said.text += item.content.map((part) => part.text ?? part.refusal ?? '').join('');
    } else if (item.type === 'reasoning') {
      // Each part of an item is a paragraph.
      const thoughts = item.summary?.length ? item.summary : list(item.content);
      said.thinking += thoughts.map(({ text }) => text).join('\n\n');
    } else if (item.type === 'function_call') {
      said.calls.push({ name: [item.namespace, item.name].filter(Boolean).join('__'),
        args: argsOf(item.arguments) });
    } else if (item.type === 'custom_tool_call') {
      said.calls.push({ name: item.name, args: { input: item.input } });
    } else if (item.type === 'image_generation_call' && item.result) {
      said.text += '[image omitted]';
    }
  }
  const reason = body.incomplete_details?.reason;
  const { usage } = body;
  return { ...said,
    finish: { max_output_tokens: 'length', content_filter: 'filter' }[reason] ?? 'stop',
    usage: usage ? { input: usage.input_tokens, output: usage.output_tokens,
      cacheRead: usage.input_tokens_details?.cached_tokens ?? 0,
      reasoning: usage.output_tokens_details?.reasoning_tokens ?? 0 } : null };
}

const ANTHROPIC_FINISH = { max_tokens: 'length', model_context_window_exceeded: 'length',
  refusal: 'filter', tool_use: 'tool' };

function anthropic(body) {
  const of = (type) => body.content.filter((block) => block.type === type);
  const { usage } = body;
  const cacheRead = usage.cache_read_input_tokens ?? 0;
  return { text: joined(of('text')), thinking: joined(of('thinking'), 'thinking'),
    calls: of('tool_use').map(({ input, name }) => ({ name, args: input })),
    finish: ANTHROPIC_FINISH[body.stop_reason] ?? 'stop',
    usage: { cacheRead, output: usage.output_tokens,
      input: usage.input_tokens + cacheRead + (usage.cache_creation_input_tokens ?? 0),
      reasoning: usage.output_tokens_details?.thinking_tokens ?? 0 } };
}

const GEMINI_FILTER = /SAFETY|RECITATION|BLOCKLIST|PROHIBITED_CONTENT|SPII/;

/** A part as text; for what no other protocol has words for a note stands in. */
function geminiText({ inlineData, text }) {
  return text ?? (inlineData ? `[${/^\w+/.exec(inlineData.mimeType)} omitted]` : '');
}

function gemini(body) {
  const candidate = body.candidates?.[0] ?? { finishReason: 'SAFETY' };
  const parts = list(candidate.content?.parts);
  const usage = body.usageMetadata;
  const reasoning = usage?.thoughtsTokenCount ?? 0;
  return { text: parts.filter((part) => !part.thought).map(geminiText).join(''),
    thinking: joined(parts.filter((part) => part.thought)),
    calls: parts.filter((part) => part.functionCall).map(({ functionCall: { args, name } }) => ({
      name, args: args ?? {} })),
    finish: candidate.finishReason === 'MAX_TOKENS' ? 'length'
      : GEMINI_FILTER.test(candidate.finishReason) ? 'filter' : 'stop',
    usage: usage?.promptTokenCount || usage?.candidatesTokenCount ? { reasoning,
      output: (usage.candidatesTokenCount ?? 0) + reasoning,
      input: (usage.promptTokenCount ?? 0) + (usage.toolUsePromptTokenCount ?? 0),
      cacheRead: usage.cachedContentTokenCount ?? 0 } : null };
}

function ollama(body) {
  const message = body.message ?? {};
  return { text: message.content ?? body.response ?? '',
    thinking: message.thinking ?? body.thinking ?? '',
    calls: list(message.tool_calls).map(({ function: made }) => ({ name: made.name,
      args: made.arguments })),
    finish: body.done_reason === 'length' ? 'length' : 'stop',
    usage: { input: body.prompt_eval_count ?? 0, output: body.eval_count ?? 0, cacheRead: 0,
      reasoning: 0 } };
}

// What is not over yet.
const IS_WHOLE = {
  responses: (body) => !/queued|in_progress/.test(body.status),
};

/** Whether `body` is a whole answer. */
export function isWhole(kind, body) {
  return IS_WHOLE[kind]?.(body) ?? true;
}

const READ = { openai: chat, responses, anthropic, gemini, ollama };

/** What `body`, a whole answer of the protocol `kind`, says. */
export function said(kind, body) {
  const found = READ[kind](body);
  return { ...found,
    finish: found.finish === 'stop' && found.calls.length ? 'tool' : found.finish };
}
