//! `hookgate reconcile`.

use std::path::PathBuf;

use clap::Args;

use super::{LogArgs, account};
use crate::config::{Replicas, Since};

/// `hookgate reconcile`
#[derive(Debug, Args)]
#[command(after_help = "\
Lists the events of the platform and of its connected accounts, newest first, and appends those
that a configured source was to get and that the log lacks, with `origin` reconciliation. What is
younger than 15 minutes may be on its way and is left alone. API key, accounts, sources and the
request budget stand under [reconcile] in the configuration.

Interrupted, it goes on at the next start where it was. A `sqlite:` log must have no server
running, unless with --dry-run: a server that has [reconcile] in its configuration does the same by
itself, all the time.

Examples:
  hookgate reconcile --config /etc/hookgate/hookgate.toml
  hookgate reconcile --since 30d --dry-run --json | jq .by_type
  hookgate reconcile --since 7d --account acct_1032D82eZvKYlo2C --store-only")]
pub(crate) struct ReconcileArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// How far back, at most 30d [default: where the last run ended, at first where the log begins]
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<Since>,
    /// Append nothing, and say what is missing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Only the events of this connected account; may be repeated
    #[arg(long = "account", value_name = "ACCOUNT", value_parser = account, conflicts_with = "all_accounts")]
    pub(crate) accounts: Vec<String>,
    /// The events of the platform and of every connected account, whatever accounts the
    /// configuration lists
    #[arg(long)]
    pub(crate) all_accounts: bool,
    /// Keep what happened before the log began, and deliver it nowhere
    #[arg(long, conflicts_with = "deliver")]
    pub(crate) store_only: bool,
    /// Deliver what happened before the log began like everything else
    #[arg(long)]
    pub(crate) deliver: bool,
    /// The gate's configuration: what its endpoints' policies drop is not missing
    #[arg(long, value_name = "FILE", env = "HOOKGATE_GATE")]
    pub(crate) gate: Option<PathBuf>,
    /// Servers of a NATS cluster that have each event, as for `serve` [default: `replicas` of the
    /// configuration, or 1]
    #[arg(long, value_name = "SERVERS", env = "HOOKGATE_REPLICAS")]
    pub(crate) replicas: Option<Replicas>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Says what becomes of events that happened before the log began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    /// Nobody has said.
    Unsaid,
    /// They are kept.
    StoreOnly,
    /// They are delivered.
    Deliver,
}

impl ReconcileArgs {
    /// Returns what becomes of older events.
    pub(crate) const fn history(&self) -> History {
        match (self.store_only, self.deliver) {
            (true, _) => History::StoreOnly,
            (_, true) => History::Deliver,
            _ => History::Unsaid,
        }
    }
}
