//! `hookgate send`.

use std::{path::PathBuf, time::Duration};

use axum::http::{HeaderName, HeaderValue};
use clap::Args;
use hookgate_core::scheme::Scheme;

/// `hookgate send`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hookgate send http://127.0.0.1:10000/webhooks/stripe
  hookgate send http://127.0.0.1:10000/webhooks/stripe --id evt_again --json
  hookgate send http://127.0.0.1:10000/webhooks/stripe --file invoice.paid.json
  hookgate send http://127.0.0.1:10000/webhooks/stripe --age 10m       # answered 400
  hookgate send https://localhost:10443/webhooks/stripe/connect --ca tls.crt
  hookgate send http://127.0.0.1:10000/webhooks/github --scheme github --secret-env GITHUB_SECRET \
    --header x-github-event=pull_request
  hookgate send http://127.0.0.1:10000/webhooks/shop --gate envoy/envoy.yaml   # as its endpoint has it
  WRONG=whsec_wrong hookgate send http://127.0.0.1:10000/webhooks/stripe --secret-env WRONG")]
pub(crate) struct SendArgs {
    /// Where to send it
    pub(crate) url: String,
    /// The event's payload: a file, or `-` for stdin; without it a built-in sample
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Send it under this event ID; without it a file keeps its own and a sample gets a fresh one
    #[arg(long, value_name = "ID", conflicts_with = "keep_id")]
    pub(crate) id: Option<String>,
    /// Send the sample under its own event ID, the same at each call
    #[arg(long)]
    pub(crate) keep_id: bool,
    /// The environment variable with the signing secret [default: STRIPE_WEBHOOK_SECRET, or
    /// STRIPE_CONNECT_WEBHOOK_SECRET for a URL that ends in /connect]
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) secret_env: Option<String>,
    /// The scheme to sign by
    #[arg(long, value_enum, value_name = "SCHEME", default_value = "stripe")]
    pub(crate) scheme: SchemeName,
    /// Sign as the endpoint of the URL's path wants it in this gate's configuration (the plugin's
    /// or the whole Envoy's), which is how to try a described `hmac` scheme
    #[arg(long, value_name = "FILE", conflicts_with = "scheme")]
    pub(crate) gate: Option<PathBuf>,
    /// A header more, or instead of the sample's; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Sign it as if it had been sent this long ago
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    pub(crate) age: Duration,
    /// Trust the certificates of this PEM file instead of the public authorities
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Print the answer as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// The schemes that need no description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum SchemeName {
    /// Stripe's `v1`
    Stripe,
    /// Standard Webhooks' `v1`
    StandardWebhooks,
    /// GitHub's SHA-256
    Github,
    /// Shopify's HMAC
    Shopify,
    /// Slack's `v0`
    Slack,
}

impl From<SchemeName> for Scheme {
    fn from(name: SchemeName) -> Self {
        match name {
            SchemeName::Stripe => Self::Stripe,
            SchemeName::StandardWebhooks => Self::StandardWebhooks,
            SchemeName::Github => Self::Github,
            SchemeName::Shopify => Self::Shopify,
            SchemeName::Slack => Self::Slack,
        }
    }
}

fn header(text: &str) -> Result<(String, Vec<u8>), &'static str> {
    let is_header = |(name, value): &(&str, &str)| {
        HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
    };
    let (name, value) = text
        .split_once('=')
        .filter(is_header)
        .ok_or("expected NAME=VALUE, for example x-github-event=push")?;
    Ok((name.to_ascii_lowercase(), value.as_bytes().to_vec()))
}
