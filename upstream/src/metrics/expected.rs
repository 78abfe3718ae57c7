//! What is counted of expectations.

use std::sync::{Arc, atomic::AtomicU64};

use hookgate_core::{metric::OTHER, time::Timestamp};
use hookgate_watch::expect::Counts;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::{Metrics, family, family::Series, number};
use crate::expect::{ALL, Forecast, Told};

/// The gauges and counters.
#[derive(Debug)]
pub(super) struct Expected {
    flags: Series<2, Counter>,
    overdue: Gauge,
    waiting: Gauge,
    unjudged: Gauge,
    judged: Gauge,
    forecast: Series<3, Gauge<f64, AtomicU64>>,
}

impl Expected {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let (overdue, waiting, unjudged) = (Gauge::default(), Gauge::default(), Gauge::default());
        let flags = Series::new(&family::FLAGS, registry, Counter::default);
        family::OVERDUE.register(registry, overdue.clone());
        family::EXPECTING.register(registry, waiting.clone());
        family::UNJUDGED.register(registry, unjudged.clone());
        let judged = Gauge::default();
        family::JUDGED.register(registry, judged.clone());
        Self {
            flags,
            overdue,
            waiting,
            unjudged,
            judged,
            forecast: Series::new(&family::FORECAST, registry, Gauge::default),
        }
    }
}

impl Metrics {
    /// Counts what was told. A verdict may be about an account, which is no label.
    pub(crate) fn flagged(&self, told: &Told) {
        let type_name = match (&*told.type_name, &told.event) {
            ("", _) => ALL.into(),
            (name, Some(_)) => self.0.types.of(name, Arc::clone),
            (name, None) => self.0.types.known(name).unwrap_or_else(|| OTHER.into()),
        };
        let labels = [&told.kind.as_str().into(), &type_name];
        self.0.expected.flags.of(labels).inc();
    }

    /// Shows how much is waited for.
    pub(crate) fn expected(&self, counts: &Counts) {
        let as_number = |count: usize| number(u64::try_from(count).unwrap_or(u64::MAX));
        let expected = &self.0.expected;
        expected.overdue.set(as_number(counts.overdue));
        expected.waiting.set(as_number(counts.waiting));
        expected.unjudged.set(number(counts.unjudged));
    }

    /// Shows that the log was read for what should follow its events.
    pub(crate) fn judged(&self, now: Timestamp) {
        self.0.expected.judged.set(number(now.unix_seconds()));
    }

    /// Shows what is expected to come.
    pub(crate) fn forecast(&self, forecasts: &[Forecast]) {
        for forecast in forecasts {
            let name = if *forecast.name == *ALL {
                Arc::clone(&forecast.name)
            } else {
                self.0.types.of(&forecast.name, Arc::clone)
            };
            // Several types would share it.
            if *name == *OTHER {
                continue;
            }
            let hour = forecast.hours.first().copied().unwrap_or_default();
            for (window, slot) in [("1h", hour), ("24h", forecast.day())] {
                let bounds = [
                    ("expected", slot.events),
                    ("low", slot.low),
                    ("high", slot.high),
                ];
                for (bound, events) in bounds {
                    let labels = [&name, &window.into(), &bound.into()];
                    self.0.expected.forecast.of(labels).set(events);
                }
            }
        }
    }
}
