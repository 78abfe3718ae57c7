//! Reads the topic while servers may be producing to it.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hookgate_core::time::Timestamp;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use tokio::task::spawn_blocking;

use super::{ASK_TIMEOUT, code, is_passing, record};
use crate::{
    kafka::KafkaAddress,
    log::{
        offsets::{Found, Offsets},
        reader::{self, Span},
    },
};

/// The one partition.
const PARTITION: i32 = 0;

/// How long the broker may take to hand out the next records.
const READ_TIMEOUT: Duration = Duration::from_secs(8);

/// How long more records are waited for once there are some: those of the same
/// answer are there already. Where they keep coming, nobody waits longer than
/// [`LINGER`] for the first of them.
const PAUSE: Duration = Duration::from_millis(5);
const LINGER: Duration = Duration::from_millis(100);

/// How long the broker may wait for records that aren't there yet: it makes the
/// end of the topic known.
const FETCH_WAIT_MILLIS: &str = "10";

/// Payloads that the client keeps in advance, in KiB.
const QUEUED_KBYTES: &str = "16384";

/// Says why the topic can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The client can't be made.
    #[error("can't make a Kafka consumer: {0}")]
    Client(KafkaError),
    /// No broker answers.
    #[error(
        "no Kafka broker answers at {address}: {reason}. Is one running, and is the address right?"
    )]
    Away {
        /// Where.
        address: KafkaAddress,
        /// Why.
        reason: RDKafkaErrorCode,
    },
    /// There is no topic.
    #[error(
        "there is no topic `{}` at {address}: `hookgate serve --log {address}` makes it",
        address.topic()
    )]
    Missing {
        /// Where.
        address: KafkaAddress,
    },
    /// It is no one order of events.
    #[error(
        "the topic `{}` has {found} partitions, expected 1: it is no log of hookgate's",
        address.topic()
    )]
    Partitions {
        /// Where.
        address: KafkaAddress,
        /// How many.
        found: usize,
    },
    /// The broker hands nothing out.
    #[error("can't read the topic `{topic}`: {reason}")]
    Records {
        /// Which.
        topic: String,
        /// Why.
        reason: RDKafkaErrorCode,
    },
    /// The broker is silent.
    #[error("can't read the topic `{topic}`: no broker answered for {} s", READ_TIMEOUT.as_secs())]
    Silent {
        /// Which.
        topic: String,
    },
}

impl ReadError {
    /// Tells whether it may pass by itself.
    pub(crate) const fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } | Self::Silent { .. } => true,
            Self::Records { reason, .. } => is_passing(*reason),
            Self::Client(_) | Self::Missing { .. } | Self::Partitions { .. } => false,
        }
    }
}

/// Reads the topic, and never writes it. It belongs to no consumer group and
/// commits nothing.
#[derive(Clone)]
pub(crate) struct KafkaReader(Arc<Topic>);

struct Topic {
    address: KafkaAddress,
    consumer: BaseConsumer,
    /// The offset that the consumer hands out next, if it was left in the middle.
    next: Mutex<Option<i64>>,
}

impl fmt::Debug for KafkaReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KafkaReader").field(&self.0.address).finish()
    }
}

impl KafkaReader {
    /// Connects and finds the topic.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn open(address: &KafkaAddress) -> Result<Self, ReadError> {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", address.servers())
            .set("client.id", "hookgate-reader")
            // The library wants one; nothing joins it.
            .set("group.id", "hookgate-reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", FETCH_WAIT_MILLIS)
            .set("queued.max.messages.kbytes", QUEUED_KBYTES)
            .create()
            .map_err(ReadError::Client)?;
        let reader = Self(Arc::new(Topic {
            address: address.clone(),
            consumer,
            next: Mutex::new(None),
        }));
        reader.blocking(Topic::find).await?;
        Ok(reader)
    }

    /// Asks the client, which blocks.
    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Topic) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let topic = Arc::clone(&self.0);
        let asked = spawn_blocking(move || ask(&topic)).await;
        asked.unwrap_or_else(|_| Err(self.0.refused(&KafkaError::Canceled)))
    }
}

impl Offsets for KafkaReader {
    async fn span(&self) -> Result<Option<Span>, reader::ReadError> {
        Ok(self.blocking(Topic::span).await?)
    }

    async fn read(
        &self,
        from: u64,
        limit: NonZeroUsize,
        bytes: usize,
    ) -> Result<Vec<Found>, reader::ReadError> {
        let from = record::offset(from);
        let found = self.blocking(move |topic| {
            let (mut found, mut read) = (Vec::new(), 0);
            topic.scan(from, |message| {
                read += message.payload_len();
                found.push(record::found(message));
                found.len() < limit.get() && read < bytes
            })?;
            Ok(found)
        });
        Ok(found.await?)
    }

