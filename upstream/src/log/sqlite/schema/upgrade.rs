//! Brings earlier layouts forward, each in one transaction.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use tracing::info;

use super::{Damaged, EVENTS, HELD_FOR, ORIGIN, SchemaError, VERSION, begin_chain, row};

/// Makes version 2 of version 1, in which every event was Stripe's: signed
/// whole, at a signed time.
const FROM_1: &str = "
    INSERT INTO event
        SELECT sequence, source, id, type, account, livemode, time, endpoint, secret_name, 0,
            signed_at, received_at, stored_at, traceparent, signature, sha256, payload
        FROM event_1;
    DROP TABLE event_1;";

/// How long a large log may upgrade without a line about it.
const SILENCE: Duration = Duration::from_secs(2);

/// Brings a layout of an earlier version forward; leaves others as they are.
///
/// # Errors
/// [`SchemaError`]: nothing was changed.
pub(super) fn from(connection: &Connection, version: i32) -> Result<(), SchemaError> {
    if version == 1 {
        name_unsigned(connection)?;
    }
    if version == 1 || version == 2 {
        chain(connection)?;
    }
    match version {
        3 => add(connection, &[ORIGIN, HELD_FOR]),
        4 => add(connection, &[HELD_FOR]),
        _ => Ok(()),
    }
}

/// 1 → 2: copies every event.
fn name_unsigned(connection: &Connection) -> Result<(), SchemaError> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(&format!(
        "ALTER TABLE event RENAME TO event_1; {EVENTS} {FROM_1} PRAGMA user_version = 2;"
    ))?;
    Ok(transaction.commit()?)
}

/// 3 and 4 → 5: every event was delivered and none held, which is what no value says.
fn add(connection: &Connection, columns: &[&str]) -> Result<(), SchemaError> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(&columns.concat())?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    info!("upgraded the log to layout version {VERSION}");
    Ok(())
}

/// 2 → 5: chains the events as they are now, with the columns that [`row`] reads
/// and that the chain of what was delivered knows nothing of. Reads them all, without their
/// payloads, and writes 40 bytes for each.
fn chain(connection: &Connection) -> Result<(), SchemaError> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(&format!("{ORIGIN} {HELD_FOR}"))?;
    let mut chain = begin_chain(&transaction)?;
    let newest: i64 =
        transaction.query_row("SELECT coalesce(max(sequence), 0) FROM event", [], |row| {
            row.get(0)
        })?;
    {
        let columns = row::COLUMNS;
        let mut events =
            transaction.prepare(&format!("SELECT {columns} FROM event ORDER BY sequence"))?;
        let mut insert = transaction.prepare(row::INSERT_LINK)?;
        let mut rows = events.query([])?;
        let mut told = Instant::now();
        let mut sequence = 0;
        while let Some(row) = rows.next()? {
            sequence += 1;
            let damaged = |found| SchemaError::Damaged { found };
            if row.get::<_, i64>("sequence")? != sequence {
                return Err(damaged(Damaged::Missing { sequence }));
            }
            let entry = row::unchecked(row)?;
            let entry = entry.map_err(|_| damaged(Damaged::Unreadable { sequence }))?;
            insert.execute(params![sequence, chain.extend(&entry.digest()).hash.0])?;
            if told.elapsed() >= SILENCE {
                told = Instant::now();
                info!(events = sequence, of = newest, "upgrading the log");
            }
        }
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    info!(
        events = newest,
        "upgraded the log to layout version {VERSION}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use crate::log::{
        Origin,
        sqlite::schema::{APPLICATION_ID, Damaged, SchemaError, check, prepare},
    };

    fn file() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("log.db")).unwrap();
        (folder, connection)
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
                    6000, 7, 8, NULL, 't=6,v1=0', zeroblob(32), x'7b7d');
                PRAGMA application_id = {}; PRAGMA user_version = 1;",
                APPLICATION_ID
            ))
            .unwrap();
        let error = check(&connection).unwrap_err();
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
            payload, origin, held_for FROM event";
        let error = connection.execute(again, []).unwrap_err();
        assert!(error.to_string().contains("UNIQUE"), "{error}");
    }

    /// The layout of version 2, with one event more for each sequence.
    fn second_layout(connection: &Connection, sequences: &[i64]) {
        connection
            .execute_batch(&format!(
                "{} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 2;",
                super::EVENTS
            ))
            .unwrap();
        for sequence in sequences {
            let id = format!("evt_{sequence}");
            connection
                .execute(
                    "INSERT INTO event VALUES (?1, 'stripe', ?2, 'a.b', NULL, 0, 5, 'stripe', 'p',
                        0, 6000, 7, 8, NULL, 't=6,v1=0', zeroblob(32), x'7b7d')",
                    rusqlite::params![sequence, id],
                )
                .unwrap();
        }
    }

    #[test]
    fn chains_the_events_of_the_second_layout() {
        let (_folder, connection) = file();
        second_layout(&connection, &[1, 2, 3]);
        let error = check(&connection).unwrap_err();
        assert!(matches!(error, SchemaError::Older), "{error}");
        prepare(&connection).unwrap();
        let columns = super::row::COLUMNS;
        let mut events = connection
            .prepare(&format!("SELECT {columns} FROM event"))
            .unwrap();
        let entries = events.query_map([], super::row::entry).unwrap();
        let entries: Vec<_> = entries.map(|entry| entry.unwrap().unwrap()).collect();
        assert_eq!(entries.len(), 3);
    }

    #[test]
    fn takes_the_events_of_the_third_and_fourth_layout_for_delivered_and_not_held() {
        let without_held_for = "ALTER TABLE event DROP COLUMN held_for; PRAGMA user_version = 4;";
        let without_origin = "ALTER TABLE event DROP COLUMN held_for;
            ALTER TABLE event DROP COLUMN origin; PRAGMA user_version = 3;";
        for before in [without_held_for, without_origin] {
            let (_folder, connection) = file();
            second_layout(&connection, &[1, 2]);
            prepare(&connection).unwrap();
            connection.execute_batch(before).unwrap();
            let error = check(&connection).unwrap_err();
            assert!(matches!(error, SchemaError::Older), "{error}");
            prepare(&connection).unwrap();
            prepare(&connection).unwrap();
            let columns = super::row::COLUMNS;
            let mut events = connection
                .prepare(&format!("SELECT {columns} FROM event"))
                .unwrap();
            let entries = events.query_map([], super::row::entry).unwrap();
            let attributes = entries.map(|entry| entry.unwrap().unwrap().attributes);
            let came: Vec<_> = attributes.map(|it| (it.origin, it.held_for)).collect();
            assert_eq!(came, [(Origin::Delivery, None); 2]);
        }
    }

    #[test]
    fn vouches_for_no_log_that_lacks_an_event() {
        let (_folder, connection) = file();
        second_layout(&connection, &[1, 3]);
        let error = prepare(&connection).unwrap_err();
        let found = Damaged::Missing { sequence: 2 };
        assert!(
            matches!(&error, SchemaError::Damaged { found: seen } if *seen == found),
            "{error}"
        );
        // As it was.
        let error = check(&connection).unwrap_err();
        assert!(matches!(error, SchemaError::Older), "{error}");
    }
}
