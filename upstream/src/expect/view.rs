//! What pages and metrics show, in memory: no page waits for a file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{store::Hour, told::Told};

/// Hours of the time line: a week.
pub(crate) const HOURS: usize = 168;
/// Flags that are at hand.
pub(crate) const FLAGS: usize = 200;

/// What is expected of an hour to come, or of a day.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Slot {
    /// When it begins, in seconds since 1970.
    pub(crate) at: u64,
    /// Events, on average.
    pub(crate) events: f64,
    /// Lower end of what holds 19 of 20.
    pub(crate) low: f64,
    /// Upper end.
    pub(crate) high: f64,
}

/// What is expected of a type in the next 24 hours.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Forecast {
    /// The type, or `all`.
    pub(crate) name: Arc<str>,
    /// One for each hour.
    pub(crate) hours: Vec<Slot>,
}

impl Forecast {
    /// Returns what is expected of all hours together; the ends are those of the hours,
    /// added up, so that the band is rather too wide than too narrow.
    pub(crate) fn day(&self) -> Slot {
        self.hours.iter().fold(Slot::default(), |sum, hour| Slot {
            at: if sum.at == 0 { hour.at } else { sum.at },
            events: sum.events + hour.events,
            low: sum.low + hour.low,
            high: sum.high + hour.high,
        })
    }
}

/// What there is to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    /// What was told, the newest first.
    pub(crate) told: Vec<Told>,
    /// What gates told in the last week.
    pub(crate) verdicts: Vec<Told>,
    /// The last week, the oldest first; the last is under way.
    pub(crate) hours: Vec<Hour>,
    /// What is expected.
    pub(crate) forecasts: Vec<Forecast>,
    /// Events that were told as overdue and are still missing.
    pub(crate) overdue: usize,
    /// Whether the past of the log is still being read.
    pub(crate) is_learning: bool,
}

/// Shows it; clones show the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct View(Arc<Mutex<Shown>>);

impl View {
    /// Returns what there is to see now.
    pub(crate) fn shown(&self) -> Shown {
        self.lock().clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.lock());
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    pub(super) fn add(&mut self, told: Told) {
        self.told.insert(0, told);
        self.told.truncate(FLAGS);
    }

    pub(super) fn amend(&mut self, told: &Told) {
        let mut all = self.told.iter_mut();
        if let Some(known) = all.find(|known| known.key() == told.key()) {
            known.clone_from(told);
        }
    }

    /// Adds the newest hour: later ones were of a clock that was ahead.
    pub(super) fn add_hour(&mut self, hour: Hour) {
        self.hours.retain(|known| known.at < hour.at);
        self.hours.push(hour);
        let surplus = self.hours.len().saturating_sub(HOURS);
        self.hours.drain(..surplus);
    }
}
