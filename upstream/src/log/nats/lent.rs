//! A consumer that is had for a while.

use std::ops::Deref;

use async_nats::jetstream::{
    consumer::{PullConsumer, pull},
    stream::{ConsumerError, Stream},
};
use tokio::runtime::Handle;
use tracing::debug;

/// Is a consumer that ends with its use.
///
/// A stream has room for a thousand on a server as shipped, deliveries' own among
/// them. One that is only left behind takes its room until nobody has asked for it as
/// long as its `inactive_threshold`; so that is for readers that are killed.
pub(super) struct Lent {
    consumer: PullConsumer,
    stream: Stream,
}

impl Lent {
    /// Makes one.
    ///
    /// # Errors
    /// The server doesn't.
    pub(super) async fn of(stream: &Stream, config: pull::Config) -> Result<Self, ConsumerError> {
        Ok(Self {
            consumer: stream.create_consumer(config).await?,
            stream: stream.clone(),
        })
    }
}

impl Deref for Lent {
    type Target = PullConsumer;

    fn deref(&self) -> &PullConsumer {
        &self.consumer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Nobody waits for it, and a command ends before it may be done.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let stream = self.stream.clone();
        let name = self.consumer.cached_info().name.clone();
        runtime.spawn(async move {
            if let Err(error) = stream.delete_consumer(&name).await {
                debug!(%error, "a consumer of a reader is left to end by itself");
            }
        });
    }
}
