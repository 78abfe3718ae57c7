//! What a page asks of the trail beside a file.

use std::path::Path;

use rusqlite::TransactionBehavior;

use super::FileDesk;
use crate::{
    clock,
    deliver::schedule::sqlite,
    review::{
        audit::{Record, Row},
        desk::{ReviewError, records, seen::Look},
        outcome::Item,
    },
};

impl FileDesk {
    /// See [`super::super::Desk::open_to_look`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) fn open_to_look(path: &Path) -> Result<Self, ReviewError> {
        if !sqlite::file::beside(path).exists() {
            sqlite::make(path)?;
        }
        Self::open(path)
    }

    /// See [`super::super::Desk::items`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) fn items(
        &self,
        places: &[(String, u64)],
    ) -> Result<Vec<Item>, ReviewError> {
        let item = |(destination, sequence): &(String, u64)| {
            Ok(Item {
                entry: self.entry(*sequence)?,
                destination: destination.clone(),
                sequence: *sequence,
            })
        };
        places.iter().map(item).collect()
    }

    /// See [`super::super::Desk::look`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) fn look(&mut self, look: Look<'_>) -> Result<(), ReviewError> {
        let behaviour = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behaviour)?;
        let item = Item {
            destination: String::new(),
            sequence: look.entry.sequence,
            entry: Some(look.entry.clone()),
        };
        let before = records::in_batch(&transaction, look.batch, &item)?;
        if let Some(before) = &before
            && look.is(before, clock::now())
        {
            return Ok(());
        }
        let newest = records::newest(&transaction)?;
        let (record, link) = look.record(self.id, newest, before.is_some());
        records::append(&transaction, &record, link)?;
        Ok(transaction.commit()?)
    }

    /// See [`super::super::Desk::about`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) fn about(&self, id: &str) -> Result<Vec<Record>, ReviewError> {
        Ok(records::about(&self.connection, self.id, id)?)
    }

    /// Returns the newest rows before a number, the newest first.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) fn rows_before(
        &self,
        before: u64,
        most: usize,
    ) -> Result<Vec<Row>, ReviewError> {
        Ok(records::before(&self.connection, before, most)?)
    }
}
