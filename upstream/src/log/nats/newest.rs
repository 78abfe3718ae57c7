//! The newest message of a subject, and whether somebody else wrote a newer one.

use std::error::Error as _;

use async_nats::jetstream::{
    self,
    context::PublishError,
    message::StreamMessage,
    stream::{LastRawMessageErrorKind, Stream},
};

use super::atomic;

/// Returns the newest message of a subject, as the stream's leader has it.
///
/// # Errors
/// The server doesn't show it.
pub(crate) async fn newest<I>(
    stream: &Stream<I>,
    subject: &str,
) -> Result<Option<StreamMessage>, async_nats::Error> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Tells whether a message was refused because the newest one is another than expected.
pub(crate) fn is_conflict(error: &PublishError) -> bool {
    let refusal = error.source().and_then(|source| source.downcast_ref());
    refusal.is_some_and(|refusal: &jetstream::Error| atomic::is_conflict(refusal))
}
