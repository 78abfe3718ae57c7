//! Carries out what people decided: the records of the audit trail, in their
//! order, from where that was left.
//!
//! What a record leads to is written together with the place in the trail, under
//! the condition that this is where it was. So each record makes its job once,
//! whichever of several upstreams carries it out and whatever is killed.

use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::jetstream::{
    context::Context,
    message::StreamMessage,
    stream::{DeleteMessageError, Stream},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    position::Position,
    records::{self, Retried},
    streams::{self, Streams},
};
use crate::{
    clock,
    evidence::{Link, LogId},
    log::nats::{self, AtomicError, MOST_AT_ONCE, Outgoing, publish_whole},
    review::{Action, Ledger, LedgerError, Record, TrailError, written},
};

/// Records that are carried out at once, with room for the place.
const CHUNK: u64 = MOST_AT_ONCE as u64 / 2;

/// Requests to the server that are under way at once.
const AT_ONCE: usize = 32;

/// Says why decisions wait.
#[derive(Debug, thiserror::Error)]
pub(super) enum CarryError {
    /// The trail can't be read, or trusted.
    #[error("can't carry out decisions: {0}")]
    Ledger(#[from] LedgerError),
    /// The server doesn't show what is needed.
    #[error("can't carry out decisions: {0}")]
    Read(#[source] async_nats::Error),
    /// The server takes nothing.
    #[error("can't carry out decisions: {0}")]
    Write(#[from] AtomicError),
    /// The server removes nothing.
    #[error("can't carry out decisions: {0}")]
    Remove(#[from] DeleteMessageError),
}

impl From<TrailError> for CarryError {
    fn from(error: TrailError) -> Self {
        Self::Ledger(error.into())
    }
}

/// Carries out decisions.
#[derive(Debug)]
pub(super) struct Carrier {
    context: Context,
    ledger: Ledger,
    retry: Stream,
    review: Stream,
    attempts: Stream,
    log: LogId,
    /// The newest record that is known to be carried out.
    known: AtomicU64,
}

impl Carrier {
    /// Begins, for the log of that name.
    pub(super) fn new(context: &Context, streams: &Streams, log: LogId) -> Self {
        Self {
            context: context.clone(),
            ledger: streams.ledger.clone(),
            retry: streams.retry.clone(),
            review: streams.review.clone(),
            attempts: streams.attempts.clone(),
            log,
            known: AtomicU64::new(0),
        }
    }

    /// Carries out what isn't yet.
    ///
    /// # Errors
    /// [`CarryError`].
    pub(super) async fn carry_out(&self) -> Result<(), CarryError> {
        loop {
            let last = self.ledger.last().await?;
            if last == self.known.load(Ordering::Relaxed) {
                return Ok(());
            }
            let position = Position::read(&self.retry, records::CARRIED).await;
            let position = position.map_err(CarryError::Read)?;
            let carried = position.number();
            if last == carried {
                self.known.store(last, Ordering::Relaxed);
                return Ok(());
            }
            let decided = self.decided(&position, last).await?;
            match self.carry(&position, &decided).await {
                // Another upstream was faster: what it left is looked at anew.
                Err(CarryError::Write(AtomicError::Conflict)) => {}
                carried => carried?,
            }
        }
    }

    /// Reads what comes next, and checks that it comes after what was carried out.
    async fn decided(
        &self,
        position: &Position,
        last: u64,
    ) -> Result<Vec<(Record, Link)>, CarryError> {
        let carried = position.number();
        if last < carried {
            let found = last;
            return Err(TrailError::CutShort { carried, found }.into());
        }
        let to = last.min(carried.saturating_add(CHUNK));
        let mut rows = self.ledger.read(carried.max(1), to).await?.into_iter();
        if let Some(link) = position.link {
            let (_, found) = written(carried, rows.next())?;
            if found != link {
                return Err(TrailError::Parted(link).into());
            }
        }
        let mut decided = Vec::new();
        for number in carried.saturating_add(1)..=to {
            decided.push(written(number, rows.next())?);
        }
        Ok(decided)
    }

    async fn carry(
        &self,
        position: &Position,
        decided: &[(Record, Link)],
    ) -> Result<(), CarryError> {
        let Some((_, link)) = decided.last() else {
            return Ok(());
        };
        // Of another log, sequences mean other events.
        let ours = decided.iter().map(|(record, _)| record);
        let ours: Vec<&Record> = ours.filter(|it| it.log == self.log).collect();
        self.park(&ours, *link).await?;
        self.unpark(&ours).await?;
        let mut jobs = Vec::new();
        for record in ours {
            if let (Action::Released, Some(target)) = (record.action, &record.target) {
                jobs.push(self.job(record, target));
            }
        }
        let jobs = stream::iter(jobs).buffered(AT_ONCE);
        let mut messages: Vec<Outgoing> = jobs.try_collect().await?;
        messages.push(position.next(records::CARRIED, *link));
        Ok(publish_whole(&self.context, streams::RETRY, messages).await?)
    }

    /// Parks what somebody asked for and somebody else has to approve.
    async fn park(&self, decided: &[&Record], link: Link) -> Result<(), CarryError> {
        let mut requests = decided.to_vec();
        requests.retain(|it| it.action == Action::Approved && it.parking.is_none());
        if requests.is_empty() {
            return Ok(());
        }
        let position = Position::read(&self.review, records::REQUESTED).await;
        let position = position.map_err(CarryError::Read)?;
        requests.retain(|it| it.number > position.number());
        let mut messages = Vec::new();
        for record in requests {
            let (destination, sequence) = (&record.destination, record.sequence);
            let last = self.last_attempt(destination, sequence).await?;
            let last = last.map(|message| message.headers);
            messages.push(outgoing(records::requested(
                destination,
                sequence,
                record.at,
                last.as_ref(),
            )));
        }
        if messages.is_empty() {
            return Ok(());
        }
        messages.push(position.next(records::REQUESTED, link));
        Ok(publish_whole(&self.context, streams::REVIEW, messages).await?)
    }

    /// Removes what waits for nobody any more: that very stay in review.
    async fn unpark(&self, decided: &[&Record]) -> Result<(), CarryError> {
        let mut removals = Vec::new();
        for record in decided {
            if let Some(place) = record.parking.filter(|_| record.is_final()) {
                removals.push(streams::forget(&self.context, streams::REVIEW, place));
            }
        }
        let removals = stream::iter(removals).buffered(AT_ONCE);
        Ok(removals.try_collect().await?)
    }

    /// Makes what a record let go due.
    async fn job(&self, record: &Record, target: &str) -> Result<Outgoing, CarryError> {
        let last = self.last_attempt(target, record.sequence).await?;
        let made = last.and_then(|message| records::attempts(&message.headers));
        let made = made.unwrap_or_default();
        let retried = Retried {
            sequence: record.sequence,
            attempts: made,
            spent: made,
            first_at: clock::now(),
            decision: Some(record.number),
        };
        Ok(outgoing(records::due(target, &retried)))
    }

    async fn last_attempt(
        &self,
        destination: &str,
        sequence: u64,
    ) -> Result<Option<StreamMessage>, CarryError> {
        let subject = records::subject(records::ATTEMPT, destination, sequence);
        let newest = nats::newest(&self.attempts, &subject).await;
        newest.map_err(CarryError::Read)
    }
}

fn outgoing((subject, headers): (String, async_nats::HeaderMap)) -> Outgoing {
    Outgoing {
        subject,
        headers,
        payload: Bytes::new(),
    }
}
