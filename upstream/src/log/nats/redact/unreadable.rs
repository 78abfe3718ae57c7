//! What others put into the stream, or took out of it, before it was sealed.
//!
//! It ends sealing, because nobody can say that it was appended. Whoever decides
//! that it goes, or that it is gone, puts that on record.

use async_nats::jetstream::stream::Stream;
use hookgate_core::identity::Source;

use super::{Found, Removal, shown};
use crate::{
    evidence,
    log::{
        RedactError, Sha256Sum,
        nats::{event::Placed, evidence::Evidence, message::Stored},
    },
};

/// Names its source in its record.
const SOURCE: &str = "unreadable";

/// Finds what is at a sequence.
///
/// # Errors
/// [`RedactError`], also if it is an event, or what is sealed there was one.
pub(super) async fn find(
    log: &Stream,
    evidence: &Evidence,
    sequence: u64,
) -> Result<Found, RedactError> {
    if let Some(recorded) = evidence.redaction_of(sequence).await? {
        return Ok(Found::Redacted(recorded.redaction));
    }
    let placed = shown(log, sequence).await?.map(Placed::shown);
    match placed.as_ref().map(|placed| &placed.stored) {
        Some(Ok(Stored::Event(entry))) if placed.as_ref().is_some_and(is_whole) => {
            let id = entry.attributes.id.clone();
            return Err(RedactError::IsEvent { sequence, id });
        }
        Some(Ok(Stored::Tombstone(of))) => {
            if let Some(recorded) = evidence.redaction_of(of.sequence).await? {
                return Ok(Found::Redacted(recorded.redaction));
            }
        }
        _ => {}
    }
    if sequence <= evidence.sealed().await?.value.link.sequence {
        return Err(RedactError::IsSealed { sequence });
    }
    let info = log.get_info().await;
    let last = info
        .map_err(|error| RedactError::Remove(error.into()))?
        .state
        .last_sequence;
    if sequence > last {
        return Err(RedactError::Nothing { sequence });
    }
    let payload = placed.map(|placed| placed.payload).unwrap_or_default();
    let sha256 = Sha256Sum::of(&payload);
    Ok(Found::Here(Removal {
        sequence,
        source: Source::new(SOURCE).map_err(|_| RedactError::Nothing { sequence })?,
        id: String::new(),
        digest: evidence::unreadable(sequence, &sha256),
        sha256,
    }))
}

/// Returns the digest by which its record names it.
pub(super) fn digest(placed: &Placed) -> Sha256Sum {
    evidence::unreadable(placed.sequence, &Sha256Sum::of(&placed.payload))
}

/// Tells whether a payload is the one of its event.
fn is_whole(placed: &Placed) -> bool {
    match &placed.stored {
        Ok(Stored::Event(entry)) => entry.verify(&placed.payload).is_ok(),
        _ => false,
    }
}
