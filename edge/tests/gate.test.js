// The gate's promises, at the edge: verified only, 2xx only after the upstream's,
// once. What core decides is tested there; this is about what carries it.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { ConfigError, Gate, memoryStore, sign } from 'hookgate';

import { SECRET, endpoints, event, problem, request, secrets, upstream } from './support/delivery.js';

const gate = (more = {}) => new Gate({ endpoints, secrets, ...more });

test('a genuine delivery reaches the upstream untouched, with its attributes', async () => {
  const { got, take } = upstream();
  const payload = event('evt_1', { text: 'ünïcode' });
  const ended = [];
  const response = await gate().handle(request(payload), {
    upstream: take,
    observe: (it) => ended.push(it),
  });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { status: 'stored' });
  assert.equal(got.length, 1);
  assert.equal(new TextDecoder().decode(got[0].body), payload);
  const { headers } = got[0];
  assert.equal(headers['ce-id'], 'evt_1');
  assert.equal(headers['ce-type'], 'invoice.paid');
  assert.equal(headers['ce-account'], 'acct_1');
  assert.equal(headers['ce-source'], '/hookgate/stripe');
  assert.equal(headers['ce-livemode'], 'false');
  assert.match(headers['stripe-signature'], /^t=\d+,v1=[0-9a-f]{64}$/);
  assert.match(headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  const [{ outcome, reason, id, endpoint }] = ended;
  assert.deepEqual({ outcome, reason, id, endpoint }, {
    outcome: 'committed',
    reason: 'stored',
    id: 'evt_1',
    endpoint: 'stripe',
  });
});

test('nothing that is not genuine reaches the upstream', async () => {
  const { got, take } = upstream();
  const payload = event();
  const stale = sign(payload, { secret: SECRET, now: Date.now() - 301_000 });
  const post = (headers, body = payload, more = {}) => request(body, { headers, ...more });
  const cases = [
    [new Request('https://edge.test/webhooks/stripe', { method: 'POST', body: payload }), 400, 'signature_missing'],
    [post({ 'stripe-signature': 't=1' }), 400, 'signature_malformed'],
    [post(stale), 400, 'timestamp_out_of_tolerance'],
    [post(sign(`${payload} `, { secret: SECRET })), 400, 'signature_mismatch'],
    [post(sign(payload, { secret: 'whsec_other' })), 400, 'signature_mismatch'],
    [request('[]'), 400, 'payload_invalid'],
    [request(payload, { path: '/other' }), 404, 'endpoint_unknown'],
    [new Request('https://edge.test/webhooks/stripe'), 405, 'method_not_allowed'],
    [request(event('evt_1', { padding: 'x'.repeat(2_097_152) })), 413, 'payload_too_large'],
  ];
  const store = memoryStore();
  const asked = [];
  const watched = {
    get: (key) => asked.push(key) && store.get(key),
    compareAndSet: store.compareAndSet,
  };
  const guarded = gate({ store: watched });
  for (const [delivery, status, code] of cases) {
    const response = await guarded.handle(delivery, { upstream: take });
    assert.deepEqual(await problem(response), { status, code });
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
  }
  assert.deepEqual(got, []);
  assert.deepEqual(asked, [], 'and nothing is remembered of it');
});

test('a body is read to its bound and no further', async () => {
  let pulled = 0;
  let cancelled = false;
  const body = new ReadableStream({
    pull: (controller) => {
      pulled += 1;
      controller.enqueue(new Uint8Array(65_536));
    },
    cancel: () => {
      cancelled = true;
    },
  });
  const endless = new Request('https://edge.test/webhooks/stripe', {
    method: 'POST',
    headers: sign('', { secret: SECRET }),
    body,
    duplex: 'half',
  });
  const { got, take } = upstream();
  const small = gate({ endpoints: [{ ...endpoints[0], max_body_bytes: 1_000_000 }] });
  const response = await small.handle(endless, { upstream: take });
  assert.deepEqual(await problem(response), { status: 413, code: 'payload_too_large' });
  assert.ok(pulled <= 20, `${pulled} chunks of 64 kB`);
  assert.ok(cancelled);
  assert.deepEqual(got, []);
});

test('a body that comes in parts verifies as a whole', async () => {
  const payload = event();
  const bytes = new TextEncoder().encode(payload);
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const { got, take } = upstream();
  const response = await gate().handle(request(payload, { body, duplex: 'half' }), { upstream: take });
  assert.equal(response.status, 200);
  assert.deepEqual(got[0].body, bytes);
});

