//! The evidence of a log: its head, and whether it holds.

use hookgate_core::time::Timestamp;

use super::{Capability, Incapable, LogAddress, ReadError, nats, sqlite};
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
    #[error(transparent)]
    Incapable(#[from] Incapable),
    /// The evidence of a stream can't be read.
    #[error(transparent)]
    Evidence(#[from] nats::EvidenceError),
}

impl From<rusqlite::Error> for VerifyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(ReadError::Sqlite(sqlite::ReadError::Sqlite(error)))
    }
}

/// Returns the newest links of a log.
///
/// # Errors
/// [`VerifyError`].
pub(crate) async fn head(address: &LogAddress, now: Timestamp) -> Result<Head, VerifyError> {
    match address {
        LogAddress::Sqlite(path) => {
            let reader = sqlite::SqliteReader::open(path).map_err(ReadError::from)?;
            Ok(reader.head(now).map_err(ReadError::from)?)
        }
        LogAddress::Nats(server) => {
            let reader = nats::NatsReader::open(server)
                .await
                .map_err(ReadError::from)?;
            Ok(reader.head(now).await?)
        }
        other => Err(other.lacks(Capability::Evidence).into()),
    }
}

/// Verifies a whole log; `progress` is told how many events of how many are
/// done.
///
/// # Errors
/// [`VerifyError`].
pub(crate) async fn verify(
    address: &LogAddress,
    head: Option<Head>,
    progress: impl FnMut(u64, u64),
) -> Result<Verdict, VerifyError> {
    match address {
        LogAddress::Sqlite(path) => {
            let reader = sqlite::SqliteReader::open(path).map_err(ReadError::from)?;
            reader.verify(head, progress)
        }
        LogAddress::Nats(server) => {
            let reader = nats::NatsReader::open(server)
                .await
                .map_err(ReadError::from)?;
            reader.verify(head, progress).await
        }
        other => Err(other.lacks(Capability::Evidence).into()),
    }
}
