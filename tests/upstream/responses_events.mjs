// Builds what a Responses API would answer, from the plain description that `events.mjs` explains.
// More members of it mean something here: `custom: true` in a call, which makes its `args` the free
// text of a custom tool; `error`, `{ code, message }`.

import { complete, frames, slices } from './events.mjs';
import { listed, piecesOf } from './logprobs.mjs';

/** How many alternatives of each token were asked for; undefined for no tokens at all. */
const topOf = (request) => ((request.include ?? []).includes('message.output_text.logprobs')
  ? request.top_logprobs ?? 0 : undefined);

const INCOMPLETE = { filter: 'content_filter', length: 'max_output_tokens' };

function usageOf(usage) {
  const input = usage.input + usage.cacheRead + usage.cacheWrite;
  return { input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cacheRead, cache_write_tokens: usage.cacheWrite },
    output_tokens: usage.output, output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: input + usage.output };
}

function reasoningItem(reply, wantsProof) {
  const item = { id: `rs_${reply.id}`, type: 'reasoning',
    summary: reply.thinking ? [{ type: 'summary_text', text: reply.thinking }] : [] };
  return wantsProof ? { ...item, encrypted_content: reply.signature ?? 'gAAAAsigned' } : item;
}

function messageItem(reply, status, top) {
  const part = reply.refusal ? { type: 'refusal', refusal: reply.refusal }
    : { type: 'output_text', annotations: [],
      logprobs: listed(reply.tokens, top) ?? [], text: reply.text };
  return { id: `msg_${reply.id}`, type: 'message', status, content: [part], role: 'assistant' };
}

function callItem(reply, call, at) {
  const common = { status: 'completed', call_id: call.id, name: call.name };
  return call.custom
    ? { id: `ctc_${reply.id}_${at}`, type: 'custom_tool_call', ...common, input: call.args }
    : { id: `fc_${reply.id}_${at}`, type: 'function_call', ...common, arguments: call.args };
}

/** The items of a reply, in order. */
function itemsOf(reply, request) {
  const status = INCOMPLETE[reply.finish] ? 'incomplete' : 'completed';
  const wantsProof = (request.include ?? []).includes('reasoning.encrypted_content');
  return [...(reply.thinking === undefined ? [] : [reasoningItem(reply, wantsProof)]),
    ...(reply.text || reply.refusal ? [messageItem(reply, status, topOf(request))] : []),
    ...reply.calls.map((call, at) => callItem(reply, call, at))];
}

function envelope(reply, request, status, output, usage) {
  const reason = status === 'incomplete' ? INCOMPLETE[reply.finish] : undefined;
  return { id: `resp_${reply.id}`, object: 'response', created_at: 1790000000, status,
    background: request.background ?? false,
    completed_at: status === 'completed' ? 1790000002 : null, error: reply.error ?? null,
    incomplete_details: reason ? { reason } : null, instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null, max_tool_calls: null, model: reply.model,
    output, parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    reasoning: { effort: null, summary: null, ...request.reasoning }, service_tier: 'default',
    store: request.store ?? true, temperature: request.temperature ?? 1,
    text: { format: { type: 'text' }, verbosity: 'medium', ...request.text },
    tool_choice: request.tool_choice ?? 'auto', tools: request.tools ?? [],
    top_logprobs: request.top_logprobs ?? 0, top_p: request.top_p ?? 1, truncation: 'disabled', usage, user: null,
    metadata: request.metadata ?? {} };
}

function endStatus(reply) {
  return reply.error ? 'failed' : INCOMPLETE[reply.finish] ? 'incomplete' : 'completed';
}

/** One non-streamed response. */
export function responsesBody(description, request = {}) {
  const reply = complete(description);
  return envelope(reply, request, endStatus(reply), itemsOf(reply, request),
    usageOf(reply.usage));
}

/** What stands between the `added` and the `done` of an item. */
const INSIDE = {
  custom_tool_call: (item, where, step) => [
    ...slices(item.input, step).map((delta) => (
      { type: 'response.custom_tool_call_input.delta', ...where, delta })),
    { type: 'response.custom_tool_call_input.done', ...where, input: item.input }],
  function_call: (item, where, step) => [
    ...slices(item.arguments, step).map((delta) => (
      { type: 'response.function_call_arguments.delta', ...where, delta })),
    { type: 'response.function_call_arguments.done', ...where, arguments: item.arguments }],
  message: (item, where, step, { reply, top }) => item.content.flatMap((part, at) => {
    const here = { ...where, content_index: at };
    const [kind, member] = part.type === 'refusal' ? ['refusal', 'refusal']
      : ['output_text', 'text'];
    const isText = kind === 'output_text';
    const pieces = piecesOf({ step, text: part[member], tokens: isText ? reply.tokens : undefined },
      slices);
    return [
      { type: 'response.content_part.added', ...here, part: { ...part, [member]: '',
        ...(isText && { logprobs: [] }) } },
      ...pieces.map(({ text, tokens }) => ({ type: `response.${kind}.delta`, ...here, delta: text,
        ...(isText && { logprobs: listed(tokens, top) ?? [] }) })),
      { type: `response.${kind}.done`, ...here, [member]: part[member],
        ...(isText && { logprobs: part.logprobs }) },
      { type: 'response.content_part.done', ...here, part }];
  }),
  reasoning: (item, where, step) => item.summary.flatMap((part, at) => {
    const here = { ...where, summary_index: at };
    return [
      { type: 'response.reasoning_summary_part.added', ...here, part: { ...part, text: '' } },
      ...slices(part.text, step).map((delta) => (
        { type: 'response.reasoning_summary_text.delta', ...here, delta })),
      { type: 'response.reasoning_summary_text.done', ...here, text: part.text },
      { type: 'response.reasoning_summary_part.done', ...here, part }];
  }),
};

const EMPTY = { custom_tool_call: { input: '' }, function_call: { arguments: '' },
  message: { content: [] }, reasoning: { summary: [] } };

/** Events of a Responses stream, as objects. */
export function responsesEvents(description, request = {}) {
  const reply = complete(description);
  const first = envelope({ ...reply, error: null }, request, 'in_progress', [], null);
  const out = [{ type: 'response.created', response: first },
    { type: 'response.in_progress', response: first }];
  const items = itemsOf(reply, request);
  items.forEach((item, at) => {
    const begun = item.type === 'reasoning' ? {} : { status: 'in_progress' };
    out.push({ type: 'response.output_item.added', output_index: at,
      item: { ...item, ...begun, ...EMPTY[item.type] } },
    ...INSIDE[item.type](item, { item_id: item.id, output_index: at }, reply.step,
      { reply, top: topOf(request) }),
    { type: 'response.output_item.done', output_index: at, item });
  });
  const status = endStatus(reply);
  if (reply.error) {
    out.push({ type: 'error', error: { type: reply.error.code, param: null, ...reply.error } });
  }
  out.push({ type: `response.${status}`, response: envelope(reply, request, status, items,
    reply.error ? null : usageOf(reply.usage)) });
  return out.map(({ type, ...rest }, at) => ({ type, sequence_number: at, ...rest }));
}

/** A Responses stream as text frames; there is no terminator. */
export function responsesFrames(description, request = {}) {
  return frames(responsesEvents(description, request));
}
