// Rules that would stop a gateway without guards. Each costs its own request and no other, and the
// process goes on.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { useStage } from './lib/stage.mjs';

const BAD = {
  'an endless loop': 'while true do end',
  'an endless loop that catches its end':
    'while true do pcall(function() while true do end end) end',
  'an endless handler of xpcall': 'xpcall(error, function() while true do end end)',
  'endless handlers': 'while true do xpcall(error, function() while true do end end) end',
  'an endless coroutine': 'coroutine.wrap(function() while true do end end)()',
  'coroutines in coroutines': 'local function f() return coroutine.wrap(f)() end f()',
  'calls in calls': 'local function f() return f() + 1 end f()',
  'calls through gsub': "local function f(x) return (x:gsub('.', f)) end f('abc')",
  'an endless comparison': 'table.sort({ 3, 2, 1 }, function() while true do end end)',
  'an endless __index':
    'return setmetatable({}, { __index = function(t, k) return t[k + 1] end })[1]',
  'an endless __tostring':
    'tostring(setmetatable({}, { __tostring = function() while true do end end }))',
  'a huge string': "return ('x'):rep(1e9)",
  'many large strings': "local t = {} for i = 1, 1e4 do t[i] = ('x'):rep(1e6) .. i end",
  'a table that grows': 'local t = {} for i = 1, 1e9 do t[i] = { i } end',
  'a growth that is caught': `local t = {}
    local function grow() for i = 1, 1e6 do t[#t + 1] = ('x'):rep(1000) .. i end end
    while true do pcall(grow) end`,
  'a huge program': "load(('x = 1 '):rep(1e6))",
  'a move without end': 'table.move({}, 1, 1e14, 2, {})',
  'a wait without end': 'px.sleep(1e9)',
  'a yield of its own': 'coroutine.yield()',
  'an error that is nothing': 'error(nil)',
  'an error that cannot be shown':
    'error(setmetatable({}, { __tostring = function() error() end }))',
  'a cycle in JSON': "local t = {} t.t = t require('px.json').encode(t)",
  'a missing function': 'nothing.at.all()',
};

const names = Object.keys(BAD);
const stage = useStage({ files: { 'rules/bad.lua': names.map((name, at) => (
  `px.on('request', { model = 'bad-${at}', on_error = 'deny' }, function(req)\n  ${BAD[name]}\nend)`
)).join('\n') } });

function chat(model) {
  return stage.gw.chat({ model, messages: [{ role: 'user', content: 'Hi' }] });
}

names.forEach((name, at) => {
  test(`${name} costs its own request alone`, async () => {
    const bad = [chat(`bad-${at}`), chat(`bad-${at}`)];
    for (const reply of await Promise.all([chat('gpt-4o'), chat('gpt-4o'), chat('gpt-4o')])) {
      assert.equal(reply.status, 200);
    }
    for (const reply of await Promise.all(bad)) {
      assert.ok(reply.status >= 500, `${reply.status} ${reply.text}`);
      assert.doesNotMatch(reply.text, /\.lua|stack/);
    }
    assert.equal(stage.gw.exit, undefined);
  });
});

test('a body that takes more than a request may is refused, and costs no other one', async () => {
  const messages = Array.from({ length: 60_001 }, (_, at) => (
    { role: at % 2 ? 'assistant' : 'user', content: 'a' }));
  const big = stage.gw.chat({ model: 'an:claude-sonnet-4-6', messages });
  for (const reply of await Promise.all([chat('gpt-4o'), chat('gpt-4o'), chat('gpt-4o')])) {
    assert.equal(reply.status, 200);
  }
  const { status, json } = await big;
  assert.equal(status, 413);
  assert.match(json.error.message, /time or memory/);
});

test('scripts cannot reach what would let them out', async () => {
  const from = stage.gw.log.length;
  stage.gw.write('rules/out.lua', `
local found = {}
for _, name in ipairs({ 'io', 'ffi', 'debug', 'jit', 'newproxy', 'collectgarbage', 'dofile',
  'loadfile', 'loadstring', 'getfenv', 'setfenv' }) do
  if rawget(_G, name) ~= nil then found[#found + 1] = name end
end
for _, name in ipairs({ 'execute', 'exit', 'getenv', 'remove', 'rename', 'tmpname' }) do
  if os[name] then found[#found + 1] = 'os.' .. name end
end
if string.dump then found[#found + 1] = 'string.dump' end
for _, name in ipairs({ 'ffi', 'io', 'debug', 'jit', 'os.execute' }) do
  if pcall(require, name) then found[#found + 1] = 'require ' .. name end
end
if load('\\27LJ') then found[#found + 1] = 'bytecode' end
px.log.info('REACHED [' .. table.concat(found, ' ') .. ']')
`);
  const [, reached] = await stage.gw.logged(/REACHED \[(.*)\]/, { from });
  assert.equal(reached, '');
  stage.gw.remove('rules/out.lua');
});
