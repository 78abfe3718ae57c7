//! What a server's comparisons came to, for whoever looks.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hookgate_core::time::Timestamp;

use super::{round::Round, tally::Count, tally::Tally};

/// Comparisons that are remembered.
const KEPT: usize = 50;

/// Remembers the last comparisons of a server, the newest first; gone with the
/// process. Clones remember together.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    every: Duration,
    kept: Arc<Mutex<VecDeque<Report>>>,
}

/// Says what a comparison came to.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// When it ended.
    pub(crate) at: Timestamp,
    /// What it found, or why it ended early.
    pub(crate) found: Result<Compared, String>,
}

/// Holds what a whole comparison found.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    /// Until when events were compared.
    pub(crate) until: Timestamp,
    /// Accounts that were compared, the platform among them.
    pub(crate) accounts: usize,
    /// Accounts that the key has no access to any more.
    pub(crate) gone: Vec<String>,
    /// Over all types.
    pub(crate) total: Count,
    /// Types of which the log lacked something, and how it was with them.
    pub(crate) drift: Vec<(String, Count)>,
}

impl Reports {
    /// Begins with none.
    pub(crate) fn new(every: Duration) -> Self {
        Self {
            every,
            kept: Arc::default(),
        }
    }

    /// Returns how often is compared.
    pub(crate) const fn every(&self) -> Duration {
        self.every
    }

    /// Returns the last comparisons, the newest first.
    pub(crate) fn newest(&self) -> Vec<Report> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }

    /// Remembers one.
    pub(super) fn add(&self, report: Report) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front(report);
        kept.truncate(KEPT);
    }
}

impl Compared {
    /// Takes it from a round that ended whole.
    pub(super) fn of(round: &Round, tally: &Tally) -> Self {
        Self {
            until: round.until(),
            accounts: round.size(),
            gone: round.lost().into_iter().map(ToString::to_string).collect(),
            total: tally.total(),
            drift: tally.missing(),
        }
    }
}
