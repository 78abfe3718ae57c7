//! Removes what is older than it is kept, a little at a time.
//!
//! Only from the beginning of the log, so that the chain of evidence goes on
//! from the newest event that was removed. The identity of an event outlives
//! it until Stripe can't send it again.

use std::time::Duration;

use hookgate_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::log::sqlite::row;

/// Most events of one transaction: bounds what an append may wait for.
const MAX_EVENTS: i64 = 256;

/// Most bytes of payload of one transaction, but for its first event.
const MAX_BYTES: i64 = 4 * 1_024 * 1_024;

/// How long an identity is remembered: automatic retries last 3 days, Dashboard
/// resends 15, CLI resends and the List Events API 30.
pub(super) const REMEMBERED: Duration = Duration::from_hours(30 * 24);

/// Says what one transaction removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Removed {
    /// How many events.
    pub(super) events: u64,
    /// Bytes of their payloads.
    pub(super) bytes: usize,
}

/// Removes the oldest events that were stored longer ago than `keep`, as many
/// as one transaction takes; `None` if there are none.
pub(super) fn remove(
    connection: &mut Connection,
    keep: Duration,
    now: Timestamp,
) -> rusqlite::Result<Option<Removed>> {
    let Some(batch) = oldest(connection, before(now, keep))? else {
        return Ok(None);
    };
    let Batch {
        last,
        events,
        bytes,
    } = batch;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if keep < REMEMBERED {
        transaction
            .prepare_cached(
                "INSERT INTO remembered (id, source, sequence, stored_at)
                 SELECT id, source, sequence, stored_at FROM event WHERE sequence <= ?1",
            )?
            .execute([last])?;
    }
    transaction
        .prepare_cached("DELETE FROM event WHERE sequence <= ?1")?
        .execute([last])?;
    let removed: Option<i64> = transaction
        .query_row("SELECT removed FROM cutoff", [], |row| row.get(0))
        .optional()?;
    transaction.execute("DELETE FROM cutoff", [])?;
    transaction
        .prepare_cached(
            "INSERT INTO cutoff (sequence, hash, at, removed)
             SELECT sequence, hash, ?2, ?3 FROM link WHERE sequence = ?1",
        )?
        .execute(params![
            last,
            row::millis(now),
            removed.unwrap_or(0).saturating_add(events)
        ])?;
    // The last one stays: the next event is checked by it.
    transaction
        .prepare_cached("DELETE FROM link WHERE sequence < ?1")?
        .execute([last])?;
    transaction.commit()?;
    Ok(Some(Removed {
        events: events.unsigned_abs(),
        bytes: usize::try_from(bytes).unwrap_or_default(),
    }))
}

/// Forgets identities that nobody sends any more; returns how many.
pub(super) fn forget(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM remembered WHERE stored_at < ?1 AND sequence IN
                 (SELECT sequence FROM remembered ORDER BY sequence LIMIT ?2)",
        )?
        .execute(params![row::millis(before(now, REMEMBERED)), MAX_EVENTS])
}

struct Batch {
    last: i64,
    events: i64,
    bytes: i64,
}

/// Finds the oldest events, up to the first that is young enough to stay.
fn oldest(connection: &Connection, before: Timestamp) -> rusqlite::Result<Option<Batch>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, length(payload), stored_at FROM event ORDER BY sequence LIMIT ?1",
    )?;
    let mut rows = statement.query([MAX_EVENTS])?;
    let mut batch: Option<Batch> = None;
    while let Some(row) = rows.next()? {
        let (last, size, stored_at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if row::timestamp(stored_at) >= before {
            break;
        }
        let so_far = batch
            .as_ref()
            .map_or((0, 0), |batch| (batch.events, batch.bytes));
        if so_far.0 > 0 && so_far.1.saturating_add(size) > MAX_BYTES {
            break;
        }
        batch = Some(Batch {
            last,
            events: so_far.0.saturating_add(1),
            bytes: so_far.1.saturating_add(size),
        });
    }
    Ok(batch)
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_unix_millis(now.unix_millis().saturating_sub(millis))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hookgate_core::time::Timestamp;
    use rusqlite::{Connection, params};

    use super::{REMEMBERED, forget, remove};
    use crate::log::sqlite::schema;

    const DAY: Duration = Duration::from_hours(24);

    /// A log with one event more for each day since 1970, of so many bytes.
    fn log(payloads: &[i64]) -> Connection {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("log.db")).unwrap();
        schema::prepare(&connection).unwrap();
        for (sequence, bytes) in (1_i64..).zip(payloads) {
            connection
                .execute(
                    "INSERT INTO event VALUES (?1, 'stripe', 'evt_' || ?1, 'a.b', NULL, 0, 5, 'e',
                        'p', 0, 6, 7, ?1 * 86400000, NULL, 't=6', zeroblob(32), zeroblob(?2), NULL, NULL)",
                    params![sequence, bytes],
                )
                .unwrap();
            connection
                .execute("INSERT INTO link VALUES (?1, zeroblob(32))", [sequence])
                .unwrap();
        }
        connection
    }

    fn at(day: u64) -> Timestamp {
        Timestamp::from_unix_seconds(day * 86_400)
    }

    fn count(connection: &Connection, table: &str) -> i64 {
        let count = format!("SELECT count(*) FROM {table}");
        connection.query_row(&count, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn removes_what_is_older_and_nothing_else() {
        let mut log = log(&[10; 5]);
        let removed = remove(&mut log, DAY * 2, at(5)).unwrap().unwrap();
        assert_eq!((removed.events, removed.bytes), (2, 20));
        assert_eq!(remove(&mut log, DAY * 2, at(5)).unwrap(), None);
        assert_eq!(count(&log, "event"), 3);
        remove(&mut log, DAY * 2, at(6)).unwrap().unwrap();
        let cutoff: (i64, i64) = log
            .query_row("SELECT sequence, removed FROM cutoff", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(cutoff, (3, 3));
    }

    #[test]
    fn keeps_every_transaction_small() {
        let mut many = log(&[1; 600]);
        let removed = remove(&mut many, DAY, at(1_000)).unwrap().unwrap();
        assert_eq!(removed.events, 256);
        let mut large = log(&[3_000_000; 3]);
        let removed = remove(&mut large, DAY, at(1_000)).unwrap().unwrap();
        assert_eq!(removed.events, 1);
    }

    #[test]
    fn remembers_identities_for_thirty_days() {
        let mut log = log(&[10; 3]);
        remove(&mut log, DAY, at(10)).unwrap().unwrap();
        assert_eq!(count(&log, "remembered"), 3);
        assert_eq!(forget(&log, at(31)).unwrap(), 0);
        assert_eq!(forget(&log, at(32)).unwrap(), 1);
        assert_eq!(forget(&log, at(100)).unwrap(), 2);
        assert_eq!(count(&log, "remembered"), 0);
    }

    #[test]
    fn remembers_nothing_that_was_kept_long_enough() {
        let mut log = log(&[10; 3]);
        remove(&mut log, REMEMBERED, at(100)).unwrap().unwrap();
        assert_eq!(count(&log, "remembered"), 0);
    }
}
