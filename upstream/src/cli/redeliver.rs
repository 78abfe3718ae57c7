//! `hookgate redeliver`.

use clap::Args;
use hookgate_core::time::Timestamp;

use super::{ArgumentError, DecisionArgs, LogArgs, destination, review::EventFilter, time};
use crate::review::Selection;

/// `hookgate redeliver`
#[derive(Debug, Args)]
#[command(after_help = "\
For a destination that lost what it had: sends what it confirmed in the last 90 days once more,
with the same event ID and the same webhook-id. Named by its ID an event is sent whatever became of
it there. What is parked is left to `hookgate review`, what is on its way to itself. Where [review]
of the configuration asks for several people the events are parked until they have approved.

Examples:
  hookgate redeliver --destination orders --since 2026-11-24T00:00:00Z --reason 'lost' --dry-run
  hookgate redeliver --destination orders --type 'invoice.*' --reason 'restored' --by ada
  hookgate redeliver evt_1 --destination orders --reason 'INC-7' --by ada")]
pub(crate) struct RedeliverArgs {
    /// Event IDs
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// To this destination of the configuration
    #[arg(long, value_name = "NAME", value_parser = destination)]
    pub(crate) destination: String,
    #[command(flatten)]
    event: EventFilter,
    /// Only events that the log took at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Only events that the log took before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Every event that it confirmed
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub(crate) decision: DecisionArgs,
}

impl RedeliverArgs {
    /// Returns which events.
    ///
    /// # Errors
    /// [`ArgumentError::NoSelection`].
    pub(crate) fn selection(&self) -> Result<Selection, ArgumentError> {
        let selection = Selection {
            ids: self.ids.clone(),
            destination: None,
            source: self.event.source.clone(),
            type_name: self.event.type_name.clone(),
            account: self.event.account.clone(),
            reason: None,
            since: self.since,
            until: self.until,
        };
        if selection.is_all() && !self.all {
            return Err(ArgumentError::NoSelection);
        }
        Ok(selection)
    }
}
