//! `hookgate redact`.

use clap::{Args, builder::NonEmptyStringValueParser};
use hookgate_core::identity::Source;

use super::{LogArgs, source};

/// `hookgate redact`
#[derive(Debug, Args)]
#[command(after_help = "\
Removes the payload for good: from the log, its write-ahead file and its free pages. Attributes
and SHA-256 stay, with a record of who asked, when and why, so that verify-log still passes and
lists it. Backups, exports and what was delivered are not touched. A server may be running.

Examples:
  hookgate redact evt_1 --reason 'erasure request 17' --by ada --log sqlite:./data/hookgate.db")]
pub(crate) struct RedactArgs {
    /// Its event ID
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Of which source, if several have it
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) source: Option<Source>,
    /// Why, for whoever verifies the log later
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: String,
    /// Who asks for it
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) by: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
