//! What others put into the stream, or took out of it, before it was sealed.
//!
//! It ends sealing, because nobody can say that it was appended. Whoever decides
//! that it goes, or that it is gone, puts that on record. A tombstone stays: it
//! alone keeps the stream from taking the event again.

use async_nats::jetstream::stream::Stream;
use hookgate_core::identity::Source;

use super::{Found, Removal, shown};
use crate::{
    evidence,
    log::{
        Entry, RedactError, Sha256Sum,
        nats::{
            event::Placed,
            evidence::Evidence,
            message::{self, Stored},
            reader::{NatsReader, ReadError},
        },
    },
};

/// Names its source in its record.
const SOURCE: &str = "unreadable";

/// Finds what is at a sequence.
///
/// # Errors
/// [`RedactError`], also if it is an event, or what is sealed there was one.
pub(super) async fn find(
    reader: &NatsReader,
    evidence: &Evidence,
    sequence: u64,
) -> Result<Found, RedactError> {
    let log = &reader.stream;
    // Before the look: a place that fills later isn't empty.
    let info = log.get_info().await;
    let last = info
        .map_err(|error| RedactError::Remove(error.into()))?
        .state
        .last_sequence;
    if sequence > last {
        return Err(RedactError::Nothing { sequence });
    }
    let Some(message) = shown(log, sequence).await? else {
        return gone(reader, evidence, sequence).await;
    };
    let placed = Placed::shown(message);
    if let Ok(Stored::Tombstone(of)) = &placed.stored
        && !contradicts(log, of).await?
    {
        return buried(evidence, sequence, of).await;
    }
    let own = match &placed.stored {
        Ok(Stored::Event(entry)) => Some(entry.digest()),
        _ => None,
    };
    let unreadable = digest(&placed);
    if let Some(recorded) = evidence.redaction_of(sequence).await? {
        let recorded = recorded.redaction;
        if recorded.digest == unreadable || Some(recorded.digest) == own {
            return Ok(Found::Redacted(recorded));
        }
    }
    if let Some(entry) = whole(&placed) {
        let id = entry.attributes.id.clone();
        return Err(RedactError::IsEvent { sequence, id });
    }
    here(evidence, sequence, Sha256Sum::of(&placed.payload)).await
}

/// Returns the digest by which its record names it.
pub(super) fn digest(placed: &Placed) -> Sha256Sum {
    evidence::unreadable(placed.sequence, &Sha256Sum::of(&placed.payload))
}

/// Tells whether a message may go without a tombstone of its own.
///
/// # Errors
/// [`RedactError::Remove`].
pub(super) async fn may_go(log: &Stream, placed: &Placed) -> Result<bool, RedactError> {
    match &placed.stored {
        Ok(Stored::Tombstone(of)) => contradicts(log, of).await,
        _ => Ok(true),
    }
}

/// Finds what was at a sequence that is empty.
async fn gone(
    reader: &NatsReader,
    evidence: &Evidence,
    sequence: u64,
) -> Result<Found, RedactError> {
    if let Some((place, of)) = tombstone_of(reader, sequence).await? {
        return buried(evidence, place, &of).await;
    }
    if let Some(recorded) = evidence.redaction_of(sequence).await? {
        return Ok(Found::Redacted(recorded.redaction));
    }
    here(evidence, sequence, Sha256Sum::of(b"")).await
}

/// Finds the redaction of an event by its tombstone. The evidence may be older
/// than that, or begun anew.
async fn buried(evidence: &Evidence, place: u64, of: &Entry) -> Result<Found, RedactError> {
    let digest = of.digest();
    if let Some(recorded) = evidence.redaction_of(of.sequence).await?
        && recorded.redaction.digest == digest
    {
        return Ok(Found::Redacted(recorded.redaction));
    }
    is_not_sealed(evidence, place).await?;
    Ok(Found::Here(Removal {
        sequence: of.sequence,
        source: of.attributes.source.clone(),
        id: of.attributes.id.clone(),
        digest,
        sha256: of.attributes.sha256,
    }))
}

/// Names what is at a sequence by nothing but its bytes.
async fn here(evidence: &Evidence, sequence: u64, sha256: Sha256Sum) -> Result<Found, RedactError> {
    is_not_sealed(evidence, sequence).await?;
    Ok(Found::Here(Removal {
        sequence,
        source: Source::new(SOURCE).map_err(|_| RedactError::Nothing { sequence })?,
        id: String::new(),
        digest: evidence::unreadable(sequence, &sha256),
        sha256,
    }))
}

async fn is_not_sealed(evidence: &Evidence, sequence: u64) -> Result<(), RedactError> {
    if sequence <= evidence.sealed().await?.value.link.sequence {
        return Err(RedactError::IsSealed { sequence });
    }
    Ok(())
}

/// Finds the tombstone of the event at a sequence, and its own place.
async fn tombstone_of(
    reader: &NatsReader,
    sequence: u64,
) -> Result<Option<(u64, Entry)>, RedactError> {
    let walk = reader.walk(sequence.saturating_add(1));
    let mut tombstones = walk.of(&message::tombstone_subjects()).headers_only();
    while let Some((place, message)) = tombstones
        .next(u64::MAX)
        .await
        .map_err(ReadError::Messages)?
    {
        let placed = Placed::of(&message).map_err(ReadError::Messages)?;
        match placed.stored {
            Ok(Stored::Tombstone(of)) if of.sequence == sequence => return Ok(Some((place, of))),
            _ => {}
        }
    }
    Ok(None)
}

/// Tells whether the event that a tombstone names is there, and another: then
/// nobody of us left it, and the identity is kept by the event.
async fn contradicts(log: &Stream, of: &Entry) -> Result<bool, RedactError> {
    let placed = shown(log, of.sequence).await?.map(Placed::shown);
    let digest = placed.as_ref().and_then(whole).map(Entry::digest);
    Ok(digest.is_some_and(|digest| digest != of.digest()))
}

/// Returns the event, if the payload is its own.
fn whole(placed: &Placed) -> Option<&Entry> {
    match &placed.stored {
        Ok(Stored::Event(entry)) if entry.verify(&placed.payload).is_ok() => Some(entry),
        _ => None,
    }
}
