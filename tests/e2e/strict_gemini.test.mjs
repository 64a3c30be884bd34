// The fake Gemini refuses what the real one refuses, and the reader of what was written for its
// clients names what is illegal: each rule is shown to bite.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { FakeGemini } from '../upstream/gemini.mjs';
import { geminiChunks } from '../upstream/gemini_events.mjs';
import { readGeminiArray, readGeminiStream } from './lib/gemini_reader.mjs';
import { ask } from './lib/wire.mjs';
import { TWO_CALLS } from './scenarios/shared.mjs';

const HI = { role: 'user', parts: [{ text: 'Hi' }] };
const MODEL = { role: 'model', parts: [{ text: 'Hello' }] };
const CALL = { functionCall: { name: 'f', args: {} } };
const RESULT = { functionResponse: { name: 'f', response: { output: 'x' } } };
const THIRD = { model: 'gemini-3-flash-preview' };
const OLD = { model: 'gemini-2.0-flash' };

function contents(...list) {
  return { contents: list };
}

function parts(...list) {
  return contents({ role: 'user', parts: list });
}

/** A history in which the model called and the user answered. */
function called(calls, results) {
  return contents(HI, { role: 'model', parts: calls }, { role: 'user', parts: results });
}

function declare(declaration) {
  return { tools: [{ functionDeclarations: [{ name: 'f', description: 'x', ...declaration }] }] };
}

/** One property of a tool's own schema. */
function property(schema) {
  return declare({ parameters: { type: 'OBJECT', properties: { a: schema } } });
}

function config(generationConfig) {
  return { generationConfig };
}

function choose(functionCallingConfig, tools = declare({})) {
  return { ...tools, toolConfig: { functionCallingConfig } };
}

// Keywords of JSON Schema that `parameters` has no member for.
const KEYWORDS = ['$schema', '$id', '$ref', '$defs', 'definitions', '$comment',
  'additionalProperties', 'const', 'oneOf', 'allOf', 'not', 'if', 'patternProperties',
  'propertyNames', 'dependentRequired', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf',
  'uniqueItems', 'contains', 'prefixItems', 'examples', 'deprecated', 'readOnly', 'strict',
  'x-order'];

