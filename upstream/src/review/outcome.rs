//! What became of one event of a decision.

use std::fmt;

use super::audit::{Action, Record};
use crate::log::Entry;

/// Names what is decided about: an event at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Where it is parked, or shall go again.
    pub(crate) destination: String,
    /// Its place in the log.
    pub(crate) sequence: u64,
    /// The event; `None` if the log doesn't have it any more, or damaged.
    pub(crate) entry: Option<Entry>,
}

impl Item {
    /// Tells whether it is about the event of that ID.
    pub(super) fn is_of(&self, id: &str) -> bool {
        (self.entry.as_ref()).is_some_and(|entry| entry.attributes.id == id)
    }
}

/// Says what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is due at the target.
    Released,
    /// It is approved, and waits for other people.
    Approved {
        /// Who approved.
        have: u32,
        /// Who must.
        need: u32,
    },
    /// Nobody waits for it any more.
    Discarded,
    /// It was decided before in this very batch.
    Before(Box<Record>),
    /// Nothing became of it.
    Refused(Refusal),
}

/// Says why nothing became of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Somebody decided before.
    #[error("{}", decided(.0))]
    Decided(Box<Record>),
    /// It doesn't wait for anybody.
    #[error("not parked")]
    NotParked,
    /// It waits for a decision of its own.
    #[error("parked there: decide with `hookgate review`")]
    IsParked,
    /// It is on its way there already.
    #[error("on its way there already")]
    UnderWay,
    /// The destination's own turn for it comes.
    #[error("the destination hasn't come to it yet")]
    Ahead,
    /// Who approves has approved.
    #[error("approved by the same person before: somebody else has to")]
    SamePerson,
    /// The configuration of the server has no such destination.
    #[error("`{0}` is not a destination of the server's configuration")]
    NotConfigured(String),
    /// The log can't give it any more, or not as it was appended.
    #[error("the log doesn't have it as it was appended: it can only be discarded")]
    Undeliverable,
}

impl Outcome {
    /// Returns its name in JSON.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Approved { .. } => "approved",
            Self::Discarded => "discarded",
            Self::Before(_) => "before",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Released => f.write_str("goes out again"),
            Self::Approved { have, need } => {
                write!(f, "approved by {have}, waits until {need} have")
            }
            Self::Discarded => f.write_str("discarded"),
            Self::Before(record) => write!(f, "done before: {}", decided(record)),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
        }
    }
}

/// Says who decided what, and when.
fn decided(record: &Record) -> String {
    let what = match record.action {
        Action::Approved => "approved",
        Action::Released => "let go",
        Action::Discarded => "discarded",
        Action::Looked => "looked at",
    };
    let (by, at, reason) = (&record.name, record.at, &record.reason);
    format!("{what} by {by} at {at}: {reason}")
}
