// What one vector gets: for every runtime, so nothing of any of them is used.

/** Cases in which we differ from the senders' libraries, fail closed: as core does. */
const DIFFERENT = [
  'standard-webhooks ts_leading_zero_signed_int',
  'standard-webhooks ts_plus_signed_int',
];

/** Returns the names of the cases that get another verdict than they should. */
export function wrong(hookgate, cases) {
  return cases.flatMap((vector) => {
    const found = verdict(hookgate, vector);
    return fits(found, vector) ? [] : [`${vector.scheme ?? 'stripe'} ${vector.name}: ${found}`];
  });
}

function fits(found, { gate, expect, scheme, name }) {
  // Stripe's are about signatures: what is signed need not be an event.
  if (gate !== undefined) return (found === 'payload_invalid' ? 'ok' : found) === gate;
  if (expect === 'reject') return found !== 'ok';
  if (DIFFERENT.includes(`${scheme} ${name}`)) return found !== 'ok';
  return found === expect;
}

export function verdict({ ConfigError, verify }, vector) {
  const { secret, tolerance, now } = vector;
  const scheme = (vector.scheme ?? 'stripe').replaceAll('-', '_');
  const payload = Uint8Array.from(atob(vector.body_b64), (byte) => byte.charCodeAt(0));
  const options = { secret, scheme, now: (now ?? 0) * 1000, ...(tolerance !== undefined && { tolerance }) };
  try {
    const outcome = verify(payload, headers(vector, scheme), options);
    return outcome.ok ? 'ok' : outcome.reason;
  } catch (error) {
    if (error instanceof ConfigError) return 'config';
    throw error;
  }
}

const SIGNATURE = {
  stripe: 'Stripe-Signature',
  github: 'X-Hub-Signature-256',
  shopify: 'X-Shopify-Hmac-SHA256',
  slack: 'X-Slack-Signature',
};

export function headers(vector, scheme) {
  const found = {};
  const add = (name, value) => {
    if (value !== undefined && value !== null) found[name] = asItComes(value);
  };
  for (const [name, value] of Object.entries(vector.headers ?? {})) add(name, value);
  add(SIGNATURE[scheme], vector.header ?? vector.signature);
  add('X-Slack-Request-Timestamp', vector.timestamp);
  if (vector.headers === undefined) {
    // What these senders always add, and their libraries don't look at.
    add('X-GitHub-Event', 'push');
    add('X-Shopify-Topic', 'orders/create');
  }
  return found;
}

/** Shows a header's bytes as runtimes do: one character each. */
function asItComes(value) {
  return String.fromCharCode(...new TextEncoder().encode(value));
}
