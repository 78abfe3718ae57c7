//! How long it usually takes.

use alloc::{vec, vec::Vec};

use crate::{
    float::{exp, ln},
    state::{Input, Persist, StateError},
};

/// Least delay that is told from 0, in seconds.
const LEAST: f64 = 0.1;
/// Ratio of a bucket's ends.
const RATIO: f64 = 1.1;
/// Buckets: up to 47 days.
const BUCKETS: usize = 184;
/// Delays after which all counts are halved, so that what changed is learnt.
const MEMORY: u32 = 20_000;

/// Distribution of delays, 0.1 s to 47 days, of the newest 10,000 to 20,000.
///
/// Logarithmic buckets (DDSketch, Masson et al. 2019, with 5 % relative error): the
/// survival function is what of them is longer. 0.8 KB.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delays {
    buckets: Vec<u32>,
    count: u32,
}

impl Delays {
    pub(super) fn new() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
        }
    }

    /// Takes a delay in seconds.
    pub(super) fn add(&mut self, seconds: f64) {
        let bucket = (ln(seconds.max(LEAST) / LEAST) / ln(RATIO)) as usize;
        if let Some(count) = self.buckets.get_mut(bucket.min(BUCKETS - 1)) {
            *count += 1;
            self.count += 1;
        }
        if self.count >= MEMORY {
            self.buckets.iter_mut().for_each(|count| *count /= 2);
            self.count = self.buckets.iter().sum();
        }
    }

    /// Returns the seconds that all but one of a thousand are not longer than; of fewer
    /// than a thousand the longest.
    pub(super) fn p999(&self) -> f64 {
        let mut above = 0.0;
        let spared = f64::from(self.count) / 1_000.0;
        let at = self.buckets.iter().rposition(|count| {
            above += f64::from(*count);
            above >= spared.max(1.0)
        });
        at.map_or(0.0, |at| LEAST * exp((at as f64 + 1.0) * ln(RATIO)))
    }
}

impl Persist for Delays {
    fn write(&self, out: &mut Vec<u8>) {
        self.buckets.write(out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let buckets: Vec<u32> = Persist::read(input)?;
        let count = (buckets.iter()).try_fold(0_u32, |sum, count| sum.checked_add(*count));
        match count {
            Some(count) if buckets.len() == BUCKETS && count < MEMORY => {
                Ok(Self { buckets, count })
            }
            _ => Err(input.wrong_value("distribution of delays")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_one_of_a_thousand_are_not_longer() {
        let mut delays = Delays::new();
        assert_eq!(delays.p999(), 0.0);
        for number in 1..=2_000 {
            delays.add(f64::from(number));
        }
        assert!((1_990.0..2_300.0).contains(&delays.p999()), "{delays:?}");
        delays.add(f64::NAN);
        delays.add(f64::INFINITY);
        delays.add(-1.0);
        assert!(delays.p999() < 1e7);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut delays = Delays::new();
        (0..20_000).for_each(|_| delays.add(3_600.0));
        (0..400_000).for_each(|_| delays.add(1.0));
        assert!(delays.p999() < 2.0, "{}", delays.p999());
        assert!(delays.count < MEMORY);
    }
}
