//! What is counted, as of now, for a page.

use std::sync::Arc;

use hookgate_core::time::Timestamp;

use super::{Metrics, lock};

/// Holds what was counted since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// Of each endpoint, in the order of their names.
    pub(crate) endpoints: Vec<EndpointCounts>,
    /// Of each destination, in the order of their names.
    pub(crate) destinations: Vec<Waiting>,
    /// Events that wait for the log.
    pub(crate) queue: u64,
    /// Events that the evidence doesn't speak for yet.
    pub(crate) unsealed: u64,
    /// Events that Stripe had and the log lacked.
    pub(crate) missing: u64,
}

/// Holds what an endpoint's events were answered.
#[derive(Debug, Clone)]
pub(crate) struct EndpointCounts {
    /// The endpoint.
    pub(crate) name: Arc<str>,
    /// Stored for the first time.
    pub(crate) stored: u64,
    /// There already.
    pub(crate) duplicate: u64,
    /// Not taken: the queue was full, or the log didn't confirm.
    pub(crate) unavailable: u64,
    /// Not taken: not acceptable.
    pub(crate) refused: u64,
}

/// Holds what a destination has before it.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// The destination.
    pub(crate) name: Arc<str>,
    /// Not delivered yet, without what is parked.
    pub(crate) undelivered: u64,
    /// When the oldest of them was stored.
    pub(crate) oldest: Option<Timestamp>,
    /// What waits for a person.
    pub(crate) parked: u64,
}

impl Metrics {
    /// Returns what was counted so far.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let counts = &self.0;
        let mut endpoints = counts.endpoints.all(|endpoint| endpoint.counts());
        endpoints.sort_by(|one, other| one.name.cmp(&other.name));
        let oldest = lock(&counts.oldest).clone();
        let destinations = oldest.into_iter().map(|(name, oldest)| Waiting {
            undelivered: unsigned(counts.undelivered.of([&name]).get()),
            parked: unsigned(counts.review.of([&name]).get()),
            name,
            oldest,
        });
        Snapshot {
            endpoints,
            destinations: destinations.collect(),
            queue: unsigned(counts.queue_depth.get()),
            unsealed: unsigned(counts.unsealed.get()),
            missing: counts.reconcile_events.of([&"missing".into()]).get(),
        }
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
