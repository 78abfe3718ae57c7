//! The head: what a log amounted to at one time, to be kept elsewhere.

use hookgate_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Link, LogId};

/// The only version of the file.
const VERSION: u32 = 1;

/// Holds the newest links of a log. Kept outside the log, where who can write
/// the log can't, it shows every later change before it, and a log cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Which log.
    pub(crate) log: LogId,
    /// The newest event.
    pub(crate) events: Link,
    /// The newest redaction.
    pub(crate) redactions: Link,
    /// When it was taken.
    pub(crate) at: Timestamp,
}

/// Says that a file holds no head.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadError {
    /// Not of its form.
    #[error("not a head as `hookgate head` writes it: {0}")]
    Form(#[from] serde_json::Error),
    /// Of a later version.
    #[error("found a head of version {found}, expected {VERSION}: use the hookgate that wrote it")]
    Version {
        /// Of the file.
        found: u32,
    },
    /// A field holds something else.
    #[error("not a head as `hookgate head` writes it: `{field}` is malformed")]
    Field {
        /// Which.
        field: &'static str,
    },
}

/// The file: one JSON object.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    log: String,
    sequence: u64,
    hash: String,
    redactions: u64,
    redactions_hash: String,
    at: String,
}

impl Head {
    /// Writes the file: one JSON object on one line.
    pub(crate) fn to_json(self) -> String {
        let file = File {
            version: VERSION,
            log: self.log.to_string(),
            sequence: self.events.sequence,
            hash: self.events.hash.to_string(),
            redactions: self.redactions.sequence,
            redactions_hash: self.redactions.hash.to_string(),
            at: self.at.to_string(),
        };
        // A struct of texts and numbers always serializes.
        serde_json::to_string(&file).unwrap_or_default()
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`HeadError`].
    pub(crate) fn from_json(text: &str) -> Result<Self, HeadError> {
        let file: File = serde_json::from_str(text)?;
        if file.version != VERSION {
            return Err(HeadError::Version {
                found: file.version,
            });
        }
        let field = |field| HeadError::Field { field };
        Ok(Self {
            log: file.log.parse().map_err(|_| field("log"))?,
            events: Link {
                sequence: file.sequence,
                hash: file.hash.parse().map_err(|_| field("hash"))?,
            },
            redactions: Link {
                sequence: file.redactions,
                hash: (file.redactions_hash.parse()).map_err(|_| field("redactions_hash"))?,
            },
            at: Timestamp::parse_rfc3339(&file.at).ok_or(field("at"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use hookgate_core::time::Timestamp;

    use super::{Head, HeadError};
    use crate::{
        evidence::{Link, LogId},
        log::Sha256Sum,
    };

    fn head() -> Head {
        Head {
            log: LogId::new([0xab; 16]),
            events: Link {
                sequence: 7,
                hash: Sha256Sum([1; 32]),
            },
            redactions: Link {
                sequence: 1,
                hash: Sha256Sum([2; 32]),
            },
            at: Timestamp::from_unix_millis(1_760_000_000_250),
        }
    }

    #[test]
    fn reads_the_file_that_it_writes() {
        let file = head().to_json();
        assert_eq!(Head::from_json(&file).unwrap(), head());
        assert!(
            file.contains(r#""at":"2025-10-09T08:53:20.250Z""#),
            "{file}"
        );
    }

    #[test]
    fn refuses_files_of_other_forms() {
        let file = head().to_json();
        let later = file.replace(r#""version":1"#, r#""version":2"#);
        let error = Head::from_json(&later).unwrap_err();
        assert!(matches!(error, HeadError::Version { found: 2 }), "{error}");
        let short = file.replace("ab", "a");
        let error = Head::from_json(&short).unwrap_err();
        assert!(
            matches!(error, HeadError::Field { field: "log" }),
            "{error}"
        );
        let error = Head::from_json("{}").unwrap_err();
        assert!(matches!(error, HeadError::Form(_)), "{error}");
    }
}
