//! The layout of the file, and what makes it durable.

mod upgrade;

use rusqlite::{Connection, params};

use super::row;
use crate::evidence::{Chain, Kind, LogId};

/// Marks a file as Hookgate's ("HkGt"), for `file` and for us.
const APPLICATION_ID: i32 = 0x486b_4774;

/// Version of the layout below.
const VERSION: i32 = 5;

/// The payload is the last column, so that lists never read its pages. The
/// writer assigns `sequence`: without gaps, which AUTOINCREMENT can't promise.
/// The ID leads in the key, so that an event is found without its source.
const EVENTS: &str = "
    CREATE TABLE event (
        sequence    INTEGER PRIMARY KEY,
        source      TEXT NOT NULL,
        id          TEXT NOT NULL,
        type        TEXT NOT NULL,
        account     TEXT,
        livemode    INTEGER,
        time        INTEGER,
        endpoint    TEXT NOT NULL,
        secret_name TEXT NOT NULL,
        unsigned    INTEGER NOT NULL,
        signed_at   INTEGER,
        received_at INTEGER NOT NULL,
        stored_at   INTEGER NOT NULL,
        traceparent TEXT,
        signature   TEXT NOT NULL,
        sha256      BLOB NOT NULL,
        payload     BLOB NOT NULL,
        UNIQUE (id, source)
    ) STRICT;";

/// How an event came; NULL: it was delivered. Behind the payload, because a
/// column that is added is the last one; but lists read no page of the payload
/// for it: SQLite keeps NULL and 1 in the head of the row.
const ORIGIN: &str = "ALTER TABLE event ADD COLUMN origin INTEGER;";

/// For what an event is held for review; NULL: it isn't. Behind the payload, as
/// [`ORIGIN`].
const HELD_FOR: &str = "ALTER TABLE event ADD COLUMN held_for INTEGER;";

/// What the log is known by, and what proves it. `link` has one row for each
/// event and one before the first; beside the events, so that an upgrade needs
/// to copy none. `cutoff` has a row once retention removed something, and
/// `remembered` the identities of removed events.
const EVIDENCE: &str = "
    CREATE TABLE log (
        id          BLOB NOT NULL
    ) STRICT;
    CREATE TABLE link (
        sequence    INTEGER PRIMARY KEY,
        hash        BLOB NOT NULL
    ) STRICT;
    CREATE TABLE redaction (
        number      INTEGER PRIMARY KEY,
        sequence    INTEGER NOT NULL UNIQUE,
        source      TEXT NOT NULL,
        id          TEXT NOT NULL,
        digest      BLOB NOT NULL,
        sha256      BLOB NOT NULL,
        reason      TEXT NOT NULL,
        author      TEXT,
        at          INTEGER NOT NULL,
        after       INTEGER NOT NULL,
        after_hash  BLOB NOT NULL,
        hash        BLOB NOT NULL
    ) STRICT;
    CREATE TABLE cutoff (
        sequence    INTEGER PRIMARY KEY,
        hash        BLOB NOT NULL,
        at          INTEGER NOT NULL,
        removed     INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE remembered (
        id          TEXT NOT NULL,
        source      TEXT NOT NULL,
        sequence    INTEGER NOT NULL UNIQUE,
        stored_at   INTEGER NOT NULL,
        PRIMARY KEY (id, source)
    ) STRICT, WITHOUT ROWID;";

/// Says why a file isn't a log that this program can use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// It has tables of another program.
    #[error("it is the database of another program")]
    Foreign,
    /// It was made by another version of Hookgate.
    #[error(
        "found layout version {found}, expected {VERSION}: use the version of hookgate that made it"
    )]
    Version {
        /// Of the file.
        found: i32,
    },
    /// It was made by an earlier version, and is only read.
    #[error("it has an earlier layout: start `hookgate serve` on it once, which upgrades it")]
    Older,
    /// The file system can't do what the log needs.
    #[error("its file system can't do write-ahead logging (a network share?): use a local disk")]
    NoWriteAheadLog,
    /// What it holds doesn't fit together.
    #[error("it is damaged: {found}. `hookgate verify-log` says where; restore a backup of it")]
    Damaged {
        /// What was seen.
        found: Damaged,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// Another program kept the file busy while its last transactions were to
    /// be made safe.
    #[error("another program is reading or writing it: close that one and start again")]
    Busy,
    /// SQLite refused.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Says how the tables of a log contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damaged {
    /// An event isn't there.
    #[error("event {sequence} is missing")]
    Missing {
        /// Which.
        sequence: i64,
    },
    /// An event can't be read.
    #[error("event {sequence} can't be read")]
    Unreadable {
        /// Which.
        sequence: i64,
    },
    /// The newest link isn't that of the newest event.
    #[error("the newest event is {event}, and the chain ends at {link}")]
    Tail {
        /// Sequence of the newest event.
        event: i64,
        /// Sequence of the newest link.
        link: i64,
    },
}