test('a stream that uses its buffer again changes nothing of what was verified', async () => {
  const payload = event();
  const bytes = new TextEncoder().encode(payload);
  // Of Node's kind as well, whose `slice` makes no copy.
  for (const buffer of [new Uint8Array(16), Buffer.alloc(16)]) {
    let at = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          buffer.fill(0x20);
          const part = bytes.subarray(at, at + buffer.length);
          at += part.length;
          if (part.length === 0) return controller.close();
          buffer.set(part);
          return controller.enqueue(buffer.subarray(0, part.length));
        },
      },
      { highWaterMark: 0 },
    );
    const { got, take } = upstream();
    const response = await gate().handle(request(payload, { body, duplex: 'half' }), { upstream: take });
    assert.equal(response.status, 200);
    assert.deepEqual(got[0].body, bytes);
  }
});

/** Sends chunks as they are, whatever they are. */
const chunked = (payload, ...chunks) => request(payload, { body: ReadableStream.from(chunks), duplex: 'half' });

test('what goes to the upstream are the bytes that were verified, or nothing', async () => {
  const payload = event();
  const bytes = new TextEncoder().encode(payload);
  const { got, take } = upstream();
  const statuses = [];
  for (const chunk of [[...bytes], Uint16Array.from(bytes), payload, null, { length: 3 }]) {
    statuses.push((await gate().handle(chunked(payload, chunk), { upstream: take })).status);
  }
  assert.deepEqual(statuses, [503, 400, 503, 503, 503]);
  assert.deepEqual(got, []);
  const view = new DataView(Uint8Array.of(0, ...bytes, 0).buffer, 1, bytes.length);
  assert.equal((await gate().handle(chunked(payload, view), { upstream: take })).status, 200);
  assert.deepEqual(got[0].body, bytes);
});

test('a sender that goes away leaves nothing behind', async () => {
  const body = new ReadableStream({ pull: (controller) => controller.error(new Error('reset')) });
  const { got, take } = upstream();
  const ended = [];
  const response = await gate().handle(request(event(), { body, duplex: 'half' }), {
    upstream: take,
    observe: (it) => ended.push(it.outcome),
  });
  assert.equal(response.status, 503);
  assert.deepEqual(ended, ['aborted']);
  assert.deepEqual(got, []);
});

test('a duplicate is answered only after the upstream confirmed', async () => {
  const guarded = gate();
  const answers = [500, 302, 429, 204, 200];
  const { got, take } = upstream((count) => {
    const status = answers[count - 1];
    const headers = status === 302 ? { location: 'https://elsewhere.test/' } : {};
    return new Response(null, { status, headers });
  });
  const deliver = () => guarded.handle(request(event()), { upstream: take });
  for (const status of answers.slice(0, 4)) assert.equal((await deliver()).status, status);
  assert.deepEqual(await problem(await deliver()), { status: 200, code: 'duplicate' });
  assert.equal(got.length, 4);
});

test('an upstream that fails or takes too long is no 2xx, and the event goes again', async () => {
  const guarded = gate({ upstream_timeout_seconds: 1 });
  const failing = async () => {
    throw new Error('no connection');
  };
  const refused = await guarded.handle(request(event()), { upstream: failing });
  assert.equal(refused.headers.get('retry-after'), '5');
  assert.deepEqual(await problem(refused), { status: 503, code: 'unavailable' });
  const silent = () => new Promise(() => {});
  const late = await guarded.handle(request(event()), { upstream: silent });
  assert.deepEqual(await problem(late), { status: 504, code: 'unavailable' });
  const { got, take } = upstream();
  assert.equal((await guarded.handle(request(event()), { upstream: take })).status, 200);
  assert.equal(got.length, 1);
});

test('what is no answer is no 2xx, and the event goes again', async () => {
  const guarded = gate();
  const nothing = [undefined, null, 200, {}, { ok: true }, { statusCode: 500 }, { status: '200' }];
  const odd = [{ status: 65_536 + 200 }, { status: 200.5 }, { status: NaN }, { status: 600 }];
  for (const answer of [...nothing, ...odd, Response.error()]) {
    const response = await guarded.handle(request(event()), { upstream: () => answer });
    assert.deepEqual(await problem(response), { status: 503, code: 'unavailable' });
  }
  const read = async () => {
    const answer = new Response('stored');
    await answer.text();
    return answer;
  };
  const response = await guarded.handle(request(event()), { upstream: read });
  assert.deepEqual([response.status, await response.text()], [200, '']);
});

test('of deliveries racing each other one is forwarded', async () => {
  const guarded = gate();
  let confirm;
  const confirmed = new Promise((resolve) => (confirm = resolve));
  const { got, take } = upstream(async () => {
    await confirmed;
    return new Response(null, { status: 200 });
  });
  const all = Array.from({ length: 50 }, () => guarded.handle(request(event()), { upstream: take }));
  const first = await Promise.race(all);
  assert.equal(first.status, 409, 'nobody hears 2xx while the first copy is under way');
  assert.ok(Number(first.headers.get('retry-after')) >= 1);
  confirm();
  const statuses = (await Promise.all(all)).map((it) => it.status);
  assert.deepEqual(statuses.toSorted(), [200, ...Array(49).fill(409)]);
  assert.equal(got.length, 1);
});

