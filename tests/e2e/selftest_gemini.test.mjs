// The fake Gemini itself: the official SDK against it directly, the recordings through it, and the
// reader that later judges what the gateway writes.

import { after, afterEach, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { ApiError, GoogleGenAI } from '@google/genai';
import { FakeGemini, geminiError } from '../upstream/gemini.mjs';
import { corpusMissing, events, replies, requests, streams } from '../upstream/corpus.mjs';
import { readGeminiArray, readGeminiBody, readGeminiStream } from './lib/gemini_reader.mjs';
import { ask } from './lib/wire.mjs';
import { ANSWER, PNG, TWO_CALLS, USAGE, WEATHER, WORDS, collect } from './scenarios/shared.mjs';

const MODEL = 'gemini-2.5-flash';
const THIRD = 'gemini-3-flash-preview';
const ASK = { model: MODEL, contents: 'Hi' };
const TOOLS = [{ functionDeclarations: [{ name: 'get_weather', description: 'Tells weather',
  parametersJsonSchema: WEATHER }] }];

let fake;
let client;

before(async () => {
  fake = await new FakeGemini().listen();
  client = new GoogleGenAI({ apiKey: fake.key, httpOptions: { baseUrl: fake.url } });
});
afterEach(() => {
  assert.deepEqual(fake.failures, []);
  fake.clear();
});
after(() => fake.close());

/** What an SDK's chunks, or its one response, say together. */
function said(chunks) {
  const parts = chunks.flatMap((one) => one.candidates?.[0]?.content?.parts ?? []);
  const words = (thought) => parts.filter((part) => Boolean(part.thought) === thought)
    .map((part) => part.text ?? '').join('');
  return { text: words(false), thinking: words(true),
    calls: parts.flatMap((part) => (part.functionCall ? [part.functionCall] : [])),
    signatures: parts.flatMap((part) => part.thoughtSignature ?? []),
    finish: chunks.flatMap((one) => one.candidates?.[0]?.finishReason ?? []).at(-1),
    usage: chunks.flatMap((one) => one.usageMetadata ?? []).at(-1) };
}

/** The same reply twice, streamed and not; they must say the same. */
async function both(description, request = ASK) {
  const say = (exchange) => fake.say(exchange, description);
  fake.script(say, say);
  const whole = said([await client.models.generateContent(request)]);
  const streamed = said(await collect(await client.models.generateContentStream(request)));
  assert.deepEqual(streamed, whole);
  return whole;
}

describe('the Google SDK and the fake Gemini', () => {
  test('text and usage are the same, streamed or not', async () => {
    const reply = await both({ text: WORDS, usage: { ...USAGE, reasoning: 5 } },
      { ...ASK, config: { systemInstruction: 'Be brief.', temperature: 0, topK: 40,
        stopSequences: ['END'], maxOutputTokens: 99 } });
    assert.equal(reply.text, WORDS);
    assert.equal(reply.finish, 'STOP');
    const { promptTokenCount, cachedContentTokenCount, candidatesTokenCount, thoughtsTokenCount,
      totalTokenCount } = reply.usage;
    assert.deepEqual([promptTokenCount, cachedContentTokenCount, candidatesTokenCount,
      thoughtsTokenCount, totalTokenCount], [75, 64, 16, 5, 96]);
    assert.equal(fake.last.json.systemInstruction.parts[0].text, 'Be brief.');
    assert.equal(fake.last.json.generationConfig.temperature, 0);
  });

  for (const [finish, want] of [['length', 'MAX_TOKENS'], ['filter', 'SAFETY']]) {
    test(`a reply that ended by ${finish} says ${want}`, async () => {
      assert.equal((await both({ text: 'Half a', finish })).finish, want);
    });
  }

  test('a blocked prompt has no candidates', async () => {
    fake.script((exchange) => fake.say(exchange, { blocked: 'PROHIBITED_CONTENT' }));
    const reply = await client.models.generateContent(ASK);
    assert.equal(reply.promptFeedback.blockReason, 'PROHIBITED_CONTENT');
    assert.equal(reply.candidates, undefined);
  });

  for (const model of [MODEL, THIRD]) {
    test(`parallel calls of ${model} are read and their results taken`, async () => {
      const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }];
      const request = { model, contents, config: { tools: TOOLS } };
      const reply = await both({ text: 'Looking.', calls: TWO_CALLS }, request);
      assert.deepEqual(reply.calls.map((call) => [call.id, call.name, call.args.city]),
        [['toolu_a1', 'get_weather', 'Oslo'], ['toolu_b2', 'get_weather', 'Tromsø "north"']]);
      assert.equal(reply.signatures.length, 1);
      contents.push({ role: 'model', parts: reply.calls.map((functionCall, at) => (
        { functionCall, ...(at ? {} : { thoughtSignature: reply.signatures[0] }) })) },
      { role: 'user', parts: TWO_CALLS.map(({ id, name }, at) => ({ functionResponse: { id, name,
        response: { output: `sun ${at}` } } })) });
      const next = await client.models.generateContent(request);
      assert.equal(next.text, 'You said: sun 0 sun 1');
    });
  }

  test('a call is forced, and a 64-bit number survives on the wire', async () => {
    fake.script((exchange) => fake.say(exchange, { calls: [{ ...TWO_CALLS[0], id: undefined }] }));
    const body = { contents: [{ parts: [{ text: 'Hi' }] }], tools: TOOLS, toolConfig: {
      functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['get_weather'] } } };
    const reply = await ask(fake.port, 'POST', `/v1beta/models/${MODEL}:generateContent`,
      { body, headers: { 'x-goog-api-key': fake.key } });
    assert.match(reply.text, /"args":\{"city":"Oslo","day":9007199254740993\}/);
    assert.doesNotMatch(reply.text, /"id"/);
  });

  test('thoughts are marked, and asked for by budget or by level', async () => {
    const budget = await both({ thinking: 'Let me see.', text: 'Yes' }, { ...ASK,
      config: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } } });
    assert.deepEqual([budget.thinking, budget.text], ['Let me see.', 'Yes']);
    await both({ text: 'Yes' }, { ...ASK, model: THIRD,
      config: { thinkingConfig: { includeThoughts: true, thinkingLevel: 'LOW' } } });
  });

  test('an image is taken', async () => {
    const reply = await client.models.generateContent({ model: MODEL, contents: [{ role: 'user',
      parts: [{ text: 'What?' }, { inlineData: { mimeType: 'image/png', data: PNG } }] }] });
    assert.equal(reply.text, 'You said: What? [inlineData]');
  });

  for (const name of ['responseJsonSchema', 'responseSchema']) {
    test(`structured output is asked for by ${name}`, async () => {
      const schema = name === 'responseSchema' ? { type: 'OBJECT', required: ['answer'],
        properties: { answer: { type: 'INTEGER' } } } : ANSWER;
      const reply = await both({ text: '{"answer":42}' }, { ...ASK,
        config: { responseMimeType: 'application/json', [name]: schema } });
      assert.equal(JSON.parse(reply.text).answer, 42);
    });
  }

  test('a chat keeps its history', async () => {
    const chat = client.chats.create({ model: MODEL });
    await chat.sendMessage({ message: 'One' });
    assert.equal((await chat.sendMessage({ message: 'Two' })).text, 'You said: Two');
    assert.equal(fake.last.json.contents.length, 3);
  });

  test('tokens are counted, texts embedded, models listed', async () => {
    assert.ok((await client.models.countTokens(ASK)).totalTokens > 0);
    const embedded = await client.models.embedContent({ model: 'gemini-embedding-001',
      contents: ['a', 'b'] });
    assert.equal(embedded.embeddings.length, 2);
    assert.equal((await client.models.get({ model: MODEL })).name, `models/${MODEL}`);
    const names = (await collect(await client.models.list())).map((one) => one.name);
    assert.deepEqual(names, fake.models.map((one) => `models/${one}`));
  });

  for (const [code, status] of [[400, 'INVALID_ARGUMENT'], [403, 'PERMISSION_DENIED'],
    [404, 'NOT_FOUND'], [429, 'RESOURCE_EXHAUSTED'], [500, 'INTERNAL'], [503, 'UNAVAILABLE']]) {
    test(`a scripted ${code} raises ApiError, streamed or not`, async () => {
      for (const verb of ['generateContent', 'generateContentStream']) {
        fake.script(geminiError(code, status, `because of ${code}`));
        await assert.rejects(client.models[verb](ASK), (error) => (error instanceof ApiError
          && error.status === code && error.message.includes(`because of ${code}`)));
      }
    });
  }

  test('an error within a stream raises', async () => {
    fake.script((exchange) => fake.say(exchange, { text: WORDS, error: { code: 503,
      message: 'Overloaded', status: 'UNAVAILABLE' } }));
    await assert.rejects(async () => collect(await client.models.generateContentStream(ASK)),
      /Overloaded/);
  });

  for (const finish of ['cut', 'reset']) {
    test(`a stream that ends by ${finish} raises`, async () => {
      fake.script((exchange) => {
        const answer = fake.say(exchange, { text: WORDS });
        return { ...answer, pieces: answer.pieces.slice(0, 2), finish };
      });
      await assert.rejects(async () => collect(await client.models.generateContentStream(ASK)));
    });
  }

  test('a stream that is cut into single bytes says the same', async () => {
    fake.script((exchange) => ({ ...fake.say(exchange, { text: WORDS }), split: 1 }));
    const chunks = await collect(await client.models.generateContentStream(ASK));
    assert.equal(said(chunks).text, WORDS);
  });

  test('the path may be that of Vertex AI, and may hide its colon', async () => {
    const body = { contents: [{ parts: [{ text: 'Hi' }] }], labels: { a: 'b' } };
    const place = '/v1/projects/p/locations/l/publishers/google/models/';
    const reply = await ask(fake.port, 'POST', `${place}${MODEL}%3AgenerateContent`, { body,
      headers: { authorization: `Bearer ${fake.token}` } });
    assert.equal(reply.status, 200, reply.text);
  });
});