/// Makes the layout in a new file, checks it in another, and makes sure that
/// everything readable is on disk.
///
/// # Errors
/// [`SchemaError`].
pub(super) fn prepare(connection: &Connection) -> Result<(), SchemaError> {
    if is_new(connection)? {
        // Larger pages hold several events each: fewer bytes per commit.
        connection.pragma_update(None, "page_size", 8_192)?;
        write_ahead(connection)?;
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(&format!(
            "{EVENTS} {ORIGIN} {HELD_FOR} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
        ))?;
        begin_chain(&transaction)?;
        transaction.commit()?;
    } else {
        let version = version(connection)?;
        write_ahead(connection)?;
        upgrade::from(connection, version)?;
        check(connection)?;
    }
    checkpoint(connection)
}

/// Makes the tables of the evidence, names the log and begins its chain.
fn begin_chain(connection: &Connection) -> Result<Chain, SchemaError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(SchemaError::Random)?;
    let log = LogId::new(random);
    connection.execute_batch(EVIDENCE)?;
    connection.execute("INSERT INTO log (id) VALUES (?1)", [log.as_bytes()])?;
    let chain = Chain::start(log, Kind::Events);
    connection.execute(row::INSERT_LINK, params![0, chain.newest().hash.0])?;
    Ok(chain)
}

/// Checks that a file has the layout of this version.
///
/// # Errors
/// [`SchemaError::Foreign`], [`SchemaError::Version`], [`SchemaError::Sqlite`].
pub(super) fn check(connection: &Connection) -> Result<(), SchemaError> {
    match version(connection)? {
        VERSION => Ok(()),
        1..VERSION => Err(SchemaError::Older),
        found => Err(SchemaError::Version { found }),
    }
}

/// Returns the version of Hookgate's layout that a file has.
fn version(connection: &Connection) -> Result<i32, SchemaError> {
    if pragma(connection, "application_id")? != APPLICATION_ID {
        return Err(SchemaError::Foreign);
    }
    pragma(connection, "user_version")
}

fn is_new(connection: &Connection) -> Result<bool, SchemaError> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(connection, "application_id")? == 0)
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, SchemaError> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Makes a connection write ahead, with every commit synced.
///
/// # Errors
/// [`SchemaError::NoWriteAheadLog`], [`SchemaError::Sqlite`].
pub(super) fn write_ahead(connection: &Connection) -> Result<(), SchemaError> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(SchemaError::NoWriteAheadLog);
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    // macOS only: a sync that reaches the platter. No-ops elsewhere.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    // The writer does it itself, because SQLite would ignore a failed sync here.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // What retention removes leaves no trace in pages that are free then.
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(())
}

/// Writes and syncs into the main file whatever a killed process left in the
/// write-ahead log. SQLite reads that as committed although its last sync may
/// never have happened, and a duplicate must not be confirmed because of it.
fn checkpoint(connection: &Connection) -> Result<(), SchemaError> {
    let busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(SchemaError::Busy);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{SchemaError, prepare};
    use rusqlite::Connection;

    fn file() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("log.db")).unwrap();
        (folder, connection)
    }

    #[test]
    fn syncs_every_commit() {
        let (_folder, connection) = file();
        prepare(&connection).unwrap();
        let synchronous: i64 = connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        assert_eq!(synchronous, 2, "FULL");
    }

    #[test]
    fn refuses_a_layout_that_it_does_not_know() {
        let (_folder, connection) = file();
        prepare(&connection).unwrap();
        connection.pragma_update(None, "user_version", 7).unwrap();
        let error = prepare(&connection).unwrap_err();
        assert!(
            matches!(error, SchemaError::Version { found: 7 }),
            "{error}"
        );
    }

    #[test]
    fn refuses_the_database_of_another_program() {
        let (_folder, connection) = file();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        let error = prepare(&connection).unwrap_err();
        assert!(matches!(error, SchemaError::Foreign), "{error}");
    }

    #[test]
    fn refuses_to_start_while_the_last_transactions_cannot_be_made_safe() {
        let (folder, connection) = file();
        prepare(&connection).unwrap();
        let other = Connection::open(folder.path().join("log.db")).unwrap();
        other.execute_batch("BEGIN; SELECT * FROM event;").unwrap();
        connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        connection
            .execute_batch("BEGIN IMMEDIATE; CREATE TABLE u (a); COMMIT;")
            .unwrap();
        let error = prepare(&connection).unwrap_err();
        assert!(matches!(error, SchemaError::Busy), "{error}");
    }
}
