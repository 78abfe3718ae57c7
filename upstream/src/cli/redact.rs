//! `hookgate redact`.

use clap::{Args, builder::NonEmptyStringValueParser};
use hookgate_core::identity::Source;

use super::{LogArgs, source};
use crate::log::RedactTarget;

/// `hookgate redact`
#[derive(Debug, Args)]
#[command(after_help = "\
Removes the payload for good: from a file with its write-ahead file and its free pages, or from the
files of a stream. Attributes and SHA-256 stay, with a record of who asked, when and why, so that
verify-log still passes and lists it. Backups, exports and what was delivered are not touched. A
server may be running.

Examples:
  hookgate redact evt_1 --reason 'erasure request 17' --by ada --log sqlite:./data/hookgate.db
  hookgate redact --sequence 17 --reason 'published by hand' --by ada --log nats://127.0.0.1:4222")]
pub(crate) struct RedactArgs {
    /// Its event ID
    #[arg(required_unless_present = "sequence")]
    id: Option<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Of which source, if several have it
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    source: Option<Source>,
    /// Remove what is at this sequence of a stream, if that is no event: others can publish there,
    /// and what they did ends sealing until somebody has decided
    #[arg(long, value_name = "SEQUENCE", conflicts_with_all = ["id", "source"])]
    sequence: Option<u64>,
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

impl RedactArgs {
    /// Returns what is to be removed.
    pub(crate) fn target(&self) -> RedactTarget<'_> {
        match (self.sequence, &self.id) {
            (Some(sequence), _) => RedactTarget::Sequence(sequence),
            (None, id) => RedactTarget::Event {
                id: id.as_deref().unwrap_or_default(),
                source: self.source.as_ref(),
            },
        }
    }
}
