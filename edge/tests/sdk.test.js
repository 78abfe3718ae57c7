// Where verify() differs from Stripe's own SDK, and that the README lists it all.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import Stripe from 'stripe';
import * as hookgate from 'hookgate';

import { stripeCases } from './vectors/cases.js';
import { verdict } from './vectors/judge.js';

const stripe = new Stripe('sk_test_fixture');

function theirs({ body_b64, header, secret, tolerance, now }) {
  const payload = Buffer.from(body_b64, 'base64');
  try {
    stripe.webhooks.constructEvent(payload, header ?? undefined, secret, tolerance, undefined, now * 1000);
    return 'ok';
  } catch {
    return 'refused';
  }
}

/** Names the README's row for a case in which the two differ. */
function row(vector, ours) {
  if (ours === 'ok') return /[\t ]/.test(vector.header) ? 'spaces' : undefined;
  const { tolerance, secret, header, now } = vector;
  const t = Number(/t=(\d+)/.exec(header)?.[1]);
  return {
    payload_invalid: 'payload',
    timestamp_out_of_tolerance: t > now ? 'future' : undefined,
    signature_malformed: 'header',
    signature_mismatch: /v1=[0-9a-f]{64}=/.test(header) ? 'suffix' : undefined,
    config: secret.trim() !== secret ? 'secret' : tolerance < 1 || tolerance > 86_400 ? 'tolerance' : undefined,
  }[ours];
}

function differing(cases) {
  return cases.flatMap((vector) => {
    const ours = verdict(hookgate, vector);
    if ((ours === 'ok') === (theirs(vector) === 'ok')) return [];
    return [{ name: vector.name, ours, row: row(vector, ours) }];
  });
}

/** Cases that core's vectors, which are about signatures, don't have. */
function further() {
  const [plain] = stripeCases({ everything: false });
  const secret = plain.secret;
  const now = plain.now;
  const other = hookgate.sign('{"hello":"world"}', { secret, now: now * 1000 });
  return [
    { ...plain, name: 'no_event', body_b64: btoa('{"hello":"world"}'), header: other['stripe-signature'] },
    { ...plain, name: 'suffix', header: `${plain.header}=junk` },
  ];
}

test('every difference to the SDK has its row in the README, and every row a difference', () => {
  const cases = [...stripeCases({ everything: false }), ...further()];
  const found = differing(cases);
  assert.deepEqual(found.filter((it) => it.row === undefined), []);
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, section] = readme.split("## Beside Stripe's own SDK\n");
  const rows = [...section.split('\n## ')[0].matchAll(/^\| \*\*(\w+)\*\* \|/gm)].map(([, name]) => name);
  assert.deepEqual([...new Set(found.map((it) => it.row))].toSorted(), rows.toSorted());
});

test('a corpus differs in nothing else', () => {
  const found = differing(stripeCases({ everything: true }));
  assert.deepEqual(found.filter((it) => it.row === undefined), []);
});

test('what the SDK signs verifies, and what sign() signs the SDK takes', () => {
  const payload = '{"id":"evt_1","object":"event","type":"a.b"}';
  const secret = 'whsec_sdk_fixture';
  const signed = stripe.webhooks.generateTestHeaderString({ payload, secret });
  assert.ok(hookgate.verify(payload, { 'stripe-signature': signed }, { secret }).ok);
  const own = hookgate.sign(payload, { secret })['stripe-signature'];
  assert.equal(stripe.webhooks.constructEvent(payload, own, secret).id, 'evt_1');
});
