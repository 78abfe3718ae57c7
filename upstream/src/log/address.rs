//! Where a log is: `sqlite:PATH`, or the address of a broker.

mod amqp;

use std::{fmt, path::PathBuf, str::FromStr};

use super::nats::{Servers, ServersError};

pub(crate) use amqp::AmqpAddress;

#[cfg(feature = "kafka")]
use crate::kafka::{self, KafkaAddress};

/// Names a log. `Display` leaves out user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogAddress {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A NATS server with JetStream, or a cluster of them.
    Nats(Servers),
    /// A stream of a RabbitMQ server.
    Amqp(AmqpAddress),
    /// A topic of a Kafka cluster.
    #[cfg(feature = "kafka")]
    Kafka(KafkaAddress),
}

/// Says that a text names no log. The text itself may hold a password and is
/// not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// `sqlite:` without a path.
    #[error("found no path after `sqlite:`, expected for example `sqlite:./data/hookgate.db`")]
    NoPath,
    /// A scheme that isn't known.
    #[error(
        "expected `sqlite:PATH`, `nats://HOST:PORT`, `amqp://HOST:PORT/VHOST` or `kafka://HOST:PORT/TOPIC`"
    )]
    Scheme,
    /// Not the addresses of NATS servers.
    #[error(transparent)]
    Servers(#[from] ServersError),
    /// Not the address of a stream of RabbitMQ.
    #[error(
        "expected `amqp://USER:PASSWORD@HOST:PORT/VHOST[?stream=NAME]`, for example `amqp://127.0.0.1:5672/?stream=hookgate`"
    )]
    Amqp,
    /// RabbitMQ over TLS.
    #[error(
        "`amqps://` is not spoken: use `amqp://` to a proxy on this machine that speaks TLS to the broker (stunnel, Envoy)"
    )]
    Amqps,
    /// Not the address of a topic of Kafka.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] kafka::AddressError),
    /// Kafka, and we were built without it.
    #[cfg(not(feature = "kafka"))]
    #[error("this hookgate was built without Kafka (cargo feature `kafka`)")]
    NoKafka,
}

impl FromStr for LogAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() {
                return Err(AddressError::NoPath);
            }
            return Ok(Self::Sqlite(path.into()));
        }
        let (scheme, _) = text.split_once("://").ok_or(AddressError::Scheme)?;
        match scheme {
            "nats" | "tls" => Ok(Self::Nats(text.parse()?)),
            "amqp" => Ok(Self::Amqp(text.parse()?)),
            "amqps" => Err(AddressError::Amqps),
            #[cfg(feature = "kafka")]
            "kafka" | "kafkas" => Ok(Self::Kafka(text.parse()?)),
            #[cfg(not(feature = "kafka"))]
            "kafka" | "kafkas" => Err(AddressError::NoKafka),
            _ => Err(AddressError::Scheme),
        }
    }
}

impl LogAddress {
    /// Says where the state of deliveries is, for people; `None` if the log has
    /// no deliveries.
    pub(crate) fn deliveries(&self) -> Option<String> {
        match self {
            Self::Sqlite(path) => Some(format!("`{}.deliveries`", path.display())),
            Self::Nats(_) => Some("streams beside the log's".to_owned()),
            Self::Amqp(_) => None,
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => None,
        }
    }
}

impl fmt::Display for LogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Nats(servers) => write!(f, "{servers}"),
            Self::Amqp(address) => write!(f, "{address}"),
            #[cfg(feature = "kafka")]
            Self::Kafka(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressError, LogAddress, ServersError};

    #[test]
    fn reads_every_kind_of_address() {
        for text in [
            "sqlite:/var/lib/hookgate/events.db",
            "sqlite:./data/hookgate.db",
            "nats://127.0.0.1:4222",
            "tls://nats.example.com:4443",
            "nats://a:4222,nats://b:4222,nats://c:4222",
            "amqp://127.0.0.1:5672/",
            "amqp://rabbit.example.com:5673/shop?stream=events",
        ] {
            assert_eq!(text.parse::<LogAddress>().unwrap().to_string(), text);
        }
    }

    #[cfg(feature = "kafka")]
    #[test]
    fn reads_one_or_more_kafka_servers() {
        for text in [
            "kafka://127.0.0.1:9092/hookgate",
            "kafka://a:9092,b:9092,[::1]:9092/hookgate.events",
        ] {
            assert_eq!(text.parse::<LogAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn shows_no_password() {
        for (text, shown) in [
            (
                "nats://gate:hunter2@127.0.0.1:4222",
                "nats://127.0.0.1:4222",
            ),
            (
                "amqp://gate:hunter2@rabbit:5672/shop?stream=hookgate",
                "amqp://rabbit:5672/shop",
            ),
        ] {
            assert_eq!(text.parse::<LogAddress>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_what_names_no_log() {
        for (text, error) in [
            ("", AddressError::Scheme),
            ("./data/hookgate.db", AddressError::Scheme),
            ("http://127.0.0.1:9092", AddressError::Scheme),
            ("sqlite:", AddressError::NoPath),
            ("nats://", ServersError::Form.into()),
            ("nats://127.0.0.1:port", ServersError::Form.into()),
            ("amqp:///shop", AddressError::Amqp),
            ("amqp://rabbit/shop?stream=", AddressError::Amqp),
            ("amqp://rabbit/shop?queue=events", AddressError::Amqp),
            ("amqps://rabbit/shop", AddressError::Amqps),
        ] {
            assert_eq!(text.parse::<LogAddress>().unwrap_err(), error, "{text}");
        }
    }

    #[cfg(feature = "kafka")]
    #[test]
    fn refuses_what_names_no_topic() {
        use crate::kafka::AddressError as KafkaError;
        for (text, error) in [
            ("kafka://127.0.0.1:9092", KafkaError::Form),
            ("kafkas://127.0.0.1:9092/hookgate", KafkaError::Tls),
            ("kafka://u:p@a:9092/hookgate", KafkaError::Credentials),
        ] {
            let refused = text.parse::<LogAddress>().unwrap_err();
            assert_eq!(refused, AddressError::Kafka(error), "{text}");
        }
    }

    #[cfg(not(feature = "kafka"))]
    #[test]
    fn says_that_it_was_built_without_kafka() {
        let error = "kafka://a:9092/hookgate".parse::<LogAddress>().unwrap_err();
        assert_eq!(error, AddressError::NoKafka);
    }
}
