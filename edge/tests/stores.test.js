// Where a gate remembers: real workerd, a real Redis.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { Gate, kvStore, memoryStore, redisStore } from 'hookgate';

import { broken } from './stores/contract.js';
import { TOKEN, redis } from './support/redis.js';
import { endpoints, event, problem, request, secrets, upstream } from './support/delivery.js';
import { worker } from './support/worker.js';

test('memory keeps its promises', async () => {
  assert.deepEqual(await broken(memoryStore()), []);
});

test('a store that lets everybody write would be seen', async () => {
  const store = memoryStore();
  const lax = { get: store.get, compareAndSet: (key, bytes) => store.compareAndSet(key, bytes, store.get(key)?.version) };
  assert.equal((await broken(lax)).length, 5);
});

test('Redis over HTTP keeps its promises', async (t) => {
  const store = redisStore({ url: await redis(t), token: TOKEN });
  assert.deepEqual(await broken(store), []);
  assert.ok(!inspect(store, { depth: 9 }).includes(TOKEN));
});

test('two gates on one Redis forward an event once', async (t) => {
  const url = await redis(t);
  const gate = () => new Gate({ endpoints, secrets, store: redisStore({ url, token: TOKEN }) });
  const gates = [gate(), gate()];
  const { got, take } = upstream();
  const racing = Array.from({ length: 10 }, (_, n) =>
    gates[n % 2].handle(request(event()), { upstream: take }),
  );
  const statuses = (await Promise.all(racing)).map((it) => it.status);
  assert.equal(got.length, 1);
  assert.ok(statuses.every((status) => status === 200 || status === 409), `${statuses}`);
  const again = await gates[1].handle(request(event()), { upstream: take });
  assert.deepEqual(await problem(again), { status: 200, code: 'duplicate' });
});

test('a Redis that refuses or is away closes the gate and shows no token', async (t) => {
  const url = await redis(t);
  const { got, take } = upstream();
  for (const options of [
    { url, token: 'another' },
    { url: 'http://127.0.0.1:1/', token: TOKEN },
  ]) {
    const store = redisStore(options);
    const response = await new Gate({ endpoints, secrets, store }).handle(request(event()), {
      upstream: take,
    });
    assert.deepEqual(await problem(response), { status: 503, code: 'unavailable' });
    await assert.rejects(store.get('a'), (error) => !inspect(error).includes(options.token));
  }
  assert.deepEqual(got, []);
});

test('a Redis that sends elsewhere is not followed', async (t) => {
  const hits = [];
  const server = createServer((request, response) => {
    hits.push(request.url);
    const isFirst = request.url === '/';
    response.writeHead(isFirst ? 307 : 200, isFirst ? { location: '/elsewhere' } : {});
    response.end('{"result":null}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}/`;
  await assert.rejects(redisStore({ url, token: TOKEN }).get('a'), /Redis answers 307/);
  assert.deepEqual(hits, ['/']);
});

test('a Redis that answers anything else is not taken for one that forgot', async () => {
  const store = (answer) =>
    redisStore({ url: 'https://redis.test/', token: TOKEN, fetch: async () => Response.json(answer) });
  assert.equal(await store({ result: null }).get('a'), undefined);
  for (const result of [5, true, {}, [], '!']) await assert.rejects(store({ result }).get('a'));
  for (const answer of [null, [], {}, { error: 'a' }]) await assert.rejects(store(answer).get('a'));
});

test('Durable Objects keep their promises, and KV those that it makes', async (t) => {
  const files = ['tests/stores/worker.js', 'tests/stores/contract.js'];
  const miniflare = await worker(t, files, { kvNamespaces: ['KV'] });
  const response = await miniflare.dispatchFetch('https://edge.test/');
  assert.deepEqual(await response.json(), { objects: [], kv: [] });
});

/** Is KV's interface over memory, where reads wait until so many have come. */
function namespace(readers) {
  const kept = new Map();
  let waiting = [];
  return {
    get(key) {
      const read = () => kept.get(key)?.buffer ?? null;
      return new Promise((resolve) => {
        waiting.push(() => resolve(read()));
        if (waiting.length < readers) return;
        for (const release of waiting) release();
        waiting = [];
        readers = 1;
      });
    },
    put: async (key, bytes) => void kept.set(key, bytes.slice()),
  };
}

test('on KV racing deliveries may both be forwarded, and what failed is no duplicate', async () => {
  const gate = new Gate({ endpoints, secrets, store: kvStore(namespace(2)) });
  const failing = upstream(() => new Response(null, { status: 500 }));
  const deliver = (to) => gate.handle(request(event()), { upstream: to });
  const failed = await Promise.all([deliver(failing.take), deliver(failing.take)]);
  assert.deepEqual(failed.map((it) => it.status), [500, 500]);
  assert.equal(failing.got.length, 2, 'the weaker guarantee');
  const { got, take } = upstream();
  assert.equal((await deliver(take)).status, 200);
  assert.equal(got.length, 1);
  assert.deepEqual(await problem(await deliver(take)), { status: 200, code: 'duplicate' });
});
