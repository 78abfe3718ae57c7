//! The schedule in JetStream, shared by every upstream of the log.
//!
//! Fresh events come from a durable consumer of the log's stream, one for each
//! destination. What is to be tried again is acknowledged there once a message
//! in a second stream is scheduled for its time: a negative acknowledgement
//! with a delay would stay pending, and enough of them would stop the consumer.
//! Source: <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-51.md>.

mod answer;
mod beside;
mod carrier;
mod parked;
mod place;
mod position;
mod queue;
mod recent;
mod records;
mod rules;
mod stage;
mod streams;

use std::{
    collections::HashMap,
    num::{NonZeroU32, NonZeroUsize},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{self, AckKind, Message, context::Context};
use futures_util::future::try_join_all;
use tracing::warn;

pub(crate) use beside::{Beside, Parking, Reached};
pub(crate) use parked::parked;
pub(crate) use recent::Attempted;
pub(crate) use rules::Rules;
pub(crate) use stage::Stage;
pub(crate) use streams::OpenError;

use self::{carrier::Carrier, place::Place, records::Retried, streams::Streams};
use super::{Backlog, Due, ScheduleError};
use crate::{
    clock,
    deliver::{
        destination::{Destination, Order},
        job::{Attempt, Job, ParkReason, Settlement},
    },
    evidence::LogId,
    log::{
        ReadError,
        nats::{self, Servers, event_of},
    },
};

/// How soon an event comes again whose last attempt is just being settled.
const SETTLED_SOON: Duration = Duration::from_millis(100);

/// Asks the server.
#[derive(Debug)]
pub(crate) struct NatsSchedule {
    context: Context,
    log: LogId,
    carrier: Carrier,
    streams: Streams,
    places: HashMap<String, Place>,
    /// What was handed out and isn't settled, by destination and sequence.
    under_way: Mutex<HashMap<(String, u64), Held>>,
}

/// Is the message of an event that was handed out.
#[derive(Debug, Clone)]
struct Held {
    message: Message,
    /// Its place in its stream.
    place: u64,
    /// What is known if it came from the second stream.
    retried: Option<Retried>,
}

/// Tells what failed; the schedule's own error says no more than that.
fn failed(error: impl std::fmt::Display) -> ScheduleError {
    warn!(%error, "the schedule of deliveries failed");
    ScheduleError
}

impl NatsSchedule {
    /// Makes the streams and consumers that aren't there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) async fn open(
        server: &Servers,
        destinations: &[Arc<Destination>],
        approvals: NonZeroU32,
    ) -> Result<Self, OpenError> {
        let context = streams::connect(server).await?;
        let streams = Streams::ensure(&context).await?;
        streams.check_replicas(server)?;
        let mut places = HashMap::new();
        for destination in destinations {
            if destination.order == Order::Object {
                let name = destination.name.clone();
                return Err(OpenError::Order { name });
            }
            let place = Place::ensure(&streams, destination).await?;
            places.insert(destination.name.clone(), place);
        }
        let log = nats::id(&context, &streams.log).await?;
        let rules = Rules {
            log,
            approvals: approvals.get(),
            destinations: (destinations.iter().map(|it| it.name.clone())).collect(),
        };
        rules.write(&context, &streams.review).await?;
        Ok(Self {
            carrier: Carrier::new(&context, &streams, log),
            context,
            log,
            streams,
            places,
            under_way: Mutex::default(),
        })
    }

    /// See [`super::Schedule::due`].
    pub(crate) async fn due(
        &self,
        destination: &Arc<Destination>,
        room: NonZeroUsize,
    ) -> Result<Due, ScheduleError> {
        let mut due = Due::default();
        match self.take_due(destination, room, &mut due).await {
            // What is in hand counts as under way: it must be delivered.
            Err(_) if !due.jobs.is_empty() => Ok(due),
            taken => taken.map(|()| due),
        }
    }

    /// See [`super::Schedule::carry_out`].
    pub(crate) async fn carry_out(&self) -> Result<(), ScheduleError> {
        self.carrier.carry_out().await.map_err(failed)
    }

    /// See [`super::Schedule::hand_back`].
    pub(crate) async fn hand_back(&self, destination: &Arc<Destination>, jobs: &[Job]) {
        for job in jobs {
            let key = (destination.name.clone(), job.entry.sequence);
            let held = self.under_way().remove(&key);
            if let Some(held) = held
                && let Err(error) = held.message.ack_with(AckKind::Nak(None)).await
            {
                let attributes = &job.entry.attributes;
                let (event_id, trace_id) = (&attributes.id, attributes.trace_id());
                warn!(%error, event_id, trace_id, "an event could not be given back; it comes again later");
            }
        }
    }

    /// See [`super::Schedule::settle`].
    pub(crate) async fn settle(
        &self,
        destination: &Arc<Destination>,
        job: &Job,
        attempts: &[Attempt],
        settlement: Settlement,
    ) -> Result<(), ScheduleError> {
        let (name, sequence) = (&destination.name, job.entry.sequence);
        let written = attempts.iter().map(|attempt| {
            let (subject, headers) = records::attempt(name, sequence, attempt);
            self.publish(subject, headers)
        });
        try_join_all(written).await?;
        match settlement {
            Settlement::Delivered => {}
            Settlement::Retry { at } => {
                let retried = Retried {
                    sequence,
                    attempts: attempts.last().map_or(0, |last| last.number),
                    spent: job.spent,
                    first_at: job.first_at,
                    decision: self.decision(name, sequence),
                };
                let (subject, headers) = records::retry(name, &retried, at);
                self.publish(subject, headers).await?;
            }
            Settlement::Park { reason } => self.park(name, sequence, attempts, reason).await?,
        }
        let held = self.under_way().remove(&(name.clone(), sequence));
        if let Some(held) = held
            && (self.finish(&held.message, held.retried.is_some()))
                .await
                .is_err()
        {
            // A server that was restarted answers no acknowledgement of what
            // it delivered before: to ask again would wait for ever.
            let attributes = &job.entry.attributes;
            let (event_id, trace_id) = (&attributes.id, attributes.trace_id());
            warn!(
                event_id,
                trace_id, "the log may not know that an event is dealt with; it may come again"
            );
        }
        Ok(())
    }

    /// See [`super::Schedule::backlog`].
    pub(crate) async fn backlog(
        &self,
        destination: &Arc<Destination>,
    ) -> Result<Backlog, ScheduleError> {
        let place = self.place(destination)?;
        place.backlog(&self.streams).await.map_err(failed)
    }

    async fn take_due(
        &self,
        destination: &Destination,
        room: NonZeroUsize,
        due: &mut Due,
    ) -> Result<(), ScheduleError> {
        let place = self.place(destination)?;
        for message in place.again(room.get().div_ceil(2)).await.map_err(failed)? {
            self.take_up(destination, message, true, due).await?;
        }
        let rest = room.get().saturating_sub(due.jobs.len());
        let fresh = place.fresh(rest).await.map_err(failed)?;
        if fresh.len() == rest {
            // There may be more.
            due.next_at = Some(clock::now());
        }
        for message in fresh {
            self.take_up(destination, message, false, due).await?;
        }
        Ok(())
    }

    /// Makes a job of a message; or settles it, if it is none.
    async fn take_up(
        &self,
        destination: &Destination,
        message: Message,
        again: bool,
        due: &mut Due,
    ) -> Result<(), ScheduleError> {
        let name = &destination.name;
        let place = message.info().map_err(failed)?.stream_sequence;
        let (sequence, retried) = if again {
            let Some(retried) = records::retried(&message) else {
                warn!(subject = %message.subject, "not a retry of ours");
                return message.ack().await.map_err(failed);
            };
            (retried.sequence, Some(retried))
        } else {
            (place, None)
        };
        let key = (name.clone(), sequence);
        let held = self.under_way().get(&key).map(|held| {
            let same = held.place == place && held.retried.is_some() == again;
            same.then_some(place)
        });
        match held {
            // Comes again because it takes long. The server may answer only
            // to the acknowledgement of what it delivered last.
            Some(Some(_)) => {
                if let Some(held) = self.under_way().get_mut(&key) {
                    held.message = message;
                }
                return Ok(());
            }
            // A person let it go, and the attempt before is just being settled.
            Some(None) => {
                let later = AckKind::Nak(Some(SETTLED_SOON));
                return message.ack_with(later).await.map_err(failed);
            }
            None => {}
        }
        let event = if again {
            self.streams.event(sequence).await
        } else {
            event_of(&message).map(Some)
        };
        let (entry, payload) = match event {
            Ok(Some((entry, payload)))
                if !entry.redacted
                    && (retried.is_some_and(|it| it.decision.is_some())
                        || destination.filter.matches(&entry.attributes)) =>
            {
                (entry, payload)
            }
            Ok(_) => return self.finish(&message, again).await,
            Err(ReadError::Damage(damage)) => {
                tracing::error!(destination = name, %damage, "parked an event");
                self.park(name, sequence, &[], ParkReason::Damaged).await?;
                return self.finish(&message, again).await;
            }
            Err(error) => return Err(failed(error)),
        };
        if retried.is_none() && entry.attributes.held_for.is_some() {
            // Before its first attempt: what comes again was let go by a person.
            self.park(name, sequence, &[], ParkReason::Held).await?;
            return self.finish(&message, again).await;
        }
        due.jobs.push(Job {
            entry,
            payload,
            number: retried.map_or(0, |it| it.attempts).saturating_add(1),
            spent: retried.map_or(0, |it| it.spent),
            first_at: retried.map_or_else(clock::now, |it| it.first_at),
        });
        let held = Held {
            message,
            place,
            retried,
        };
        self.under_way().insert(key, held);
        Ok(())
    }

    /// See [`super::Schedule::park`].
    pub(super) async fn park(
        &self,
        name: &str,
        sequence: u64,
        attempts: &[Attempt],
        reason: ParkReason,
    ) -> Result<(), ScheduleError> {
        let (subject, headers) = records::parked(self.log, name, sequence, attempts, reason);
        self.publish(subject, headers).await
    }

    /// Lets the server forget a message that is dealt with.
    async fn finish(&self, message: &Message, again: bool) -> Result<(), ScheduleError> {
        if again {
            // First: of what is acknowledged nobody would remove it any more.
            streams::forget_retry(&self.context, message)
                .await
                .map_err(failed)?;
        }
        message.double_ack().await.map_err(failed)
    }

    /// Returns by which record a person let an event go that is under way.
    fn decision(&self, name: &str, sequence: u64) -> Option<u64> {
        let key = (name.to_owned(), sequence);
        self.under_way().get(&key)?.retried?.decision
    }

    async fn publish(
        &self,
        subject: String,
        headers: async_nats::HeaderMap,
    ) -> Result<(), ScheduleError> {
        let published = self
            .context
            .publish_with_headers(subject, headers, bytes::Bytes::new());
        let acknowledged: Result<_, jetstream::context::PublishError> =
            async { published.await?.await }.await;
        acknowledged.map(|_| ()).map_err(failed)
    }

    fn place(&self, destination: &Destination) -> Result<&Place, ScheduleError> {
        self.places.get(&destination.name).ok_or(ScheduleError)
    }

    /// Nothing panics while it is held.
    fn under_way(&self) -> MutexGuard<'_, HashMap<(String, u64), Held>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