describe('the strict reader of Gemini', () => {
  const HEADERS = { 'x-goog-api-key': 'sk-up' };
  const body = { contents: [{ parts: [{ text: 'Hi' }] }], tools: TOOLS };
  const reply = { thinking: 'Hm', text: 'Hello', calls: TWO_CALLS, usage: USAGE };
  for (const [form, path, read] of [
    ['a whole answer', 'generateContent', (text) => readGeminiBody(JSON.parse(text))],
    ['a stream', 'streamGenerateContent?alt=sse', readGeminiStream],
    ['an array', 'streamGenerateContent', readGeminiArray]]) {
    test(`finds nothing wrong with ${form} of the fake`, async () => {
      fake.script((exchange) => fake.say(exchange, reply));
      const got = await ask(fake.port, 'POST', `/v1beta/models/${MODEL}:${path}`, { body,
        headers: HEADERS });
      const { problems, text, thinking, calls, finish } = read(got.text);
      assert.deepEqual([problems, text, thinking, finish], [[], 'Hello', 'Hm', 'STOP']);
      assert.deepEqual(calls.map((call) => call.id), ['toolu_a1', 'toolu_b2']);
    });
  }
});

describe('recorded Gemini streams', { skip: corpusMissing }, () => {
  // What a strict client need not bear, and what the reader says of it. The recordings of Gemini
  // CLI are trimmed or were written by hand.
  const ODD = [
    ['gemini-cli/', /: (no modelVersion|no responseId|role undefined|content after)|usage/],
    ['code_execution_stream', /shrinks/],
    ['google-stream-tool-call', /not whole|without a name/]];

  for (const { name, text } of streams('gemini')) {
    const odd = ODD.find(([part]) => name.includes(part))?.[1];
    test(`${name} is read by the SDK and by the strict reader`, async () => {
      fake.script({ pieces: [text], split: { seed: 7 } });
      const chunks = await collect(await client.models.generateContentStream(ASK));
      const want = readGeminiStream(text);
      const got = said(chunks);
      assert.equal(chunks.length, events(text).length);
      assert.deepEqual([got.text, got.thinking, got.finish, got.signatures],
        [want.text, want.thinking, want.finish ?? undefined, want.signatures]);
      assert.deepEqual(got.calls.map((call) => call.name), want.calls.map((call) => call.name));
      assert.deepEqual(want.problems.filter((problem) => !odd?.test(problem)), []);
    });
  }
});

