//! What Prometheus sees of the upstream.
//!
//! Counted in memory, read by whoever scrapes. No label holds what a sender can
//! choose freely: names are of the configuration, or the first few that came in
//! verified events ([`label::MAX_NAMES`]).

mod endpoint;
mod expected;
mod family;
mod group;
mod label;
mod page;
mod snapshot;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hookgate_core::{metric::OTHER, time::Timestamp};
use hookgate_watch::verdict::Cause;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use self::{endpoint::Endpoint, expected::Expected, family::Series, label::Names};
pub(crate) use self::{
    group::AccountGroups,
    page::routes,
    snapshot::{EndpointCounts, Snapshot, Waiting},
};
use crate::{
    deliver::{
        job::{Outcome, Via},
        schedule::Backlog,
    },
    log::{Appended, Attributes, LogError},
};

/// The endpoint of what was refused before its endpoint was proven.
const UNPROVEN: &str = "_";

/// Counts what the upstream does. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    registry: Registry,
    groups: AccountGroups,
    types: Names<Arc<str>>,
    endpoints: Names<Arc<Endpoint>>,
    /// When the oldest undelivered event of each destination was stored: its age
    /// grows between two looks at the backlog.
    oldest: Mutex<BTreeMap<Arc<str>, Option<Timestamp>>>,
    append_seconds: Series<2, Histogram>,
    appends: Series<2, Counter>,
    events: Series<3, Counter>,
    queue_depth: Gauge,
    undelivered: Series<1, Gauge>,
    oldest_age: Series<1, Gauge>,
    attempts: Series<3, Counter>,
    attempt_seconds: Series<1, Histogram>,
    review: Series<1, Gauge>,
    unsealed: Gauge,
    /// When the oldest unsealed event was stored: its age grows while sealing
    /// stands still.
    oldest_unsealed: Mutex<Option<Timestamp>>,
    oldest_unsealed_age: Gauge,
    reconcile_events: Series<1, Counter>,
    reconcile_requests: Series<1, Counter>,
    reconcile_last: Gauge,
    verdicts: Series<1, Counter>,
    expected: Expected,
}

/// Says under which labels an event counts.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    type_name: Arc<str>,
    endpoint: Arc<Endpoint>,
    account_group: Arc<str>,
}

/// Counts one event as waiting for the log for as long as it lives.
#[derive(Debug)]
pub(crate) struct Queued(Gauge);

impl Metrics {
    /// Starts counting from 0, for a log that lets `queue` events wait.
    pub(crate) fn new(groups: AccountGroups, queue: usize) -> Self {
        let mut registry = Registry::default();
        let queue_depth = Gauge::default();
        family::QUEUE_DEPTH.register(&mut registry, queue_depth.clone());
        let limit: Gauge = Gauge::default();
        limit.set(i64::try_from(queue).unwrap_or(i64::MAX));
        family::QUEUE_LIMIT.register(&mut registry, limit);
        let unsealed = Gauge::default();
        family::UNSEALED.register(&mut registry, unsealed.clone());
        let oldest_unsealed_age = Gauge::default();
        family::OLDEST_UNSEALED_AGE.register(&mut registry, oldest_unsealed_age.clone());
        let reconcile_last = Gauge::default();
        family::RECONCILE_LAST.register(&mut registry, reconcile_last.clone());
        Self(Arc::new(Counts {
            groups,
            types: Names::new(),
            endpoints: Names::new(),
            oldest: Mutex::default(),
            append_seconds: Series::new(
                &family::APPEND_SECONDS,
                &mut registry,
                family::append_histogram,
            ),
            appends: Series::new(&family::APPENDS, &mut registry, Counter::default),
            events: Series::new(&family::EVENTS, &mut registry, Counter::default),
            queue_depth,
            undelivered: Series::new(&family::UNDELIVERED, &mut registry, Gauge::default),
            oldest_age: Series::new(
                &family::OLDEST_UNDELIVERED_AGE,
                &mut registry,
                Gauge::default,
            ),
            attempts: Series::new(&family::ATTEMPTS, &mut registry, Counter::default),
            attempt_seconds: Series::new(
                &family::ATTEMPT_SECONDS,
                &mut registry,
                family::attempt_histogram,
            ),
            review: Series::new(&family::REVIEW, &mut registry, Gauge::default),
            unsealed,
            oldest_unsealed: Mutex::default(),
            oldest_unsealed_age,
            reconcile_events: Series::new(
                &family::RECONCILE_EVENTS,
                &mut registry,
                Counter::default,
            ),
            reconcile_requests: Series::new(
                &family::RECONCILE_REQUESTS,
                &mut registry,
                Counter::default,
            ),
            reconcile_last,
            verdicts: Series::new(&family::VERDICTS, &mut registry, Counter::default),
            expected: Expected::new(&mut registry),
            registry,
        }))
    }

    /// Returns under which labels a verified event counts.
    pub(crate) fn slice(&self, attributes: &Attributes) -> Slice {
        Slice {
            type_name: self.0.types.of(&attributes.type_name, Arc::clone),
            endpoint: self.endpoint(&attributes.endpoint),
            account_group: self.0.groups.label(attributes.account.as_deref()),
        }
    }

    fn endpoint(&self, name: &str) -> Arc<Endpoint> {
        self.0.endpoints.of(name, |label| {
            let (appends, seconds) = (&self.0.appends, &self.0.append_seconds);
            Arc::new(Endpoint::new(Arc::clone(label), appends, seconds))
        })
    }

