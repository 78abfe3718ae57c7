//! What stands at a place of the stream, however the stream hands it out.

use async_nats::{
    HeaderMap,
    jetstream::{self, message::StreamMessage},
};
use bytes::Bytes;
use hookgate_core::time::Timestamp;

use super::{
    message::{self, Stored},
    reader::timestamp,
    stream,
};
use crate::log::{Damage, Entry, ReadError};

/// Holds a message of the stream.
#[derive(Debug)]
pub(super) struct Placed {
    /// Its place.
    pub(super) sequence: u64,
    /// When the stream took it.
    pub(super) stored_at: Timestamp,
    /// What it is, or what is wrong with it.
    pub(super) stored: Result<Stored, Damage>,
    /// Its payload; empty if only headers were asked for.
    pub(super) payload: Bytes,
}

impl Placed {
    /// Reads the message that a consumer handed out.
    ///
    /// # Errors
    /// It isn't a stream's.
    pub(super) fn of(message: &jetstream::Message) -> Result<Self, async_nats::Error> {
        let info = message.info()?;
        let stored_at = timestamp(info.published.unix_timestamp_nanos());
        let headers = message.headers.clone().unwrap_or_default();
        let payload = message.payload.clone();
        let subject = message.subject.as_str();
        Ok(Self::new(
            info.stream_sequence,
            stored_at,
            subject,
            &headers,
            payload,
        ))
    }

    /// Reads the message that the stream itself showed.
    pub(super) fn shown(message: StreamMessage) -> Self {
        let stored_at = timestamp(message.time.unix_timestamp_nanos());
        let subject = message.subject.as_str();
        let (sequence, headers) = (message.sequence, &message.headers);
        Self::new(sequence, stored_at, subject, headers, message.payload)
    }

    fn new(
        sequence: u64,
        stored_at: Timestamp,
        subject: &str,
        headers: &HeaderMap,
        payload: Bytes,
    ) -> Self {
        // Only a consumer that hands out headers alone says so.
        let size = headers.get("Nats-Msg-Size").filter(|_| payload.is_empty());
        let size = size
            .and_then(|size| size.as_str().parse().ok())
            .unwrap_or_else(|| u64::try_from(payload.len()).unwrap_or(u64::MAX));
        Self {
            sequence,
            stored_at,
            stored: message::read(subject, sequence, stored_at, size, headers),
            payload,
        }
    }

    /// Returns the event, or what is left of it.
    ///
    /// # Errors
    /// [`Damage`].
    pub(super) fn entry(self) -> Result<(Entry, Bytes), Damage> {
        match self.stored? {
            Stored::Event(entry) | Stored::Tombstone(entry) => Ok((entry, self.payload)),
        }
    }

    fn whole(self) -> Result<(Entry, Bytes), ReadError> {
        let (entry, payload) = self.entry()?;
        entry.verify(&payload)?;
        Ok((entry, payload))
    }
}

/// Names the subjects of a source's events.
pub(crate) fn subjects_of(source: &str) -> String {
    format!("{}.{source}.*", stream::SUBJECT_PREFIX)
}

/// Reads the event that a consumer handed out; what is left of it, if that is
/// its tombstone.
///
/// # Errors
/// [`ReadError::Damage`], [`ReadError::Nats`] if it isn't the stream's.
pub(crate) fn event_of(message: &jetstream::Message) -> Result<(Entry, Bytes), ReadError> {
    let placed = Placed::of(message).map_err(super::ReadError::Messages)?;
    placed.whole()
}

/// Reads the event that the stream has at a sequence.
///
/// # Errors
/// [`ReadError::Damage`].
pub(crate) fn event_in(message: StreamMessage) -> Result<(Entry, Bytes), ReadError> {
    Placed::shown(message).whole()
}
