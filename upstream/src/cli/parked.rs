//! `hookgate parked`.

use std::num::NonZeroUsize;

use clap::Args;
use hookgate_core::{identity::Source, policy::TypePattern};

use super::{LogArgs, destination, source, type_pattern};

/// `hookgate parked`
#[derive(Debug, Args)]
#[command(after_help = "\
An event is parked at a destination that refused it (a 4xx but 429, or unroutable), or that
could not take it until retries ended; or, anywhere, if the log's copy is damaged. It stays in the
log, and the others don't wait for it.

Examples:
  hookgate parked --log sqlite:./data/hookgate.db
  hookgate parked --destination orders --type 'invoice.*'
  hookgate parked --reason refused --json | jq -r '[.id, .status, .answer] | @tsv'")]
pub(crate) struct ParkedArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Only at this destination
    #[arg(long, value_name = "NAME", value_parser = destination)]
    pub(crate) destination: Option<String>,
    /// Only what was given up for this reason
    #[arg(long, value_enum, value_name = "REASON")]
    pub(crate) reason: Option<Reason>,
    /// Only events of this type, `*` for any characters
    #[arg(long = "type", value_name = "TYPE", value_parser = type_pattern)]
    pub(crate) type_name: Option<TypePattern>,
    /// Only events of this source
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) source: Option<Source>,
    /// How many at most, the oldest first
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: NonZeroUsize,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Says why an event was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Reason {
    /// The destination refused it
    Refused,
    /// Retries ended
    Exhausted,
    /// The log holds something else than it was given: it is never delivered
    Damaged,
}

impl Reason {
    /// Returns its name, as it is kept.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Damaged => "damaged",
        }
    }
}
