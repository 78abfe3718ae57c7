//! Reading the log: its newest events, one event, or all in their order.

use std::num::NonZeroUsize;

use bytes::Bytes;
use hookgate_core::{identity::Source, policy::TypePattern, time::Timestamp};

#[cfg(feature = "kafka")]
use super::kafka;
use super::{Damage, Entry, LogAddress, amqp, nats, offsets, offsets::Offsets as _, sqlite};

/// Most bytes of payload of one scan, but for its last event.
pub(super) const SCAN_BYTES: usize = 8 * 1_024 * 1_024;

/// Chooses events of the log.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// How many at most; the newest ones count.
    pub(crate) limit: NonZeroUsize,
    /// Only events of this source.
    pub(crate) source: Option<Source>,
    /// Only events of such types.
    pub(crate) type_name: Option<TypePattern>,
}

impl Query {
    /// Tells whether an entry is asked for.
    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        let attributes = &entry.attributes;
        let of_source = |source: &Source| *source == attributes.source;
        let of_type = |pattern: &TypePattern| pattern.matches(&attributes.type_name);
        self.source.as_ref().is_none_or(of_source) && self.type_name.as_ref().is_none_or(of_type)
    }
}

/// Says where a log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Sequence of the oldest event.
    pub(crate) first: u64,
    /// Sequence of the newest event.
    pub(crate) last: u64,
}

/// Says why the log can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// What was read is not what was appended.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// SQLite refused.
    #[error(transparent)]
    Sqlite(#[from] sqlite::ReadError),
    /// NATS refused.
    #[error(transparent)]
    Nats(#[from] nats::ReadError),
    /// RabbitMQ refused.
    #[error(transparent)]
    Amqp(#[from] amqp::ReadError),
    /// Kafka refused.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] kafka::ReadError),
}

impl ReadError {
    /// Tells whether the broker is away, which may pass by itself.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Nats(nats::ReadError::Connect(error)) if error.is_away())
    }
}

/// Reads a log, also while a server appends to it.
#[derive(Debug)]
pub(crate) enum Reader {
    /// A file of this machine.
    Sqlite(sqlite::SqliteReader),
    /// A JetStream stream.
    Nats(Box<nats::NatsReader>),
    /// A stream of RabbitMQ.
    Amqp(Box<amqp::AmqpReader>),
    /// A topic of Kafka.
    #[cfg(feature = "kafka")]
    Kafka(Box<kafka::KafkaReader>),
}

impl Reader {
    /// Opens the log for reading.
    ///
    /// # Errors
    /// [`ReadError`], among others if there is no log at this address.
    pub(crate) async fn open(address: &LogAddress) -> Result<Self, ReadError> {
        Ok(match address {
            LogAddress::Sqlite(path) => Self::Sqlite(sqlite::SqliteReader::open(path)?),
            LogAddress::Nats(server) => Self::Nats(Box::new(nats::NatsReader::open(server).await?)),
            LogAddress::Amqp(address) => {
                Self::Amqp(Box::new(amqp::AmqpReader::open(address).await?))
            }
            #[cfg(feature = "kafka")]
            LogAddress::Kafka(address) => {
                Self::Kafka(Box::new(kafka::KafkaReader::open(address).await?))
            }
        })
    }

    /// Returns the newest events that match, in the order of the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn events(&self, query: &Query) -> Result<Vec<Entry>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.events(query),
            Self::Nats(reader) => reader.events(query).await,
            Self::Amqp(reader) => offsets::events(&**reader, query).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(reader) => offsets::events(&**reader, query).await,
        }
    }

    /// Returns events from a sequence on, in the order of the log, with their
    /// payloads, whose SHA-256 has been checked: at most `limit` and about
    /// 8 MiB; none if there is nothing from there on.
    ///
    /// # Errors
    /// [`ReadError`], also if any of them is damaged.
    pub(crate) async fn scan(
        &self,
        from: u64,
        limit: NonZeroUsize,
    ) -> Result<Vec<(Entry, Bytes)>, ReadError> {
        let found = match self {
            Self::Sqlite(reader) => reader.scan(from, limit, SCAN_BYTES)?,
            Self::Nats(reader) => reader.scan(from, limit, SCAN_BYTES).await?,
            Self::Amqp(reader) => whole(reader.read(from, limit, SCAN_BYTES).await?)?,
            #[cfg(feature = "kafka")]
            Self::Kafka(reader) => whole(reader.read(from, limit, SCAN_BYTES).await?)?,
        };
        for (entry, payload) in &found {
            entry.verify(payload)?;
        }
        Ok(found)
    }

    /// Returns the sequence of the newest event; `None` in an empty log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn newest(&self) -> Result<Option<u64>, ReadError> {
        let span = match self {
            Self::Sqlite(reader) => reader.span()?,
            Self::Nats(reader) => return Ok(reader.last()),
            Self::Amqp(reader) => reader.span().await?,
            #[cfg(feature = "kafka")]
            Self::Kafka(reader) => reader.span().await?,
        };
        Ok(span.map(|span| span.last))
    }

    /// Returns the sequence of the first event that was stored at a time or
    /// later.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn first_at(&self, time: Timestamp) -> Result<Option<u64>, ReadError> {
        Ok(match self {
            Self::Sqlite(reader) => reader.first_at(time)?,
            Self::Nats(reader) => reader.first_at(time).await?,
            Self::Amqp(reader) => offsets::first_at(&**reader, time).await?,
            #[cfg(feature = "kafka")]
            Self::Kafka(reader) => offsets::first_at(&**reader, time).await?,
        })
    }

    /// Returns the events with this ID, one per source, with their payloads,
    /// whose SHA-256 has been checked.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn event(
        &self,
        id: &str,
        source: Option<&Source>,
    ) -> Result<Vec<(Entry, Bytes)>, ReadError> {
        let found = match self {
            Self::Sqlite(reader) => reader.event(id, source)?,
            Self::Nats(reader) => reader.event(id, source).await?,
            Self::Amqp(reader) => offsets::event(&**reader, id, source).await?,
            #[cfg(feature = "kafka")]
            Self::Kafka(reader) => offsets::event(&**reader, id, source).await?,
        };
        for (entry, payload) in &found {
            entry.verify(payload)?;
        }
        Ok(found)
    }

    /// Tells whether the log has an identity, also if only its tombstone or the
    /// memory of it is left.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn has(&self, source: &Source, id: &str) -> Result<bool, ReadError> {
        match self {
            Self::Sqlite(reader) => Ok(reader.has(source, id)?),
            Self::Nats(reader) => Ok(reader.has(source, id).await?),
            // These have to be read; who asks often remembers.
            _ => Ok(!self.event(id, Some(source)).await?.is_empty()),
        }
    }
}

fn whole(found: Vec<offsets::Found>) -> Result<Vec<(Entry, Bytes)>, ReadError> {
    let events = found.into_iter().map(|found| Ok(found.event?));
    events.collect()
}
