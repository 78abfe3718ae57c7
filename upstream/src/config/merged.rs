//! What a server runs with: flags over the environment over the file over the defaults.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use super::{
    Approvals, BodyTimeout, Config, Console, Destination, Expectations, Keep, Listen, MaxBodyBytes,
    Queue, Reconcile, Replicas, ToleranceTime,
};
use crate::{
    cli::{ArgumentError, ServeArgs},
    log::LogAddress,
    metrics::AccountGroups,
    secrets::Binding,
    telemetry::{LogFormat, otlp::Collector},
    verification::KeyringFile,
};

/// Where a server listens that isn't told.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where Prometheus reads if nothing is said.
pub(crate) const DEFAULT_METRICS: Listen =
    Listen::At(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464));

/// How log lines look if nothing is said.
pub(crate) const DEFAULT_LOG_FORMAT: LogFormat = LogFormat::Text;

/// Holds what a server runs with.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The durable log.
    pub(crate) log: LogAddress,
    /// Servers of a NATS cluster that have each event.
    pub(crate) replicas: Replicas,
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Where Prometheus reads.
    pub(crate) metrics: Listen,
    /// Where people look, and who they are.
    pub(crate) console: Console,
    /// How accounts are grouped in metrics.
    pub(crate) account_groups: AccountGroups,
    /// Where spans are reported.
    pub(crate) otlp: Option<Collector>,
    /// The gate's configuration.
    pub(crate) gate: Option<PathBuf>,
    /// Files with its keyrings.
    pub(crate) keyrings: Vec<KeyringFile>,
    /// The file with the gate's tokens.
    pub(crate) gate_token_file: Option<PathBuf>,
    /// Sources and the variables with their secrets.
    pub(crate) secrets: Vec<Binding>,
    /// Largest payload.
    pub(crate) max_body_bytes: MaxBodyBytes,
    /// Events that may wait.
    pub(crate) queue: Queue,
    /// How long a payload may take to arrive.
    pub(crate) body_timeout: BodyTimeout,
    /// How old an event may become in the log.
    pub(crate) keep: Option<Keep>,
    /// How far a signature's time may lie from its arrival.
    pub(crate) tolerance: ToleranceTime,
    /// Where to deliver events on.
    pub(crate) destinations: Vec<Destination>,
    /// People who must approve of a redelivery.
    pub(crate) approvals: Approvals,
    /// How events are compared with Stripe's list of them.
    pub(crate) reconcile: Option<Reconcile>,
    /// What becomes of events that are not as expected.
    pub(crate) expectations: Expectations,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
}

impl Merged {
    /// Puts the arguments, which hold the environment already, over a file's
    /// settings. A list replaces the file's whole.
    ///
    /// # Errors
    /// [`ArgumentError`].
    pub(crate) fn new(args: &ServeArgs, config: Config) -> Result<Self, ArgumentError> {
        let log = args.log.address_in(&config)?;
        let given = args.secrets()?;
        let secrets = if given.is_empty() {
            config.secrets
        } else {
            given
        };
        let keyrings = if args.keyrings.is_empty() {
            config.keyrings
        } else {
            args.keyrings.clone()
        };
        let gate = args.gate.clone().or(config.gate);
        let max_body_bytes = args.max_body_bytes.or(config.max_body_bytes);
        let tolerance = args.tolerance.or(config.tolerance);
        if gate.is_some() {
            for (flag, is_set) in [
                ("--secret", !secrets.is_empty()),
                ("--max-body-bytes", max_body_bytes.is_some()),
                ("--tolerance", tolerance.is_some()),
            ] {
                if is_set {
                    return Err(ArgumentError::BesideGate { flag });
                }
            }
        } else if !keyrings.is_empty() {
            return Err(ArgumentError::NoGate);
        }
        Ok(Self {
            log,
            replicas: args.replicas.or(config.replicas).unwrap_or_default(),
            listen: args.listen.or(config.listen).unwrap_or(DEFAULT_LISTEN),
            metrics: args.metrics.or(config.metrics).unwrap_or(DEFAULT_METRICS),
            console: Console {
                listen: args.console.or(config.console.listen),
                doctor: args.doctor_page.clone().or(config.console.doctor),
                ..config.console
            },
            account_groups: config.telemetry.account_groups,
            otlp: args.otlp()?.or(config.telemetry.otlp),
            gate,
            keyrings,
            gate_token_file: args.gate_token_file.clone().or(config.gate_token_file),
            secrets,
            max_body_bytes: max_body_bytes.unwrap_or_default(),
            queue: args.queue.or(config.queue).unwrap_or_default(),
            body_timeout: args
                .body_timeout
                .or(config.body_timeout)
                .unwrap_or_default(),
            keep: args.keep.or(config.retention.keep),
            tolerance: tolerance.unwrap_or_default(),
            destinations: config.destinations,
            approvals: config.review.approvals,
            reconcile: config.reconcile,
            expectations: config.expectations,
            log_format: args
                .log_format
                .or(config.log_format)
                .unwrap_or(DEFAULT_LOG_FORMAT),
        })
    }
}
