//! The audit trail as a JetStream stream.
//!
//! A record's number is its place in the stream, which nobody can remove anything
//! from. What is appended goes in whole or not at all, and names the number after
//! which it comes: of several people who decide at the same moment the server
//! takes one, and the others look again at what they decide about.

mod message;
mod settings;

use async_nats::{
    header,
    jetstream::{
        context::{Context, CreateStreamError, GetStreamError},
        stream::{InfoError, RawMessageErrorKind, Stream},
    },
};

pub(crate) use self::settings::NAME;
use super::audit::{Record, Row, TrailError};
use crate::{
    evidence::Link,
    log::nats::{self, AtomicError, Walk, publish_whole},
};

/// Says why the trail can't be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The server doesn't show the stream.
    #[error("the NATS server does not show the stream `{NAME}`: {0}")]
    Get(#[from] GetStreamError),
    /// The server doesn't make the stream.
    #[error(
        "the NATS server does not make the stream `{NAME}` for the audit trail: {0}. Messages that are stored together need nats-server 2.12 or later"
    )]
    Create(#[from] CreateStreamError),
    /// The server doesn't say how the stream is.
    #[error("the NATS server does not answer for the stream `{NAME}`: {0}")]
    Info(#[from] InfoError),
    /// The server doesn't show messages.
    #[error("can't read the stream `{NAME}`: {0}")]
    Read(#[source] async_nats::Error),
    /// The server doesn't take records.
    #[error(
        "can't write to the stream `{NAME}`: {0}. If it was taken all the same, asking again under the same --batch says so"
    )]
    Write(#[source] AtomicError),
    /// The stream lets somebody remove records.
    #[error(
        "the audit trail is damaged: what keeps its records from being changed was removed. The stream `{NAME}` has to deny deletes and purges, discard what is new, take messages together and have no limits: mend it with `nats stream edit {NAME}`"
    )]
    Unguarded,
    /// Somebody else decided first.
    #[error("somebody else decided first, again and again: try again")]
    Conflict,
    /// The trail isn't what was written.
    #[error(transparent)]
    Trail(#[from] TrailError),
}

/// Reads and extends the trail.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    context: Context,
    stream: Stream,
}

impl Ledger {
    /// Finds the trail, or begins it with so many copies.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) async fn ensure(context: &Context, copies: usize) -> Result<Self, LedgerError> {
        let stream = settings::ensure(context, copies).await?;
        let context = context.clone();
        Ok(Self { context, stream })
    }

    /// Finds the trail, and makes none.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) async fn find(context: &Context) -> Result<Option<Self>, LedgerError> {
        let stream = settings::find(context).await?;
        Ok(stream.map(|stream| Self {
            context: context.clone(),
            stream,
        }))
    }

    /// Returns the stream.
    pub(crate) const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Returns the number of the newest record; 0 if there is none.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) async fn last(&self) -> Result<u64, LedgerError> {
        Ok(self.stream.get_info().await?.state.last_sequence)
    }

    /// Returns what is stored from a number on, up to a number that the stream has.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) async fn read(&self, from: u64, to: u64) -> Result<Vec<Row>, LedgerError> {
        self.collect(self.walk(from), from, to).await
    }

    /// Returns the records about an event at any destination, up to a number that
    /// the stream has.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) async fn about(
        &self,
        sequence: u64,
        to: u64,
    ) -> Result<Vec<(Record, Link)>, LedgerError> {
        let walk = self.walk(1).of(&message::subjects(sequence));
        let rows = self.collect(walk, 1, to).await?;
        let records = rows.into_iter().map(|row| written(row.number, Some(row)));
        records.collect()
    }

    /// Tells whether a record after a number ends that very stay in review.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) async fn has_ended(
        &self,
        destination: &str,
        sequence: u64,
        parking: u64,
        after: u64,
    ) -> Result<bool, LedgerError> {
        let subject = message::subject_at(destination, sequence);
        let newest = nats::newest(&self.stream, &subject).await;
        let Some(newest) = newest.map_err(LedgerError::Read)? else {
            return Ok(false);
        };
        let number = newest.sequence;
        if number <= after {
            return Ok(false);
        }
        let ends = |record: &Record| record.is_final() && record.parking == Some(parking);
        let row = message::read(number, &newest.subject, &newest.payload);
        let (record, _) = written(number, Some(row))?;
        // Somebody may have looked at it since.
        Ok(ends(&record)
            || (!record.is_final()
                && (self.about(sequence, number).await?.iter()).any(|(it, _)| ends(it))))
    }

    fn walk(&self, from: u64) -> Walk {
        let largest = self.context.client().server_info().max_payload;
        Walk::start(&self.stream, from, largest)
    }

    async fn collect(&self, mut walk: Walk, from: u64, to: u64) -> Result<Vec<Row>, LedgerError> {
        let mut rows = Vec::new();
        let mut next = from;
        while next <= to {
            let message = walk.next(to).await.map_err(LedgerError::Read)?;
            let Some((place, message)) = message.filter(|(place, _)| *place <= to) else {
                break;
            };
            rows.push(message::read(place, &message.subject, &message.payload));
            next = place.saturating_add(1);
        }
        Ok(rows)
    }

    /// Returns a record with its link.
    ///
    /// # Errors
    /// [`LedgerError::Trail`] if it isn't there, or none.
    pub(crate) async fn at(&self, number: u64) -> Result<(Record, Link), LedgerError> {
        let found = match self.stream.get_raw_message(number).await {
            Ok(message) => Some(message::read(number, &message.subject, &message.payload)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => None,
            Err(error) => return Err(LedgerError::Read(error.into())),
        };
        written(number, found)
    }

    /// Adds records, at most [`MOST_AT_ONCE`](crate::log::nats::MOST_AT_ONCE),
    /// all or none, as those that come after a number.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] if others do, [`LedgerError::Write`].
    pub(crate) async fn append(
        &self,
        after: u64,
        records: &[(Record, Link)],
    ) -> Result<(), LedgerError> {
        let mut messages: Vec<_> = records
            .iter()
            .map(|(record, link)| message::write(record, *link))
            .collect();
        if let Some(first) = messages.first_mut() {
            let expected = after.to_string();
            (first.headers).insert(header::NATS_EXPECTED_LAST_SEQUENCE, expected);
        }
        match publish_whole(&self.context, NAME, messages).await {
            Ok(()) => Ok(()),
            Err(AtomicError::Conflict) => Err(LedgerError::Conflict),
            Err(error) => Err(LedgerError::Write(error)),
        }
    }
}

/// Returns the record of a number.
///
/// # Errors
/// [`TrailError`].
pub(crate) fn written(number: u64, row: Option<Row>) -> Result<(Record, Link), LedgerError> {
    let row = row.filter(|row| row.number == number);
    let row = row.ok_or(TrailError::Missing { number })?;
    let (record, hash) = row.written.ok_or(TrailError::Changed { number })?;
    let sequence = number;
    Ok((record, Link { sequence, hash }))
}
