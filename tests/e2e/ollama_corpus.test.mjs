// Recorded streams and requests of real vendors through Ollama: read by its official client, taken
// by its strict fake, and its own streams relayed and read by the clients of the others.

import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { Ollama } from 'ollama';
import { corpusMissing, readAnthropic, readOpenai, requests, streams }
  from '../upstream/corpus.mjs';
import { FakeAnthropic } from '../upstream/anthropic.mjs';
import { FakeOllama } from '../upstream/ollama.mjs';
import { FakeOpenAI } from '../upstream/openai.mjs';
import { Gateway, KEY } from './lib/gateway.mjs';
import { collect } from './scenarios/shared.mjs';

const HI = [{ role: 'user', content: 'Hi' }];
const NDJSON = { 'content-type': 'application/x-ndjson' };
const splits = [undefined, 1, { seed: 1 }, { seed: 2 }];

const stage = {};

before(async () => {
  stage.oa = await new FakeOpenAI().listen();
  stage.an = await new FakeAnthropic().listen();
  stage.ol = await new FakeOllama().listen();
  stage.gw = await Gateway.start({ fakes: stage, config: { providers: { ol: { type: 'ollama',
    base_url: stage.ol.url, accounts: [{ name: 'c' }] } } } });
  stage.openai = new OpenAI({ apiKey: KEY, baseURL: `${stage.gw.url}/v1`, maxRetries: 0 });
  stage.claude = new Anthropic({ apiKey: KEY, baseURL: stage.gw.url, maxRetries: 0 });
  stage.ollama = new Ollama({ host: stage.gw.url, headers: { Authorization: `Bearer ${KEY}` } });
});
after(async () => {
  await stage.gw?.stop();
  await Promise.all(['oa', 'an', 'ol'].map((name) => stage[name]?.close()));
});

function json(text) {
  try {
    return JSON.parse(text || '{}');
  } catch {
    return { _raw: text };
  }
}

/** What a list of an Ollama stream's lines says. */
function read(lines) {
  const last = lines.at(-1);
  return { text: lines.map((one) => one.message?.content ?? one.response ?? '').join(''),
    thinking: lines.map((one) => one.message?.thinking ?? '').join(''),
    calls: lines.flatMap((one) => one.message?.tool_calls ?? []).map((call) => (
      [call.function.name, call.function.arguments])),
    input: last.prompt_eval_count, output: last.eval_count, finish: last.done_reason };
}

/** The recorded streams of Ollama: `{ name, text, target }`. */
function ollamaStreams() {
  const files = corpusMissing ? []
    : fs.readdirSync(path.join(process.env.PX_CORPUS, 'ollama'), { recursive: true })
      .filter((file) => file.endsWith('.json')).sort();
  return files.flatMap((file) => (
    JSON.parse(fs.readFileSync(path.join(process.env.PX_CORPUS, 'ollama', file))).exchanges
      .flatMap(({ request, response }, at) => (/^\{"model"/.test(response.body)
        ? [{ name: `${file}#${at}`, text: response.body,
          target: new URL(request.uri).pathname }] : []))));
}

async function throughOllama(fake, model, text, split) {
  stage[fake].script({ pieces: [text], split });
  return read(await collect(await stage.ollama.chat({ model: `${fake}:${model}`, messages: HI,
    stream: true })));
}

for (const [protocol, fake, model, reader] of [
  ['openai-chat', 'oa', 'gpt-4o', readOpenai],
  ['anthropic', 'an', 'claude-sonnet-4-6', readAnthropic]]) {
  describe(`${protocol} streams read by the Ollama client`, { skip: corpusMissing }, () => {
    streams(protocol).forEach(({ name, text }, at) => {
      const want = reader(text);
      const broken = want.error || /spliced-message-start/.test(name);
      test(`${name} ${broken ? 'raises' : 'says the same'}`, async () => {
        if (broken) {
          await assert.rejects(throughOllama(fake, model, text));
          return;
        }
        const got = await throughOllama(fake, model, text, splits[at % splits.length]);
        assert.equal(got.text, want.text);
        assert.deepEqual(got.calls, want.calls.map(({ name: called, args, start }) => (
          [called, args === '' && start ? start : json(args)])));
        assert.equal(got.finish === 'length', /^(length|max_tokens)$/.test(want.finish));
        assert.ok(!want.thinking || got.thinking.length > 0, 'thinking is kept');
        assert.ok(Number.isInteger(got.input) && Number.isInteger(got.output));
      });
    });
  });
}

describe('Ollama streams', { skip: corpusMissing }, () => {
  ollamaStreams().forEach(({ name, text, target }, at) => {
    const want = read(text.trimEnd().split('\n').map((line) => JSON.parse(line)));
    const split = splits[at % splits.length];

    test(`${name} passes byte for byte`, async () => {
      stage.ol.script({ headers: NDJSON, pieces: [text], split });
      const asks = target.endsWith('generate') ? { prompt: 'Hi' } : { messages: HI };
      const reply = await stage.gw.post(target, { model: 'ol:qwen3:latest', ...asks });
      assert.equal(reply.text, text);
    });

    test(`${name} says the same to the OpenAI client`, async () => {
      stage.ol.script({ headers: NDJSON, pieces: [text], split });
      const got = await stage.openai.chat.completions.stream({ model: 'ol:qwen3:latest',
        messages: HI, stream_options: { include_usage: true } }).finalChatCompletion();
      const { message } = got.choices[0];
      assert.equal(message.content ?? '', want.text);
      assert.deepEqual((message.tool_calls ?? []).map((call) => (
        [call.function.name, JSON.parse(call.function.arguments)])), want.calls);
      assert.deepEqual([got.usage.prompt_tokens, got.usage.completion_tokens],
        [want.input, want.output]);
    });

    test(`${name} says the same to the Anthropic client`, async () => {
      stage.ol.script({ headers: NDJSON, pieces: [text], split });
      const got = await stage.claude.messages.stream({ model: 'ol:qwen3:latest', max_tokens: 9,
        messages: HI }).finalMessage();
      const of = (type) => got.content.filter((block) => block.type === type);
      assert.equal(of('text').map((block) => block.text).join(''), want.text);
      assert.deepEqual(of('tool_use').map((block) => [block.name, block.input]), want.calls);
      assert.equal(got.usage.output_tokens, want.output);
    });
  });
});

for (const protocol of ['openai-chat', 'anthropic']) {
  describe(`requests of ${protocol} to Ollama`, { skip: corpusMissing }, () => {
    for (const { name, body } of requests(protocol)) {
      test(name, async () => {
        stage.ol.refusals.length = 0;
        const send = protocol === 'anthropic' ? stage.gw.messages : stage.gw.chat;
        const reply = await send.call(stage.gw, { ...body, model: 'ol:qwen3:latest' });
        assert.equal(reply.status, 200, reply.text);
        assert.deepEqual(stage.ol.refusals, []);
      });
    }
  });
}
