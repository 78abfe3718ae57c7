//! The first message of the evidence: which log it is of, and where it begins.

use async_nats::jetstream::stream::Stream;
use hookgate_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CutoffRecord, EvidenceError, GENESIS, newest};
use crate::{
    clock,
    evidence::{Chain, Cutoff, Kind, Link, LogId},
};

/// The only version of the evidence.
const VERSION: u32 = 1;

/// Begins the evidence of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Genesis {
    /// Which log.
    pub(super) log: LogId,
    /// The newest sequence that was gone before; 0 of a new log.
    after: u64,
    /// When it began.
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    log: String,
    after: u64,
    at: String,
}

impl Genesis {
    /// Draws the name of a log that has none.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn draw(log: &Stream) -> Result<Self, EvidenceError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(EvidenceError::Random)?;
        Ok(Self {
            log: LogId::new(random),
            after: log.cached_info().state.first_sequence.saturating_sub(1),
            at: clock::now(),
        })
    }

    /// Returns the link that the first event continues.
    pub(super) fn start(self) -> Link {
        Link {
            sequence: self.after,
            hash: Chain::start(self.log, Kind::Events).newest().hash,
        }
    }

    /// Returns what was gone before, as if retention had removed it.
    pub(super) fn cutoff(self) -> Option<CutoffRecord> {
        let cutoff = Cutoff {
            link: self.start(),
            at: self.at,
            removed: self.after,
        };
        (self.after > 0).then_some(CutoffRecord {
            cutoff,
            checkpoint: 0,
        })
    }

    /// Writes it.
    pub(super) fn to_json(self) -> String {
        let file = File {
            version: VERSION,
            log: self.log.to_string(),
            after: self.after,
            at: self.at.to_string(),
        };
        // A struct of texts and numbers always serializes.
        serde_json::to_string(&file).unwrap_or_default()
    }
}

/// Reads it; `None` if there is none.
///
/// # Errors
/// [`EvidenceError`].
pub(super) async fn read(stream: &Stream) -> Result<Option<Genesis>, EvidenceError> {
    let Some(message) = newest(stream, GENESIS).await.map_err(EvidenceError::Read)? else {
        return Ok(None);
    };
    let form = || EvidenceError::Form {
        place: message.sequence,
    };
    let file: File = serde_json::from_slice(&message.payload).map_err(|_| form())?;
    if file.version != VERSION {
        return Err(EvidenceError::Version {
            found: file.version,
        });
    }
    Ok(Some(Genesis {
        log: file.log.parse().map_err(|_| form())?,
        after: file.after,
        at: Timestamp::parse_rfc3339(&file.at).ok_or_else(form)?,
    }))
}
