//! The command line.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, builder::RangedU64ValueParser};
use hookgate_core::{identity::Source, scheme::Scheme};

use crate::{
    log::{AddressError, LogAddress},
    secrets::{Binding, BindingError},
    telemetry::LogFormat,
    verification::KeyringFile,
};

/// The durable log behind Hookgate's door, and the tools around it.
#[derive(Debug, Parser)]
#[command(
    name = "hookgate",
    version,
    max_term_width = 100,
    after_help = "\
A first round trip, with the gate, from a copy of the project:
  cargo xtask up
It says how to send an event and how to see what the log holds.

The log alone, with the secrets of the gate's endpoints in its environment:
  hookgate serve --log sqlite:./data/hookgate.db
  hookgate events --log sqlite:./data/hookgate.db"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take forwarded events from the gate and append them to the durable log
    Serve(ServeArgs),
    /// Sign an event as Stripe or another sender does and send it to a URL
    Send(SendArgs),
    /// Check and explain a gate's configuration, or the whole Envoy's
    CheckConfig(CheckArgs),
    /// List the newest events of the log
    Events(EventsArgs),
    /// Show one event of the log
    Event(EventArgs),
}

/// `hookgate serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Every event is verified again with the secrets of its source, from the environment:
  stripe          STRIPE_WEBHOOK_SECRET
  stripe-connect  STRIPE_CONNECT_WEBHOOK_SECRET
each if it is set. --secret replaces this list; give a source several secrets while one is rolled.
Without any secret it listens on loopback only.

With --gate it verifies as the gate does: by the scheme, the source and the secrets of each
endpoint, from the environment variables that the configuration names and from --keyring files.
These are looked at once a second; one that can't be used is reported and changes nothing.

Answers: 200 stored or duplicate, with the sequence in the log, only after the log confirmed;
400, 404, 405, 408, 413 if the event isn't acceptable; 429 queue_full and 503 unavailable with
Retry-After. GET /healthz: the process is alive. GET /readyz: the log can confirm events.

RUST_LOG=hookgate=debug logs every event. SIGTERM and SIGINT drain, then stop.

Examples:
  hookgate serve --log sqlite:./data/hookgate.db
  hookgate serve --log nats://127.0.0.1:4222 --listen 0.0.0.0:8080 --log-format json
  hookgate serve --log sqlite:./log.db --secret shop=SHOP_SECRET --secret shop=SHOP_SECRET_NEW
  hookgate serve --log sqlite:./log.db --gate /etc/hookgate/envoy.yaml \
    --keyring /etc/hookgate/secrets/keys.json")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Where to listen; port 0 lets the system choose one
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value = "127.0.0.1:8080",
        env = "HOOKGATE_LISTEN",
        value_parser = listen
    )]
    pub(crate) listen: SocketAddr,
    /// A source and the environment variable with one of its secrets; may be repeated
    #[arg(long = "secret", value_name = "SOURCE=VARIABLE")]
    secrets: Vec<String>,
    /// The gate's configuration (the plugin's or the whole Envoy's): verify by its endpoints, their
    /// sources, schemes, limits and secrets
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["secrets", "max_body_bytes", "tolerance"]
    )]
    pub(crate) gate: Option<PathBuf>,
    /// A file with one of the gate's keyrings, read again when its content changes; the name can be
    /// left out if the gate has one keyring; may be repeated
    #[arg(long = "keyring", value_name = "[NAME=]FILE", requires = "gate")]
    pub(crate) keyrings: Vec<KeyringFile>,
    /// Largest payload in bytes (at most 64 MiB); raising it raises what a sender can make us hold
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "2097152",
        value_parser = RangedU64ValueParser::<u32>::new().range(1..=67_108_864)
    )]
    pub(crate) max_body_bytes: u32,
    /// Events that may wait for the log; more are answered 429 queue_full
    #[arg(
        long,
        value_name = "EVENTS",
        default_value = "1024",
        value_parser = RangedU64ValueParser::<u32>::new().range(1..=1_000_000)
    )]
    pub(crate) queue: u32,
    /// How long a payload may take to arrive; with the log's confirmation never more than 9s
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) body_timeout: Duration,
    /// How far a signature's time may lie from its arrival at the gate; at least the gate's own
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) tolerance: Duration,
    /// Write `HOST:PORT` to this file once requests are served
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// How log lines on stderr look
    #[arg(long, value_enum, default_value = "text", env = "HOOKGATE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// Which log.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The durable log: `sqlite:PATH` or `nats://HOST:PORT`
    #[arg(
        long = "log",
        value_name = "URL",
        env = "HOOKGATE_LOG",
        hide_env_values = true
    )]
    address: String,
}

