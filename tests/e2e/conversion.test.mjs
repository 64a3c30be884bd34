// Requests as clumsy clients send them, in front of a strict vendor of the other protocol: what it
// gets must be within its rules, and must still mean the same.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { useStage } from './lib/stage.mjs';
import { PNG } from './scenarios/shared.mjs';

const stage = useStage();

const HI = { role: 'user', content: 'Hi' };
const TOOLS = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
const call = (id, args = '{}', name = 'f') => (
  { id, type: 'function', function: { name, arguments: args } });
const calls = (...list) => ({ role: 'assistant', content: null, tool_calls: list });
const result = (id, content = 'ok') => ({ role: 'tool', tool_call_id: id, content });

function blocks(sent, type) {
  return sent.messages.flatMap(({ content }) => (
    Array.isArray(content) ? content.filter((block) => block.type === type) : []));
}

/** Chat requests, and what Anthropic must find in them. */
const FROM_CHAT = [
  ['only a system prompt', { messages: [{ role: 'system', content: 'Talk.' }] },
    (sent) => assert.match(JSON.stringify(sent), /Talk\./)],
  ['a developer prompt', { messages: [{ role: 'developer', content: 'Be.' }, HI] },
    (sent) => assert.match(JSON.stringify(sent.system), /Be\./)],
  ['two leading prompts', { messages: [{ role: 'system', content: 'One.' },
    { role: 'developer', content: 'Two.' }, HI] },
  (sent) => assert.match(JSON.stringify(sent.system), /One\..*Two\./)],
  ['an empty system prompt', { messages: [{ role: 'system', content: '' }, HI] },
    (sent) => assert.equal(sent.messages.length, 1)],
  ['a prompt in the middle', { messages: [HI, { role: 'assistant', content: 'Yes?' },
    { role: 'system', content: 'Now in French.' }, HI] }, (sent) => {
    assert.match(JSON.stringify(sent.messages), /Now in French\./);
    assert.doesNotMatch(JSON.stringify(sent.system ?? ''), /French/);
  }],
  ['an assistant who speaks first', { messages: [{ role: 'assistant', content: 'Hello' }, HI] },
    (sent) => assert.match(JSON.stringify(sent.messages), /Hello/)],
  ['an assistant who speaks last', { messages: [HI, { role: 'assistant', content: 'So: ' }] },
    (sent) => assert.ok(sent.messages.length >= 2)],
  ['an assistant who says nothing', { messages: [HI, { role: 'assistant', content: '' }, HI] },
    (sent) => assert.ok(sent.messages.every(({ content }) => content.length > 0))],
  ['an empty user message', { messages: [{ role: 'user', content: '' }] }, () => {}],
  ['blank text', { messages: [{ role: 'user', content: [{ type: 'text', text: ' ' },
    { type: 'text', text: 'x' }] }] }, () => {}],
  ['a call without a result', { tools: TOOLS, messages: [HI, calls(call('c1')), HI] },
    (sent) => assert.equal(blocks(sent, 'tool_result')[0].tool_use_id, 'c1')],
  ['one of two results', { tools: TOOLS, messages: [HI, calls(call('c1'), call('c2')),
    result('c2'), HI] }, (sent) => assert.equal(blocks(sent, 'tool_result').length, 2)],
  ['a result without a call', { tools: TOOLS, messages: [HI, result('c9', 'lost words'), HI] },
    (sent) => assert.equal(blocks(sent, 'tool_result').length, 0)],
  ['results in another order', { tools: TOOLS, messages: [HI, calls(call('c1'), call('c2')),
    result('c2', 'two'), result('c1', 'one')] },
  (sent) => assert.equal(blocks(sent, 'tool_result').length, 2)],
  ['ids that come again', { tools: TOOLS, messages: [HI, calls(call('c0')), result('c0'),
    calls(call('c0')), result('c0')] }, (sent) => {
    const ids = blocks(sent, 'tool_use').map((block) => block.id);
    assert.equal(new Set(ids).size, 2);
    assert.deepEqual(blocks(sent, 'tool_result').map((block) => block.tool_use_id), ids);
  }],
  ['ids with foreign characters', { tools: TOOLS, messages: [HI, calls(call('call:1/ü')),
    result('call:1/ü')] }, (sent) => assert.equal(blocks(sent, 'tool_use')[0].id,
    blocks(sent, 'tool_result')[0].tool_use_id)],
  ['empty arguments', { tools: TOOLS, messages: [HI, calls(call('c1', '')), result('c1')] },
    (sent) => assert.deepEqual(blocks(sent, 'tool_use')[0].input, {})],
  ['broken arguments', { tools: TOOLS, messages: [HI, calls(call('c1', '{"a":')), result('c1')] },
    (sent) => assert.equal(typeof blocks(sent, 'tool_use')[0].input, 'object')],
  ['arguments that are a list', { tools: TOOLS, messages: [HI, calls(call('c1', '[1]')),
    result('c1')] }, (sent) => assert.ok(!Array.isArray(blocks(sent, 'tool_use')[0].input))],
  ['an empty result', { tools: TOOLS, messages: [HI, calls(call('c1')), result('c1', '')] },
    () => {}],
  ['calls and no tools', { messages: [HI, calls(call('c1')), result('c1'), HI] }, () => {}],
  ['a tool without parameters', { messages: [HI], tools: [{ type: 'function',
    function: { name: 'f' } }] },
  (sent) => assert.equal(sent.tools[0].input_schema.type, 'object')],
  ['a schema with a choice at its root', { messages: [HI], tools: [{ type: 'function',
    function: { name: 'f', parameters: { type: 'object', anyOf: [{ properties: { a: {} } },
      { properties: { b: {} } }] } } }] },
  (sent) => assert.deepEqual(Object.keys(sent.tools[0].input_schema.properties), ['a', 'b'])],
  ['tool_choice none with calls before', { tools: TOOLS, tool_choice: 'none',
    messages: [HI, calls(call('c1')), result('c1')] },
  (sent) => assert.equal(sent.tool_choice.type, 'none')],
  ['a forced choice with thinking', { tools: TOOLS, tool_choice: 'required', messages: [HI],
    reasoning_effort: 'high' }, (sent) => assert.ok(sent.tools.length === 1)],
  ['thinking after turns without it', { tools: TOOLS, messages: [HI, calls(call('c1')),
    result('c1')], reasoning_effort: 'high' }, () => {}],
  ['a budget over a small cap', { messages: [HI], reasoning_effort: 'high',
    max_completion_tokens: 2000 }, (sent) => assert.equal(sent.max_tokens, 2000)],
  ['a cap under every budget', { messages: [HI], reasoning_effort: 'high',
    max_completion_tokens: 500 }, (sent) => assert.equal(sent.max_tokens, 500)],
  ['a cap over the model\'s', { messages: [HI], max_tokens: 1_000_000 },
    (sent) => assert.ok(sent.max_tokens <= 128_000)],
  ['a temperature of 2', { messages: [HI], temperature: 2 },
    (sent) => assert.equal(sent.temperature, 1)],
  ['two samplers', { messages: [HI], temperature: 0.5, top_p: 0.5 }, () => {}],
  ['a blank stop sequence', { messages: [HI], stop: ['\n', 'END'] },
    (sent) => assert.deepEqual(sent.stop_sequences, ['END'])],
  ['one stop sequence as text', { messages: [HI], stop: 'END' },
    (sent) => assert.deepEqual(sent.stop_sequences, ['END'])],
  ['image/jpg that is a PNG', { messages: [{ role: 'user', content: [{ type: 'image_url',
    image_url: { url: `data:image/jpg;base64,${PNG}` } }] }] },
  (sent) => assert.equal(blocks(sent, 'image')[0].source.media_type, 'image/png')],
  ['an image as a bare string', { messages: [{ role: 'user', content: [{ type: 'image_url',
    image_url: 'https://example.com/a.png' }] }] },
  (sent) => assert.equal(blocks(sent, 'image')[0].source.url, 'https://example.com/a.png')],
  ['audio beside text', { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hear' },
    { type: 'input_audio', input_audio: { data: 'aaaa', format: 'wav' } }] }] },
  (sent) => assert.match(JSON.stringify(sent.messages), /audio/)],
  ['json_object', { messages: [HI], response_format: { type: 'json_object' } },
    (sent) => assert.match(JSON.stringify(sent.system), /JSON/)],
  ['old functions', { messages: [HI, { role: 'assistant', content: null,
    function_call: { name: 'f', arguments: '{"a":1}' } }, { role: 'function', name: 'f',
    content: 'ok' }], functions: [{ name: 'f', parameters: { type: 'object' } }] },
  (sent) => assert.deepEqual(blocks(sent, 'tool_use')[0].input, { a: 1 })],
  ['a user\'s id and metadata', { messages: [HI], user: 'u1', metadata: { a: 'b' } },
    (sent) => assert.ok(!sent.metadata || Object.keys(sent.metadata).join() === 'user_id')],
  ['n = 1', { messages: [HI], n: 1 }, () => {}],
  ['members of the future', { messages: [{ ...HI, future: 1 }], future: { x: 1 } }, () => {}],
];

