//! The answer to a question for what a consumer has now.

use async_nats::jetstream::{
    Message,
    consumer::{PullConsumer, pull},
};
use futures_util::TryStreamExt as _;
use tokio::time::timeout;

use super::REQUEST_TIMEOUT;

/// Is what a consumer has now, as it comes.
///
/// A server that is killed with the question in hand never answers it, and the
/// client asks once: so nobody waits longer than for any other request.
pub(crate) struct Fetched(pull::Batch);

impl Fetched {
    /// Asks for at most `limit` messages.
    ///
    /// # Errors
    /// The server can't be asked.
    pub(crate) async fn ask(
        consumer: &PullConsumer,
        limit: usize,
    ) -> Result<Self, async_nats::Error> {
        Self::ask_bytes(consumer, limit, 0).await
    }

    /// Asks for at most `limit` messages of together at most `bytes`.
    ///
    /// # Errors
    /// The server can't be asked.
    pub(crate) async fn ask_bytes(
        consumer: &PullConsumer,
        limit: usize,
        bytes: usize,
    ) -> Result<Self, async_nats::Error> {
        let question = consumer.fetch().max_messages(limit).max_bytes(bytes);
        Ok(Self(question.messages().await?))
    }

    /// Returns the next message, `None` behind the last.
    ///
    /// # Errors
    /// The server doesn't answer, or with a refusal.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, async_nats::Error> {
        match timeout(REQUEST_TIMEOUT, self.0.try_next()).await {
            Ok(next) => next,
            Err(_) => Err("the NATS server does not answer".into()),
        }
    }
}
