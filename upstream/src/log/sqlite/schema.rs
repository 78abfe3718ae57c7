//! The layout of the file, and what makes it durable.

use rusqlite::Connection;

/// Marks a file as Hookgate's ("HkGt"), for `file` and for us.
const APPLICATION_ID: i32 = 0x486b_4774;

/// Version of the layout below.
const VERSION: i32 = 2;

/// The payload is the last column, so that lists never read its pages. The
/// writer assigns `sequence`: without gaps, which AUTOINCREMENT can't promise.
/// The ID leads in the key, so that an event is found without its source.
const LAYOUT: &str = "
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

/// Makes version 2 of version 1, in which every event was Stripe's: signed
/// whole, at a signed time.
const UPGRADE: &str = "
    INSERT INTO event
        SELECT sequence, source, id, type, account, livemode, time, endpoint, secret_name, 0,
            signed_at, received_at, stored_at, traceparent, signature, sha256, payload
        FROM event_1;
    DROP TABLE event_1;";

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
    /// Another program kept the file busy while its last transactions were to
    /// be made safe.
    #[error("another program is reading or writing it: close that one and start again")]
    Busy,
    /// SQLite refused.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
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
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {LAYOUT}
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};
             COMMIT;"
        ))?;
    } else {
        let version = version(connection)?;
        write_ahead(connection)?;
        if version == 1 {
            upgrade(connection)?;
        }
        check(connection)?;
    }
    checkpoint(connection)
}

/// Checks that a file has the layout of this version.
///
/// # Errors
/// [`SchemaError::Foreign`], [`SchemaError::Version`], [`SchemaError::Sqlite`].
pub(super) fn check(connection: &Connection) -> Result<(), SchemaError> {
    match version(connection)? {
        VERSION => Ok(()),
        1 => Err(SchemaError::Older),
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

/// Copies every event into the present layout, all or nothing.
fn upgrade(connection: &Connection) -> Result<(), SchemaError> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(&format!(
        "ALTER TABLE event RENAME TO event_1; {LAYOUT} {UPGRADE} PRAGMA user_version = {VERSION};"
    ))?;
    Ok(transaction.commit()?)
}

fn is_new(connection: &Connection) -> Result<bool, SchemaError> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(connection, "application_id")? == 0)
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, SchemaError> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

fn write_ahead(connection: &Connection) -> Result<(), SchemaError> {
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
    fn upgrades_the_first_layout() {
        let (_folder, connection) = file();
        connection
            .execute_batch(&format!(
                "CREATE TABLE event (
                    sequence INTEGER PRIMARY KEY, source TEXT NOT NULL, id TEXT NOT NULL,
                    type TEXT NOT NULL, account TEXT, livemode INTEGER, time INTEGER,
                    endpoint TEXT NOT NULL, secret_name TEXT NOT NULL, signed_at INTEGER NOT NULL,
                    received_at INTEGER NOT NULL, stored_at INTEGER NOT NULL, traceparent TEXT,
                    signature TEXT NOT NULL, sha256 BLOB NOT NULL, payload BLOB NOT NULL,
                    UNIQUE (id, source)
                ) STRICT;
                INSERT INTO event VALUES (1, 'stripe', 'evt_1', 'a.b', NULL, 0, 5, 'stripe', 'p',
                    6000, 7, 8, NULL, 't=6,v1=0', x'00', x'7b7d');
                PRAGMA application_id = {}; PRAGMA user_version = 1;",
                super::APPLICATION_ID
            ))
            .unwrap();
        let error = super::check(&connection).unwrap_err();
        assert!(matches!(error, SchemaError::Older), "{error}");
        prepare(&connection).unwrap();
        prepare(&connection).unwrap();
        let event: (String, bool, i64, Vec<u8>) = connection
            .query_row(
                "SELECT id, unsigned, signed_at, payload FROM event",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .unwrap();
        assert_eq!(event, ("evt_1".to_owned(), false, 6_000, b"{}".to_vec()));
        let again = "INSERT INTO event SELECT 2, source, id, type, account, livemode, time, endpoint,
            secret_name, unsigned, signed_at, received_at, stored_at, traceparent, signature, sha256,
            payload FROM event";
        let error = connection.execute(again, []).unwrap_err();
        assert!(error.to_string().contains("UNIQUE"), "{error}");
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
            .execute_batch("PRAGMA user_version = 2; BEGIN IMMEDIATE; CREATE TABLE u (a); COMMIT;")
            .unwrap();
        let error = prepare(&connection).unwrap_err();
        assert!(matches!(error, SchemaError::Busy), "{error}");
    }
}
