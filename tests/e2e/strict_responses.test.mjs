// The fake Responses API refuses what the real one refuses, and the reader of streams names what is
// illegal in one: each rule is shown to bite.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { FakeResponses } from '../upstream/responses.mjs';
import { responsesFrames } from '../upstream/responses_events.mjs';
import { readResponsesStream } from './lib/responses_reader.mjs';
import { ask } from './lib/wire.mjs';
import { IMAGE_URL, TWO_CALLS } from './scenarios/shared.mjs';

const ASK = { model: 'gpt-4o', input: 'Hi' };
const HEADERS = { authorization: 'Bearer sk-up' };
const HI = [{ role: 'user', content: 'Hi' }];
const FN = { type: 'function', name: 'f', parameters: { type: 'object', properties: {},
  required: [], additionalProperties: false } };
const CALL = { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' };
const RESULT = { type: 'function_call_output', call_id: 'c1', output: 'x' };
const THOUGHT = { type: 'reasoning', summary: [], encrypted_content: 'gAAAA' };
const ANSWERED = { type: 'message', role: 'assistant', content: 'x' };

function user(...content) {
  return { input: [{ role: 'user', content }] };
}

function items(...input) {
  return { input: [...HI, ...input] };
}

const BAD = [
  ['an unknown member', { foo: 1 }, /Unknown parameter: 'foo'/],
  ...['messages', 'stop', 'n', 'seed', 'max_tokens', 'max_completion_tokens', 'response_format',
    'frequency_penalty', 'presence_penalty', 'logit_bias', 'reasoning_effort', 'top_k']
    .map((one) => [`${one} of another protocol`, { [one]: 1 }, /Unknown parameter/]),
  ['no model', { model: undefined }, /Missing required parameter: 'model'/],
  ['a model that is not there', { model: 'missing-model' }, /does not exist/],
  ['no input', { input: undefined }, /Missing required parameter: 'input'/],
  ['input that is an object', { input: {} }, /Invalid type for 'input'/],
  ['an unknown role', { input: [{ role: 'tool', content: 'x' }] }, /Supported values/],
  ['a foreign item', items({ type: 'tool_result' }), /Invalid value: 'tool_result'/],
  ['a foreign member of an item', { input: [{ ...HI[0], name: 'x' }] },
    /Unknown parameter: 'input\[0\].name'/],
  ['null content', { input: [{ role: 'user', content: null }] }, /input\[0\].content/],
  ['a part of Chat', user({ type: 'text', text: 'x' }), /Invalid value: 'text'/],
  ['an image of Chat', user({ type: 'input_image', image_url: { url: IMAGE_URL } }),
    /expected a string/],
  ['an image of a foreign kind', user({ type: 'input_image',
    image_url: 'data:image/bmp;base64,aaaa' }), /image MIME type/],
  ['a foreign member of a part', user({ type: 'input_text', text: 'x', cache_control: {} }),
    /input\[0\].content\[0\].cache_control/],
  ['a file that is nothing', user({ type: 'input_file', filename: 'x' }), /exactly one of/],
  ['a file that is bare base64', user({ type: 'input_file', filename: 'x', file_data: 'aaaa' }),
    /base64-encoded data URL/],
  ['input text of the assistant', items({ role: 'assistant',
    content: [{ type: 'input_text', text: 'x' }] }), /'output_text', and 'refusal'/],
  ['output text of the user', user({ type: 'output_text', text: 'x' }), /'input_text'/],
  ['a call without its output', items(CALL), /No tool output found for function call c1/],
  ['an output without its call', items(RESULT), /No tool call found for function call output/],
  ['an output before its call', items(RESULT, CALL), /No tool call found/],
  ['an output of another kind', items(CALL, { ...RESULT, type: 'custom_tool_call_output' }),
    /No tool call found for custom tool call output/],
  ['arguments as an object', items({ ...CALL, arguments: {} }, RESULT), /expected a string/],
  ['an output that is an object', items(CALL, { ...RESULT, output: {} }), /input\[2\].output/],
  ['a flag of Anthropic\'s', items(CALL, { ...RESULT, is_error: true }), /is_error/],
  ['a long call_id', items({ ...CALL, call_id: 'x'.repeat(65) }), /maximum length 64/],
  ['a wrong id', items({ ...CALL, id: 'call_1' }, RESULT), /begins with 'fc'/],
  ['reasoning without a summary', items({ type: 'reasoning' }, ANSWERED), /input\[1\].summary/],
  ['reasoning with its text', items({ ...THOUGHT, content: [{ type: 'reasoning_text',
    text: 'x' }] }, ANSWERED), /maximum length 0/],
  ['a foreign proof', items({ ...THOUGHT, encrypted_content: 'EqQB' }, ANSWERED),
    /could not be verified/],
  ['reasoning that led to nothing', items({ ...THOUGHT, id: 'rs_1' }), /required following item/],
  ['reasoning before a bare message', items({ ...THOUGHT, id: 'rs_1' }, { role: 'assistant',
    content: 'x' }), /required following item/],
  ['reasoning that was not kept', { store: false, ...items({ type: 'reasoning', id: 'rs_1',
    summary: [] }, ANSWERED) }, /not persisted/, 404],
  ['a reference to nothing', items({ type: 'item_reference', id: 'msg_1' }), /not found/, 404],
  ['a response that was not kept', { previous_response_id: 'resp_x' }, /not found/],
  ['two pasts', { previous_response_id: 'resp_x', conversation: 'conv_1' }, /exclusive/],
  ['a tool of Chat', { tools: [{ type: 'function', function: { name: 'f' } }] },
    /Missing required parameter: 'tools\[0\].name'/],
  ['a tool of Anthropic\'s', { tools: [{ name: 'f', input_schema: {} }] },
    /Invalid value: 'undefined'/],
  ['a bad name', { tools: [{ ...FN, name: 'a.b' }] }, /pattern/],
  ['a schema of no object', { tools: [{ ...FN, parameters: { type: 'array' } }] },
    /type: "object"/],
  ['a loose schema without strict: false', { tools: [{ ...FN, parameters: { type: 'object',
    properties: { a: { type: 'string' } } } }] }, /'required' is required/],
  ['a loose object deep in a strict schema', { tools: [{ ...FN, strict: true, parameters: {
    ...FN.parameters, properties: { a: { type: 'object', properties: {} } }, required: ['a'] } }] },
  /'additionalProperties' is required/],
  ['a choice of Chat', { tools: [FN], tool_choice: { type: 'function', function: { name: 'f' } } },
    /tool_choice.name/],
  ['a choice of no tool', { tools: [FN], tool_choice: { type: 'function', name: 'g' } },
    /not found/],
  ['a choice of Anthropic\'s', { tools: [FN], tool_choice: { type: 'any' } }, /Invalid value/],
  ['required without tools', { tool_choice: 'required' }, /must be specified with 'tools'/],
  ['a nested format', { text: { format: { type: 'json_schema', json_schema: {} } } },
    /text.format.json_schema/],
  ['a schema without a name', { text: { format: { type: 'json_schema', schema: {} } } },
    /text.format.name/],
  ['a loose strict format', { text: { format: { type: 'json_schema', name: 'a', strict: true,
    schema: { type: 'object', properties: { a: {} } } } } }, /response_format 'a'/],
  ['json_object without the word', { text: { format: { type: 'json_object' } } }, /word 'json'/],
  ['a small cap', { max_output_tokens: 15 }, />= 16/],
  ['a temperature of 3', { temperature: 3 }, /<= 2/],
  ['a temperature of a reasoning model', { model: 'gpt-5-mini', temperature: 0.5 },
    /not supported with this model/],
  ['an effort of another model', { reasoning: { effort: 'low' } }, /'reasoning.effort'/],
  ['an unknown effort', { model: 'gpt-5-mini', reasoning: { effort: 'most' } }, /'most'/],
  ['an unknown include', { include: ['usage'] }, /include\[0\]|'usage'/],
  ['include_usage', { stream: true, stream_options: { include_usage: true } }, /include_usage/],
  ['stream_options without stream', { stream_options: {} }, /only allowed when 'stream'/],
  ['metadata that is no text', { metadata: { a: 1 } }, /metadata.a/],
];

describe('the fake Responses API refuses', () => {
  let fake;
  before(async () => { fake = await new FakeResponses().listen(); });
  after(() => fake.close());

  for (const [what, change, pattern, status = 400] of BAD) {
    test(what, async () => {
      const reply = await ask(fake.port, 'POST', '/v1/responses', { body: { ...ASK, ...change },
        headers: HEADERS });
      assert.equal(reply.status, status, reply.text);
      assert.deepEqual(Object.keys(reply.json.error).sort(), ['code', 'message', 'param', 'type']);
      assert.match(reply.json.error.message, pattern);
    });
  }

  test('a wrong key, no key, a wrong path, a wrong method, no JSON', async () => {
    const send = async (method, path, headers, body = ASK) => (
      await ask(fake.port, method, path, { body, headers })).status;
    assert.equal(await send('POST', '/v1/responses', { authorization: 'Bearer x' }), 401);
    assert.equal(await send('POST', '/v1/responses', { 'x-api-key': 'sk-up' }), 401);
    assert.equal(await send('POST', '/v1/response', HEADERS), 404);
    assert.equal(await send('PUT', '/v1/responses', HEADERS), 405);
    assert.equal(await send('POST', '/v1/responses', HEADERS, '{'), 400);
  });
});

// What programs send that looks odd and is right.
const GOOD = [
  ['instructions and a history in the short form', { instructions: 'x', input: [...HI,
    { role: 'assistant', content: 'x' }, { role: 'developer', content: 'x' }, ...HI] }],
  ['output text of the assistant, and a refusal', items({ role: 'assistant', content: [
    { type: 'output_text', text: 'x' }, { type: 'refusal', refusal: 'x' }] }, ...HI)],
  ['reasoning without an id and with null content', items({ ...THOUGHT, content: null },
    CALL, RESULT)],
  ['results in another order than the calls', items(CALL, { ...CALL, call_id: 'c2' },
    { ...RESULT, call_id: 'c2' }, RESULT)],
  ['one id in two steps', items(CALL, RESULT, CALL, RESULT)],
  ['a picture in a result', items(CALL, { ...RESULT, output: [{ type: 'input_image',
    image_url: 'data:image/png;base64,aaaa' }] })],
  ['a custom tool with its grammar', { tools: [{ type: 'custom', name: 'patch', format: {
    type: 'grammar', syntax: 'lark', definition: 'start: "x"' } }],
  ...items({ type: 'custom_tool_call', call_id: 'c1', name: 'patch', input: 'x' },
    { ...RESULT, type: 'custom_tool_call_output' }) }],
  ['tools in a namespace, and a hosted one', { client_metadata: { a: 'b' }, tools: [
    { type: 'namespace', name: 'n', description: 'x', tools: [FN] },
    { type: 'web_search', external_web_access: false }] }],
  ['a loose schema that says so', { tools: [{ ...FN, strict: false, parameters: {
    type: 'object', properties: { a: { type: 'string' } } } }] }],
  ['some of the tools', { tools: [FN], parallel_tool_calls: false, tool_choice: {
    type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'f' }] } }],
];

