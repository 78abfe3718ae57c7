// Before any express.json(): this route needs the bytes as they arrive.
app.post("/webhooks/stripe", express.raw({ type: "*/*" }), (req, res) => {
  let event;
  try {
    event = stripe.webhooks.constructEvent(
      req.body, // a Buffer; not JSON.stringify(req.body)
      req.headers["stripe-signature"],
      process.env.STRIPE_WEBHOOK_SECRET,
    );
  } catch (error) {
    return res.status(400).send(error.message);
  }
  res.json({ received: event.id });
});
app.use(express.json()); // for every other route, behind this one
