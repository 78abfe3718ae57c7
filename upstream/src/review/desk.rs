//! Where decisions are made: beside a log in a file, and beside the server that
//! may be delivering from it.

mod hearing;
mod records;
pub(super) mod rows;
mod seen;

use std::{num::NonZeroUsize, path::PathBuf};

use bytes::Bytes;
use hookgate_core::identity::Source;
use rusqlite::{Connection, TransactionBehavior};

use self::hearing::Hearing;
pub(crate) use self::seen::TrailPage;
use super::{
    audit::{Trail, TrailError},
    case::Case,
    operator::{Batch, Operator},
    outcome::{Item, Outcome},
    selection::Selection,
};
use crate::{
    clock,
    deliver::{
        message::webhook_id,
        schedule::{
            self, Parked,
            sqlite::{self, file},
        },
    },
    evidence::{Link, LogId},
    log::{self, Attributes, Capability, Incapable, LogAddress, sqlite::SqliteReader},
};

/// Events of one transaction: deliveries wait for it.
const CHUNK: usize = 1_000;

/// Decides about what waits for a person. Its calls block.
#[derive(Debug)]
pub(crate) struct Desk {
    path: PathBuf,
    connection: Connection,
    log: SqliteReader,
    id: LogId,
}

/// Says what is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// What is parked goes out again.
    Approve {
        /// To which destination; `None`: to the one that it was to go to.
        to: Option<String>,
    },
    /// What is parked is not delivered. The log keeps it.
    Discard,
    /// What isn't parked goes out again, delivered or not.
    Redeliver,
}

/// Says whether a decision is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// It is found out what would become of each event, and nothing is changed.
    Dry,
    /// It is.
    Real,
}

/// Asks for a decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// What.
    pub(crate) decision: &'a Decision,
    /// Who and why.
    pub(crate) operator: &'a Operator,
    /// Its name.
    pub(crate) batch: &'a Batch,
    /// Whether it is carried out.
    pub(crate) run: Run,
}

/// Says why nothing can be decided, or seen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewError {
    /// The log has no review.
    #[error(transparent)]
    Incapable(#[from] Incapable),
    /// The schedule can't be used.
    #[error(transparent)]
    Open(#[from] sqlite::OpenError),
    /// The schedule can't be read.
    #[error(transparent)]
    Schedule(#[from] schedule::ReadError),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] log::ReadError),
    /// SQLite refused.
    #[error("can't use the schedule of deliveries: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The schedule is of a log that was there before.
    #[error(
        "what is parked is of another log than this one: start `hookgate serve`, which begins anew"
    )]
    OtherLog,
    /// An event that was named doesn't wait for anybody, and never did.
    #[error("`{}` is not parked there", id.escape_debug())]
    NotParked {
        /// The event's ID.
        id: String,
    },
    /// A target isn't one.
    #[error(
        "`{name}` is not a destination of the server's configuration; found {}",
        listed(known)
    )]
    NotConfigured {
        /// The name.
        name: String,
        /// Those that are.
        known: Vec<String>,
    },
    /// The trail can't be gone on with, or trusted.
    #[error(transparent)]
    Trail(#[from] TrailError),
}

impl From<log::sqlite::ReadError> for ReviewError {
    fn from(error: log::sqlite::ReadError) -> Self {
        Self::Log(error.into())
    }
}

impl Desk {
    /// Opens the schedule beside a log; a server may be delivering.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn open(log: &LogAddress) -> Result<Self, ReviewError> {
        let LogAddress::Sqlite(path) = log else {
            return Err(log.lacks(Capability::Review).into());
        };
        let log = SqliteReader::open(path)?;
        let connection = file::open_beside_a_server(&file::beside(path))?;
        let id = log.head(clock::now())?.log;
        if rows::log(&connection)? != Some(id) {
            return Err(ReviewError::OtherLog);
        }
        Ok(Self {
            path: path.clone(),
            connection,
            log,
            id,
        })
    }

    /// Returns what a decision about parked events is about: those that are chosen,
    /// the oldest event first; and of the events that are named by their IDs those
    /// that were decided about before, so that whoever comes second is told who
    /// came first.
    ///
    /// # Errors
    /// [`ReviewError`], among others [`ReviewError::NotParked`].
    pub(crate) fn chosen(&self, selection: &Selection) -> Result<Vec<Item>, ReviewError> {
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

    /// Returns what a destination confirmed in the last 90 days, is chosen, and
    /// which the log still has, in its order. An event that is named by its ID is
    /// returned whatever became of it there.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn delivered(
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
        let known = rows::configured(&self.connection)?;
        if known.iter().any(|it| it == name) {
            return Ok(());
        }
        let name = name.to_owned();
        Err(ReviewError::NotConfigured { name, known })
    }

    fn entry(&self, sequence: u64) -> Result<Option<log::Entry>, ReviewError> {
        match self.log.at(sequence) {
            Ok(found) => Ok(found.map(|(entry, _)| entry)),
            Err(log::ReadError::Damage(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the facts of an event, at each destination where it is parked.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn cases(
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

    /// Decides about events, in transactions of at most a thousand: what became
    /// of each, in their order. Interrupted between two of them, the same
    /// request under the same batch does the rest and nothing twice.
    ///
    /// # Errors
    /// [`ReviewError`]: nothing became of the events of the failed transaction
    /// and those after it.
    pub(crate) fn decide(
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

    /// Reads and verifies the audit trail. `noted` is a link of it from before.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn trail(&self, noted: Option<Link>) -> Result<Trail, ReviewError> {
        if !rows::is_guarded(&self.connection)? {
            return Err(TrailError::Unguarded.into());
        }
        Ok(Trail::verify(records::all(&self.connection)?, noted)?)
    }
}

impl From<&Parked> for Item {
    fn from(parked: &Parked) -> Self {
        Self {
            destination: parked.destination.clone(),
            sequence: parked.sequence,
            entry: parked.entry.clone(),
        }
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none: start `hookgate serve` with [[destinations]]".to_owned(),
        names => names.join(", "),
    }
}
