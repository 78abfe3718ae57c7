//! `hookgate audit`.

use std::num::NonZeroUsize;

use clap::Args;

use super::{LogArgs, destination};
use crate::evidence::Link;

/// `hookgate audit`
#[derive(Debug, Args)]
#[command(after_help = "\
Every decision of `hookgate review` and `hookgate redeliver` is a record, one for each event, and
each record's link speaks for all before it. The whole trail is verified before any of it is shown.
The chain has no key: note the newest link now and then where whoever can write the log can't, and
give it as --noted.

Examples:
  hookgate audit --log sqlite:./data/hookgate.db
  hookgate audit --event evt_1 --json
  hookgate audit --noted \"$(cat /mnt/elsewhere/link)\"")]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Only about this event
    #[arg(long, value_name = "ID")]
    pub(crate) event: Option<String>,
    /// Only about what was to go to this destination
    #[arg(long, value_name = "NAME", value_parser = destination)]
    pub(crate) destination: Option<String>,
    /// Only by this person
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Only of this decision
    #[arg(long, value_name = "NAME")]
    pub(crate) batch: Option<String>,
    /// A link from before, `NUMBER:HASH`, that must be in the trail
    #[arg(long, value_name = "LINK")]
    pub(crate) noted: Option<Link>,
    /// How many at most, the newest
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: NonZeroUsize,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
