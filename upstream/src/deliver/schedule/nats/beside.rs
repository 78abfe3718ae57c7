//! The schedule as commands see it: read beside the servers that deliver.

use std::collections::{BTreeSet, HashMap, HashSet};

use async_nats::{
    HeaderMap,
    jetstream::{consumer::PullConsumer, context::Context, stream::Stream},
};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::try_join;

use super::{
    place,
    position::Position,
    records,
    rules::Rules,
    streams::{self, OpenError},
};
use crate::{
    deliver::schedule::{Parked, ReadError},
    evidence::Link,
    log::{
        Entry,
        nats::{self, NatsReader, Walk},
        reader,
    },
    review::{Ledger, PastAttempt},
};

/// Events that are looked up at once.
pub(super) const AT_ONCE: usize = 32;

/// Reads what servers keep beside the log.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(super) context: Context,
    pub(super) log: Stream,
    pub(super) retry: Stream,
    pub(super) review: Stream,
    pub(super) attempts: Stream,
}

/// Is one stay of an event in review.
#[derive(Debug, Clone)]
pub(crate) struct Parking {
    /// Its number, by which decisions name it.
    pub(crate) number: u64,
    /// What is known; the event is looked up on its own.
    pub(crate) parked: Parked,
}

/// Says where a destination is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// It was given everything up to here that is for it.
    pub(crate) position: u64,
    /// All of that is settled up to here.
    pub(crate) settled: u64,
    /// What of it is tried again, or is about to be.
    pub(crate) again: HashSet<u64>,
}

pub(super) fn refused(error: impl Into<async_nats::Error>) -> ReadError {
    ReadError::Nats(error.into())
}