const AHI = { role: 'user', content: [{ type: 'text', text: 'Hi' }] };
const ATOOLS = [{ name: 'f', input_schema: { type: 'object' } }];
const use = (id, input = {}) => ({ type: 'tool_use', id, name: 'f', input });
const given = (id, content = 'ok', more = {}) => (
  { type: 'tool_result', tool_use_id: id, content, ...more });

/** Messages requests, and what OpenAI must find in them. */
const FROM_MESSAGES = [
  ['system blocks with cache marks', { system: [{ type: 'text', text: 'One.',
    cache_control: { type: 'ephemeral' } }, { type: 'text', text: 'Two.' }], messages: [AHI] },
  (sent) => assert.equal(sent.messages[0].content, 'One.\n\nTwo.')],
  ['a billing marker', { system: [{ type: 'text',
    text: 'x-anthropic-billing-header: cc_version=1;' }, { type: 'text', text: 'Be.' }],
  messages: [AHI] }, (sent) => assert.equal(sent.messages[0].content, 'Be.')],
  ['results before and after text', { tools: ATOOLS, messages: [AHI,
    { role: 'assistant', content: [{ type: 'text', text: 'Look' }, use('u1'), use('u2')] },
    { role: 'user', content: [given('u1'), given('u2'), { type: 'text', text: 'go on' }] }] },
  (sent) => assert.deepEqual(sent.messages.map((m) => m.role),
    ['user', 'assistant', 'tool', 'tool', 'user'])],
  ['results in messages of their own', { tools: ATOOLS, messages: [AHI,
    { role: 'assistant', content: [use('u1'), use('u2')] },
    { role: 'user', content: [given('u1')] }, { role: 'user', content: [given('u2')] }] },
  (sent) => assert.equal(sent.messages.filter((m) => m.role === 'tool').length, 2)],
  ['a failed result', { tools: ATOOLS, messages: [AHI, { role: 'assistant', content: [use('u1')] },
    { role: 'user', content: [given('u1', 'no such file', { is_error: true })] }] },
  (sent) => assert.match(sent.messages[2].content, /error.*no such file/i)],
  ['a result without content', { tools: ATOOLS, messages: [AHI, { role: 'assistant',
    content: [use('u1')] }, { role: 'user', content: [{ type: 'tool_result',
    tool_use_id: 'u1' }] }] }, (sent) => assert.equal(sent.messages[2].role, 'tool')],
  ['pictures in two results', { tools: ATOOLS, messages: [AHI, { role: 'assistant',
    content: [use('u1'), use('u2')] }, { role: 'user', content: ['u1', 'u2'].map((id) => (
    given(id, [{ type: 'text', text: id }, { type: 'image', source: { type: 'base64',
      media_type: 'image/png', data: PNG } }]))) }] },
  (sent) => assert.deepEqual(sent.messages.map((m) => m.role),
    ['user', 'assistant', 'tool', 'tool', 'user'])],
  ['ids that are too long', { tools: ATOOLS, messages: [AHI, { role: 'assistant',
    content: [use('u'.repeat(90))] }, { role: 'user', content: [given('u'.repeat(90))] }] },
  (sent) => assert.equal(sent.messages[1].tool_calls[0].id, sent.messages[2].tool_call_id)],
  ['signed thinking in the history', { tools: ATOOLS, messages: [AHI, { role: 'assistant',
    content: [{ type: 'thinking', thinking: 'hm', signature: 'EqQBx' },
      { type: 'redacted_thinking', data: 'zzz' }, use('u1')] },
  { role: 'user', content: [given('u1')] }] },
  (sent) => assert.doesNotMatch(JSON.stringify(sent), /EqQBx|zzz/)],
  ['an empty schema', { tools: [{ name: 'f', input_schema: { type: 'object', properties: {} } }],
    messages: [AHI] },
  (sent) => assert.deepEqual(sent.tools[0].function.parameters.properties, {})],
  ['a hosted tool', { tools: [{ type: 'web_search_20250305', name: 'web_search' }, ...ATOOLS],
    messages: [AHI] }, (sent) => assert.deepEqual(sent.tools.map((t) => t.function?.name), ['f'])],
  ['only a hosted tool, and a choice', { tools: [{ type: 'web_search_20250305',
    name: 'web_search' }], tool_choice: { type: 'tool', name: 'web_search' }, messages: [AHI] },
  (sent) => assert.equal(sent.tool_choice, undefined)],
  ['stop sequences, five of them', { stop_sequences: ['a', 'b', 'c', 'd', 'e'], messages: [AHI] },
    (sent) => assert.equal(sent.stop.length, 4)],
  ['top_k', { top_k: 5, messages: [AHI] }, (sent) => assert.equal(sent.top_k, undefined)],
  ['adaptive thinking with an effort', { thinking: { type: 'adaptive' },
    output_config: { effort: 'high' }, messages: [AHI] }, () => {}],
  ['thinking that is off', { thinking: { type: 'disabled' }, messages: [AHI] }, () => {}],
  ['a system message in the middle', { messages: [AHI, { role: 'system', content: 'Now.' }] },
    (sent) => assert.match(JSON.stringify(sent.messages), /Now\./)],
  ['a document of text', { messages: [{ role: 'user', content: [{ type: 'document',
    source: { type: 'text', media_type: 'text/plain', data: 'the law' } },
  { type: 'text', text: 'Read' }] }] },
  (sent) => assert.match(JSON.stringify(sent.messages), /the law/)],
  ['a PDF', { messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'base64',
    media_type: 'application/pdf', data: 'JVBERi0x' } }] }] },
  (sent) => assert.match(sent.messages[0].content[0].file.file_data,
    /^data:application\/pdf;base64,JVBERi0x$/)],
  ['a prefill', { messages: [AHI, { role: 'assistant', content: 'So:' }] },
    (sent) => assert.ok(sent.messages.length >= 2)],
  ['context management', { context_management: { edits: [] }, messages: [AHI] }, () => {}],
  ['a long user id', { metadata: { user_id: 'x'.repeat(300) }, messages: [AHI] },
    (sent) => assert.ok((sent.user ?? sent.safety_identifier ?? '').length <= 128)],
];

