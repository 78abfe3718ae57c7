//! What can be wrong with a log.

/// Names one thing that isn't as it was appended, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Finding {
    /// The payload has another SHA-256 than recorded.
    #[error("event {sequence}: its payload is not what was appended")]
    Payload {
        /// Where.
        sequence: u64,
    },
    /// An attribute, the recorded SHA-256 or the time of storing is another.
    #[error("event {sequence}: its attributes are not what was appended")]
    Attributes {
        /// Where.
        sequence: u64,
    },
    /// The event belongs elsewhere.
    #[error("event {sequence} was moved: it belongs at {belongs}")]
    Moved {
        /// Where it is.
        sequence: u64,
        /// Where it was appended.
        belongs: u64,
    },
    /// An event of a range that is only linked at its end is another.
    #[error("events {first} to {last}: at least one is not what was appended")]
    Range {
        /// Of the range.
        first: u64,
        /// Of the range.
        last: u64,
    },
    /// A column or header can't be read.
    #[error("event {sequence}: `{field}` is missing or malformed")]
    Field {
        /// Where.
        sequence: u64,
        /// What.
        field: &'static str,
    },
    /// Events are gone from between others.
    #[error("{}", missing(first, last))]
    Missing {
        /// Of those that are gone.
        first: u64,
        /// Of those that are gone.
        last: u64,
    },
    /// Events have no link.
    #[error("event {sequence}: its link in the chain is gone")]
    Unlinked {
        /// Where.
        sequence: u64,
    },
    /// The link is another, the event is well.
    #[error("event {sequence}: its link in the chain is not what was written")]
    Link {
        /// Where.
        sequence: u64,
    },
    /// The log ends before its head.
    #[error("the log ends at event {last}, and its head is event {head}: it was cut short")]
    Truncated {
        /// Newest event there is.
        last: u64,
        /// Newest event there was.
        head: u64,
    },
    /// The whole chain was written anew.
    #[error("event {sequence}: the chain up to here is not the one of the head")]
    Rewritten {
        /// Sequence of the head.
        sequence: u64,
    },
    /// A record of a redaction is another than was written.
    #[error("redaction {number}: its record is not what was written")]
    Redaction {
        /// Which.
        number: u64,
    },
    /// Redactions are fewer than the head knows, or other ones.
    #[error("the head knows {head} redactions, and the log has {found} that fit")]
    Redactions {
        /// As many as there were.
        head: u64,
        /// As many as there are.
        found: u64,
    },
    /// What was left of a redacted event belongs to no redaction.
    #[error(
        "event {sequence}: it stands for a removed payload, and no such redaction is on record"
    )]
    Tombstone {
        /// Where.
        sequence: u64,
    },
    /// The evidence has a stream of its own, and isn't whole.
    #[error("message {place} of the evidence is gone, or not what was written")]
    Evidence {
        /// Its sequence in that stream.
        place: u64,
    },
    /// The file contradicts itself.
    #[error("the file's own structure is damaged: {said}")]
    Storage {
        /// The first of it, in the words of the storage.
        said: String,
    },
    /// A payload was removed, and it still is there, or has another digest.
    #[error("event {sequence}: it is not what its redaction {number} left")]
    Redacted {
        /// Where.
        sequence: u64,
        /// Which redaction.
        number: u64,
    },
}

impl Finding {
    /// Returns a stable name of its kind.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Payload { .. } => "payload",
            Self::Attributes { .. } => "attributes",
            Self::Moved { .. } => "moved",
            Self::Range { .. } => "range",
            Self::Field { .. } => "field",
            Self::Missing { .. } => "missing",
            Self::Unlinked { .. } => "unlinked",
            Self::Link { .. } => "link",
            Self::Truncated { .. } => "truncated",
            Self::Rewritten { .. } => "rewritten",
            Self::Redaction { .. } => "redaction",
            Self::Redactions { .. } => "redactions",
            Self::Redacted { .. } => "redacted",
            Self::Tombstone { .. } => "tombstone",
            Self::Evidence { .. } => "evidence",
            Self::Storage { .. } => "storage",
        }
    }

    /// Returns the place it is about: a sequence, or a redaction's number.
    pub(crate) const fn place(&self) -> u64 {
        match self {
            Self::Payload { sequence }
            | Self::Attributes { sequence }
            | Self::Moved { sequence, .. }
            | Self::Field { sequence, .. }
            | Self::Unlinked { sequence }
            | Self::Link { sequence }
            | Self::Rewritten { sequence }
            | Self::Tombstone { sequence }
            | Self::Redacted { sequence, .. } => *sequence,
            Self::Range { first, .. } | Self::Missing { first, .. } => *first,
            Self::Truncated { last, .. } => *last,
            Self::Redaction { number } => *number,
            Self::Evidence { place } => *place,
            Self::Redactions { found, .. } => *found,
            Self::Storage { .. } => 0,
        }
    }
}

fn missing(first: &u64, last: &u64) -> String {
    if first == last {
        format!("event {first} is missing")
    } else {
        format!("events {first} to {last} are missing")
    }
}