    /// Counts an event as waiting until the returned value is dropped.
    pub(crate) fn waiting(&self) -> Queued {
        self.0.queue_depth.inc();
        Queued(self.0.queue_depth.clone())
    }

    /// Counts what the log said to an event, and how long it took to say so.
    pub(crate) fn appended(
        &self,
        slice: &Slice,
        answer: Result<Appended, LogError>,
        latency: Duration,
    ) {
        slice.endpoint.appended(answer, latency);
        if matches!(answer, Ok(Appended::Stored { .. })) {
            let labels = [
                &slice.type_name,
                &slice.endpoint.label,
                &slice.account_group,
            ];
            self.0.events.of(labels).inc();
        }
    }

    /// Counts an event that was refused before the log saw it. Its endpoint is a
    /// claim, so only the name of one that has verified is taken for it.
    pub(crate) fn refused(&self, endpoint: Option<&str>) {
        let known = endpoint.and_then(|name| self.0.endpoints.known(name));
        match known {
            Some(endpoint) => endpoint.refused.inc(),
            None => self
                .0
                .appends
                .of([&UNPROVEN.into(), &"refused".into()])
                .inc(),
        };
    }

    /// Shows a configured destination before anything is counted of it: the first
    /// of a kind would otherwise be seen by no `rate`.
    pub(crate) fn destination(&self, name: &str, vias: &[Via]) {
        let name: Arc<str> = name.into();
        for via in vias {
            for outcome in Outcome::NAMES {
                let labels = [&name, &via.as_str().into(), &outcome.into()];
                self.0.attempts.of(labels);
            }
        }
        self.0.attempt_seconds.of([&name]);
    }

    /// Counts one attempt at a configured destination.
    pub(crate) fn attempt(
        &self,
        destination: &str,
        via: &'static str,
        outcome: &'static str,
        latency: Duration,
    ) {
        let destination: Arc<str> = destination.into();
        let labels = [&destination, &via.into(), &outcome.into()];
        self.0.attempts.of(labels).inc();
        let histogram = self.0.attempt_seconds.of([&destination]);
        histogram.observe(latency.as_secs_f64());
    }

    /// Shows what a configured destination has not taken yet.
    pub(crate) fn backlog(&self, destination: &str, backlog: Backlog) {
        let destination: Arc<str> = destination.into();
        let labels = [&destination];
        let undelivered = self.0.undelivered.of(labels);
        undelivered.set(number(backlog.undelivered));
        self.0.review.of(labels).set(number(backlog.parked));
        lock(&self.0.oldest).insert(destination, backlog.oldest);
    }

    /// Shows how many events the evidence doesn't speak for yet, and when the
    /// oldest of them was stored.
    pub(crate) fn unsealed(&self, events: u64, oldest: Option<Timestamp>) {
        self.0.unsealed.set(number(events));
        *lock(&self.0.oldest_unsealed) = oldest;
    }

    /// Shows that the log is compared with Stripe's list, before anything is
    /// counted of it: the first of a kind would otherwise be seen by no `rate`.
    pub(crate) fn reconciling(&self, now: Timestamp) {
        self.reconcile_compared(0, 0, 0);
        for outcome in ["found", "limited", "failed", "refused"] {
            self.0.reconcile_requests.of([&outcome.into()]);
        }
        self.reconciled(now);
    }

    /// Shows when a comparison ended whole.
    pub(crate) fn reconciled(&self, now: Timestamp) {
        self.0.reconcile_last.set(number(now.unix_seconds()));
    }

    /// Counts a request to Stripe's API.
    pub(crate) fn reconcile_requested(&self, outcome: &'static str) {
        self.0.reconcile_requests.of([&outcome.into()]).inc();
    }

    /// Counts events of Stripe's list.
    pub(crate) fn reconcile_compared(&self, present: u64, missing: u64, ignored: u64) {
        let events = [
            ("present", present),
            ("missing", missing),
            ("ignored", ignored),
        ];
        for (outcome, count) in events {
            self.0.reconcile_events.of([&outcome.into()]).inc_by(count);
        }
    }

    /// Shows each cause before anything is counted of it: the first of a kind would
    /// otherwise be seen by no `rate`.
    pub(crate) fn watched(&self) {
        for cause in Cause::ALL {
            self.0.verdicts.of([&cause.name().into()]);
        }
    }

    /// Counts a verdict that a gate's watch told, by its cause's name.
    pub(crate) fn told(&self, kind: &str) {
        let known = Cause::ALL.into_iter().find(|cause| cause.name() == kind);
        let kind = known.map_or(OTHER, Cause::name);
        self.0.verdicts.of([&kind.into()]).inc();
    }

    /// Writes everything as of `now`, in the OpenMetrics text format.
    ///
    /// # Errors
    /// A metric can't be written; with text in memory that doesn't happen.
    fn page(&self, now: Timestamp) -> Result<String, fmt::Error> {
        for (destination, oldest) in &*lock(&self.0.oldest) {
            let seconds = age_in_seconds(*oldest, now);
            self.0.oldest_age.of([destination]).set(seconds);
        }
        let oldest = *lock(&self.0.oldest_unsealed);
        self.0.oldest_unsealed_age.set(age_in_seconds(oldest, now));
        let mut page = String::new();
        text::encode(&mut page, &self.0.registry)?;
        Ok(page)
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Returns how long ago something was; 0 if the clock has stepped back.
fn age_in_seconds(then: Option<Timestamp>, now: Timestamp) -> i64 {
    let since = |then: Timestamp| now.unix_millis().saturating_sub(then.unix_millis());
    number(then.map_or(0, since) / 1_000)
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Nothing panics while one is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
