//! Whether and where a destination may be tried now.
//!
//! Four things hold an attempt back: the destination's rate, a pause after a
//! 429, the number of deliveries under way (halved by each 429, one more for
//! each round without: additive increase, multiplicative decrease, RFC 5681
//! section 3.1), and a circuit breaker for each target
//! (<https://martinfowler.com/bliki/CircuitBreaker.html>).

use std::{num::NonZeroU32, num::NonZeroUsize, time::Duration};

use hookgate_core::time::Timestamp;

use super::{
    destination::Destination,
    job::{Outcome, Via},
    retry::{RetryPolicy, later},
};

/// Sets when a target counts as unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Breaking {
    /// After so many attempts without an answer, one after the other.
    pub(crate) after: NonZeroU32,
    /// How long it is left alone before one attempt probes it; twice as long
    /// after each probe that fails.
    pub(crate) initial: Duration,
    /// Longest time between probes.
    pub(crate) longest: Duration,
}

impl Default for Breaking {
    fn default() -> Self {
        Self {
            after: NonZeroU32::MIN.saturating_add(4),
            initial: Duration::from_secs(1),
            longest: Duration::from_secs(30),
        }
    }
}

/// Keeps what is known of a destination's state.
#[derive(Debug)]
pub(crate) struct Health {
    primary: Breaker,
    secondary: Option<Breaker>,
    retry: RetryPolicy,
    /// Nothing is sent before this time: a 429, or the rate.
    paused_until: Timestamp,
    pace: Option<Pace>,
    window: Window,
}

/// Says whether a target counts as there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circuit {
    /// It answers, as far as is known; so often in a row it didn't.
    Closed {
        /// Attempts without an answer.
        failures: u32,
    },
    /// It doesn't: nothing before this time, then a probe.
    Open {
        /// When.
        until: Timestamp,
    },
    /// A probe is under way.
    Probing,
}

/// Says what may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Send there.
    Now(Via),
    /// Nothing before this time, unless something is heard of earlier.
    At(Timestamp),
    /// Nothing before a delivery that is under way has ended.
    Full,
}

impl Health {
    /// Begins with a destination that is well.
    pub(crate) fn new(destination: &Destination) -> Self {
        let breaker = || Breaker::new(destination.breaking, destination.timeout);
        Self {
            primary: breaker(),
            secondary: destination.secondary.as_ref().map(|_| breaker()),
            retry: destination.retry,
            paused_until: Timestamp::from_unix_millis(0),
            pace: destination.rate.map(Pace::new),
            window: Window::new(destination.concurrency),
        }
    }

    /// Returns how many events are worth having at hand: as many as may be under
    /// way, and can be tried soon.
    pub(crate) fn room(&self) -> NonZeroUsize {
        let soon = self.pace.as_ref().map(Pace::soon);
        soon.map_or(self.window.size, |soon| soon.min(self.window.size))
    }

    /// Tells whether one more may be sent while so many are under way, and
    /// takes the permit if so.
    pub(crate) fn permit(&mut self, under_way: usize, now: Timestamp) -> Permit {
        if self.paused_until > now {
            return Permit::At(self.paused_until);
        }
        if under_way >= self.window.size.get() {
            return Permit::Full;
        }
        if let Some(at) = self.pace.as_ref().and_then(|pace| pace.wait(now)) {
            return Permit::At(at);
        }
        match self.route(now) {
            Ok(via) => {
                if let Some(pace) = &mut self.pace {
                    pace.take(now);
                }
                Permit::Now(via)
            }
            Err(at) => Permit::At(at),
        }
    }

    /// Says whether its targets count as there.
    pub(crate) fn circuits(&self) -> (Circuit, Option<Circuit>) {
        let secondary = self.secondary.as_ref().map(Breaker::circuit);
        (self.primary.circuit(), secondary)
    }

    /// Returns until when nothing is sent because of a 429.
    pub(crate) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        (self.paused_until > now).then_some(self.paused_until)
    }

    /// Returns until when nothing can be sent; `None`: something can.
    pub(crate) fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        if self.paused_until > now {
            return Some(self.paused_until);
        }
        let primary = self.primary.closed_until(now)?;
        match &self.secondary {
            Some(secondary) => Some(secondary.closed_until(now)?.min(primary)),
            None => Some(primary),
        }
    }

    /// Tells whether an event goes to the secondary at once after this outcome
    /// at the primary, and takes the permit if so. One that only came to no
    /// answer in time does if that happens to all of them: the primary may have
    /// it.
    pub(crate) fn fail_over(&mut self, outcome: Outcome, now: Timestamp) -> bool {
        let is_gone = match outcome {
            Outcome::Unavailable => true,
            Outcome::TimedOut => self.primary.is_open(),
            _ => false,
        };
        is_gone
            && self.paused_until <= now
            && self
                .secondary
                .as_mut()
                .is_some_and(|it| it.admit(now).is_ok())
    }

    /// Takes note of an attempt's outcome.
    pub(crate) fn observe(&mut self, via: Via, outcome: Outcome, now: Timestamp) {
        let breaker = match via {
            Via::Primary => Some(&mut self.primary),
            Via::Secondary => self.secondary.as_mut(),
        };
        if let Some(breaker) = breaker {
            match outcome {
                Outcome::Unavailable | Outcome::TimedOut => breaker.fail(now),
                // Whoever answers is there.
                _ => breaker.succeed(),
            }
        }
        match outcome {
            Outcome::Throttled { retry_after } => {
                let until = later(now, self.retry.pause(retry_after));
                // Those that were under way together count as one.
                if self.paused_until <= now {
                    self.window.shrink();
                }
                self.paused_until = self.paused_until.max(until);
            }
            Outcome::Delivered => self.window.grow(),
            _ => {}
        }
    }

    /// # Errors
    /// When the first breaker lets a probe through.
    fn route(&mut self, now: Timestamp) -> Result<Via, Timestamp> {
        let primary_at = match self.primary.admit(now) {
            Ok(()) => return Ok(Via::Primary),
            Err(at) => at,
        };
        match self.secondary.as_mut().map(|breaker| breaker.admit(now)) {
            Some(Ok(())) => Ok(Via::Secondary),
            Some(Err(at)) => Err(at.min(primary_at)),
            None => Err(primary_at),
        }
    }
}

