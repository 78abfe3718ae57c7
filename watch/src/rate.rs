//! How often events of one series come.

use crate::{
    cusum::{Counted, Poisson, THRESHOLD},
    float::{ln, sqrt},
    season::{Hour, Season},
    state::persist,
    swing::Swing,
    time::{TICK_SECONDS, Time},
    verdict::{figure, score},
};
use alloc::{format, string::String};

/// Where the sums towards twice and half the rate alarm: what swings for half an hour is
/// less than chance alone, which [`THRESHOLD`] is for.
const UP_THRESHOLD: f64 = 18.0;
const DOWN_THRESHOLD: f64 = 17.5;
/// What one expected event adds to these sums on average while the rate is twice or half.
const UP_GAIN: f64 = 0.386;
const DOWN_GAIN: f64 = 0.153;
/// An hour's dispersion is between a quarter and four times of an average hour's.
const LEAST_SCALE: f64 = 0.25;
const MOST_SCALE: f64 = 4.0;
/// Seconds over which counts are added up to measure their dispersion.
pub(crate) const SUM_SECONDS: f64 = 300.0;
/// Sums over which the dispersion fades: a week of five minutes.
pub(crate) const SUMS: f64 = 2_016.0;
/// Hours over which the dispersion of hours fades: two weeks.
const HOUR_SUMS: f64 = 336.0;
/// Squared standard deviations that a sum or an hour teaches at most.
const WINSOR: f64 = 9.0;
/// Observations that may be missing before nothing is known about the time between.
const GAP: u64 = 6;
/// A series is down by itself, rather than noisy, under this ratio to all others.
const FAR_DOWN: f64 = 0.62;
/// From this ratio on all others are as usual: their noise is smaller.
const OTHERS_USUAL: f64 = 0.85;
/// More events are a spike, rather than a good hour, from this ratio on.
const FAR_UP: f64 = 1.8;
/// Seconds over which the ratio that other series are compared by fades, at least, and
/// the events that have to be expected within them.
const LATELY_SECONDS: f64 = 900.0;
const LATELY_EVENTS: f64 = 100.0;
/// Seconds of a decision up to which the dispersion of five minutes counts alone.
const SHORT_SECONDS: f64 = 1_800.0;
/// Below one event in so many seconds silence can't be told within a day.
const LEAST_RATE: f64 = 1.0 / 50_000.0;

/// Rate detector of one series.
///
/// Counts are compared with the expectation of hour-of-week profile × level × swing (how
/// far the series is from its profile just now) by two Poisson cumulative sums, towards
/// half and towards twice the rate, divided by the dispersion D of sums around their
/// expectation (never under 1), of five minutes where a decision takes minutes and of an
/// hour around profile × level where it takes hours; thresholds 17.5 and 18. Silence is
/// an expectation of the profile since the last event of more than 14·√D.
/// Nothing alarms in the first week. Noise of 15 % that lasts for half an hour is worth a
/// word ([`Reading::is_notable`]) about once in 30 days (`docs/anomaly.md`). 1.7 KB.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// Seconds between two observations.
    every: u64,
    season: Season,
    dispersion: f64,
    hour_dispersion: f64,
    up: Poisson,
    down: Poisson,
    /// Expected since the last event.
    missed: f64,
    last_event: Time,
    last: Time,
    sum: f64,
    sum_expected: f64,
    sum_seconds: f64,
    lately: f64,
    lately_expected: f64,
    newest: Counted,
    swing: Swing,
}

persist!(Rate {
    every,
    season,
    dispersion,
    hour_dispersion,
    up,
    down,
    missed,
    last_event,
    last,
    sum,
    sum_expected,
    sum_seconds,
    lately,
    lately_expected,
    newest,
    swing,
});

/// What a series does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trend {
    /// What is usual, as far as known.
    Usual,
    /// More than usual.
    Up,
    /// Less than usual.
    Down,
    /// Nothing, for longer than chance explains.
    Silent,
}

/// What a series does, with the figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// In a word.
    pub trend: Trend,
    /// Events a second since that began.
    pub rate: f64,
    /// Events a second that are usual now.
    pub usual: f64,
    /// Observed over expected events since that began.
    pub ratio: f64,
    /// Observed over expected events of all other series in the same time; 1 if unknown.
    pub others: f64,
    /// Seconds since the last event.
    pub silent_seconds: u64,
    /// How sure that is: 1 at the threshold, more beyond; 0 if all is usual.
    pub strength: f64,
}

impl Reading {
    /// Tells whether it is worth a word: silent, at 1.8 times what is usual or more, or
    /// under 0.62 times that while all others aren't. Three standard deviations of a
    /// noise of 15 % are within.
    pub fn is_notable(&self) -> bool {
        match self.trend {
            Trend::Usual => false,
            Trend::Silent => true,
            Trend::Up => self.ratio >= FAR_UP,
            Trend::Down if self.others >= OTHERS_USUAL => self.ratio < FAR_DOWN,
            Trend::Down => self.ratio < FAR_DOWN * self.others,
        }
    }

