//! One event's turn at its destination.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hookgate_core::time::Timestamp;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::{
    clock,
    deliver::{
        destination::Destination,
        health::{Health, Permit},
        job::{Attempt, Job, Outcome, Settlement, Via},
        message::Message,
        retry::Tried,
        schedule::{Due, Schedule},
        sender::{Sender, SenderError},
    },
    telemetry::trace::Span,
};

use super::{Instruments, standing::Watched};

/// How long to wait before a settlement that could not be written is tried again.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

/// How often that is tried. Then the event is given back, and is delivered again:
/// at least once, never less.
const SETTLE_TRIES: u32 = 30;

/// Delivers to one destination.
pub(super) struct Courier {
    pub(super) destination: Arc<Destination>,
    schedule: Arc<Schedule>,
    primary: Sender,
    secondary: Option<Sender>,
    health: Arc<Mutex<Health>>,
    instruments: Instruments,
}

impl Courier {
    /// Prepares the senders; nothing is connected yet.
    ///
    /// # Errors
    /// [`SenderError`].
    pub(super) fn new(
        destination: Arc<Destination>,
        schedule: Arc<Schedule>,
        instruments: Instruments,
    ) -> Result<Self, SenderError> {
        let sender = |target| Sender::new(target, &destination);
        let vias: &[Via] = match &destination.secondary {
            Some(_) => &[Via::Primary, Via::Secondary],
            None => &[Via::Primary],
        };
        instruments.metrics.destination(&destination.name, vias);
        Ok(Self {
            primary: sender(&destination.primary)?,
            secondary: destination.secondary.as_ref().map(sender).transpose()?,
            health: Arc::new(Mutex::new(Health::new(&destination))),
            schedule,
            destination,
            instruments,
        })
    }

    /// Watches its destination.
    pub(super) fn watch(&self) -> Watched {
        Watched::new(Arc::clone(&self.destination), Arc::clone(&self.health))
    }

    /// See [`Health::permit`].
    pub(super) fn permit(&self, under_way: usize) -> Permit {
        self.health().permit(under_way, clock::now())
    }

    /// See [`Health::held_until`].
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        self.health().held_until(clock::now())
    }

    /// See [`Health::room`].
    fn room(&self) -> NonZeroUsize {
        self.health().room()
    }

    /// Asks what is due.
    pub(super) async fn due(&self) -> Option<Due> {
        let due = self.schedule.due(&self.destination, self.room()).await;
        due.inspect_err(|error| {
            warn!(destination = self.destination.name, %error, "asking again");
        })
        .ok()
    }

    /// Gives events back that can't be tried now.
    pub(super) async fn hand_back(&self, jobs: Vec<Job>) {
        if !jobs.is_empty() {
            self.schedule.hand_back(&self.destination, jobs).await;
        }
    }

    /// Tries an event, at the secondary too if the primary is not there, and
    /// writes down what became of it.
    pub(super) async fn deliver(&self, job: Job, via: Via) {
        let name = &self.destination.name;
        let mut span = self.instruments.tracer.deliver(&job.entry, name);
        let mut attempts = vec![self.attempt(&job, job.number, via, &span).await];
        let first = attempts.last().map(|it| it.outcome);
        let fails_over = |outcome| self.health().fail_over(outcome, clock::now());
        if via == Via::Primary && first.is_some_and(fails_over) {
            let number = job.number.saturating_add(1);
            attempts.push(self.attempt(&job, number, Via::Secondary, &span).await);
        }
        let Some(last) = attempts.last() else {
            return;
        };
        let tried = Tried {
            number: last.number.saturating_sub(job.spent),
            first_at: job.first_at,
            outcome: last.outcome,
        };
        let retry = &self.destination.retry;
        let settlement = retry.judge(tried, clock::now(), fastrand::f64());
        self.report(&job, last, settlement);
        if settlement != Settlement::Delivered {
            span.fail();
        }
        span.end(last.outcome.as_str());
        for _ in 0..SETTLE_TRIES {
            let settled = self
                .schedule
                .settle(&self.destination, &job, &attempts, settlement);
            match settled.await {
                Ok(()) => return,
                Err(error) => warn!(destination = self.destination.name, %error, "settling again"),
            }
            sleep(SETTLE_AGAIN).await;
        }
        self.hand_back(vec![job]).await;
    }

    async fn attempt(&self, job: &Job, number: u32, via: Via, whole: &Span) -> Attempt {
        let at = clock::now();
        let mut span = whole.attempt(number, via.as_str());
        let message = Message::new(&self.destination, job, number, span.traceparent(), at);
        let start = Instant::now();
        let sender = match (via, &self.secondary) {
            (Via::Secondary, Some(secondary)) => secondary,
            _ => &self.primary,
        };
        let answer = sender.send(&message).await;
        let latency = start.elapsed();
        let outcome = answer.outcome.as_str();
        self.health().observe(via, answer.outcome, clock::now());
        if answer.outcome != Outcome::Delivered {
            span.fail();
        }
        span.end(outcome);
        let metrics = &self.instruments.metrics;
        metrics.attempt(&self.destination.name, via.as_str(), outcome, latency);
        Attempt {
            number,
            at,
            via,
            outcome: answer.outcome,
            status: answer.status,
            latency,
            answer: answer.text,
        }
    }

    /// Shows how much the destination has before it.
    pub(super) async fn show_backlog(&self) {
        if let Ok(backlog) = self.schedule.backlog(&self.destination).await {
            let metrics = &self.instruments.metrics;
            metrics.backlog(&self.destination.name, backlog);
        }
    }

    fn report(&self, job: &Job, last: &Attempt, settlement: Settlement) {
        let attributes = &job.entry.attributes;
        let destination = &self.destination.name;
        let event_id = &attributes.id;
        let trace_id = attributes.traceparent.as_ref().map(|it| it.trace_id());
        let (attempt, outcome, status) = (last.number, last.outcome.as_str(), last.status);
        match settlement {
            Settlement::Delivered => {
                debug!(
                    destination,
                    event_id, trace_id, attempt, "delivered an event"
                );
            }
            Settlement::Retry { at } => {
                info!(destination, event_id, trace_id, attempt, outcome, status, next_at = %at,
                    "an event is tried again");
            }
            Settlement::Park { reason } => {
                warn!(
                    destination,
                    event_id,
                    trace_id,
                    attempt,
                    outcome,
                    status,
                    reason = reason.as_str(),
                    "parked an event"
                );
            }
        }
    }

    /// Nothing panics while it is held, and if it did its state were whole.
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
