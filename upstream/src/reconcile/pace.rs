//! When the next request may go out: the budget, and what Stripe asks for.
//!
//! Without a clock: every entry takes `now`.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

/// Wait after the first failure; twice as long after each that follows it.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Longest wait, unless `Retry-After` asks for a longer one.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Longest that a `Retry-After` is honoured.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// How much of a wait is left to chance, to either side.
const JITTER: f64 = 0.2;

/// Failures in a row after which nothing is asked any more: about three minutes.
const MOST_FAILURES: u32 = 9;

/// Paces the requests of all accounts together.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    next_at: Option<Instant>,
    failures: u32,
}

/// Says that there were too many failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Pace {
    /// Allows so many requests in a second, evenly: never two at once, so that
    /// no second has more.
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.get(),
            next_at: None,
            failures: 0,
        }
    }

    /// Returns how long to wait before the next request; call
    /// [`Self::sent`] when it goes out.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let left = |at: Instant| at.saturating_duration_since(now);
        self.next_at.map_or(Duration::ZERO, left)
    }

    /// Takes a request out of the budget.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.next_at = Some(now + self.interval);
    }

    /// Takes note of an answer that says something, whatever it says.
    pub(crate) const fn answered(&mut self) {
        self.failures = 0;
    }

    /// Takes note of a request that is to be made again: 429, 5xx, no answer.
    /// `chance` is in 0 to 1.
    ///
    /// # Errors
    /// [`Exhausted`].
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        retry_after: Option<Duration>,
        chance: f64,
    ) -> Result<(), Exhausted> {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= MOST_FAILURES {
            return Err(Exhausted);
        }
        let exponent = self.failures.saturating_sub(1);
        let backoff = FIRST_WAIT.saturating_mul(1 << exponent.min(16));
        let backoff = backoff
            .min(LONGEST_WAIT)
            .mul_f64(1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0));
        let asked = retry_after.unwrap_or_default().min(LONGEST_ASKED);
        let at = now + backoff.max(asked);
        self.next_at = self.next_at.max(Some(at));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        num::NonZeroU32,
        time::{Duration, Instant},
    };

    use super::{Exhausted, LONGEST_ASKED, MOST_FAILURES, Pace};

    fn pace(per_second: u32) -> Pace {
        Pace::new(NonZeroU32::new(per_second).unwrap())
    }

    #[test]
    fn spends_the_budget_evenly() {
        let (mut pace, start) = (pace(5), Instant::now());
        let mut now = start;
        for _ in 0..50 {
            now += pace.wait(now);
            pace.sent(now);
        }
        assert_eq!(now - start, Duration::from_millis(49 * 200));
        // What wasn't spent is not saved up.
        now += Duration::from_secs(60);
        assert_eq!(pace.wait(now), Duration::ZERO);
        pace.sent(now);
        assert_eq!(pace.wait(now), Duration::from_millis(200));
    }

    #[test]
    fn waits_longer_after_each_failure_and_begins_anew_after_an_answer() {
        let (mut pace, now) = (pace(5), Instant::now());
        for millis in [500, 1_000, 2_000, 4_000] {
            pace.failed(now, None, 0.5).unwrap();
            assert_eq!(pace.wait(now), Duration::from_millis(millis));
        }
        pace.answered();
        let later = now + Duration::from_secs(4);
        pace.failed(later, None, 0.5).unwrap();
        assert_eq!(pace.wait(later), Duration::from_millis(500));
    }

    #[test]
    fn leaves_a_fifth_of_a_wait_to_chance() {
        for (chance, millis) in [(0.0, 400), (1.0, 600)] {
            let (mut pace, now) = (pace(5), Instant::now());
            pace.failed(now, None, chance).unwrap();
            assert_eq!(pace.wait(now), Duration::from_millis(millis));
        }
    }

    #[test]
    fn waits_as_long_as_it_is_asked_to_and_not_for_ever() {
        for (asked, waited) in [
            (Duration::from_secs(7), Duration::from_secs(7)),
            (Duration::ZERO, Duration::from_millis(500)),
            (Duration::from_secs(1_000_000), LONGEST_ASKED),
        ] {
            let (mut pace, now) = (pace(5), Instant::now());
            pace.failed(now, Some(asked), 0.5).unwrap();
            assert_eq!(pace.wait(now), waited);
        }
    }

    #[test]
    fn gives_up_after_many_failures_in_a_row() {
        let (mut pace, now) = (pace(5), Instant::now());
        for _ in 1..MOST_FAILURES {
            pace.failed(now, None, 0.5).unwrap();
        }
        assert_eq!(pace.failed(now, None, 0.5), Err(Exhausted));
    }
}
