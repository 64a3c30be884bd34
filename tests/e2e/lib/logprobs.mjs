// How likely the tokens of an answer were, as strict readers read them: [[token, logprob, [[other,
// logprob], …]], …], which is the form of tests/upstream/logprobs.mjs.

import { isDeepStrictEqual } from 'node:util';

function entry(one, need) {
  need(typeof one.token === 'string' && Number.isFinite(one.logprob), 'a token without likelihood');
  need(isDeepStrictEqual(one.bytes, [...Buffer.from(one.token)]), `bytes of ${one.token} are `
    + JSON.stringify(one.bytes));
  return [one.token, one.logprob];
}

/** Reads the list of OpenAI and Ollama. */
export function readList(list, need) {
  return list.map((one) => {
    need(Array.isArray(one.top_logprobs), 'top_logprobs is no list');
    return [...entry(one, need), one.top_logprobs.map((other) => entry(other, need))];
  });
}

/** Reads Gemini's result. */
export function readResult({ chosenCandidates: chosen, topCandidates: tops }, need) {
  const pair = ({ logProbability, token }) => {
    need(typeof token === 'string' && Number.isFinite(logProbability), 'a token without likelihood');
    return [token, logProbability];
  };
  need(!tops || tops.length === chosen.length, 'topCandidates are not as many as tokens');
  return chosen.map((one, at) => [...pair(one), (tops?.[at].candidates ?? []).map(pair)]);
}