impl Beside {
    /// Finds it; `None` if nothing was ever delivered from this log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn find(reader: &NatsReader) -> Result<Option<Self>, ReadError> {
        let context = reader.context();
        let (retry, review, attempts) = try_join!(
            streams::find(context, streams::RETRY),
            streams::find(context, streams::REVIEW),
            streams::find(context, streams::ATTEMPTS),
        )?;
        let (Some(retry), Some(review), Some(attempts)) = (retry, review, attempts) else {
            return Ok(None);
        };
        Ok(Some(Self {
            context: context.clone(),
            log: reader.stream().clone(),
            retry,
            review,
            attempts,
        }))
    }

    /// Returns what people go by; `None` if no server has kept it yet.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn rules(&self) -> Result<Option<Rules>, ReadError> {
        Rules::read(&self.review).await.map_err(ReadError::Nats)
    }

    /// Returns the link up to which the trail is carried out; `None` before the
    /// first record is.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn carried(&self) -> Result<Option<Link>, ReadError> {
        let position = Position::read(&self.retry, records::CARRIED).await;
        Ok(position.map_err(ReadError::Nats)?.link)
    }

    /// Returns the stays in review that nobody has ended, by event and then by
    /// destination.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn parkings(
        &self,
        destination: Option<&str>,
    ) -> Result<Vec<Parking>, ReadError> {
        // In this order: what was carried out is not there any more.
        let carried = self.carried().await?.map_or(0, |link| link.sequence);
        let all = self.every_parking(destination).await?;
        let ended = self.ended_after(carried).await?;
        let mut open: Vec<Parking> = all
            .into_iter()
            .filter(|parking| !ended.contains(&parking.number))
            .collect();
        open.sort_by(|a, b| {
            let place = |it: &Parking| (it.parked.sequence, it.parked.destination.clone());
            place(a).cmp(&place(b))
        });
        Ok(open)
    }

    async fn every_parking(&self, destination: Option<&str>) -> Result<Vec<Parking>, ReadError> {
        let info = self.review.get_info().await.map_err(refused)?;
        let last = info.state.last_sequence;
        let subjects = format!("{}.{}.*", records::REVIEW, destination.unwrap_or("*"));
        let mut walk = self.walk(&self.review, &subjects);
        let mut found = HashMap::new();
        while let Some((number, message)) = walk.next(last).await.map_err(ReadError::Nats)? {
            let headers = message.headers.clone().unwrap_or_default();
            let Some((destination, sequence)) = records::place(&message.subject) else {
                continue;
            };
            let parked = records::read_parked(destination, sequence, &headers);
            // Parked again while we read: the later one is the one there is.
            found.insert(message.subject.to_string(), Parking { number, parked });
            if number >= last {
                break;
            }
        }
        Ok(found.into_values().collect())
    }

    /// Returns the stays that records after a number have ended.
    async fn ended_after(&self, carried: u64) -> Result<HashSet<u64>, ReadError> {
        let Some(ledger) = Ledger::find(&self.context).await.map_err(OpenError::from)? else {
            return Ok(HashSet::new());
        };
        let last = ledger.last().await.map_err(OpenError::from)?;
        let from = carried.saturating_add(1);
        let rows = ledger.read(from, last).await.map_err(OpenError::from)?;
        let records = rows.into_iter().filter_map(|row| row.written);
        Ok(records
            .filter(|(record, _)| record.is_final())
            .filter_map(|(record, _)| record.parking)
            .collect())
    }

    /// Returns an event; `None` if the log doesn't have it as it was appended.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn event(&self, sequence: u64) -> Result<Option<(Entry, Bytes)>, ReadError> {
        match streams::event(&self.log, sequence).await {
            Ok(found) => Ok(found),
            // Which may be why it is parked.
            Err(reader::ReadError::Damage(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns every attempt to deliver an event, the first one first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn attempts(
        &self,
        destination: &str,
        sequence: u64,
    ) -> Result<Vec<PastAttempt>, ReadError> {
        let subject = records::subject(records::ATTEMPT, destination, sequence);
        let mut attempts = Vec::new();
        self.each_attempt(&subject, |_, headers| {
            attempts.extend(records::read_attempt(headers));
        })
        .await?;
        Ok(attempts)
    }

    /// Returns what a destination confirmed, in the order of the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn delivered(&self, destination: &str) -> Result<BTreeSet<u64>, ReadError> {
        let subjects = format!("{}.{destination}.*", records::ATTEMPT);
        let mut delivered = BTreeSet::new();
        self.each_attempt(&subjects, |subject, headers| {
            if records::is_delivered(headers) {
                delivered.extend(records::place(subject).map(|(_, sequence)| sequence));
            }
        })
        .await?;
        Ok(delivered)
    }

    async fn each_attempt(
        &self,
        subjects: &str,
        mut each: impl FnMut(&str, &HeaderMap),
    ) -> Result<(), ReadError> {
        let info = self.attempts.get_info().await.map_err(refused)?;
        let last = info.state.last_sequence;
        let mut walk = self.walk(&self.attempts, subjects);
        while let Some((place, message)) = walk.next(last).await.map_err(ReadError::Nats)? {
            if let Some(headers) = &message.headers {
                each(&message.subject, headers);
            }
            if place >= last {
                break;
            }
        }
        Ok(())
    }

    /// Tells whether a destination confirmed an event with the last attempt.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn is_delivered(
        &self,
        destination: &str,
        sequence: u64,
    ) -> Result<bool, ReadError> {
        let subject = records::subject(records::ATTEMPT, destination, sequence);
        let last = nats::newest(&self.attempts, &subject).await;
        let last = last.map_err(ReadError::Nats)?;
        Ok(last.is_some_and(|last| records::is_delivered(&last.headers)))
    }

    /// Says where a destination is.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn reached(&self, destination: &str) -> Result<Reached, ReadError> {
        // First: what comes after it may or may not have been given out.
        let last = self
            .log
            .get_info()
            .await
            .map_err(refused)?
            .state
            .last_sequence;
        let name = place::consumer_name(destination);
        let consumer: Result<PullConsumer, _> = self.log.get_consumer(&name).await;
        let Ok(mut consumer) = consumer else {
            return Ok(Reached::default());
        };
        let info = consumer.info().await.map_err(refused)?;
        let mut position = info.delivered.stream_sequence;
        if info.num_pending == 0 {
            position = position.max(last);
        }
        let settled = if info.num_ack_pending == 0 {
            position
        } else {
            info.ack_floor.stream_sequence
        };
        let mut again = HashSet::new();
        for prefix in [records::SCHEDULED, records::RETRY] {
            let subjects = format!("{prefix}.{destination}.*");
            let found = self.retry.info_with_subjects(subjects).await;
            let mut found = found.map_err(refused)?;
            while let Some((subject, _)) = found.try_next().await.map_err(refused)? {
                again.extend(records::place(&subject).map(|(_, sequence)| sequence));
            }
        }
        Ok(Reached {
            position,
            settled,
            again,
        })
    }

    fn walk(&self, stream: &Stream, subjects: &str) -> Walk {
        let largest = self.context.client().server_info().max_payload;
        Walk::start(stream, 1, largest).of(subjects).headers_only()
    }
}