    /// Returns how sure it is, 0.5 to 1: 0.5 is just over the threshold.
    pub fn score(&self) -> f64 {
        score(self.strength)
    }

    /// Returns the figures in plain words.
    pub fn evidence(&self) -> String {
        match self.trend {
            Trend::Usual => format!("{}/s as usual", figure(self.rate)),
            Trend::Silent => format!(
                "nothing for {} s against {}/s usual",
                self.silent_seconds,
                figure(self.usual)
            ),
            // What was usual in the same time, which may have been another one of the day.
            Trend::Up | Trend::Down => format!(
                "{}/s against {}/s usual",
                figure(self.rate),
                figure(self.rate / self.ratio.max(f64::MIN_POSITIVE))
            ),
        }
    }
}

/// Events that are expected within an hour, and the band that holds them 19 times of 20.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// When the hour begins.
    pub from: Time,
    /// Events, on average.
    pub events: f64,
    /// Lower end, 0 or more.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Default for Rate {
    fn default() -> Self {
        Self::new()
    }
}

impl Rate {
    /// Starts without knowledge, to be observed once a tick.
    pub fn new() -> Self {
        Self::every(TICK_SECONDS)
    }

    /// Starts without knowledge, to be observed once in so many seconds; at least 1.
    pub fn every(seconds: u64) -> Self {
        Self {
            every: seconds.max(1),
            season: Season::new(),
            dispersion: 1.0,
            hour_dispersion: 1.0,
            up: Poisson::new(2.0, UP_THRESHOLD),
            down: Poisson::new(0.5, DOWN_THRESHOLD),
            missed: 0.0,
            last_event: Time::default(),
            last: Time::default(),
            sum: 0.0,
            sum_expected: 0.0,
            sum_seconds: 0.0,
            lately: 0.0,
            lately_expected: 0.0,
            newest: Counted::default(),
            swing: Swing::new(),
        }
    }

    /// Takes how many events came since the call before, and returns what the series does.
    ///
    /// Call it once a tick, also if nothing came. After more than six ticks without a
    /// call nothing is taken to be known about the time between; a time that is not
    /// later than the last is passed over, unless it is more than an hour back.
    pub fn observe(&mut self, now: Time, events: u64) -> Reading {
        self.observe_among(now, events, Counted::default())
    }

    /// Takes how many events came, of all series as well.
    pub(crate) fn observe_among(&mut self, now: Time, events: u64, all: Counted) -> Reading {
        self.newest = Counted::default();
        let seconds = now.seconds_since(self.last);
        if seconds == 0 {
            if self.last.seconds_since(now) > 3_600 {
                self.restart(now);
            }
            return self.reading(now);
        }
        if seconds > self.every.saturating_mul(GAP) {
            self.restart(now);
            return self.reading(now);
        }
        self.last = now;
        self.take(now, seconds as f64, events as f64, all);
        self.reading(now)
    }

    /// Returns the expected rate at a time, in events a second.
    pub fn usual(&self, at: Time) -> f64 {
        self.season.rate(at)
    }

    /// Tells whether a whole week was learnt, before which nothing alarms.
    pub fn is_known(&self) -> bool {
        self.season.is_known()
    }

    /// Returns what is expected in each of the next 24 hours, from the next full hour on;
    /// nothing before a week is known. The band has the dispersion of whole hours.
    pub fn forecast(&self, now: Time) -> impl Iterator<Item = Expected> {
        let next = now.plus(3_600 - now.as_unix_seconds() % 3_600);
        let hours = if self.is_known() { 24 } else { 0 };
        (0..hours).map(move |hour| {
            let from = next.plus(hour * 3_600);
            let quarters = [450, 1_350, 2_250, 3_150].map(|middle| from.plus(middle));
            let events: f64 = quarters.map(|at| self.usual(at) * 900.0).iter().sum();
            let half = 1.96 * sqrt(events * self.hour_dispersion);
            Expected {
                from,
                events,
                low: (events - half).max(0.0),
                high: events + half + if events < 10.0 { 1.0 } else { 0.0 },
            }
        })
    }

    /// Returns what the last call counted; nothing before a week is known.
    pub(crate) fn newest(&self) -> Counted {
        self.newest
    }

    /// Returns observed and expected events of about the last quarter of an hour.
    pub(crate) fn lately(&self) -> (f64, f64) {
        (self.lately, self.lately_expected)
    }

    /// Returns what was expected since the last event over what alarms, 14·√D.
    pub(crate) fn missed(&self) -> f64 {
        let rate = self.season.rate(self.last);
        self.missed / (THRESHOLD * sqrt(self.dispersion_at(rate, DOWN_GAIN)))
    }

