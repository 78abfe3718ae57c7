//! What is usual at an hour of the week.

use crate::{
    state::persist,
    time::{HOURS, Time},
};

/// How much of the newest week an hour takes over.
const LEARNING_RATE: f64 = 0.3;
/// Hours over which the level fades: a week.
const LEVEL_HOURS: f64 = 168.0;
/// Hours until the profile is known: each hour of the week once.
const KNOWN_AFTER: f64 = 168.0;
/// An hour that was observed for less than this share teaches nothing.
const LEAST_SHARE: f64 = 0.5;
/// By how many times an hour may differ from what was expected and still be learnt whole.
const WINSOR: f64 = 2.0;
/// How many times the next greatest an hour of the first week may be and be learnt whole.
const FIRST_WINSOR: f64 = 10.0;

/// Profile of the week times a slow level, both learnt an hour at a time.
///
/// Expected rate = level × profile of 168 hours, interpolated between the middles
/// of hours (multiplicative Holt-Winters without trend, Winters 1960). What an
/// hour teaches is held within a factor of two of what was expected, and three
/// standard deviations, so that no burst and no outage becomes the baseline; of the first
/// week within ten times the next greatest hour, where there is one.
/// 1.4 KB.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Season {
    /// Of the level; 1 on average.
    profile: [f64; HOURS],
    /// Events a second.
    level: f64,
    /// Hours learnt, at most as many as matter.
    hours: f64,
    /// Weeks learnt of each hour.
    weeks: [f64; HOURS],
    /// The hour that is being observed, its events, seconds and expectation.
    hour: u64,
    events: f64,
    seconds: f64,
    expected: f64,
}

persist!(Season {
    profile,
    level,
    hours,
    weeks,
    hour,
    events,
    seconds,
    expected,
} as "profile of a week");

/// An hour that is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hour {
    /// Events that came.
    pub(crate) events: f64,
    /// Events that were expected before it was learnt.
    pub(crate) expected: f64,
}

impl Season {
    fn is_sound(&self) -> bool {
        let shares = self.profile.iter().chain(&self.weeks);
        let others = [
            self.level,
            self.hours,
            self.events,
            self.seconds,
            self.expected,
        ];
        shares.chain(&others).all(|value| *value >= 0.0)
    }

    pub(crate) fn new() -> Self {
        Self {
            profile: [1.0; HOURS],
            level: 0.0,
            hours: 0.0,
            weeks: [0.0; HOURS],
            hour: 0,
            events: 0.0,
            seconds: 0.0,
            expected: 0.0,
        }
    }

    /// Returns events a second on average.
    pub(crate) fn level(&self) -> f64 {
        self.level
    }

    /// Tells whether every hour of the week was seen.
    pub(crate) fn is_known(&self) -> bool {
        self.hours >= KNOWN_AFTER
    }

    /// Returns the expected rate at a time, in events a second.
    pub(crate) fn rate(&self, now: Time) -> f64 {
        let (hour, over) = now.hour();
        let here = self.at(hour);
        let (other, share) = if over < 0.5 {
            (self.at(hour + HOURS - 1), 0.5 - over)
        } else {
            (self.at(hour + 1), over - 0.5)
        };
        self.level * (here * (1.0 - share) + other * share)
    }

    /// Takes what came within some seconds up to `now`; returns an hour when it is
    /// over and was observed for most of its time. `dispersion` as of [`crate::rate`].
    pub(crate) fn observe(
        &mut self,
        now: Time,
        seconds: f64,
        events: f64,
        dispersion: f64,
    ) -> Option<Hour> {
        let hour = now.as_unix_seconds() / 3_600;
        let mut closed = None;
        if hour != self.hour {
            closed = self.close(dispersion);
            self.hour = hour;
            (self.events, self.seconds, self.expected) = (0.0, 0.0, 0.0);
        }
        self.events += events;
        self.seconds += seconds;
        self.expected += self.rate(now) * seconds;
        closed
    }

    fn close(&mut self, dispersion: f64) -> Option<Hour> {
        if self.seconds < 3_600.0 * LEAST_SHARE {
            return None;
        }
        let observed = Hour {
            events: self.events,
            expected: self.expected,
        };
        let mut events = self.events;
        if self.is_known() {
            let slack = 3.0 * crate::float::sqrt(self.expected * dispersion + 1.0);
            events = events.clamp(
                (self.expected / WINSOR - slack).max(0.0),
                self.expected * WINSOR + slack,
            );
        }
        self.learn(events / self.seconds);
        self.is_known().then_some(observed)
    }

    /// Learns the rate of the hour that is over.
    fn learn(&mut self, rate: f64) {
        let index = (self.hour % HOURS as u64) as usize;
        let usual = self.at(index);
        let known = self.is_known();
        self.hours += 1.0;
        let of_level = if known && usual > 0.05 {
            rate / usual
        } else if known {
            self.level
        } else {
            // The profile isn't known: the level is the mean of all hours.
            rate
        };
        let weight = (1.0 / self.hours).max(1.0 / LEVEL_HOURS);
        self.level += weight * (of_level - self.level);
        if let (Some(share), Some(weeks)) = (self.profile.get_mut(index), self.weeks.get_mut(index))
        {
            // In the first week shares are kept as rates, since the level isn't known.
            let value = match (known, self.level > 0.0) {
                (true, true) => rate / self.level,
                (true, false) => *share,
                (false, _) => rate,
            };
            let weight = (1.0 / (*weeks + 1.0)).max(LEARNING_RATE);
            *share += weight * (value - *share);
            *weeks += 1.0;
        }
        if !known && self.is_known() {
            self.normalise();
        }
    }

    /// Makes rates of the first week shares of their mean. What was usual isn't known yet:
    /// an hour is held to the others.
    fn normalise(&mut self) {
        let (mut greatest, mut next) = (0.0_f64, 0.0_f64);
        for rate in self.profile {
            next = next.max(rate.min(greatest));
            greatest = greatest.max(rate);
        }
        if next > 0.0 {
            for rate in &mut self.profile {
                *rate = rate.min(FIRST_WINSOR * next);
            }
        }
        let mean = self.profile.iter().sum::<f64>() / HOURS as f64;
        for share in &mut self.profile {
            *share = if mean > 0.0 { *share / mean } else { 1.0 };
        }
        self.level = mean;
    }

    fn at(&self, hour: usize) -> f64 {
        if self.is_known() {
            self.profile.get(hour % HOURS).copied().unwrap_or(1.0)
        } else {
            1.0
        }
    }
}
