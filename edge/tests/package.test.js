// What the package is: its size, and that one import is all it takes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { sign, verify } from 'hookgate';

const wasm = readFileSync(new URL('../dist/core/core_bg.wasm', import.meta.url));

test('the Wasm has at most 150 kB when it is packed', () => {
  const packed = gzipSync(wasm).length;
  assert.ok(packed <= 150_000, `${packed} bytes`);
});

test('a signed payload verifies and a changed one does not', () => {
  const secret = 'whsec_package_test';
  const payload = '{"id":"evt_1","object":"event","type":"invoice.paid"}';
  const headers = sign(payload, { secret });
  const outcome = verify(payload, headers, { secret });
  assert.equal(outcome.ok && outcome.event.id, 'evt_1');
  const changed = verify(payload.replace('evt_1', 'evt_2'), headers, { secret });
  assert.equal(!changed.ok && changed.reason, 'signature_mismatch');
});
