// The fakes refuse what the real vendors refuse. A request that the gateway builds wrongly must not
// pass here, so each rule is shown to bite.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { FakeOpenAI } from '../upstream/openai.mjs';
import { FakeAnthropic } from '../upstream/anthropic.mjs';
import { ask } from './lib/wire.mjs';

const HI = [{ role: 'user', content: 'Hi' }];
const TOOL = { type: 'function', function: { name: 'f', parameters: { type: 'object' } } };
const CALL = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
const ATOOL = { name: 'f', input_schema: { type: 'object' } };
const USE = { type: 'tool_use', id: 'u1', name: 'f', input: {} };
const RESULT = { type: 'tool_result', tool_use_id: 'u1', content: 'x' };

function user(...content) {
  return { role: 'user', content };
}

const OPENAI = [
  ['an unknown member', { foo: 1 }, /Unknown parameter: 'foo'/],
  ['no model', { model: undefined }, /must provide a model/],
  ['no messages', { messages: [] }, /empty array/],
  ['an unknown role', { messages: [{ role: 'model', content: 'x' }] }, /Supported values/],
  ['null content', { messages: [{ role: 'user', content: null }] }, /got null/],
  ['a foreign part', { messages: [user({ type: 'image', source: {} })] }, /Invalid value: 'image'/],
  ['a bare image', { messages: [user({ type: 'image_url', image_url: 'https://x.y/z' })] },
    /expected an object/],
  ['a picture in a tool message', { tools: [TOOL], messages: [...HI,
    { role: 'assistant', tool_calls: [CALL] }, { role: 'tool', tool_call_id: 'c1',
      content: [{ type: 'image_url', image_url: { url: 'https://x.y/z' } }] }] }, /Invalid value/],
  ['a call without its result', { messages: [...HI, { role: 'assistant', tool_calls: [CALL] },
    ...HI] }, /did not have response messages: c1/],
  ['a call at the end', { messages: [...HI, { role: 'assistant', tool_calls: [CALL] }] },
    /did not have response messages/],
  ['a result without its call', { messages: [...HI, { role: 'tool', tool_call_id: 'c1',
    content: 'x' }] }, /must be a response to/],
  ['a result of another call', { messages: [...HI, { role: 'assistant', tool_calls: [CALL] },
    { role: 'tool', tool_call_id: 'c2', content: 'x' }] }, /not found in 'tool_calls'/],
  ['arguments as an object', { messages: [...HI, { role: 'assistant', tool_calls: [{ ...CALL,
    function: { name: 'f', arguments: {} } }] }] }, /expected a string/],
  ['a long id', { messages: [...HI, { role: 'assistant', tool_calls: [{ ...CALL,
    id: 'x'.repeat(65) }] }] }, /maximum length 40/],
  ['tool_choice without tools', { tool_choice: 'auto' }, /only allowed when 'tools'/],
  ['parallel_tool_calls without tools', { parallel_tool_calls: false },
    /only allowed when 'tools'/],
  ['no tools in the list', { tools: [] }, /empty array/],
  ['a tool_choice of Anthropic\'s', { tools: [TOOL], tool_choice: { type: 'any' } },
    /Invalid value: 'any'/],
  ['a choice of no tool', { tools: [TOOL], tool_choice: { type: 'function',
    function: { name: 'g' } } }, /not found/],
  ['a bad name', { tools: [{ type: 'function', function: { name: 'a b' } }] }, /pattern/],
  ['a schema of no object', { tools: [{ type: 'function', function: { name: 'f',
    parameters: { type: 'array' } } }] }, /type: "object"/],
  ['a temperature of 3', { temperature: 3 }, /above maximum/],
  ['five stop sequences', { stop: ['a', 'b', 'c', 'd', 'e'] }, /maximum length 4/],
  ['stream_options without stream', { stream_options: {} }, /only allowed when 'stream'/],
  ['max_tokens of a reasoning model', { model: 'gpt-5-mini', max_tokens: 5 },
    /max_completion_tokens/],
  ['a temperature of a reasoning model', { model: 'gpt-5-mini', temperature: 0 },
    /does not support/],
  ['an effort of another model', { reasoning_effort: 'low' }, /Unrecognized request argument/],
  ['json_object without the word', { response_format: { type: 'json_object' } }, /word 'json'/],
  ['a schema without a name', { response_format: { type: 'json_schema',
    json_schema: { schema: {} } } }, /json_schema.name/],
];