test('what only the gate may say never comes from a client', async () => {
  const { got, take } = upstream();
  const forged = {
    'ce-id': 'evt_forged',
    'CE-Livemode': 'true',
    'x-hookgate-route': 'elsewhere',
    'x-envoy-upstream-rq-timeout-ms': '1',
    authorization: 'Bearer forged',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    te: 'trailers',
    'x-other': 'kept',
  };
  const own = { authorization: 'Bearer gate' };
  await gate().handle(request(event(), { headers: forged }), { upstream: take, headers: own });
  const { headers } = got[0];
  assert.equal(headers['ce-id'], 'evt_1');
  assert.equal(headers['ce-livemode'], 'false');
  assert.equal(headers.authorization, 'Bearer gate');
  assert.equal(headers['x-hookgate-route'], undefined);
  assert.equal(headers['x-envoy-upstream-rq-timeout-ms'], undefined);
  assert.doesNotMatch(headers.traceparent, /4bf92f35/);
  assert.equal(headers.te, undefined, 'of one connection');
  assert.equal(headers['x-other'], 'kept');
});

test('an address that is none is told', async () => {
  const { got, take } = upstream();
  const handled = (address) => gate().handle(request(event()), { upstream: take, address });
  // As Deno has it, and as proxies write it.
  const object = { transport: 'tcp', hostname: '192.0.2.1', port: 443 };
  for (const address of [object, null, '', 'unknown', '192.0.2.1:443', '[2001:db8::1]', '192.0.2.1, 192.0.2.2']) {
    const told = (error) => error instanceof ConfigError && /^address: expected/.test(error.message);
    await assert.rejects(handled(address), told, `${address}`);
  }
  assert.deepEqual(got, []);
  // The last as Node has it.
  for (const address of ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1']) {
    assert.equal((await handled(address)).status, 200, address);
  }
});

test('a delivery without options or upstream is told, and not answered 503 for ever', async () => {
  for (const [options, text] of [[undefined, /^options/], [null, /^options/], [{}, /^upstream/]]) {
    const handled = gate().handle(request(event()), options);
    await assert.rejects(handled, (error) => error instanceof ConfigError && text.test(error.message));
  }
});

test('headers for the upstream that cannot be are told, without their value', async () => {
  const { got, take } = upstream();
  const guarded = gate();
  const own = { authorization: 'Bearer hidden\ntoken' };
  await assert.rejects(guarded.handle(request(event()), { upstream: take, headers: own }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /headers.authorization/);
    return !inspect(error).includes('hidden');
  });
  assert.equal((await guarded.handle(request(event()), { upstream: take })).status, 200, 'and given back');
  assert.equal(got.length, 1);
});

test('policy decides as in the gate, and chooses the route', async () => {
  const main = upstream();
  const other = upstream();
  const guarded = gate({
    endpoints: [
      {
        ...endpoints[0],
        policy: {
          types: { allow: ['invoice.*', 'payout.*'] },
          routes: [{ types: ['payout.*'], route: 'payouts' }],
        },
      },
    ],
  });
  const deliver = (id, type, options) =>
    guarded.handle(request(event(id, { type })), { upstream: main.take, ...options });
  const routes = { payouts: other.take };
  assert.equal((await deliver('evt_1', 'invoice.paid', { routes })).status, 200);
  assert.equal((await deliver('evt_2', 'payout.paid', { routes })).status, 200);
  assert.deepEqual(await problem(await deliver('evt_3', 'charge.failed', { routes })), {
    status: 200,
    code: 'ignored',
  });
  assert.deepEqual(await problem(await deliver('evt_4', 'payout.paid', {})), {
    status: 503,
    code: 'unavailable',
  });
  const unnamed = gate({
    endpoints: [{ ...endpoints[0], policy: { routes: [{ types: ['*'], route: 'constructor' }] } }],
  });
  const lost = await unnamed.handle(request(event('evt_6')), { upstream: main.take, routes });
  assert.deepEqual(await problem(lost), { status: 503, code: 'unavailable' });
  const decision = await deliver('evt_5', 'issuing_authorization.request', { routes });
  assert.deepEqual(await problem(decision), { status: 503, code: 'no_decider' });
  assert.deepEqual([main.got.length, other.got.length], [1, 1]);
  assert.equal(other.got[0].headers['x-hookgate-route'], undefined, 'a direction for us alone');
});

