//! The log as the one partition of a Kafka topic.
//!
//! An event is stored when every replica that is in sync has it (`acks=all`).
//! The producer is idempotent: what its client repeats is stored once. What a
//! sender repeats is not: Kafka can't look a key up, so it is stored again, under
//! the same key and the same `ce_source` and `ce_id`.
//! Source: <https://kafka.apache.org/documentation/#semantics>.

mod follow;
mod reader;
mod record;
mod settings;
mod topic;

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::Semaphore;
use tracing::warn;

pub(crate) use follow::Following;
pub(crate) use reader::{KafkaReader, ReadError};
pub(crate) use topic::TopicError;

use super::{Appended, Limits, LogError, Record};
use crate::kafka::{KafkaAddress, ProduceError, Producer};

/// How long a record may be under way: less than the gate's upstream timeout
/// (10 s). Afterwards, when the sender has been told to try again, it is not sent
/// any more. A second attempt follows only on an answer that came at once.
const APPEND_TIMEOUT: Duration = Duration::from_secs(4);

/// How long the broker may take for any other answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Room for headers and key beside a payload in a batch.
const HEADER_BYTES: usize = 16 * 1_024;

/// The client's own limit of a batch with several records.
const BATCH_BYTES: usize = 1_000_000;

/// Says why a topic can't be used as the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The brokers can't be reached, or the topic isn't as the log needs it.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The client can't be made.
    #[error("can't make a Kafka producer: {0}")]
    Client(#[from] KafkaError),
}

impl OpenError {
    /// Tells whether it may pass by itself.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Topic(error) if error.is_away())
    }
}

/// Appends to the topic.
#[derive(Debug)]
pub(crate) struct KafkaLog {
    producer: Producer,
    in_flight: Semaphore,
}

impl KafkaLog {
    /// Connects, and makes or checks the topic.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) async fn open(address: &KafkaAddress, limits: Limits) -> Result<Self, OpenError> {
        topic::ensure(address, limits.max_payload_bytes).await?;
        let largest = limits.max_payload_bytes.saturating_add(HEADER_BYTES);
        let settings = [
            ("message.max.bytes", largest.to_string()),
            // The broker holds whole batches against the topic's limit.
            ("batch.size", largest.min(BATCH_BYTES).to_string()),
            ("queue.buffering.max.messages", limits.queue.to_string()),
        ];
        Ok(Self {
            producer: Producer::new(address, "hookgate", APPEND_TIMEOUT, &settings)?,
            in_flight: Semaphore::new(limits.queue),
        })
    }

    /// Produces a record and waits for the broker's confirmation.
    ///
    /// # Errors
    /// [`LogError`].
    pub(crate) async fn append(&self, record: Record) -> Result<Appended, LogError> {
        let Ok(_place) = self.in_flight.try_acquire() else {
            return Err(LogError::QueueFull);
        };
        let attributes = &record.attributes;
        let (event_id, trace_id) = (&attributes.id, attributes.trace_id());
        let headers = record::headers(attributes);
        let produced = self.producer.produce(event_id, headers, &record.payload);
        match produced.await {
            Ok(offset) => Ok(Appended::Stored {
                sequence: offset.map(record::sequence),
            }),
            Err(ProduceError::Kafka(error)) if is_full(&error) => Err(LogError::QueueFull),
            Err(error) => {
                warn!(event_id, trace_id, %error, "Kafka did not confirm an event");
                Err(LogError::Unavailable)
            }
        }
    }

    /// Tells whether the topic is there now.
    pub(crate) async fn is_ready(&self) -> bool {
        self.producer.is_there().await
    }
}

/// Tells errors that may pass by themselves: brokers that aren't there, or not
/// ready yet.
const fn is_passing(error: RDKafkaErrorCode) -> bool {
    matches!(
        error,
        RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::BrokerNotAvailable
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotController
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::Resolve
    )
}

fn code(error: &KafkaError) -> RDKafkaErrorCode {
    error
        .rdkafka_error_code()
        .unwrap_or(RDKafkaErrorCode::Unknown)
}

/// The client's memory is full of large records.
fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}
