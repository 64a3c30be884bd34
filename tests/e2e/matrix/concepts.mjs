// The concepts of the matrix: what is asked, what the vendor then says, and what must have reached
// the vendor (`seen`) and the client (`got`).
//
// A check gives nothing, or the words of a loss that conversion cannot avoid. `losses` are the paths
// that the header x-proxima-lost then must hold; any other path there fails the cell.

import assert from 'node:assert/strict';
import { ANSWER, PNG, TWO_CALLS, USAGE, WEATHER, WORDS } from '../scenarios/shared.mjs';

const HI = [{ user: 'Hi' }];
const TOOLS = [{ name: 'get_weather', description: 'Tells weather', schema: WEATHER },
  { name: 'get_time', description: 'Tells time', schema: { type: 'object', properties: {} } }];
const args = (text) => JSON.parse(text.replaceAll(/:9007199254740993/g, ':"BIG"'));
const CALLS = TWO_CALLS.map((call) => ({ ...call, json: call.args.replace('9007199254740993',
  '"BIG"') }));

const TOKENS = [['Gr', -0.25, [['Gr', -0.25], ['Ha', -1.5]]],
  ['üß', -3.5e-7, [['üß', -3.5e-7], ['ieß', -15.125]]],
  [' dich', -0.01972555, [[' dich', -0.01972555], [' Gott', -4.1320033]]]];

// Who signs thoughts, who signs calls. A client of Ollama has no place for it; of a stream that is
// known when the head is long out.
const unsigned = (...kinds) => ({ client, kind, stream }) => (
  client === 'ollama' && !stream && kinds.includes(kind) ? ['reply.signature'] : []);

/** What every answer must be that says `reply`. */
function said(got, reply) {
  assert.deepEqual(got.problems, []);
  assert.equal(got.error, null);
  assert.equal(got.text, reply.text ?? '');
  assert.deepEqual(got.calls.map((call) => [call.name, call.args]),
    (reply.calls ?? []).map((call) => [call.name, args(call.args)]));
  assert.ok(got.calls.every((call, at) => got.calls.findIndex(({ id }) => id === call.id) === at),
    'ids are unique');
}

/** Schemas are told as they are, but for members that a vendor refuses. */
function sameSchema(got, want) {
  assert.deepEqual(Object.keys(got.properties ?? {}), Object.keys(want.properties ?? {}));
  assert.match(String(got.type), /^object$/i);
}

