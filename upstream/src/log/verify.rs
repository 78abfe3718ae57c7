//! The evidence of a log: its head, and whether it holds.

use hookgate_core::time::Timestamp;

use super::{ReadError, Reader, sqlite};
use crate::evidence::{AuditError, Head, Verdict};

/// Says why a log can't be verified. Damage is no such error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// The head doesn't say anything about this log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log has no evidence of its own.
    #[error("this log keeps no chain of evidence: `sqlite:PATH` does")]
    NoEvidence,
}

impl From<rusqlite::Error> for VerifyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(ReadError::Sqlite(sqlite::ReadError::Sqlite(error)))
    }
}

impl Reader {
    /// Returns the newest links of the log.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub(crate) async fn head(&self, now: Timestamp) -> Result<Head, VerifyError> {
        match self {
            Self::Sqlite(reader) => Ok(reader.head(now).map_err(ReadError::from)?),
            Self::Nats(_) => Err(VerifyError::NoEvidence),
        }
    }

    /// Verifies the whole log; `progress` is told how many events of how many
    /// are done.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub(crate) async fn verify(
        &self,
        head: Option<Head>,
        progress: impl FnMut(u64, u64),
    ) -> Result<Verdict, VerifyError> {
        match self {
            Self::Sqlite(reader) => reader.verify(head, progress),
            Self::Nats(_) => Err(VerifyError::NoEvidence),
        }
    }
}
