//! Redactions and cutoffs as messages.

use hookgate_core::{identity::Source, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::EvidenceError;
use crate::{
    evidence::{Cutoff, Link, Redaction},
    log::Sha256Sum,
};

/// Holds a redaction as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::log::nats) struct Recorded {
    /// The redaction.
    pub(in crate::log::nats) redaction: Redaction,
    /// The hash of its link.
    pub(in crate::log::nats) link: Sha256Sum,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedFile {
    number: u64,
    sequence: u64,
    source: String,
    id: String,
    digest: String,
    sha256: String,
    reason: String,
    by: Option<String>,
    at: String,
    after: u64,
    after_hash: String,
    hash: String,
}

impl Recorded {
    /// Writes it.
    pub(super) fn to_json(&self) -> String {
        let redaction = &self.redaction;
        let file = RecordedFile {
            number: redaction.number,
            sequence: redaction.sequence,
            source: redaction.source.to_string(),
            id: redaction.id.clone(),
            digest: redaction.digest.to_string(),
            sha256: redaction.sha256.to_string(),
            reason: redaction.reason.clone(),
            by: redaction.by.clone(),
            at: redaction.at.to_string(),
            after: redaction.after.sequence,
            after_hash: redaction.after.hash.to_string(),
            hash: self.link.to_string(),
        };
        // A struct of texts and numbers always serializes.
        serde_json::to_string(&file).unwrap_or_default()
    }

    /// Reads the one at a place of the evidence.
    ///
    /// # Errors
    /// [`EvidenceError::Form`].
    pub(in crate::log::nats) fn read(place: u64, json: &[u8]) -> Result<Self, EvidenceError> {
        Self::parse(json).ok_or(EvidenceError::Form { place })
    }

    fn parse(json: &[u8]) -> Option<Self> {
        let file: RecordedFile = serde_json::from_slice(json).ok()?;
        Some(Self {
            redaction: Redaction {
                number: file.number,
                sequence: file.sequence,
                source: Source::new(&file.source).ok()?,
                id: file.id,
                digest: file.digest.parse().ok()?,
                sha256: file.sha256.parse().ok()?,
                reason: file.reason,
                by: file.by,
                at: Timestamp::parse_rfc3339(&file.at)?,
                after: Link {
                    sequence: file.after,
                    hash: file.after_hash.parse().ok()?,
                },
            },
            link: file.hash.parse().ok()?,
        })
    }
}

/// Holds a cutoff as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log::nats) struct CutoffRecord {
    /// What was removed.
    pub(in crate::log::nats) cutoff: Cutoff,
    /// The place of the checkpoint that ends with it; 0 if there is none.
    pub(in crate::log::nats) checkpoint: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CutoffFile {
    sequence: u64,
    hash: String,
    at: String,
    removed: u64,
    checkpoint: u64,
}

impl CutoffRecord {
    /// Writes it.
    pub(super) fn to_json(self) -> String {
        let cutoff = &self.cutoff;
        let file = CutoffFile {
            sequence: cutoff.link.sequence,
            hash: cutoff.link.hash.to_string(),
            at: cutoff.at.to_string(),
            removed: cutoff.removed,
            checkpoint: self.checkpoint,
        };
        // A struct of texts and numbers always serializes.
        serde_json::to_string(&file).unwrap_or_default()
    }

    /// Reads the one at a place of the evidence.
    ///
    /// # Errors
    /// [`EvidenceError::Form`].
    pub(super) fn read(place: u64, json: &[u8]) -> Result<Self, EvidenceError> {
        Self::parse(json).ok_or(EvidenceError::Form { place })
    }

    fn parse(json: &[u8]) -> Option<Self> {
        let file: CutoffFile = serde_json::from_slice(json).ok()?;
        Some(Self {
            cutoff: Cutoff {
                link: Link {
                    sequence: file.sequence,
                    hash: file.hash.parse().ok()?,
                },
                at: Timestamp::parse_rfc3339(&file.at)?,
                removed: file.removed,
            },
            checkpoint: file.checkpoint,
        })
    }
}

#[cfg(test)]
mod tests {
    use hookgate_core::{identity::Source, time::Timestamp};

    use super::{CutoffRecord, Recorded};
    use crate::{
        evidence::{Cutoff, Link, Redaction},
        log::Sha256Sum,
    };

    const LINK: Link = Link {
        sequence: 9,
        hash: Sha256Sum([3; 32]),
    };

    #[test]
    fn reads_the_redaction_that_it_writes() {
        for by in [None, Some("ada \"x\"\n".to_owned())] {
            let recorded = Recorded {
                redaction: Redaction {
                    number: 1,
                    sequence: 2,
                    source: Source::new("stripe").unwrap(),
                    id: "evt_1".to_owned(),
                    digest: Sha256Sum([1; 32]),
                    sha256: Sha256Sum([2; 32]),
                    reason: "erasure request 17".to_owned(),
                    by,
                    at: Timestamp::from_unix_millis(1_760_000_000_250),
                    after: LINK,
                },
                link: Sha256Sum([4; 32]),
            };
            let json = recorded.to_json();
            assert_eq!(Recorded::read(1, json.as_bytes()).unwrap(), recorded);
            let other = json.replace("\"source\":\"stripe\"", "\"source\":\"?\"");
            assert!(Recorded::read(1, other.as_bytes()).is_err());
        }
    }

    #[test]
    fn reads_the_cutoff_that_it_writes() {
        let record = CutoffRecord {
            cutoff: Cutoff {
                link: LINK,
                at: Timestamp::from_unix_millis(1_760_000_000_250),
                removed: 8,
            },
            checkpoint: 3,
        };
        let json = record.to_json();
        assert_eq!(CutoffRecord::read(1, json.as_bytes()).unwrap(), record);
        assert!(CutoffRecord::read(1, b"{}").is_err());
    }
}
