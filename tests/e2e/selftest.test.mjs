// The fakes themselves: the official clients against them directly, so that a failure elsewhere is
// the gateway's.

import { after, afterEach, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { FakeOpenAI } from '../upstream/openai.mjs';
import { FakeAnthropic } from '../upstream/anthropic.mjs';
import { openaiScenarios } from './scenarios/openai.mjs';
import { anthropicScenarios } from './scenarios/anthropic.mjs';

function withFake(Fake, makeClient, kind, declare) {
  const context = { kind, direct: true, model: (name) => name };
  before(async () => {
    context.fake = await new Fake().listen();
    context.client = makeClient(context.fake);
  });
  afterEach(() => {
    assert.deepEqual(context.fake.failures, []);
    context.fake.clear();
  });
  after(() => context.fake.close());
  declare(() => context);
}

describe('the OpenAI SDK and the fake OpenAI', () => withFake(FakeOpenAI, (fake) => new OpenAI({
  apiKey: fake.key, baseURL: `${fake.url}/v1`, maxRetries: 0 }), 'openai', openaiScenarios));

describe('the Anthropic SDK and the fake Anthropic', () => withFake(FakeAnthropic, (fake) => (
  new Anthropic({ apiKey: fake.key, baseURL: fake.url, maxRetries: 0 })), 'anthropic',
anthropicScenarios));
