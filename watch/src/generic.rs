//! The backstop: novelty in any one series of numbers, without knowing what it is of.

use alloc::collections::VecDeque;

use crate::{
    float::{exp, ln, sqrt},
    moments::Moments,
    state::persist,
};

/// Samples of the past that novelty is judged against.
const RING: usize = 4_000;
/// Samples that are compared as one shape.
const SHAPE: usize = 3;
/// Parts of a day that each have their own mean.
const BINS: usize = 48;
/// Samples over which residuals are averaged.
const SHORT: usize = 6;
/// Samples over which the level is averaged.
const LONG: usize = 48;
/// Samples whose spread is watched.
const SPREAD: usize = 96;
/// Samples over which the usual size of each feature fades.
const MEMORY: f64 = 6_400.0;
/// Standard deviations at which novelty, residual, spread and level each alarm.
const THRESHOLDS: [f64; 4] = [4.0, 8.0, 2.6, 5.0];

/// Order of the mean that joins the four: near their maximum, more where several are high.
const NORM: f64 = 5.0;
/// Standard deviations by which one sample moves what is usual at its time of day.
const WINSOR: f64 = 6.0;

/// How long the backstop learns, and how long it is silent after an alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Samples in which the scale of the series is learnt; at least 1.
    pub warm_up: u32,
    /// Samples after an alarm in which there is no other one.
    pub cool_down: f64,
}

impl Default for Pace {
    /// 750 samples and 100: half a day of minutes, and a hundred of them.
    fn default() -> Self {
        Self {
            warm_up: 750,
            cool_down: 100.0,
        }
    }
}

/// Causal novelty detector for one series of evenly spaced numbers.
///
/// The statistic joins four distances (by their mean of order 5), each in standard
/// deviations of its own past and divided by its threshold: of the last three samples from
/// the nearest three of the past 4,000 (discord, Yankov et al. 2008), of the
/// mean residual against the time of day, of the logarithm of the spread, and
/// of the level. Score 0.5 is the threshold; what isn't an alarm scores 0.
/// At most 40 KB; on the Numenta Anomaly Benchmark, outside its anomalies, about one
/// false alarm in 1,600 samples (`docs/anomaly.md`).
#[derive(Debug, Clone, PartialEq)]
pub struct Generic {
    pace: Pace,
    taken: u64,
    ring: VecDeque<f64>,
    day: [f64; BINS],
    days: [f64; BINS],
    mean: f64,
    residuals: VecDeque<f64>,
    scale: Moments,
    least_spread: f64,
    usual: [Moments; 4],
    alarmed: Option<u64>,
}

