//! Where events are delivered to, as configured and checked.

use std::{collections::BTreeSet, fmt, num::NonZeroU32, num::NonZeroUsize, time::Duration};

use hookgate_core::{identity::Source, policy::TypePattern, secret::SigningSecret};

use serde::Deserialize;

use super::{health::Breaking, retry::RetryPolicy};
use crate::{
    kafka::{self, KafkaAddress},
    log::{Attributes, Origin, Start},
};

/// Sets one destination.
#[derive(Debug)]
pub(crate) struct Destination {
    /// Its name, `[a-z0-9-]{1,64}`: its place in the log is kept under it.
    pub(crate) name: String,
    /// Where deliveries go.
    pub(crate) primary: Target,
    /// Where they go while the primary is unavailable.
    pub(crate) secondary: Option<Target>,
    /// What signs them; the receiver accepts any of them while one is rotated.
    /// At most 8. Empty: deliveries aren't signed.
    pub(crate) secrets: Vec<SigningSecret>,
    /// Which events it gets.
    pub(crate) filter: Filter,
    /// Where it starts in the log, the first time that it is seen; afterwards it
    /// has a position of its own.
    pub(crate) from: Start,
    /// Deliveries under way at a time, at most.
    pub(crate) concurrency: NonZeroUsize,
    /// Attempts a second, at most; `None`: as many as answers come back.
    pub(crate) rate: Option<NonZeroU32>,
    /// How long one attempt may take.
    pub(crate) timeout: Duration,
    /// Whose certificates an `https` target may have; `None`: those of the
    /// machine's authorities.
    pub(crate) authorities: Option<Vec<reqwest::Certificate>>,
    /// What HTTP targets are reached through.
    pub(crate) proxy: Option<reqwest::Url>,
    /// Which events wait for each other.
    pub(crate) order: Order,
    /// When an event is tried again.
    pub(crate) retry: RetryPolicy,
    /// When a target counts as unavailable.
    pub(crate) breaking: Breaking,
}

/// Names where a delivery goes. `Display` and `Debug` leave out credentials.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// An HTTP endpoint.
    Http(reqwest::Url),
    /// An exchange of RabbitMQ: `amqp://host/vhost?exchange=…&routing_key=…`.
    Amqp(reqwest::Url),
    /// A topic of Kafka: `kafka://host:port/topic`.
    Kafka(KafkaAddress),
    /// A subject of a JetStream stream: `nats://host/subject`.
    Nats(reqwest::Url),
}

/// Says that a text names no target. The text may hold a password and isn't
/// repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// Of no known form.
    #[error(
        "expected `http(s)://…`, `amqp://HOST/VHOST?exchange=NAME`, `kafka://HOST:PORT/TOPIC` or `nats://HOST/SUBJECT`"
    )]
    Form,
    /// RabbitMQ over TLS.
    #[error(
        "`amqps://` is not spoken: use `amqp://` to a proxy on this machine that speaks TLS to the broker (stunnel, Envoy)"
    )]
    Amqps,
    /// Meant for Kafka, and no topic.
    #[error(transparent)]
    Kafka(#[from] kafka::AddressError),
}

impl std::str::FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        // Several brokers stand in one address, which a URL can't hold.
        if text.starts_with("kafka:") || text.starts_with("kafkas:") {
            return Ok(Self::Kafka(text.parse()?));
        }
        let url: reqwest::Url = text.parse().map_err(|_| TargetError::Form)?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(TargetError::Form);
        }
        match url.scheme() {
            "http" | "https" => Ok(Self::Http(url)),
            "amqp" => Ok(Self::Amqp(url)),
            "amqps" => Err(TargetError::Amqps),
            "nats" | "tls" => Ok(Self::Nats(url)),
            _ => Err(TargetError::Form),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match self {
            // It has no credentials.
            Self::Kafka(address) => return fmt::Display::fmt(address, f),
            Self::Http(url) | Self::Amqp(url) | Self::Nats(url) => url,
        };
        let mut shown = url.clone();
        // Neither fails for a URL that has a host.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        if matches!(self, Self::Http(_)) {
            // Some services have their key there.
            shown.set_query(None);
        }
        write!(f, "{shown}")
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Chooses events. An empty list chooses all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Sources.
    pub(crate) sources: Vec<Source>,
    /// Types.
    pub(crate) types: Vec<TypePattern>,
    /// Connected accounts; events of the platform have none and aren't chosen.
    pub(crate) accounts: BTreeSet<String>,
    /// Live or test mode; events that don't say aren't chosen.
    pub(crate) livemode: Option<bool>,
}

impl Filter {
    /// Tells whether an event is chosen.
    pub(crate) fn matches(&self, event: &Attributes) -> bool {
        // Nobody wants what is only kept.
        event.origin != Origin::StoredOnly
            && (self.sources.is_empty() || self.sources.contains(&event.source))
            && (self.types.is_empty()
                || (self.types.iter()).any(|pattern| pattern.matches(&event.type_name)))
            && (self.accounts.is_empty()
                || (event.account.as_ref()).is_some_and(|id| self.accounts.contains(id)))
            && self
                .livemode
                .is_none_or(|only| event.livemode == Some(only))
    }
}

/// Tells whether an account's ID is of the form that those of events have;
/// another one would choose nothing.
pub(crate) fn is_account(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(plain)
}

/// Says which events wait for each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// None.
    #[default]
    None,
    /// Those of one object (`data.object.id`, `related_object.id`) of one
    /// account and source: a later one waits until the earlier is delivered or
    /// parked.
    Object,
}

#[cfg(test)]
mod tests {
    use super::{Target, TargetError};
    use crate::kafka::AddressError;

    #[test]
    fn shows_no_credentials() {
        for (url, shown) in [
            (
                "https://user:hunter2@orders.internal/hooks?key=hunter2",
                "https://orders.internal/hooks",
            ),
            (
                "amqp://user:hunter2@rabbit/shop?exchange=events",
                "amqp://rabbit/shop?exchange=events",
            ),
        ] {
            let target: Target = url.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(format!("{target:?}"), shown);
        }
    }

    #[test]
    fn refuses_what_names_no_target() {
        for text in ["", "orders", "ftp://host/x", "https://"] {
            assert_eq!(text.parse::<Target>(), Err(TargetError::Form), "{text}");
        }
        let refused = "amqps://rabbit/shop?exchange=events".parse::<Target>();
        assert_eq!(refused, Err(TargetError::Amqps));
        let refused = "kafka:topic".parse::<Target>();
        assert_eq!(refused, Err(TargetError::Kafka(AddressError::Form)));
    }
}
