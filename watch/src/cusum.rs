//! Cumulative sums (Page 1954): how long something has been other than usual.

use crate::{float::ln, state::persist};

/// Where every sum alarms: about one false alarm in e^14 = 1.2 million samples of
/// what the model describes.
pub(crate) const THRESHOLD: f64 = 14.0;
/// Where every sum stops, over its threshold, so that the end of an anomaly is seen soon.
const CAP: f64 = 1.3;

/// Share of its threshold from which on a sum has begun to tell something: what it counts
/// is counted from there.
const BEGUN: f64 = 0.15;
/// Events of all others that must be expected before they are compared with.
const COMPARABLE: f64 = 5.0;

/// Poisson cumulative sum of counts against expectations, for one ratio.
///
/// Adds (n·ln r − μ·(r − 1)) / D: the logarithm of the likelihood ratio of r times
/// the expected rate (Lucas 1985), divided by the dispersion as in quasi-Poisson
/// models. Beside it counts what all series together did in the same time. 64 bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Poisson {
    ratio: f64,
    threshold: f64,
    sum: f64,
    events: f64,
    expected: f64,
    seconds: f64,
    all: Counted,
}

/// Events and how many were expected.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Counted {
    pub(crate) events: f64,
    pub(crate) expected: f64,
}

persist!(Counted { events, expected });
persist!(Poisson {
    ratio,
    threshold,
    sum,
    events,
    expected,
    seconds,
    all
} as "cumulative sum");

impl Poisson {
    fn is_sound(&self) -> bool {
        self.ratio > 0.0 && self.threshold > 0.0
    }

    /// Watches for `ratio` times the expected rate; positive and not 1.
    pub(crate) fn new(ratio: f64, threshold: f64) -> Self {
        Self {
            ratio,
            threshold,
            sum: 0.0,
            events: 0.0,
            expected: 0.0,
            seconds: 0.0,
            all: Counted::default(),
        }
    }

    /// Takes what was counted within some seconds, the dispersion (≥ 1), and what was
    /// counted of all series.
    pub(crate) fn observe(
        &mut self,
        counted: Counted,
        seconds: f64,
        dispersion: f64,
        all: Counted,
    ) {
        let gain = counted.events * ln(self.ratio) - counted.expected * (self.ratio - 1.0);
        self.sum = (self.sum + gain / dispersion).clamp(0.0, CAP * self.threshold);
        if self.has_begun() {
            self.events += counted.events;
            self.expected += counted.expected;
            self.seconds += seconds;
            self.all.events += all.events;
            self.all.expected += all.expected;
        } else {
            *self = Self {
                sum: self.sum,
                ..Self::new(self.ratio, self.threshold)
            };
        }
    }

    /// Forgets what it summed up.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.ratio, self.threshold);
    }

    /// Returns the sum over its threshold.
    pub(crate) fn strength(&self) -> f64 {
        self.sum / self.threshold
    }

    /// Tells whether the sum has begun to tell something.
    pub(crate) fn has_begun(&self) -> bool {
        self.sum > BEGUN * self.threshold
    }

    /// Tells whether the sum is over its threshold.
    pub(crate) fn alarms(&self) -> bool {
        self.sum >= self.threshold
    }

    /// Returns observed over expected events of all other series since it began;
    /// 1 if too few were expected to tell.
    pub(crate) fn others_ratio(&self) -> f64 {
        let expected = self.all.expected - self.expected;
        if expected > COMPARABLE {
            (self.all.events - self.events).max(0.0) / expected
        } else {
            1.0
        }
    }

    /// Returns events since it began, over what was expected; 1 if nothing was.
    pub(crate) fn observed_ratio(&self) -> f64 {
        if self.expected > 0.0 {
            self.events / self.expected
        } else {
            1.0
        }
    }

    /// Returns events a second since it began.
    pub(crate) fn rate(&self) -> f64 {
        self.events / self.seconds.max(1.0)
    }
}

/// Bernoulli cumulative sum of outcomes against the usual share of bad ones.
///
/// Adds the logarithm of the likelihood ratio of the share p1 against p0 (Reynolds
/// and Stoumbos 1999), where p0 is the usual share and at least `least`, and p1 is
/// `suspect`, or four times the usual if that is more. The usual share is learnt
/// from winsorised counts, over a day of outcomes. 56 bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bernoulli {
    least: f64,
    suspect: f64,
    usual: f64,
    sum: f64,
    bad: f64,
    all: f64,
    ticks: f64,
}

persist!(Bernoulli {
    least,
    suspect,
    usual,
    sum,
    bad,
    all,
    ticks
});

impl Bernoulli {
    /// Watches for a share of `suspect`, where less than `least` is never taken for usual.
    pub(crate) fn new(least: f64, suspect: f64) -> Self {
        Self {
            least,
            suspect,
            usual: least,
            sum: 0.0,
            bad: 0.0,
            all: 0.0,
            ticks: 0.0,
        }
    }

    /// Takes the outcomes of a tick, of which `bad` of `all` were bad.
    pub(crate) fn observe(&mut self, bad: f64, all: f64) {
        if all <= 0.0 {
            return;
        }
        let bad = bad.min(all);
        let p0 = self.usual.max(self.least);
        let p1 = self.suspect.max(4.0 * p0).min(0.9);
        let gain = bad * ln(p1 / p0) + (all - bad) * ln((1.0 - p1) / (1.0 - p0));
        self.sum = (self.sum + gain).clamp(0.0, CAP * THRESHOLD);
        if self.sum > 0.0 {
            self.bad += bad;
            self.all += all;
            self.ticks += f64::from(u8::from(bad > 0.0));
        } else {
            (self.bad, self.all, self.ticks) = (0.0, 0.0, 0.0);
        }
        let learnt = bad.min(3.0 * p0 * all + 1.0);
        let weight = (all / 20_000.0).min(0.01);
        self.usual = (self.usual + weight * (learnt / all - self.usual)).min(0.2);
    }

    /// Tells whether the sum is over its threshold.
    pub(crate) fn alarms(&self) -> bool {
        self.sum >= THRESHOLD
    }

    /// Returns in how many ticks there was a bad outcome since the sum left 0.
    pub(crate) fn ticks(&self) -> f64 {
        self.ticks
    }

    /// Returns the share of bad outcomes since the sum left 0.
    pub(crate) fn share(&self) -> f64 {
        self.bad / self.all.max(1.0)
    }

    /// Returns the usual share.
    pub(crate) fn usual(&self) -> f64 {
        self.usual
    }
}