export const CONCEPTS = [
  { name: 'text', asks: { turns: HI, max: 50 }, reply: { text: WORDS },
    check({ got, seen }) {
      said(got, this.reply);
      assert.deepEqual(seen.said, [['user', 'Hi']]);
      assert.deepEqual([seen.system, seen.max, got.finish], ['', 50, 'stop']);
    } },
  { name: 'system', asks: { system: 'Be brief.', turns: HI }, reply: { text: WORDS },
    check({ got, seen }) {
      said(got, this.reply);
      assert.deepEqual([seen.system, seen.said], ['Be brief.', [['user', 'Hi']]]);
    } },
  { name: 'turns', reply: { text: WORDS },
    asks: { turns: [...HI, { assistant: 'Hello' }, { user: 'How are you?' }] },
    check({ got, seen }) {
      said(got, this.reply);
      assert.deepEqual(seen.said, [['user', 'Hi'], ['assistant', 'Hello'],
        ['user', 'How are you?']]);
    } },
  { name: 'images', asks: { turns: [{ user: 'What is it?', images: [PNG, PNG] }] },
    reply: { text: WORDS },
    check({ got, seen }) {
      said(got, this.reply);
      assert.deepEqual([seen.images, seen.said], [[PNG, PNG], [['user', 'What is it?']]]);
    } },
  { name: 'call', asks: { turns: HI, tools: TOOLS },
    reply: { text: 'Looking.', calls: [TWO_CALLS[0]], step: 3 }, losses: unsigned('gemini'),
    check({ got, seen }) {
      said(got, this.reply);
      assert.deepEqual([got.finish, seen.tools.map((tool) => tool.name)],
        ['tool', ['get_weather', 'get_time']]);
      sameSchema(seen.tools[0].schema, WEATHER);
      assert.equal(seen.choice, undefined);
    } },
  { name: 'calls', asks: { turns: HI, tools: TOOLS }, reply: { calls: TWO_CALLS, step: 5 },
    losses: unsigned('gemini'),
    check({ got }) {
      said(got, this.reply);
      assert.equal(got.finish, 'tool');
    } },
  { name: 'results', reply: { text: WORDS },
    asks: { tools: TOOLS, turns: [...HI, { assistant: 'Looking.', calls: CALLS.map(
      ({ json, ...call }) => ({ ...call, args: json })) }, { results: [
      { id: CALLS[0].id, name: 'get_weather', text: 'sunny' },
      { id: CALLS[1].id, name: 'get_weather', text: 'no such place', error: true }] }] },
    losses: ({ cannot, clientCan }) => (clientCan.error && cannot('error')
      ? ['messages.is_error'] : []),
    check({ cannot, clientCan, got, seen }) {
      said(got, this.reply);
      assert.deepEqual(seen.calls.map((call) => call.args), TWO_CALLS.map((call) => (
        args(call.args))));
      assert.equal(seen.results[0].text, 'sunny');
      if (!clientCan.error) {
        assert.equal(seen.results[1].text, 'no such place');
        return 'the client has no word for a failed call';
      } else if (cannot('error')) {
        assert.equal(seen.results[1].text, 'Error: no such place');
        return 'told in words';
      }
      assert.deepEqual(seen.results.map((one) => one.error), [false, true]);
      assert.equal(seen.results[1].text, 'no such place');
      return undefined;
    } },
  { name: 'forced', asks: { turns: HI, tools: TOOLS, choice: { name: 'get_time' },
    parallel: false }, reply: { calls: [{ id: 'c_1', name: 'get_time', args: '{}' }] },
  needs: ['choice'],
  losses: ({ cannot, clientCan }) => [...(cannot('choice') ? ['tool_choice'] : []),
    ...(cannot('parallel') && clientCan.parallel ? ['params.parallel'] : [])],
  check({ cannot, clientCan, got, seen }) {
    said(got, this.reply);
    assert.equal(got.finish, 'tool');
    if (cannot('choice')) {
      assert.deepEqual(seen.tools.map((tool) => tool.name), ['get_time']);
      return 'the one tool alone is offered';
    }
    assert.deepEqual(seen.choice, { name: 'get_time' });
    if (clientCan.parallel && !cannot('parallel')) {
      assert.equal(seen.parallel, false);
    }
    return clientCan.parallel && cannot('parallel') ? 'several calls cannot be forbidden' : undefined;
  } },
  { name: 'any', asks: { turns: HI, tools: TOOLS, choice: {} },
    reply: { calls: [{ id: 'c_1', name: 'get_time', args: '{}' }] }, needs: ['choice'],
    losses: ({ cannot }) => (cannot('choice') ? ['tool_choice'] : []),
    check({ cannot, got, seen }) {
      said(got, this.reply);
      if (cannot('choice')) {
        return 'a call cannot be forced';
      }
      assert.equal(seen.choice, 'any');
      return undefined;
    } },
  { name: 'thinking', thinks: true, asks: { turns: HI, think: 'high' },
    reply: { thinking: 'Let me think. Ah!', signature: 'c2lnbmVk', text: WORDS },
    losses: (about) => (about.cannot('level') ? ['params.reasoning']
      : unsigned('anthropic', 'responses')(about)),
    check({ cannot, got, seen }) {
      said(got, this.reply);
      assert.equal(got.thinking, this.reply.thinking);
      assert.ok(['high', true].includes(seen.think) || seen.think > 4000, `think ${seen.think}`);
      return cannot('level') && seen.think === true ? 'the model thinks, or does not' : undefined;
    } },
  { name: 'format', asks: { turns: HI, format: ANSWER }, reply: { text: '{"answer":42}' },
    check({ got, seen }) {
      said(got, this.reply);
      sameSchema(seen.format, ANSWER);
    } },
  { name: 'stop', asks: { turns: HI, stop: ['END'] }, needs: ['stop'],
    reply: ({ cannot }) => (cannot('stop') ? { text: 'One END two', step: 2 } : { text: 'One ' }),
    check({ cannot, got, seen }) {
      said(got, { text: 'One ' });
      assert.equal(got.finish, 'stop');
      assert.deepEqual([seen.stop].flat(), [cannot('stop') ? undefined : 'END']);
    } },
  { name: 'length', asks: { turns: HI, max: 16 }, reply: { text: 'Half a', finish: 'length' },
    check({ got }) {
      said(got, this.reply);
      assert.equal(got.finish, 'length');
    } },
  { name: 'refusal', asks: { turns: HI }, reply: { text: 'I', finish: 'filter' }, gives: ['filter'],
    check({ client, got }) {
      said(got, this.reply);
      if (client === 'ollama') {
        assert.equal(got.finish, 'stop');
        return 'the client has no word for it';
      }
      assert.equal(got.finish, 'filter');
      return undefined;
    } },
  { name: 'declined', asks: { turns: HI }, reply: { refusal: 'I will not.' }, gives: ['refusal'],
    check({ client, got }) {
      const apart = client === 'openai' || client === 'responses';
      said(got, { text: apart ? '' : 'I will not.' });
      assert.deepEqual([got.refusal, got.finish], [apart ? 'I will not.' : '', 'stop']);
      return apart ? undefined : 'a refusal is a text';
    } },
  { name: 'likely', asks: { turns: HI, likely: 2 }, needs: ['likely'], reply: { tokens: TOKENS },
    losses: ({ cannot }) => (cannot('likely') ? ['params.logprobs'] : []),
    check({ cannot, got, seen }) {
      said(got, { text: 'Grüß dich' });
      assert.equal(seen.likely, cannot('likely') ? undefined : 2);
      assert.deepEqual(got.likely, cannot('likely') ? [] : TOKENS);
      return cannot('likely') ? 'nobody tells how likely tokens are' : undefined;
    } },
  { name: 'usage', asks: { turns: HI }, reply: { text: WORDS, usage: USAGE },
    check({ cannot, got }) {
      said(got, this.reply);
      const { cacheRead, input, output } = got.usage;
      assert.deepEqual([input, output], [75, 21]);
      if (cacheRead !== undefined) {
        assert.equal(cacheRead, cannot('cached') ? 0 : 64);
      }
      return cannot('cached') || cacheRead === undefined ? 'nobody tells what was cached'
        : undefined;
    } },
];

/** How an upstream fails, and what the client must see. */
export const FAILURES = [
  { name: 'refused', fail: (upstream) => upstream.refuse('Slow down'),
    check({ got }) {
      assert.equal(got.status, 429);
      assert.match(got.error.message, /Slow down/);
    } },
  { name: 'broken', streamed: true, fail: (upstream) => upstream.breakOff(),
    check({ got }) {
      assert.equal(got.status, 200);
      assert.match(got.error.message, /Overloaded/);
      assert.equal(got.finish, null);
    } },
  { name: 'cut', streamed: true, fail: (upstream) => upstream.cut(),
    check({ got }) {
      assert.equal(got.status, 200);
      assert.match(got.error.message, /upstream/);
      assert.equal(got.finish, null);
    } },
  { name: 'cut', whole: true, fail: (upstream) => upstream.fake.script({ raw: [
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"id":'],
  finish: 'cut' }),
  check({ got }) {
    assert.equal(got.status, 502);
    assert.match(got.error.message, /upstream/);
  } },
];
