// Both fake vendors and a gateway between them and the tests of one file.

import { after, afterEach, before } from 'node:test';
import assert from 'node:assert/strict';
import { FakeOpenAI } from '../../upstream/openai.mjs';
import { FakeAnthropic } from '../../upstream/anthropic.mjs';
import { Gateway, KEY } from './gateway.mjs';

/** No header of any request to an upstream, and no body, holds the client's key. */
function assertNoClientKey(fake) {
  for (const exchange of fake.requests) {
    const seen = exchange.rawHead.includes(KEY) || exchange.body.includes(KEY);
    assert.ok(!seen, `the client's key reached the upstream: ${exchange.rawHead}`);
  }
}

/**
 * Declares the hooks of one file. The returned object has `oa`, `an` and `gw` while tests run;
 * after each test the gauges must be back and the fakes are cleared. Clients that keep their
 * connections for later (the SDKs do) need `keepsConnections`.
 */
export function useStage({ config, files, env, keepsConnections = false } = {}) {
  const stage = {};
  before(async () => {
    stage.oa = await new FakeOpenAI().listen();
    stage.an = await new FakeAnthropic().listen();
    const values = { config, files, env };
    for (const name of Object.keys(values)) {
      values[name] = typeof values[name] === 'function' ? values[name](stage) : values[name];
    }
    stage.gw = await Gateway.start({ fakes: stage, ...values });
  });
  afterEach(async () => {
    if (!stage.gw) {
      return;
    }
    await stage.gw.settle({ except: keepsConnections ? ['connections'] : [] });
    for (const fake of [stage.oa, stage.an]) {
      assertNoClientKey(fake);
      assert.deepEqual(fake.failures, []);
      fake.clear();
    }
  });
  after(async () => {
    try {
      await stage.gw?.stop();
    } finally {
      await stage.oa?.close();
      await stage.an?.close();
    }
  });
  return stage;
}