impl Generic {
    /// Starts without samples.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            taken: 0,
            ring: VecDeque::with_capacity(RING + SHAPE),
            day: [0.0; BINS],
            days: [0.0; BINS],
            mean: 0.0,
            residuals: VecDeque::new(),
            scale: Moments::new(f64::MAX),
            least_spread: 0.0,
            usual: [const { Moments::new(MEMORY) }; 4],
            alarmed: None,
        }
    }

    /// Takes the sample of a second since 1970 (UTC) and returns its score in
    /// [0, 1]: 0.5 and more is an alarm. What is no finite number is passed over.
    pub fn observe(&mut self, second: u64, value: f64) -> f64 {
        if !value.is_finite() {
            return 0.0;
        }
        push(&mut self.ring, value, RING + SHAPE);
        let features = [
            self.novelty(),
            self.residual(second, value),
            self.spread(value),
            self.level(),
        ];
        let mut powers = 0.0;
        for ((usual, feature), threshold) in self.usual.iter_mut().zip(features).zip(THRESHOLDS) {
            powers += libm::pow(usual.distance(feature) / threshold, NORM);
            usual.learn(feature);
        }
        let surprise = libm::pow(powers, 1.0 / NORM);
        self.taken += 1;
        if surprise < 1.0 || self.is_cooling() {
            return 0.0;
        }
        self.alarmed = Some(self.taken);
        1.0 - 0.5 * exp(1.0 - surprise)
    }

    fn is_sound(&self) -> bool {
        self.taken < u64::MAX / 2 && self.alarmed.is_none_or(|at| at <= self.taken)
    }

    fn is_cooling(&self) -> bool {
        self.alarmed
            .is_some_and(|at| (self.taken - at) as f64 <= self.pace.cool_down)
    }

    /// Root mean square distance of the last shape from the nearest one before it.
    fn novelty(&self) -> f64 {
        let samples = self.ring.len();
        if samples <= 2 * SHAPE {
            return 0.0;
        }
        let mut newest = self.ring.iter().rev();
        let mut next = || newest.next().copied().unwrap_or_default();
        let (last, middle, first) = (next(), next(), next());
        let mut nearest = f64::INFINITY;
        let mut compare = |samples: &[f64]| {
            for shape in samples.windows(SHAPE) {
                if let [a, b, c] = shape {
                    let (x, y, z) = (last - c, middle - b, first - a);
                    let distance = x * x + y * y + z * z;
                    nearest = if distance < nearest {
                        distance
                    } else {
                        nearest
                    };
                }
            }
        };
        // The newest shape and what overlaps with it are not compared with.
        let past = samples - SHAPE - 1;
        let (older, newer) = self.ring.as_slices();
        let older = older.get(..past).unwrap_or(older);
        let newer = newer.get(..past - older.len()).unwrap_or_default();
        compare(older);
        compare(newer);
        // Shapes that lie across the two halves of the ring.
        let mut across = [f64::INFINITY; 4];
        let before = across.iter_mut().take(2).rev();
        for (place, sample) in before.zip(older.iter().rev()) {
            *place = *sample;
        }
        for (place, sample) in across.iter_mut().skip(2).zip(newer) {
            *place = *sample;
        }
        compare(&across);
        sqrt(nearest / SHAPE as f64)
    }

    /// Mean of the last differences from what is usual at the time of day.
    fn residual(&mut self, second: u64, value: f64) -> f64 {
        let bin = (second % 86_400) as usize * BINS / 86_400;
        let known = self.taken > 0;
        let most = self.most_learnt();
        if let (Some(usual), Some(days)) = (self.day.get_mut(bin), self.days.get_mut(bin)) {
            let expected = match (*days > 0.0, known) {
                (true, _) => *usual,
                (false, true) => self.mean,
                (false, false) => value,
            };
            push(&mut self.residuals, value - expected, SHORT);
            let error = (value - *usual).clamp(-most, most);
            *usual += (1.0 / (*days + 1.0)).max(0.2) * error;
            *days += 1.0;
        }
        let weight = (1.0 / (self.taken as f64 + 1.0)).max(0.001);
        self.mean += weight * (value - self.mean);
        self.residuals.iter().sum::<f64>() / self.residuals.len() as f64
    }

    /// Returns by how much one sample may differ from its time of day and be learnt whole:
    /// anything while the scale isn't known.
    fn most_learnt(&self) -> f64 {
        let [_, residual, _, _] = &self.usual;
        let deviation = residual.deviation();
        if self.taken > u64::from(self.pace.warm_up) && deviation > 0.0 {
            WINSOR * deviation * sqrt(SHORT as f64)
        } else {
            f64::MAX
        }
    }

    /// Logarithm of the spread of the last samples.
    fn spread(&mut self, value: f64) -> f64 {
        if self.scale.seen() < f64::from(self.pace.warm_up) {
            self.scale.learn(value);
            self.least_spread = 1e-3 * (self.scale.deviation() + 1e-9) + 1e-9;
        }
        let mean = self.mean_of_last(SPREAD);
        let last = self.ring.iter().rev().take(SPREAD);
        let squares: f64 = last.map(|x| (x - mean) * (x - mean)).sum();
        let samples = self.ring.len().min(SPREAD) as f64;
        ln(sqrt(squares / samples) + self.least_spread)
    }

    fn level(&self) -> f64 {
        self.mean_of_last(LONG)
    }

    fn mean_of_last(&self, samples: usize) -> f64 {
        let sum: f64 = self.ring.iter().rev().take(samples).sum();
        sum / self.ring.len().min(samples) as f64
    }
}

persist!(Pace { warm_up, cool_down });
persist!(Generic {
    pace,
    taken,
    ring,
    day,
    days,
    mean,
    residuals,
    scale,
    least_spread,
    usual,
    alarmed,
} as "past of a series");

fn push(ring: &mut VecDeque<f64>, value: f64, most: usize) {
    while ring.len() >= most {
        ring.pop_front();
    }
    // One that was restored has no room to spare, and would take twice as much.
    if ring.len() == ring.capacity() {
        ring.reserve_exact(most - ring.len());
    }
    ring.push_back(value);
}
