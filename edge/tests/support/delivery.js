// Signed requests, and an upstream that says what it got.

import { sign } from 'hookgate';

export const SECRET = 'whsec_edge_fixture';

export const endpoints = [{ name: 'stripe', path: '/webhooks/stripe' }];
export const secrets = { stripe: SECRET };

export function event(id = 'evt_1', more = {}) {
  return JSON.stringify({
    id,
    object: 'event',
    type: 'invoice.paid',
    created: 1_760_000_000,
    livemode: false,
    account: 'acct_1',
    ...more,
  });
}

export function request(payload, { headers = {}, path = '/webhooks/stripe', ...more } = {}) {
  const signed = sign(payload, { secret: SECRET });
  return new Request(`https://edge.test${path}`, {
    method: 'POST',
    headers: { ...signed, ...headers },
    body: payload,
    ...more,
  });
}

/** Answers each request by `answer`, and keeps what it got. */
export function upstream(answer = () => new Response('{"status":"stored"}', { status: 200 })) {
  const got = [];
  const take = async (received) => {
    const body = new Uint8Array(await received.arrayBuffer());
    got.push({ headers: Object.fromEntries(received.headers), body, url: received.url });
    return answer(got.length, received);
  };
  return { got, take };
}

export async function problem(response) {
  return { status: response.status, code: (await response.json()).code };
}
