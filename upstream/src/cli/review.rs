//! `hookgate review`.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};
use hookgate_core::{identity::Source, policy::TypePattern, time::Timestamp};

use super::{ArgumentError, LogArgs, account, destination, source, time, type_pattern};
use crate::review::{Batch, Operator, Selection};

/// `hookgate review`
#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// List what is parked
    List(ListArgs),
    /// Show one parked event with what is known of it
    Show(ShowArgs),
    /// Let parked events go out again
    Approve(ApproveArgs),
    /// Give parked events up
    Discard(DiscardArgs),
}

/// `hookgate review list`
#[derive(Debug, Args)]
#[command(after_help = "\
An event is parked at a destination that refused it (a 4xx but 429, or unroutable), or that
could not take it until retries ended; or, anywhere, if the log's copy is damaged. It stays in the
log, and the others don't wait for it.

Examples:
  hookgate review list --log sqlite:./data/hookgate.db
  hookgate review list --destination orders --type 'invoice.*'
  hookgate review list --parked-for refused --json | jq -r '[.id, .status, .answer] | @tsv'")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    filter: ParkedFilter,
    /// How many at most, the oldest first
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: NonZeroUsize,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `hookgate review show`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows where the event is parked and why, every attempt with its status, its latency and the
beginning of its answer, other events parked there for the same reason, what people decided
about it, its attributes and its payload.

Examples:
  hookgate review show evt_1 --log sqlite:./data/hookgate.db
  hookgate review show evt_1 --destination orders --json | jq '.attempts'")]
pub(crate) struct ShowArgs {
    /// Its event ID
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Only at this destination
    #[arg(long, value_name = "NAME", value_parser = destination)]
    pub(crate) destination: Option<String>,
    /// Of which source, if several have it
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) source: Option<Source>,
    /// Print one JSON object for each destination where it is parked
    #[arg(long)]
    pub(crate) json: bool,
}

/// `hookgate review approve`
#[derive(Debug, Args)]
#[command(after_help = "\
What is approved is due at once, with its event ID and its webhook-id: the server that delivers
notices within a second, or when it starts. Its retries begin anew. Where [review] of the
configuration asks for several people the last of them lets it go.

Examples:
  hookgate review approve evt_1 --reason 'orders is mended' --by ada
  hookgate review approve --destination orders --parked-for exhausted --reason 'INC-7' --dry-run
  hookgate review approve --type 'invoice.*' --to orders-new --reason 'moved, see INC-7'")]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pub(crate) chosen: ChosenArgs,
    /// Let them go to this other destination of the configuration instead
    #[arg(long, value_name = "NAME", value_parser = destination)]
    pub(crate) to: Option<String>,
}

/// `hookgate review discard`
#[derive(Debug, Args)]
#[command(after_help = "\
What is discarded isn't delivered. It stays in the log, and `hookgate redeliver` can send it
after all.

Examples:
  hookgate review discard evt_1 --reason 'a test of ours' --by ada
  hookgate review discard --destination orders --until 2026-11-01T00:00:00Z --reason 'too late'")]
pub(crate) struct DiscardArgs {
    #[command(flatten)]
    pub(crate) chosen: ChosenArgs,
}

/// Which parked events, and who decides.
#[derive(Debug, Args)]
pub(crate) struct ChosenArgs {
    /// Event IDs
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    filter: ParkedFilter,
    /// Every parked event
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub(crate) decision: DecisionArgs,
}

/// Which parked events.
#[derive(Debug, Args)]
struct ParkedFilter {
    /// Only at this destination
    #[arg(long, value_name = "NAME", value_parser = destination)]
    destination: Option<String>,
    /// Only what is parked for this reason
    #[arg(long, value_enum, value_name = "REASON")]
    parked_for: Option<Reason>,
    #[command(flatten)]
    event: EventFilter,
    /// Only what was tried last at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Only what was tried last before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
}

/// Which events, by their attributes.
#[derive(Debug, Args)]
pub(super) struct EventFilter {
    /// Only events of this type, `*` for any characters
    #[arg(long = "type", value_name = "TYPE", value_parser = type_pattern)]
    pub(super) type_name: Option<TypePattern>,
    /// Only events of this connected account
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub(super) account: Option<String>,
    /// Only events of this source
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(super) source: Option<Source>,
}

/// Who decides and why, and how.
#[derive(Debug, Args)]
pub(crate) struct DecisionArgs {
    /// Why, for the audit trail
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who you are, for the audit trail
    #[arg(long, value_name = "NAME", env = "HOOKGATE_OPERATOR")]
    by: String,
    /// The decision's own name, of a-z, 0-9, `_` and `-` [default: a random one, which is printed].
    /// What was decided under it is not decided again: run a command that was interrupted once more
    /// under its name
    #[arg(long, value_name = "NAME")]
    batch: Option<Batch>,
    /// Say which events and what would become of each, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Says why an event waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Reason {
    /// The destination refused it
    Refused,
    /// Retries ended
    Exhausted,
    /// The log holds something else than it was given: it is never delivered
    Damaged,
    /// Somebody asked for its redelivery, and somebody else has to approve
    Requested,
    /// What should have come of it by now has not: `hookgate watch flags` says what
    Overdue,
    /// A stranger signed it, and nobody gets it before a person has looked: `hookgate event` says more
    Held,
}

impl Reason {
    /// Returns its name, as it is kept.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Damaged => "damaged",
            Self::Requested => "requested",
            Self::Overdue => "overdue",
            Self::Held => "held",
        }
    }
}

impl ParkedFilter {
    fn selection(&self, ids: &[String]) -> Selection {
        Selection {
            ids: ids.to_vec(),
            destination: self.destination.clone(),
            source: self.event.source.clone(),
            type_name: self.event.type_name.clone(),
            account: self.event.account.clone(),
            reason: self.parked_for.map(|reason| reason.as_str().to_owned()),
            since: self.since,
            until: self.until,
        }
    }
}

impl ListArgs {
    /// Returns which parked events.
    pub(crate) fn selection(&self) -> Selection {
        self.filter.selection(&[])
    }
}

impl ChosenArgs {
    /// Returns which parked events.
    ///
    /// # Errors
    /// [`ArgumentError::NoSelection`].
    pub(crate) fn selection(&self) -> Result<Selection, ArgumentError> {
        let selection = self.filter.selection(&self.ids);
        if selection.is_all() && !self.all {
            return Err(ArgumentError::NoSelection);
        }
        Ok(selection)
    }
}

impl DecisionArgs {
    /// Returns who decides and why.
    ///
    /// # Errors
    /// [`ArgumentError::Operator`].
    pub(crate) fn operator(&self) -> Result<Operator, ArgumentError> {
        Ok(Operator::new(&self.by, &self.reason)?)
    }

    /// Returns the decision's name.
    pub(crate) fn batch(&self) -> Batch {
        self.batch.clone().unwrap_or_else(Batch::random)
    }
}
