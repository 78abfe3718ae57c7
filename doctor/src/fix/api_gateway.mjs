// A Lambda function behind API Gateway, with the proxy integration.
export const handler = async (request) => {
  const payload = request.isBase64Encoded
    ? Buffer.from(request.body, "base64")
    : request.body; // not JSON.stringify(request), not JSON.parse(request.body)
  const headers = Object.entries(request.headers);
  const signature = headers.find(([name]) => name.toLowerCase() === "stripe-signature")?.[1];
  try {
    const event = stripe.webhooks.constructEvent(
      payload, signature ?? "", process.env.STRIPE_WEBHOOK_SECRET);
    return { statusCode: 200, body: event.id };
  } catch (error) {
    return { statusCode: 400, body: error.message };
  }
};
