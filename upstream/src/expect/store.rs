//! Where what is learnt, reported and told is kept: a SQLite file, beside a log in a file;
//! or nowhere, for as long as the server runs.
//!
//! What was learnt is written with how far it goes in the log and in the outcomes, so that
//! a server that was killed goes on from there and finds the same again, which is told once.
//! A power loss may take back the last moments (WAL with `synchronous=NORMAL`).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::told::Told;

/// Marks a file as ours ("HkGx").
const APPLICATION_ID: i32 = 0x486b_4778;
/// Version of the layout below.
const VERSION: i32 = 1;
/// How long a statement waits for another program that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Outcomes that are kept, the newest.
const MAX_OUTCOMES: i64 = 1_000_000;
/// Flags and verdicts that are kept, the newest.
const MAX_FLAGS: i64 = 20_000;
/// Hours that are kept: two weeks.
const MAX_HOURS: i64 = 336;

const LAYOUT: &str = "
    CREATE TABLE learnt (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        sequence INTEGER NOT NULL,
        outcome INTEGER NOT NULL,
        second INTEGER NOT NULL,
        expectations BLOB NOT NULL,
        series BLOB NOT NULL
    ) STRICT;
    CREATE TABLE outcome (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        destination TEXT NOT NULL,
        completed INTEGER NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL,
        UNIQUE (id, source, destination)
    ) STRICT;
    CREATE TABLE flag (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        told TEXT NOT NULL
    ) STRICT;
    CREATE TABLE hour (
        at INTEGER PRIMARY KEY,
        events INTEGER NOT NULL,
        expected REAL,
        low REAL,
        high REAL
    ) STRICT;";

/// Says why it can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// It is something else, or of another version.
    #[error(
        "`{}` is no file of expectations of this version of hookgate: move it away, and they are learnt anew",
        .0.display()
    )]
    Foreign(PathBuf),
    /// SQLite refused.
    #[error("can't use `{}`: {source}", path.display())]
    Sqlite {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// SQLite refused later.
    #[error("can't use the file of expectations: {0}")]
    Refused(#[from] rusqlite::Error),
}

/// What a destination reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// Half of the event's identity.
    pub(crate) source: String,
    /// The other half.
    pub(crate) id: String,
    /// Who says so.
    pub(crate) destination: String,
    /// Done, or failed.
    pub(crate) completed: bool,
    /// Why it failed; may be empty.
    pub(crate) reason: String,
    /// When, in milliseconds since 1970.
    pub(crate) at_millis: u64,
}

/// What came of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It is kept.
    Recorded,
    /// It was there.
    Duplicate,
    /// Another result was there, which stays.
    Contradicts,
}

/// What was learnt, and how far.
#[derive(Debug)]
pub(super) struct Learnt {
    pub(super) sequence: u64,
    pub(super) outcome: i64,
    /// Up to when events were counted, in seconds since 1970.
    pub(super) second: u64,
    pub(super) expectations: Vec<u8>,
    pub(super) series: Vec<u8>,
}

/// An hour of the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hour {
    /// When it begins, in seconds since 1970.
    pub(crate) at: u64,
    /// Events that came.
    pub(crate) events: u64,
    /// Expected, at least, at most; `None` before a week was learnt.
    pub(crate) expected: Option<(f64, f64, f64)>,
}

/// Keeps it.
#[derive(Debug)]
pub(crate) struct Store(Connection);