// clap repeats a value that it can't parse. These may hold what must not be
// shown, so clap takes them as they are and they are parsed afterwards.

/// Says that an argument is not of its form, and never what it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// `--log` names no log.
    #[error("--log (or HOOKGATE_LOG): {0}")]
    Log(#[from] AddressError),
    /// `--secret` binds nothing.
    #[error("--secret: {0}")]
    Secret(#[from] BindingError),
}

impl LogArgs {
    /// Returns where the log is.
    ///
    /// # Errors
    /// [`ArgumentError::Log`].
    pub(crate) fn address(&self) -> Result<LogAddress, ArgumentError> {
        Ok(self.address.parse()?)
    }
}

impl ServeArgs {
    /// Returns the secrets that are asked for.
    ///
    /// # Errors
    /// [`ArgumentError::Secret`].
    pub(crate) fn secrets(&self) -> Result<Vec<Binding>, ArgumentError> {
        let bindings: Result<_, BindingError> =
            self.secrets.iter().map(|text| text.parse()).collect();
        Ok(bindings?)
    }
}

/// `hookgate send`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code: 0 for a 2xx answer, 1 for anything else.

Examples:
  hookgate send http://127.0.0.1:10000/webhooks/stripe
  hookgate send http://127.0.0.1:10000/webhooks/stripe --id evt_again --json
  hookgate send http://127.0.0.1:10000/webhooks/stripe --file invoice.paid.json
  hookgate send http://127.0.0.1:10000/webhooks/stripe --age 10m       (answered 400)
  hookgate send https://localhost:10443/webhooks/stripe/connect --ca tls.crt
  hookgate send http://127.0.0.1:10000/webhooks/github --scheme github --secret-env GITHUB_SECRET \
    --header x-github-event=pull_request
  hookgate send http://127.0.0.1:10000/webhooks/shop --gate envoy/envoy.yaml   (as its endpoint has it)
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

/// `hookgate check-config`
#[derive(Debug, Args)]
#[command(after_help = "\
FILE is the plugin's configuration (JSON), a whole Envoy configuration with static listeners
(YAML or JSON), or a patch with the filter (EnvoyFilter, EnvoyPatchPolicy; the filter alone).

Every finding says where, what, why it matters, and what to write instead. Without errors it
says what the configuration does. Secrets are found and never shown.

Exit code: 0 without errors (with --strict: nor warnings), 1 with, 2 if FILE can't be read.

Examples:
  hookgate check-config envoy/envoy.yaml
  hookgate check-config --strict --json envoy.yaml | jq -r '.findings[] | .code'
  helm template gateway | hookgate check-config -
  hookgate check-config plugin.json")]
pub(crate) struct CheckArgs {
    /// The configuration; `-` for stdin
    pub(crate) file: PathBuf,
    /// Fail for warnings too
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `hookgate events`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hookgate events --log sqlite:./data/hookgate.db
  hookgate events --log nats://127.0.0.1:4222 --type invoice.paid --limit 5
  hookgate events --log sqlite:./data/hookgate.db --limit 1000 --json | jq -r .id")]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// How many at most
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) limit: NonZeroUsize,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) type_name: Option<String>,
    /// Only events of this source
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) source: Option<Source>,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `hookgate event`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hookgate event evt_1 --log sqlite:./data/hookgate.db
  hookgate event evt_1 --source stripe-connect --payload --log nats://127.0.0.1:4222 | jq .data")]
pub(crate) struct EventArgs {
    /// Its event ID
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Of which source, if several have it
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) source: Option<Source>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "payload")]
    pub(crate) json: bool,
    /// Print the payload alone, byte for byte
    #[arg(long)]
    pub(crate) payload: bool,
}

fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "expected IP:PORT, for example 127.0.0.1:8080")
}

fn header(text: &str) -> Result<(String, Vec<u8>), &'static str> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("expected NAME=VALUE, for example x-github-event=push")?;
    Ok((name.to_ascii_lowercase(), value.as_bytes().to_vec()))
}

fn source(name: &str) -> Result<Source, hookgate_core::identity::NameError> {
    Source::new(name)
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn is_a_consistent_command_line() {
        Cli::command().debug_assert();
    }
}
