//! One attempt to one target.

mod amqp;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod nats;

use bytes::Bytes;

#[cfg(feature = "kafka")]
use self::kafka::KafkaSender;
use self::{amqp::AmqpSender, http::HttpSender, nats::NatsSender};
use super::{
    destination::{Destination, Target},
    job::{MAX_ANSWER_BYTES, Outcome},
    message::Message,
};
use crate::http_client::chain;

/// Sends to one target.
#[derive(Debug)]
pub(crate) enum Sender {
    /// To an HTTP endpoint.
    Http(HttpSender),
    /// To an exchange of RabbitMQ.
    Amqp(AmqpSender),
    /// To a topic of Kafka.
    #[cfg(feature = "kafka")]
    Kafka(KafkaSender),
    /// To a subject of a JetStream stream.
    Nats(Box<NatsSender>),
}

/// Says why nothing can be sent to a target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SenderError {
    /// The HTTP client can't be made.
    #[error("can't make an HTTP client: {}", chain(.0))]
    Http(reqwest::Error),
    /// The address lacks something, or has too much.
    #[error(
        "`{target}`: expected `amqp://HOST/VHOST?exchange=NAME[&routing_key=KEY]`, `kafka://HOST:PORT/TOPIC` or `nats://HOST/SUBJECT`"
    )]
    Target {
        /// Which.
        target: Target,
    },
    /// The Kafka client can't be made.
    #[cfg(feature = "kafka")]
    #[error("can't make a Kafka producer: {0}")]
    Kafka(rdkafka::error::KafkaError),
    /// Not built in.
    #[cfg(not(feature = "kafka"))]
    #[error("`{target}`: this hookgate was built without Kafka (cargo feature `kafka`)")]
    NoKafka {
        /// Which.
        target: Target,
    },
}

/// Holds what an attempt got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What it means.
    pub(crate) outcome: Outcome,
    /// The HTTP status, if there was one.
    pub(crate) status: Option<u16>,
    /// The beginning of the answer, or why there was none.
    pub(crate) text: Bytes,
}

impl Sender {
    /// Prepares a sender to one of a destination's targets; nothing is connected
    /// yet.
    ///
    /// # Errors
    /// [`SenderError`].
    pub(crate) fn new(target: &Target, destination: &Destination) -> Result<Self, SenderError> {
        let timeout = destination.timeout;
        match target {
            Target::Http(url) => HttpSender::new(url.clone(), destination)
                .map(Self::Http)
                .map_err(SenderError::Http),
            Target::Amqp(url) => AmqpSender::new(url, timeout).map(Self::Amqp),
            #[cfg(feature = "kafka")]
            Target::Kafka(address) => KafkaSender::new(address, timeout).map(Self::Kafka),
            #[cfg(not(feature = "kafka"))]
            Target::Kafka(_) => Err(SenderError::NoKafka {
                target: target.clone(),
            }),
            Target::Nats(url) => {
                let sender = NatsSender::new(url, timeout)?;
                Ok(Self::Nats(Box::new(sender)))
            }
        }
    }

    /// Makes one attempt. It ends within the destination's timeout.
    pub(crate) async fn send(&self, message: &Message) -> Answer {
        match self {
            Self::Http(sender) => sender.send(message).await,
            Self::Amqp(sender) => sender.send(message).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(sender) => sender.send(message).await,
            Self::Nats(sender) => sender.send(message).await,
        }
    }
}

impl Answer {
    /// Makes the answer of a broker, which has no status.
    fn without_status(outcome: Outcome, text: impl std::fmt::Display) -> Self {
        let mut text = Bytes::from(text.to_string());
        text.truncate(MAX_ANSWER_BYTES);
        Self {
            outcome,
            status: None,
            text,
        }
    }
}
