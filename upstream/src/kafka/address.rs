//! Where a topic is: `kafka://HOST:PORT[,HOST:PORT…]/TOPIC`.

use std::{fmt, str::FromStr};

/// What Kafka allows a name to be.
const MAX_TOPIC_LENGTH: usize = 249;

/// The port of a broker that names none.
const PORT: u16 = 9_092;

/// Names a topic and the brokers to ask for it. It holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KafkaAddress {
    servers: Box<[String]>,
    topic: Box<str>,
}

/// Says that a text names no topic. The text itself may hold a password and is
/// not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// Not of its form.
    #[error(
        "expected `kafka://HOST:PORT[,HOST:PORT...]/TOPIC`, a topic of 1 to {MAX_TOPIC_LENGTH} of the characters a-z, A-Z, 0-9, `.`, `_` and `-`"
    )]
    Form,
    /// Encrypted, which the client can't do.
    #[error(
        "found `kafkas://`, expected `kafka://`: Kafka is spoken in clear only, because its client brings a TLS library of its own that is not built in. Keep brokers on a private network, or go through a proxy on this machine that speaks TLS to them"
    )]
    Tls,
    /// With a user, which would be sent in clear.
    #[error(
        "found a user or a password, expected none: they would be sent in clear. Let the broker's network or a proxy on this machine vouch for hookgate"
    )]
    Credentials,
}

impl KafkaAddress {
    /// Returns the brokers as the client takes them: `host:port,host:port`.
    pub(crate) fn servers(&self) -> String {
        self.servers.join(",")
    }

    /// Returns the topic's name.
    #[cfg(feature = "kafka")]
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }
}

impl FromStr for KafkaAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.starts_with("kafkas://") {
            return Err(AddressError::Tls);
        }
        let rest = text.strip_prefix("kafka://").ok_or(AddressError::Form)?;
        if rest.contains('@') {
            return Err(AddressError::Credentials);
        }
        let (servers, topic) = rest.split_once('/').ok_or(AddressError::Form)?;
        let servers = servers.split(',').map(server).collect::<Option<_>>();
        Ok(Self {
            servers: servers.ok_or(AddressError::Form)?,
            topic: Some(topic)
                .filter(|name| is_topic(name))
                .ok_or(AddressError::Form)?
                .into(),
        })
    }
}

/// Reads `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`.
fn server(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        // The last colon of an IPv6 address, not before a port.
        Some(_) if text.ends_with(']') => (text, PORT),
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text, PORT),
    };
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None => Some(host).filter(|host| !host.contains(':'))?,
    };
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_' | ':');
    (!bare.is_empty() && bare.chars().all(fits) && port != 0).then(|| format!("{host}:{port}"))
}

/// Source: <https://kafka.apache.org/documentation/#topicconfigs>, `Topic.validate`.
fn is_topic(name: &str) -> bool {
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-');
    (1..=MAX_TOPIC_LENGTH).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.chars().all(fits)
}

impl fmt::Display for KafkaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka://{}/{}", self.servers(), self.topic)
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressError, KafkaAddress};

    #[test]
    fn reads_one_broker_and_several() {
        for (text, servers) in [
            ("kafka://127.0.0.1:9093/events", "127.0.0.1:9093"),
            ("kafka://broker/events", "broker:9092"),
            ("kafka://a:1,b,c:3/events", "a:1,b:9092,c:3"),
            (
                "kafka://[::1]:9093,[fe80::2]/events",
                "[::1]:9093,[fe80::2]:9092",
            ),
        ] {
            let address: KafkaAddress = text.parse().unwrap();
            assert_eq!(address.servers(), servers);
            assert_eq!(address.to_string(), format!("kafka://{servers}/events"));
        }
    }

    #[test]
    fn refuses_what_names_no_topic() {
        let long = format!("kafka://a/{}", "t".repeat(250));
        for text in [
            "",
            "kafka:a/t",
            "kafka://a",
            "kafka://a/",
            "kafka:///t",
            "kafka://a:port/t",
            "kafka://a:0/t",
            "kafka://a,/t",
            "kafka://::1/t",
            "kafka://[::1/t",
            "kafka://a/t/u",
            "kafka://a/t?x=1",
            "kafka://a/..",
            "kafka://a\n/t",
            long.as_str(),
        ] {
            assert_eq!(
                text.parse::<KafkaAddress>(),
                Err(AddressError::Form),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_would_have_to_be_encrypted() {
        assert_eq!(
            "kafkas://a/t".parse::<KafkaAddress>(),
            Err(AddressError::Tls)
        );
        let refused = "kafka://gate:hunter2@a/t".parse::<KafkaAddress>();
        assert_eq!(refused, Err(AddressError::Credentials));
        assert!(!refused.unwrap_err().to_string().contains("hunter2"));
    }
}
