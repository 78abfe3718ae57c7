//! Records on their way to one topic, each with a report of what became of it.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::OwnedHeaders,
    producer::{BaseRecord, Producer as _, PurgeConfig, ThreadedProducer},
};
use tokio::{sync::oneshot, task::spawn_blocking};
use tracing::warn;

use super::{KafkaAddress, client::Listener};

/// How long no broker may be connected before records are given up. The client
/// tries to connect more often than that.
const GRACE: Duration = Duration::from_secs(1);

/// How long the broker may take to say what topics it has.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// Says why a record is not known to be stored. It may be, unless the broker
/// refused it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProduceError {
    /// No broker is connected.
    #[error("no broker is connected")]
    Away,
    /// The broker refused, or didn't answer in time.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

/// Produces to one topic: confirmed by all replicas that are in sync, and not
/// twice when the client itself repeats a request.
pub(crate) struct Producer {
    config: ClientConfig,
    topic: String,
    client: RwLock<Arc<ThreadedProducer<Listener>>>,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// Makes a client, which connects by itself. A record that isn't confirmed
    /// within `timeout` is given up, and not sent afterwards.
    ///
    /// # Errors
    /// Whatever the client has against it.
    pub(crate) fn new(
        address: &KafkaAddress,
        name: &str,
        timeout: Duration,
        settings: &[(&str, String)],
    ) -> Result<Self, KafkaError> {
        let mut config = ClientConfig::new();
        let timeout = timeout.as_millis().to_string();
        config
            .set("bootstrap.servers", address.servers())
            .set("client.id", name)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", &timeout)
            .set("request.timeout.ms", &timeout)
            // Batches form while others are under way; waiting for one would
            // only make each sender wait.
            .set("linger.ms", "0")
            // Nobody wants a topic that a slip of the pen has made.
            .set("allow.auto.create.topics", "false")
            // A topic that isn't there is reported at once and not after 30 s.
            .set("topic.metadata.propagation.max.ms", "0")
            .set("reconnect.backoff.max.ms", "500");
        for (key, value) in settings {
            config.set(*key, value);
        }
        let client = RwLock::new(Arc::new(config.create_with_context(Listener::new())?));
        Ok(Self {
            config,
            topic: address.topic().to_owned(),
            client,
        })
    }

    /// Produces a record and waits for the broker's word. Returns its offset,
    /// if the broker named it.
    ///
    /// # Errors
    /// [`ProduceError`].
    pub(crate) async fn produce(
        &self,
        key: &str,
        headers: OwnedHeaders,
        payload: &[u8],
    ) -> Result<Option<u64>, ProduceError> {
        let first = self.attempt(key, headers.clone(), payload).await;
        let again = match &first {
            Err(ProduceError::Kafka(error)) => match error.rdkafka_error_code() {
                // Refused, and the client has been made anew.
                Some(code) if is_stranger(code) => true,
                // What the client knows of a topic is as old as its last look.
                Some(
                    RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::UnknownTopicOrPartition,
                ) => self.is_there().await,
                _ => false,
            },
            _ => false,
        };
        if again {
            return self.attempt(key, headers, payload).await;
        }
        first
    }

    /// Asks the broker whether it has the topic.
    pub(crate) async fn is_there(&self) -> bool {
        let (client, topic) = (self.client(), self.topic.clone());
        let asked = spawn_blocking(move || {
            let metadata = client.client().fetch_metadata(Some(&topic), ASK_TIMEOUT)?;
            client.context().answered();
            let mut topics = metadata.topics().iter();
            Ok::<_, KafkaError>(
                topics.any(|it| it.error().is_none() && !it.partitions().is_empty()),
            )
        });
        matches!(asked.await, Ok(Ok(true)))
    }

    async fn attempt(
        &self,
        key: &str,
        headers: OwnedHeaders,
        payload: &[u8],
    ) -> Result<Option<u64>, ProduceError> {
        let client = self.client();
        let (report, reported) = oneshot::channel();
        let record = BaseRecord::with_opaque_to(&self.topic, Box::new(report))
            .key(key)
            .payload(payload)
            .headers(headers);
        let outcome = match client.send(record) {
            Err((error, _)) => Err(error),
            Ok(()) => tokio::select! {
                biased;
                reported = reported => match reported {
                    Ok(outcome) => outcome,
                    // The client is gone, and what it had is in doubt.
                    Err(_) => return Err(ProduceError::Away),
                },
                () = client.context().away_for(GRACE) => {
                    // All records share this fate, and none may be sent later,
                    // when its sender has been told to try again.
                    client.purge(PurgeConfig::default().queue().inflight());
                    return Err(ProduceError::Away);
                }
            },
        };
        outcome.map_err(|error| {
            let fatal = client.client().fatal_error().is_some();
            if fatal || error.rdkafka_error_code().is_some_and(is_stranger) {
                self.renew(&client, &error);
            }
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {
                    ProduceError::Away
                }
                _ => error.into(),
            }
        })
    }

    fn client(&self) -> Arc<ThreadedProducer<Listener>> {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&client)
    }

    /// Puts another client in the place of one that can't go on.
    fn renew(&self, old: &Arc<ThreadedProducer<Listener>>, error: &KafkaError) {
        let mut client = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&client, old) {
            return;
        }
        warn!(%error, "the Kafka client can't go on and is made anew");
        // The same settings were taken before.
        if let Ok(new) = self.config.create_with_context(Listener::new()) {
            *client = Arc::new(new);
        }
    }
}

/// Tells whether the broker doesn't know the client any more, or knows another
/// by its number: it takes nothing from it then.
const fn is_stranger(error: RDKafkaErrorCode) -> bool {
    matches!(
        error,
        RDKafkaErrorCode::Fatal
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::OutOfOrderSequenceNumber
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::UnknownProducerId
    )
}
