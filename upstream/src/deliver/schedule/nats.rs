//! The schedule in JetStream, shared by every upstream of the log.
//!
//! Fresh events come from a durable consumer of the log's stream, one for each
//! destination. What is to be tried again is acknowledged there once a message
//! in a second stream is scheduled for its time: a negative acknowledgement
//! with a delay would stay pending, and enough of them would stop the consumer.
//! Source: <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-51.md>.

mod parked;
mod place;
mod records;
mod streams;

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_nats::jetstream::{self, AckKind, Message, context::Context};
use futures_util::future::try_join_all;
use tracing::warn;

pub(crate) use parked::parked;
pub(crate) use streams::OpenError;

use self::{place::Place, streams::Streams};
use super::{Backlog, Due, ScheduleError};
use crate::{
    clock,
    deliver::{
        destination::{Destination, Order},
        job::{Attempt, Job, ParkReason, Settlement},
    },
    log::{
        ReadError,
        nats::{Servers, event_of},
    },
};

/// Asks the server.
#[derive(Debug)]
pub(crate) struct NatsSchedule {
    context: Context,
    streams: Streams,
    places: HashMap<String, Place>,
    /// What was handed out and isn't settled, by destination and sequence.
    under_way: Mutex<HashMap<(String, u64), Held>>,
}

/// Is the message of an event that was handed out.
#[derive(Debug, Clone)]
struct Held {
    message: Message,
    /// Whether it came from the second stream.
    again: bool,
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
        Ok(Self {
            context,
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
                let number = attempts.last().map_or(0, |last| last.number);
                let (subject, headers) = records::retry(name, sequence, number, job.first_at, at);
                self.publish(subject, headers).await?;
            }
            Settlement::Park { reason } => self.park(name, sequence, attempts, reason).await?,
        }
        let held = self.under_way().remove(&(name.clone(), sequence));
        if let Some(held) = held
            && self.finish(&held.message, held.again).await.is_err()
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
        let (sequence, retried) = if again {
            let Some(retried) = records::retried(&message) else {
                warn!(subject = %message.subject, "not a retry of ours");
                return message.ack().await.map_err(failed);
            };
            (retried.sequence, Some(retried))
        } else {
            (message.info().map_err(failed)?.stream_sequence, None)
        };
        if let Some(held) = self.under_way().get_mut(&(name.clone(), sequence)) {
            // Comes again because it takes long. The server may answer only
            // to the acknowledgement of what it delivered last.
            if held.again == again {
                held.message = message;
            }
            return Ok(());
        }
        let event = if again {
            self.streams.event(sequence).await
        } else {
            event_of(&message).map(Some)
        };
        let (entry, payload) = match event {
            Ok(Some((entry, payload)))
                if !entry.redacted && destination.filter.matches(&entry.attributes) =>
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
        due.jobs.push(Job {
            entry,
            payload,
            number: retried.map_or(0, |it| it.attempts).saturating_add(1),
            // Nobody lets an event go again here.
            spent: 0,
            first_at: retried.map_or_else(clock::now, |it| it.first_at),
        });
        let held = Held { message, again };
        self.under_way().insert((name.clone(), sequence), held);
        Ok(())
    }

    async fn park(
        &self,
        name: &str,
        sequence: u64,
        attempts: &[Attempt],
        reason: ParkReason,
    ) -> Result<(), ScheduleError> {
        let (subject, headers) = records::parked(name, sequence, attempts, reason);
        self.publish(subject, headers).await
    }

    /// Lets the server forget a message that is dealt with.
    async fn finish(&self, message: &Message, again: bool) -> Result<(), ScheduleError> {
        let acknowledged = message.double_ack().await.map_err(failed);
        if again {
            self.streams.forget_retry(message).await.map_err(failed)?;
        }
        acknowledged
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
