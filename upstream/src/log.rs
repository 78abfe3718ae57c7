//! The durable log: append an event once, and say so only when it is safe.
//!
//! Whatever the backend, three things hold. A record is answered
//! [`Appended::Stored`] only after the backend confirmed that it is durable.
//! [`Appended::Duplicate`] is answered only if the first copy is durable, with
//! the first copy's sequence. Every doubt is a [`LogError`], so that the sender
//! tries again. What else a log can do is its [`Capability`].

use std::{num::NonZeroUsize, time::Duration};

mod address;
pub(crate) mod amqp;
mod capability;
mod follow;
mod headers;
#[cfg(feature = "kafka")]
pub(crate) mod kafka;
mod kept;
pub(crate) mod nats;
mod offsets;
pub(crate) mod reader;
mod record;
mod redact;
mod search;
pub(crate) mod sqlite;
mod start;
mod verify;

pub(crate) use address::{AddressError, LogAddress};
pub(crate) use capability::{Capability, Incapable};
pub(crate) use follow::Follower;
pub(crate) use kept::Kept;
pub(crate) use reader::{Query, ReadError, Reader};
pub(crate) use record::{Attributes, Damage, Entry, HeldFor, Origin, Record, Sha256Sum, UNSIGNED};
pub(crate) use redact::{
    RedactError, Redacted, Request as RedactRequest, Target as RedactTarget, redact,
};
pub(crate) use search::{Found, Sought};
pub(crate) use start::Start;
pub(crate) use verify::{VerifyError, head, verify};

/// Says what became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is durable, under this sequence.
    Stored {
        /// Its place in the log, from 1; `None` if the log doesn't say.
        sequence: Option<u64>,
    },
    /// An event of this identity is already durable. Not every log can tell:
    /// see [`Capability::ExactDuplicates`].
    Duplicate {
        /// The place of the first copy.
        sequence: u64,
    },
}

/// Says why a record was not confirmed. Causes are logged by the backend,
/// because the sender can't do anything about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LogError {
    /// As many records as allowed are waiting already.
    #[error("the log's queue is full")]
    QueueFull,
    /// The backend did not confirm; the record may or may not be durable.
    #[error("the log did not confirm the event")]
    Unavailable,
}

/// Says why a log can't be used at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// SQLite refused.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// NATS refused.
    #[error(transparent)]
    Nats(#[from] nats::OpenError),
    /// A stream can't be sealed.
    #[error(transparent)]
    Seal(#[from] nats::SealError),
    /// RabbitMQ refused.
    #[error(transparent)]
    Amqp(#[from] amqp::OpenError),
    /// Kafka refused.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] kafka::OpenError),
    /// The log can't do what is asked of it.
    #[error(transparent)]
    Incapable(#[from] Incapable),
}

impl OpenError {
    /// Tells whether it may pass by itself: the broker is away, or isn't ready.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Sqlite(_) | Self::Incapable(_) => false,
            Self::Nats(error) => error.is_away(),
            Self::Seal(error) => error.is_away(),
            Self::Amqp(error) => error.is_away(),
            #[cfg(feature = "kafka")]
            Self::Kafka(error) => error.is_away(),
        }
    }
}

/// Sets what a log takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Records that may wait for their confirmation before others are answered
    /// [`LogError::QueueFull`]; at least 1.
    pub(crate) queue: usize,
    /// Largest payload that the server lets through.
    pub(crate) max_payload_bytes: usize,
    /// How long events are kept; `None` for ever. Identities are remembered for
    /// at least 30 days all the same.
    pub(crate) keep: Option<Duration>,
    /// Servers that have each event.
    pub(crate) replicas: NonZeroUsize,
}

/// Appends to one backend.
#[derive(Debug)]
pub(crate) enum Log {
    /// A file on this machine.
    Sqlite(sqlite::SqliteLog),
    /// A JetStream stream.
    Nats(Box<nats::NatsLog>),
    /// A stream of RabbitMQ.
    Amqp(Box<amqp::AmqpLog>),
    /// A topic of Kafka.
    #[cfg(feature = "kafka")]
    Kafka(Box<kafka::KafkaLog>),
}

/// Watches over an open [`Log`].
#[derive(Debug)]
pub(crate) enum Keeper {
    /// The writer of the file.
    Sqlite(sqlite::Writing),
    /// Brokers' clients reconnect by themselves.
    Broker,
}

impl Log {
    /// Opens the log for appending.
    ///
    /// # Errors
    /// [`OpenError`]: the text says what to do.
    pub(crate) async fn open(
        address: &LogAddress,
        limits: Limits,
    ) -> Result<(Self, Keeper), OpenError> {
        if limits.keep.is_some() {
            address.require(Capability::Retention)?;
        }
        if limits.replicas.get() > 1 {
            address.require(Capability::Replicas)?;
        }
        let log = match address {
            LogAddress::Sqlite(path) => {
                let (log, writing) = sqlite::open(path, limits)?;
                return Ok((Self::Sqlite(log), Keeper::Sqlite(writing)));
            }
            LogAddress::Nats(server) => {
                Self::Nats(Box::new(nats::NatsLog::open(server, limits).await?))
            }
            LogAddress::Amqp(address) => {
                Self::Amqp(Box::new(amqp::AmqpLog::open(address, limits).await?))
            }
            #[cfg(feature = "kafka")]
            LogAddress::Kafka(address) => {
                Self::Kafka(Box::new(kafka::KafkaLog::open(address, limits).await?))
            }
        };
        Ok((log, Keeper::Broker))
    }

    /// Appends a record and waits until it is durable.
    ///
    /// # Errors
    /// [`LogError`]: nothing is confirmed.
    pub(crate) async fn append(&self, record: Record) -> Result<Appended, LogError> {
        match self {
            Self::Sqlite(log) => log.append(record).await,
            Self::Nats(log) => log.append(record).await,
            Self::Amqp(log) => log.append(record).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(log) => log.append(record).await,
        }
    }

    /// Tells whether an append could be confirmed now.
    pub(crate) async fn is_ready(&self) -> bool {
        match self {
            Self::Sqlite(log) => log.is_ready(),
            Self::Nats(log) => log.is_ready().await,
            Self::Amqp(log) => log.is_ready().await,
            #[cfg(feature = "kafka")]
            Self::Kafka(log) => log.is_ready().await,
        }
    }
}

impl Keeper {
    /// Waits until the log ends. It does so by itself only when going on could
    /// confirm what isn't durable; otherwise when the [`Log`] is dropped.
    ///
    /// # Errors
    /// [`sqlite::WriteError`]: why the log can't be trusted any more.
    pub(crate) async fn ended(&mut self) -> Result<(), sqlite::WriteError> {
        match self {
            Self::Sqlite(writing) => writing.ended().await,
            Self::Broker => std::future::pending().await,
        }
    }

    /// Waits until what was accepted is written and the log is closed. The
    /// [`Log`] must have been dropped.
    ///
    /// # Errors
    /// [`sqlite::WriteError`] as in [`Self::ended`].
    pub(crate) async fn close(self) -> Result<(), sqlite::WriteError> {
        match self {
            Self::Sqlite(mut writing) => writing.ended().await,
            // An accepted event holds its request open until it is confirmed,
            // so nothing is left once the requests are drained.
            Self::Broker => Ok(()),
        }
    }
}
