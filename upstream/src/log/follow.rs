//! Following the log: what is appended, as it is appended.

use std::{num::NonZeroUsize, time::Duration};

use tokio::time::sleep;

#[cfg(feature = "kafka")]
use super::kafka;
use super::{
    Entry, LogAddress, ReadError, Start, amqp,
    nats::{Following, NatsReader},
    sqlite::SqliteReader,
};

/// Time between two looks at a file. One costs a read of its newest page.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Events of one look, at most.
const BATCH: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);

/// Hands out the events of a log from a place on, and then each new one.
#[derive(Debug)]
pub(crate) enum Follower {
    /// Of a file of this machine, another process's writes included.
    Sqlite {
        /// Reads it.
        reader: SqliteReader,
        /// The first sequence that wasn't handed out.
        next: u64,
    },
    /// Of a JetStream stream.
    Nats(Box<Following>),
    /// Of a stream of RabbitMQ.
    Amqp(Box<amqp::Following>),
    /// Of a topic of Kafka.
    #[cfg(feature = "kafka")]
    Kafka(Box<kafka::Following>),
}

impl Follower {
    /// Opens a log to follow it.
    ///
    /// # Errors
    /// [`ReadError`], among others if there is no log at this address.
    pub(crate) async fn open(address: &LogAddress, start: Start) -> Result<Self, ReadError> {
        Ok(match address {
            LogAddress::Sqlite(path) => {
                let reader = SqliteReader::open(path)?;
                let behind_the_last =
                    || Ok::<_, ReadError>(reader.span()?.map_or(1, |span| span.last + 1));
                let next = match start {
                    Start::Beginning => 1,
                    Start::Sequence(sequence) => sequence,
                    Start::Time(time) => match reader.first_at(time)? {
                        Some(first) => first,
                        None => behind_the_last()?,
                    },
                    Start::Now => behind_the_last()?,
                };
                Self::Sqlite { reader, next }
            }
            LogAddress::Nats(server) => {
                let reader = NatsReader::open(server).await?;
                Self::Nats(Box::new(reader.follow(start).await?))
            }
            LogAddress::Amqp(address) => {
                Self::Amqp(Box::new(amqp::Following::open(address, start).await?))
            }
            #[cfg(feature = "kafka")]
            LogAddress::Kafka(address) => {
                Self::Kafka(Box::new(kafka::Following::open(address, start).await?))
            }
        })
    }

    /// Waits until there are events that weren't handed out, and hands out some.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn next(&mut self) -> Result<Vec<Entry>, ReadError> {
        match self {
            Self::Sqlite { reader, next } => loop {
                let found = reader.entries_from(*next, BATCH)?;
                if let Some(last) = found.last() {
                    *next = last.sequence.saturating_add(1);
                    let entries = found.into_iter().map(|scanned| scanned.entry);
                    return Ok(entries.collect::<Result<_, _>>()?);
                }
                sleep(POLL_INTERVAL).await;
            },
            Self::Nats(following) => Ok(vec![following.next().await?]),
            Self::Amqp(following) => Ok(vec![following.next().await?]),
            #[cfg(feature = "kafka")]
            Self::Kafka(following) => following.next().await,
        }
    }
}
