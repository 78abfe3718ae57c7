//! Decisions beside a JetStream log: records of the [`Ledger`], which the servers
//! that deliver carry out.
//!
//! A decision is looked up, judged, and appended as what comes after the trail's
//! newest record of that moment. If somebody else decided meanwhile the server
//! refuses it, and all of it is looked up and judged anew.

mod facts;
mod failures;
mod hearing;
mod known;
mod life;
mod seen;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hookgate_core::identity::Source;
use tokio::{join, time::sleep};

pub(in crate::review::desk) use self::failures::Recent;
use self::{facts::Facts, hearing::Hearing, known::Known};
use super::{CHUNK, Decision, Request, ReviewError, Run, is_one_of};
use crate::{
    deliver::{
        message::webhook_id,
        schedule::{
            self,
            nats::{Beside, Parking, Rules},
        },
    },
    evidence::{Link, LogId},
    log::{
        self, Attributes, Entry,
        nats::{self, NatsReader, Servers},
    },
    review::{
        audit::{Action, Record, Trail, TrailError},
        case::Case,
        ledger::{Ledger, LedgerError},
        outcome::{Item, Outcome},
        selection::Selection,
    },
};

/// Events that are looked up at once.
const AT_ONCE: usize = 32;

/// How often others may decide first: each time somebody was done.
const TRIES: u32 = 100;

/// Longest wait before it is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Decides about what is parked beside a stream.
#[derive(Debug)]
pub(crate) struct StreamDesk {
    reader: NatsReader,
    beside: Beside,
    ledger: Ledger,
    id: LogId,
}

/// Holds what a decision goes by.
struct Bench {
    /// The trail's newest record.
    last: u64,
    facts: Facts,
    known: Known,
}

