//! How far a series is from its profile just now, for a while.

use crate::{
    cusum::Counted,
    float::{exp, sqrt},
    rate::{SUM_SECONDS, SUMS, learn_dispersion},
    state::persist,
};

/// Seconds that a swing lasts: what differs from the profile is like this for half an hour.
const LASTS_SECONDS: f64 = 1_800.0;
/// Seconds after which what came is of no use any more.
const LONGEST_SECONDS: f64 = 4.0 * LASTS_SECONDS;
/// Least rate, and least and greatest variance of swings, that are counted with.
const LEAST_RATE: f64 = 1e-9;
const LEAST_VARIANCE: f64 = 1e-6;
const MOST_VARIANCE: f64 = 1.0;
/// Standard deviations of usual swings that a swing is believed to have at most.
const MOST: f64 = 2.0;

/// What came of late over what the profile expected, as far as it is more than chance.
///
/// A credibility estimate (Bühlmann 1967) of a level that returns to 1 within half an
/// hour: observed and expected events, faded as a steady Kalman filter fades them, each
/// with 1/σ² events of the expected level added, where σ² is what the dispersion
/// of five minutes has over that of chance. While a cumulative sum is under way
/// nothing is added, and it returns to 1. 56 bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Swing {
    ratio: f64,
    events: f64,
    expected: f64,
    /// Of sums of five minutes around what profile and swing expect.
    dispersion: f64,
    sum: Counted,
    sum_seconds: f64,
}

persist!(Swing {
    ratio,
    events,
    expected,
    dispersion,
    sum,
    sum_seconds
});

impl Swing {
    pub(crate) fn new() -> Self {
        Self {
            ratio: 1.0,
            events: 0.0,
            expected: 0.0,
            dispersion: 1.0,
            sum: Counted::default(),
            sum_seconds: 0.0,
        }
    }

    /// Returns what is to be expected now over what the profile expects.
    pub(crate) fn ratio(&self) -> f64 {
        self.ratio
    }

    /// Returns the dispersion of five minutes around what profile and swing expect.
    pub(crate) fn dispersion(&self) -> f64 {
        self.dispersion
    }

    /// Forgets what came of late.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            dispersion: self.dispersion,
            ..Self::new()
        };
    }

    /// Takes what came against what was expected with the swing, what the profile expected,
    /// the dispersion of five minutes around the profile, and whether a sum is under way.
    pub(crate) fn observe(
        &mut self,
        counted: Counted,
        profile: f64,
        seconds: f64,
        dispersion: f64,
        under_way: bool,
    ) {
        self.disperse(counted, seconds);
        let rate = (profile / seconds).max(LEAST_RATE);
        let variance =
            ((dispersion - 1.0) / (rate * SUM_SECONDS)).clamp(LEAST_VARIANCE, MOST_VARIANCE);
        let memory = if under_way {
            LASTS_SECONDS
        } else {
            // Where a swing moves as much as chance does.
            sqrt(LASTS_SECONDS / (2.0 * variance * rate)).min(LONGEST_SECONDS)
        };
        let fade = 1.0 - (seconds / memory).min(1.0);
        self.events *= fade;
        self.expected *= fade;
        if !under_way {
            self.events += counted.events;
            self.expected += profile;
        }
        let prior = 1.0 / variance;
        let most = exp(MOST * sqrt(variance));
        self.ratio = ((self.events + prior) / (self.expected + prior)).clamp(1.0 / most, most);
    }

    fn disperse(&mut self, counted: Counted, seconds: f64) {
        self.sum.events += counted.events;
        self.sum.expected += counted.expected;
        self.sum_seconds += seconds;
        if self.sum_seconds >= SUM_SECONDS {
            learn_dispersion(
                &mut self.dispersion,
                self.sum.events,
                self.sum.expected,
                SUMS,
            );
            (self.sum, self.sum_seconds) = (Counted::default(), 0.0);
        }
    }
}
