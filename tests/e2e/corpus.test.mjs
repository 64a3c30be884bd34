// Recorded streams of real vendors: relayed byte for byte, and converted to the other protocol with
// the same text, tool calls, arguments and usage.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { corpusMissing, events, readAnthropic, readOpenai, streams } from '../upstream/corpus.mjs';
import { KEY } from './lib/gateway.mjs';
import { useStage } from './lib/stage.mjs';

const stage = useStage({ keepsConnections: true });
const HI = [{ role: 'user', content: 'Hi' }];
const TOOLS = [{ name: 'any', input_schema: { type: 'object' } }];

function json(text) {
  try {
    return JSON.parse(text || '{}');
  } catch {
    return text;
  }
}

function assertCalls(got, want) {
  assert.deepEqual(got.map(({ name, args }) => [name, json(args)]),
    want.map(({ name, args }) => [name, json(args)]));
  assert.equal(new Set(got.map((call) => call.id)).size, got.length, 'ids are unique');
}

/** Usage of a Chat stream as fresh input, cache reads and output, whatever dialect it is in. */
function openaiUsage(usage) {
  const reasoning = usage.completion_tokens_details?.reasoning_tokens
    ?? usage.reasoning_tokens ?? 0;
  const apart = reasoning > 0
    && usage.total_tokens === usage.prompt_tokens + usage.completion_tokens + reasoning;
  const output = usage.completion_tokens + (apart ? reasoning : 0);
  const inclusive = Math.max(usage.prompt_tokens, (usage.total_tokens ?? 0) - output);
  const details = usage.prompt_tokens_details ?? {};
  const read = Math.min(details.cached_tokens ?? usage.prompt_cache_hit_tokens ?? 0, inclusive);
  return { inclusive, read, output };
}

const splits = [undefined, 1, { seed: 1 }, { seed: 2 }, { seed: 3 }];

describe('relayed', { skip: corpusMissing }, () => {
  for (const [protocol, fake, target, body] of [
    ['openai-chat', 'oa', '/v1/chat/completions', { model: 'oa:gpt-4o', messages: HI,
      stream: true }],
    ['anthropic', 'an', '/v1/messages', { model: 'an:claude-sonnet-4-6', max_tokens: 10,
      messages: HI, stream: true }]]) {
    streams(protocol).forEach(({ name, text }, at) => {
      test(`${name} passes byte for byte`, async () => {
        stage[fake].script({ pieces: [text], split: splits[at % splits.length] });
        const reply = await stage.gw.post(target, body,
          { headers: { 'anthropic-version': '2023-06-01' } });
        const first = events(text)[0];
        if (first?.error && !first.choices?.length) {
          assert.ok(reply.status >= 400);
          return;
        }
        assert.equal(reply.text, text);
        assert.equal(reply.status, 200);
      });
    });
  }
});

async function throughAnthropicSdk(text, split) {
  const client = new Anthropic({ apiKey: KEY, baseURL: stage.gw.url, maxRetries: 0 });
  stage.oa.script({ pieces: [text], split });
  return client.messages.stream({ model: 'oa:gpt-4o', max_tokens: 100, messages: HI,
    tools: TOOLS }).finalMessage();
}

describe('Chat streams read by the Anthropic SDK', { skip: corpusMissing }, () => {
  streams('openai-chat').forEach(({ name, text }, at) => {
    const want = readOpenai(text);
    if (want.error) {
      test(`${name} raises`, async () => {
        await assert.rejects(throughAnthropicSdk(text));
      });
      return;
    }
    test(`${name} says the same`, async () => {
      const got = await throughAnthropicSdk(text, splits[at % splits.length]);
      const of = (type) => got.content.filter((block) => block.type === type);
      assert.equal(of('text').map((block) => block.text).join(''), want.text);
      assertCalls(of('tool_use').map((block) => ({ id: block.id, name: block.name,
        args: JSON.stringify(block.input) })), want.calls);
      assert.equal(got.stop_reason === 'tool_use', want.calls.length > 0
        && want.finish !== 'length');
      if (want.thinking) {
        assert.ok(of('thinking').length > 0, 'thinking is kept');
      }
      if (want.usage) {
        const { inclusive, read, output } = openaiUsage(want.usage);
        const usage = got.usage;
        assert.equal(usage.output_tokens, output);
        assert.equal(usage.cache_read_input_tokens ?? 0, read);
        assert.equal(usage.input_tokens + (usage.cache_read_input_tokens ?? 0)
          + (usage.cache_creation_input_tokens ?? 0), inclusive);
      }
    });
  });
});

async function throughOpenaiSdk(text, split) {
  const client = new OpenAI({ apiKey: KEY, baseURL: `${stage.gw.url}/v1`, maxRetries: 0 });
  stage.an.script({ pieces: [text], split });
  return client.chat.completions.stream({ model: 'an:claude-sonnet-4-6', messages: HI,
    stream_options: { include_usage: true } }).finalChatCompletion();
}

describe('Messages streams read by the OpenAI SDK', { skip: corpusMissing }, () => {
  streams('anthropic').forEach(({ name, text }, at) => {
    const want = readAnthropic(text);
    const spliced = /spliced-message-start/.test(name);
    if (spliced) {
      test(`${name}, which is broken, raises`, async () => {
        await assert.rejects(throughOpenaiSdk(text));
      });
      return;
    }
    test(`${name} says the same`, async () => {
      const got = await throughOpenaiSdk(text, splits[at % splits.length]);
      const { message, finish_reason: finish } = got.choices[0];
      assert.equal(message.content ?? '', want.text);
      assertCalls((message.tool_calls ?? []).map((call) => ({ id: call.id,
        name: call.function.name, args: call.function.arguments })), want.calls);
      assert.equal(finish, want.calls.length ? 'tool_calls' : 'stop');
      const usage = got.usage;
      const input = (want.usage.input_tokens ?? 0) + (want.usage.cache_read_input_tokens ?? 0)
        + (want.usage.cache_creation_input_tokens ?? 0);
      assert.equal(usage.prompt_tokens, input);
      assert.equal(usage.completion_tokens, want.usage.output_tokens);
      assert.equal(usage.total_tokens, input + want.usage.output_tokens);
    });
  });
});
