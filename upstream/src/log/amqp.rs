//! The log as a RabbitMQ stream: an append-only file on each of its replicas,
//! which every consumer reads from wherever it likes.
//!
//! The server confirms a message when a majority of the replicas has it, and
//! says neither at which offset it is nor whether there was one like it. So an
//! event that comes again is stored again; whoever reads the stream knows it by
//! `ce-source` and `ce-id`.
//! Source: <https://www.rabbitmq.com/docs/streams>.

mod cursor;
mod follow;
mod link;
mod message;
mod reader;
mod stream;

use std::sync::Arc;

use lapin::types::ShortString;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::{Duration, timeout},
};
use tracing::warn;

pub(crate) use follow::Following;
pub(crate) use reader::{AmqpReader, ReadError};
pub(crate) use stream::StreamError;

use self::link::Link;
use super::{Appended, Limits, LogError, Record, address::AmqpAddress};
use crate::{
    amqp::{ConnectError, Verdict},
    clock,
};

/// How long the server may take to confirm an event. Below the gate's upstream
/// timeout (10 s).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

/// Messages that may be in flight at a time, each on a channel of its own; the
/// server allows 2,047 channels by default. Others wait for their turn.
const CHANNELS: usize = 256;

/// Says why a server can't be used as the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The server can't be reached, or refuses.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The stream isn't as the log needs it.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl OpenError {
    /// Tells whether it may pass by itself.
    pub(crate) const fn is_away(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_away(),
            Self::Stream(error) => error.is_away(),
        }
    }
}

/// Appends to the stream.
#[derive(Debug)]
pub(crate) struct AmqpLog {
    stream: ShortString,
    in_flight: Semaphore,
    /// The connection; `None` while there is none.
    link: watch::Receiver<Option<Arc<Link>>>,
    /// Makes it anew when it is lost.
    upkeep: JoinHandle<()>,
}

impl AmqpLog {
    /// Connects, and makes or checks the stream.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) async fn open(address: &AmqpAddress, limits: Limits) -> Result<Self, OpenError> {
        let link = Arc::new(link::open(address, limits.max_payload_bytes).await?);
        warn!(
            "RabbitMQ confirms what most replicas of a stream have, and syncs none of it: a power cut that takes them all can take confirmed events"
        );
        let (current, watched) = watch::channel(Some(Arc::clone(&link)));
        let upkeep = link::keep_up(address.clone(), limits.max_payload_bytes, link, current);
        Ok(Self {
            stream: address.stream().clone(),
            in_flight: Semaphore::new(limits.queue),
            link: watched,
            upkeep: tokio::spawn(upkeep),
        })
    }

    /// Publishes a record and waits for the server's confirm.
    ///
    /// # Errors
    /// [`LogError`].
    pub(crate) async fn append(&self, record: Record) -> Result<Appended, LogError> {
        let Ok(_place) = self.in_flight.try_acquire() else {
            return Err(LogError::QueueFull);
        };
        let attributes = &record.attributes;
        let (event_id, trace_id) = (&attributes.id, attributes.trace_id());
        let link = self.link.borrow().clone();
        // The client would keep the message and send it later, long after the
        // sender was told to try again.
        let Some((link, channels)) = link.as_deref().and_then(|link| Some((link, link.open()?)))
        else {
            return Err(LogError::Unavailable);
        };
        let Some(properties) = message::properties(attributes, clock::now()) else {
            warn!(
                event_id,
                trace_id, "the headers of an event are larger than RabbitMQ takes"
            );
            return Err(LogError::Unavailable);
        };
        let stream = self.stream.clone();
        let published = channels.publish("".into(), stream, properties, &record.payload);
        match timeout(REQUEST_TIMEOUT, published).await {
            Ok(Ok(Verdict::Confirmed)) => Ok(Appended::Stored { sequence: None }),
            Ok(Ok(verdict)) => {
                warn!(
                    event_id,
                    trace_id,
                    ?verdict,
                    "RabbitMQ did not take an event"
                );
                Err(LogError::Unavailable)
            }
            Ok(Err(error)) => {
                warn!(event_id, trace_id, %error, "RabbitMQ did not confirm an event");
                Err(LogError::Unavailable)
            }
            Err(_) => {
                warn!(
                    event_id,
                    trace_id, "RabbitMQ did not confirm an event in time"
                );
                // What it didn't read yet would pile up here.
                link.give_up();
                Err(LogError::Unavailable)
            }
        }
    }

    /// Tells whether the stream answers now.
    pub(crate) async fn is_ready(&self) -> bool {
        let link = self.link.borrow().clone();
        match link {
            Some(link) => link.answers(&self.stream).await,
            None => false,
        }
    }
}

impl Drop for AmqpLog {
    fn drop(&mut self) {
        self.upkeep.abort();
    }
}
