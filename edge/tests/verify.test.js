// verify() and sign(): what goes in, what comes out, and what never does.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { ConfigError, Gate, Verifier, sign, verify } from 'hookgate';

import { SECRET, endpoints, event, secrets } from './support/delivery.js';

const secret = SECRET;
const options = { secret };
const payload = event('evt_1', { text: 'ünïcode €' });
const headers = sign(payload, options);
const reason = (outcome) => (outcome.ok ? 'ok' : outcome.reason);

test('an event comes with all that is known of it', () => {
  const now = 1_760_000_100_250;
  const signed = sign(payload, { secret, now });
  const outcome = verify(payload, signed, { secret, now, endpoint: 'shop' });
  assert.deepEqual(JSON.parse(JSON.stringify(outcome)), {
    ok: true,
    event: {
      id: 'evt_1',
      type: 'invoice.paid',
      account: 'acct_1',
      livemode: false,
      created: 1_760_000_000,
      signedAt: 1_760_000_100,
      secret: 'secret-1',
      unsigned: false,
      attributes: {
        specversion: '1.0',
        id: 'evt_1',
        type: 'invoice.paid',
        source: '/hookgate/shop',
        time: '2025-10-09T08:53:20Z',
        account: 'acct_1',
        livemode: 'false',
        endpoint: 'shop',
        secretname: 'secret-1',
        signedat: '2025-10-09T08:55:00Z',
        receivedat: '2025-10-09T08:55:00.250Z',
      },
    },
  });
});

test('an event is copied as it is written, and what it does not have is null', () => {
  const { event: stripes } = verify(payload, headers, options);
  const written = JSON.parse(JSON.stringify(stripes));
  assert.equal(written.attributes.id, 'evt_1');
  assert.deepEqual({ ...stripes }, written);
  assert.deepEqual(structuredClone(stripes), written);
  assert.equal(stripes.attributes, stripes.attributes, 'made once');
  const using = { scheme: 'github', secret };
  const own = { 'x-github-event': 'push' };
  const { event: githubs } = verify('{}', { ...own, ...sign('{}', using) }, using);
  const { account, livemode, created, signedAt } = githubs;
  assert.deepEqual([account, livemode, created, signedAt], [null, null, null, null]);
});

test('a refusal says why, with the status and the text of the table', () => {
  const outcome = verify(`${payload} `, headers, options);
  assert.deepEqual(outcome, {
    ok: false,
    reason: 'signature_mismatch',
    status: 400,
    detail:
      "No signature matches this payload. Check that the signing secret is this endpoint's and that nothing on the way changes the payload.",
  });
});

test('payloads and headers are taken in every form', () => {
  const bytes = new TextEncoder().encode(payload);
  const inside = new Uint8Array(bytes.length + 9);
  inside.set(bytes, 4);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  const payloads = [
    payload,
    bytes,
    Buffer.from(payload),
    bytes.buffer,
    new DataView(inside.buffer, 4, bytes.length),
    inside.subarray(4, 4 + bytes.length),
    shared,
  ];
  const value = headers['stripe-signature'];
  const forms = [
    headers,
    { 'Stripe-Signature': value },
    { 'STRIPE-SIGNATURE': [value] },
    new Headers(headers),
    new Map(Object.entries(headers)),
    [['Stripe-Signature', value]],
    { other: undefined, more: ['a', 'b'], ...headers },
  ];
  for (const one of payloads) {
    for (const form of forms) assert.equal(reason(verify(one, form, options)), 'ok', inspect(form));
  }
});

test('a payload of any length verifies, and only to its bound', () => {
  const long = (bytes) => event('evt_1', { pad: 'x'.repeat(bytes) });
  for (const bytes of [0, 63, 64, 65, 65_536, 262_144, 1_048_576, 2_000_000]) {
    const one = long(bytes);
    for (const form of [one, Buffer.from(one)]) {
      assert.equal(reason(verify(form, sign(one, options), options)), 'ok', `${bytes}`);
    }
  }
  const over = long(2_097_152);
  assert.equal(reason(verify(over, headers, options)), 'payload_too_large');
  const wide = { ...options, maxBodyBytes: 4_000_000 };
  assert.equal(reason(verify(over, sign(over, wide), wide)), 'ok');
  const small = { ...options, maxBodyBytes: 100 };
  assert.equal(reason(verify(payload, headers, small)), 'payload_too_large');
});

test('two values of a signature header are refused in every form', () => {
  const value = headers['stripe-signature'];
  const twice = [
    ['stripe-signature', value],
    ['Stripe-Signature', value],
  ];
  const joined = new Headers(twice);
  for (const form of [twice, { 'stripe-signature': [value, value] }, joined]) {
    assert.equal(reason(verify(payload, form, options)), 'signature_malformed');
  }
});

