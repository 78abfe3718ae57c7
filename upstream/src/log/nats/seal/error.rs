//! Why a log isn't sealed.

use async_nats::jetstream::stream::InfoError;

use super::super::{
    STREAM, Servers,
    evidence::{self, EvidenceError},
    reader::ReadError,
};
use crate::log::Damage;

/// Says why a log can't be sealed when an upstream starts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The evidence can't be read or written.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The server doesn't say how the stream is.
    #[error("can't read the stream `{name}`: {0}", name = STREAM)]
    Info(#[from] InfoError),
    /// What proves the log would be on fewer servers than the log.
    #[error(
        "the stream `{name}` has {found} copies, expected at least {expected} as the log's stream has. Mend it, then start hookgate again:\n  nats --server {server} stream edit {name} --replicas={expected}", name = evidence::NAME
    )]
    Replicas {
        /// Copies that it has.
        found: usize,
        /// Copies that the log has.
        expected: usize,
        /// Where.
        server: Servers,
    },
    /// Retention can't remove anything.
    #[error(
        "--keep: the stream `{name}` denies purges (`deny_purge`), so no event can be removed from it. NATS never takes that back: start without --keep", name = STREAM
    )]
    DeniesPurge,
    /// Sealed events are gone from the end of the log.
    #[error(
        "the log ends at event {last}, and is sealed up to event {sealed}: NATS lost the newest events, or the stream was restored from a backup. Keep both streams as they are (nats stream backup), and restore what `hookgate verify-log` finds sound; to go on with what is left, which no earlier head speaks for: nats stream rm {evidence}; nats stream edit {log} --metadata hookgate-log=none", evidence = evidence::NAME, log = STREAM
    )]
    Lost {
        /// As the log is.
        last: u64,
        /// As it was.
        sealed: u64,
    },
    /// An event isn't what was appended.
    #[error("{0}")]
    Damage(#[from] Damage),
    /// An event was removed before it was sealed.
    #[error("event {sequence} is gone, and no redaction of it is on record")]
    Missing {
        /// Where.
        sequence: u64,
    },
    /// Something stands for a removed payload, and none was.
    #[error("event {sequence} stands for a removed payload, and no such redaction is on record")]
    Tombstone {
        /// Where.
        sequence: u64,
    },
}

impl SealError {
    /// Tells whether it may pass by itself.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Read(ReadError::Connect(error)) => error.is_away(),
            Self::Read(ReadError::Missing { .. }) => false,
            Self::Read(_) | Self::Info(_) => true,
            Self::Evidence(error) => error.is_away(),
            _ => false,
        }
    }

    /// Tells whether it says something of the log, rather than of the server.
    pub(super) const fn is_verdict(&self) -> bool {
        matches!(
            self,
            Self::Lost { .. } | Self::Damage(_) | Self::Missing { .. } | Self::Tombstone { .. }
        )
    }
}
