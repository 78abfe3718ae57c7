//! One event on its way to one destination.

use std::time::Duration;

use bytes::Bytes;
use hookgate_core::time::Timestamp;

use crate::log::Entry;

/// Longest part of an answer that is kept, in bytes.
pub(crate) const MAX_ANSWER_BYTES: usize = 1_024;

/// Holds an event that is due at a destination.
#[derive(Debug)]
pub(crate) struct Job {
    /// The event.
    pub(crate) entry: Entry,
    /// Its payload.
    pub(crate) payload: Bytes,
    /// Number of the next attempt, from 1.
    pub(crate) number: u32,
    /// Attempts that were made before a person let it go again: the retry
    /// policy doesn't count them.
    pub(crate) spent: u32,
    /// When it became due, for the first time or by a person.
    pub(crate) first_at: Timestamp,
}

/// Says where an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// The destination's own target.
    Primary,
    /// The one for when that is unavailable.
    Secondary,
}

impl Via {
    /// Returns its name in metrics and JSON.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

/// Says what became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver has it: 2xx, or the broker's confirmation.
    Delivered,
    /// The receiver asks for fewer: 429.
    Throttled {
        /// How long to leave it alone, if it says.
        retry_after: Option<Duration>,
    },
    /// Nobody there: 503, connection refused or reset.
    Unavailable,
    /// No answer in time; the receiver may have it.
    TimedOut,
    /// The receiver failed: another 5xx, 408, 425, a publish that the broker
    /// didn't confirm.
    Failed,
    /// The receiver doesn't want it: another 3xx or 4xx, a message that the
    /// broker can't route.
    Refused,
}

impl Outcome {
    /// The names of all of them.
    pub(crate) const NAMES: [&'static str; 6] = [
        "delivered",
        "throttled",
        "unavailable",
        "timed_out",
        "failed",
        "refused",
    ];

    /// Returns its name in metrics and JSON.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// Holds an attempt that was made, for whoever asks later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// When it began.
    pub(crate) at: Timestamp,
    /// Where it went.
    pub(crate) via: Via,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// The HTTP status, if there was one.
    pub(crate) status: Option<u16>,
    /// How long it took.
    pub(crate) latency: Duration,
    /// The beginning of the answer, or why there was none; at most
    /// [`MAX_ANSWER_BYTES`].
    pub(crate) answer: Bytes,
}

/// Says what becomes of an event after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// It is done.
    Delivered,
    /// It is tried again.
    Retry {
        /// When.
        at: Timestamp,
    },
    /// It waits for a person.
    Park {
        /// Why.
        reason: ParkReason,
    },
}

/// Says why an event waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParkReason {
    /// The receiver doesn't want it; trying again would get the same answer.
    Refused,
    /// It was tried as often, or as long, as configured.
    Exhausted,
    /// What the log holds is not what was appended: it is never delivered.
    Damaged,
    /// A person asked for its redelivery, which another one has to approve.
    Requested,
    /// What should have come of it by now has not.
    Overdue,
    /// It came held: nobody gets it before a person has looked.
    Held,
}

impl ParkReason {
    /// Returns its name in JSON and in the schedule.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Damaged => "damaged",
            Self::Requested => "requested",
            Self::Overdue => "overdue",
            Self::Held => "held",
        }
    }
}
