//! Why the evidence can't be read or written.

use async_nats::jetstream::{
    self,
    context::{CreateStreamError, GetStreamError, PublishError, RequestError},
    stream::InfoError,
};

use super::{super::stream, pair, settings, settings::NAME};
use crate::evidence::LogId;

/// Says why the evidence can't be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvidenceError {
    /// Nobody sealed the log yet.
    #[error(
        "the log has no evidence yet: `hookgate serve` makes the stream `{NAME}` when it starts"
    )]
    Missing,
    /// There was some.
    #[error(
        "the evidence of the log {log} is gone: the stream `{NAME}` is not there, or empty. Restore it from a backup. To begin anew instead, with a chain that no earlier head speaks for: nats stream edit {stream} --metadata {key}=none", stream = stream::NAME, key = pair::KEY
    )]
    Gone {
        /// Whose.
        log: LogId,
    },
    /// The two streams don't belong together.
    #[error(
        "the stream `{stream}` is the log {log}, and the stream `{NAME}` is of the log {evidence}: one of them was restored from elsewhere", stream = stream::NAME
    )]
    Other {
        /// As the log says.
        log: LogId,
        /// As the evidence says.
        evidence: LogId,
    },
    /// The log's stream doesn't say which log it is.
    #[error(
        "the stream `{stream}` has something else than the ID of a log as `{key}` in its metadata: nats stream edit {stream} --metadata {key}=none", stream = stream::NAME, key = pair::KEY
    )]
    Pair,
    /// It is of a later version.
    #[error("found evidence of version {found}, expected 1: use the hookgate that wrote it")]
    Version {
        /// Of the evidence.
        found: u32,
    },
    /// The system has no random bytes.
    #[error("can't draw the ID of the log: {0}")]
    Random(getrandom::Error),
    /// Somebody made the stream with other settings.
    #[error(
        "the stream `{NAME}` is not as the evidence needs it: {name} is {found}, expected {expected}. Mend it with `nats stream edit {NAME}`"
    )]
    Settings {
        /// Of what.
        name: &'static str,
        /// As it is.
        found: String,
        /// As it should be.
        expected: String,
    },
    /// The server doesn't show a stream.
    #[error("the NATS server does not show a stream: {0}")]
    Get(#[from] GetStreamError),
    /// The server doesn't make the stream.
    #[error("the NATS server does not make the stream `{NAME}`: {0}")]
    Create(#[from] CreateStreamError),
    /// The server doesn't say how the stream is.
    #[error("the NATS server does not answer for the stream `{NAME}`: {0}")]
    Info(#[from] InfoError),
    /// The log's stream can't take the log's ID.
    #[error("the NATS server does not change the stream `{name}`: {0}", name = stream::NAME)]
    Update(#[source] RequestError),
    /// The log's stream can't take the log's ID.
    #[error("the NATS server does not change the stream `{name}`: {0}", name = stream::NAME)]
    Refused(#[source] jetstream::Error),
    /// The server doesn't show messages.
    #[error("can't read the stream `{NAME}`: {0}")]
    Read(#[source] async_nats::Error),
    /// The server doesn't take a message.
    #[error("can't write to the stream `{NAME}`: {0}")]
    Write(#[from] PublishError),
    /// Somebody else wrote first.
    #[error("somebody else wrote to the stream `{NAME}` first")]
    Conflict,
    /// A message isn't as it was written.
    #[error(
        "message {place} of the stream `{NAME}` is not what was written: `hookgate verify-log` says more"
    )]
    Form {
        /// Which.
        place: u64,
    },
}

impl EvidenceError {
    /// Tells whether it may pass by itself.
    pub(in crate::log::nats) fn is_away(&self) -> bool {
        match self {
            Self::Get(error) => settings::is_unled(error),
            Self::Create(error) => settings::is_short_of_servers(error),
            Self::Info(_) | Self::Update(_) | Self::Read(_) | Self::Write(_) | Self::Conflict => {
                true
            }
            _ => false,
        }
    }
}
