// Habits of real programs, each in a request of its own: strict vendors of every protocol take it,
// and find in it what was said.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { asked, strings } from './corpus/asked.mjs';
import { KINDS, useFive } from './lib/five.mjs';
import { KEY } from './lib/gateway.mjs';
import { PNG } from './scenarios/shared.mjs';

const five = useFive();

const HI = { role: 'user', content: 'Look at the note.' };
const OBJECT = { type: 'object', properties: { path: { type: 'string' } } };
const THINKS = { openai: 'gpt-5-mini', responses: 'gpt-5-mini' };
const DATA_URL = `data:image/png;base64,${PNG}`;
const BILLING = 'x-anthropic-billing-header: cc_version=2.1; cch=1;';
const MARK = { cache_control: { type: 'ephemeral' } };

const READ = { name: 'Read', description: 'Reads', input_schema: OBJECT };
const USES = (id) => ({ type: 'tool_use', id, name: 'Read', input: { path: 'note.txt' } });
const CALLED = [{ name: 'Read', args: { path: 'note.txt' } }];

// The words of JSON Schema that agents' tools are full of.
const RICH = { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object',
  additionalProperties: false, required: ['path'],
  $defs: { Line: { type: 'object', properties: { at: { type: 'integer', exclusiveMinimum: 0 } } } },
  properties: {
    path: { type: 'string', pattern: '^[a-z./]+$', format: 'uri' },
    kind: { const: 'text' }, line: { $ref: '#/$defs/Line' },
    env: { type: 'object', propertyNames: { type: 'string' },
      additionalProperties: { type: 'string' } },
    list: { type: 'array', maxItems: 4, items: { anyOf: [{ type: 'string' }, { type: 'null' }] } },
  } };

const TALK = { openai: '/v1/chat/completions', responses: '/v1/responses',
  anthropic: '/v1/messages' };

