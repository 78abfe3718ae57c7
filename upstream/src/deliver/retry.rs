//! When an event is tried again, and when automation gives up.
//!
//! Exponential with jitter, so that events that failed together don't come
//! back together: <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>.

use std::time::Duration;

use hookgate_core::time::Timestamp;

use super::job::{Outcome, ParkReason, Settlement};

/// Sets when to try again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RetryPolicy {
    /// Wait before the second attempt.
    pub(crate) initial: Duration,
    /// By how much each wait is longer than the one before; at least 1.
    pub(crate) factor: f64,
    /// Longest wait.
    pub(crate) longest: Duration,
    /// How much of a wait is left to chance, 0 to 1: a wait of 10 s with 0.2
    /// is one of 8 to 12 s.
    pub(crate) jitter: f64,
    /// Attempts after which an event is parked; `None`: only time ends them.
    pub(crate) attempts: Option<u32>,
    /// How long after its first attempt an event is parked.
    pub(crate) give_up_after: Duration,
    /// How long a destination is left alone after a 429 without `Retry-After`.
    pub(crate) cool_down: Duration,
    /// How long it is left alone because it asks for it, at most.
    pub(crate) longest_cool_down: Duration,
}

impl Default for RetryPolicy {
    /// Three days, as Stripe itself tries.
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(5),
            factor: 2.0,
            longest: Duration::from_secs(60 * 60),
            jitter: 0.2,
            attempts: None,
            give_up_after: Duration::from_secs(3 * 24 * 60 * 60),
            cool_down: Duration::from_secs(60),
            longest_cool_down: Duration::from_secs(60 * 60),
        }
    }
}

/// Is what is known of an event that was just tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    /// Number of the last attempt, from 1 since it became due.
    pub(crate) number: u32,
    /// When the event became due, for the first time or by a person.
    pub(crate) first_at: Timestamp,
    /// What the last attempt came to.
    pub(crate) outcome: Outcome,
}

impl RetryPolicy {
    /// Decides what becomes of an event. `chance` is in 0 to 1.
    pub(crate) fn judge(&self, tried: Tried, now: Timestamp, chance: f64) -> Settlement {
        let wait = match tried.outcome {
            Outcome::Delivered => return Settlement::Delivered,
            Outcome::Refused => {
                return Settlement::Park {
                    reason: ParkReason::Refused,
                };
            }
            Outcome::Throttled { retry_after } => self
                .pause(retry_after)
                .max(self.backoff(tried.number, chance)),
            Outcome::Unavailable | Outcome::TimedOut | Outcome::Failed => {
                self.backoff(tried.number, chance)
            }
        };
        let at = later(now, wait);
        let tried_often = self.attempts.is_some_and(|most| tried.number >= most);
        if tried_often || at > later(tried.first_at, self.give_up_after) {
            return Settlement::Park {
                reason: ParkReason::Exhausted,
            };
        }
        Settlement::Retry { at }
    }

    /// Returns how long a destination is left alone after a 429.
    pub(crate) fn pause(&self, retry_after: Option<Duration>) -> Duration {
        retry_after.map_or(self.cool_down, |asked| asked.min(self.longest_cool_down))
    }

    fn backoff(&self, number: u32, chance: f64) -> Duration {
        let exponent = f64::from(number.saturating_sub(1));
        let wait = self.initial.as_secs_f64() * self.factor.powf(exponent);
        let wait = wait.min(self.longest.as_secs_f64());
        let scale = 1.0 + self.jitter * (2.0 * chance - 1.0);
        Duration::try_from_secs_f64(wait * scale).unwrap_or(self.longest)
    }
}

/// Adds a duration to a time.
pub(crate) fn later(time: Timestamp, by: Duration) -> Timestamp {
    let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_unix_millis(time.unix_millis().saturating_add(millis))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hookgate_core::time::Timestamp;

    use super::{Outcome, ParkReason, RetryPolicy, Settlement, Tried, later};

    const START: Timestamp = Timestamp::from_unix_seconds(1_760_000_000);

    fn tried(number: u32, outcome: Outcome) -> Tried {
        Tried {
            number,
            first_at: START,
            outcome,
        }
    }

    fn wait(policy: &RetryPolicy, number: u32, outcome: Outcome, chance: f64) -> Duration {
        match policy.judge(tried(number, outcome), START, chance) {
            Settlement::Retry { at } => at.distance(START),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn waits_longer_each_time_up_to_the_longest() {
        let policy = RetryPolicy::default();
        for (number, seconds) in [
            (1, 5),
            (2, 10),
            (3, 20),
            (10, 2_560),
            (11, 3_600),
            (500, 3_600),
        ] {
            for outcome in [Outcome::Failed, Outcome::Unavailable, Outcome::TimedOut] {
                let waited = wait(&policy, number, outcome, 0.5);
                assert_eq!(waited, Duration::from_secs(seconds), "{number}");
            }
        }
    }

    #[test]
    fn leaves_a_fifth_of_each_wait_to_chance() {
        let policy = RetryPolicy::default();
        let of_chance = |chance| wait(&policy, 2, Outcome::Failed, chance);
        assert_eq!(of_chance(0.0), Duration::from_secs(8));
        assert_eq!(of_chance(1.0), Duration::from_secs(12));
    }

    #[test]
    fn waits_as_long_as_a_receiver_asks_and_never_less_than_the_backoff() {
        let policy = RetryPolicy::default();
        let throttled = |seconds| Outcome::Throttled {
            retry_after: Some(Duration::from_secs(seconds)),
        };
        for (number, outcome, seconds) in [
            (1, throttled(7), 7),
            (3, throttled(7), 20),
            (1, throttled(86_400), 3_600),
            (1, Outcome::Throttled { retry_after: None }, 60),
        ] {
            let waited = wait(&policy, number, outcome, 0.5);
            assert_eq!(waited, Duration::from_secs(seconds), "{outcome:?}");
        }
    }

    #[test]
    fn parks_what_is_refused_and_what_was_tried_enough() {
        let policy = RetryPolicy {
            attempts: Some(3),
            ..RetryPolicy::default()
        };
        let exhausted = Settlement::Park {
            reason: ParkReason::Exhausted,
        };
        let refused = Settlement::Park {
            reason: ParkReason::Refused,
        };
        let judge = |number, outcome, now| policy.judge(tried(number, outcome), now, 0.5);
        assert_eq!(judge(1, Outcome::Refused, START), refused);
        assert_ne!(judge(2, Outcome::Failed, START), exhausted);
        assert_eq!(judge(3, Outcome::Failed, START), exhausted);
        let three_days = later(START, policy.give_up_after);
        assert_eq!(judge(1, Outcome::Failed, three_days), exhausted);
        assert_eq!(
            judge(3, Outcome::Delivered, three_days),
            Settlement::Delivered
        );
    }
}
