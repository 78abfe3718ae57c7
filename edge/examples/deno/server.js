// A gateway in Deno: deno run --allow-net --allow-env server.js

import { Gate, redisStore } from 'hookgate';

const gate = new Gate({
  endpoints: [{ name: 'stripe', path: '/webhooks/stripe' }],
  secrets: { stripe: Deno.env.get('STRIPE_WEBHOOK_SECRET') },
  store: redisStore({ url: Deno.env.get('REDIS_REST_URL'), token: Deno.env.get('REDIS_REST_TOKEN') }),
});
const upstream = Deno.env.get('UPSTREAM_URL');

Deno.serve({ hostname: '127.0.0.1', port: Number(Deno.env.get('PORT') ?? 8787) }, (request, info) =>
  gate.handle(request, { upstream, address: info.remoteAddr.hostname }),
);
