//! Several messages that a stream takes all of, or none.
//!
//! Source: <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-50.md>.

use async_nats::{
    Client, HeaderMap, RequestError, header,
    jetstream::{self, ErrorCode, context::Context, publish::PublishAck, response::Response},
};
use bytes::Bytes;
use serde_json::Value;

/// Most messages that the server takes as one.
pub(crate) const MOST: usize = 1_000;

/// Is a message to be published.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// Under which subject.
    pub(crate) subject: String,
    /// With which headers; conditions among them.
    pub(crate) headers: HeaderMap,
    /// With which payload.
    pub(crate) payload: Bytes,
}

/// Says why a stream took none of them; or, but for a conflict, perhaps all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AtomicError {
    /// A condition doesn't hold: somebody else wrote first.
    #[error("somebody else wrote first")]
    Conflict,
    /// The server refused.
    #[error("the NATS server does not take messages together: {0}")]
    Refused(#[source] jetstream::Error),
    /// The server didn't answer, or not to a publish.
    #[error("the NATS server does not confirm messages: {0}")]
    Unconfirmed(#[source] async_nats::Error),
}

impl From<RequestError> for AtomicError {
    fn from(error: RequestError) -> Self {
        Self::Unconfirmed(error.into())
    }
}

/// Publishes messages, at most [`MOST`], to a stream that allows it; whole or
/// not at all. Conditions on the whole stream stand in the first.
///
/// # Errors
/// [`AtomicError`].
pub(crate) async fn publish(
    context: &Context,
    stream: &str,
    messages: Vec<Outgoing>,
) -> Result<(), AtomicError> {
    let client = context.client();
    let name = format!("{:032x}", fastrand::u128(..));
    let last = messages.len();
    for (number, mut message) in (1..).zip(messages) {
        let headers = &mut message.headers;
        headers.insert(header::NATS_EXPECTED_STREAM, stream);
        headers.insert(header::NATS_BATCH_ID, name.as_str());
        headers.insert(header::NATS_BATCH_SEQUENCE, number.to_string());
        if number == last {
            headers.insert(header::NATS_BATCH_COMMIT, "1");
            return commit(&client, message).await;
        }
        if number == 1 {
            begin(&client, message).await?;
        } else {
            let published =
                client.publish_with_headers(message.subject, message.headers, message.payload);
            let unconfirmed = |error: async_nats::PublishError| error.into();
            published
                .await
                .map_err(unconfirmed)
                .map_err(AtomicError::Unconfirmed)?;
        }
    }
    Ok(())
}

/// Learns whether the server takes it, before the others are sent.
async fn begin(client: &Client, message: Outgoing) -> Result<(), AtomicError> {
    let answer = ask(client, message).await?;
    if answer.is_empty() {
        return Ok(());
    }
    read::<Value>(&answer).map(|_| ())
}

async fn commit(client: &Client, message: Outgoing) -> Result<(), AtomicError> {
    let answer = ask(client, message).await?;
    read::<PublishAck>(&answer).map(|_| ())
}

async fn ask(client: &Client, message: Outgoing) -> Result<Bytes, AtomicError> {
    let answer = client.request_with_headers(message.subject, message.headers, message.payload);
    Ok(answer.await?.payload)
}

fn read<T: serde::de::DeserializeOwned>(answer: &[u8]) -> Result<T, AtomicError> {
    match serde_json::from_slice(answer) {
        Ok(Response::Ok(read)) => Ok(read),
        Ok(Response::Err { error }) if is_conflict(&error) => Err(AtomicError::Conflict),
        Ok(Response::Err { error }) => Err(AtomicError::Refused(error)),
        Err(error) => Err(AtomicError::Unconfirmed(error.into())),
    }
}

pub(super) fn is_conflict(error: &jetstream::Error) -> bool {
    [
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE,
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT,
    ]
    .contains(&error.error_code())
}
