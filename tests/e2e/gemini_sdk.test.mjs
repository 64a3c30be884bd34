// The official Google SDK through the gateway, over vendors of every protocol.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { ApiError, GoogleGenAI } from '@google/genai';
import { KEY } from './lib/gateway.mjs';
import { CALLS, KINDS, useFive } from './lib/five.mjs';
import { readGeminiArray, readGeminiBody, readGeminiStream } from './lib/gemini_reader.mjs';
import { ANSWER, USAGE, WEATHER, WORDS, collect } from './scenarios/shared.mjs';

const five = useFive();
const TOOLS = [{ functionDeclarations: [{ name: 'get_weather', description: 'Tells weather',
  parametersJsonSchema: WEATHER }] }];
const HI = [{ role: 'user', parts: [{ text: 'Hi' }] }];

const clientOf = (apiKey = KEY) => new GoogleGenAI({ apiKey,
  httpOptions: { baseUrl: five.gw.url } });
const plain = (value) => JSON.parse(JSON.stringify(value));

// The forms of an answer on the wire, and who reads them.
const FORMS = {
  'generateContent': (text) => readGeminiBody(JSON.parse(text)),
  'streamGenerateContent?alt=sse': readGeminiStream,
  'streamGenerateContent': readGeminiArray,
};

async function raw(model, form, body) {
  const reply = await five.gw.post(`/v1beta/models/${model}:${form}`, body,
    { headers: { authorization: undefined, 'x-goog-api-key': KEY } });
  assert.equal(reply.status, 200, reply.text);
  return { ...FORMS[form](reply.text), wire: reply.text };
}

/** What an SDK's chunks, or its one response, say together. */
function said(chunks) {
  const parts = chunks.flatMap((one) => one.candidates?.[0]?.content?.parts ?? []);
  return { parts, text: parts.map((part) => (part.thought ? '' : part.text ?? '')).join(''),
    calls: parts.flatMap((part) => (part.functionCall ? [part.functionCall] : [])),
    finish: chunks.flatMap((one) => one.candidates?.[0]?.finishReason ?? []).at(-1),
    usage: chunks.flatMap((one) => one.usageMetadata ?? []).at(-1) };
}

/** The same reply, whole and streamed to the SDK; they must say the same. */
async function both(say, description, request) {
  [1, 2].forEach(() => say(description));
  const whole = said([await clientOf().models.generateContent(request)]);
  const streamed = said(await collect(await clientOf().models.generateContentStream(request)));
  assert.deepEqual([streamed.text, streamed.finish], [whole.text, whole.finish]);
  assert.equal(streamed.usage.totalTokenCount, whole.usage.totalTokenCount);
  assert.deepEqual(streamed.calls.map(({ name, args }) => [name, args]),
    whole.calls.map(({ name, args }) => [name, args]));
  return whole;
}

