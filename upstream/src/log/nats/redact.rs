//! Removes a payload from the stream, and keeps everything else of its event.
//!
//! In this order, so that whatever is killed in between, the next one to look
//! can go on: the record in the evidence; the tombstone, while which is there
//! the stream takes no event of this identity; the message itself, which the
//! server overwrites.

mod unreadable;

use async_nats::{
    header,
    jetstream::{
        message::StreamMessage,
        stream::{RawMessageErrorKind, Stream},
    },
};
use bytes::Bytes;

use hookgate_core::identity::Source;

use super::{
    Servers,
    event::Placed,
    evidence::{Evidence, EvidenceError, Recorded},
    message::{self, Stored},
    reader::{NatsReader, ReadError},
    stream,
};
use crate::{
    evidence::{Chain, Link, Redaction},
    log::{
        self, Entry, RedactError, RedactRequest, RedactTarget, Redacted, Sha256Sum, redact::one,
    },
};

/// How often a redaction gives way to others at the same time.
const TRIES: u32 = 10;

/// Removes one payload.
///
/// # Errors
/// [`RedactError`].
pub(crate) async fn redact(
    server: &Servers,
    request: &RedactRequest<'_>,
) -> Result<Redacted, RedactError> {
    let reader = NatsReader::open(server)
        .await
        .map_err(log::ReadError::from)?;
    let log = &reader.stream;
    if log.cached_info().config.deny_delete {
        return Err(RedactError::Denied {
            stream: stream::NAME,
        });
    }
    let evidence = Evidence::find(&reader.context, log).await?;
    for _ in 0..TRIES {
        // One after the other: of all redactions only the newest is unfinished.
        let finished = finish_newest(log, &evidence, 0).await?;
        let found = match request.target {
            RedactTarget::Event { id, source } => find(&reader, &evidence, id, source).await?,
            RedactTarget::Sequence(sequence) => {
                unreadable::find(&reader, &evidence, sequence).await?
            }
        };
        let found = match found {
            Found::Redacted(redaction) => return Ok(Redacted::Before(redaction)),
            Found::Here(found) => found,
        };
        match record(&evidence, finished, found, request).await {
            Ok(recorded) => {
                finish(log, &evidence, &recorded.redaction).await?;
                return Ok(Redacted::Now(recorded.redaction));
            }
            Err(EvidenceError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(EvidenceError::Conflict.into())
}

/// Holds what is to be removed, as its record names it.
struct Removal {
    sequence: u64,
    source: Source,
    id: String,
    digest: Sha256Sum,
    sha256: Sha256Sum,
}

enum Found {
    /// It is still there.
    Here(Removal),
    /// It was removed before.
    Redacted(Redaction),
}

/// Finishes the newest redaction, unless it is the one at the place `finished`;
/// returns its place.
///
/// # Errors
/// [`RedactError`].
pub(super) async fn finish_newest(
    log: &Stream,
    evidence: &Evidence,
    finished: u64,
) -> Result<u64, RedactError> {
    let newest = evidence.newest_redaction().await?;
    if let Some(recorded) = newest.value.filter(|_| newest.place != finished) {
        finish(log, evidence, &recorded.redaction).await?;
    }
    Ok(newest.place)
}

async fn find(
    reader: &NatsReader,
    evidence: &Evidence,
    id: &str,
    source: Option<&Source>,
) -> Result<Found, RedactError> {
    let found = reader.event(id, source).await?;
    let (entry, payload) = one(found, |(entry, _)| entry, id)?;
    let sequence = entry.sequence;
    if entry.redacted {
        let recorded = evidence.redaction_of(sequence).await?;
        let recorded = recorded.filter(|it| it.redaction.digest == entry.digest());
        let recorded = recorded.ok_or(RedactError::Unrecorded { sequence })?;
        return Ok(Found::Redacted(recorded.redaction));
    }
    entry.verify(&payload)?;
    Ok(Found::Here(Removal {
        sequence,
        digest: entry.digest(),
        source: entry.attributes.source,
        id: entry.attributes.id,
        sha256: entry.attributes.sha256,
    }))
}

/// Records a redaction after the one at the place `finished`.
///
/// # Errors
/// [`EvidenceError::Conflict`] if another came meanwhile: it may be unfinished.
async fn record(
    evidence: &Evidence,
    finished: u64,
    found: Removal,
    request: &RedactRequest<'_>,
) -> Result<Recorded, EvidenceError> {
    let newest = evidence.newest_redaction().await?;
    if newest.place != finished {
        return Err(EvidenceError::Conflict);
    }
    let before = newest.value.map(|newest| Link {
        sequence: newest.redaction.number,
        hash: newest.link,
    });
    let before = before.unwrap_or_else(|| evidence.first_redaction());
    let redaction = Redaction {
        number: before.sequence.saturating_add(1),
        sequence: found.sequence,
        source: found.source,
        id: found.id,
        digest: found.digest,
        sha256: found.sha256,
        reason: request.reason.to_owned(),
        by: request.by.map(str::to_owned),
        at: request.at,
        after: evidence.sealed().await?.value.link,
    };
    let link = Chain::resume(before).extend(&redaction.digest_of_record());
    let recorded = Recorded {
        redaction,
        link: link.hash,
    };
    evidence.record(finished, &recorded).await?;
    Ok(recorded)
}

/// Leaves the tombstone and removes the message, as far as that isn't done.
async fn finish(
    log: &Stream,
    evidence: &Evidence,
    redaction: &Redaction,
) -> Result<(), RedactError> {
    let sequence = redaction.sequence;
    let Some(message) = shown(log, sequence).await? else {
        return Ok(());
    };
    let placed = Placed::shown(message);
    // A stream that lost its end gives the sequence to another event.
    match &placed.stored {
        Ok(Stored::Event(entry)) if entry.digest() == redaction.digest => {
            bury(log, evidence, entry).await?;
        }
        _ if unreadable::digest(&placed) == redaction.digest
            && unreadable::may_go(log, &placed).await? => {}
        _ => return Ok(()),
    }
    let Err(refused) = log.delete_message(sequence).await else {
        return Ok(());
    };
    // The code for what is gone already is the one for what may not go.
    if shown(log, sequence).await?.is_none() {
        return Ok(());
    }
    Err(RedactError::Remove(refused.into()))
}

/// Returns the message at a sequence; `None` if it is gone.
async fn shown(log: &Stream, sequence: u64) -> Result<Option<StreamMessage>, RedactError> {
    match log.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(RedactError::Remove(error.into())),
    }
}

/// Leaves the tombstone of an event.
async fn bury(log: &Stream, evidence: &Evidence, entry: &Entry) -> Result<(), RedactError> {
    let attributes = &entry.attributes;
    let subject = message::tombstone_subject(attributes.source.as_str(), &attributes.id);
    let mut headers = message::tombstone_headers(entry);
    headers.insert(header::NATS_EXPECTED_STREAM, stream::NAME);
    let published = evidence
        .context()
        .publish_with_headers(subject.clone(), headers, Bytes::new());
    let Err(refused) = async { published.await?.await }.await else {
        return Ok(());
    };
    // Whoever else finishes this may have been faster.
    match log.get_last_raw_message_by_subject(&subject).await {
        Ok(_) => Ok(()),
        Err(_) => Err(RedactError::Remove(refused.into())),
    }
}

impl From<ReadError> for RedactError {
    fn from(error: ReadError) -> Self {
        Self::Read(error.into())
    }
}
