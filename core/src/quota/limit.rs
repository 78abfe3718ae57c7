//! How much of something is allowed.

use alloc::{format, string::String};
use core::{num::NonZeroU32, time::Duration};

/// The highest rate, in one period.
pub const MAX_RATE: u32 = 1_000_000;
/// The shortest period of a rate.
pub const MIN_PER: Duration = Duration::from_secs(1);
/// The longest period of a rate.
pub const MAX_PER: Duration = Duration::from_secs(86_400);
/// The largest burst.
pub const MAX_BURST: u32 = 1_000_000;
/// The longest time that a spent burst may take to be full again.
pub const MAX_REFILL: Duration = Duration::from_secs(366 * 86_400);

/// What the clock counts by which quotas are kept, in nanoseconds.
const TICK: u64 = 1_000_000;

/// Intervals of this many ticks may be rounded up to whole ones: that costs less
/// than a twentieth of the rate.
const MANY_TICKS: u64 = 20;

/// Holds a checked limit: `rate` in each `per`, and `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Nanoseconds between two at the rate, rounded up.
    interval: u64,
    burst: NonZeroU32,
}

impl Limit {
    /// Makes a limit; `None` unless `rate` is at most [`MAX_RATE`], `per` from
    /// [`MIN_PER`] to [`MAX_PER`], `burst` from [`Self::least_burst`] to
    /// [`MAX_BURST`], and a burst is full again within [`MAX_REFILL`].
    #[must_use]
    pub fn new(rate: NonZeroU32, per: Duration, burst: NonZeroU32) -> Option<Self> {
        let fits = rate.get() <= MAX_RATE
            && (MIN_PER..=MAX_PER).contains(&per)
            && burst.get() <= MAX_BURST
            && u64::from(burst.get()) >= Self::least_burst(rate, per);
        let interval = interval(rate, per);
        let refill = interval.checked_mul(burst.get().into())?;
        let limit = Self { interval, burst };
        (fits && Duration::from_nanos(refill) <= MAX_REFILL).then_some(limit)
    }

    /// Returns the smallest burst with which a rate can be reached: the clock
    /// counts milliseconds, and what comes back in one and finds the burst full
    /// is lost.
    #[must_use]
    pub fn least_burst(rate: NonZeroU32, per: Duration) -> u64 {
        let interval = interval(rate, per).max(1);
        if TICK.is_multiple_of(interval) {
            TICK / interval
        } else if interval.is_multiple_of(TICK) || interval >= MANY_TICKS * TICK {
            1
        } else {
            TICK / interval + 2
        }
    }

    /// Returns the item that states this limit in a `RateLimit-Policy` field
    /// (draft-ietf-httpapi-ratelimit-headers-10): the burst as the quota `q`,
    /// and the seconds in which it is full again as the window `w`.
    #[must_use]
    pub fn policy_field(&self, name: &'static str) -> String {
        let window = whole_seconds(Duration::from_nanos(self.refill()));
        format!("\"{name}\";q={};w={window}", self.burst)
    }

    /// Returns the item that states a spent quota in a `RateLimit` field (same
    /// draft): none remain (`r`), and more come in `t` seconds.
    #[must_use]
    pub fn state_field(&self, name: &'static str, retry_after: Duration) -> String {
        format!("\"{name}\";r=0;t={}", whole_seconds(retry_after))
    }

    pub(super) const fn interval(&self) -> u64 {
        self.interval
    }

    /// Returns the nanoseconds in which so many come back, at most a whole burst.
    pub(super) fn cost(&self, times: u32) -> u64 {
        let times = times.min(self.burst.get());
        self.interval.saturating_mul(times.into())
    }

    /// Returns the nanoseconds in which a spent burst is full again.
    pub(super) fn refill(&self) -> u64 {
        self.interval.saturating_mul(self.burst.get().into())
    }
}

/// Returns the nanoseconds between two at a rate, rounded up.
fn interval(rate: NonZeroU32, per: Duration) -> u64 {
    nanos(per).div_ceil(rate.get().into())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Rounds up: who waits so long isn't refused again.
fn whole_seconds(duration: Duration) -> u64 {
    let partial = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(partial).max(1)
}
