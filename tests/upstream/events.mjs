// Builds what the vendors would answer, from one plain description of a reply:
//
//   { id, model, thinking, signature, text, calls: [{ id, name, args }], finish, usage }
//
// `args` is JSON text; `finish` is 'stop', 'length', 'tool' or 'filter'; `usage` is
// { input, cacheRead, cacheWrite, output, reasoning }. `step` is how many characters of text one
// event of a stream carries. `tokens` stands for a text: logprobs.mjs tells. `refusal` is text
// that says no, where a vendor has a place of its own for it.

import { listed, piecesOf } from './logprobs.mjs';

const OPENAI_FINISH = { filter: 'content_filter', length: 'length', stop: 'stop',
  tool: 'tool_calls' };
const ANTHROPIC_FINISH = { filter: 'refusal', length: 'max_tokens', stop: 'end_turn',
  tool: 'tool_use' };

/** A description with all that it left out. */
export function complete(reply) {
  return { id: 'f1', model: 'fake-model', step: 4, calls: [],
    text: (reply.tokens ?? []).map(([token]) => token).join(''),
    finish: reply.calls?.length ? 'tool' : 'stop', ...reply,
    usage: { input: 11, cacheRead: 0, cacheWrite: 0, output: 7, reasoning: 0, ...reply.usage } };
}

/** Text in pieces of `step` characters that never split a surrogate pair. */
export function slices(text, step) {
  const letters = [...text];
  const out = [];
  for (let at = 0; at < letters.length; at += step) {
    out.push(letters.slice(at, at + step).join(''));
  }
  return out;
}

/** What a choice tells of the likelihoods of its tokens. */
function openaiLikely(tokens, top) {
  const content = listed(tokens, top);
  return content ? { content, refusal: null } : null;
}

function openaiUsage(usage) {
  const prompt = usage.input + usage.cacheRead + usage.cacheWrite;
  return { prompt_tokens: prompt, completion_tokens: usage.output,
    total_tokens: prompt + usage.output,
    prompt_tokens_details: { cached_tokens: usage.cacheRead, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: usage.reasoning, audio_tokens: 0,
      accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 } };
}

/** One non-streamed Chat Completions body. */
export function openaiBody(description) {
  const reply = complete(description);
  const message = { role: 'assistant', content: reply.text || null,
    refusal: reply.refusal ?? null,
    annotations: [] };
  if (reply.thinking) {
    message.reasoning_content = reply.thinking;
  }
  if (reply.calls.length) {
    message.tool_calls = reply.calls.map((call) => ({ id: call.id, type: 'function',
      function: { name: call.name, arguments: call.args } }));
  }
  return { id: `chatcmpl-${reply.id}`, object: 'chat.completion', created: 1790000000,
    model: reply.model, choices: [{ index: 0, message,
      logprobs: openaiLikely(reply.tokens, reply.top),
      finish_reason: OPENAI_FINISH[reply.finish] }],
    usage: openaiUsage(reply.usage), service_tier: 'default', system_fingerprint: 'fp_1' };
}

/** Chunks of a Chat Completions stream, as objects; the usage chunk only with `withUsage`. */
export function openaiChunks(description, withUsage = true) {
  const reply = complete(description);
  const usage = withUsage ? { usage: null } : {};
  const chunk = (delta, finish = null, logprobs = null) => ({ id: `chatcmpl-${reply.id}`,
    object: 'chat.completion.chunk', created: 1790000000, model: reply.model,
    system_fingerprint: 'fp_1',
    choices: [{ index: 0, delta, logprobs, finish_reason: finish }], ...usage });
  const out = [chunk({ role: 'assistant', content: '', refusal: null })];
  for (const piece of slices(reply.thinking ?? '', reply.step)) {
    out.push(chunk({ reasoning_content: piece }));
  }
  for (const { text, tokens } of piecesOf(reply, slices)) {
    out.push(chunk({ content: text }, null, openaiLikely(tokens, reply.top)));
  }
  for (const piece of slices(reply.refusal ?? '', reply.step)) {
    out.push(chunk({ refusal: piece }));
  }
  reply.calls.forEach((call, index) => {
    out.push(chunk({ tool_calls: [{ index, id: call.id, type: 'function',
      function: { name: call.name, arguments: '' } }] }));
    for (const piece of slices(call.args, reply.step)) {
      out.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
    }
  });
  out.push(chunk({}, OPENAI_FINISH[reply.finish]));
  if (withUsage) {
    out.push({ ...chunk({}), choices: [], usage: openaiUsage(reply.usage) });
  }
  return out;
}

