//! The log as a JetStream stream: many gates, many upstreams.
//!
//! Every identity has its own subject, and the stream keeps the first message
//! of each subject and refuses others (`discard_new_per_subject`). So the
//! server itself decides what is first, whichever upstream asks.
//! Source: <https://docs.nats.io/nats-concepts/jetstream/streams>.

mod amend;
mod atomic;
mod connection;
mod event;
mod evidence;
mod fetched;
mod follow;
mod lent;
mod message;
mod newest;
mod reader;
mod redact;
mod retention;
mod seal;
mod servers;
mod stream;
mod verify;
mod walk;

use std::time::Duration;

use async_nats::jetstream::{
    self,
    context::{Context, PublishError},
    stream::Stream,
};
use tokio::{sync::Semaphore, time::timeout};
use tracing::{debug, warn};

pub(crate) use amend::{AmendError, amend};
pub(crate) use atomic::{AtomicError, MOST as MOST_AT_ONCE, Outgoing, publish as publish_whole};
pub(crate) use connection::{ConnectError, Kept, connect};
pub(crate) use event::{event_in, event_of, subjects_of};
pub(crate) use evidence::EvidenceError;
pub(crate) use fetched::Fetched;
pub(crate) use follow::Following;
pub(crate) use newest::{is_conflict, newest};
pub(crate) use reader::{NatsReader, ReadError, timestamp};
pub(crate) use redact::redact;
pub(crate) use seal::{SealError, Sealer};
pub(crate) use servers::{Servers, ServersError};
pub(crate) use stream::{NAME as STREAM, StreamError};
pub(crate) use walk::Walk;

use self::evidence::Evidence;
use super::{Appended, Attributes, Limits, LogAddress, LogError, Record};
use crate::evidence::LogId;

/// How long one request to the server may take. A publish that is refused takes
/// two, which must fit into the gate's upstream timeout (10 s).
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a readiness probe waits for the stream.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Room for headers and subject beside a payload in a message.
const HEADER_BYTES: usize = 16 * 1_024;

/// Says why a NATS server can't be used as the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The server can't be reached, or refuses.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The stream isn't as the log needs it.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// Identities would be forgotten that can still be sent.
    #[error(
        "--keep: found {}, expected at least 30 days: on JetStream an identity is remembered by its message, and senders send again for that long. `sqlite:PATH` keeps identities without events", humantime::format_duration(*keep)
    )]
    Keep {
        /// As asked for.
        keep: Duration,
    },
    /// Large events would be accepted and could never be stored.
    #[error(
        "the NATS server takes messages of {found} bytes, expected at least {expected}: set `max_payload: {expected}` in its configuration, or start hookgate with --max-body-bytes {fitting}"
    )]
    MaxPayload {
        /// The server's limit.
        found: usize,
        /// What the configured payload limit needs.
        expected: usize,
        /// The payload limit that would fit.
        fitting: usize,
    },
}

impl OpenError {
    /// Tells whether it may pass by itself.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_away(),
            Self::Stream(error) => error.is_away(),
            Self::MaxPayload { .. } | Self::Keep { .. } => false,
        }
    }
}

/// Returns the name of a log that was sealed before.
///
/// # Errors
/// [`EvidenceError`].
pub(crate) async fn id(context: &Context, log: &Stream) -> Result<LogId, EvidenceError> {
    Ok(Evidence::find(context, log).await?.log())
}

/// Appends to the stream.
#[derive(Debug)]
pub(crate) struct NatsLog {
    context: Context,
    stream: Stream<()>,
    in_flight: Semaphore,
}

