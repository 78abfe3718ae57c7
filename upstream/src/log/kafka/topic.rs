//! The topic: made right, or refused with what mends it.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use tracing::info;

use super::{
    ASK_TIMEOUT, code, is_passing,
    settings::{Settings, WrongSettings, wanted},
};
use crate::kafka::KafkaAddress;

/// Most replicas of a topic that we make.
const MAX_REPLICAS: usize = 3;

/// Time between two looks for a topic that was made just now.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Says why the topic can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicError {
    /// The client can't be made.
    #[error("can't make a Kafka client: {0}")]
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
    /// It can't be made.
    #[error(
        "the Kafka brokers don't make the topic `{}`: {reason}. Make it yourself, then start hookgate again:\n  {command}",
        address.topic()
    )]
    Make {
        /// Which.
        address: KafkaAddress,
        /// Why.
        reason: RDKafkaErrorCode,
        /// What an administrator would type.
        command: String,
    },
    /// Its settings can't be read.
    #[error(
        "the Kafka brokers don't show the settings of the topic `{}`: {reason}. hookgate must be allowed to describe its configuration",
        address.topic()
    )]
    Describe {
        /// Which.
        address: KafkaAddress,
        /// Why.
        reason: RDKafkaErrorCode,
    },
    /// It is no one order of events.
    #[error(
        "the topic `{}` has {found} partitions, expected 1: the log is one order of events, which Kafka keeps within a partition only. Choose the name of a topic that isn't there yet: hookgate makes it",
        address.topic()
    )]
    Partitions {
        /// Which.
        address: KafkaAddress,
        /// How many.
        found: usize,
    },
    /// Somebody made it with other settings.
    #[error(transparent)]
    Settings(Box<WrongSettings>),
}

impl TopicError {
    /// Tells whether it may pass by itself.
    pub(super) const fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Make { reason, .. } | Self::Describe { reason, .. } => is_passing(*reason),
            Self::Client(_) | Self::Partitions { .. } | Self::Settings(_) => false,
        }
    }
}

/// What the brokers say of themselves and the topic.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    brokers: usize,
    topic: Option<Shape>,
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    partitions: usize,
    replicas: usize,
}

/// Makes the topic if there is none, checks it if there is.
///
/// # Errors
/// [`TopicError`].
pub(super) async fn ensure(
    address: &KafkaAddress,
    max_payload_bytes: usize,
) -> Result<(), TopicError> {
    let asking = Asking::of(address)?;
    let cluster = asking.look().await?;
    let shape = match cluster.topic {
        Some(shape) => shape,
        None => asking.make(cluster.brokers, max_payload_bytes).await?,
    };
    if shape.partitions != 1 {
        return Err(TopicError::Partitions {
            address: address.clone(),
            found: shape.partitions,
        });
    }
    // What the brokers made of it is checked like any other.
    let settings = asking.settings().await?;
    settings
        .check(address, shape.replicas, max_payload_bytes)
        .map_err(|wrong| TopicError::Settings(Box::new(wrong)))
}

struct Asking<'a> {
    address: &'a KafkaAddress,
    client: Arc<AdminClient<DefaultClientContext>>,
    options: AdminOptions,
}

impl<'a> Asking<'a> {
    fn of(address: &'a KafkaAddress) -> Result<Self, TopicError> {
        let client = ClientConfig::new()
            .set("bootstrap.servers", address.servers())
            .set("client.id", "hookgate")
            .set("allow.auto.create.topics", "false")
            .create()
            .map_err(TopicError::Client)?;
        Ok(Self {
            address,
            client: Arc::new(client),
            options: AdminOptions::new().request_timeout(Some(ASK_TIMEOUT)),
        })
    }

    async fn look(&self) -> Result<Cluster, TopicError> {
        let away = |error| TopicError::Away {
            address: self.address.clone(),
            reason: code(&error),
        };
        let client = Arc::clone(&self.client);
        let topic = self.address.topic().to_owned();
        let asked =
            spawn_blocking(move || client.inner().fetch_metadata(Some(&topic), ASK_TIMEOUT));
        // Nothing cancels it.
        let metadata = asked.await.unwrap_or(Err(KafkaError::Canceled));
        let metadata = metadata.map_err(away)?;
        let mut topics = metadata.topics().iter();
        let topic = topics.find(|topic| topic.error().is_none() && !topic.partitions().is_empty());
        Ok(Cluster {
            brokers: metadata.brokers().len(),
            topic: topic.map(|topic| Shape {
                partitions: topic.partitions().len(),
                replicas: (topic.partitions().iter())
                    .map(|partition| partition.replicas().len())
                    .min()
                    .unwrap_or_default(),
            }),
        })
    }

    /// Makes the topic, and waits until the brokers show it.
    async fn make(&self, brokers: usize, max_payload_bytes: usize) -> Result<Shape, TopicError> {
        let topic = self.address.topic();
        let replicas = brokers.clamp(1, MAX_REPLICAS);
        let wanted = wanted(replicas, max_payload_bytes);
        let failed = |reason| TopicError::Make {
            address: self.address.clone(),
            reason,
            command: command(self.address, replicas, &wanted),
        };
        let fixed = TopicReplication::Fixed(i32::try_from(replicas).unwrap_or(1));
        let new = wanted
            .iter()
            .fold(NewTopic::new(topic, 1, fixed), |new, (name, value)| {
                new.set(name, value)
            });
        let made = self.client.create_topics([&new], &self.options).await;
        let made = made.map_err(|error| failed(code(&error)))?;
        for result in made {
            match result {
                Ok(_) => info!(topic, replicas, "made the topic"),
                // Another upstream was faster.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, reason)) => return Err(failed(reason)),
            }
        }
        let deadline = Instant::now() + ASK_TIMEOUT;
        loop {
            if let Some(shape) = self.look().await?.topic {
                return Ok(shape);
            }
            if Instant::now() > deadline {
                return Err(failed(RDKafkaErrorCode::UnknownTopicOrPartition));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn settings(&self) -> Result<Settings, TopicError> {
        let failed = |reason| TopicError::Describe {
            address: self.address.clone(),
            reason,
        };
        let topic = ResourceSpecifier::Topic(self.address.topic());
        let described = self.client.describe_configs([&topic], &self.options).await;
        let described = described.map_err(|error| failed(code(&error)))?;
        let mut settings = Settings::default();
        for resource in described {
            for entry in resource.map_err(failed)?.entries {
                if let Some(value) = entry.value {
                    settings.insert(entry.name, value);
                }
            }
        }
        Ok(settings)
    }
}

/// What makes the topic by hand.
fn command(address: &KafkaAddress, replicas: usize, wanted: &[(&str, String)]) -> String {
    let settings: String = wanted
        .iter()
        .map(|(name, value)| format!(" --config {name}={value}"))
        .collect();
    format!(
        "kafka-topics.sh --bootstrap-server {} --create --topic {} --partitions 1 --replication-factor {replicas}{settings}",
        address.servers(),
        address.topic()
    )
}
