//! An attempt as a record of a Kafka topic.
//!
//! CloudEvents in binary mode: the Kafka protocol binding 1.0.2, section 3.2.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{Answer, SenderError};
use crate::{
    deliver::{job::Outcome, message::Message},
    kafka::{self, KafkaAddress, ProduceError, Producer},
};

/// Largest record that the client lets through. The broker's own limit is the
/// one that counts; this is far above what a gate lets in.
const MAX_RECORD_BYTES: usize = 128 * 1_024 * 1_024;

/// Produces to one topic.
#[derive(Debug)]
pub(crate) struct KafkaSender(Producer);

impl KafkaSender {
    /// Makes a producer, which connects by itself. An attempt that was given up
    /// is not made later.
    ///
    /// # Errors
    /// [`SenderError::Kafka`].
    pub(crate) fn new(address: &KafkaAddress, timeout: Duration) -> Result<Self, SenderError> {
        let settings = [("message.max.bytes", MAX_RECORD_BYTES.to_string())];
        Producer::new(address, "hookgate-destination", timeout, &settings)
            .map(Self)
            .map_err(SenderError::Kafka)
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, message: &Message) -> Answer {
        let headers = message.headers.iter();
        let headers = kafka::headers(headers.map(|(name, value)| (*name, value.as_str())));
        let produced = self
            .0
            .produce(&message.event_id, headers, &message.payload)
            .await;
        match produced {
            Ok(_) => Answer::without_status(Outcome::Delivered, ""),
            Err(ProduceError::Away) => {
                Answer::without_status(Outcome::Unavailable, ProduceError::Away)
            }
            Err(ProduceError::Kafka(error)) => Answer::without_status(outcome(&error), error),
        }
    }
}

fn outcome(error: &KafkaError) -> Outcome {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageTimedOut) => Outcome::TimedOut,
        Some(
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::TopicAuthorizationFailed,
        ) => Outcome::Refused,
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => {
            Outcome::Unavailable
        }
        _ => Outcome::Failed,
    }
}