describe('the fake Responses API takes', () => {
  let fake;
  before(async () => { fake = await new FakeResponses().listen(); });
  after(() => fake.close());
  for (const [what, change] of GOOD) {
    test(what, async () => {
      const reply = await ask(fake.port, 'POST', '/v1/responses', { body: { ...ASK, ...change },
        headers: HEADERS });
      assert.equal(reply.status, 200, reply.text);
    });
  }
});

/** A legal stream, one of its events changed by `change(events)`. */
function broken(change) {
  const frames = responsesFrames({ thinking: 'Hm', text: 'Hello', calls: [TWO_CALLS[0]] });
  const events = frames.map((frame) => JSON.parse(frame.slice(frame.indexOf('\ndata: ') + 7)));
  return (change(events) ?? events).map((event) => (
    `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)).join('');
}

function find(events, type, count = 0) {
  return events.filter((event) => event.type === `response.${type}`)[count];
}

const ILLEGAL = [
  ['a gap in the numbers', (all) => { all[4].sequence_number = 40; }, /sequence_number is 40/],
  ['no terminal event', (all) => all.slice(0, -1), /no terminal event/],
  ['an event after the end', (all) => [...all, all[0]], /after the terminal event/],
  ['a wrong output_index', (all) => { find(all, 'output_item.added', 1).output_index = 3; },
    /output_index 3, 1 is next/],
  ['a wrong content_index', (all) => { find(all, 'content_part.added').content_index = 1; },
    /part 1 opens, 0 is next/],
  ['an item without content', (all) => { delete find(all, 'output_item.added', 1).item.content; },
    /message opens with content undefined/],
  ['text outside its part', (all) => all.filter((e) => e.type !== 'response.content_part.added'),
    /outside a part/],
  ['an item that stays open', (all) => all.filter((e) => e.type !== 'response.output_item.done'),
    /is open/],
  ['a last item that stays open', (all) => all.filter((e) => e !== find(all,
    'output_item.done', 2)), /response\.completed while fc_\S+ is open/],
  ['other logprobs at the end', (all) => {
    find(all, 'output_text.done').logprobs = [{ token: 'x', logprob: -1, top_logprobs: [] }];
  }, /other logprobs/],
  ['another text at the end', (all) => { find(all, 'output_text.done').text = 'x'; },
    /another text than was streamed/],
  ['other arguments at the end', (all) => {
    find(all, 'function_call_arguments.done').arguments = '{}';
  }, /differs from what was streamed/],
  ['an empty output', (all) => { all.at(-1).response.output = []; }, /0 items, 3 were streamed/],
  ['no usage', (all) => { all.at(-1).response.usage = null; }, /usage/],
  ['another id at the end', (all) => { all.at(-1).response.id = 'resp_x'; }, /the id changes/],
  ['a missing member', (all) => { delete all.at(-1).response.tools; }, /lacks tools/],
  ['another item_id', (all) => { find(all, 'output_text.delta').item_id = 'msg_x'; },
    /for msg_x/],
];

describe('the strict reader of Responses', () => {
  test('finds nothing wrong with what the fake writes', () => {
    const { problems, text, thinking, calls } = readResponsesStream(broken(() => undefined));
    assert.deepEqual([problems, text, thinking, calls], [[], 'Hello', 'Hm', [TWO_CALLS[0]]]);
  });

  test('lets an item stay open when the response fails: nobody may act on it', () => {
    const failed = broken((all) => [...all.slice(0, -2), { ...all.at(-1), type: 'response.failed',
      sequence_number: all.length - 2, response: { ...all.at(-1).response, status: 'failed',
        error: { code: 'server_error', message: 'Overloaded' } } }]);
    const { finish, problems } = readResponsesStream(failed);
    assert.deepEqual([finish, problems], ['failed', []]);
  });

  for (const [what, change, pattern] of ILLEGAL) {
    test(`names ${what}`, () => {
      assert.match(readResponsesStream(broken(change)).problems.join('\n'), pattern);
    });
  }
});