/** The same as text frames, with the terminator. */
export function openaiFrames(description, withUsage = true) {
  return [...openaiChunks(description, withUsage).map((one) => `data: ${JSON.stringify(one)}\n\n`),
    'data: [DONE]\n\n'];
}

function anthropicUsage(usage) {
  return { input_tokens: usage.input, cache_creation_input_tokens: usage.cacheWrite,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation: { ephemeral_5m_input_tokens: usage.cacheWrite, ephemeral_1h_input_tokens: 0 },
    output_tokens: usage.output, service_tier: 'standard' };
}

/** One non-streamed Messages body. */
export function anthropicBody(description) {
  const reply = complete(description);
  const content = [];
  if (reply.thinking !== undefined) {
    content.push({ type: 'thinking', thinking: reply.thinking,
      signature: reply.signature ?? 'EqQBsigned' });
  }
  if (reply.text) {
    content.push({ type: 'text', text: reply.text });
  }
  for (const call of reply.calls) {
    content.push({ type: 'tool_use', id: call.id, name: call.name,
      input: JSON.parse(call.args || '{}') });
  }
  return { id: `msg_${reply.id}`, type: 'message', role: 'assistant', model: reply.model, content,
    stop_reason: ANTHROPIC_FINISH[reply.finish], stop_sequence: null, stop_details: null,
    usage: anthropicUsage(reply.usage) };
}

function anthropicBlock(index, start, deltas) {
  return [{ type: 'content_block_start', index, content_block: start },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index }];
}

/** The same as text, the arguments of calls exactly as described (JavaScript would round them). */
export function anthropicText(description) {
  const calls = (description.calls ?? []).map((call, at) => ({ ...call, args: `{"raw":${at}}` }));
  return JSON.stringify(anthropicBody({ ...description, calls }))
    .replace(/\{"raw":(\d+)\}/g, (_, at) => description.calls[at].args || '{}');
}

/** Events of a Messages stream, as objects. */
export function anthropicEvents(description) {
  const reply = complete(description);
  const out = [{ type: 'message_start', message: { ...anthropicBody({ ...description, text: '',
    thinking: undefined, calls: [] }), stop_reason: null,
    usage: { ...anthropicUsage(reply.usage), output_tokens: 1 } } }];
  let index = 0;
  if (reply.thinking !== undefined) {
    out.push(...anthropicBlock(index++, { type: 'thinking', thinking: '', signature: '' }, [
      ...slices(reply.thinking, reply.step).map((piece) => (
        { type: 'thinking_delta', thinking: piece })),
      { type: 'signature_delta', signature: reply.signature ?? 'EqQBsigned' }]));
  }
  if (reply.text) {
    out.push(...anthropicBlock(index++, { type: 'text', text: '' },
      slices(reply.text, reply.step).map((text) => ({ type: 'text_delta', text }))));
  }
  for (const call of reply.calls) {
    out.push(...anthropicBlock(index++,
      { type: 'tool_use', id: call.id, name: call.name, input: {} },
      ['', ...slices(call.args, reply.step)].map((piece) => (
        { type: 'input_json_delta', partial_json: piece }))));
  }
  out.splice(2, 0, { type: 'ping' });
  out.push({ type: 'message_delta', delta: { stop_reason: ANTHROPIC_FINISH[reply.finish],
    stop_sequence: null }, usage: anthropicUsage(reply.usage) }, { type: 'message_stop' });
  return out;
}

/** Objects as frames with an `event:` line each. */
export function frames(events) {
  return events.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`);
}

/** A Messages stream as text frames. */
export function anthropicFrames(description) {
  return frames(anthropicEvents(description));
}