const BAD = [
  ['an unknown member', { foo: 1 }, /^Invalid JSON payload received. Unknown name "foo": Cannot/],
  ...['messages', 'model_name', 'stream', 'max_tokens', 'input', 'labels'].map((one) => (
    [`${one}, which is not there`, { [one]: 'x' }, /Unknown name/])),
  ['an unknown member deep inside', config({ thinkingConfig: { effort: 1 } }),
    /Unknown name "effort" at 'generation_config.thinking_config'/],
  ['no contents', { contents: undefined }, /contents is not specified/],
  ['empty contents', contents(), /contents is not specified/],
  ['a content without parts', contents({ role: 'user' }), /parts must not be empty/],
  ['an empty part', parts({}), /oneof field 'data'/],
  ['a part that is two things', parts({ text: 'x', ...CALL }), /already set/],
  ['text that is a number', parts({ text: 1 }), /\(TYPE_STRING\), 1/],
  ['a system role', contents({ role: 'system', parts: [{ text: 'x' }] }), /valid role/],
  ['the assistant role', contents(HI, { ...MODEL, role: 'assistant' }, HI), /valid role/],
  ['a single turn of the model', contents(MODEL), /end with a user role/],
  ['a prefill of the third generation', { ...THIRD, ...contents(HI, MODEL) }, /end with a user/],
  ['system text as a string', { systemInstruction: 'x' }, /Invalid value at 'system_instruction'/],
  ['a system picture', { systemInstruction: { parts: [{ inlineData: { mimeType: 'image/png',
    data: 'aaaa' } }] } }, /text parts only/],
  ['a gif', parts({ inlineData: { mimeType: 'image/gif', data: 'aaaa' } }), /image\/gif/],
  ['data that is no base64', parts({ inlineData: { mimeType: 'image/png',
    data: 'data:image/png;base64,aaaa' } }), /Base64 decoding failed/],
  ['data without a type', parts({ inlineData: { data: 'aaaa' } }), /mime_type/],
  ['any link, before the third generation', parts({ fileData: { fileUri: 'https://x.y/z.png',
    mimeType: 'image/png' } }), /Cannot fetch content/],
  ['a data URL as a link', { ...THIRD, ...parts({ fileData: { fileUri: 'data:image/png;base64,aa',
    mimeType: 'image/png' } }) }, /file uri/],
  ['a first turn that calls', contents({ role: 'model', parts: [CALL] }, { role: 'user',
    parts: [RESULT] }), /comes immediately after a user turn/],
  ['a call without its result', contents(HI, { role: 'model', parts: [CALL] }, HI),
    /number of function response parts/],
  ['a call at the end', contents(HI, { role: 'model', parts: [CALL] }), /end with a user role/],
  ['fewer results than calls', called([CALL, CALL], [RESULT]), /number of function response/],
  ['more results than calls', called([CALL], [RESULT, RESULT]), /number of function response/],
  ['results in two contents', contents(HI, { role: 'model', parts: [CALL, CALL] },
    { role: 'user', parts: [RESULT] }, { role: 'user', parts: [RESULT] }),
  /number of function response/],
  ['a result without a call', contents(HI, MODEL, { role: 'user', parts: [RESULT] }),
    /after a function call turn/],
  ['a call of the user', contents({ role: 'user', parts: [CALL] }), /role model/],
  ['a result of the model', contents(HI, { role: 'model', parts: [CALL] },
    { role: 'model', parts: [RESULT] }), /role user/],
  ['a call without a name', called([{ functionCall: { args: {} } }], [RESULT]), /Name cannot be/],
  ['arguments as text', called([{ functionCall: { name: 'f', args: '{}' } }], [RESULT]),
    /google.protobuf.Struct/],
  ['a result as text', called([CALL], [{ functionResponse: { name: 'f', response: 'x' } }]),
    /google.protobuf.Struct/],
  ['a result as a list', called([CALL], [{ functionResponse: { name: 'f', response: [1] } }]),
    /Proto field is not repeating/],
  ['a picture in a result, before the third generation', called([CALL], [{ functionResponse: {
    ...RESULT.functionResponse, parts: [{ inlineData: { mimeType: 'image/png',
      data: 'aaaa' } }] } }]), /Multimodal function responses/],
  ['an unsigned call of the third generation', { ...THIRD, ...called([CALL], [RESULT]) },
    /missing a thought_signature/],
  ['a signature on the second call only', { ...THIRD, ...called([CALL, { ...CALL,
    thoughtSignature: 'CgQBsigned00' }], [RESULT, RESULT]) }, /missing a thought_signature/],
  ['a signature of another vendor', called([{ ...CALL, thoughtSignature: 'gAAAAA' }], [RESULT]),
    /Corrupted thought signature/],
  ['a tagged signature', called([{ ...CALL, thoughtSignature: 'gemini#CgQB' }], [RESULT]),
    /Base64 decoding failed/],
  ['a tool of Chat', { tools: [{ type: 'function', function: {} }] }, /Unknown name "type"/],
  ['a schema of Anthropic\'s', declare({ input_schema: {} }), /Unknown name "input_schema"/],
  ['a name that starts with a digit', declare({ name: '1f' }), /Invalid function name/],
  ['a name with a space', declare({ name: 'a b' }), /Invalid function name/],
  ['one name twice', { tools: [...declare({}).tools, ...declare({}).tools] }, /Duplicate/],
  ['two kinds of schema', declare({ parameters: { type: 'OBJECT' },
    parametersJsonSchema: { type: 'object' } }), /mutually exclusive/],
  ...KEYWORDS.map((one) => [`${one} in parameters`, property({ type: 'STRING', [one]: {} }),
    /Unknown name .* at 'tools\[0\].function_declarations\[0\].parameters.properties\[0\].value'/]),
  ['a list of types', property({ type: ['string', 'null'] }), /is not repeating, cannot start/],
  ['an unknown type', property({ type: 'date' }), /Invalid value/],
  ['numbers in enum', property({ type: 'INTEGER', enum: [1] }), /\(TYPE_STRING\), 1/],
  ['enum of integers', property({ type: 'INTEGER', enum: ['1'] }), /only allowed for STRING/],
  ['an empty word in enum', property({ type: 'STRING', enum: [''] }), /cannot be empty/],
  ['a list without items', property({ type: 'ARRAY' }), /items: missing field/],
  ['an unknown format', property({ type: 'STRING', format: 'uri' }), /format: only/],
  ['a boolean as a schema', property(true), /Invalid value/],
  ['required that is not there', declare({ parameters: { type: 'OBJECT', properties: {},
    required: ['a'] } }), /property is not defined/],
  ['parameters of no object', declare({ parameters: { type: 'STRING' } }), /type OBJECT/],
  ['a $ref to nothing', declare({ parametersJsonSchema: { type: 'object', properties: {
    a: { $ref: '#/$defs/A' } } } }), /undefined schema/],
  ['a JSON Schema that is text', declare({ parametersJsonSchema: 'x' }), /must be a JSON schema/],
  ['a JSON Schema of no object', declare({ parametersJsonSchema: { type: 'array' } }),
    /type object/],
  ['a choice without tools', choose({ mode: 'ANY' }, {}), /set without function_declarations/],
  ['an unknown mode', choose({ mode: 'required' }), /Invalid value at 'tool_config/],
  ['names with AUTO', choose({ mode: 'AUTO', allowedFunctionNames: ['f'] }), /ANY or VALIDATED/],
  ['names that are not there', choose({ mode: 'ANY', allowedFunctionNames: ['g'] }), /not among/],
  ['hosted tools beside functions', { tools: [...declare({}).tools, { googleSearch: {} }] },
    /cannot be combined/],
  ['a temperature of 3', config({ temperature: 3 }), /temperature/],
  ['six stop sequences', config({ stopSequences: ['a', 'b', 'c', 'd', 'e', 'f'] }), /at most 5/],
  ['no room for output', config({ maxOutputTokens: 0 }), /maxOutputTokens/],
  ['a seed of 64 bits', config({ seed: 2 ** 40 }), /seed/],
  ['an unknown MIME type', config({ responseMimeType: 'text/html' }), /allowed mimetypes/],
  ['a schema without JSON', config({ responseSchema: { type: 'OBJECT' } }), /must be applic/],
  ['two schemas', config({ responseMimeType: 'application/json', responseSchema:
    { type: 'OBJECT' }, responseJsonSchema: { type: 'object' } }), /cannot both be set/],
  ['additionalProperties in responseSchema', config({ responseMimeType: 'application/json',
    responseSchema: { type: 'OBJECT', additionalProperties: false } }), /"additionalProperties"/],
  ['JSON beside tools, before the third generation', { ...declare({}),
    ...config({ responseMimeType: 'application/json' }) }, /is unsupported/],
  ['a level of the second generation', config({ thinkingConfig: { thinkingLevel: 'LOW' } }),
    /level is not supported/],
  ['a level and a budget', { ...THIRD, ...config({ thinkingConfig: { thinkingLevel: 'LOW',
    thinkingBudget: 1 } }) }, /only one of/],
  ['a budget over the limit', config({ thinkingConfig: { thinkingBudget: 99999 } }), /between 0/],
  ['no thinking of a model that must', { model: 'gemini-2.5-pro',
    ...config({ thinkingConfig: { thinkingBudget: 0 } }) }, /Budget 0 is invalid/],
  ['thinking of a model that cannot', { ...OLD,
    ...config({ thinkingConfig: { includeThoughts: true } }) }, /not enabled/],
  ['several candidates of the third generation', { ...THIRD, ...config({ candidateCount: 2 }) },
    /Multiple candidates/],
  ['one category twice', { safetySettings: Array(2).fill({ threshold: 'OFF',
    category: 'HARM_CATEGORY_HARASSMENT' }) }, /duplicate/],
  ['a cache beside tools', { ...declare({}), cachedContent: 'cachedContents/x' }, /CachedContent/],
];

let fake;
before(async () => { fake = await new FakeGemini().listen(); });
after(() => fake.close());

const HEADERS = { 'x-goog-api-key': 'sk-up' };

function post(path, body, headers = HEADERS) {
  return ask(fake.port, 'POST', path, { body, headers });
}

describe('the fake Gemini refuses', () => {
  for (const [what, { model = 'gemini-2.5-flash', ...change }, pattern] of BAD) {
    test(what, async () => {
      const reply = await post(`/v1beta/models/${model}:generateContent`,
        { ...contents(HI), ...change });
      assert.equal(reply.status, 400, reply.text);
      const { code, message, status } = reply.json.error;
      assert.deepEqual([code, status], [400, 'INVALID_ARGUMENT']);
      assert.match(message, pattern);
    });
  }

  test('each violation is named, and both spellings are read', async () => {
    const reply = await post('/v1beta/models/gemini-2.5-flash:generateContent', {
      ...contents(HI), generation_config: { max_output_tokens: 5, max_tokens: 5 }, foo: 1 });
    assert.deepEqual(reply.json.error.details[0].fieldViolations.map((one) => one.field),
      ['generation_config', '']);
  });

  const GENERATE = '/v1beta/models/gemini-2.5-flash:generateContent';
  const VERTEX = '/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:'
    + 'generateContent';
  const BEARER = { authorization: 'Bearer ya29.up' };
  for (const [what, path, headers, status, word] of [
    ['no key', GENERATE, {}, 403, 'PERMISSION_DENIED'],
    ['a wrong key', GENERATE, { 'x-goog-api-key': 'x' }, 400, 'INVALID_ARGUMENT'],
    ['a wrong key in the query', `${GENERATE}?key=x`, {}, 400, 'INVALID_ARGUMENT'],
    ['a key as a Bearer token', GENERATE, { authorization: 'Bearer sk-up' }, 401,
      'UNAUTHENTICATED'],
    ['a key on Vertex AI', VERTEX, HEADERS, 401, 'UNAUTHENTICATED'],
    ['a missing model', '/v1beta/models/missing:generateContent', HEADERS, 404, 'NOT_FOUND'],
    ['an unknown verb', '/v1beta/models/gemini-2.5-flash:chat', HEADERS, 404, 'NOT_FOUND'],
    ['an unknown path', '/v1/chat/completions', HEADERS, 404, 'NOT_FOUND'],
    ['an unknown parameter', `${GENERATE}?beta=true`, HEADERS, 400, 'INVALID_ARGUMENT'],
    ['an unknown form', `${GENERATE}?alt=xml`, HEADERS, 400, 'INVALID_ARGUMENT']]) {
    test(`${what} with ${status}`, async () => {
      const reply = await post(path, contents(HI), headers);
      assert.equal(reply.status, status, reply.text);
      assert.equal(reply.json.error.status, word);
    });
  }

  test('nothing on the paths and with the keys that are right', async () => {
    for (const [path, headers] of [[GENERATE, HEADERS], [`${GENERATE}?key=sk-up`, {}],
      [VERTEX, BEARER], [GENERATE.replace(':g', ':streamG'), HEADERS]]) {
      const reply = await post(path, contents(HI), headers);
      assert.equal(reply.status, 200, reply.text);
    }
  });

  test('a stream without alt=sse in the form of its array', async () => {
    const reply = await post(GENERATE.replace(':g', ':streamG'), {});
    assert.deepEqual([reply.status, reply.json[0].error.code], [400, 400]);
    const sse = await post(`${GENERATE.replace(':g', ':streamG')}?alt=sse`, {});
    assert.deepEqual([sse.status, sse.json.error.code], [400, 400]);
  });

  test('a call id on Vertex AI before the third generation', async () => {
    const call = { functionCall: { ...CALL.functionCall, id: 'c1' } };
    const reply = await post(VERTEX, called([call], [RESULT]), BEARER);
    assert.match(reply.json.error.message, /Unknown name "id"/);
  });

  test('what countTokens has no member for', async () => {
    const count = (body) => post('/v1beta/models/gemini-2.5-flash:countTokens', body);
    const whole = { model: 'models/gemini-2.5-flash', ...contents(HI), systemInstruction: HI };
    assert.equal((await count({ generateContentRequest: whole })).status, 200);
    assert.equal((await count(contents(HI))).status, 200);
    assert.match((await count({ ...contents(HI), systemInstruction: HI })).text, /Unknown name/);
    assert.match((await count({ ...contents(HI), generateContentRequest: whole })).text,
      /Only one of/);
    assert.match((await count({ generateContentRequest: contents(HI) })).text, /model is req/);
  });
});

const SKIP = { ...CALL, thoughtSignature: 'skip_thought_signature_validator' };
const PICTURE = { inlineData: { mimeType: 'image/png', data: 'aaaa' } };

// What programs send that looks odd and is right.
const GOOD = [
  ['a signature that skips the check, on the first of two calls', { ...THIRD,
    ...called([SKIP, CALL], [RESULT, RESULT]) }],
  ['unsigned calls of a turn that is over', { ...THIRD, ...contents(HI, { role: 'model',
    parts: [CALL] }, { role: 'user', parts: [RESULT] }, MODEL, HI) }],
  ['a part that is a signature alone', contents(HI, { role: 'model',
    parts: [{ thought: true, thoughtSignature: 'CgQBsigned00' }, { text: 'x' }] }, HI)],
  ['names with VALIDATED', choose({ mode: 'VALIDATED', allowedFunctionNames: ['f'] })],
  ['a picture beside the result', called([CALL], [RESULT, PICTURE])],
  ['a picture in a result', { ...THIRD, ...called([SKIP], [{ functionResponse: {
    ...RESULT.functionResponse, parts: [PICTURE] } }]) }],
  ['neighbours of one role', contents(HI, HI, MODEL, MODEL, HI)],
  ['a prefill of the second generation', contents(HI, MODEL)],
  ['the old role of results', contents(HI, { role: 'model', parts: [CALL] },
    { role: 'function', parts: [RESULT] })],
  ['tools that are no list', { tools: declare({}).tools[0] }],
  ['the other spelling', { system_instruction: { parts: [{ text: 'x' }] },
    generation_config: { max_output_tokens: 5, thinking_config: { thinking_budget: 0 } } }],
  ['limits as text', property({ type: 'array', items: { type: 'string' }, minItems: '1' })],
  ['a property that is named like a keyword', declare({ parameters: { type: 'OBJECT',
    properties: { $ref: { type: 'STRING' }, const: { type: 'STRING' } } } })],
  ['types in capitals in a JSON Schema', config({ responseMimeType: 'application/json',
    responseJsonSchema: { type: 'OBJECT', properties: { a: { type: 'STRING' } } } })],
  ['a JSON Schema with all its keywords', declare({ parametersJsonSchema: { type: 'object',
    $schema: 'x', properties: { a: { $ref: '#/$defs/A' }, b: { type: ['string', 'null'] },
      c: { const: 1, exclusiveMinimum: 0 }, d: true }, additionalProperties: false,
    $defs: { A: { oneOf: [{ type: 'string' }, { $ref: '#/$defs/A' }] } } } })],
  ['hosted tools beside functions, asked for', { ...THIRD, tools: [...declare({}).tools,
    { googleSearch: {} }], toolConfig: { includeServerSideToolInvocations: true } }],
];

describe('the fake Gemini takes', () => {
  for (const [what, { model = 'gemini-2.5-flash', ...change }] of GOOD) {
    test(what, async () => {
      const reply = await post(`/v1beta/models/${model}:generateContent`,
        { ...contents(HI), ...change });
      assert.equal(reply.status, 200, reply.text);
    });
  }
});

/** Legal chunks, changed by `change(chunks)`, as a stream. */
function broken(change) {
  const chunks = geminiChunks({ thinking: 'Hm', text: 'Hello', calls: TWO_CALLS })
    .map((one) => JSON.parse(one));
  return (change(chunks) ?? chunks).map((one) => `data: ${JSON.stringify(one)}\r\n\r\n`).join('');
}

const partOf = (chunks, at) => chunks.at(at).candidates[0].content.parts[0];

const ILLEGAL = [
  ['no finishReason', (all) => all.slice(0, -1), /no finishReason/],
  ['content after the finish', (all) => [...all, all[1]], /content after the finish/],
  ['an unknown finishReason', (all) => { all.at(-1).candidates[0].finishReason = 'TOOL'; },
    /unknown finishReason TOOL/],
  ['a part with nothing in it', (all) => { delete partOf(all, 0).text; }, /a part with nothing/],
  ['a part that is two things', (all) => { partOf(all, 0).functionCall = { name: 'f' }; },
    /text and functionCall/],
  ['a foreign member of a part', (all) => { partOf(all, 0).type = 'text'; }, /unknown type/],
  ['arguments as text', (all) => { partOf(all, -2).functionCall.args = '{}'; }, /no object/],
  ['a call in pieces', (all) => { partOf(all, -2).functionCall.willContinue = true; },
    /not whole/],
  ['a call without a name', (all) => { delete partOf(all, -2).functionCall.name; },
    /without a name/],
  ['one call id twice', (all) => { partOf(all, -2).functionCall.id = TWO_CALLS[0].id; },
    /comes again/],
  ['another role', (all) => { all[0].candidates[0].content.role = 'assistant'; }, /role assist/],
  ['a candidate of another index', (all) => { all[0].candidates[0].index = 1; }, /index 1/],
  ['another responseId', (all) => { all[1].responseId = 'x'; }, /responseId changes/],
  ['no modelVersion', (all) => { delete all[1].modelVersion; }, /no modelVersion/],
  ['a bad signature', (all) => { partOf(all, -3).thoughtSignature = 'a#b'; }, /no base64/],
  ['no usage', (all) => { all.forEach((one) => delete one.usageMetadata); }, /does not add up/],
  ['a wrong sum', (all) => { all.at(-1).usageMetadata.totalTokenCount = 99; }, /does not add up/],
];

describe('the strict reader of Gemini names', () => {
  for (const [what, change, pattern] of ILLEGAL) {
    test(what, () => {
      assert.match(readGeminiStream(broken(change)).problems.join('\n'), pattern);
    });
  }

  for (const [what, change, pattern] of [
    ['a comment', (text) => `: hi\r\n\r\n${text}`, /not one data line/],
    ['an event name', (text) => `event: x\r\n${text}`, /not one data line/],
    ['a terminator', (text) => `${text}data: [DONE]\r\n\r\n`, /no JSON/],
    ['a cut frame', (text) => text.slice(0, -5), /does not end with a blank line/]]) {
    test(what, () => {
      const text = change(broken(() => undefined));
      assert.match(readGeminiStream(text).problems.join('\n'), pattern);
    });
  }

  test('an array that is none', () => {
    assert.match(readGeminiArray('{}').problems.join('\n'), /no JSON array/);
  });
});
