//! Follows the stream with a consumer of its own, which ends with it.

use std::time::Duration;

use async_nats::jetstream::{
    self, ErrorCode,
    consumer::{DeliverPolicy, pull},
    stream::{ConsumerError, ConsumerErrorKind, InfoError, Stream},
};
use futures_util::StreamExt as _;
use tokio::time::{sleep, timeout};

use super::{
    event::Placed,
    message::Stored,
    reader::{NatsReader, ReadError},
};
use crate::log::{Entry, Start, reader};

/// Time between two attempts to follow a server that was away.
const AGAIN: Duration = Duration::from_secs(1);

/// How long nothing may come before it is asked whether the stream is there.
const SILENCE: Duration = Duration::from_secs(5);

/// Hands out the headers of messages as they are stored.
pub(crate) struct Following {
    stream: Stream,
    messages: pull::Ordered,
    /// The first sequence that wasn't handed out.
    next: u64,
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").finish_non_exhaustive()
    }
}

impl NatsReader {
    /// Follows the stream from a place on, over any time that the server is
    /// away.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn follow(&self, start: Start) -> Result<Following, ReadError> {
        let behind_the_last = self.stream.cached_info().state.last_sequence + 1;
        let next = match start {
            Start::Now => behind_the_last,
            Start::Beginning => 1,
            Start::Sequence(sequence) => sequence,
            Start::Time(time) => self.first_at(time).await?.unwrap_or(behind_the_last),
        };
        let messages = consume(&self.stream, next).await;
        let messages = messages.map_err(|error| ReadError::Messages(error.into()))?;
        Ok(Following {
            stream: self.stream.clone(),
            messages,
            next,
        })
    }
}

/// Makes a consumer that hands out what the stream has from a sequence on.
async fn consume(stream: &Stream, start_sequence: u64) -> Result<pull::Ordered, ConsumerError> {
    let consumer = stream
        .create_consumer(pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            headers_only: true,
            ..pull::OrderedConfig::default()
        })
        .await?;
    let messages = consumer.messages().await;
    messages.map_err(|error| ConsumerError::with_source(ConsumerErrorKind::Other, error))
}

impl Following {
    /// Waits for the next event.
    ///
    /// # Errors
    /// [`reader::ReadError`].
    pub(crate) async fn next(&mut self) -> Result<Entry, reader::ReadError> {
        loop {
            let Ok(next) = timeout(SILENCE, self.messages.next()).await else {
                self.look().await?;
                continue;
            };
            match next {
                Some(Ok(message)) => {
                    let placed = Placed::of(&message).map_err(ReadError::Messages)?;
                    // The server begins with its newest where it has no such
                    // sequence yet.
                    if placed.sequence >= self.next {
                        self.next = placed.sequence.saturating_add(1);
                        // A tombstone is not new: what is left of an earlier one.
                        if let Stored::Event(entry) = placed.stored? {
                            return Ok(entry);
                        }
                    }
                }
                // The server was away, and has forgotten the consumer.
                Some(Err(_)) | None => self.resume().await?,
            }
        }
    }

    /// Looks whether there still is a stream from which nothing comes: the
    /// client would go on asking for it.
    ///
    /// # Errors
    /// [`ReadError::Ended`].
    async fn look(&self) -> Result<(), ReadError> {
        match self.stream.get_info().await {
            Err(error) if is_missing(&error) => Err(ReadError::Ended),
            // A server that is away comes back.
            _ => Ok(()),
        }
    }

    /// Makes the consumer anew, as soon as the server is there.
    ///
    /// # Errors
    /// [`ReadError::Ended`]: it is there, and the stream isn't.
    async fn resume(&mut self) -> Result<(), ReadError> {
        loop {
            match consume(&self.stream, self.next).await {
                Ok(messages) => {
                    self.messages = messages;
                    return Ok(());
                }
                Err(error) if is_gone(&error) => return Err(ReadError::Ended),
                Err(_) => sleep(AGAIN).await,
            }
        }
    }
}

fn is_missing(error: &InfoError) -> bool {
    let source = std::error::Error::source(error);
    let refusal = source.and_then(|source| source.downcast_ref::<jetstream::Error>());
    refusal.is_some_and(|refusal| refusal.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_gone(error: &ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}
