//! `hookgate tail`.

use clap::Args;
use hookgate_core::{identity::Source, policy::TypePattern};

use super::{LogArgs, account, source, type_pattern};
use crate::log::Start;

/// `hookgate tail`
#[derive(Debug, Args)]
#[command(after_help = "\
Follows the log until it is interrupted: what is stored is printed within a second, one event a
line. The server need not know, and is not slowed down.

Examples:
  hookgate tail --log sqlite:./data/hookgate.db
  hookgate tail --from beginning --type 'invoice.*' --json | jq -r .id
  hookgate tail --log nats://127.0.0.1:4222 --from 2026-11-24T00:00:00Z --account acct_1")]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Where to begin: `now`, `beginning`, a sequence, or a time (RFC 3339)
    #[arg(long, value_name = "PLACE", default_value = "now")]
    pub(crate) from: Start,
    /// Only events of this type, `*` for any characters; may be repeated
    #[arg(long = "type", value_name = "TYPE", value_parser = type_pattern)]
    pub(crate) types: Vec<TypePattern>,
    /// Only events of this source; may be repeated
    #[arg(long = "source", value_name = "SOURCE", value_parser = source)]
    pub(crate) sources: Vec<Source>,
    /// Only events of this connected account; may be repeated
    #[arg(long = "account", value_name = "ACCOUNT", value_parser = account)]
    pub(crate) accounts: Vec<String>,
    /// Only events of live mode, or of test mode
    #[arg(long, value_name = "BOOL")]
    pub(crate) livemode: Option<bool>,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
