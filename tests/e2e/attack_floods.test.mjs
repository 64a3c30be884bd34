// Floods of signals while rules take long to load.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { useStage } from './lib/stage.mjs';

const SLOW = `
local start = os.clock()
while os.clock() - start < 1 do end
`;

const stage = useStage({ files: { 'rules/a.lua': '-- nothing yet\n' } });

test('a stop does not wait for a flood of reloads with rules that load slowly', async () => {
  fs.writeFileSync(path.join(stage.gw.dir, 'rules', 'a.lua'), SLOW);
  for (let i = 0; i < 100; i++) {
    stage.gw.child.kill('SIGHUP');
    await new Promise((done) => { setTimeout(done, 5); });
  }
  const { gw } = stage;
  stage.gw = null;
  const start = Date.now();
  await gw.stop();
  const took = Date.now() - start;
  assert.ok(took < 15_000, `it took ${took} ms`);
});