    async fn near(&self, time: Timestamp) -> Result<Option<u64>, reader::ReadError> {
        Ok(self.blocking(move |topic| topic.near(time)).await?)
    }
}

impl Topic {
    fn find(&self) -> Result<(), ReadError> {
        let name = self.address.topic();
        let metadata = self.consumer.fetch_metadata(Some(name), ASK_TIMEOUT);
        let metadata = metadata.map_err(|error| ReadError::Away {
            address: self.address.clone(),
            reason: code(&error),
        })?;
        let mut topics = metadata.topics().iter();
        let partitions = topics.find(|topic| topic.name() == name && topic.error().is_none());
        match partitions.map_or(0, |topic| topic.partitions().len()) {
            0 => Err(ReadError::Missing {
                address: self.address.clone(),
            }),
            1 => Ok(()),
            found => Err(ReadError::Partitions {
                address: self.address.clone(),
                found,
            }),
        }
    }

    fn span(&self) -> Result<Option<Span>, ReadError> {
        let (first, end) = self.watermarks()?;
        if end <= first {
            return Ok(None);
        }
        // Not every broker counts the records of its last batch: tansu names
        // the first of them as the end. So what follows at once is looked at.
        let mut last = end - 1;
        self.scan(last, |message| {
            last = last.max(message.offset());
            true
        })?;
        let sequence = |offset| record::sequence(u64::try_from(offset).unwrap_or_default());
        Ok(Some(Span {
            first: sequence(first),
            last: sequence(last),
        }))
    }

    fn near(&self, time: Timestamp) -> Result<Option<u64>, ReadError> {
        // Later than any record can be.
        let Ok(millis) = i64::try_from(time.unix_millis()) else {
            return Ok(None);
        };
        let asked = self
            .at(Offset::Offset(millis))
            .and_then(|times| self.consumer.offsets_for_times(times, ASK_TIMEOUT));
        let places = asked.map_err(|error| self.refused(&error))?;
        let place = places.find_partition(self.address.topic(), PARTITION);
        Ok(match place.map(|place| place.offset()) {
            Some(Offset::Offset(offset)) => u64::try_from(offset).ok().map(record::sequence),
            _ => None,
        })
    }

    /// Hands out what there is from an offset on, until `each` says no, or
    /// nothing more is there at once. Only at the end there is nothing.
    fn scan(
        &self,
        from: i64,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> bool,
    ) -> Result<(), ReadError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.take() != Some(from) {
            self.assign(from)?;
        }
        let mut deadline = Instant::now() + READ_TIMEOUT;
        let mut found = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let patience = if found { left.min(PAUSE) } else { left };
            match self.consumer.poll(patience) {
                Some(Ok(message)) => {
                    if !std::mem::replace(&mut found, true) {
                        deadline = Instant::now() + LINGER;
                    }
                    *next = Some(message.offset().saturating_add(1));
                    if !each(&message) || Instant::now() > deadline {
                        return Ok(());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // It isn't said again while nothing comes.
                    *next = None;
                    return Ok(());
                }
                // The client tries again by itself.
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_passing) => {}
                Some(Err(error)) if is_out_of_range(&error) => {
                    let (first, _) = self.watermarks()?;
                    // Behind the end there is nothing; before the beginning,
                    // what was there is too old.
                    if from >= first {
                        return Ok(());
                    }
                    self.assign(first)?;
                }
                Some(Err(error)) => return Err(self.refused(&error)),
                None if found => return Ok(()),
                None => {
                    let topic = self.address.topic().to_owned();
                    return Err(ReadError::Silent { topic });
                }
            }
        }
    }

    fn assign(&self, from: i64) -> Result<(), ReadError> {
        self.at(Offset::Offset(from))
            .and_then(|place| self.consumer.assign(&place))
            .map_err(|error| self.refused(&error))
    }

    fn at(&self, offset: Offset) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.address.topic(), PARTITION, offset)?;
        Ok(list)
    }

    fn watermarks(&self) -> Result<(i64, i64), ReadError> {
        let topic = self.address.topic();
        let asked = self
            .consumer
            .fetch_watermarks(topic, PARTITION, ASK_TIMEOUT);
        asked.map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &KafkaError) -> ReadError {
        ReadError::Records {
            topic: self.address.topic().to_owned(),
            reason: code(error),
        }
    }
}

fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset)
    )
}
