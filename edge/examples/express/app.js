// Verifying in an Express app that handles its events itself.

import express from 'express';
import { verify } from 'hookgate';

const secret = process.env.STRIPE_WEBHOOK_SECRET;
const app = express();

// The bytes as they came, whatever the content type says: what is parsed and
// written again is signed by nobody.
app.post('/webhooks/stripe', express.raw({ type: () => true, limit: '2mb' }), (request, response) => {
  const outcome = verify(request.body, request.headers, { secret });
  if (!outcome.ok) return response.status(outcome.status).json({ code: outcome.reason });
  const event = JSON.parse(request.body);
  console.log(`${outcome.event.id} ${event.type}`);
  return response.status(200).end();
});

const server = app.listen(Number(process.env.PORT ?? 8787), '127.0.0.1', () => {
  console.log(`listening on ${server.address().port}`);
});