for (const kind of Object.keys(KINDS)) {
  describe(`the Google SDK over ${kind}`, () => {
    test('text and usage are the same, streamed or not', async () => {
      const { fake, model, say } = five.of(kind);
      const reply = await both(say, { text: WORDS, usage: USAGE }, { model, contents: 'Hi',
        config: { systemInstruction: 'Be brief.', maxOutputTokens: 50 } });
      assert.deepEqual([reply.text, reply.finish], [WORDS, 'STOP']);
      assert.deepEqual([reply.usage.promptTokenCount, reply.usage.totalTokenCount], [75, 96]);
      assert.ok(fake.last.body.includes('Be brief.'));
      assert.deepEqual(fake.refusals, []);
    });

    test('a reply that ended by length says MAX_TOKENS', async () => {
      const { model, say } = five.of(kind);
      const reply = await both(say, { text: 'Half a', finish: 'length' }, { model,
        contents: 'Hi' });
      assert.deepEqual([reply.text, reply.finish], ['Half a', 'MAX_TOKENS']);
    });

    for (const form of Object.keys(FORMS)) {
      test(`a strict reader finds nothing wrong with ${form}`, async () => {
        const { model, say } = five.of(kind);
        say({ text: WORDS, calls: CALLS['parallel calls'], usage: USAGE });
        const reply = await raw(model, form, { contents: HI, tools: TOOLS });
        assert.deepEqual([reply.problems, reply.text, reply.finish], [[], WORDS, 'STOP']);
        assert.deepEqual(reply.calls.map((call) => [call.name, call.args.city]),
          [['get_weather', 'Oslo'], ['get_weather', 'Tromsø "north"']]);
        assert.ok(reply.wire.includes('9007199254740993'), 'a 64-bit number survives');
      });
    }

    for (const [name, calls] of Object.entries(CALLS)) {
      test(`${name} are read, and the results reach the upstream`, async () => {
        const { fake, model, say } = five.of(kind);
        const request = { model, contents: [...HI], config: { tools: TOOLS } };
        const reply = await both(say, { text: 'Looking.', calls, step: 3 }, request);
        assert.equal(reply.text, 'Looking.');
        assert.deepEqual(reply.calls.map((call) => [call.name, call.args]),
          calls.map((call) => [call.name, JSON.parse(call.args)]));
        request.contents.push({ role: 'model', parts: plain(reply.parts) },
          { role: 'user', parts: reply.calls.map((call, at) => ({ functionResponse: {
            ...(call.id ? { id: call.id } : {}), name: call.name,
            response: { output: `sun ${at}` } } })) });
        const next = await clientOf().models.generateContent(request);
        assert.match(next.text, /sun/);
        assert.deepEqual(fake.refusals, []);
        for (const wanted of calls.map((_, at) => `sun ${at}`)) {
          assert.ok(fake.last.body.includes(wanted), `${wanted} is missing`);
        }
      });
    }

    test('structured output is asked for in the vendor\'s way', async () => {
      const { fake, model, say } = five.of(kind);
      const reply = await both(say, { text: '{"answer":42}' }, { model, contents: 'Hi',
        config: { responseMimeType: 'application/json', responseJsonSchema: ANSWER } });
      assert.equal(JSON.parse(reply.text).answer, 42);
      assert.match(fake.last.body.toString(), /"answer":\{"type":"integer"\}/i);
      assert.deepEqual(fake.refusals, []);
    });

    test('a refusal raises ApiError with the upstream\'s words, streamed or not', async () => {
      const { model, refuse } = five.of(kind);
      for (const verb of ['generateContent', 'generateContentStream']) {
        refuse('Slow down');
        await assert.rejects(clientOf().models[verb]({ model, contents: 'Hi' }), (error) => (
          error instanceof ApiError && error.status === 429 && /Slow down/.test(error.message)));
      }
    });

    for (const [what, how, words] of [['with an error in it', 'breakOff', /Overloaded/],
      ['that is cut', 'cut', /upstream/]]) {
      test(`a stream ${what} raises`, async () => {
        const upstream = five.of(kind);
        upstream[how]();
        await assert.rejects(async () => collect(await clientOf().models.generateContentStream({
          model: upstream.model, contents: 'Hi' })), words);
      });

      for (const form of Object.keys(FORMS).slice(1)) {
        test(`a stream ${what} is legal as ${form}`, async () => {
          const upstream = five.of(kind);
          upstream[how]();
          const { problems, error } = await raw(upstream.model, form, { contents: HI });
          assert.deepEqual(problems, []);
          assert.match(error.message, words);
        });
      }
    }

    test('tokens are counted', async () => {
      const { model } = five.of(kind);
      const { totalTokens } = await clientOf().models.countTokens({ model, contents: 'Hi there' });
      assert.ok(totalTokens > 0);
    });
  });
}

test('models of every provider are listed, and one can be asked for', async () => {
  const names = (await collect(await clientOf().models.list())).map((one) => one.name);
  for (const [kind, { model }] of Object.entries(KINDS)) {
    assert.ok(names.some((name) => name.endsWith(model)), `${model} of ${kind} in ${names}`);
  }
  assert.equal((await clientOf().models.get({ model: names[0] })).name, names[0]);
});

test('a wrong client key raises ApiError and reaches no upstream', async () => {
  const { fake, model } = five.of('gemini');
  await assert.rejects(clientOf('wrong-key').models.generateContent({ model, contents: 'Hi' }),
    (error) => error instanceof ApiError && !error.message.includes('wrong-key'));
  assert.equal(fake.requests.length, 0);
});
