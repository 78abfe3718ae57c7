//! `hookgate events` and `hookgate event`.

use std::num::NonZeroUsize;

use clap::Args;
use hookgate_core::{identity::Source, policy::TypePattern};

use super::{LogArgs, source, type_pattern};

/// `hookgate events`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hookgate events --log sqlite:./data/hookgate.db
  hookgate events --log nats://127.0.0.1:4222 --type 'invoice.*' --limit 5
  hookgate events --log sqlite:./data/hookgate.db --limit 1000 --json | jq -r .id")]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// How many at most
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) limit: NonZeroUsize,
    /// Only events of this type, `*` for any characters
    #[arg(long = "type", value_name = "TYPE", value_parser = type_pattern)]
    pub(crate) type_name: Option<TypePattern>,
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
  hookgate event evt_1 evt_2 evt_3 --json --log sqlite:./data/hookgate.db
  hookgate event evt_1 --source stripe-connect --payload --log nats://127.0.0.1:4222 | jq .data")]
pub(crate) struct EventArgs {
    /// Its event ID; several are looked up over one connection
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Of which source, if several have it
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) source: Option<Source>,
    /// Print one JSON object a line
    #[arg(long, conflicts_with = "payload")]
    pub(crate) json: bool,
    /// Print the payload alone, byte for byte
    #[arg(long)]
    pub(crate) payload: bool,
}
