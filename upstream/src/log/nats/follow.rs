//! Follows the stream with a consumer of its own, which ends with it.

use async_nats::{
    datetime::DateTime,
    jetstream::consumer::{DeliverPolicy, pull},
};
use futures_util::StreamExt as _;

use super::{
    message,
    reader::{NatsReader, ReadError, timestamp},
};
use crate::log::{Entry, Start, reader};

/// Hands out the headers of messages as they are stored.
pub(crate) struct Following(pull::Ordered);

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").finish_non_exhaustive()
    }
}

impl NatsReader {
    /// Follows the stream from a place on. The consumer is made anew at the
    /// same place when the server is away for a while.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn follow(&self, start: Start) -> Result<Following, ReadError> {
        let deliver_policy = match start {
            Start::Now => DeliverPolicy::New,
            Start::Beginning => DeliverPolicy::All,
            Start::Sequence(start_sequence) => DeliverPolicy::ByStartSequence { start_sequence },
            Start::Time(time) => {
                let nanos = i128::from(time.unix_millis()) * 1_000_000;
                // Later than any message can be.
                let time = DateTime::from_unix_timestamp_nanos(nanos);
                time.map_or(DeliverPolicy::New, |start_time| {
                    DeliverPolicy::ByStartTime { start_time }
                })
            }
        };
        let consumer = self
            .stream
            .create_consumer(pull::OrderedConfig {
                deliver_policy,
                headers_only: true,
                ..pull::OrderedConfig::default()
            })
            .await
            .map_err(|error| ReadError::Messages(error.into()))?;
        let messages = consumer.messages().await;
        let messages = messages.map_err(|error| ReadError::Messages(error.into()))?;
        Ok(Following(messages))
    }
}

impl Following {
    /// Waits for the next message.
    ///
    /// # Errors
    /// [`reader::ReadError`].
    pub(crate) async fn next(&mut self) -> Result<Entry, reader::ReadError> {
        let Some(message) = self.0.next().await else {
            return Err(ReadError::Ended.into());
        };
        let message = message.map_err(|error| ReadError::Messages(error.into()))?;
        let info = message.info().map_err(ReadError::Messages)?;
        let headers = message.headers.clone().unwrap_or_default();
        let size = headers.get("Nats-Msg-Size");
        let entry = message::entry(
            info.stream_sequence,
            timestamp(info.published.unix_timestamp_nanos()),
            size.and_then(|size| size.as_str().parse().ok())
                .unwrap_or_default(),
            &headers,
        );
        Ok(entry?)
    }
}
