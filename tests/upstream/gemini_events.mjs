// Builds what Gemini would answer, from the plain description that `events.mjs` explains. More
// members of it mean something here: `blocked`, a reason why the prompt was not answered; `error`,
// `{ code, status, message }`, which ends a stream. A call without an id has none on the wire.

import { complete, slices } from './events.mjs';
import { piecesOf, result } from './logprobs.mjs';

const FINISH = { filter: 'SAFETY', length: 'MAX_TOKENS', stop: 'STOP', tool: 'STOP' };

function usageOf(usage) {
  const prompt = usage.input + usage.cacheRead + usage.cacheWrite;
  return { promptTokenCount: prompt, candidatesTokenCount: usage.output - usage.reasoning,
    totalTokenCount: prompt + usage.output,
    ...(usage.cacheRead ? { cachedContentTokenCount: usage.cacheRead } : {}),
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: prompt }],
    ...(usage.reasoning ? { thoughtsTokenCount: usage.reasoning } : {}) };
}

// Arguments are put in as the text they are: JavaScript would round their numbers.
function callPart(reply, at) {
  const { id, name } = reply.calls[at];
  const signed = at === 0 && reply.signature !== '';
  return { functionCall: { ...(id ? { id } : {}), name, args: { raw: at } },
    ...(signed ? { thoughtSignature: reply.signature ?? 'CgQBsigned00' } : {}) };
}

function withArgs(reply, object) {
  return JSON.stringify(object).replace(/\{"raw":(\d+)\}/g, (_, at) => (
    reply.calls[at].args || '{}'));
}

function envelope(reply, candidate, usage) {
  return { candidates: [{ ...candidate, index: 0 }], usageMetadata: usage,
    modelVersion: reply.model, responseId: `resp-${reply.id}` };
}

function blocked(reply) {
  return { promptFeedback: { blockReason: reply.blocked, safetyRatings: [] },
    usageMetadata: { promptTokenCount: reply.usage.input, totalTokenCount: reply.usage.input },
    modelVersion: reply.model, responseId: `resp-${reply.id}` };
}

/** One non-streamed answer, as text. */
export function geminiText(description) {
  const reply = complete(description);
  if (reply.blocked) {
    return JSON.stringify(blocked(reply));
  }
  const parts = [...(reply.thinking ? [{ text: reply.thinking, thought: true }] : []),
    ...(reply.text ? [{ text: reply.text }] : []),
    ...reply.calls.map((_, at) => callPart(reply, at))];
  const content = parts.length ? { content: { parts, role: 'model' } } : {};
  return withArgs(reply, envelope(reply, { ...content, finishReason: FINISH[reply.finish],
    ...result(reply.tokens, reply.top) }, usageOf(reply.usage)));
}

/** The chunks of a streamed answer, each as text. */
export function geminiChunks(description) {
  const reply = complete(description);
  if (reply.blocked) {
    return [JSON.stringify(blocked(reply))];
  }
  const usage = usageOf(reply.usage);
  const sofar = { ...usage, candidatesTokenCount: undefined,
    totalTokenCount: usage.promptTokenCount, thoughtsTokenCount: undefined };
  const chunk = ({ tokens, ...part }) => envelope(reply, { content: { parts: [part],
    role: 'model' }, ...result(tokens, reply.top) }, sofar);
  const parts = [
    ...slices(reply.thinking ?? '', reply.step).map((text) => ({ text, thought: true })),
    ...piecesOf(reply, slices),
    ...reply.calls.map((_, at) => callPart(reply, at))];
  const end = reply.error
    ? { error: { code: reply.error.code, message: reply.error.message,
      status: reply.error.status } }
    : envelope(reply, { content: { parts: [{ text: '' }], role: 'model' },
      finishReason: FINISH[reply.finish] }, usage);
  return [...parts.map(chunk), end].map((one) => withArgs(reply, one));
}

/** The same as frames for `alt=sse`. */
export function geminiFrames(description) {
  return geminiChunks(description).map((one) => `data: ${one}\r\n\r\n`);
}

/** The same as the pieces of one JSON array, which is what comes without `alt=sse`. */
export function geminiArray(description) {
  return [...geminiChunks(description).map((one, at) => `${at ? ',\r\n' : '['}${one}`), ']'];
}
