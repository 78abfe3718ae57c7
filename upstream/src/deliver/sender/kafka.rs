//! An attempt as a record of a Kafka topic.
//!
//! CloudEvents in binary mode: the Kafka protocol binding 1.0.2, section 3.2.

use std::{fmt, time::Duration};

use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use reqwest::Url;

use super::{Answer, SenderError};
use crate::deliver::{destination::Target, job::Outcome, message::Message};

/// Produces to one topic.
pub(crate) struct KafkaSender {
    producer: FutureProducer,
    topic: String,
}

impl fmt::Debug for KafkaSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSender")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl KafkaSender {
    /// Makes a producer, which connects by itself.
    ///
    /// # Errors
    /// [`SenderError::Target`], [`SenderError::Kafka`].
    pub(crate) fn new(url: &Url, timeout: Duration) -> Result<Self, SenderError> {
        let topic = url.path().trim_start_matches('/');
        let (Some(host), false) = (url.host_str(), topic.is_empty() || topic.contains('/')) else {
            let target = Target::Kafka(url.clone());
            return Err(SenderError::Target { target });
        };
        let servers = format!("{host}:{}", url.port().unwrap_or(9_092));
        let producer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("client.id", "hookgate-destination")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // An attempt that we gave up must not be made later.
            .set("message.timeout.ms", timeout.as_millis().to_string())
            .create()
            .map_err(SenderError::Kafka)?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
        })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, message: &Message) -> Answer {
        let mut headers = OwnedHeaders::new();
        for (name, value) in &message.headers {
            let key = match name.strip_prefix("ce-") {
                Some(attribute) => format!("ce_{attribute}"),
                None => (*name).to_owned(),
            };
            headers = headers.insert(Header {
                key: &key,
                value: Some(value),
            });
        }
        let record = FutureRecord::to(&self.topic)
            .key(&message.event_id)
            .payload(message.payload.as_ref())
            .headers(headers);
        match self.producer.send(record, Duration::ZERO).await {
            Ok(_) => Answer::without_status(Outcome::Delivered, ""),
            Err((error, _)) => Answer::without_status(outcome(&error), error),
        }
    }
}

fn outcome(error: &KafkaError) -> Outcome {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageTimedOut) => Outcome::TimedOut,
        Some(
            RDKafkaErrorCode::UnknownTopic
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
