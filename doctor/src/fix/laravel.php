// routes/api.php, where no CSRF token is asked for
Route::post('/webhooks/stripe', function (Request $request) {
    try {
        $event = \Stripe\Webhook::constructEvent(
            $request->getContent(), // not json_encode($request->all())
            (string) $request->header('Stripe-Signature'),
            config('services.stripe.webhook_secret'),
        );
    } catch (\UnexpectedValueException | \Stripe\Exception\SignatureVerificationException $e) {
        return response('', 400);
    }
    return response()->json(['received' => $event->id]);
});
