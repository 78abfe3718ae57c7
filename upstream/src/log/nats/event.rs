//! Whole events, however the stream hands them out.

use async_nats::{
    HeaderMap,
    datetime::DateTime,
    jetstream::{self, message::StreamMessage},
};
use bytes::Bytes;

use super::{message, reader::timestamp, stream};
use crate::log::{Entry, ReadError};

/// Names the subjects of a source's events.
pub(crate) fn subjects_of(source: &str) -> String {
    format!("{}.{source}.*", stream::SUBJECT_PREFIX)
}

/// Reads the event that a consumer handed out.
///
/// # Errors
/// [`ReadError::Damage`], [`ReadError::Nats`] if it isn't the stream's.
pub(crate) fn event_of(message: &jetstream::Message) -> Result<(Entry, Bytes), ReadError> {
    let info = message.info().map_err(super::ReadError::Messages)?;
    let (sequence, published) = (info.stream_sequence, info.published);
    let headers = message.headers.clone().unwrap_or_default();
    whole(sequence, published, &headers, message.payload.clone())
}

/// Reads the event that the stream has at a sequence.
///
/// # Errors
/// [`ReadError::Damage`].
pub(crate) fn event_in(message: StreamMessage) -> Result<(Entry, Bytes), ReadError> {
    let StreamMessage {
        sequence,
        time,
        headers,
        payload,
        ..
    } = message;
    whole(sequence, time, &headers, payload)
}

fn whole(
    sequence: u64,
    stored_at: DateTime,
    headers: &HeaderMap,
    payload: Bytes,
) -> Result<(Entry, Bytes), ReadError> {
    let size = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    let stored_at = timestamp(stored_at.unix_timestamp_nanos());
    let entry = message::entry(sequence, stored_at, size, headers)?;
    entry.verify(&payload)?;
    Ok((entry, payload))
}