// What each client says, and what has to reach every vendor: texts, images, calls, tools. `gone` is
// what none but the client's own vendor may see.
const HABITS = [
  { name: 'Claude Code: system messages in the middle, marks of caching, a line about billing',
    from: 'anthropic', gone: ['cc_version'],
    model: { anthropic: 'claude-opus-5' },
    body: { max_tokens: 32000, stream: true, thinking: { type: 'adaptive' },
      output_config: { effort: 'medium' }, context_management: { edits: [] },
      system: [{ type: 'text', text: BILLING },
        { type: 'text', text: 'You are an agent.', ...MARK },
        { type: 'text', text: 'Be brief.', ...MARK }],
      tools: [{ ...READ, ...MARK }],
      messages: [{ role: 'user', content: [{ type: 'text', text: HI.content, ...MARK }] },
        { role: 'system', content: 'The date is known.' }] },
    texts: [HI.content, 'You are an agent.', 'Be brief.', 'The date is known.'],
    tools: ['Read'] },
  { name: 'Claude Code: a budget of all tokens but one', from: 'anthropic', model: THINKS,
    body: { max_tokens: 32000, stream: true, messages: [HI],
      thinking: { type: 'enabled', budget_tokens: 31999 } },
    texts: [HI.content] },
  { name: 'Claude Code: schemas with every word that there is', from: 'anthropic',
    body: { max_tokens: 100, messages: [HI], tools: [{ ...READ, input_schema: RICH }] },
    texts: [HI.content], tools: ['Read'] },
  { name: 'Claude Code: thinking over a history without thoughts', from: 'anthropic', model: THINKS,
    own: false,
    body: { max_tokens: 32000, thinking: { type: 'enabled', budget_tokens: 4000 }, tools: [READ],
      messages: [HI, { role: 'assistant', content: [USES('toolu_1')] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1',
          content: 'heliotrope' }] }] },
    texts: ['heliotrope'], calls: CALLED, tools: ['Read'] },
  { name: 'Claude Code: an image in a result, and text behind it', from: 'anthropic',
    body: { max_tokens: 100, tools: [READ],
      messages: [HI, { role: 'assistant', content: [USES('toolu_1')] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: [
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } }] },
        { type: 'text', text: 'What is it?' }] }] },
    texts: ['What is it?'], images: [PNG], calls: CALLED, tools: ['Read'] },
  { name: 'opencode: tools whose arguments come early', from: 'anthropic',
    body: { max_tokens: 100, messages: [HI], tools: [{ ...READ, eager_input_streaming: true }] },
    texts: [HI.content], tools: ['Read'] },
  { name: 'neighbours of one role, and an assistant first', from: 'anthropic',
    body: { max_tokens: 100, tools: [READ],
      messages: [{ role: 'assistant', content: 'I am here.' }, HI, HI,
        { role: 'assistant', content: [USES('toolu_1')] },
        { role: 'assistant', content: [USES('toolu_2')] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1',
          content: 'one' }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_2',
          content: 'two' }] }] },
    texts: [HI.content, 'one', 'two'], calls: [...CALLED, ...CALLED], tools: ['Read'] },

  { name: 'Codex: namespaces, a search, ids on every item, thoughts with no content',
    from: 'responses', own: false,
    body: { stream: true, store: false, instructions: 'You are Codex.', tool_choice: 'auto',
      parallel_tool_calls: false, prompt_cache_key: 'k', include: ['reasoning.encrypted_content'],
      client_metadata: { installation: 'i' },
      tools: [{ type: 'function', name: 'exec_command', strict: false, parameters: OBJECT },
        { type: 'namespace', name: 'crm', description: 'People', tools: [
          { type: 'function', name: 'find', strict: false, parameters: OBJECT }] },
        { type: 'web_search', external_web_access: true }],
      input: [{ type: 'message', role: 'developer', id: 'msg_1',
        content: [{ type: 'input_text', text: 'The rules.' }] },
      { type: 'message', role: 'user', id: 'msg_2',
        content: [{ type: 'input_text', text: HI.content }] },
      { type: 'reasoning', id: 'rs_1', summary: [], content: null, encrypted_content: 'gAAA' },
      { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'exec_command',
        arguments: '{"path":"note.txt"}' },
      { type: 'function_call_output', id: 'fco_1', call_id: 'call_1', output: 'heliotrope' }] },
    texts: ['You are Codex.', 'The rules.', HI.content, 'heliotrope'],
    calls: [{ name: 'exec_command', args: { path: 'note.txt' } }],
    tools: ['exec_command', 'crm__find'] },
  { name: 'Codex: a result that is an image', from: 'responses',
    body: { store: false, tools: [{ type: 'function', name: 'view', strict: false,
      parameters: OBJECT }],
    input: [HI, { type: 'reasoning', summary: [] },
      { type: 'function_call', call_id: 'call_1', name: 'view', arguments: '{"path":"a.png"}' },
      { type: 'function_call_output', call_id: 'call_1',
        output: [{ type: 'input_image', image_url: DATA_URL }] }] },
    images: [PNG], calls: [{ name: 'view', args: { path: 'a.png' } }], tools: ['view'] },

  { name: 'Gemini CLI: a call that was not signed, and an image beside its result', from: 'gemini',
    body: { contents: [{ role: 'user', parts: [{ text: HI.content }] },
      { role: 'model', parts: [{ functionCall: { id: 'view_1', name: 'view',
        args: { path: 'a.png' } }, thoughtSignature: 'skip_thought_signature_validator' }] },
      { role: 'user', parts: [{ functionResponse: { id: 'view_1', name: 'view',
        response: { output: 'Binary content provided.' } } },
      { inlineData: { mimeType: 'image/png', data: PNG } }] }],
    tools: [{ functionDeclarations: [{ name: 'view', description: 'Views',
      parametersJsonSchema: RICH }] }] },
    texts: [HI.content, 'Binary content provided.'], images: [PNG],
    calls: [{ name: 'view', args: { path: 'a.png' } }], tools: ['view'] },
  { name: 'Gemini CLI: types in upper case in a JSON schema', from: 'gemini', own: false,
    body: { contents: [{ role: 'user', parts: [{ text: HI.content }] }],
      generationConfig: { responseMimeType: 'application/json', responseJsonSchema: {
        type: 'OBJECT', properties: { choice: { type: 'STRING', enum: ['flash', 'pro'] } },
        required: ['choice'] } } },
    texts: [HI.content], gone: ['"OBJECT"'] },
  { name: 'goose: tools in an object, results named after the ids of their calls', from: 'gemini',
    own: false,
    body: { contents: [{ role: 'user', parts: [{ text: HI.content }] },
      { role: 'model', parts: [{ functionCall: { name: 'view', args: { path: 'a' } } },
        { functionCall: { name: 'view', args: { path: 'b' } } }] },
      { role: 'user', parts: [{ functionResponse: { name: 'call_a', response: { output: 'A' } } },
        { functionResponse: { name: 'call_b', response: { output: 'B' } } }] }],
    tools: { functionDeclarations: [{ name: 'view', description: 'Views',
      parameters: { type: 'OBJECT', properties: { path: { type: 'STRING' } } } }] } },
    calls: [{ name: 'view', args: { path: 'a' } }, { name: 'view', args: { path: 'b' } }],
    tools: ['view'] },

  { name: 'pi: nothing is stored, tokens are capped by the new name', from: 'openai',
    body: { stream: true, stream_options: { include_usage: true }, store: false,
      max_completion_tokens: 100, messages: [{ role: 'system', content: 'Be brief.' }, HI] },
    texts: ['Be brief.', HI.content] },
  { name: 'unknown words in tools and calls', from: 'openai',
    body: { tools: [{ type: 'function', cache_control: { type: 'ephemeral' },
      function: { name: 'view', parameters: OBJECT, x_note: 1 } }],
    messages: [HI, { role: 'assistant', content: '', tool_calls: [{ id: 'call_1', index: 0,
      type: 'function', x_note: 1, function: { name: 'view', arguments: '{"path":"a"}' } }] },
    { role: 'tool', tool_call_id: 'call_1', content: 'heliotrope' }] },
    texts: [HI.content, 'heliotrope'], calls: [{ name: 'view', args: { path: 'a' } }],
    tools: ['view'] },
];

