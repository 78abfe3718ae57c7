//! Decisions beside a log in a file: transactions on the schedule.

mod seen;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use hookgate_core::identity::Source;
use rusqlite::{Connection, TransactionBehavior};

use super::{
    CHUNK, Decision, Request, ReviewError, Run, hearing::Hearing, is_one_of, records, rows,
};
use crate::{
    clock,
    deliver::{
        message::webhook_id,
        schedule::{
            Parked,
            sqlite::{self, file},
        },
    },
    evidence::{Link, LogId},
    log::{self, Attributes, sqlite::SqliteReader},
    review::{
        audit::{Trail, TrailError},
        case::Case,
        outcome::{Item, Outcome},
        selection::Selection,
    },
};

/// Decides about what is parked beside a file.
#[derive(Debug)]
pub(crate) struct FileDesk {
    path: PathBuf,
    connection: Connection,
    log: SqliteReader,
    id: LogId,
}

impl FileDesk {
    /// See [`super::Desk::open`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) fn open(path: &Path) -> Result<Self, ReviewError> {
        let log = SqliteReader::open(path)?;
        let connection = file::open_beside_a_server(&file::beside(path))?;
        let id = log.head(clock::now())?.log;
        if rows::log(&connection)? != Some(id) {
            return Err(ReviewError::OtherLog);
        }
        Ok(Self {
            path: path.to_owned(),
            connection,
            log,
            id,
        })
    }

    /// See [`super::Desk::chosen`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) fn chosen(&self, selection: &Selection) -> Result<Vec<Item>, ReviewError> {
        let destination = selection.destination.as_deref();
        let wanted = |parked: &Parked| selection.chooses_parked(parked);
        let parked = sqlite::parked(&self.path, destination, NonZeroUsize::MAX, wanted)?;
        let mut items: Vec<Item> = parked.iter().map(Item::from).collect();
        for id in &selection.ids {
            if items.iter().any(|item| item.is_of(id)) {
                continue;
            }
            let found = items.len();
            for (destination, sequence) in records::places(&self.connection, self.id, id)? {
                let item = Item {
                    entry: self.entry(sequence)?,
                    destination,
                    sequence,
                };
                if selection.chooses_place(&item.destination) && item.is_of(id) {
                    items.push(item);
                }
            }
            if items.len() == found {
                return Err(ReviewError::NotParked { id: id.clone() });
            }
        }
        Ok(items)
    }

    /// See [`super::Desk::delivered`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) fn delivered(
        &self,
        destination: &str,
        selection: &Selection,
    ) -> Result<Vec<Item>, ReviewError> {
        self.is_configured(destination)?;
        let mut sequences = Vec::new();
        if selection.ids.is_empty() {
            sequences = rows::delivered(&self.connection, destination)?;
        }
        for id in &selection.ids {
            let found = self.log.event(id, selection.source.as_ref())?;
            sequences.extend(found.iter().map(|(entry, _)| entry.sequence));
        }
        let mut items = Vec::new();
        for sequence in sequences {
            let entry = self.entry(sequence)?;
            let is_chosen = match &entry {
                Some(entry) => selection.chooses_entry(entry),
                // Damaged: who named it is told.
                None => !selection.ids.is_empty(),
            };
            if is_chosen {
                items.push(Item {
                    destination: destination.to_owned(),
                    sequence,
                    entry,
                });
            }
        }
        Ok(items)
    }

    fn is_configured(&self, name: &str) -> Result<(), ReviewError> {
        is_one_of(name, rows::configured(&self.connection)?)
    }

    fn entry(&self, sequence: u64) -> Result<Option<log::Entry>, ReviewError> {
        match self.log.at(sequence) {
            Ok(found) => Ok(found.map(|(entry, _)| entry)),
            Err(log::ReadError::Damage(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// See [`super::Desk::cases`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) fn cases(
        &self,
        id: &str,
        source: Option<&Source>,
    ) -> Result<Vec<Case>, ReviewError> {
        let mut cases = Vec::new();
        for (entry, payload) in self.log.event(id, source)? {
            for parked in sqlite::parked_at(&self.connection, &self.log, entry.sequence)? {
                // Damaged in the meantime, or redacted: not what to decide by.
                let payload = parked.entry.is_some().then(|| payload.clone());
                cases.push(self.case(parked, &entry.attributes, payload)?);
            }
        }
        Ok(cases)
    }

    fn case(
        &self,
        parked: Parked,
        event: &Attributes,
        payload: Option<Bytes>,
    ) -> Result<Case, ReviewError> {
        let (connection, name) = (&self.connection, &parked.destination);
        let mut similar = Vec::new();
        for sequence in rows::alike(connection, name, &parked.reason, parked.status)? {
            let found = self.log.entries_from(sequence, NonZeroUsize::MIN)?;
            let other = found.into_iter().filter_map(|it| it.entry.ok());
            similar.extend(other.map(|it| (it.sequence, it.attributes)).filter(
                |(found, attributes)| {
                    *found == sequence
                        && sequence != parked.sequence
                        && attributes.type_name == event.type_name
                },
            ));
        }
        Ok(Case {
            payload,
            webhook_id: webhook_id(name, event),
            attempts: rows::attempts(connection, name, parked.sequence)?,
            similar: similar.into_iter().map(|(_, it)| it.id).collect(),
            decisions: records::of(connection, self.id, &Item::from(&parked))?,
            approvals: rows::approvals(connection)?,
            parked,
        })
    }

    /// See [`super::Desk::decide`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) fn decide(
        &mut self,
        items: &[Item],
        request: Request<'_>,
    ) -> Result<Vec<Outcome>, ReviewError> {
        if let Decision::Approve { to: Some(name) } = request.decision {
            self.is_configured(name)?;
        }
        let mut outcomes = Vec::with_capacity(items.len());
        for chunk in items.chunks(CHUNK) {
            let behaviour = TransactionBehavior::Immediate;
            let transaction = self.connection.transaction_with_behavior(behaviour)?;
            let mut hearing = Hearing::open(&transaction, &self.log, self.id, request)?;
            for item in chunk {
                outcomes.push(hearing.decide(item)?);
            }
            match request.run {
                Run::Dry => transaction.rollback()?,
                Run::Real => transaction.commit()?,
            }
        }
        Ok(outcomes)
    }

    /// See [`super::Desk::trail`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) fn trail(&self, noted: Option<Link>) -> Result<Trail, ReviewError> {
        if !rows::is_guarded(&self.connection)? {
            return Err(TrailError::Unguarded.into());
        }
        Ok(Trail::verify(records::all(&self.connection)?, noted)?)
    }
}
