//! Of which log a schedule is: the file beside it may be another one now.

use rusqlite::{Connection, OptionalExtension, params};
use tracing::warn;

use super::file::OpenError;
use crate::{clock, log::sqlite::SqliteReader};

/// Makes a schedule that of this log. One of another log is begun anew; one
/// that has seen more of this log than there is, a restored backup, goes back
/// to where the log ends, so that no destination waits for sequences to come
/// again and misses what gets them.
///
/// # Errors
/// [`OpenError`].
pub(super) fn settle(connection: &mut Connection, log: &SqliteReader) -> Result<(), OpenError> {
    let head = log.head(clock::now())?;
    let (id, last) = (head.log.as_bytes(), head.events.sequence);
    let last = i64::try_from(last).unwrap_or(i64::MAX);
    let transaction = connection.transaction()?;
    let known: Option<Vec<u8>> = transaction
        .query_row("SELECT id FROM log", [], |row| row.get(0))
        .optional()?;
    match known {
        Some(known) if known == id => {}
        None => {
            transaction.execute("INSERT INTO log (id) VALUES (?1)", params![id])?;
        }
        Some(_) => {
            transaction
                .execute_batch("DELETE FROM destination; DELETE FROM job; DELETE FROM attempt")?;
            transaction.execute("UPDATE log SET id = ?1", params![id])?;
            warn!("the deliveries beside the log are of another log: each destination begins anew");
        }
    }
    let ahead = transaction.execute(
        "UPDATE destination SET position = ?1 WHERE position > ?1",
        params![last],
    )?;
    if ahead > 0 {
        transaction.execute("DELETE FROM job WHERE sequence > ?1", params![last])?;
        transaction.execute("DELETE FROM attempt WHERE sequence > ?1", params![last])?;
        warn!(
            destinations = ahead,
            last,
            "the log ends before what was delivered of it (a backup?): deliveries go on there"
        );
    }
    transaction.commit()?;
    Ok(())
}
