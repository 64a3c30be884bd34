// Recorded requests of real programs, sent through to every other protocol: a strict vendor takes
// them and finds in them what was asked, or the gateway says honestly what cannot be.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { corpusMissing, FOLDERS, isChat, requests } from '../upstream/corpus.mjs';
import { asked, strings } from './corpus/asked.mjs';
import { Table } from './corpus/table.mjs';
import { KINDS, useFive } from './lib/five.mjs';
import { KEY } from './lib/gateway.mjs';

const five = useFive();
const table = new Table('Recorded requests: how often each was sent, and what became of it');
const losses = new Table('What was told as lost on the way to whom');
after(() => {
  if (!corpusMissing) {
    table.print();
    losses.print();
  }
});

// Each kind of vendor has models of several generations, which take different things.
const MODELS = {
  openai: ['gpt-4o', 'gpt-5-mini', 'gpt-5.6-sol'],
  responses: ['gpt-4o', 'gpt-5-mini', 'gpt-5.6-sol'],
  anthropic: ['claude-haiku-4-5', 'claude-sonnet-4-6', 'claude-opus-5'],
  gemini: ['gemini-2.5-flash', 'gemini-3-flash-preview'],
  ollama: ['qwen3:latest'],
};

// What is known to be refused, by the gateway or the vendor, in which words.
const HONEST = [
  // State that a vendor keeps, of which this gateway has seen nothing.
  ['not kept', /^(conversation|previous_response_id): "\w+" is not kept here/],
  // A schema that is said to be strict and is not: the vendor that it was written for looks away.
  ['not strict', /^Invalid schema for function .* 'additionalProperties' is required/],
  // All that a tool answered is behind an address, and `fetch.media` is off.
  ['not fetched', /: this upstream takes no URL, and \S+ is not in .* fetch\.media/],
  // Gemini before 3 fetches nothing, and `fetch.media` is off.
  ['cannot fetch', /^Cannot fetch content from the provided URL/],
];

// Where a request of `kind` goes, and what says the model.
const SEND = {
  openai: ({ body }, model) => ['/v1/chat/completions', { ...body, model }],
  responses: ({ body }, model) => ['/v1/responses', { ...body, model }],
  anthropic: ({ body }, model) => ['/v1/messages', { ...body, model }],
  gemini: ({ body, uri }, model) => [`/v1beta/models/${model}:${
    /:(stream)?/.exec(new URL(uri).pathname.split('/').at(-1))[1]
      ? 'streamGenerateContent?alt=sse' : 'generateContent'}`, body],
  ollama: ({ body, uri }, model) => [new URL(uri).pathname, { ...body, model }],
};

const flat = (text) => text.replace(/\s+/g, ' ');

/** Finds a text wherever it went: Gemini takes a tool's JSON as the object that it is. */
function finder(body) {
  const said = flat(strings(body));
  const raw = JSON.stringify(body);
  return (text) => {
    if (said.includes(flat(text))) {
      return true;
    }
    try {
      return raw.includes(JSON.stringify(JSON.parse(text)));
    } catch {
      return false;
    }
  };
}

/** What the vendor did not find of what was asked, in words. */
function missing(kind, want, body) {
  const found = finder(body);
  const got = asked(kind, body);
  const calls = new Set(got.calls.map((call) => JSON.stringify(call)));
  // Without words for a choice, it is made by the tools that are sent.
  const tools = kind === 'ollama' && want.chooses ? [] : want.tools;
  return [
    ...want.texts.filter((text) => !found(text)).map((text) => `text ${text.slice(0, 80)}`),
    ...want.images.filter((data) => !found(data)).map(() => 'an image'),
    ...want.calls.map((call) => JSON.stringify(call)).filter((call) => !calls.has(call))
      .map((call) => `call ${call.slice(0, 100)}`),
    ...tools.filter((name) => !got.tools.includes(name)).map((name) => `tool ${name}`),
  ];
}

async function through(kind, recorded, upstream, model) {
  const fake = five.fakes[upstream];
  fake.clear();
  const [target, body] = SEND[kind](recorded, `to_${upstream}:${model}`);
  const reply = await five.gw.post(target, body, { headers: { 'x-goog-api-key': KEY,
    'content-type': 'application/json', 'anthropic-version': '2023-06-01' } });
  const row = `${kind} to ${upstream}`;
  table.count(row, 'sent');
  if (reply.status !== 200) {
    const { error } = reply.json;
    const [what] = HONEST.find(([, words]) => words.test(error?.message ?? error)) ?? [];
    table.count(row, what ?? 'refused');
    return reply.status === 400 && what ? [] : [`${reply.status} ${reply.text.slice(0, 300)}`];
  }
  const lost = reply.headers['x-proxima-lost']?.split(',') ?? [];
  table.count(row, lost.length ? 'with losses' : 'whole');
  lost.forEach((path) => losses.count(path.replace(/\[\d+\]/g, '[]'), upstream));
  return [...fake.refusals, ...missing(upstream, asked(kind, recorded.body), fake.last.json)];
}

for (const [kind, folder] of Object.entries(FOLDERS)) {
  describe(`requests of ${folder}`, { skip: corpusMissing }, () => {
    const recorded = requests(folder).filter(({ uri }) => isChat(uri));
    const others = Object.keys(KINDS).filter((other) => other !== kind);
    for (const turn of [0, 1, 2]) {
      const models = others.filter((other) => MODELS[other][turn])
        .map((other) => [other, MODELS[other][turn]]);
      test(`are taken by ${models.map(([, model]) => model).join(', ')}`, async () => {
        const problems = [];
        for (const one of recorded) {
          const found = await Promise.all(models.map(async ([upstream, model]) => (
            (await through(kind, one, upstream, model)).map((what) => (
              `${one.name} to ${model}: ${what}`)))));
          problems.push(...found.flat());
        }
        assert.deepEqual(problems, []);
      });
    }
  });
}
