//! Removing one payload from a log, with a record of it.

use hookgate_core::{identity::Source, time::Timestamp};

use super::{Capability, Damage, Entry, Incapable, LogAddress, ReadError, nats, sqlite};
use crate::evidence::Redaction;

/// Says what is to be removed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target<'a> {
    /// The payload of an event.
    Event {
        /// Its ID.
        id: &'a str,
        /// Its source, if several have the ID.
        source: Option<&'a Source>,
    },
    /// What is at a sequence, and is no event as it was appended.
    Sequence(u64),
}

/// Asks for one payload to be removed.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Which.
    pub(crate) target: Target<'a>,
    /// Why.
    pub(crate) reason: &'a str,
    /// Who asks, as they call themselves.
    pub(crate) by: Option<&'a str>,
    /// Now.
    pub(crate) at: Timestamp,
}

/// Says what became of a payload. Either way it is gone.
#[derive(Debug)]
pub(crate) enum Redacted {
    /// It was removed.
    Now(Redaction),
    /// It had been removed before.
    Before(Redaction),
}

/// Says why a payload can't be removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedactError {
    /// There is no such event.
    #[error("the log has no event `{id}`")]
    Unknown {
        /// What was asked for.
        id: String,
    },
    /// There is nothing at this sequence, and never was.
    #[error("the log has nothing at sequence {sequence}")]
    Nothing {
        /// What was asked for.
        sequence: u64,
    },
    /// There is an event at this sequence.
    #[error("event {sequence} is what was appended: redact it by its ID, `{}`", id.escape_debug())]
    IsEvent {
        /// What was asked for.
        sequence: u64,
        /// Its ID.
        id: String,
    },
    /// It is sealed.
    #[error(
        "event {sequence} is sealed as it was appended: that it isn't there any more can't be put right by a record. Restore it, or leave it to `hookgate verify-log` to say"
    )]
    IsSealed {
        /// What was asked for.
        sequence: u64,
    },
    /// Everything that a file holds was appended by a server.
    #[error("--sequence is for a stream, into which others can publish: name the event by its ID")]
    Sequence,
    /// Several sources have the ID.
    #[error("the log has this event from several sources ({sources}): choose one with --source")]
    Ambiguous {
        /// Their names.
        sources: String,
    },
    /// The event isn't what was appended.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The payload is removed from the log, and a copy is left in a file that
    /// will be written over.
    #[error(
        "the payload is removed, but other programs read the log and keep a copy of it in `{wal}`: run this again once they are done"
    )]
    Copy {
        /// The write-ahead file.
        wal: String,
    },
    /// The log can't be opened.
    #[error(transparent)]
    Open(#[from] sqlite::ReadError),
    /// SQLite refused.
    #[error("can't redact: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The log can't do this.
    #[error(transparent)]
    Incapable(#[from] Incapable),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The evidence of a stream can't be read or written.
    #[error(transparent)]
    Evidence(#[from] nats::EvidenceError),
    /// The stream doesn't let anything be removed.
    #[error(
        "the stream `{stream}` denies deletes (`deny_delete`), so no payload can be removed from it. NATS never takes that back: the events have to be copied to a new stream"
    )]
    Denied {
        /// Its name.
        stream: &'static str,
    },
    /// Only what stands for the payload is there.
    #[error(
        "the payload of event {sequence} is gone, and no redaction of it is on record: `hookgate verify-log` says more"
    )]
    Unrecorded {
        /// Where.
        sequence: u64,
    },
    /// The redaction is on record, and the payload still there.
    #[error(
        "the redaction is on record, and NATS did not remove the payload: {0}. A running `hookgate serve` tries again, and so does this command"
    )]
    Remove(#[source] async_nats::Error),
}

/// Removes one payload from a log, also while a server appends to it.
///
/// # Errors
/// [`RedactError`].
pub(crate) async fn redact(
    address: &LogAddress,
    request: &Request<'_>,
) -> Result<Redacted, RedactError> {
    match address {
        LogAddress::Sqlite(path) => sqlite::redact(path, request),
        LogAddress::Nats(server) => nats::redact(server, request).await,
        other => Err(other.lacks(Capability::Redaction).into()),
    }
}

/// Chooses the one event that is asked for.
///
/// # Errors
/// [`RedactError::Unknown`], [`RedactError::Ambiguous`].
pub(super) fn one<T>(
    mut found: Vec<T>,
    entry: impl Fn(&T) -> &Entry,
    id: &str,
) -> Result<T, RedactError> {
    if found.len() > 1 {
        let sources = found.iter().map(|it| entry(it).attributes.source.as_str());
        return Err(RedactError::Ambiguous {
            sources: sources.collect::<Vec<_>>().join(", "),
        });
    }
    found.pop().ok_or_else(|| RedactError::Unknown {
        // Bounded, because it is repeated.
        id: id.chars().take(255).collect(),
    })
}
