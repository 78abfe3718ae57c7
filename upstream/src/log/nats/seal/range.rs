//! The next range to be sealed, event by event.

use async_nats::jetstream::{Message, stream::Stream};

use super::SealError;
use crate::{
    evidence::{self, Link},
    log::{
        Sha256Sum,
        nats::{
            event::Placed,
            evidence::{Checkpoint, Evidence},
            message::Stored,
            reader::{NatsReader, ReadError},
            walk::Walk,
        },
    },
};

/// Most events of one checkpoint: 32 bytes for each.
const MAX_EVENTS: usize = 1_000;

/// Most bytes of payload of one checkpoint, but for its last event.
const MAX_BYTES: usize = 8 * 1_024 * 1_024;

/// Reads ranges of the stream, one after the other.
pub(super) struct Ranges {
    stream: Stream,
    largest: usize,
    walk: Option<Walk>,
}

impl std::fmt::Debug for Ranges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ranges").finish_non_exhaustive()
    }
}

impl Ranges {
    /// Begins anywhere.
    pub(super) fn new(reader: &NatsReader) -> Self {
        Self {
            stream: reader.stream.clone(),
            largest: reader.context.client().server_info().max_payload,
            walk: None,
        }
    }

    /// Reads what comes after a link, up to `last`; at least one event.
    ///
    /// # Errors
    /// [`SealError`] if already the first event isn't what was appended.
    pub(super) async fn read(
        &mut self,
        evidence: &Evidence,
        after: Link,
        last: u64,
        by: &str,
    ) -> Result<Checkpoint, SealError> {
        let next = after.sequence.saturating_add(1);
        let kept = self.walk.take().filter(|walk| walk.position() == next);
        let mut walk = kept.unwrap_or_else(|| Walk::start(&self.stream, next, self.largest));
        let mut range = Range {
            evidence,
            checkpoint: Checkpoint::after(after, evidence.log(), by),
            bytes: 0,
        };
        let read = range.read(&mut walk, last).await;
        match read {
            // What comes before the fault is well.
            Err(_) if range.checkpoint.len() > 0 => {}
            read => {
                read?;
                self.walk = Some(walk);
            }
        }
        Ok(range.checkpoint)
    }
}

struct Range<'a> {
    evidence: &'a Evidence,
    checkpoint: Checkpoint,
    bytes: usize,
}

impl Range<'_> {
    async fn read(&mut self, walk: &mut Walk, last: u64) -> Result<(), SealError> {
        while self.next() <= last && self.checkpoint.len() < MAX_EVENTS && self.bytes < MAX_BYTES {
            let message = walk.next(last).await.map_err(ReadError::Messages)?;
            let end = message.as_ref().map_or(last.saturating_add(1), |it| it.0);
            while self.next() < end {
                self.gap().await?;
            }
            if let Some((_, message)) = message {
                self.message(&message).await?;
            }
        }
        Ok(())
    }

    fn next(&self) -> u64 {
        self.checkpoint.last().sequence.saturating_add(1)
    }

    /// Adds an event that isn't there any more, by the record of its redaction.
    async fn gap(&mut self) -> Result<(), SealError> {
        let sequence = self.next();
        let redacted = self.evidence.redaction_of(sequence).await?;
        let redaction = redacted.ok_or(SealError::Missing { sequence })?.redaction;
        self.add(&redaction.digest, true);
        let stored_at = &mut self.checkpoint.stored_at;
        *stored_at = redaction.at.max(*stored_at);
        Ok(())
    }

    async fn message(&mut self, message: &Message) -> Result<(), SealError> {
        let placed = Placed::of(message).map_err(ReadError::Messages)?;
        let (sequence, stored_at) = (placed.sequence, placed.stored_at);
        let (digest, is_event) = match placed.stored? {
            Stored::Event(entry) => {
                entry.verify(&placed.payload)?;
                (entry.digest(), true)
            }
            Stored::Tombstone(of) => {
                let digest = of.digest();
                let redacted = self.evidence.redaction_of(of.sequence).await?;
                if redacted.is_none_or(|it| it.redaction.digest != digest) {
                    return Err(SealError::Tombstone { sequence });
                }
                let tombstone = evidence::tombstone(sequence, stored_at, of.sequence, &digest);
                (tombstone, false)
            }
        };
        self.add(&digest, is_event);
        // A server's clock may be set back.
        self.checkpoint.stored_at = stored_at.max(self.checkpoint.stored_at);
        self.bytes = self.bytes.saturating_add(placed.payload.len());
        Ok(())
    }

    fn add(&mut self, digest: &Sha256Sum, is_event: bool) {
        self.checkpoint.extend(digest);
        let more = u64::from(is_event);
        self.checkpoint.events = self.checkpoint.events.saturating_add(more);
    }
}
