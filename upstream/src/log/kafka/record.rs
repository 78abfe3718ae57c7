//! One event as a record: CloudEvents in binary mode.

use bytes::Bytes;
use hookgate_core::time::Timestamp;
use rdkafka::{
    Message as _, Timestamp as RecordTime,
    message::{BorrowedMessage, OwnedHeaders},
};

use crate::{
    kafka,
    log::{Attributes, Damage, Entry, headers, offsets::Found},
};

/// Returns the sequence of an offset: they count from 1, offsets from 0.
pub(super) const fn sequence(offset: u64) -> u64 {
    offset.saturating_add(1)
}

/// Returns the offset of a sequence.
pub(super) fn offset(sequence: u64) -> i64 {
    i64::try_from(sequence.saturating_sub(1)).unwrap_or(i64::MAX)
}

/// Writes the headers of an event.
pub(super) fn headers(attributes: &Attributes) -> OwnedHeaders {
    let written = headers::write(attributes);
    kafka::headers(written.iter().map(|(name, value)| (*name, value.as_ref())))
}

/// Reads the event that a record is, and checks it against its SHA-256.
pub(super) fn found(message: &BorrowedMessage<'_>) -> Found {
    let sequence = sequence(u64::try_from(message.offset()).unwrap_or_default());
    Found {
        sequence,
        event: event(sequence, message),
    }
}

fn event(sequence: u64, message: &BorrowedMessage<'_>) -> Result<(Entry, Bytes), Damage> {
    let payload = message.payload().unwrap_or_default();
    let size = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    let of_record = message.headers();
    let header = |name: &str| of_record.and_then(|all| kafka::header(all, name));
    let entry = headers::read(sequence, stored_at(message.timestamp()), size, header)?;
    entry.verify(payload)?;
    Ok((entry, Bytes::copy_from_slice(payload)))
}

fn stored_at(time: RecordTime) -> Timestamp {
    let millis = time
        .to_millis()
        .and_then(|millis| u64::try_from(millis).ok());
    Timestamp::from_unix_millis(millis.unwrap_or_default())
}
