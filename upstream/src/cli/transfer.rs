//! `hookgate backup`, `hookgate export` and `hookgate import`.

use std::{path::PathBuf, str::FromStr};

use clap::Args;
use hookgate_core::time::Timestamp;

use super::LogArgs;
use crate::config::Replicas;

/// `hookgate backup`
#[derive(Debug, Args)]
#[command(after_help = "\
Copies a `sqlite:` log as it is at one moment, also while a server appends to it, and verifies the
copy. FILE appears when it is whole. It is a log like any other: give it to `hookgate serve`.

Examples:
  hookgate backup /mnt/backup/$(date +%F).db --log sqlite:./data/hookgate.db")]
pub(crate) struct BackupArgs {
    /// Where to; must not exist yet
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `hookgate export`
#[derive(Debug, Args)]
#[command(after_help = "\
One JSON object a line, in the order of the log: attributes, SHA-256, a digest over both, and the
payload as text, or in base64 where it is no UTF-8. Ends at an event that is damaged.

Examples:
  hookgate export --log sqlite:./data/hookgate.db > events.jsonl
  hookgate export --log sqlite:./data/hookgate.db --from 2025-10-01T00:00:00Z | zstd > october.zst
  hookgate export --log sqlite:./data/hookgate.db | hookgate import - --log nats://127.0.0.1:4222")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// The first event: `beginning`, a sequence, or a time (RFC 3339) at which it was stored or later
    #[arg(long, value_name = "PLACE", default_value = "beginning")]
    pub(crate) from: From,
}

/// `hookgate import`
#[derive(Debug, Args)]
#[command(after_help = "\
Appends what `hookgate export` wrote, in its order. Each line is checked first: the payload by its
SHA-256, the attributes by their digest. An event that is there already is not stored again, so an
import that was interrupted is simply run again. Stops at the first line that is damaged.
A `sqlite:` log must have no server running.

Examples:
  hookgate import events.jsonl --log nats://127.0.0.1:4222
  zstdcat october.zst | hookgate import - --log sqlite:./data/hookgate.db")]
pub(crate) struct ImportArgs {
    /// The file; `-` for stdin
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Servers of a NATS cluster that have each event, as for `serve` [default: `replicas` of the
    /// configuration, or 1]
    #[arg(long, value_name = "SERVERS", env = "HOOKGATE_REPLICAS")]
    pub(crate) replicas: Option<Replicas>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where an export begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// At a place of the log.
    Sequence(u64),
    /// At a time.
    Time(Timestamp),
}

impl FromStr for From {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text == "beginning" {
            return Ok(Self::Sequence(1));
        }
        let sequence = text.parse().ok().map(Self::Sequence);
        sequence
            .or_else(|| Timestamp::parse_rfc3339(text).map(Self::Time))
            .ok_or("expected `beginning`, a sequence, or a time such as 2025-10-01T00:00:00Z")
    }
}
