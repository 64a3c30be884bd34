// Many requests at once whose upstreams and clients end in every way, by chance but the same in
// every run: whatever happens, each client gets a whole answer or an end that cannot be mistaken
// for one, and nothing is left behind.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { useStage } from './lib/stage.mjs';
import { KEY } from './lib/gateway.mjs';
import { Wire, format } from './lib/wire.mjs';
import { random } from '../upstream/answer.mjs';
import { openaiError } from '../upstream/openai.mjs';
import { anthropicError } from '../upstream/anthropic.mjs';
import { TWO_CALLS } from './scenarios/shared.mjs';

const stage = useStage({ config: { timeouts: { first_byte: 5, idle: 5 } } });

const ROUNDS = 600;
const WIDTH = 24;
const HI = [{ role: 'user', content: 'Hi' }];

function pick(draw, list) {
  return list[Math.floor(draw() * list.length)];
}

/** An answer of `fake` to `exchange` that ends in some way, after some part. */
function someAnswer(draw, fake, kind, exchange) {
  const whole = fake.say(exchange, { text: 'What a long text this is. '.repeat(1 + draw() * 40),
    thinking: draw() < 0.2 ? 'Hm, hm.' : undefined, calls: draw() < 0.3 ? TWO_CALLS : [],
    step: 1 + Math.floor(draw() * 30) });
  const fate = draw();
  if (fate < 0.1) {
    return kind === 'openai' ? openaiError(pick(draw, [400, 401, 403, 404, 429, 500, 503]),
      'server_error', null, 'no') : anthropicError(pick(draw, [400, 401, 429, 500, 529]),
      'api_error', 'no');
  }
  if (fate < 0.5 || !whole.pieces) {
    return { ...whole, split: pick(draw, [undefined, { seed: draw() * 1e6 }]) };
  }
  const text = whole.pieces.join('');
  return { ...whole, pieces: [text.slice(0, draw() * text.length)],
    split: { seed: draw() * 1e6 }, finish: pick(draw, ['cut', 'reset', 'end']) };
}

function request(draw) {
  const [name, kind, model] = pick(draw, [['oa', 'openai', 'oa:gpt-4o'],
    ['an', 'anthropic', 'an:claude-sonnet-4-6']]);
  const client = pick(draw, ['openai', 'anthropic']);
  return { name, kind, client,
    target: client === 'openai' ? '/v1/chat/completions' : '/v1/messages',
    body: { model, max_tokens: 100, messages: HI, stream: draw() < 0.8 } };
}

const END = { openai: /\[DONE\]|"finish_reason":"\w/, anthropic: /message_stop|"stop_reason":"\w/ };
const ERROR = { openai: /^data: ?\{"error":/m, anthropic: /^event: error$/m };

function judge({ client, body }, reply) {
  assert.ok(reply, 'there is an answer');
  if (reply.status !== 200) {
    assert.equal(typeof reply.json.error.message, 'string');
  } else if (body.stream) {
    const ended = END[client].test(reply.text);
    const failed = ERROR[client].test(reply.text);
    assert.ok(ended || failed || reply.cut, `no end at all: ${reply.text.slice(-300)}`);
  } else {
    assert.ok(reply.cut || reply.json.choices || reply.json.content);
  }
}

async function oneRequest(draw) {
  const one = request(draw);
  const fake = stage[one.name];
  const leaves = draw() < 0.25 ? draw() * 30 : undefined;
  fake.script((exchange) => someAnswer(draw, fake, one.kind, exchange));
  const wire = await Wire.open(stage.gw.port, { timeout: 20_000 });
  wire.send(format('POST', one.target, { body: one.body,
    headers: { authorization: `Bearer ${KEY}`, 'anthropic-version': '2023-06-01' } }));
  if (leaves !== undefined) {
    await Promise.race([wire.ended, new Promise((done) => { setTimeout(done, leaves); })]);
    wire.close();
    return;
  }
  judge(one, await wire.response({ timeout: 60_000 }));
  wire.close();
}

for (const seed of [1, 2]) {
  test(`${ROUNDS} requests, ${WIDTH} at a time, seed ${seed}`, async () => {
    const draw = random(seed);
    let left = ROUNDS;
    const lane = async () => {
      while (left-- > 0) {
        await oneRequest(draw);
      }
    };
    await Promise.all(Array.from({ length: WIDTH }, lane));
    stage.oa.clear();
    stage.an.clear();
  });
}
