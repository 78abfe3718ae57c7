//! What is delivered, failing and parked, read a page at a time while a server
//! delivers: the parts of the schedule that somebody looks at. It writes nothing,
//! and no read grows with the log.

mod queue;
mod retry;

use std::{num::NonZeroUsize, path::Path};

use hookgate_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

pub(crate) use self::retry::Retry;
use super::{
    case::PastAttempt,
    desk::{
        ReviewError,
        rows::{self, attempt},
    },
};
use crate::{
    deliver::schedule::sqlite::{
        file,
        places::{State, signed, unsigned},
    },
    log::{Entry, sqlite::SqliteReader},
};

/// Attempts that are looked through for those that failed.
const RECENT: i64 = 1_000;

/// Rows of a list.
const SHOWN: i64 = 10;

/// Reads the schedule beside a log.
#[derive(Debug)]
pub(crate) struct Board {
    connection: Connection,
    log: SqliteReader,
}

/// Holds an attempt that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Of which event.
    pub(crate) sequence: u64,
    /// The event; `None` if the log doesn't have it any more, or damaged.
    pub(crate) entry: Option<Entry>,
    /// What happened.
    pub(crate) attempt: PastAttempt,
}

/// Holds the newest attempt that failed at a destination.
#[derive(Debug, Clone)]
pub(crate) struct LatestFailure {
    /// Where.
    pub(crate) destination: String,
    /// What happened.
    pub(crate) attempt: PastAttempt,
    /// Whether a later attempt was delivered.
    pub(crate) is_over: bool,
}

/// Says what an event waits for at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Its next attempt, at this time.
    ForAttempt {
        /// When.
        at: Timestamp,
    },
    /// Its turn, behind another event of its object.
    ForTurn,
    /// Word of what it was handed out for: an attempt may be under way.
    ForWord,
    /// A person.
    ForPerson {
        /// Why.
        reason: String,
    },
    /// Nothing.
    Not,
}

/// Holds an event's life at one destination.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    /// Where.
    pub(crate) destination: String,
    /// What it waits for there.
    pub(crate) waits: Waits,
    /// The attempts of the last 90 days, the first one first.
    pub(crate) attempts: Vec<PastAttempt>,
    /// If the destination has not come to it yet: how many events of the log come
    /// first, at most.
    pub(crate) ahead: Option<u64>,
}

impl Board {
    /// Opens the schedule for reading; `None` if nothing was delivered yet.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn open(log: &Path) -> Result<Option<Self>, ReviewError> {
        let reader = SqliteReader::open(log)?;
        let Some(connection) = file::open_to_read(&file::beside(log))? else {
            return Ok(None);
        };
        Ok(Some(Self {
            connection,
            log: reader,
        }))
    }

    /// Returns the newest attempts that failed, of one destination or all: those
    /// among the last thousand attempts.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn failures(&self, destination: Option<&str>) -> Result<Vec<Failure>, ReviewError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, at, via, outcome, status, latency, answer, sequence
             FROM (SELECT * FROM attempt INDEXED BY attempt_at ORDER BY at DESC LIMIT ?2)
             WHERE outcome <> 'delivered' AND (?1 IS NULL OR destination = ?1)
             ORDER BY at DESC LIMIT ?3",
        )?;
        let rows = statement.query_map(params![destination, RECENT, SHOWN], |row| {
            Ok((unsigned(row.get(7)?), attempt(row)?))
        })?;
        let mut failures = Vec::new();
        for row in rows {
            let (sequence, attempt) = row?;
            failures.push(Failure {
                sequence,
                entry: self.entry(sequence)?,
                attempt,
            });
        }
        Ok(failures)
    }

    /// Returns the newest attempt that failed at each destination: among the last
    /// thousand attempts, and of what waits for another one.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn latest_failures(&self) -> Result<Vec<LatestFailure>, ReviewError> {
        // SQLite takes the other columns from the row with the maximum.
        let mut statement = self.connection.prepare_cached(
            "WITH recent AS (SELECT * FROM attempt INDEXED BY attempt_at ORDER BY at DESC LIMIT ?1)
             SELECT number, max(at), via, outcome, status, latency, answer, destination,
                 (SELECT max(at) FROM recent AS other
                     WHERE other.destination = failed.destination AND outcome = 'delivered')
             FROM recent AS failed WHERE outcome <> 'delivered' GROUP BY destination",
        )?;
        let rows = statement.query_map(params![RECENT], |row| {
            let attempt = attempt(row)?;
            let delivered_at: Option<i64> = row.get(8)?;
            Ok(LatestFailure {
                destination: row.get(7)?,
                is_over: delivered_at.is_some_and(|at| unsigned(at) > attempt.at.unix_millis()),
                attempt,
            })
        })?;
        let mut latest = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        for (destination, ..) in self.places()? {
            // Of a slow destination beside a busy one the thousand say nothing.
            let is_known = latest.iter().any(|it| it.destination == destination);
            if !is_known && let Some(attempt) = self.waited_for(&destination)? {
                latest.push(LatestFailure {
                    is_over: self.delivered_since(&destination, attempt.at)?,
                    destination,
                    attempt,
                });
            }
        }
        Ok(latest)
    }

    /// Returns an event's life at each destination that has to do with it.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn lives(&self, sequence: u64) -> Result<Vec<Life>, ReviewError> {
        let mut lives = Vec::new();
        for (destination, is_active, position) in self.places()? {
            let waits = self.waits(&destination, sequence)?;
            let attempts = rows::attempts(&self.connection, &destination, sequence)?;
            let ahead = sequence
                .checked_sub(position.saturating_add(1))
                .filter(|_| is_active);
            if waits != Waits::Not || !attempts.is_empty() || ahead.is_some() {
                lives.push(Life {
                    destination,
                    waits,
                    attempts,
                    ahead,
                });
            }
        }
        Ok(lives)
    }

    fn waits(&self, destination: &str, sequence: u64) -> Result<Waits, ReviewError> {
        let row: Option<(i64, i64, Option<String>)> = self
            .connection
            .prepare_cached(
                "SELECT state, due_at, reason FROM job WHERE destination = ?1 AND sequence = ?2",
            )?
            .query_row(params![destination, signed(sequence)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        Ok(match row {
            None => Waits::Not,
            Some((state, _, reason)) if state == State::Parked as i64 => Waits::ForPerson {
                reason: reason.unwrap_or_default(),
            },
            Some((state, ..)) if state == State::Behind as i64 => Waits::ForTurn,
            Some((_, due_at, _)) => Waits::ForAttempt {
                at: Timestamp::from_unix_millis(unsigned(due_at)),
            },
        })
    }

    /// Returns the names of all destinations that ever were, whether they are
    /// configured, and how far each has come.
    fn places(&self) -> rusqlite::Result<Vec<(String, bool, u64)>> {
        self.connection
            .prepare_cached("SELECT name, active, position FROM destination ORDER BY name")?
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, unsigned(row.get(2)?)))
            })?
            .collect()
    }

    /// Returns an event, without its payload; `None` if the log doesn't have it
    /// any more, or damaged.
    fn entry(&self, sequence: u64) -> Result<Option<Entry>, ReviewError> {
        let found = self.log.entries_from(sequence, NonZeroUsize::MIN)?;
        let entry = found.into_iter().find(|it| it.sequence == sequence);
        Ok(entry.and_then(|it| it.entry.ok()))
    }
}
