//! The command line: one file for the arguments of each command.

mod audit;
mod check;
mod doctor;
mod events;
mod evidence;
mod exit;
mod log;
mod manual;
mod reconcile;
mod redact;
mod redeliver;
#[cfg(test)]
mod reference;
mod review;
mod send;
mod serve;
mod tail;
mod transfer;
mod watch;

use clap::{CommandFactory as _, Parser, Subcommand};
use hookgate_core::{
    identity::{NameError, Source},
    policy::TypePattern,
    time::Timestamp,
};

pub(crate) use self::{
    audit::AuditArgs,
    check::CheckArgs,
    doctor::DoctorArgs,
    events::{EventArgs, EventsArgs},
    evidence::{HeadArgs, VerifyLogArgs},
    log::LogArgs,
    manual::{CompletionsArgs, ManArgs},
    reconcile::{History, ReconcileArgs},
    redact::RedactArgs,
    redeliver::RedeliverArgs,
    review::{
        ApproveArgs, ChosenArgs, DecisionArgs, DiscardArgs, ListArgs, ReviewCommand, ShowArgs,
    },
    send::SendArgs,
    serve::ServeArgs,
    tail::TailArgs,
    transfer::{BackupArgs, ExportArgs, From, ImportArgs},
    watch::{FlagsArgs, ReplayArgs, WatchCommand},
};
use crate::{
    config::ConfigError, deliver::destination::is_account, log::AddressError,
    review::OperatorError, secrets::BindingError, telemetry::otlp::CollectorError,
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
    /// Check and explain a configuration: a gate's, the whole Envoy's, or the upstream's
    CheckConfig(CheckArgs),
    /// Say why a webhook's signature verifies or not, by undoing what may have been done to it
    Doctor(DoctorArgs),
    /// List the newest events of the log
    Events(EventsArgs),
    /// Show one event of the log
    Event(EventArgs),
    /// Show events as the log takes them
    Tail(TailArgs),
    /// List what destinations never took: `review list` in a word
    Parked(ListArgs),
    /// See what destinations never took, and decide about it
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Send events again that destinations had before
    Redeliver(RedeliverArgs),
    /// Verify and list who decided what about events
    Audit(AuditArgs),
    /// Compare the log with Stripe's list of events, and append what it lacks
    Reconcile(ReconcileArgs),
    /// Print or write the newest link of the log's chain of evidence
    Head(HeadArgs),
    /// Verify that the log is what was appended
    VerifyLog(VerifyLogArgs),
    /// Remove the payload of one event for good, and leave a record of it
    Redact(RedactArgs),
    /// Copy a log in a file, also while a server appends to it
    Backup(BackupArgs),
    /// Print the events of the log as JSON Lines
    Export(ExportArgs),
    /// Append what export printed
    Import(ImportArgs),
    /// See what the detectors of anomalies say of history
    #[command(subcommand)]
    Watch(WatchCommand),
    /// Print what completes hookgate's commands in a shell
    Completions(CompletionsArgs),
    /// Print or write manual pages
    Man(ManArgs),
}

// clap repeats a value that it can't parse. These may hold what must not be
// shown, so clap takes them as they are and they are parsed afterwards.

/// Says that an argument is not of its form, and never what it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// `--log` names no log.
    #[error("--log (or HOOKGATE_LOG): {0}")]
    Log(#[from] AddressError),
    /// Nothing names a log.
    #[error(
        "found no log: give --log URL, set HOOKGATE_LOG, or write `log = \"sqlite:./data/hookgate.db\"` in hookgate.toml"
    )]
    NoLog,
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration says what a flag excludes.
    #[error(
        "{flag} and `gate` exclude each other: the gate's configuration says it for each endpoint"
    )]
    BesideGate {
        /// The flag, which may stand in the file as well.
        flag: &'static str,
    },
    /// Keyrings of no gate.
    #[error(
        "--keyring needs the gate that it is of: give --gate FILE, or `gate` in the configuration"
    )]
    NoGate,
    /// `--secret` binds nothing.
    #[error("--secret: {0}")]
    Secret(#[from] BindingError),
    /// `--by` or `--reason` can't go into the audit trail.
    #[error("--by (or HOOKGATE_OPERATOR), --reason: {0}")]
    Operator(#[from] OperatorError),
    /// Nothing says which events.
    #[error(
        "name events by their IDs, or choose them by --destination, --type, --account, --source, --parked-for, --since or --until; --all for every one"
    )]
    NoSelection,
    /// `--otlp` names no collector.
    #[error("--otlp (or OTEL_EXPORTER_OTLP_ENDPOINT): {0}")]
    Otlp(#[from] CollectorError),
}

/// Returns the command line with everything that its help says.
pub(crate) fn command() -> clap::Command {
    exit::document(Cli::command())
}

fn time(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse_rfc3339(text).ok_or("expected a time such as 2026-11-24T00:00:00Z")
}

fn type_pattern(text: &str) -> Result<TypePattern, &'static str> {
    TypePattern::new(text).ok_or("expected an event type, `*` for any characters: `invoice.*`")
}

fn account(text: &str) -> Result<String, &'static str> {
    if is_account(text) {
        Ok(text.to_owned())
    } else {
        Err("expected a connected account's ID, such as acct_1032D82eZvKYlo2C")
    }
}

/// Reads the name of a destination, which is of the form of a source's.
fn destination(name: &str) -> Result<String, NameError> {
    Source::new(name).map(|name| name.as_str().to_owned())
}

/// Reads the name of a source.
fn source(name: &str) -> Result<Source, NameError> {
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
