// How likely the tokens of a described reply are, in the words of each vendor. A description has
// `tokens`, [[token, logprob, [[other, logprob], …]], …], which are its text; and `top`, how many
// others the request asked for, or undefined when it asked for nothing.

/** The text of a reply in the pieces that a stream has, each with its tokens. */
export function piecesOf(reply, slices) {
  return reply.tokens ? reply.tokens.map((one) => ({ text: one[0], tokens: [one] }))
    : slices(reply.text, reply.step).map((text) => ({ text, tokens: [] }));
}

const entry = ([token, logprob]) => ({ token, logprob, bytes: [...Buffer.from(token)] });

/** The list of OpenAI and Ollama; undefined if nobody asked. */
export function listed(tokens, top) {
  return top === undefined || !tokens?.length ? undefined : tokens.map((one) => (
    { ...entry(one), top_logprobs: one[2].slice(0, top).map(entry) }));
}

const candidate = ([token, logProbability], at) => ({ token, tokenId: at + 7, logProbability });

/** Gemini's result. */
export function result(tokens, top) {
  if (top === undefined || !tokens?.length) {
    return {};
  }
  return { logprobsResult: { chosenCandidates: tokens.map(candidate),
    ...(top && { topCandidates: tokens.map((one) => (
      { candidates: one[2].slice(0, top).map(candidate) })) }) } };
}
