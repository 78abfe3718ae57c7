//! `kafka://HOST:PORT[,HOST:PORT]/TOPIC`.

use std::{fmt, str::FromStr};

use super::AddressError;

/// Names a topic of a Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KafkaAddress {
    servers: String,
    topic: String,
}

#[allow(dead_code, reason = "the log is about to use it")]
impl KafkaAddress {
    /// Returns the servers to begin with, as `HOST:PORT,HOST:PORT`.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }

    /// Returns the topic's name.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }
}

impl FromStr for KafkaAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("kafka://").ok_or(AddressError::Kafka)?;
        let (servers, topic) = rest.split_once('/').ok_or(AddressError::Kafka)?;
        let is_server = |server: &str| {
            server
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        // By Kafka's own rule for names.
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_topic = (1..=249).contains(&topic.len()) && topic.bytes().all(named);
        if !servers.split(',').all(is_server) || !is_topic || servers.contains('@') {
            return Err(AddressError::Kafka);
        }
        Ok(Self {
            servers: servers.to_owned(),
            topic: topic.to_owned(),
        })
    }
}

impl fmt::Display for KafkaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka://{}/{}", self.servers, self.topic)
    }
}