for (const model of ['claude-haiku-4-5', 'claude-sonnet-4-6', 'claude-opus-5']) {
  describe(`a chat request to ${model} with`, () => {
    for (const [what, body, check] of FROM_CHAT) {
      test(what, async () => {
        const reply = await stage.gw.chat({ ...body, model: `an:${model}` });
        assert.equal(reply.status, 200, reply.text);
        assert.deepEqual(stage.an.refusals, []);
        const sent = stage.an.last.json;
        if (model !== 'claude-opus-5' || !/temperature|sampler/.test(what)) {
          check(sent);
        }
      });
    }
  });
}

for (const model of ['gpt-4o', 'gpt-5-mini']) {
  describe(`a messages request to ${model} with`, () => {
    for (const [what, body, check] of FROM_MESSAGES) {
      test(what, async () => {
        const reply = await stage.gw.messages({ max_tokens: 100, ...body, model: `oa:${model}` });
        assert.equal(reply.status, 200, reply.text);
        assert.deepEqual(stage.oa.refusals, []);
        if (model === 'gpt-4o' || !/stop/.test(what)) {
          check(stage.oa.last.json);
        }
      });
    }
  });
}

test('audio alone is a 400 in words, for a vendor that cannot hear', async () => {
  const reply = await stage.gw.chat({ model: 'an:claude-sonnet-4-6', messages: [{ role: 'user',
    content: [{ type: 'input_audio', input_audio: { data: 'aaaa', format: 'wav' } }] }] });
  assert.ok(reply.status === 400 || /audio/.test(JSON.stringify(stage.an.last.json)), reply.text);
});
