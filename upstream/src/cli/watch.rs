//! `hookgate watch`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::LogArgs;

/// `hookgate watch`
#[derive(Debug, Subcommand)]
pub(crate) enum WatchCommand {
    /// Run the detectors over history and show what they would have said
    Replay(ReplayArgs),
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
