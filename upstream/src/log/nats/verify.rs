//! The evidence of the stream: its head, and whether the stream fits it.

mod links;

use async_nats::jetstream::{Message, stream::RawMessageErrorKind};
use hookgate_core::time::Timestamp;

use self::links::Links;
use super::{
    event::Placed,
    evidence::{CutoffRecord, Evidence, EvidenceError, Newest, Recorded},
    message::Stored,
    reader::{NatsReader, ReadError},
    walk::Walk,
};
use crate::{
    evidence::{Audit, Head, Link, Verdict},
    log::{self, VerifyError},
};

/// How many events are verified between two calls of `progress`.
const STRIDE: u64 = 1_000;

impl NatsReader {
    /// Returns the newest links.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(crate) async fn head(&self, now: Timestamp) -> Result<Head, EvidenceError> {
        let evidence = self.evidence().await?;
        let newest = evidence.newest_redaction().await?;
        let redactions = newest.value.map(|newest| Link {
            sequence: newest.redaction.number,
            hash: newest.link,
        });
        Ok(Head {
            log: evidence.log(),
            events: evidence.sealed().await?.value.link,
            redactions: redactions.unwrap_or_else(|| evidence.first_redaction()),
            at: now,
        })
    }

    /// Verifies everything up to the newest event of now; `progress` is told how
    /// many events of how many are done.
    ///
    /// # Errors
    /// [`VerifyError`]. What is damaged is no error: the verdict has it.
    pub(crate) async fn verify(
        &self,
        head: Option<Head>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Verdict, VerifyError> {
        loop {
            // Once more if retention removed what was about to be read.
            if let Some(audit) = self.feed(head, &mut progress).await? {
                return Ok(audit.finish());
            }
        }
    }

    async fn feed(
        &self,
        head: Option<Head>,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Option<Audit>, VerifyError> {
        let evidence = self.evidence().await?;
        let last_place = evidence.last().await?;
        let cutoff = evidence.cutoff().await?;
        // Later than the evidence: what is sealed must be there.
        let info = self.stream.get_info().await;
        let last = info
            .map_err(ReadError::from)
            .map_err(log::ReadError::from)?;
        let last = last.state.last_sequence;

        let record = cutoff.value;
        let audit = Audit::start(evidence.log(), record.map(|it| it.cutoff), head)?;
        let after = record.map_or(0, |record| record.cutoff.link.sequence);
        let mut feed = Feed {
            redactions: evidence.redactions(),
            links: Links::start(&evidence, record, last_place),
            next: after.saturating_add(1),
            reader: self,
            evidence,
            cutoff,
            audit,
        };
        feed.redactions().await?;
        let mut events = self.walk(feed.next);
        let total = last.saturating_sub(after);
        while let Some((sequence, message)) = read(events.next(last).await)? {
            if sequence > last {
                break;
            }
            if sequence > feed.next && !feed.explain_gap().await? {
                return Ok(None);
            }
            feed.message(sequence, &message).await?;
            let done = sequence.saturating_sub(after);
            if done.is_multiple_of(STRIDE) {
                progress(done, total);
            }
        }
        if feed.next <= last && !feed.explain_gap().await? {
            return Ok(None);
        }
        feed.links.up_to(u64::MAX, &mut feed.audit).await?;
        feed.audit.reaches(last);
        // Retention removes checkpoints as well, and they leave no gap of events.
        if feed.audit.is_in_doubt() && feed.is_cut_off().await? {
            return Ok(None);
        }
        progress(total, total);
        Ok(Some(feed.audit))
    }

    async fn evidence(&self) -> Result<Evidence, EvidenceError> {
        Evidence::find(&self.context, &self.stream).await
    }
}

/// Brings the stream before an audit.
struct Feed<'a> {
    reader: &'a NatsReader,
    evidence: Evidence,
    cutoff: Newest<Option<CutoffRecord>>,
    redactions: Walk,
    links: Links,
    audit: Audit,
    /// The first sequence that wasn't brought.
    next: u64,
}

impl Feed<'_> {
    /// Brings the redactions that weren't brought yet.
    async fn redactions(&mut self) -> Result<(), VerifyError> {
        let newest = self.evidence.newest_redaction_place().await?;
        while let Some((place, message)) = read(self.redactions.next(newest).await)? {
            match Recorded::read(place, &message.payload) {
                Ok(Recorded { redaction, link }) => self.audit.redaction(redaction, link),
                Err(_) => self.audit.evidence(place),
            }
        }
        Ok(())
    }

    /// Tells whether retention removed something since the beginning.
    async fn is_cut_off(&self) -> Result<bool, VerifyError> {
        Ok(self.evidence.cutoff().await?.place != self.cutoff.place)
    }

    /// Looks what was done meanwhile to what isn't there. `false`: retention
    /// removed it.
    async fn explain_gap(&mut self) -> Result<bool, VerifyError> {
        if self.is_cut_off().await? {
            return Ok(false);
        }
        self.redactions().await?;
        Ok(true)
    }

    /// Brings one message, after the links of those before it that are gone.
    async fn message(&mut self, sequence: u64, message: &Message) -> Result<(), VerifyError> {
        let before = sequence.saturating_sub(1);
        self.links.up_to(before, &mut self.audit).await?;
        let placed = Placed::of(message);
        let placed = placed.map_err(|error| nats(ReadError::Messages(error)))?;
        self.next = sequence.saturating_add(1);
        match placed.stored {
            Ok(Stored::Event(entry)) => {
                // Its record comes first: it may be going while we look.
                if !self.audit.is_redacted(sequence) || self.is_there(sequence).await? {
                    self.audit.event(sequence, Ok((&entry, &placed.payload)));
                }
            }
            Ok(Stored::Tombstone(of)) => {
                if !self.audit.is_redacted(of.sequence) {
                    self.redactions().await?;
                }
                self.audit.tombstone(sequence, placed.stored_at, &of);
            }
            Err(damage) => self.audit.event(sequence, Err(damage)),
        }
        self.links.up_to(sequence, &mut self.audit).await
    }

    async fn is_there(&self, sequence: u64) -> Result<bool, VerifyError> {
        match self.reader.stream.get_raw_message(sequence).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(false),
            Err(error) => Err(nats(ReadError::Messages(error.into()))),
        }
    }
}

fn read<T>(read: Result<T, async_nats::Error>) -> Result<T, VerifyError> {
    read.map_err(|error| nats(ReadError::Messages(error)))
}

fn nats(error: ReadError) -> VerifyError {
    VerifyError::Read(error.into())
}
