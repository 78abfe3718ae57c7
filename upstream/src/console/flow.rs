//! What came in the last hour: a sample each minute of what was counted.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::interval;

use crate::metrics::{EndpointCounts, Metrics};

/// Time between two samples.
const STEP: Duration = Duration::from_secs(60);

/// Samples that are kept: an hour.
const KEPT: usize = 61;

/// Samples of one bar of a chart.
const BAR: usize = 5;

/// Bars of a chart.
pub(super) const BARS: usize = 12;

/// Remembers what each endpoint stored.
#[derive(Debug)]
pub(super) struct Flow {
    metrics: Metrics,
    /// The newest first.
    samples: Mutex<VecDeque<Sample>>,
}

/// Holds what each endpoint had stored at a time.
#[derive(Debug)]
struct Sample(Vec<(Arc<str>, u64)>);

impl Sample {
    fn stored(&self, endpoint: &str) -> u64 {
        let mut counts = self.0.iter();
        let of = counts.find(|(name, _)| **name == *endpoint);
        of.map_or(0, |(_, stored)| *stored)
    }
}

/// Says what came at an endpoint.
#[derive(Debug, Clone)]
pub(super) struct Came {
    /// Since the server began.
    pub(super) counts: EndpointCounts,
    /// Stored in the last five minutes.
    pub(super) recently: u64,
    /// Stored in each five minutes of the last hour, the oldest first.
    pub(super) bars: [u64; BARS],
}

impl Flow {
    /// Begins with no sample.
    pub(super) const fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            samples: Mutex::new(VecDeque::new()),
        }
    }

    /// Takes samples for as long as it is polled.
    pub(super) async fn watch(&self) {
        let mut minutes = interval(STEP);
        loop {
            minutes.tick().await;
            let endpoints = self.metrics.snapshot().endpoints;
            let sample = endpoints.into_iter().map(|it| (it.name, it.stored));
            let mut samples = self.samples();
            samples.push_front(Sample(sample.collect()));
            samples.truncate(KEPT);
        }
    }

    /// Says what came at each of these endpoints.
    pub(super) fn of(&self, endpoints: Vec<EndpointCounts>) -> Vec<Came> {
        let samples = self.samples();
        let came = |counts: EndpointCounts| {
            // Before the first sample there was nothing.
            let stored = |back: usize| {
                let sample = samples.get(back);
                sample.map_or(0, |sample| sample.stored(&counts.name))
            };
            let mut bars = [0; BARS];
            let mut until = counts.stored;
            for (number, bar) in bars.iter_mut().rev().enumerate() {
                // The newest sample is up to a minute old.
                let from = stored(number * BAR + BAR - 1);
                *bar = until.saturating_sub(from);
                until = from;
            }
            Came {
                recently: bars.last().copied().unwrap_or_default(),
                counts,
                bars,
            }
        };
        endpoints.into_iter().map(came).collect()
    }

    /// Nothing panics while it is held.
    fn samples(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
