//! Quantiles of durations.

use alloc::{vec, vec::Vec};

use crate::{
    float::{exp, ln},
    state::persist,
};

/// Relative error of a quantile.
const ERROR: f64 = 0.02;
/// Least duration that is told from 0, in seconds.
const LEAST: f64 = 1e-4;
/// Buckets: enough for a thousand seconds.
const BUCKETS: usize = 404;

/// DDSketch (Masson et al. 2019) of durations from 0.1 ms to about 1,000 s.
///
/// A quantile is within 2 % of the true one. 1.6 KB.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Durations {
    buckets: Vec<u32>,
    count: u32,
}

persist!(Durations { buckets, count });

impl Durations {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
        }
    }

    /// Takes a duration in seconds.
    #[cfg(test)]
    pub(crate) fn add(&mut self, seconds: f64) {
        self.add_many(seconds, 1);
    }

    /// Takes durations in seconds, all the same; what is no number counts as the longest.
    pub(crate) fn add_many(&mut self, seconds: f64, durations: u32) {
        let bucket = (ln(seconds / LEAST) / step()).max(0.0) as usize;
        let bucket = if seconds.is_finite() { bucket } else { BUCKETS };
        if let Some(count) = self.buckets.get_mut(bucket.min(BUCKETS - 1)) {
            *count = count.saturating_add(durations);
            self.count = self.count.saturating_add(durations);
        }
    }

    /// Returns the duration that a share of all is not longer than; `None` if there is none.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share * f64::from(self.count);
        let mut below = 0.0;
        let at = self.buckets.iter().position(|count| {
            below += f64::from(*count);
            below > 0.0 && below >= rank
        })?;
        Some(LEAST * exp((at as f64 + 0.5) * step()))
    }

    pub(crate) fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
    }
}

/// Logarithm of the ratio of a bucket's ends.
fn step() -> f64 {
    ln((1.0 + ERROR) / (1.0 - ERROR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_two_percent() {
        let mut durations = Durations::new();
        for millisecond in 1..=1_000 {
            durations.add(f64::from(millisecond) / 1_000.0);
        }
        for share in [0.01, 0.5, 0.99, 1.0] {
            let found = durations.quantile(share).unwrap();
            assert!(
                (found / share - 1.0).abs() <= ERROR + 0.001,
                "{share}: {found}"
            );
        }
    }

    #[test]
    fn odd_durations_are_counted_at_the_ends() {
        let mut durations = Durations::new();
        for odd in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            durations.add(odd);
        }
        assert_eq!(durations.count, 5);
        assert!(durations.quantile(0.1).unwrap() < 2e-4);
        assert!(durations.quantile(1.0).unwrap() > 900.0);
        assert_eq!(Durations::new().quantile(0.5), None);
    }
}
