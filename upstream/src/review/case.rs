//! What a person sees before deciding.

use std::time::Duration;

use bytes::Bytes;
use hookgate_core::time::Timestamp;

use super::audit::Record;
use crate::deliver::schedule::Parked;

/// Holds the facts of one parked event at one destination.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The event, where it was to go, and why it waits.
    pub(crate) parked: Parked,
    /// Its payload; `None` if the log doesn't have it as it was appended.
    pub(crate) payload: Option<Bytes>,
    /// What repeats have in common there.
    pub(crate) webhook_id: String,
    /// Every attempt of the last 90 days, the first one first.
    pub(crate) attempts: Vec<PastAttempt>,
    /// IDs of other events parked there, of the same type, for the same reason
    /// and with the same status; the oldest first.
    pub(crate) similar: Vec<String>,
    /// What people decided about it there, the first one first.
    pub(crate) decisions: Vec<Record>,
    /// How many must approve before it goes out again.
    pub(crate) approvals: u32,
}

/// Holds an attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastAttempt {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// When it began.
    pub(crate) at: Timestamp,
    /// Where it went: `primary` or `secondary`.
    pub(crate) via: String,
    /// What became of it, as [`Outcome`](crate::deliver::job::Outcome) names it.
    pub(crate) outcome: String,
    /// The HTTP status, if there was one.
    pub(crate) status: Option<u16>,
    /// How long it took.
    pub(crate) latency: Duration,
    /// The beginning of the answer, or why there was none: at most 1 KiB, what
    /// isn't UTF-8 replaced.
    pub(crate) answer: String,
}
