//! The layout of the file.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::log::sqlite::ReadError;

/// Marks a file as ours ("HkGd").
const APPLICATION_ID: i32 = 0x486b_4764;

/// Version of the layout below.
const VERSION: i32 = 3;

/// Version of the first layout, which can be upgraded.
const FIRST_VERSION: i32 = 1;

/// What the second layout added: of which log the state is.
const LOG: &str = "CREATE TABLE log (id BLOB NOT NULL) STRICT;";

/// What the third layout added: links of the log's chain, one for each position
/// that a destination had, which tell whether that log is still what follows.
const MARK: &str = "
    CREATE TABLE mark (
        sequence INTEGER PRIMARY KEY,
        hash     BLOB NOT NULL,
        at       INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX mark_at ON mark (at);";

/// Everything of the log up to `position` is finished or has a row in `job`.
/// `attempt.number` counts over a destination's two targets.
const LAYOUT: &str = "
    CREATE TABLE destination (
        name     TEXT PRIMARY KEY,
        position INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE job (
        destination TEXT NOT NULL,
        sequence    INTEGER NOT NULL,
        state       INTEGER NOT NULL,
        attempts    INTEGER NOT NULL,
        first_at    INTEGER NOT NULL,
        due_at      INTEGER NOT NULL,
        object      BLOB,
        reason      TEXT,
        PRIMARY KEY (destination, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX job_due ON job (destination, state, due_at);
    CREATE INDEX job_object ON job (destination, object, sequence) WHERE object IS NOT NULL;
    CREATE TABLE attempt (
        destination TEXT NOT NULL,
        sequence    INTEGER NOT NULL,
        number      INTEGER NOT NULL,
        at          INTEGER NOT NULL,
        via         TEXT NOT NULL,
        outcome     TEXT NOT NULL,
        status      INTEGER,
        latency     INTEGER NOT NULL,
        answer      BLOB NOT NULL,
        PRIMARY KEY (destination, sequence, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX attempt_at ON attempt (at);";

/// Says why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// It isn't a schedule of this version.
    #[error(
        "`{}` is no schedule of deliveries of this version of hookgate: move it away (destinations then start again from the log), or use the version that made it",
        path.display()
    )]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// SQLite refused.
    #[error("can't use the schedule of deliveries: {0}")]
    Refused(#[from] rusqlite::Error),
    /// SQLite refused the file.
    #[error("can't use `{}` as the schedule of deliveries: {source}", path.display())]
    Sqlite {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Names the schedule of a log.
pub(super) fn beside(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".deliveries");
    name.into()
}

/// Opens the file for writing, and makes it if need be.
///
/// # Errors
/// [`OpenError`].
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |source| OpenError::Sqlite {
        path: path.into(),
        source,
    };
    let connection = Connection::open(path).map_err(sqlite)?;
    let made = prepare(&connection).map_err(sqlite)?;
    if made {
        Ok(connection)
    } else {
        Err(OpenError::Foreign { path: path.into() })
    }
}

/// Opens the file for reading; `None` if there is none yet.
///
/// # Errors
/// [`OpenError`].
pub(super) fn open_to_read(path: &Path) -> Result<Option<Connection>, OpenError> {
    if !path.exists() {
        return Ok(None);
    }
    let sqlite = |source| OpenError::Sqlite {
        path: path.into(),
        source,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    // What is read is the same in all of them.
    match version(&connection).map_err(sqlite)? {
        Some(FIRST_VERSION..=VERSION) => Ok(Some(connection)),
        _ => Err(OpenError::Foreign { path: path.into() }),
    }
}

/// Makes the layout in an empty file; tells whether it is of this version.
fn prepare(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 {
        upgrade(connection)?;
        if version(connection)? != Some(VERSION) {
            return Ok(false);
        }
    }
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    if tables == 0 {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {LOG} {MARK} {LAYOUT}
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};
             COMMIT;"
        ))?;
    }
    Ok(true)
}

/// Brings an earlier layout to the present one.
fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    let missing = match version(connection)? {
        Some(FIRST_VERSION) => [LOG, MARK].concat(),
        Some(2) => MARK.to_owned(),
        _ => return Ok(()),
    };
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {missing} PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

/// Returns the version of a layout of ours.
fn version(connection: &Connection) -> rusqlite::Result<Option<i32>> {
    let pragma = |name| connection.pragma_query_value::<i32, _>(None, name, |row| row.get(0));
    let version = pragma("user_version")?;
    Ok((pragma("application_id")? == APPLICATION_ID).then_some(version))
}