impl StreamDesk {
    /// See [`super::Desk::open`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) async fn open(server: &Servers) -> Result<Self, ReviewError> {
        let reader = NatsReader::open(server).await;
        Self::beside(reader.map_err(log::ReadError::from)?).await
    }

    /// See [`super::Desk::kept`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) async fn kept(connection: &nats::Kept) -> Result<Self, ReviewError> {
        let reader = NatsReader::kept(connection).await;
        Self::beside(reader.map_err(log::ReadError::from)?).await
    }

    async fn beside(reader: NatsReader) -> Result<Self, ReviewError> {
        let context = reader.context();
        // At once: each waits for answers of the server.
        let (beside, ledger, id) = join!(
            Beside::find(&reader),
            Ledger::find(context),
            nats::id(context, reader.stream()),
        );
        let (Some(beside), Some(ledger)) = (beside?, ledger?) else {
            return Err(ReviewError::NotServed);
        };
        let id = id?;
        let desk = Self {
            reader,
            beside,
            ledger,
            id,
        };
        if desk.rules().await?.log != id {
            return Err(ReviewError::OtherLog);
        }
        Ok(desk)
    }

    async fn rules(&self) -> Result<Rules, ReviewError> {
        let rules = self.beside.rules().await?;
        rules.ok_or(ReviewError::NotServed)
    }

    /// See [`super::Desk::chosen`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) async fn chosen(&self, selection: &Selection) -> Result<Vec<Item>, ReviewError> {
        let destination = selection.destination.as_deref();
        let wanted = |parked: &schedule::Parked| selection.chooses_parked(parked);
        let most = std::num::NonZeroUsize::MAX;
        let parked = self.beside.parked(destination, most, wanted).await?;
        let mut items: Vec<Item> = parked.iter().map(Item::from).collect();
        for id in &selection.ids {
            if items.iter().any(|item| item.is_of(id)) {
                continue;
            }
            let found = items.len();
            for (event, _) in self.reader.event(id, selection.source.as_ref()).await? {
                items.extend(self.decided(&event, selection).await?);
            }
            if items.len() == found {
                return Err(ReviewError::NotParked { id: id.clone() });
            }
        }
        Ok(items)
    }

    /// Returns where something was decided about an event.
    async fn decided(
        &self,
        event: &Entry,
        selection: &Selection,
    ) -> Result<Vec<Item>, ReviewError> {
        let last = self.ledger.last().await?;
        let mut items: Vec<Item> = Vec::new();
        for (record, _) in self.ledger.about(event.sequence, last).await? {
            let destination = record.destination;
            let is_new = !items.iter().any(|item| item.destination == destination);
            let is_decision = record.action != Action::Looked;
            if is_new
                && is_decision
                && record.log == self.id
                && selection.chooses_place(&destination)
            {
                items.push(Item {
                    destination,
                    sequence: event.sequence,
                    entry: Some(event.clone()),
                });
            }
        }
        Ok(items)
    }

    /// See [`super::Desk::delivered`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) async fn delivered(
        &self,
        destination: &str,
        selection: &Selection,
    ) -> Result<Vec<Item>, ReviewError> {
        is_one_of(destination, self.rules().await?.destinations)?;
        let mut sequences = Vec::new();
        if selection.ids.is_empty() {
            sequences.extend(self.beside.delivered(destination).await?);
        }
        for id in &selection.ids {
            let found = self.reader.event(id, selection.source.as_ref()).await?;
            sequences.extend(found.iter().map(|(entry, _)| entry.sequence));
        }
        let is_named = !selection.ids.is_empty();
        let found = self.events(sequences).await?;
        let chosen = found.into_iter().filter(|(_, event)| match event {
            Some((entry, _)) => selection.chooses_entry(entry),
            // Damaged: who named it is told.
            None => is_named,
        });
        let items = chosen.map(|(sequence, event)| Item {
            destination: destination.to_owned(),
            sequence,
            entry: event.map(|(entry, _)| entry),
        });
        Ok(items.collect())
    }

    /// Looks events up, in their order.
    async fn events(
        &self,
        sequences: Vec<u64>,
    ) -> Result<Vec<(u64, Option<(Entry, Bytes)>)>, ReviewError> {
        let looked_up = sequences
            .into_iter()
            .map(async |sequence| Ok((sequence, self.beside.event(sequence).await?)));
        let looked_up: Vec<_> = looked_up.collect();
        stream::iter(looked_up)
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// See [`super::Desk::cases`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) async fn cases(
        &self,
        id: &str,
        source: Option<&Source>,
    ) -> Result<Vec<Case>, ReviewError> {
        let parkings = self.beside.parkings(None).await?;
        let mut cases = Vec::new();
        for (event, _) in self.reader.event(id, source).await? {
            let here = parkings.iter().map(|it| &it.parked);
            for parked in here.filter(|it| it.sequence == event.sequence) {
                cases.push(self.case(parked, &event.attributes, &parkings).await?);
            }
        }
        Ok(cases)
    }

    async fn case(
        &self,
        parked: &schedule::Parked,
        event: &Attributes,
        parkings: &[Parking],
    ) -> Result<Case, ReviewError> {
        let (name, sequence) = (&parked.destination, parked.sequence);
        // Damaged, or redacted: not what to decide by.
        let found = self.beside.event(sequence).await?;
        let (entry, payload) = found.unzip();
        let alike = parkings.iter().map(|it| &it.parked).filter(|it| {
            it.destination == *name
                && it.sequence != sequence
                && (&it.reason, it.status) == (&parked.reason, parked.status)
        });
        let alike = self.events(alike.map(|it| it.sequence).collect()).await?;
        let similar = alike
            .into_iter()
            .filter_map(|(_, event)| event.map(|(entry, _)| entry.attributes))
            .filter(|other| other.type_name == event.type_name);
        let last = self.ledger.last().await?;
        let decisions = self.ledger.about(sequence, last).await?;
        let decisions = decisions.into_iter().map(|(record, _)| record);
        Ok(Case {
            payload: payload.filter(|_| entry.as_ref().is_some_and(|it| !it.redacted)),
            webhook_id: webhook_id(name, event),
            attempts: self.beside.attempts(name, sequence).await?,
            similar: similar.map(|it| it.id).collect(),
            decisions: decisions
                .filter(|it| it.destination == *name && it.log == self.id)
                .collect(),
            approvals: self.rules().await?.approvals,
            parked: schedule::Parked {
                entry,
                ..parked.clone()
            },
        })
    }

    /// See [`super::Desk::decide`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) async fn decide(
        &self,
        items: &[Item],
        request: Request<'_>,
    ) -> Result<Vec<Outcome>, ReviewError> {
        if let Decision::Approve { to: Some(name) } = request.decision {
            is_one_of(name, self.rules().await?.destinations)?;
        }
        let mut outcomes = Vec::with_capacity(items.len());
        let mut bench = None;
        let mut tries = TRIES;
        let mut chunks = items.chunks(CHUNK).peekable();
        while let Some(chunk) = chunks.peek() {
            let mut kept = match bench.take() {
                Some(bench) => bench,
                None => self.look(items, request.decision).await?,
            };
            let mut hearing = Hearing::open(&kept.facts, &mut kept.known, self.id, request);
            let decided: Vec<Outcome> = chunk.iter().map(|item| hearing.decide(item)).collect();
            let records = hearing.close();
            match self.conclude(kept.last, &records, request.run).await {
                Err(LedgerError::Conflict) if tries > 0 => {
                    tries -= 1;
                    sleep(PAUSE.mul_f64(fastrand::f64())).await;
                    continue;
                }
                concluded => kept.last = concluded?,
            }
            outcomes.extend(decided);
            chunks.next();
            bench = Some(kept);
        }
        Ok(outcomes)
    }

    /// Writes what was decided after what it goes by; returns the trail's newest
    /// record. Also what is refused, or said in a dry run, is true only if nobody
    /// decided meanwhile.
    async fn conclude(
        &self,
        after: u64,
        records: &[(Record, Link)],
        run: Run,
    ) -> Result<u64, LedgerError> {
        match records.last() {
            Some((newest, _)) if run == Run::Real => {
                self.ledger.append(after, records).await?;
                Ok(newest.number)
            }
            _ if self.ledger.last().await? == after => Ok(after),
            _ => Err(LedgerError::Conflict),
        }
    }

    /// Looks up what a decision goes by. The trail first: what is decided after
    /// that is refused, so that nothing of it can have changed in between.
    async fn look(&self, items: &[Item], decision: &Decision) -> Result<Bench, ReviewError> {
        let known = Known::read(&self.ledger, items).await?;
        let facts = Facts::gather(&self.beside, items, decision).await?;
        let facts = facts.ok_or(ReviewError::NotServed)?;
        // What comes after another trail would count as carried out.
        if let Some(link) = facts.carried {
            self.is_that_of(link).await?;
        }
        Ok(Bench {
            last: known.last(),
            facts,
            known,
        })
    }

    /// Checks that the trail is the one that was carried out up to a link.
    async fn is_that_of(&self, link: Link) -> Result<(), ReviewError> {
        let (carried, found) = (link.sequence, self.ledger.last().await?);
        if carried > found {
            return Err(TrailError::CutShort { carried, found }.into());
        }
        match self.ledger.at(carried).await? {
            (_, found) if found == link => Ok(()),
            _ => Err(TrailError::Parted(link).into()),
        }
    }

    /// See [`super::Desk::trail`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) async fn trail(&self, noted: Option<Link>) -> Result<Trail, ReviewError> {
        // Before what it must be in.
        let carried = self.beside.carried().await?;
        let last = self.ledger.last().await?;
        let rows = self.ledger.read(1, last).await?;
        let trail = Trail::verify(rows, noted)?;
        let found = u64::try_from(trail.records.len()).unwrap_or(u64::MAX);
        if found < last {
            let number = found.saturating_add(1);
            return Err(TrailError::Missing { number }.into());
        }
        // The servers note a link too.
        if let Some(link) = carried {
            self.is_that_of(link).await?;
        }
        Ok(trail)
    }
}
