//! What a page asks of the desk: the trail a page at a time, and looks at
//! payloads, which go on record as decisions do.

use std::{num::NonZeroU64, path::Path};

use rusqlite::TransactionBehavior;

use super::{Desk, ReviewError, records};
use crate::{
    clock,
    deliver::schedule::sqlite,
    evidence::Link,
    log::{Capability, Entry, LogAddress},
    review::{
        audit::{self, Action, Record, TrailError},
        operator::{Batch, Operator},
        outcome::Item,
    },
};

/// Holds some of the trail, the newest record first.
#[derive(Debug, Default)]
pub(crate) struct TrailPage {
    /// The records.
    pub(crate) records: Vec<Record>,
    /// Before which number the next page begins; `None`: this is the last one.
    pub(crate) before: Option<u64>,
}

impl Desk {
    /// Opens the schedule beside a log, and makes it where nothing was delivered
    /// yet: a look is on record on every log that has a trail.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn open_to_look(log: &LogAddress) -> Result<Self, ReviewError> {
        let LogAddress::Sqlite(path) = log else {
            return Err(log.lacks(Capability::Review).into());
        };
        make(path)?;
        Self::open(log)
    }

    /// Returns what is to be decided about by its places.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn items(&self, places: &[(String, u64)]) -> Result<Vec<Item>, ReviewError> {
        let item = |(destination, sequence): &(String, u64)| {
            Ok(Item {
                entry: self.entry(*sequence)?,
                destination: destination.clone(),
                sequence: *sequence,
            })
        };
        places.iter().map(item).collect()
    }

    /// Writes down that somebody looks at an event's payload. The same batch is
    /// written down once.
    ///
    /// # Errors
    /// [`ReviewError`]: nothing is on record, and nothing may be shown.
    pub(crate) fn look(
        &mut self,
        entry: &Entry,
        operator: &Operator,
        batch: &Batch,
    ) -> Result<(), ReviewError> {
        let behaviour = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behaviour)?;
        let item = Item {
            destination: String::new(),
            sequence: entry.sequence,
            entry: Some(entry.clone()),
        };
        if let Some(before) = records::in_batch(&transaction, batch, &item)?
            && before.action == Action::Looked
            && operator.is(&before.name)
        {
            return Ok(());
        }
        let newest = records::newest(&transaction)?;
        let mut chain =
            newest.map_or_else(|| audit::start(self.id), crate::evidence::Chain::resume);
        let record = Record {
            number: chain.newest().sequence.saturating_add(1),
            log: self.id,
            at: clock::now(),
            batch: batch.as_str().to_owned(),
            action: Action::Looked,
            name: operator.name().to_owned(),
            reason: operator.reason().to_owned(),
            destination: String::new(),
            target: None,
            sequence: entry.sequence,
            source: entry.attributes.source.to_string(),
            id: entry.attributes.id.clone(),
        };
        let link = chain.extend(&record.digest());
        records::append(&transaction, &record, link)?;
        Ok(transaction.commit()?)
    }

    /// Returns what people decided about the events of an ID, and who looked at
    /// them, the first one first.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn about(&self, id: &str) -> Result<Vec<Record>, ReviewError> {
        Ok(records::about(&self.connection, self.id, id)?)
    }

    /// Returns the newest records before a number (`None`: before the end), each
    /// held against the links on both sides.
    ///
    /// # Errors
    /// [`ReviewError`], among others [`ReviewError::Trail`].
    pub(crate) fn page(
        &self,
        before: Option<NonZeroU64>,
        most: usize,
    ) -> Result<TrailPage, ReviewError> {
        let before = before.map_or(u64::MAX, NonZeroU64::get);
        let mut rows = records::before(&self.connection, before, most.saturating_add(1))?;
        // One more, whose link the last one goes on from.
        let oldest = (rows.len() > most).then(|| rows.pop()).flatten();
        let mut page = TrailPage::default();
        let mut links = rows.iter().skip(1).chain(oldest.as_ref());
        for row in &rows {
            let number = row.number;
            let changed = TrailError::Changed { number };
            let Some((record, hash)) = &row.written else {
                return Err(changed.into());
            };
            let mut chain = match links.next() {
                Some(earlier) if earlier.number.saturating_add(1) == number => {
                    let Some((_, hash)) = &earlier.written else {
                        let number = earlier.number;
                        return Err(TrailError::Changed { number }.into());
                    };
                    crate::evidence::Chain::resume(Link {
                        sequence: earlier.number,
                        hash: *hash,
                    })
                }
                None if number == 1 => audit::start(record.log),
                _ => {
                    let number = number.saturating_sub(1);
                    return Err(TrailError::Missing { number }.into());
                }
            };
            if chain.extend(&record.digest()).hash != *hash {
                return Err(changed.into());
            }
            page.records.push(record.clone());
        }
        page.before = oldest.and(page.records.last().map(|record| record.number));
        Ok(page)
    }
}

fn make(log: &Path) -> Result<(), ReviewError> {
    if !sqlite::file::beside(log).exists() {
        sqlite::make(log)?;
    }
    Ok(())
}
