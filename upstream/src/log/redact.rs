//! Removing one payload from a log, with a record of it.

use hookgate_core::{identity::Source, time::Timestamp};

use super::{Capability, Damage, Incapable, LogAddress, sqlite};
use crate::evidence::Redaction;

/// Asks for one payload to be removed.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Of the event.
    pub(crate) id: &'a str,
    /// Of the event, if several have the ID.
    pub(crate) source: Option<&'a Source>,
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
        other => Err(other.lacks(Capability::Redaction).into()),
    }
}
