//! `hookgate serve`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use super::{ArgumentError, LogArgs};
use crate::{
    config::{BodyTimeout, Keep, Listen, MaxBodyBytes, Queue, Replicas, ToleranceTime},
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
With neither a secret nor --gate-token-file it listens on loopback only.

With --gate it verifies as the gate does: by the scheme, the source and the secrets of each
endpoint, from the environment variables that the configuration names and from --keyring files.
These are looked at once a second; one that can't be used is reported and changes nothing.

Answers: 200 stored or duplicate, with the sequence in the log, only after the log confirmed;
400, 401, 404, 405, 408, 413 if the event isn't acceptable; 429 queue_full and 503 unavailable with
Retry-After. GET /healthz: the process is alive. GET /readyz: the log can confirm events.

What isn't said here comes from the environment (the variables below), then from the file of
--config, then from the defaults. envoy/hookgate.toml explains every field of that file, also
those that have no flag: destinations, retention, telemetry.

RUST_LOG=hookgate=debug logs every event. SIGTERM and SIGINT drain, then stop;
a second one does not wait for deliveries under way, which are made again at the next start.

Examples:
  hookgate serve --log sqlite:./data/hookgate.db
  hookgate serve --log nats://127.0.0.1:4222 --listen 0.0.0.0:8080 --log-format json
  hookgate serve --log nats://a:4222,nats://b:4222,nats://c:4222 --replicas 3
  hookgate serve --log sqlite:./log.db --secret shop=SHOP_SECRET --secret shop=SHOP_SECRET_NEW
  hookgate serve --log sqlite:./log.db --gate /etc/hookgate/envoy.yaml \
    --keyring /etc/hookgate/secrets/keys.json")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Servers of a NATS cluster that have each event: an acknowledged one is on more than half of
    /// them [default: 1]
    #[arg(long, value_name = "SERVERS", env = "HOOKGATE_REPLICAS")]
    pub(crate) replicas: Option<Replicas>,
    /// Where to listen; port 0 lets the system choose one [default: 127.0.0.1:8080]
    #[arg(
        long,
        value_name = "IP:PORT",
        env = "HOOKGATE_LISTEN",
        value_parser = listen
    )]
    pub(crate) listen: Option<SocketAddr>,
    /// A source and the environment variable with one of its secrets; may be repeated
    #[arg(long = "secret", value_name = "SOURCE=VARIABLE")]
    secrets: Vec<String>,
    /// The gate's configuration (the plugin's or the whole Envoy's): verify by its endpoints, their
    /// sources, schemes, limits and secrets
    #[arg(
        long,
        value_name = "FILE",
        env = "HOOKGATE_GATE",
        conflicts_with_all = ["secrets", "max_body_bytes", "tolerance"]
    )]
    pub(crate) gate: Option<PathBuf>,
    /// A file with one of the gate's keyrings, read again when its content changes; the name can be
    /// left out if the gate has one keyring; may be repeated
    #[arg(long = "keyring", value_name = "[NAME=]FILE", env = "HOOKGATE_KEYRING")]
    pub(crate) keyrings: Vec<KeyringFile>,
    /// A file with the token that the gate has to show, or with two while one is exchanged, one a
    /// line; read again when its content changes. Events without one are answered 401
    #[arg(long, value_name = "FILE", env = "HOOKGATE_GATE_TOKEN_FILE")]
    pub(crate) gate_token_file: Option<PathBuf>,
    /// Largest payload in bytes (at most 64 MiB); raising it raises what a sender can make us hold
    /// [default: 2097152]
    #[arg(long, value_name = "BYTES", env = "HOOKGATE_MAX_BODY_BYTES")]
    pub(crate) max_body_bytes: Option<MaxBodyBytes>,
    /// Events that may wait for the log; more are answered 429 queue_full [default: 1024]
    #[arg(long, value_name = "EVENTS", env = "HOOKGATE_QUEUE")]
    pub(crate) queue: Option<Queue>,
    /// How long a payload may take to arrive; with the log's confirmation never more than 9s
    /// [default: 5s]
    #[arg(long, value_name = "DURATION", env = "HOOKGATE_BODY_TIMEOUT")]
    pub(crate) body_timeout: Option<BodyTimeout>,
    /// Remove events this long after they were stored [default: keep them for ever]. Identities are
    /// remembered for 30 days at least. Longer than destinations are tried: what is removed can't
    /// be delivered any more
    #[arg(long, value_name = "DURATION", env = "HOOKGATE_KEEP")]
    pub(crate) keep: Option<Keep>,
    /// How far a signature's time may lie from its arrival at the gate; at least the gate's own
    /// [default: 5m]
    #[arg(long, value_name = "DURATION", env = "HOOKGATE_TOLERANCE")]
    pub(crate) tolerance: Option<ToleranceTime>,
    /// Where Prometheus reads /metrics; port 0 lets the system choose one; `off` for nowhere
    /// [default: 127.0.0.1:9464]
    #[arg(long, value_name = "IP:PORT", env = "HOOKGATE_METRICS")]
    pub(crate) metrics: Option<Listen>,
    /// Where the console is; port 0 lets the system choose one; `off` for nowhere. Beyond loopback only
    /// with operators in the configuration [default: beside /metrics, if that is on loopback]
    #[arg(long, value_name = "IP:PORT", env = "HOOKGATE_CONSOLE")]
    pub(crate) console: Option<Listen>,
    /// The page that the console shows at /doctor, which says why a signature doesn't verify:
    /// `cargo xtask doctor` builds it, the container image has it
    #[arg(long, value_name = "FILE", env = "HOOKGATE_DOCTOR_PAGE")]
    pub(crate) doctor_page: Option<PathBuf>,
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
    /// How log lines on stderr look [default: text]
    #[arg(long, value_enum, env = "HOOKGATE_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
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
