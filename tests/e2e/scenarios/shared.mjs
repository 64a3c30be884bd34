// Values that several scenarios use.

/** A red dot: a whole PNG of one pixel. */
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dwn4EIAAAxiAP/'
  + 'o3vXWQAAAABJRU5ErkJggg==';
export const IMAGE_URL = 'https://example.com/cat.png';

export const WEATHER = { type: 'object', properties: { city: { type: 'string' } },
  required: ['city'], additionalProperties: false };
export const ANSWER = { type: 'object', properties: { answer: { type: 'integer' } },
  required: ['answer'], additionalProperties: false };

export const MODEL = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-6' };
export const THINKER = { openai: 'gpt-5-mini', anthropic: 'claude-haiku-4-5' };

export const TWO_CALLS = [
  { id: 'toolu_a1', name: 'get_weather', args: '{"city":"Oslo","day":9007199254740993}' },
  { id: 'toolu_b2', name: 'get_weather', args: '{"city":"Tromsø \\"north\\""}' },
];

/** Letters of one, two, three and four bytes. */
export const WORDS = 'Grüße, 世界 🌍';

export const USAGE = { input: 11, cacheRead: 64, cacheWrite: 0, output: 21, reasoning: 0 };

/** Collects an async iterable. */
export async function collect(iterable) {
  const out = [];
  for await (const one of iterable) {
    out.push(one);
  }
  return out;
}

/**
 * What the vendors answer when they refuse, and what a client of either protocol must then see.
 * `direct` is what the vendor's own status is; `status` what the gateway makes of it.
 */
export const REFUSALS = [
  { name: '400', openai: [400, 'invalid_request_error', 'invalid_value'],
    anthropic: [400, 'invalid_request_error'], status: { openai: 400, anthropic: 400 } },
  { name: '401', openai: [401, 'invalid_request_error', 'invalid_api_key'],
    anthropic: [401, 'authentication_error'], status: { openai: 502, anthropic: 502 } },
  { name: '403', openai: [403, 'permission_error', null], anthropic: [403, 'permission_error'],
    status: { openai: 403, anthropic: 403 } },
  { name: '404', openai: [404, 'invalid_request_error', 'model_not_found'],
    anthropic: [404, 'not_found_error'], status: { openai: 404, anthropic: 404 } },
  { name: '429', openai: [429, 'rate_limit_error', 'rate_limit_exceeded'],
    anthropic: [429, 'rate_limit_error'], status: { openai: 429, anthropic: 429 } },
  { name: '500', openai: [500, 'server_error', null], anthropic: [500, 'api_error'],
    status: { openai: 500, anthropic: 500 } },
  { name: 'overloaded', openai: [503, 'server_error', 'server_is_overloaded'],
    anthropic: [529, 'overloaded_error'], status: { openai: 503, anthropic: 529 } },
];
