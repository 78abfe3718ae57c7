// The examples, as they stand.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { test } from 'node:test';

import { sign } from 'hookgate';

import { SECRET, event } from './support/delivery.js';
import { TOKEN, redis } from './support/redis.js';
import { program, start } from './support/run.js';
import { worker } from './support/worker.js';

/** Serves an upstream that stores, and says what it was shown. */
async function storing(test) {
  const got = [];
  const server = createServer((request, response) => {
    const { authorization, 'ce-id': id } = request.headers;
    got.push({ id, authorization });
    request.resume();
    response.writeHead(200).end('{"status":"stored"}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => server.close());
  return { got, url: `http://127.0.0.1:${server.address().port}/v1/events` };
}

/** Sends a genuine event, the same again, and a forged one. */
async function deliver(send, payload = event()) {
  const headers = sign(payload, { secret: SECRET });
  const forged = sign(payload, { secret: 'whsec_forged' });
  const answers = [];
  for (const signed of [headers, headers, forged]) {
    const response = await send({ method: 'POST', headers: signed, body: payload });
    const text = await response.text();
    const { code, status } = text === '' ? {} : JSON.parse(text);
    answers.push([response.status, code ?? status]);
  }
  return answers;
}

const GATEWAY = [
  [200, 'stored'],
  [200, 'duplicate'],
  [400, 'signature_mismatch'],
];

test('the Worker forwards an event once', async (t) => {
  const { got, url } = await storing(t);
  const bindings = { STRIPE_WEBHOOK_SECRET: SECRET, UPSTREAM_URL: url, GATE_TOKEN: 'gate' };
  const miniflare = await worker(t, ['examples/worker/worker.js'], { bindings });
  const send = (init) => miniflare.dispatchFetch('https://edge.test/webhooks/stripe', init);
  assert.deepEqual(await deliver(send), GATEWAY);
  assert.deepEqual(got, [{ id: 'evt_1', authorization: 'Bearer gate' }]);
});

test('the server in Deno forwards an event once', async (t) => {
  const { got, url } = await storing(t);
  const env = {
    STRIPE_WEBHOOK_SECRET: SECRET,
    UPSTREAM_URL: url,
    REDIS_REST_URL: await redis(t),
    REDIS_REST_TOKEN: TOKEN,
    PORT: '0',
    NO_COLOR: '1',
  };
  const args = ['run', '--no-prompt', '--allow-net', '--allow-env', 'examples/deno/server.js'];
  const ready = (text) => text.match(/http:\/\/127\.0\.0\.1:\d+\//)?.[0];
  const door = await start(t, program('deno'), args, ready, { env });
  const send = (init) => fetch(`${door}webhooks/stripe`, init);
  assert.deepEqual(await deliver(send), GATEWAY);
  assert.deepEqual(got.map(({ id }) => id), ['evt_1']);
});

test('the app on Express takes what is genuine, whatever its content type says', async (t) => {
  const env = { STRIPE_WEBHOOK_SECRET: SECRET, PORT: '0' };
  const ready = (text) => text.match(/listening on (\d+)/)?.[1];
  const port = await start(t, process.execPath, ['examples/express/app.js'], ready, { env });
  for (const type of ['application/json', 'text/plain', undefined]) {
    const send = (init) => {
      const headers = { ...init.headers, ...(type && { 'content-type': type }) };
      return fetch(`http://127.0.0.1:${port}/webhooks/stripe`, { ...init, headers });
    };
    const taken = [200, undefined];
    assert.deepEqual(await deliver(send), [taken, taken, [400, 'signature_mismatch']]);
  }
  const empty = await fetch(`http://127.0.0.1:${port}/webhooks/stripe`, { method: 'POST' });
  assert.equal(empty.status, 400);
});