const ANTHROPIC = [
  ['an unknown member', { foo: 1 }, /^foo: Extra inputs/],
  ['no max_tokens', { max_tokens: undefined }, /max_tokens: Field required/],
  ['max_tokens over the cap', { max_tokens: 1e6 }, /maximum allowed number/],
  ['no messages', { messages: [] }, /at least one message/],
  ['an unknown role', { messages: [{ role: 'tool', content: 'x' }] }, /Unexpected role "tool"/],
  ['a system role', { messages: [...HI, { role: 'system', content: 'x' }] }, /role 'system'/],
  ['empty text', { messages: [user({ type: 'text', text: '' })] }, /non-empty/],
  ['blank text', { messages: [user({ type: 'text', text: ' \n' })] }, /non-whitespace/],
  ['empty content', { messages: [{ role: 'user', content: [] }] }, /non-empty content/],
  ['empty system text', { system: [{ type: 'text', text: '' }] }, /non-empty/],
  ['a foreign block', { messages: [user({ type: 'image_url' })] }, /does not match any/],
  ['a foreign member of a block', { messages: [user({ type: 'text', text: 'x', name: 'y' })] },
    /messages.0.content.0.text.name: Extra inputs/],
  ['a foreign member of a message', { messages: [{ ...HI[0], name: 'y' }] }, /Extra inputs/],
  ['a data URL as a link', { messages: [user({ type: 'image', source: { type: 'url',
    url: 'data:image/png;base64,aaaa' } })] }, /Only HTTPS/],
  ['image/jpg', { messages: [user({ type: 'image', source: { type: 'base64',
    media_type: 'image/jpg', data: 'aaaa' } })] }, /media_type/],
  ['a call without its result', { tools: [ATOOL], messages: [...HI, { role: 'assistant',
    content: [USE] }, ...HI] }, /without `tool_result` blocks immediately after: u1/],
  ['a result without its call', { tools: [ATOOL], messages: [user(RESULT)] },
    /unexpected `tool_use_id`/],
  ['text before a result', { tools: [ATOOL], messages: [...HI, { role: 'assistant',
    content: [USE] }, user({ type: 'text', text: 'x' }, RESULT)] }, /before any other content/],
  ['an id with a dot', { tools: [ATOOL], messages: [...HI, { role: 'assistant',
    content: [{ ...USE, id: 'a.b' }] }] }, /tool_use.id/],
  ['input as text', { tools: [ATOOL], messages: [...HI, { role: 'assistant',
    content: [{ ...USE, input: '{}' }] }] }, /valid dictionary/],
  ['calls without tools', { messages: [...HI, { role: 'assistant', content: [USE] },
    user(RESULT)] }, /must define tools/],
  ['unsigned thinking', { messages: [...HI, { role: 'assistant', content: [{ type: 'thinking',
    thinking: 'x' }] }, ...HI] }, /signature: Field required/],
  ['a foreign signature', { messages: [...HI, { role: 'assistant', content: [{ type: 'thinking',
    thinking: 'x', signature: 'gAAA' }] }, ...HI] }, /Invalid `signature`/],
  ['a schema of no object', { tools: [{ name: 'f', input_schema: {} }] }, /input_schema.type/],
  ['a tool of OpenAI\'s', { tools: [TOOL] }, /does not match|Extra inputs|name/],
  ['tool_choice as text', { tools: [ATOOL], tool_choice: 'auto' }, /valid dictionary/],
  ['tool_choice without tools', { tool_choice: { type: 'auto' } }, /while providing tools/],
  ['a forced choice with thinking', { tools: [ATOOL], tool_choice: { type: 'any' },
    max_tokens: 5000, thinking: { type: 'enabled', budget_tokens: 1024 } }, /forces tool use/],
  ['a small budget', { thinking: { type: 'enabled', budget_tokens: 10 } }, /1024/],
  ['a budget over max_tokens', { thinking: { type: 'enabled', budget_tokens: 2000 } },
    /must be greater than/],
  ['thinking without its block in a loop', { max_tokens: 5000, tools: [ATOOL],
    thinking: { type: 'enabled', budget_tokens: 1024 },
    messages: [...HI, { role: 'assistant', content: [USE] }, user(RESULT)] },
  /Expected `thinking`/],
  ['a temperature of 1.5', { temperature: 1.5 }, /temperature/],
  ['two samplers', { temperature: 1, top_p: 1 }, /cannot both/],
  ['a blank stop sequence', { stop_sequences: [' '] }, /non-whitespace/],
  ['five cache marks', { system: Array(5).fill({ type: 'text', text: 'x',
    cache_control: { type: 'ephemeral' } }) }, /maximum of 4/],
  ['sampling of the newest', { model: 'claude-opus-5', temperature: 1 }, /not supported/],
  ['thinking of the newest', { model: 'claude-opus-5', max_tokens: 5000,
    thinking: { type: 'enabled', budget_tokens: 1024 } }, /not supported/],
  ['a prefill of the newest', { messages: [...HI, { role: 'assistant', content: 'x' }] },
    /prefill/],
];

function table(Fake, target, base, cases, headers) {
  let fake;
  before(async () => { fake = await new Fake().listen(); });
  after(() => fake.close());
  for (const [what, change, pattern] of cases) {
    test(what, async () => {
      const reply = await ask(fake.port, 'POST', target, { body: { ...base, ...change }, headers });
      assert.equal(reply.status, 400);
      assert.match(reply.json.error.message, pattern);
    });
  }
  test('none of it is refused without a cause', async () => {
    assert.equal((await ask(fake.port, 'POST', target, { body: base, headers })).status, 200);
  });
  test('a wrong key is a 401, no key too', async () => {
    const wrong = { ...headers, authorization: 'Bearer x', 'x-api-key': 'x' };
    for (const some of [wrong, { 'anthropic-version': '2023-06-01' }]) {
      const reply = await ask(fake.port, 'POST', target, { body: base, headers: some });
      assert.equal(reply.status, 401);
    }
  });
}

describe('the fake OpenAI refuses', () => table(FakeOpenAI, '/v1/chat/completions',
  { model: 'gpt-4o', messages: HI }, OPENAI, { authorization: 'Bearer sk-up' }));

describe('the fake Anthropic refuses', () => table(FakeAnthropic, '/v1/messages',
  { model: 'claude-sonnet-4-6', max_tokens: 100, messages: HI }, ANTHROPIC,
  { 'x-api-key': 'sk-up', 'anthropic-version': '2023-06-01' }));