/** Sends a habit to the vendor `kind`. Coding is asked for as Bun and Rust clients do. */
async function send({ body, from, model: models }, kind) {
  const { fake, model: usual } = five.of(kind);
  const model = models?.[kind] ? `to_${kind}:${models[kind]}` : usual;
  const headers = { 'x-goog-api-key': KEY, 'anthropic-version': '2023-06-01',
    'accept-encoding': 'gzip, br, zstd' };
  const reply = from === 'gemini'
    ? await five.gw.post(`/v1beta/models/${model}:generateContent`, body, { headers })
    : await five.gw.post(TALK[from], { ...body, model }, { headers });
  return { fake, reply };
}

for (const habit of HABITS) {
  describe(habit.name, () => {
    for (const kind of Object.keys(KINDS)) {
      if (kind === habit.from && habit.own === false) {
        continue;
      }
      test(`over ${kind}`, async () => {
        const { fake, reply } = await send(habit, kind);
        assert.deepEqual([reply.status, fake.refusals], [200, []], reply.text.slice(0, 500));
        assert.equal(reply.headers['content-encoding'], undefined);
        const body = fake.last.json;
        const got = asked(kind, body);
        const said = strings(body);
        for (const text of habit.texts ?? []) {
          assert.ok(said.includes(text), `"${text}" in ${JSON.stringify(body)}`);
        }
        assert.deepEqual(got.images, habit.images ?? []);
        assert.deepEqual(got.calls, habit.calls ?? []);
        assert.deepEqual((habit.tools ?? []).filter((name) => !got.tools.includes(name)), []);
        for (const words of kind === habit.from ? [] : habit.gone ?? []) {
          assert.ok(!fake.last.body.toString().includes(words), words);
        }
      });
    }
  });
}

const LOOKS = { id: 'toolu_1', name: 'look_up', args: '{"word":"sky"}' };

/** The SDK's loop over tools, which asks for a thread and can do without. */
async function toolRun(model) {
  const client = new Anthropic({ apiKey: KEY, baseURL: five.gw.url, maxRetries: 0 });
  const asks = [];
  const last = await client.beta.messages.toolRunner({ model, max_tokens: 100,
    messages: [{ role: 'user', content: 'What is the word?' }],
    tools: [{ name: 'look_up', description: 'Looks up', input_schema: { type: 'object',
      properties: { word: { type: 'string' } } }, parse: (input) => input,
    run: ({ word }) => {
      asks.push(word);
      return 'heliotrope';
    } }] });
  return { asks, text: last.content.at(-1).text };
}

describe('the tool runner of Anthropic\'s SDK goes on without a thread', () => {
  for (const kind of Object.keys(KINDS).filter((one) => one !== 'anthropic')) {
    test(`over ${kind}`, async () => {
      const { fake, model } = five.of(kind);
      fake.script((x) => fake.say(x, { calls: [LOOKS] }),
        (x) => fake.say(x, { text: 'It is heliotrope.' }));
      assert.deepEqual(await toolRun(model), { asks: ['sky'], text: 'It is heliotrope.' });
      assert.deepEqual(fake.refusals, []);
      assert.match(strings(fake.last.json), /What is the word/);
    });
  }
  test('over a vendor of its own protocol that keeps none', async () => {
    const { fake, model } = five.of('anthropic');
    const error = { type: 'invalid_request_error', message: 'No threads here.',
      details: { error_code: 'thread_unsupported_request', unsupported: ['thread'] } };
    fake.script({ status: 400, headers: {}, body: { type: 'error', error } },
      (x) => fake.say(x, { calls: [LOOKS] }), (x) => fake.say(x, { text: 'It is heliotrope.' }));
    assert.deepEqual(await toolRun(model), { asks: ['sky'], text: 'It is heliotrope.' });
    assert.deepEqual(fake.requests.map(({ json }) => json.thread),
      [{ type: 'create' }, undefined, undefined]);
    assert.match(strings(fake.last.json), /What is the word/);
  });
});
