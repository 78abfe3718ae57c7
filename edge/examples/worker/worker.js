// A gateway on Cloudflare Workers: what it remembers is in Durable Objects.

import { Gate, HookgateBucket, durableObjectStore } from 'hookgate';

export { HookgateBucket };

let gate;

export default {
  fetch(request, env) {
    gate ??= new Gate({
      endpoints: [{ name: 'stripe', path: '/webhooks/stripe' }],
      secrets: { stripe: env.STRIPE_WEBHOOK_SECRET },
      store: durableObjectStore(env.BUCKETS),
    });
    return gate.handle(request, {
      upstream: env.UPSTREAM_URL,
      headers: { authorization: `Bearer ${env.GATE_TOKEN}` },
      address: request.headers.get('cf-connecting-ip') ?? undefined,
    });
  },
};
