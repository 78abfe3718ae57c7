//! Moments, as the host tells them.

use crate::state::persist;

/// How long a tick is: what the watch counts in, and how often it is asked.
pub const TICK_SECONDS: u64 = 10;

/// Hours of a week.
pub(crate) const HOURS: usize = 168;

/// A second since 1970 (UTC). The watch has no clock: the host says what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time {
    second: u64,
}

persist!(Time { second });

impl Time {
    /// Takes seconds since 1970.
    pub const fn from_unix_seconds(second: u64) -> Self {
        Self { second }
    }

    /// Returns seconds since 1970.
    pub const fn as_unix_seconds(self) -> u64 {
        self.second
    }

    /// Returns the seconds from an earlier time to this one; 0 if that isn't earlier.
    pub const fn seconds_since(self, earlier: Self) -> u64 {
        self.second.saturating_sub(earlier.second)
    }

    /// Returns the time so many seconds later.
    pub const fn plus(self, seconds: u64) -> Self {
        Self {
            second: self.second.saturating_add(seconds),
        }
    }

    /// Returns the time so many seconds sooner; 1970 at the soonest.
    pub(crate) const fn minus(self, seconds: u64) -> Self {
        Self {
            second: self.second.saturating_sub(seconds),
        }
    }

    /// Returns the hour of the week, 0 to 167 from Thursday 00:00 UTC, and how much
    /// of it is over, 0 to 1.
    pub(crate) fn hour(self) -> (usize, f64) {
        let hour = (self.second / 3_600) as usize % HOURS;
        (hour, (self.second % 3_600) as f64 / 3_600.0)
    }
}
