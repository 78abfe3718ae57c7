//! Mean and variance that forget.

use crate::{float::sqrt, state::persist};

/// Samples after which mean and deviation mean something.
const SETTLED: f64 = 100.0;
/// Standard deviations (or means, where that is more) that one sample is learnt with
/// at most: far beyond any that belongs to the series, and no 10⁹ becomes its scale.
const WINSOR: f64 = 200.0;

/// Exponentially weighted mean and variance of a stream of numbers.
///
/// The first `memory` samples weigh the same, later ones fade with 1/`memory`
/// each (West 1979, "Updating mean and variance estimates"). 40 bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    memory: f64,
    seen: f64,
    mean: f64,
    variance: f64,
}

persist!(Moments {
    memory,
    seen,
    mean,
    variance
});

impl Moments {
    /// Starts without samples; `memory` in samples, at least 1.
    pub(crate) const fn new(memory: f64) -> Self {
        Self {
            memory,
            seen: 0.0,
            mean: 0.0,
            variance: 0.0,
        }
    }

    /// Returns how many samples were taken.
    pub(crate) fn seen(&self) -> f64 {
        self.seen
    }

    /// Returns the mean; 0 before the first sample.
    pub(crate) fn mean(&self) -> f64 {
        self.mean
    }

    /// Returns the standard deviation; 0 before the second sample.
    pub(crate) fn deviation(&self) -> f64 {
        sqrt(self.variance)
    }

    /// Takes a finite sample.
    pub(crate) fn learn(&mut self, x: f64) {
        if self.seen == 0.0 {
            self.mean = x;
        } else {
            let weight = (1.0 / self.memory).max(1.0 / (self.seen + 1.0));
            let most = self.most();
            let difference = (x - self.mean).clamp(-most, most);
            self.mean += weight * difference;
            self.variance = (1.0 - weight) * (self.variance + weight * difference * difference);
        }
        self.seen += 1.0;
    }

    /// Returns by how much a sample may differ and be learnt whole.
    fn most(&self) -> f64 {
        if self.seen < SETTLED {
            return f64::MAX;
        }
        let scale = self.deviation().max(self.mean.abs());
        if scale > 0.0 {
            WINSOR * scale
        } else {
            f64::MAX
        }
    }

    /// Returns how many standard deviations `x` is from the mean of what was
    /// learnt before: 0 within the first 100 samples, 15 for any difference
    /// from what never differed.
    pub(crate) fn distance(&self, x: f64) -> f64 {
        let difference = (x - self.mean).abs();
        let deviation = self.deviation();
        if self.seen < SETTLED {
            0.0
        } else if deviation > 1e-9 {
            difference / deviation
        } else if difference < 1e-9 {
            0.0
        } else {
            15.0
        }
    }
}