impl NatsLog {
    /// Connects, and makes or checks the stream.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) async fn open(server: &Servers, limits: Limits) -> Result<Self, OpenError> {
        if let Some(keep) = limits.keep.filter(|keep| *keep < stream::REMEMBERED) {
            return Err(OpenError::Keep { keep });
        }
        let client = connection::connect(server).await?;
        let found = client.server_info().max_payload;
        let expected = limits.max_payload_bytes.saturating_add(HEADER_BYTES);
        if found < expected {
            return Err(OpenError::MaxPayload {
                found,
                expected,
                fitting: found.saturating_sub(HEADER_BYTES),
            });
        }
        let context = jetstream::context::ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .max_ack_inflight(limits.queue)
            .backpressure_on_inflight(false)
            .build(client);
        let address = LogAddress::Nats(server.clone());
        let stream = stream::ensure(&context, &address, limits).await?;
        Ok(Self {
            context,
            stream,
            in_flight: Semaphore::new(limits.queue),
        })
    }

    /// Publishes a record and waits for the server's acknowledgement.
    ///
    /// # Errors
    /// [`LogError`].
    pub(crate) async fn append(&self, record: Record) -> Result<Appended, LogError> {
        let Ok(_place) = self.in_flight.try_acquire() else {
            return Err(LogError::QueueFull);
        };
        // The client would keep the message and send it after reconnecting,
        // long after the sender was told to try again.
        if !self.is_connected() {
            return Err(LogError::Unavailable);
        }
        let attributes = &record.attributes;
        let (event_id, trace_id) = (&attributes.id, attributes.trace_id());
        let subject = message::subject(attributes.source.as_str(), event_id);
        let headers = message::append_headers(attributes);
        let published = async {
            self.context
                .publish_with_headers(subject.clone(), headers, record.payload)
                .await?
                .await
        };
        match timeout(REQUEST_TIMEOUT, published).await {
            Ok(Ok(ack)) => Ok(Appended::Stored {
                sequence: Some(ack.sequence),
            }),
            Ok(Err(error)) if is_refusal(&error) => {
                self.first_copy(&subject, attributes, &error).await
            }
            Ok(Err(error)) => {
                warn!(event_id, trace_id, %error, "the NATS server did not acknowledge an event");
                Err(LogError::Unavailable)
            }
            Err(_) => {
                warn!(
                    event_id,
                    trace_id, "the NATS server did not acknowledge an event in time"
                );
                Err(LogError::Unavailable)
            }
        }
    }

    /// Asks why the server refused: the same code (10077) means "there is one",
    /// "the store is full" and, in a cluster, "one is in flight". Only a message
    /// that the stream's leader can show is durable; a direct get could be
    /// answered by a replica that is ahead of the quorum or behind it.
    async fn first_copy(
        &self,
        subject: &str,
        attributes: &Attributes,
        refusal: &PublishError,
    ) -> Result<Appended, LogError> {
        let (event_id, trace_id) = (&attributes.id, attributes.trace_id());
        match timeout(REQUEST_TIMEOUT, self.known(subject, attributes)).await {
            Ok(Ok(Some(sequence))) => Ok(Appended::Duplicate { sequence }),
            Ok(Ok(None)) => {
                warn!(event_id, trace_id, error = %refusal, "the NATS server refused an event that it does not have");
                Err(LogError::Unavailable)
            }
            Ok(Err(error)) => {
                warn!(event_id, trace_id, %error, "the NATS server did not say whether it has an event");
                Err(LogError::Unavailable)
            }
            Err(_) => {
                warn!(
                    event_id,
                    trace_id, "the NATS server did not say in time whether it has an event"
                );
                Err(LogError::Unavailable)
            }
        }
    }

    /// Returns the sequence of an identity, also of one whose payload was
    /// removed; `None` if there is none.
    async fn known(
        &self,
        subject: &str,
        attributes: &Attributes,
    ) -> Result<Option<u64>, async_nats::Error> {
        if let Some(message) = newest(&self.stream, subject).await? {
            return Ok(Some(message.sequence));
        }
        let tombstone = message::tombstone_subject(attributes.source.as_str(), &attributes.id);
        let Some(message) = newest(&self.stream, &tombstone).await? else {
            return Ok(None);
        };
        let (entry, _) = event_in(message)?;
        Ok(Some(entry.sequence))
    }

    /// Tells whether the stream answers now.
    pub(crate) async fn is_ready(&self) -> bool {
        if !self.is_connected() {
            return false;
        }
        match timeout(PROBE_TIMEOUT, self.stream.get_info()).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                debug!(%error, "the stream did not answer a probe");
                false
            }
            Err(_) => false,
        }
    }

    fn is_connected(&self) -> bool {
        self.context.client().connection_state() == async_nats::connection::State::Connected
    }
}

/// Tells an answer of the server from silence: only the server's word makes it
/// worth asking for the first copy.
fn is_refusal(error: &PublishError) -> bool {
    use std::error::Error as _;
    error
        .source()
        .is_some_and(|source| source.is::<jetstream::Error>())
}