describe('recorded Gemini answers', { skip: corpusMissing }, () => {
  for (const { name, body } of replies('gemini')) {
    if (body.candidates || body.promptFeedback) {
      test(`${name} is read by the SDK and by the strict reader`, async () => {
        fake.script({ body });
        const got = said([await client.models.generateContent(ASK)]);
        const want = readGeminiBody(body);
        assert.deepEqual([got.text, got.thinking, got.finish ?? null, got.signatures],
          [want.text, want.thinking, want.finish, want.signatures]);
        // Model Armor counts nothing.
        assert.deepEqual(want.problems.filter((problem) => (
          !/ON_DEMAND/.test(problem) || !want.blocked)), []);
      });
    }
  }
});

describe('recorded Gemini requests', { skip: corpusMissing }, () => {
  // Of what was refused, only these were refused for what they say.
  const judged = requests('gemini')
    .filter(({ name, status }) => status === 200 || /count_tokens_error/.test(name));

  for (const { name, uri, body, status } of judged) {
    test(`${name} is answered with ${status}`, async () => {
      const { pathname, search } = new URL(uri);
      const path = pathname.replace(/^.*\/(v1\w*)\//, '/$1/')
        .replace(/^.*(\/publishers\/)/, '/v1$1') + search.replace(/key=[^&]*/, 'key=sk-up');
      const isVertex = path.includes('/publishers/');
      const headers = isVertex ? { authorization: 'Bearer ya29.up' }
        : search.includes('key=') ? {} : { 'x-goog-api-key': 'sk-up' };
      const reply = await ask(fake.port, 'POST', path, { body, headers });
      assert.equal(reply.status, status, reply.text);
      if (/:generateContent/.test(path)) {
        assert.deepEqual(readGeminiBody(reply.json).problems, []);
      }
    });
  }
});