test('a sender over its quota of failures is refused', async () => {
  const quotas = { sources: { rate: 2, per_seconds: 60, burst: 2, exceeded: 'refuse' } };
  const guarded = gate({ quotas });
  const { take } = upstream();
  const deliver = (address) =>
    guarded.handle(request(event(), { headers: sign('x', { secret: SECRET }) }), {
      upstream: take,
      address,
    });
  const codes = [];
  for (let i = 0; i < 3; i += 1) codes.push((await deliver('192.0.2.1')).status);
  assert.deepEqual(codes, [400, 400, 429]);
  assert.equal((await deliver('192.0.2.99')).status, 400, 'and nobody else');
});

test('a store that fails closes the gate', async () => {
  const { got, take } = upstream();
  const pretending = Object.defineProperty(new Uint8Array(100_000), 'length', { value: 1 });
  const fail = () => {
    throw new Error('gone');
  };
  for (const store of [
    { ...memoryStore(), get: fail },
    { ...memoryStore(), compareAndSet: fail },
    { ...memoryStore(), compareAndSet: () => false },
    { ...memoryStore(), get: () => ({ bytes: Uint8Array.of(9, 9), version: 1 }) },
    ...[null, 1, {}, { bytes: 'text' }, { bytes: [1, 2] }, { bytes: pretending, version: 1 }].map(
      (bucket) => ({ ...memoryStore(), get: () => bucket }),
    ),
  ]) {
    const response = await gate({ store }).handle(request(event()), { upstream: take });
    assert.deepEqual(await problem(response), { status: 503, code: 'unavailable' });
  }
  assert.deepEqual(got, []);
});

test('a store that never answers closes the gate', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { got, take } = upstream();
  const never = () => new Promise(() => {});
  const ended = [];
  const deliver = async (store) => {
    let response;
    const options = { upstream: take, observe: ({ outcome, reason }) => ended.push([outcome, reason]) };
    const handled = gate({ store }).handle(request(event()), options);
    handled.then((it) => (response = it));
    const settled = async () => {
      for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      return response !== undefined;
    };
    let seconds = 0;
    for (; !(await settled()); seconds += 1) {
      assert.ok(seconds < 60, 'answers in time');
      t.mock.timers.tick(1_000);
    }
    assert.deepEqual(await problem(response), { status: 503, code: 'unavailable' });
    return seconds;
  };
  const fail = () => {
    throw new Error('gone');
  };
  await deliver({ ...memoryStore(), get: fail });
  await deliver({ ...memoryStore(), compareAndSet: fail });
  assert.equal(await deliver({ ...memoryStore(), get: never }), 5);
  assert.equal(await deliver({ ...memoryStore(), compareAndSet: never }), 5);
  assert.deepEqual(got, []);
  assert.deepEqual(ended.slice(2), ended.slice(0, 2), 'as of one that fails');
});

test('a rotation takes effect at once, and a bad one changes nothing', async () => {
  const guarded = gate();
  const { take } = upstream();
  const deliver = async (secret, id) => {
    const payload = event(id);
    const headers = sign(payload, { secret });
    return (await guarded.handle(request(payload, { headers }), { upstream: take })).status;
  };
  assert.equal(await deliver('whsec_new', 'evt_1'), 400);
  guarded.rotate({ stripe: [SECRET, 'whsec_new'] });
  assert.equal(await deliver('whsec_new', 'evt_2'), 200);
  for (const bad of [{ stripe: [''] }, {}, { stripe: 'whsec_new', strip: 'whsec_new' }]) {
    assert.throws(() => guarded.rotate(bad), { name: 'ConfigError' });
  }
  assert.equal(await deliver(SECRET, 'evt_3'), 200);
  guarded.rotate({ stripe: 'whsec_new' });
  assert.equal(await deliver(SECRET, 'evt_4'), 400);
});

test('an upstream over HTTP is posted to, and a redirect is an answer', async (t) => {
  const hits = [];
  const server = createServer((incoming, outgoing) => {
    hits.push([incoming.method, incoming.url, incoming.headers['ce-id']]);
    incoming.resume();
    const isFirst = hits.length === 1;
    outgoing.writeHead(isFirst ? 307 : 201, isFirst ? { location: '/elsewhere' } : {}).end('kept');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const to = `http://127.0.0.1:${server.address().port}/v1/events`;
  const guarded = gate();
  assert.equal((await guarded.handle(request(event()), { upstream: to })).status, 307);
  const stored = await guarded.handle(request(event()), { upstream: to });
  assert.equal(stored.status, 201);
  assert.equal(await stored.text(), 'kept');
  const posted = ['POST', '/v1/events', 'evt_1'];
  assert.deepEqual(hits, [posted, posted]);
});

test('an observer that throws keeps no answer back', async () => {
  const { take } = upstream();
  const observe = () => {
    throw new Error('its own');
  };
  // Rejected where nobody listens, it would end the process, and this test.
  for (const one of [observe, async () => observe()]) {
    const response = await gate().handle(request(event()), { upstream: take, observe: one });
    assert.equal(response.status, 200);
  }
  await new Promise((resolve) => setImmediate(resolve));
});