test('nothing that comes makes it throw', () => {
  const odd = [undefined, null, 0, 1n, NaN, true, '', '\0', [], {}, [[]], [[1, 2]], [null], () => {}, Symbol('a'),
    new Date(), new Map([[1, 2]]), { 'stripe-signature': {} }, { 'stripe-signature': '\0\n\u{1f600}' },
    Object.create(null), new Proxy({}, {}), new Uint8Array(), new ArrayBuffer(0), 'x'.repeat(70_000)];
  for (const body of odd) {
    for (const head of odd) {
      const outcome = verify(body, head, options);
      assert.equal(outcome.ok, false);
      assert.equal(typeof outcome.reason, 'string');
    }
    assert.equal(reason(verify(body, headers, options)), typeof body === 'string' || body?.byteLength === 0
      ? 'signature_mismatch' : 'payload_invalid');
  }
  const parsed = verify(JSON.parse(payload), headers, options);
  assert.match(parsed.detail, /unparsed/);
});

test('what can be read no more, or only pretends, does not make it throw either', () => {
  const gone = (view) => {
    structuredClone(null, { transfer: [view.buffer] });
    return view;
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const fail = () => assert.fail('read');
  const bodies = [
    gone(new Uint8Array(8)).buffer,
    gone(new DataView(new ArrayBuffer(8))),
    new Proxy(new Uint8Array(8), {}),
    Object.create(Uint8Array.prototype),
    revoked.proxy,
  ];
  for (const body of bodies) assert.equal(reason(verify(body, headers, options)), 'payload_invalid');
  const heads = [
    revoked.proxy,
    { get host() { return fail(); } },
    { [Symbol.iterator]: fail },
    { [Symbol.iterator]: 1 },
  ];
  for (const head of heads) assert.equal(reason(verify(payload, head, options)), 'signature_missing');
});

test('bytes are those that there are, whatever an object says of its length', () => {
  const bytes = new TextEncoder().encode(payload);
  const longer = new TextEncoder().encode(`${payload} `);
  Object.defineProperty(longer, 'length', { value: bytes.length });
  assert.equal(reason(verify(bytes, headers, options)), 'ok');
  assert.equal(reason(verify(longer, headers, options)), 'signature_mismatch');
});

test('a text that no bytes were read as is not taken for another', () => {
  const text = event('evt_1', { text: '\ufffd' });
  const signed = sign(text, options);
  assert.equal(reason(verify(text, signed, options)), 'ok');
  assert.equal(reason(verify(text.replace('\ufffd', '\ud800'), signed, options)), 'payload_invalid');
});

test('a header cannot smuggle another one in', () => {
  const at = { now: 1_760_000_000_000 };
  const webhooks = { scheme: 'standard_webhooks', secret: 'whsec_aG9va2dhdGU=', ...at };
  const genuine = sign('{}', { ...webhooks, headers: { 'webhook-id': 'msg_1' } });
  const smuggled = { 'x-a': `1\0webhook-id\0msg_1`, ...genuine };
  assert.equal(reason(verify('{}', smuggled, webhooks)), 'signature_malformed');
  assert.equal(reason(verify('{}', { 'webhook-id': 'msg_1', ...genuine }, webhooks)), 'ok');
});

test('a header’s bytes are those that came, not those of its characters', () => {
  const hmac = {
    signature_header: 'x-signature',
    encoding: 'hex',
    signed: [{ header: 'x-note' }, { text: '.' }, 'body'],
  };
  const note = Buffer.from('caf\u00e9 \u20ac');
  const signature = createHmac('sha256', secret).update(note).update('.{}').digest('hex');
  // As Node and `Headers` show it: a character for each byte.
  const came = { 'x-note': note.toString('latin1'), 'x-signature': signature };
  assert.equal(reason(verify('{}', came, { scheme: { hmac }, secret })), 'ok');
  const read = { ...came, 'x-note': note.toString('utf8') };
  assert.equal(reason(verify('{}', read, { scheme: { hmac }, secret })), 'signature_mismatch');
});

const SCHEMES = {
  stripe: [{}, payload, false],
  standard_webhooks: [{ 'webhook-id': 'msg_1' }, '{"type":"a.b"}', false],
  slack: [{}, '{"type":"event_callback","event_id":"Ev1","team_id":"T1","event":{"type":"message"}}', false],
  github: [{ 'x-github-event': 'push', 'x-github-delivery': '1' }, '{}', true],
  shopify: [{ 'x-shopify-topic': 'orders/create' }, '{}', true],
};

test('every scheme verifies what it signs, and nothing that was changed', () => {
  for (const [scheme, [own, body, unsigned]] of Object.entries(SCHEMES)) {
    const using = { scheme, secret: scheme === 'standard_webhooks' ? 'whsec_aG9va2dhdGU=' : secret };
    const signed = { ...own, ...sign(body, { ...using, headers: own }) };
    const outcome = verify(body, signed, using);
    assert.equal(reason(outcome), 'ok', scheme);
    assert.equal(outcome.event.unsigned, unsigned, scheme);
    assert.equal(outcome.event.attributes.unsigned, unsigned ? 'type account' : undefined);
    assert.equal(reason(verify(`${body} `, signed, using)), 'signature_mismatch', scheme);
    const other = { ...using, secret: 'whsec_b3RoZXI=' };
    assert.equal(reason(verify(body, signed, other)), 'signature_mismatch', scheme);
  }
});

test('a scheme of one’s own is described as in the gate', () => {
  const hmac = {
    signature_header: 'x-signature',
    encoding: 'base64',
    signed: [{ header: 'x-time' }, { text: '.' }, 'body'],
    timestamp_header: 'x-time',
    id: { field: 'id' },
  };
  const using = { scheme: { hmac }, secret };
  const signed = sign('{"id":"a"}', using);
  assert.deepEqual(Object.keys(signed).toSorted(), ['x-signature', 'x-time']);
  assert.equal(verify('{"id":"a"}', signed, using).event.id, 'a');
});

test('each of several secrets verifies, in its time and scope, and is named', () => {
  const rotating = {
    secret: [
      { name: 'old', secret: 'whsec_old', not_after: '2026-01-01T00:00:00Z' },
      { name: 'live', secret: 'whsec_live', livemode: true },
      'whsec_third',
    ],
  };
  const at = (date) => ({ now: Date.parse(date) });
  const under = (own, now) =>
    verify(payload, sign(payload, { secret: own, ...now }), { ...rotating, ...now });
  assert.equal(under('whsec_old', at('2025-12-31T23:59:59Z')).event.secret, 'old');
  assert.equal(reason(under('whsec_old', at('2026-01-01T00:00:00Z'))), 'signature_mismatch');
  assert.equal(reason(under('whsec_live', at('2026-01-01T00:00:00Z'))), 'secret_scope');
  assert.equal(under('whsec_third', at('2026-01-01T00:00:00Z')).event.secret, 'secret-3');
  const none = { secret: [{ name: 'old', secret: 'whsec_old', not_after: '2020-01-01T00:00:00Z' }] };
  assert.equal(reason(verify(payload, headers, none)), 'unavailable');
});

test('options that follow one another do not mix', () => {
  const stale = sign(payload, { secret, now: Date.now() - 400_000 });
  for (let round = 0; round < 40; round += 1) {
    const other = { secret: `whsec_other_${round}` };
    assert.equal(reason(verify(payload, headers, other)), 'signature_mismatch');
    assert.equal(reason(verify(payload, headers, options)), 'ok');
    assert.equal(reason(verify(payload, stale, options)), 'timestamp_out_of_tolerance');
    assert.equal(reason(verify(payload, stale, { ...options, tolerance: 500 })), 'ok');
    assert.equal(reason(verify(payload, headers, { ...options, scheme: 'slack' })), 'signature_missing');
  }
});

/** Calls with options that can't be used, and returns what is said. */
function refused(call) {
  let said;
  assert.throws(call, (error) => {
    said = error;
    return error instanceof ConfigError;
  });
  return said;
}

test('options that cannot be used are told with their place', () => {
  const cases = [
    [() => verify(payload, headers, { secret: '' }), /empty value/],
    [() => verify(payload, headers, { secret: undefined }), /found none; is its variable set/],
    [() => verify(payload, headers, { secret: { name: 'a', secret } }), /expected a text or a list/],
    [() => verify(payload, headers, { secret: 1 }), /expected a text or a list/],
    [() => verify(payload, headers), /options: expected an object/],
    [() => verify(payload, headers, null), /options: expected an object/],
    [() => verify(payload, headers, secret), /options: expected an object/],
    [() => verify(payload, headers, {}), /found none; is its variable set/],
    [() => verify(payload, headers, { secret, now: 1n }), /now: expected milliseconds/],
    [() => verify(payload, headers, { secret, now: NaN }), /now: expected milliseconds/],
    [() => sign(payload), /options: expected an object/],
    [() => sign(payload, { secret, now: Symbol('a') }), /now: expected milliseconds/],
    [() => new Verifier(), /options: expected an object/],
    [() => new Verifier(options).verify(payload, headers, { now: '1' }), /now: expected milliseconds/],
    [() => verify(payload, headers, { secret: [] , scheme: 'paypal' }), /unknown variant/],
    [() => verify(payload, headers, { secret, tolerance: 0 }), /tolerance_past_seconds/],
    [() => verify(payload, headers, { secret, tolerance: NaN }), /expected/],
    [() => verify(payload, headers, { secret, maxBodyBytes: 2 ** 40 }), /max_body_bytes/],
    [() => new Gate({ secrets }), /endpoints: expected a list/],
    [() => new Gate(), /options: expected an object/],
    [() => new Gate({ endpoints, secrets: { strip: secret } }), /secrets.stripe: found none/],
    [() => new Gate({ endpoints, secrets: { ...secrets, strip: secret } }), /secrets.strip: found no endpoint/],
    [() => new Gate({ endpoints }), /secrets: expected those of each endpoint/],
    [() => new Gate({ endpoints: [], secrets }), /endpoints/],
    [() => new Gate({ endpoints, secrets, pass_unknown_paths: true }), /pass_unknown_paths/],
    [() => new Gate({ endpoints, secrets, watch: {} }), /unknown field `watch`/],
    [() => new Gate({ endpoints, secrets, dedup: { lease: 1 } }), /unknown field `lease`/],
  ];
  for (const [call, text] of cases) assert.match(refused(call).message, text);
});

test('an option of a kind that JSON cannot hold is told, and none takes its default', () => {
  // So that each would be found among those that came lately.
  for (const tolerance of [undefined, 1]) verify(payload, headers, { ...options, tolerance });
  for (const odd of [1n, Symbol('a'), () => 1]) {
    for (const name of ['secret', 'scheme', 'tolerance', 'maxBodyBytes', 'endpoint']) {
      const call = () => verify(payload, headers, { ...options, [name]: odd });
      assert.match(refused(call).message, /expected a text or a list|JSON cannot hold/, name);
    }
    const scoped = { secret: [{ name: 'a', secret, livemode: odd }] };
    assert.match(refused(() => verify(payload, headers, scoped)).message, /JSON cannot hold/);
    const quotas = { overall: { rate: odd } };
    assert.match(refused(() => new Gate({ endpoints, secrets, quotas })).message, /JSON cannot hold/);
  }
});

test('no secret shows, wherever it was put', () => {
  const hidden = 'whsec_5ecre7Hidden0123456789';
  const shows = (value) => {
    const shown = [String(value), inspect(value, { depth: 9, showHidden: true, getters: true })];
    try {
      shown.push(JSON.stringify(value) ?? '');
    } catch {
      // Circular: not a place where it shows.
    }
    return shown.some((text) => text.includes('5ecre7Hidden'));
  };
  assert.ok(shows({ secret: hidden }), 'what shows would be seen');
  const own = { stripe: [{ name: 'a', secret: hidden }] };
  const verifier = new Verifier({ secret: hidden });
  const gate = new Gate({ endpoints, secrets: own });
  for (const value of [verifier, gate, verifier.verify(payload, headers), verifier.sign(payload)]) {
    assert.ok(!shows(value), inspect(value));
  }
  const mistakes = [
    () => new Verifier({ secret: `${hidden}\n` }),
    () => new Verifier({ secret: `${hidden}...` }),
    () => new Verifier({ secret: [{ name: 'a', secret: hidden, [hidden]: 1 }] }),
    () => new Verifier({ secret: [{ name: hidden, secret: hidden }] }),
    () => new Verifier({ secret: [{ name: 'a', secret: hidden, not_after: hidden }] }),
    () => new Verifier({ secret: [{ name: 'a', secret: hidden }, { name: 'a', secret: hidden }] }),
    () => new Verifier({ secret: hidden.repeat(99) }),
    () => new Verifier({ secret: hidden, endpoint: hidden }),
    () => new Verifier({ secret: hidden, scheme: hidden }),
    () => new Verifier({ secret: hidden, tolerance: hidden }),
    () => new Verifier({ secret, scheme: 'standard_webhooks', endpoint: 'a' }),
    () => new Gate({ endpoints: [{ ...endpoints[0], secrets: [hidden] }], secrets }),
    () => new Gate({ endpoints: [{ ...endpoints[0], secrets: [{ name: 'a', env: hidden }] }], secrets }),
    () => new Gate({ endpoints: [{ ...endpoints[0], secret: hidden }], secrets }),
    () => new Gate({ endpoints: [{ ...endpoints[0], [hidden]: 1 }], secrets }),
    () => new Gate({ endpoints, secrets, [hidden]: hidden }),
    () => gate.rotate({ stripe: [{ name: 'a', secret: hidden, extra: hidden }] }),
    () => gate.rotate({ stripe: secret, [hidden]: 'stripe' }),
    () => gate.rotate({ stripe: secret, [hidden]: 1 }),
    () => gate.rotate({ stripe: secret, [hidden]: undefined }),
    () => gate.rotate({ stripe: [{ name: 'a', secret: hidden, livemode: 1n, [hidden]: 1n }] }),
  ];
  for (const mistake of mistakes) {
    const error = refused(mistake);
    assert.ok(!shows(error), `${mistake}`);
    assert.ok(!error.stack.includes('5ecre7Hidden'), `${mistake}`);
  }
});
