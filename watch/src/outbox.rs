//! Verdicts that wait to be told to somebody: one at a time, and again after a failure.

use alloc::{collections::VecDeque, string::String};

/// How often a verdict is sent, and milliseconds after a failure until it is again.
const ATTEMPTS: u32 = 3;
const RETRY_MILLIS: u64 = 2_000;

/// Verdicts that wait at most; the oldest go, but for the one under way.
const MAX_WAITING: usize = 64;

/// Verdicts for one receiver. No clock and no I/O: a host sends what [`next`](Self::next)
/// returns, and says how it [`ended`](Self::ended).
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    /// Whether the first is being sent.
    is_under_way: bool,
}

#[derive(Debug)]
struct Waiting {
    event: String,
    attempts: u32,
    due_millis: u64,
}

/// Says what becomes of a verdict that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was told.
    Told,
    /// It is sent again.
    Again,
    /// It is not sent any more.
    GivenUp,
}

impl Outbox {
    /// Takes a verdict; returns whether none had to go for it.
    pub fn take(&mut self, event: String) -> bool {
        let has_room = self.waiting.len() < MAX_WAITING;
        if !has_room {
            self.waiting.remove(usize::from(self.is_under_way));
        }
        self.waiting.push_back(Waiting {
            event,
            attempts: 0,
            due_millis: 0,
        });
        has_room
    }

    /// Returns the oldest if it is due and none is under way; it is from then on.
    pub fn next(&mut self, now_millis: u64) -> Option<&str> {
        let first = self.waiting.front_mut()?;
        // A clock that was set back makes nobody wait longer.
        let waits = (1..=RETRY_MILLIS).contains(&first.due_millis.saturating_sub(now_millis));
        if self.is_under_way || waits {
            return None;
        }
        self.is_under_way = true;
        first.attempts += 1;
        Some(&first.event)
    }

    /// Takes how the one under way ended.
    pub fn ended(&mut self, is_told: bool, now_millis: u64) -> Sent {
        self.is_under_way = false;
        if let Some(first) = self.waiting.front_mut()
            && !is_told
            && first.attempts < ATTEMPTS
        {
            first.due_millis = now_millis.saturating_add(RETRY_MILLIS);
            return Sent::Again;
        }
        self.waiting.pop_front();
        if is_told { Sent::Told } else { Sent::GivenUp }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::{Outbox, Sent};

    #[test]
    fn a_verdict_is_sent_three_times_and_then_the_next() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.next(0), None);
        assert!(outbox.take("a".to_string()) && outbox.take("b".to_string()));
        let sent = [Sent::Again, Sent::Again, Sent::GivenUp];
        for (now, sent) in (0..).step_by(2_000).zip(sent) {
            assert_eq!(outbox.next(now), Some("a"));
            assert_eq!(outbox.next(now), None, "one at a time");
            assert_eq!(outbox.ended(false, now), sent);
            let soon = outbox.next(now + 1_999).is_some();
            assert_eq!(soon, sent == Sent::GivenUp);
        }
        assert_eq!(outbox.ended(false, 4_000), Sent::Again, "the next one");
        assert_eq!(outbox.next(6_000), Some("b"));
        assert_eq!(outbox.ended(true, 6_000), Sent::Told);
        assert_eq!(outbox.next(9_000), None);
    }

    #[test]
    fn of_too_many_the_one_under_way_stays_and_no_other_is_taken_for_it() {
        let mut outbox = Outbox::default();
        assert!(outbox.take("0".to_string()));
        assert_eq!(outbox.next(0), Some("0"));
        let kept = (1..=70).filter(|number| outbox.take(number.to_string()));
        assert_eq!(kept.count(), 63);
        assert_eq!(outbox.ended(false, 0), Sent::Again);
        assert_eq!(outbox.next(2_000), Some("0"));
        assert_eq!(outbox.ended(true, 2_000), Sent::Told);
        assert_eq!(outbox.next(2_000), Some("8"));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_verdict_wait() {
        let mut outbox = Outbox::default();
        outbox.take("a".to_string());
        assert_eq!(outbox.next(86_400_000), Some("a"));
        assert_eq!(outbox.ended(false, 86_400_000), Sent::Again);
        assert_eq!(outbox.next(0), Some("a"));
    }
}
