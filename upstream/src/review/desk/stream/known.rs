//! What the trail says of the events of a decision.

use std::collections::HashMap;

use super::ReviewError;
use crate::{
    evidence::{Chain, Link, LogId},
    review::{
        audit::{self, Action, Record},
        ledger::{Ledger, LedgerError, written},
        operator::Batch,
        outcome::Item,
    },
};

/// Up to so many events the trail is asked for each; for more, read whole.
const FEW: usize = 16;

/// An event at a destination.
type Place = (String, u64);

/// Holds records of the trail, up to one moment, and what was decided since.
#[derive(Debug, Default)]
pub(super) struct Known {
    newest: Option<Link>,
    by_place: HashMap<Place, Vec<Record>>,
    /// Numbers of the records that let an event go there.
    released: HashMap<Place, Vec<u64>>,
}

impl Known {
    /// Reads what there is about some events.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) async fn read(ledger: &Ledger, items: &[Item]) -> Result<Self, ReviewError> {
        let mut known = Self::default();
        let last = ledger.last().await?;
        if last == 0 {
            return Ok(known);
        }
        if items.len() > FEW {
            for (number, row) in (1..=last).zip(ledger.read(1, last).await?) {
                let (record, link) = written(number, Some(row))?;
                known.add(record, link);
            }
        } else {
            let mut sequences: Vec<u64> = items.iter().map(|item| item.sequence).collect();
            sequences.sort_unstable();
            sequences.dedup();
            for sequence in sequences {
                for (record, link) in ledger.about(sequence, last).await? {
                    known.add(record, link);
                }
            }
            known.newest = Some(ledger.at(last).await?.1);
        }
        match known.last() {
            found if found == last => Ok(known),
            found => {
                let number = found.saturating_add(1);
                Err(LedgerError::from(audit::TrailError::Missing { number }).into())
            }
        }
    }

    /// Returns the number of the newest record.
    pub(super) fn last(&self) -> u64 {
        self.newest.map_or(0, |link| link.sequence)
    }

    /// Returns the chain up to the newest record; for the first one, of a log.
    pub(super) fn chain(&self, log: LogId) -> Chain {
        self.newest.map_or_else(|| audit::start(log), Chain::resume)
    }

    /// Adds what comes next.
    pub(super) fn add(&mut self, record: Record, link: Link) {
        if let (Action::Released, Some(target)) = (record.action, &record.target) {
            let place = (target.clone(), record.sequence);
            self.released.entry(place).or_default().push(record.number);
        }
        let place = (record.destination.clone(), record.sequence);
        self.by_place.entry(place).or_default().push(record);
        self.newest = Some(link);
    }

    /// Returns what was decided about an event at a destination, the first one
    /// first.
    pub(super) fn of(&self, destination: &str, sequence: u64) -> &[Record] {
        let place = (destination.to_owned(), sequence);
        self.by_place.get(&place).map_or(&[], Vec::as_slice)
    }

    /// Returns what was decided about an event in a batch.
    pub(super) fn in_batch(&self, batch: &Batch, item: &Item) -> Option<&Record> {
        let records = self.of(&item.destination, item.sequence).iter();
        records.rev().find(|record| record.batch == batch.as_str())
    }

    /// Tells whether a record after a number lets an event go to a target.
    pub(super) fn is_released_after(&self, target: &str, sequence: u64, number: u64) -> bool {
        let place = (target.to_owned(), sequence);
        let released = self.released.get(&place);
        released.is_some_and(|numbers| numbers.iter().any(|it| *it > number))
    }
}
