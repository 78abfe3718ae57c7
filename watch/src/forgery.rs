//! Invalid signatures.

use alloc::vec::Vec;

use crate::{
    cusum::{Counted, Poisson},
    float::sqrt,
    sketch::CountMin,
    source::Network,
    state::persist,
    time::TICK_SECONDS,
};

/// χ² with one degree of freedom at which a source alarms: one tick in 4·10⁹ by chance.
const SURPRISE: f64 = 40.0;
/// Invalid signatures of a source, within about two ticks, below which it never alarms.
const LEAST: u32 = 8;
/// What a tick of one source teaches at most.
const SOURCE_WINSOR: u32 = 4;
/// Ticks over which the totals of sources fade: a day.
const DAY_TICKS: u32 = 8_640;
/// How often the totals fade, in ticks: each hour.
const FADE_TICKS: u32 = 360;
/// Sources that are remembered by name for the evidence.
pub(crate) const NAMED: usize = 32;
/// How many times the usual rate the sum over all sources watches for.
const RATIO: f64 = 4.0;
/// Where that sum alarms: one false alarm in e^18 ticks, 20 years.
const THRESHOLD: f64 = 18.0;
/// Invalid signatures a second that are always taken for usual.
const LEAST_RATE: f64 = 0.005;

/// Detector of forged signatures: by source, and over all of them.
///
/// By source: a count-min sketch of about the last two ticks (it halves with each)
/// against one of the last day, by the χ² of MIDAS (Bhatia et al. 2020) over 40 with
/// at least 8. Over all: a Poisson cumulative sum towards four times the usual rate,
/// which sees what thousands of sources share. Both always learn, from winsorised
/// counts. 33 KB; no false alarm in three
/// simulated years at 0.05/s.
#[derive(Debug, Clone, PartialEq)]
pub struct Forgery {
    now: CountMin,
    total: CountMin,
    named: Vec<(Network, f64)>,
    count: u32,
    lately: f64,
    usual: f64,
    sum: Poisson,
    ticks: u32,
    surprising: bool,
}

persist!(Forgery {
    now,
    total,
    named,
    count,
    lately,
    usual,
    sum,
    ticks,
    surprising,
});

/// What is forged, and from where.
#[derive(Debug, Clone, PartialEq)]
pub struct Forged {
    /// Invalid signatures a second, lately.
    pub rate: f64,
    /// Invalid signatures a second that are usual.
    pub usual: f64,
    /// The network most of them came from, and its share, 0 to 1.
    pub most_from: Option<(Network, f64)>,
}

impl Default for Forgery {
    fn default() -> Self {
        Self::new()
    }
}

impl Forgery {
    /// Starts without knowledge.
    pub fn new() -> Self {
        Self {
            now: CountMin::new(),
            total: CountMin::new(),
            named: Vec::new(),
            count: 0,
            lately: 0.0,
            usual: LEAST_RATE,
            sum: Poisson::new(RATIO, THRESHOLD),
            ticks: 0,
            surprising: false,
        }
    }

    /// Counts invalid signatures of a source.
    pub fn refused(&mut self, from: Network, count: u32) {
        self.count = self.count.saturating_add(count);
        self.now.add(from.key(), count);
        let count = f64::from(count);
        if let Some((_, known)) = self.named.iter_mut().find(|(name, _)| *name == from) {
            *known += count;
        } else if self.named.len() < NAMED {
            self.named.push((from, count));
        } else if let Some(least) = self.named.iter_mut().min_by(|a, b| a.1.total_cmp(&b.1)) {
            // Space-saving (Metwally et al. 2005): the newcomer inherits the least count.
            *least = (from, least.1 + count);
        }
    }

    /// Counts invalid signatures of which nobody knows the source.
    pub fn refused_elsewhere(&mut self, count: u32) {
        self.count = self.count.saturating_add(count);
    }

    /// Ends a tick; returns what is forged, if anything is.
    pub fn tick(&mut self) -> Option<Forged> {
        self.ticks = self.ticks.saturating_add(1);
        self.surprising = self
            .named
            .iter()
            .any(|(source, _)| self.is_surprising(*source, self.now.count(source.key())));
        for (source, _) in &self.named {
            let newest = self.now.count(source.key());
            self.total.add(source.key(), newest.min(SOURCE_WINSOR));
        }
        let events = f64::from(self.count);
        let counted = Counted {
            events,
            expected: self.usual.max(LEAST_RATE) * TICK_SECONDS as f64,
        };
        self.sum
            .observe(counted, TICK_SECONDS as f64, 1.0, Counted::default());
        self.lately = 0.5 * self.lately + 0.5 * events / TICK_SECONDS as f64;
        self.learn(events);
        let forged = (self.surprising || self.sum.alarms()).then(|| self.forged());
        self.fade();
        forged
    }

    /// Returns the sources that alarmed in the last tick, those that sent most first:
    /// at most 32. It is a little stricter than the alarm itself, as the tick's
    /// counts have been halved and learnt since.
    pub fn sources(&self) -> Vec<Network> {
        let mut named = self.named.clone();
        named.retain(|(source, _)| {
            let count = self.now.count(source.key()).saturating_mul(2);
            self.is_surprising(*source, count)
        });
        named.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        named.into_iter().map(|(source, _)| source).collect()
    }

    /// Tells whether so many, within about two ticks, are far over a source's usual.
    fn is_surprising(&self, source: Network, count: u32) -> bool {
        let ticks = f64::from(self.ticks.min(DAY_TICKS));
        let now = f64::from(count);
        let total = f64::from(self.total.count(source.key())).max(1.0);
        // Per two ticks, since `now` halves with each.
        let mean = (2.0 * total / ticks).max(0.02);
        let chi_squared = (now - mean) * (now - mean) / mean;
        count >= LEAST && now > mean && chi_squared > SURPRISE
    }

    fn learn(&mut self, events: f64) {
        let expected = self.usual * TICK_SECONDS as f64;
        let learnt = events.min(3.0 * expected + 3.0 * sqrt(expected) + 1.0);
        let weight = 1.0 / f64::from(self.ticks.min(DAY_TICKS));
        self.usual += weight * (learnt / TICK_SECONDS as f64 - self.usual);
    }

    fn forged(&self) -> Forged {
        let all: f64 = self.named.iter().map(|(_, count)| count).sum();
        let most = self.named.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        Forged {
            rate: self.lately.max(f64::from(self.count) / TICK_SECONDS as f64),
            usual: self.usual,
            most_from: most.map(|(source, count)| (*source, count / all.max(1.0))),
        }
    }

    fn fade(&mut self) {
        self.count = 0;
        self.now.halve();
        if self.ticks.is_multiple_of(FADE_TICKS) {
            self.total.fade_an_hour();
        }
        for (_, count) in &mut self.named {
            *count *= 0.5;
        }
        self.named.retain(|(_, count)| *count > 0.1);
    }
}
