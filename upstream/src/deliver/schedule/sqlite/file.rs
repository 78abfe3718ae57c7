//! The layout of the file.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::log::sqlite::ReadError;

/// Marks a file as ours ("HkGd").
const APPLICATION_ID: i32 = 0x486b_4764;

/// How long a statement waits for another program that holds the file: a
/// decision on [many events](crate::review) takes a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Version of the layout below.
const VERSION: i32 = 5;

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

/// What the fourth layout added: review. `spent` are the attempts that an event
/// had before a person let it go again; `active` says that the configuration
/// has a destination, `ordered` that its events of one object wait for each
/// other. What is in `audit` stays as it is: no statement changes or removes a
/// row of it, and a row more takes the next number. (`INSERT OR REPLACE` fires
/// no trigger for what it deletes, so the number is checked as well.)
const REVIEW: &str = "
    ALTER TABLE destination ADD COLUMN active INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE destination ADD COLUMN ordered INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE job ADD COLUMN spent INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE review (approvals INTEGER NOT NULL) STRICT;
    CREATE TABLE audit (
        number      INTEGER PRIMARY KEY,
        log         BLOB NOT NULL,
        at          INTEGER NOT NULL,
        batch       TEXT NOT NULL,
        action      TEXT NOT NULL,
        name        TEXT NOT NULL,
        reason      TEXT NOT NULL,
        destination TEXT NOT NULL,
        target      TEXT,
        sequence    INTEGER NOT NULL,
        source      TEXT NOT NULL,
        id          TEXT NOT NULL,
        hash        BLOB NOT NULL
    ) STRICT;
    CREATE INDEX audit_event ON audit (destination, sequence);
    CREATE INDEX audit_id ON audit (id);
    CREATE UNIQUE INDEX audit_batch ON audit (batch, destination, sequence);
    CREATE TRIGGER audit_update BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail is never changed'); END;
    CREATE TRIGGER audit_delete BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'nothing is removed from the audit trail'); END;
    CREATE TRIGGER audit_insert BEFORE INSERT ON audit
        WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit)
        BEGIN SELECT RAISE(ABORT, 'the audit trail only grows at its end'); END;";

/// Everything of the log up to `position` is finished or has a row in `job`.
/// Statements name the index `job_object`: without statistics SQLite would read
/// all rows of a destination instead. `attempt.number` counts over a destination's two targets.
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
    /// It is of an earlier version.
    #[error(
        "`{}` is of an earlier version of hookgate: start `hookgate serve` of this one, which brings it forward",
        path.display()
    )]
    Earlier {
        /// Which.
        path: PathBuf,
    },
    /// There is none.
    #[error(
        "nothing was delivered from this log yet: `hookgate serve` with [[destinations]] makes `{}`",
        path.display()
    )]
    Missing {
        /// Where it would be.
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
pub(crate) fn beside(log: &Path) -> PathBuf {
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
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
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
pub(crate) fn open_to_read(path: &Path) -> Result<Option<Connection>, OpenError> {
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

/// Opens the file to write it beside a server.
///
/// # Errors
/// [`OpenError`].
pub(crate) fn open_beside_a_server(path: &Path) -> Result<Connection, OpenError> {
    let path = path.to_owned();
    if !path.exists() {
        return Err(OpenError::Missing { path });
    }
    let sqlite = |source| OpenError::Sqlite {
        path: path.clone(),
        source,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(sqlite)?;
    match version(&connection).map_err(sqlite)? {
        Some(VERSION) => {}
        Some(FIRST_VERSION..VERSION) => return Err(OpenError::Earlier { path }),
        _ => return Err(OpenError::Foreign { path }),
    }
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    // What a person was told is decided isn't taken back by a power cut.
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(sqlite)?;
    Ok(connection)
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
            "BEGIN IMMEDIATE; {LOG} {MARK} {LAYOUT} {REVIEW}
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};
             COMMIT;"
        ))?;
    }
    Ok(true)
}

/// Brings an earlier layout to the present one.
fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    let missing = match version(connection)? {
        Some(FIRST_VERSION) => [LOG, MARK, REVIEW].concat(),
        Some(2) => [MARK, REVIEW].concat(),
        Some(3) => REVIEW.to_owned(),
        // The trail may have records of looks since, which earlier versions would
        // take for damage.
        Some(4) => String::new(),
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
