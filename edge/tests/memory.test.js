// Memory is used again: `HOOKGATE_SOAK` makes it a million calls.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { Gate, sign, verify } from 'hookgate';

import { memory } from '../dist/wasm.js';
import { SECRET, endpoints, event, request, secrets } from './support/delivery.js';

const CALLS = process.env.HOOKGATE_SOAK ? 1_000_000 : 20_000;
const options = { secret: SECRET };

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** What JavaScript keeps may differ by this much by itself. */
const HEAP_BYTES = 4_000_000;

/** Returns how many bytes the Wasm has grown by while something was done often. */
async function growth(warm, calls, work) {
  for (let i = 0; i < warm; i += 1) await work(i);
  const before = memory.buffer.byteLength;
  const heap = await heapUsed();
  for (let i = 0; i < calls; i += 1) await work(i);
  const grown = (await heapUsed()) - heap;
  assert.ok(grown < HEAP_BYTES, `${grown} bytes of heap`);
  return memory.buffer.byteLength - before;
}

async function heapUsed() {
  // What is freed with an object is freed in a turn of its own, and what that held
  // in a later one.
  for (let turn = 0; turn < 8; turn += 1) {
    collect();
    await setImmediate();
  }
  return process.memoryUsage().heapUsed;
}

test('calls of verify take no memory that is not used again', async () => {
  const payloads = [event(), event('evt_2', { pad: 'x'.repeat(65_536) })].map((payload) => {
    const headers = sign(payload, options);
    return [
      [payload, headers],
      [Buffer.from(payload), headers],
      [payload, { 'stripe-signature': 't=1' }],
      [`${payload} `, headers],
    ];
  });
  // One of 64 kB for each hundred of the small.
  const work = (i) => {
    const [payload, headers] = payloads[i % 100 === 0 ? 1 : 0][i % 4];
    verify(payload, headers, options);
  };
  assert.equal(await growth(500, CALLS, work), 0);
});

test('a huge payload does not cost its size for ever', async () => {
  const huge = event('evt_1', { pad: 'x'.repeat(2_000_000) });
  const headers = sign(huge, options);
  const work = () => assert.ok(verify(huge, headers, options).ok);
  assert.equal(await growth(5, 20, work), 0);
  assert.ok(memory.buffer.byteLength < 10_000_000, `${memory.buffer.byteLength}`);
  // And what is refused for its size isn't even copied.
  const before = memory.buffer.byteLength;
  assert.ok(!verify('x'.repeat(50_000_000), headers, options).ok);
  assert.equal(memory.buffer.byteLength, before);
});

test('deliveries of a gate take no memory that is not used again', async () => {
  // Few identities: the table is a bounded one, and full of them soon.
  const gate = new Gate({ endpoints, secrets, dedup: { max_entries: 48 } });
  const statuses = [200, 500, 200];
  const work = (i) =>
    gate.handle(request(i % 5 === 0 ? `${event()} ` : event(`evt_${i % 97}`)), {
      upstream: () => new Response(null, { status: statuses[i % 3] }),
    });
  assert.equal(await growth(500, CALLS / 10, work), 0);
});

test('a body of which each byte comes by itself costs little more than its size', async () => {
  const bytes = 100_000;
  let sent = 0;
  let before;
  let grown;
  const body = new ReadableStream({
    pull(controller) {
      if (sent === 0) before = held();
      sent += 1;
      if (sent <= bytes) return controller.enqueue(Uint8Array.of(0x20));
      grown = held() - before;
      return controller.close();
    },
  });
  const gate = new Gate({ endpoints, secrets });
  const response = await gate.handle(request(event(), { body, duplex: 'half' }), {
    upstream: () => assert.fail('forwarded'),
  });
  assert.equal(response.status, 400);
  assert.ok(grown < 20 * bytes, `${grown} bytes`);
});

/** Returns how many bytes are held in objects and in what is behind them. */
function held() {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
