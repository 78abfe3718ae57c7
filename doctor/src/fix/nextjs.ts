// app/api/webhooks/stripe/route.ts
export async function POST(request: Request) {
  const payload = await request.text(); // not request.json()
  try {
    const event = stripe.webhooks.constructEvent(
      payload,
      request.headers.get("stripe-signature") ?? "",
      process.env.STRIPE_WEBHOOK_SECRET!,
    );
    return Response.json({ received: event.id });
  } catch (error) {
    return new Response((error as Error).message, { status: 400 });
  }
}
// With pages/api instead: export const config = { api: { bodyParser: false } };
// and read the request's chunks into one Buffer.
