//! What is counted of one endpoint, found once for each event: an append is too
//! frequent to look up each of its counters by labels.

use std::{sync::Arc, time::Duration};

use prometheus_client::metrics::{counter::Counter, histogram::Histogram};

use super::{EndpointCounts, family::Series};
use crate::log::{Appended, LogError};

/// Counts the appends of one endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) label: Arc<str>,
    stored: Timed,
    duplicate: Timed,
    queue_full: Timed,
    unavailable: Timed,
    /// Never got as far as the log.
    pub(super) refused: Counter,
}

#[derive(Debug)]
struct Timed {
    count: Counter,
    seconds: Histogram,
}

impl Endpoint {
    /// Starts counting from 0, so that the first of each outcome is an increase.
    pub(super) fn new(
        label: Arc<str>,
        appends: &Series<2, Counter>,
        seconds: &Series<2, Histogram>,
    ) -> Self {
        let timed = |outcome: &str| {
            let labels = [&label, &outcome.into()];
            Timed {
                count: appends.of(labels),
                seconds: seconds.of(labels),
            }
        };
        Self {
            stored: timed("stored"),
            duplicate: timed("duplicate"),
            queue_full: timed("queue_full"),
            unavailable: timed("unavailable"),
            refused: appends.of([&label, &"refused".into()]),
            label,
        }
    }

    /// Returns what was counted so far.
    pub(super) fn counts(&self) -> EndpointCounts {
        EndpointCounts {
            name: Arc::clone(&self.label),
            stored: self.stored.count.get(),
            duplicate: self.duplicate.count.get(),
            unavailable: self.queue_full.count.get() + self.unavailable.count.get(),
            refused: self.refused.get(),
        }
    }

    /// Counts what the log said, and how long it took to say so.
    pub(super) fn appended(&self, answer: Result<Appended, LogError>, latency: Duration) {
        let Timed { count, seconds } = match answer {
            Ok(Appended::Stored { .. }) => &self.stored,
            Ok(Appended::Duplicate { .. }) => &self.duplicate,
            Err(LogError::QueueFull) => &self.queue_full,
            Err(LogError::Unavailable) => &self.unavailable,
        };
        count.inc();
        seconds.observe(latency.as_secs_f64());
    }
}
