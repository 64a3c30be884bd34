// Reads recorded streams from the folder that PX_CORPUS names, and says what is in them.

import fs from 'node:fs';
import path from 'node:path';

const ROOT = process.env.PX_CORPUS;

/** Why the recordings cannot be used, or false: what `skip` of a test takes. */
export const corpusMissing = ROOT && fs.existsSync(ROOT) ? false
  : 'PX_CORPUS names no folder of recordings';

/** The folder of each kind of upstream. */
export const FOLDERS = { openai: 'openai-chat', responses: 'openai-responses',
  anthropic: 'anthropic', gemini: 'gemini', ollama: 'ollama' };

function walk(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (
    entry.isDirectory() ? walk(path.join(folder, entry.name)) : [path.join(folder, entry.name)]));
}

// Some files hold several streams, one after the other.
const BEGINS = /^\{"type":"(message_start|response\.created)"/;

/** The streams of a file of chunks: `{ name, text }`. */
function fromChunks(name, text, protocol) {
  const several = [];
  for (const line of text.split('\n').filter(Boolean)) {
    if (several.length === 0 || BEGINS.test(line)) {
      several.push([]);
    }
    several.at(-1).push(line);
  }
  // A message that begins a second time before it has ended is one broken stream.
  const whole = several.every((lines) => /"type":"(message_stop|response\.completed)"/
    .test(lines.at(-1)));
  return whole && several.length > 1
    ? several.map((lines, at) => ({ name: `${name}#${at}`, text: framed(lines, protocol) }))
    : [{ name, text: framed(several.flat(), protocol) }];
}

function framed(lines, protocol) {
  const named = protocol === 'anthropic' || protocol === 'openai-responses';
  const event = (line) => (named ? `event: ${JSON.parse(line).type}\n` : '');
  const end = protocol === 'openai-chat' ? 'data: [DONE]\n\n' : '';
  const blank = protocol === 'gemini' ? '\r\n\r\n' : '\n\n';
  return lines.map((line) => `${event(line)}data: ${line}${blank}`).join('') + end;
}

function fromExchanges(name, text) {
  return JSON.parse(text).exchanges.flatMap(({ request, response }, at) => (
    response.status === 200 && typeof response.body === 'string' && /^data:/m.test(response.body)
      ? [{ name: `${name}#${at}`, text: response.body, request: request.body }] : []));
}

// Of Gemini CLI's recordings only the chunks were kept.
function fromCli(name, text) {
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line))
    .flatMap(({ method, response }, at) => (method === 'generateContentStream'
      ? [{ name: `${name}#${at}`,
        text: response.map((one) => `data: ${JSON.stringify(one)}\r\n\r\n`).join('') }] : []));
}

/**
 * The recorded streams of `protocol` ('openai-chat', 'openai-responses', 'anthropic', 'gemini'):
 * `{ name, text, request? }`, the text being what the vendor sent.
 */
export function streams(protocol) {
  if (corpusMissing) {
    return [];
  }
  const root = path.join(ROOT, protocol);
  return walk(root).sort().flatMap((file) => {
    const name = path.relative(ROOT, file);
    if (name.endsWith('.chunks.txt')) {
      return fromChunks(name, fs.readFileSync(file, 'utf8'), protocol);
    }
    if (name.endsWith('.responses')) {
      return fromCli(name, fs.readFileSync(file, 'utf8'));
    }
    if (name.endsWith('.sse')) {
      return [{ name, text: fs.readFileSync(file, 'utf8') }];
    }
    if (name.endsWith('.json') && !name.includes('vercel-ai/')) {
      return fromExchanges(name, fs.readFileSync(file, 'utf8'));
    }
    return [];
  });
}

const ASKS = {
  anthropic: /\/messages(\?.*)?$/,
  gemini: /\/models\/[^/]*:\w+(\?.*)?$/,
  ollama: /\/api\/(chat|generate)$/,
  'openai-chat': /\/chat\/completions(\?.*)?$/,
  'openai-responses': /\/responses(\/input_tokens|\/compact)?(\?.*)?$/,
};

const IS_CHAT = /(completions|responses|messages|[gG]enerateContent|api\/chat|api\/generate)$/;

/** Whether a recorded address is one that answers a chat, rather than counts or embeds. */
export function isChat(uri) {
  return IS_CHAT.test(new URL(uri).pathname);
}

