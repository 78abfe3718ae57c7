//! The headers that senders add to a payload, beside what signs it.

use hookgate_core::scheme::Scheme;

/// Returns the headers of a sample delivery, an event's ID wherever the scheme
/// has one, with `own` instead of those of the same name.
pub(super) fn of(scheme: &Scheme, id: &str, own: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let usual: &[(&str, &str)] = match scheme {
        Scheme::Stripe | Scheme::Slack | Scheme::Hmac(_) => &[],
        Scheme::StandardWebhooks => &[("webhook-id", id)],
        Scheme::Github => &[("x-github-event", "push"), ("x-github-delivery", id)],
        Scheme::Shopify => &[
            ("x-shopify-topic", "orders/create"),
            ("x-shopify-shop-domain", "sample.myshopify.com"),
            ("x-shopify-event-id", id),
            ("x-shopify-webhook-id", id),
        ],
    };
    let content_type = [
        ("content-type", "application/json; charset=utf-8"),
        ("user-agent", user_agent(scheme)),
    ];
    let usual = content_type.iter().chain(usual);
    usual
        .filter(|(name, _)| !own.iter().any(|(other, _)| other == name))
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .chain(own.iter().cloned())
        .collect()
}

const fn user_agent(scheme: &Scheme) -> &'static str {
    match scheme {
        Scheme::Stripe => "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        _ => concat!("hookgate/", env!("CARGO_PKG_VERSION")),
    }
}
