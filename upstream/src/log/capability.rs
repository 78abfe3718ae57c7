//! What each log can do beside keeping events: the one place that says so.
//!
//! Every log keeps what it confirmed, in one order, and can be read from any
//! place of it. What else is asked of a log that can't do it is refused when a
//! command starts, never skipped.

use std::fmt;

use super::LogAddress;

/// Names something that not every log can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    /// An event that is there already is not stored again, and is answered
    /// `duplicate`. Without it repeats are stored, and whoever reads the log
    /// knows them by `ce-source` and `ce-id`.
    ExactDuplicates,
    /// The answer says at which sequence an event was stored.
    Sequence,
    /// Events are delivered to destinations, and what can't be is parked.
    Deliveries,
    /// A person decides about what is parked, in an audit trail.
    Review,
    /// Events are removed by their age, their identities kept.
    Retention,
    /// A chain of evidence: heads, and their verification.
    Evidence,
    /// One payload can be removed, on the record.
    Redaction,
    /// A verified copy of the log as it is.
    Backup,
    /// Several servers have each event, as many as are asked for.
    Replicas,
    /// What a gate's watch has learnt, and what it said, is kept beside it.
    Watch,
}

/// Names a kind of log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Nats,
    Amqp,
    Kafka,
}

/// Says that a log can't do what is asked for, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incapable {
    log: Kind,
    lacks: Capability,
}

impl Capability {
    /// Returns the kinds of log that have it.
    const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::ExactDuplicates
            | Self::Deliveries
            | Self::Retention
            | Self::Evidence
            | Self::Redaction
            | Self::Review
            | Self::Watch => &[Kind::Sqlite, Kind::Nats],
            Self::Replicas => &[Kind::Nats],
            Self::Sequence => &[Kind::Sqlite, Kind::Nats, Kind::Kafka],
            Self::Backup => &[Kind::Sqlite],
        }
    }
}

impl LogAddress {
    /// Tells whether the log can do something.
    pub(crate) fn can(&self, capability: Capability) -> bool {
        capability.kinds().contains(&self.kind())
    }

    /// Refuses a log that can't do what is asked of it.
    ///
    /// # Errors
    /// [`Incapable`].
    pub(crate) fn require(&self, capability: Capability) -> Result<(), Incapable> {
        if self.can(capability) {
            Ok(())
        } else {
            Err(self.lacks(capability))
        }
    }

    /// Says that the log can't do something.
    pub(crate) const fn lacks(&self, capability: Capability) -> Incapable {
        Incapable {
            log: self.kind(),
            lacks: capability,
        }
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Sqlite(_) => Kind::Sqlite,
            Self::Nats(_) => Kind::Nats,
            Self::Amqp(_) => Kind::Amqp,
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => Kind::Kafka,
        }
    }
}

impl Kind {
    /// Returns what a person calls the log.
    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "the file",
            Self::Nats => "the JetStream stream",
            Self::Amqp => "the RabbitMQ stream",
            Self::Kafka => "the Kafka topic",
        }
    }

    /// Returns the form of its address.
    const fn form(self) -> &'static str {
        match self {
            Self::Sqlite => "`sqlite:PATH`",
            Self::Nats => "`nats://HOST:PORT`",
            Self::Amqp => "`amqp://HOST:PORT/VHOST`",
            Self::Kafka => "`kafka://HOST:PORT/TOPIC`",
        }
    }

    /// Returns who says how many copies there are.
    const fn own_replicas(self) -> &'static str {
        match self {
            Self::Sqlite => "has one copy, on this machine",
            Self::Nats => "has as many copies as --replicas says",
            Self::Amqp => "has as many copies as RabbitMQ's cluster gives it",
            Self::Kafka => "has as many copies as its `replication.factor` says",
        }
    }

    /// Returns where the broker itself limits the age of events.
    const fn own_retention(self) -> &'static str {
        match self {
            Self::Sqlite | Self::Nats => "--keep",
            Self::Amqp => "a policy with `max-age` (`rabbitmqctl set_policy`)",
            Self::Kafka => "the topic's `retention.ms`",
        }
    }
}

impl fmt::Display for Incapable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, lacks } = *self;
        let name = log.name();
        match lacks {
            Capability::ExactDuplicates => {
                write!(
                    f,
                    "{name} doesn't know what it has: an event that comes again is stored again, and its consumers know it by ce-source and ce-id"
                )
            }
            Capability::Sequence => write!(f, "{name} doesn't say where it stored an event"),
            Capability::Deliveries => write!(
                f,
                "[[destinations]], `hookgate review list`: hookgate delivers nothing from {name}: let its own consumers read it"
            ),
            Capability::Review => write!(
                f,
                "`[review]`, `hookgate review show`, `approve` and `discard`, `hookgate redeliver`, `hookgate audit`: nothing is parked beside {name}, and so nobody decides about it"
            ),
            Capability::Retention => write!(
                f,
                "--keep: hookgate removes no events by their age from {name}: use {}",
                log.own_retention()
            ),
            Capability::Evidence => write!(
                f,
                "`hookgate head`, `hookgate verify-log`: {name} keeps no chain of evidence; each event still carries the SHA-256 of its payload, which `hookgate export` checks"
            ),
            Capability::Redaction => write!(
                f,
                "`hookgate redact`: payloads can't be removed from {name} one by one"
            ),
            Capability::Backup => write!(
                f,
                "`hookgate backup` copies files, and {name} is none: `hookgate export` writes its events to one"
            ),
            Capability::Replicas => write!(f, "--replicas: {name} {}", log.own_replicas()),
            Capability::Watch => write!(
                f,
                "`/v1/watch`: nothing of a gate's watch is kept beside {name}"
            ),
        }?;
        let forms: Vec<&str> = lacks.kinds().iter().map(|kind| kind.form()).collect();
        write!(f, ". A log at {} can do it", forms.join(" or "))
    }
}

impl std::error::Error for Incapable {}

#[cfg(test)]
mod tests {
    use super::{Capability, LogAddress};

    #[test]
    fn says_what_to_do_and_which_log_can() {
        let address = |text: &str| text.parse::<LogAddress>().unwrap();
        let rabbit = address("amqp://127.0.0.1:5672/");
        let error = rabbit.require(Capability::Retention).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--keep: hookgate removes no events by their age from the RabbitMQ stream: use a \
             policy with `max-age` (`rabbitmqctl set_policy`). A log at `sqlite:PATH` or \
             `nats://HOST:PORT` can do it"
        );
        let error = rabbit.require(Capability::Deliveries).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("A log at `sqlite:PATH` or `nats://HOST:PORT` can do it"),
            "{error}"
        );
        assert_eq!(
            address("nats://127.0.0.1:4222").require(Capability::Deliveries),
            Ok(())
        );
    }
}