impl Store {
    /// Opens a file, and makes it if need be.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn open(path: Option<&Path>) -> Result<Self, StoreError> {
        let Some(path) = path else {
            let connection = Connection::open_in_memory()?;
            connection.execute_batch(LAYOUT)?;
            return Ok(Self(connection));
        };
        let sqlite = |source| StoreError::Sqlite {
            path: path.into(),
            source,
        };
        let connection = Connection::open(path).map_err(sqlite)?;
        if prepare(&connection).map_err(sqlite)? {
            Ok(Self(connection))
        } else {
            Err(StoreError::Foreign(path.into()))
        }
    }

    /// Opens a file to read it beside a server; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn open_to_read(path: &Path) -> Result<Option<Self>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let sqlite = |source| StoreError::Sqlite {
            path: path.into(),
            source,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
        if is_ours(&connection).map_err(sqlite)? {
            Ok(Some(Self(connection)))
        } else if tables(&connection).map_err(sqlite)? == 0 {
            // A server is just making it.
            Ok(None)
        } else {
            Err(StoreError::Foreign(path.into()))
        }
    }

    /// Returns what was learnt.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn learnt(&self) -> Result<Option<Learnt>, StoreError> {
        let select = "SELECT sequence, outcome, second, expectations, series FROM learnt";
        let found = self.0.query_row(select, [], |row| {
            Ok(Learnt {
                sequence: row.get::<_, i64>(0)?.unsigned_abs(),
                outcome: row.get(1)?,
                second: row.get::<_, i64>(2)?.unsigned_abs(),
                expectations: row.get(3)?,
                series: row.get(4)?,
            })
        });
        Ok(found.optional()?)
    }

    /// Keeps what was learnt, in place of what was before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn save(&self, learnt: &Learnt) -> Result<(), StoreError> {
        self.0.execute(
            "INSERT OR REPLACE INTO learnt (one, sequence, outcome, second, expectations, series)
             VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            params![
                signed(learnt.sequence),
                learnt.outcome,
                signed(learnt.second),
                learnt.expectations,
                learnt.series
            ],
        )?;
        Ok(())
    }

    /// Keeps a report: the first one about an event by a destination counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn report(&self, report: &Report) -> Result<Reported, StoreError> {
        let added = self
            .0
            .prepare_cached(
                "INSERT INTO outcome (source, id, destination, completed, reason, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                report.source,
                report.id,
                report.destination,
                report.completed,
                report.reason,
                signed(report.at_millis)
            ])?;
        if added > 0 {
            self.0
                .prepare_cached("DELETE FROM outcome WHERE number <= ?1")?
                .execute(params![self.0.last_insert_rowid() - MAX_OUTCOMES])?;
            return Ok(Reported::Recorded);
        }
        let completed: bool = self
            .0
            .prepare_cached(
                "SELECT completed FROM outcome WHERE id = ?1 AND source = ?2 AND destination = ?3",
            )?
            .query_row(
                params![report.id, report.source, report.destination],
                |row| row.get(0),
            )?;
        Ok(if completed == report.completed {
            Reported::Duplicate
        } else {
            Reported::Contradicts
        })
    }

    /// Returns reports after a number, in their order, with their numbers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn reports(
        &self,
        after: i64,
        most: usize,
    ) -> Result<Vec<(i64, Report)>, StoreError> {
        let mut statement = self.0.prepare_cached(
            "SELECT number, source, id, destination, completed, reason, at FROM outcome
             WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![after, most], |row| {
            let report = Report {
                source: row.get(1)?,
                id: row.get(2)?,
                destination: row.get(3)?,
                completed: row.get(4)?,
                reason: row.get(5)?,
                at_millis: row.get::<_, i64>(6)?.unsigned_abs(),
            };
            Ok((row.get(0)?, report))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Keeps what was told; returns whether it is new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn tell(&self, told: &Told) -> Result<bool, StoreError> {
        let added = self
            .0
            .prepare_cached("INSERT INTO flag (key, told) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![told.key(), json(told)])?;
        if added > 0 {
            self.0
                .prepare_cached("DELETE FROM flag WHERE number <= ?1")?
                .execute(params![self.0.last_insert_rowid() - MAX_FLAGS])?;
        }
        Ok(added > 0)
    }

    /// Writes anew what was told, with what came of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn amend(&self, told: &Told) -> Result<(), StoreError> {
        self.0
            .prepare_cached("UPDATE flag SET told = ?2 WHERE key = ?1")?
            .execute(params![told.key(), json(told)])?;
        Ok(())
    }

    /// Returns what was told under a key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn told(&self, key: &str) -> Result<Option<Told>, StoreError> {
        let found: Option<String> = self
            .0
            .prepare_cached("SELECT told FROM flag WHERE key = ?1")?
            .query_row(params![key], |row| row.get(0))
            .optional()?;
        Ok(found.and_then(|json| serde_json::from_str(&json).ok()))
    }

    /// Returns what was told, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn newest(&self, most: usize) -> Result<Vec<Told>, StoreError> {
        let mut statement = self
            .0
            .prepare_cached("SELECT told FROM flag ORDER BY number DESC LIMIT ?1")?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![most], |row| row.get::<_, String>(0))?;
        let mut told = Vec::new();
        for json in rows {
            told.extend(serde_json::from_str(&json?).ok());
        }
        Ok(told)
    }

    /// Keeps an hour, the newest: later ones were of a clock that was ahead.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn add_hour(&self, hour: &Hour) -> Result<(), StoreError> {
        let (expected, low, high) = match hour.expected {
            Some((expected, low, high)) => (Some(expected), Some(low), Some(high)),
            None => (None, None, None),
        };
        self.0
            .prepare_cached(
                "INSERT OR REPLACE INTO hour (at, events, expected, low, high)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                signed(hour.at),
                signed(hour.events),
                expected,
                low,
                high
            ])?;
        self.0
            .prepare_cached(
                "DELETE FROM hour WHERE at > ?1 OR at NOT IN (
                     SELECT at FROM hour ORDER BY at DESC LIMIT ?2)",
            )?
            .execute(params![signed(hour.at), MAX_HOURS])?;
        Ok(())
    }

    /// Returns the newest hours, the oldest of them first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn hours(&self, most: usize) -> Result<Vec<Hour>, StoreError> {
        let mut statement = self.0.prepare_cached(
            "SELECT at, events, expected, low, high FROM hour ORDER BY at DESC LIMIT ?1",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![most], |row| {
            let expected: Option<f64> = row.get(2)?;
            let (low, high): (Option<f64>, Option<f64>) = (row.get(3)?, row.get(4)?);
            Ok(Hour {
                at: row.get::<_, i64>(0)?.unsigned_abs(),
                events: row.get::<_, i64>(1)?.unsigned_abs(),
                expected: match (expected, low, high) {
                    (Some(expected), Some(low), Some(high)) => Some((expected, low, high)),
                    _ => None,
                },
            })
        })?;
        let mut hours = rows.collect::<rusqlite::Result<Vec<Hour>>>()?;
        hours.reverse();
        Ok(hours)
    }

    /// Forgets what was learnt and told of another log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn forget(&self) -> Result<(), StoreError> {
        Ok(self.0.execute_batch(
            "BEGIN IMMEDIATE; DELETE FROM learnt; DELETE FROM outcome; DELETE FROM flag;
             DELETE FROM hour; COMMIT;",
        )?)
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let tables = tables(connection)?;
    if tables > 0 && !is_ours(connection)? {
        return Ok(false);
    }
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    if tables == 0 {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {LAYOUT} PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
    }
    Ok(true)
}

fn tables(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}

fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let pragma = |name| connection.pragma_query_value::<i32, _>(None, name, |row| row.get(0));
    Ok(pragma("application_id")? == APPLICATION_ID && pragma("user_version")? == VERSION)
}

fn json(told: &Told) -> String {
    // Texts and numbers are always JSON.
    serde_json::to_string(told).unwrap_or_default()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
