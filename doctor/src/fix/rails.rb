class StripeWebhooksController < ActionController::API
  def create
    event = Stripe::Webhook.construct_event(
      request.raw_post, # not params.to_json
      request.headers["Stripe-Signature"].to_s,
      ENV.fetch("STRIPE_WEBHOOK_SECRET")
    )
    render json: { received: event.id }
  rescue JSON::ParserError, Stripe::SignatureVerificationError
    head :bad_request
  end
end