#[derive(Debug)]
struct Breaker {
    breaking: Breaking,
    /// How long nothing may be heard of a probe: no attempt takes longer.
    unheard: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Timestamp,
        wait: Duration,
    },
    /// A probe is under way; if nothing is heard of it, another follows.
    Probing {
        until: Timestamp,
        wait: Duration,
    },
}

impl Breaker {
    fn new(breaking: Breaking, timeout: Duration) -> Self {
        Self {
            breaking,
            unheard: breaking.longest.max(timeout),
            state: State::Closed { failures: 0 },
        }
    }

    const fn circuit(&self) -> Circuit {
        match self.state {
            State::Closed { failures } => Circuit::Closed { failures },
            State::Open { until, .. } => Circuit::Open { until },
            State::Probing { .. } => Circuit::Probing,
        }
    }

    /// Returns when the next probe is let through, if not now.
    fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until, .. } | State::Probing { until, .. } => {
                (until > now).then_some(until)
            }
        }
    }

    /// # Errors
    /// When the next probe is let through.
    fn admit(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { wait, .. } | State::Probing { wait, .. } => {
                if let Some(until) = self.closed_until(now) {
                    return Err(until);
                }
                let until = later(now, self.unheard);
                self.state = State::Probing { until, wait };
                Ok(())
            }
        }
    }

    fn fail(&mut self, now: Timestamp) {
        self.state = match self.state {
            State::Closed { failures } => {
                let failures = failures.saturating_add(1);
                if failures < self.breaking.after.get() {
                    State::Closed { failures }
                } else {
                    self.open(now, self.breaking.initial)
                }
            }
            State::Probing { wait, .. } => self.open(now, wait.saturating_mul(2)),
            // From before it opened: nothing new.
            open @ State::Open { .. } => open,
        };
    }

    fn open(&self, now: Timestamp, wait: Duration) -> State {
        let wait = wait.min(self.breaking.longest);
        State::Open {
            until: later(now, wait),
            wait,
        }
    }

    const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    const fn succeed(&mut self) {
        self.state = State::Closed { failures: 0 };
    }
}

/// Deliveries that may be under way.
#[derive(Debug)]
struct Window {
    size: NonZeroUsize,
    most: NonZeroUsize,
    /// Delivered since the window last grew.
    delivered: usize,
}

impl Window {
    const fn new(most: NonZeroUsize) -> Self {
        Self {
            size: most,
            most,
            delivered: 0,
        }
    }

    fn grow(&mut self) {
        if self.size == self.most {
            return;
        }
        self.delivered += 1;
        if self.delivered >= self.size.get() {
            self.delivered = 0;
            self.size = self.size.saturating_add(1);
        }
    }

    fn shrink(&mut self) {
        self.delivered = 0;
        self.size = NonZeroUsize::new(self.size.get() / 2).unwrap_or(NonZeroUsize::MIN);
    }
}

/// How long an event may lie at hand before it is tried: far less than until
/// the schedule believes that whoever has it is dead.
const SOON: Duration = Duration::from_secs(5);

/// Spaces attempts evenly, in microseconds.
#[derive(Debug)]
struct Pace {
    interval: u64,
    /// When the next one may start.
    next: u64,
}

impl Pace {
    fn new(rate: NonZeroU32) -> Self {
        Self {
            interval: 1_000_000 / u64::from(rate.get()),
            next: 0,
        }
    }

    /// Returns how many are tried in [`SOON`].
    fn soon(&self) -> NonZeroUsize {
        let count = u64::try_from(SOON.as_micros()).unwrap_or(u64::MAX) / self.interval.max(1);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
    }

    fn wait(&self, now: Timestamp) -> Option<Timestamp> {
        let due = Timestamp::from_unix_millis(self.next / 1_000);
        (due > now).then_some(due)
    }

    fn take(&mut self, now: Timestamp) {
        let now = now.unix_millis().saturating_mul(1_000);
        self.next = self.next.max(now).saturating_add(self.interval);
    }
}

#[cfg(test)]
mod tests;