    /// Returns how near it is to saying something, 1 and more where it does.
    pub(crate) fn suspicion(&self) -> f64 {
        let sums = self.up.strength().max(self.down.strength());
        sums.max(self.missed())
    }

    /// Returns the dispersion of sums as long as a decision takes at a rate, after
    /// D·h/(λ·gain) seconds: noise that lasts adds up. What a dispersion has over that of
    /// chance, 1, is in proportion to the rate.
    fn dispersion_at(&self, rate: f64, gain: f64) -> f64 {
        let rate = rate.max(1e-9);
        let scale = (rate / self.season.level().max(1e-9)).clamp(LEAST_SCALE, MOST_SCALE);
        let scaled = |dispersion: f64| 1.0 + (dispersion - 1.0) * scale;
        let short = scaled(self.swing.dispersion());
        let hour = scaled(self.hour_dispersion);
        let seconds = short * DOWN_THRESHOLD / (gain * rate);
        let long = (ln(seconds / SHORT_SECONDS) / ln(4.0)).clamp(0.0, 1.0);
        short + long * (hour - short).max(0.0)
    }

    fn restart(&mut self, now: Time) {
        self.last = now;
        self.last_event = now;
        self.missed = 0.0;
        self.up.reset();
        self.down.reset();
        (self.sum, self.sum_expected, self.sum_seconds) = (0.0, 0.0, 0.0);
        (self.lately, self.lately_expected) = (0.0, 0.0);
        self.swing.restart();
    }

    fn take(&mut self, now: Time, seconds: f64, events: f64, all: Counted) {
        let profile = self.season.rate(now) * seconds;
        if self.is_known() {
            let expected = profile * self.swing.ratio();
            self.newest = Counted { events, expected };
            let dispersion = |gain| self.dispersion_at(profile / seconds, gain);
            let (up, down) = (dispersion(UP_GAIN), dispersion(DOWN_GAIN));
            self.up.observe(self.newest, seconds, up, all);
            self.down.observe(self.newest, seconds, down, all);
            let under_way = self.up.has_begun() || self.down.has_begun();
            let dispersion = self.dispersion;
            self.swing
                .observe(self.newest, profile, seconds, dispersion, under_way);
            self.disperse(profile, seconds, events);
            let memory = LATELY_SECONDS.max(seconds * LATELY_EVENTS / profile.max(0.01));
            let fade = 1.0 - (seconds / memory).min(1.0);
            self.lately = self.lately * fade + events;
            self.lately_expected = self.lately_expected * fade + profile;
        }
        self.missed += profile;
        if events > 0.0 {
            self.missed = 0.0;
            self.last_event = now;
        }
        let hour = self
            .season
            .observe(now, seconds, events, self.hour_dispersion);
        if let Some(Hour { events, expected }) = hour {
            learn_dispersion(&mut self.hour_dispersion, events, expected, HOUR_SUMS);
        }
    }

    fn disperse(&mut self, expected: f64, seconds: f64, events: f64) {
        self.sum += events;
        self.sum_expected += expected;
        self.sum_seconds += seconds;
        if self.sum_seconds >= SUM_SECONDS {
            learn_dispersion(&mut self.dispersion, self.sum, self.sum_expected, SUMS);
            (self.sum, self.sum_expected, self.sum_seconds) = (0.0, 0.0, 0.0);
        }
    }

    fn reading(&self, now: Time) -> Reading {
        let usual = self.season.rate(now);
        let silent_seconds = now.seconds_since(self.last_event);
        let (trend, rate, ratio) = if !self.is_known() {
            (Trend::Usual, usual, 1.0)
        } else if self.missed() > 1.0 && usual > LEAST_RATE {
            (Trend::Silent, 0.0, 0.0)
        } else if self.up.alarms() {
            (Trend::Up, self.up.rate(), self.up.observed_ratio())
        } else if self.down.alarms() {
            (Trend::Down, self.down.rate(), self.down.observed_ratio())
        } else {
            (Trend::Usual, usual, 1.0)
        };
        let strength = match trend {
            Trend::Usual => 0.0,
            Trend::Silent => self.missed(),
            Trend::Up | Trend::Down => 1.0 + ln(ratio.max(0.01)).abs(),
        };
        Reading {
            trend,
            rate,
            usual,
            ratio,
            others: match trend {
                Trend::Up => self.up.others_ratio(),
                Trend::Down => self.down.others_ratio(),
                Trend::Usual | Trend::Silent => 1.0,
            },
            silent_seconds,
            strength,
        }
    }
}

/// Learns Pearson's dispersion from one sum; never under 1, that of a Poisson process.
pub(crate) fn learn_dispersion(dispersion: &mut f64, events: f64, expected: f64, memory: f64) {
    if expected <= 0.0 {
        return;
    }
    let error = events - expected;
    let term = (error * error / expected).min(WINSOR * *dispersion + 1.0);
    *dispersion = (*dispersion + (term - *dispersion) / memory).max(1.0);
}
