app.MapPost("/webhooks/stripe", async (HttpRequest request, IConfiguration configuration) =>
{
    // Not a bound model: the text of the body as it arrived.
    using var reader = new StreamReader(request.Body, Encoding.UTF8);
    var payload = await reader.ReadToEndAsync();
    try
    {
        var stripeEvent = EventUtility.ConstructEvent(
            payload, request.Headers["Stripe-Signature"], configuration["Stripe:WebhookSecret"]);
        return Results.Ok(new { received = stripeEvent.Id });
    }
    catch (StripeException)
    {
        return Results.BadRequest();
    }
});
