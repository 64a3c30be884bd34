// What px.fetch lets a rule ask of other servers, and what it refuses.

import http from 'node:http';
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { useStage } from './lib/stage.mjs';
import { freePort, KEY } from './lib/gateway.mjs';
import { ask } from './lib/wire.mjs';

let server;
let closedPort;
const seen = [];

before(async () => {
  closedPort = await freePort();
  server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      seen.push({ method: request.method, url: request.url, headers: request.headers, body });
      if (request.url !== '/never') {
        response.writeHead(203, { 'X-Answer': 'forty-two' });
        response.end('the words');
      }
    });
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
});

after(() => {
  server.closeAllConnections();
  server.close();
});

// The path of the model's name says what the rule asks for; the answer goes back as a denial.
const RULES = () => `
local base = 'http://127.0.0.1:${server.address().port}'
local URLS = {
  ['ask-allowed'] = base .. '/hello?a=b', ['ask-forbidden'] = 'http://localhost:1/x',
  ['ask-closed'] = 'http://127.0.0.1:${closedPort}/', ['ask-never'] = base .. '/never',
  ['ask-nonsense'] = 'ftp://127.0.0.1/',
}
px.on('request', { model = 'ask-*' }, function(req)
  local reply, err = px.fetch(URLS[req.model], {
    method = 'PUT', headers = { ['x-asked-by'] = 'a rule' }, body = 'question', timeout = 0.5,
  })
  req:deny(418, reply and ('%d %s %s'):format(reply.status, reply.headers['x-answer'], reply.body)
    or 'nothing: ' .. err)
end)
`;

const stage = useStage({
  config: { fetch: { allow: ['127.0.0.1'] } },
  files: () => ({ 'rules/fetch.lua': RULES() }),
});

async function said(model) {
  const reply = await ask(stage.gw.port, 'POST', '/v1/chat/completions', {
    headers: { authorization: `Bearer ${KEY}` },
    body: { model, messages: [{ role: 'user', content: 'Hi' }] },
  });
  assert.equal(reply.status, 418);
  return reply.json.error.message;
}

test('an allowed host gets method, headers and body, and gives status, headers, body', async () => {
  assert.equal(await said('ask-allowed'), '203 forty-two the words');
  const [request] = seen.splice(0);
  assert.equal(request.method, 'PUT');
  assert.equal(request.url, '/hello?a=b');
  assert.equal(request.headers['x-asked-by'], 'a rule');
  assert.equal(request.body, 'question');
});

for (const [what, model, words] of [
  ['a host that is not allowed', 'ask-forbidden', /^nothing: localhost is not in .*fetch\.allow/],
  ['a port where nobody listens', 'ask-closed', /^nothing: connect: /],
  ['a server that does not answer in time', 'ask-never', /^nothing: timeout: /],
  ['a URL that is no http', 'ask-nonsense', /^nothing: not an http or https URL/],
]) {
  test(`${what} gives nothing and words`, async () => {
    assert.match(await said(model), words);
  });
}

test('other requests go on while a rule waits for a server', async () => {
  const slow = said('ask-never');
  assert.equal(await said('ask-allowed'), '203 forty-two the words');
  assert.match(await slow, /^nothing: timeout/);
});
