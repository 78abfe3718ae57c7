//! `hookgate watch`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Subcommand};
use hookgate_core::policy::TypePattern;

use super::{LogArgs, type_pattern};

/// `hookgate watch`
#[derive(Debug, Subcommand)]
pub(crate) enum WatchCommand {
    /// Run the detectors over history and show what they would have said
    Replay(ReplayArgs),
    /// Show what a server found in its log: what is overdue, improbable or unusual, and why
    Flags(FlagsArgs),
}

/// `hookgate watch flags`
#[derive(Debug, Args)]
#[command(after_help = "\
`hookgate serve` learns from its log what follows each type of event, how soon, and how long
destinations take to report that they are done (POST /v1/outcomes). What should have come and didn't
is told here, the newest first, with what was expected, what was seen and how likely that is:

  overdue_completion    a destination that always reports has not
  overdue_successor     what always follows such an event has not
  improbable_transition a type came where it hardly ever does
  excess                more events of a type than usual are left without what follows
  failed_excess         a destination reports more failures than usual
  and causes of `hookgate watch replay`, of how many events come.

What is shown is kept beside a log in a file; of another log where `state` of [expectations] says.

Examples:
  hookgate watch flags --log sqlite:./data/hookgate.db
  hookgate watch flags --kind overdue_successor --type 'payout.*' --open
  hookgate watch flags --json | jq -r 'select(.review) | .event.id'")]
pub(crate) struct FlagsArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Only of this kind; may be repeated
    #[arg(long = "kind", value_name = "KIND")]
    pub(crate) kinds: Vec<String>,
    /// Only of this type, `*` for any characters; may be repeated
    #[arg(long = "type", value_name = "TYPE", value_parser = type_pattern)]
    pub(crate) types: Vec<TypePattern>,
    /// Only what is overdue and hasn't come after all
    #[arg(long)]
    pub(crate) open: bool,
    /// How many at most; the newest count
    #[arg(long, value_name = "FLAGS", default_value = "20")]
    pub(crate) limit: NonZeroUsize,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `hookgate watch replay`
#[derive(Debug, Args)]
#[command(after_help = "\
Everything is learnt on the way, as in a gateway: what is said of a time depends on nothing that
came later. A week has to be known before a rate is judged; the backstop speaks sooner.

FILE is CSV, `timestamp,value`, in the order of time: RFC 3339, `2026-11-24 00:00:00` (UTC) or
seconds since 1970. Any numbers will do; counts are watched for their rate as well. Without FILE
the events of the log are replayed: how many came of each type and of each account, when.

A score of 0.5 is just over the threshold, 1 beyond doubt. A cause says what to do about it:
legitimate_spike, series_silent, all_silent, unusual, or in a file up, down, silent, unusual.

Examples:
  hookgate watch replay taxis.csv
  hookgate watch replay taxis.csv --svg taxis.svg
  hookgate watch replay --log sqlite:./data/hookgate.db --forecast
  hookgate watch replay --log nats://127.0.0.1:4222 --json | jq -r 'select(.cause) | .evidence'")]
pub(crate) struct ReplayArgs {
    /// The history: CSV, `timestamp,value` [default: the events of the log]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Draw the history into this file, with what was said
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Show what is expected in the 24 hours after the history, with a band for 19 of 20 hours
    #[arg(long)]
    pub(crate) forecast: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
