//! The list of everything that is counted: names, labels and what they mean.
//!
//! Each stands here once; `docs/operations.md` shows the same table.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use prometheus_client::{
    encoding::{EncodeLabel, EncodeMetric, LabelEncoder},
    metrics::{TypedMetric, family, histogram::Histogram},
    registry::{Metric, Registry},
};

/// Describes one metric.
#[derive(Debug)]
pub(super) struct Family {
    /// As Prometheus shows it.
    pub(super) name: &'static str,
    /// In the order in which a [`Series`] takes their values.
    pub(super) labels: &'static [&'static str],
    /// What it says.
    pub(super) help: &'static str,
}

/// How long the log took to confirm, by what came of it.
pub(super) const APPEND_SECONDS: Family = Family {
    name: "hookgate_append_seconds",
    labels: &["endpoint", "outcome"],
    help: "histogram: from a verified event to the log's confirmation or refusal",
};

/// Forwarded events by their end.
pub(super) const APPENDS: Family = Family {
    name: "hookgate_appends_total",
    labels: &["endpoint", "outcome"],
    help: "forwarded events by what they were answered; endpoint `_`: refused, of an endpoint that never verified",
};

/// Events that became part of the log.
pub(super) const EVENTS: Family = Family {
    name: "hookgate_events_total",
    labels: &["type", "endpoint", "account_group"],
    help: "events stored for the first time; type is one of the first 64, or `other`",
};

/// Events under way to the log.
pub(super) const QUEUE_DEPTH: Family = Family {
    name: "hookgate_queue_depth",
    labels: &[],
    help: "verified events that wait for the log's confirmation",
};

/// How many may be under way.
pub(super) const QUEUE_LIMIT: Family = Family {
    name: "hookgate_queue_limit",
    labels: &[],
    help: "how many may wait before more are answered 429 (`--queue`)",
};

/// What a destination has not taken.
pub(super) const UNDELIVERED: Family = Family {
    name: "hookgate_undelivered",
    labels: &["destination"],
    help: "events that the destination is to get and has not confirmed, without those in review",
};

/// How long the oldest of them waits.
pub(super) const OLDEST_UNDELIVERED_AGE: Family = Family {
    name: "hookgate_oldest_undelivered_age_seconds",
    labels: &["destination"],
    help: "since the oldest of these was stored; 0 if there is none",
};

/// Attempts by their outcome.
pub(super) const ATTEMPTS: Family = Family {
    name: "hookgate_attempts_total",
    labels: &["destination", "via", "outcome"],
    help: "attempts to deliver, over `primary` or `secondary`",
};

/// How long an attempt took.
pub(super) const ATTEMPT_SECONDS: Family = Family {
    name: "hookgate_attempt_seconds",
    labels: &["destination"],
    help: "histogram: until the destination answered or was given up",
};

/// What waits for a person.
pub(super) const REVIEW: Family = Family {
    name: "hookgate_review",
    labels: &["destination"],
    help: "events that could not be delivered and wait for a person",
};

/// What no checkpoint speaks for yet.
pub(super) const UNSEALED: Family = Family {
    name: "hookgate_unsealed",
    labels: &[],
    help: "events of a NATS log that no checkpoint of the evidence speaks for yet; 0 on SQLite, which seals each event as it stores it",
};

/// How long the oldest of them waits.
pub(super) const OLDEST_UNSEALED_AGE: Family = Family {
    name: "hookgate_oldest_unsealed_age_seconds",
    labels: &[],
    help: "since the oldest of these was stored; 0 if there is none",
};

/// What Stripe has, by what the log had of it.
pub(super) const RECONCILE_EVENTS: Family = Family {
    name: "hookgate_reconcile_events_total",
    labels: &["outcome"],
    help: "events of Stripe's list by what the log had of them: `present`, `missing` (drift), or `ignored`, which no source was to get",
};

/// What Stripe answered.
pub(super) const RECONCILE_REQUESTS: Family = Family {
    name: "hookgate_reconcile_requests_total",
    labels: &["outcome"],
    help: "requests to Stripe's API by their answer: `found`, `limited` (429), `failed` (5xx or none), `refused`",
};

/// When everything was compared last.
pub(super) const RECONCILE_LAST: Family = Family {
    name: "hookgate_reconcile_last_round_timestamp_seconds",
    labels: &[],
    help: "Unix time at which the last comparison with Stripe ended whole; until there is one, when the server began; 0 where none is configured",
};

/// What gates' watches said.
pub(super) const VERDICTS: Family = Family {
    name: "hookgate_verdicts_total",
    labels: &["kind"],
    help: "verdicts that gates' watches told (`/v1/watch/verdicts`), by cause",
};

