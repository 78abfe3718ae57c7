@PostMapping("/webhooks/stripe")
ResponseEntity<String> stripe(
    @RequestBody byte[] payload, // not a mapped object, not its toString()
    @RequestHeader("Stripe-Signature") String signature) {
  try {
    Event event = Webhook.constructEvent(
        new String(payload, StandardCharsets.UTF_8), signature, webhookSecret);
    return ResponseEntity.ok(event.getId());
  } catch (SignatureVerificationException | JsonSyntaxException e) {
    return ResponseEntity.badRequest().build();
  }
}
