//! How the upstream answers.

use crate::{cusum::Bernoulli, float::ln, moments::Moments, quantile::Durations, state::persist};

/// Share of failures that is always taken for usual.
const LEAST_FAILURES: f64 = 0.001;
/// Share of failures that is watched for.
const FAILURES: f64 = 0.05;
/// Ticks with a failure before failures are more than a restart.
const LASTING_TICKS: f64 = 3.0;
/// Ticks over which the usual logarithm of p99 fades: a day.
const DAY_TICKS: f64 = 8_640.0;
/// Standard deviations that are nothing unusual.
const ALLOWANCE: f64 = 1.5;
/// Standard deviations over the allowance at which latency alarms.
const LATENCY: f64 = 8.0;
/// Standard deviations that one tick counts at most.
const WINSOR: f64 = 4.0;
/// Least standard deviation of the logarithm, so that steady latency isn't a hair trigger.
const LEAST_DEVIATION: f64 = 0.1;

/// Detector of an upstream that fails or slows down.
///
/// Failures (5xx and timeouts): a Bernoulli cumulative sum of p1 = 5 % against the
/// usual share, at least 0.1 %, which alarms after about 100 requests at 5 % and 8 at
/// 50 %, and only when failures came in three ticks, so that a restart is none.
/// Latency: p99 of each tick from a DDSketch, its logarithm against mean and deviation
/// of a day (winsorised), summed up over 1.5 standard deviations to 8. Log-normal latency
/// alone raised no alarm in three simulated years; beside the failures of a deploy the
/// scenarios saw one. 2 KB.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    failures: Bernoulli,
    answers: u32,
    failed: u32,
    durations: Durations,
    usual: Moments,
    slowness: f64,
    p99: f64,
}

persist!(Upstream {
    failures,
    answers,
    failed,
    durations,
    usual,
    slowness,
    p99,
});

/// How one request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The upstream decided: stored, known, or refused for a reason of its own.
    Answered,
    /// A 5xx, or nothing in time.
    Failed,
}

/// What is wrong with the upstream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trouble {
    /// Share of failures since they began, where they are too many.
    pub failures: Option<f64>,
    /// The usual share.
    pub usual_failures: f64,
    /// p99 of the last tick with an answer in seconds, where it is too long.
    pub p99: Option<f64>,
    /// The usual p99 in seconds.
    pub usual_p99: f64,
}

impl Default for Upstream {
    fn default() -> Self {
        Self::new()
    }
}

impl Upstream {
    /// Starts without knowledge.
    pub fn new() -> Self {
        Self {
            failures: Bernoulli::new(LEAST_FAILURES, FAILURES),
            answers: 0,
            failed: 0,
            durations: Durations::new(),
            usual: Moments::new(DAY_TICKS),
            slowness: 0.0,
            p99: 0.0,
        }
    }

    /// Counts a request and how long it took in seconds.
    pub fn answered(&mut self, answer: Answer, seconds: f64) {
        self.answered_many(answer, seconds, 1);
    }

    /// Counts requests that took as long in seconds.
    pub fn answered_many(&mut self, answer: Answer, seconds: f64, answers: u32) {
        self.answers = self.answers.saturating_add(answers);
        if answer == Answer::Failed {
            self.failed = self.failed.saturating_add(answers);
        }
        self.durations.add_many(seconds, answers);
    }

    /// Tells whether it takes too long to answer, as of the last tick.
    pub fn is_slow(&self) -> bool {
        self.slowness >= LATENCY
    }

    /// Ends a tick; returns what is wrong, if anything is.
    pub fn tick(&mut self) -> Option<Trouble> {
        self.failures
            .observe(f64::from(self.failed), f64::from(self.answers));
        if let Some(p99) = self.durations.quantile(0.99) {
            self.p99 = p99;
            self.compare(ln(p99));
        }
        (self.answers, self.failed) = (0, 0);
        self.durations.clear();
        let fails = self.failures.alarms() && self.failures.ticks() >= LASTING_TICKS;
        let slow = self.is_slow();
        (fails || slow).then(|| Trouble {
            failures: fails.then(|| self.failures.share()),
            usual_failures: self.failures.usual(),
            p99: slow.then_some(self.p99),
            usual_p99: crate::float::exp(self.usual.mean()),
        })
    }

    fn compare(&mut self, logarithm: f64) {
        let mean = self.usual.mean();
        let deviation = self.usual.deviation().max(LEAST_DEVIATION);
        if self.usual.seen() < 100.0 {
            self.usual.learn(logarithm);
            return;
        }
        let distance = ((logarithm - mean) / deviation).min(WINSOR);
        self.slowness = (self.slowness + distance - ALLOWANCE).clamp(0.0, 1.3 * LATENCY);
        self.usual.learn(mean + distance.max(-WINSOR) * deviation);
    }
}