/// What is not as expected.
pub(super) const FLAGS: Family = Family {
    name: "hookgate_flags_total",
    labels: &["kind", "type"],
    help: "what was told of the log: events that are not as expected, and rates that are unusual; type is one of the first 64, `all`, or `other`",
};

/// What should have followed and is still missing.
pub(super) const OVERDUE: Family = Family {
    name: "hookgate_overdue",
    labels: &[],
    help: "events whose completion or successor was told as overdue within a day and is still missing",
};

/// Events that wait to be judged.
pub(super) const EXPECTING: Family = Family {
    name: "hookgate_expecting",
    labels: &[],
    help: "events that wait for what follows them; at most 65,536",
};

/// Events that were not judged.
pub(super) const UNJUDGED: Family = Family {
    name: "hookgate_unjudged",
    labels: &[],
    help: "events that were not judged for want of room, since expectations were begun",
};

/// When events were judged last.
pub(super) const JUDGED: Family = Family {
    name: "hookgate_judged_timestamp_seconds",
    labels: &[],
    help: "Unix time at which the log was last read for what should follow its events; until then when the server began; 0 on a log that its server doesn't read",
};

/// What is expected to come.
pub(super) const FORECAST: Family = Family {
    name: "hookgate_forecast_events",
    labels: &["type", "window", "bound"],
    help: "events expected in the next hour (`1h`) and the 24 from then on (`24h`): `expected`, and `low` and `high` of what holds 19 of 20 hours; none before a week is known",
};

/// All of them, in the order of the documentation.
#[cfg(test)]
pub(super) const ALL: [&Family; 22] = [
    &APPEND_SECONDS,
    &APPENDS,
    &EVENTS,
    &QUEUE_DEPTH,
    &QUEUE_LIMIT,
    &UNDELIVERED,
    &OLDEST_UNDELIVERED_AGE,
    &ATTEMPTS,
    &ATTEMPT_SECONDS,
    &REVIEW,
    &UNSEALED,
    &OLDEST_UNSEALED_AGE,
    &RECONCILE_EVENTS,
    &RECONCILE_REQUESTS,
    &RECONCILE_LAST,
    &VERDICTS,
    &FLAGS,
    &OVERDUE,
    &EXPECTING,
    &UNJUDGED,
    &JUDGED,
    &FORECAST,
];

impl Family {
    /// Registers what is counted under this name.
    pub(super) fn register(&self, registry: &mut Registry, metric: impl Metric) {
        // The format adds `_total` to counters by itself.
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        registry.register(name, self.help, metric);
    }
}

/// A label with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Label {
    name: &'static str,
    value: Arc<str>,
}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Of one family, so the names are the same.
        self.value.hash(state);
    }
}

impl EncodeLabel for Label {
    fn encode(&self, encoder: LabelEncoder<'_>) -> Result<(), fmt::Error> {
        (self.name, &*self.value).encode(encoder)
    }
}

/// Counts one metric for each combination of `N` labels.
#[derive(Debug)]
pub(super) struct Series<const N: usize, M> {
    labels: &'static [&'static str],
    values: family::Family<[Label; N], M, fn() -> M>,
}

impl<const N: usize, M> Series<N, M>
where
    M: Clone + EncodeMetric + TypedMetric + fmt::Debug + Send + Sync + 'static,
{
    /// Starts counting a family with `N` labels.
    pub(super) fn new(family: &Family, registry: &mut Registry, make: fn() -> M) -> Self {
        let values = family::Family::new_with_constructor(make);
        family.register(registry, values.clone());
        Self {
            labels: family.labels,
            values,
        }
    }

    /// Returns the metric of these labels.
    pub(super) fn of(&self, labels: [&Arc<str>; N]) -> M {
        let mut names = self.labels.iter();
        let labels = labels.map(|value| {
            let value = Arc::clone(value);
            // As many as values: `metrics::tests` compares the page with the list.
            let name = names.next().copied().unwrap_or_default();
            Label { name, value }
        });
        self.values.get_or_create_owned(&labels)
    }
}

/// Upper bounds in seconds for the log: its disk syncs in milliseconds, and the
/// gate gives up after 10 s.
const APPEND_BUCKETS: [f64; 16] = [
    0.000_5, 0.001, 0.002, 0.003, 0.005, 0.007_5, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

/// Upper bounds in seconds for destinations: other people's servers, up to the
/// longest time that makes sense to wait for one.
const ATTEMPT_BUCKETS: [f64; 13] = [
    0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Makes the histogram of an append.
pub(super) fn append_histogram() -> Histogram {
    Histogram::new(APPEND_BUCKETS)
}

/// Makes the histogram of an attempt.
pub(super) fn attempt_histogram() -> Histogram {
    Histogram::new(ATTEMPT_BUCKETS)
}
