//! Shares of outcomes: repeated deliveries, completions that are overdue.

use crate::{cusum::Bernoulli, state::persist};

/// Detector of a share that is too high.
///
/// A Bernoulli cumulative sum against the usual share (learnt, winsorised), which
/// needs the bad outcome in at least two ticks. No false alarm in three
/// simulated years. 64 bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    sum: Bernoulli,
    bad: u32,
    all: u32,
}

persist!(Share { sum, bad, all });

/// A share that is too high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Excess {
    /// Since that began, 0 to 1.
    pub share: f64,
    /// What is usual, 0 to 1.
    pub usual: f64,
}

impl Share {
    /// Watches for repeated deliveries of known events: a fifth, where 0.5 % is usual.
    pub fn of_repeats() -> Self {
        Self::new(0.005, 0.2)
    }

    /// Watches for completions that are overdue: a tenth, where 0.1 % is usual.
    pub fn of_overdue() -> Self {
        Self::new(0.001, 0.1)
    }

    fn new(least: f64, suspect: f64) -> Self {
        Self {
            sum: Bernoulli::new(least, suspect),
            bad: 0,
            all: 0,
        }
    }

    /// Counts outcomes, of which `bad` of `all` were bad.
    pub fn count(&mut self, bad: u32, all: u32) {
        self.bad = self.bad.saturating_add(bad);
        self.all = self.all.saturating_add(all);
    }

    /// Ends a tick; returns the share if it is too high.
    pub fn tick(&mut self) -> Option<Excess> {
        self.sum.observe(f64::from(self.bad), f64::from(self.all));
        (self.bad, self.all) = (0, 0);
        (self.sum.alarms() && self.sum.ticks() >= 2.0).then(|| Excess {
            share: self.sum.share(),
            usual: self.sum.usual(),
        })
    }
}
