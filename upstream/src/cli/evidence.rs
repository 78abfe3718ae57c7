//! `hookgate head` and `hookgate verify-log`.

use std::path::PathBuf;

use clap::Args;

use super::LogArgs;

/// `hookgate head`
#[derive(Debug, Args)]
#[command(after_help = "\
A head is the newest link of the log's chain of evidence. Keep heads where whoever can write
the log can't: later `verify-log --head FILE` shows whether everything up to it is still there.

Examples:
  hookgate head --log sqlite:./data/hookgate.db
  hookgate head --log sqlite:./data/hookgate.db --out /mnt/heads/$(date +%F).json
  hookgate head --log sqlite:./data/hookgate.db --json | mail -s head auditor@example.com")]
pub(crate) struct HeadArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Write it to this file, which must not exist yet, instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object: what the file holds
    #[arg(long, conflicts_with = "out")]
    pub(crate) json: bool,
}

/// `hookgate verify-log`
#[derive(Debug, Args)]
#[command(after_help = "\
Finds payloads and attributes that changed, events that are gone, moved or added, and what was
done to the chain itself. With a head also a log that was cut short, or written anew.

Examples:
  hookgate verify-log --log sqlite:./data/hookgate.db --head /mnt/heads/2025-10-09.json
  hookgate verify-log --log sqlite:./data/hookgate.db --json | jq -r '.findings[].text'")]
pub(crate) struct VerifyLogArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// A head of this log, as `hookgate head` wrote it
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
