//! `hookgate serve`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, builder::RangedU64ValueParser};

use super::{ArgumentError, LogArgs};
use crate::{
    metrics::Scrape,
    secrets::{Binding, BindingError},
    telemetry::{LogFormat, otlp::Collector},
    verification::KeyringFile,
};

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
    /// Remove events this long after they were stored [default: keep them for ever]. Identities are
    /// remembered for 30 days at least. Longer than destinations are tried: what is removed can't
    /// be delivered any more
    #[arg(long, value_name = "DURATION", env = "HOOKGATE_KEEP", value_parser = keep)]
    pub(crate) keep: Option<Duration>,
    /// How far a signature's time may lie from its arrival at the gate; at least the gate's own
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) tolerance: Duration,
    /// Where Prometheus reads /metrics; port 0 lets the system choose one; `off` for nowhere
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value = "127.0.0.1:9464",
        env = "HOOKGATE_METRICS"
    )]
    pub(crate) metrics: Scrape,
    /// Report a span for each append and each attempt to this OTLP receiver (gRPC)
    #[arg(
        long,
        value_name = "URL",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        hide_env_values = true
    )]
    otlp: Option<String>,
    /// Write `HOST:PORT` to this file once requests are served
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// How log lines on stderr look
    #[arg(long, value_enum, default_value = "text", env = "HOOKGATE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

impl ServeArgs {
    /// Returns where to report spans; an empty variable is none.
    ///
    /// # Errors
    /// [`ArgumentError::Otlp`].
    pub(crate) fn otlp(&self) -> Result<Option<Collector>, ArgumentError> {
        let text = self.otlp.as_deref().filter(|text| !text.is_empty());
        Ok(text.map(str::parse).transpose()?)
    }

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

fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "expected IP:PORT, for example 127.0.0.1:8080")
}

fn keep(text: &str) -> Result<Duration, String> {
    let keep = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if keep < Duration::from_secs(1) {
        return Err("expected at least 1s, for example 90d".to_owned());
    }
    Ok(keep)
}