/** The recorded requests of `protocol`: `{ name, uri, body, status }`. */
export function requests(protocol) {
  if (corpusMissing) {
    return [];
  }
  const files = walk(path.join(ROOT, protocol)).sort()
    .filter((file) => file.endsWith('.json') && !file.includes('vercel-ai/'));
  return files.flatMap((file) => (
    JSON.parse(fs.readFileSync(file, 'utf8')).exchanges.flatMap(({ request, response }, at) => (
      ASKS[protocol].test(request.uri) && request.method === 'POST' && request.body
        ? [{ name: `${path.relative(ROOT, file)}#${at}`, uri: request.uri, body: request.body,
          status: response.status }] : []))));
}

/**
 * The recorded answers of `protocol` that were not streamed and no refusals: `{ name, body, uri? }`.
 */
export function replies(protocol) {
  if (corpusMissing) {
    return [];
  }
  const parsed = walk(path.join(ROOT, protocol)).sort().filter((file) => file.endsWith('.json'))
    .map((file) => [path.relative(ROOT, file), JSON.parse(fs.readFileSync(file, 'utf8'))]);
  return parsed.flatMap(([name, value]) => (value.exchanges
    ? value.exchanges.flatMap(({ request, response }, at) => (
      ASKS[protocol].test(request.uri) && response.status === 200
        && typeof response.body === 'object'
        ? [{ name: `${name}#${at}`, uri: request.uri, body: response.body }] : []))
    : value.error?.message ? [] : [{ name, body: value }]));
}

/** The data of each event of a stream, parsed; `[DONE]` and what is no JSON are left out. */
export function events(text) {
  return text.split(/\r?\n\r?\n/).flatMap((frame) => {
    const data = frame.split(/\r?\n/).filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(5).replace(/^ /, '')).join('\n');
    return /^[[{]/.test(data) && data !== '[DONE]' ? [JSON.parse(data)] : [];
  });
}

/** Content as text: a string, or (Mistral) a list of parts. */
function textOf(content) {
  return typeof content === 'string' ? content
    : (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Text, thinking, calls, finish and usage of a Chat Completions stream. */
export function readOpenai(text) {
  const out = { text: '', thinking: '', calls: [], finish: null, usage: null, error: null };
  const byIndex = new Map();
  for (const chunk of events(text)) {
    out.error = chunk.error ?? out.error;
    out.usage = chunk.usage ?? out.usage;
    const choice = chunk.choices?.[0];
    const delta = choice?.delta ?? {};
    out.text += textOf(delta.content);
    out.thinking += delta.reasoning_content ?? delta.reasoning ?? '';
    out.finish = choice?.finish_reason || out.finish;
    for (const piece of delta.tool_calls ?? []) {
      const key = piece.index ?? 0;
      if (!byIndex.has(key)) {
        byIndex.set(key, { id: '', name: '', args: '' });
        out.calls.push(byIndex.get(key));
      }
      const call = byIndex.get(key);
      call.id ||= piece.id ?? '';
      call.name ||= piece.function?.name ?? '';
      const args = piece.function?.arguments ?? '';
      call.args += typeof args === 'string' ? args : JSON.stringify(args);
    }
  }
  return out;
}

/** The same of a Messages stream. */
export function readAnthropic(text) {
  const out = { text: '', thinking: '', calls: [], finish: null, usage: {}, error: null, odd: [] };
  const open = new Map();
  for (const event of events(text)) {
    const { type, index, delta } = event;
    if (type === 'message_start') {
      Object.assign(out.usage, event.message.usage);
    } else if (type === 'content_block_start') {
      const block = event.content_block;
      if (block.type === 'tool_use') {
        out.calls.push({ id: block.id, name: block.name, args: '', start: block.input });
        open.set(index, out.calls[out.calls.length - 1]);
      } else {
        open.delete(index);
        if (!['text', 'thinking', 'redacted_thinking'].includes(block.type)) {
          out.odd.push(block.type);
        }
        out.text += block.type === 'text' ? block.text : '';
      }
    } else if (type === 'content_block_delta') {
      out.text += delta.text ?? '';
      out.thinking += delta.thinking ?? '';
      if (delta.partial_json && open.has(index)) {
        open.get(index).args += delta.partial_json;
      }
    } else if (type === 'message_delta') {
      out.finish = delta.stop_reason ?? out.finish;
      Object.assign(out.usage, event.usage);
    } else if (type === 'error') {
      out.error = event.error;
    }
  }
  for (const call of out.calls) {
    call.args ||= JSON.stringify(call.start ?? {});
  }
  return out;
}
