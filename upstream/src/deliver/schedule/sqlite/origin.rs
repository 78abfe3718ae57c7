//! Of which log a schedule is: the file beside it may be another one now.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tracing::warn;

use super::file::OpenError;
use crate::{clock, log::sqlite::SqliteReader};

/// Makes a schedule that of this log. One of another log is begun anew. Where
/// what was delivered isn't what the log has, as beside a restored backup, a
/// destination goes back to where both agree: so it waits for no sequences to
/// come again, and misses nothing of what has them now.
///
/// # Errors
/// [`OpenError`].
pub(super) fn settle(connection: &mut Connection, log: &SqliteReader) -> Result<(), OpenError> {
    let head = log.head(clock::now())?;
    let id = head.log.as_bytes();
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
            transaction.execute_batch(
                "DELETE FROM destination; DELETE FROM job; DELETE FROM attempt; DELETE FROM mark",
            )?;
            transaction.execute("UPDATE log SET id = ?1", params![id])?;
            warn!("the deliveries beside the log are of another log: each destination begins anew");
        }
    }
    let last = i64::try_from(head.events.sequence).unwrap_or(i64::MAX);
    for (name, position) in destinations(&transaction)? {
        let agreed = agreed(&transaction, log, position, last)?;
        if agreed < position {
            go_back(&transaction, &name, agreed)?;
            warn!(
                destination = name,
                position,
                agreed,
                last,
                "the log is not what was delivered of it (a backup?): deliveries go on where \
                 both agree"
            );
        }
    }
    transaction.commit()?;
    Ok(())
}

fn destinations(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut statement = transaction.prepare("SELECT name, position FROM destination")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Returns the last sequence, up to a position, at which the log has the chain
/// that was delivered.
fn agreed(
    transaction: &Transaction<'_>,
    log: &SqliteReader,
    position: i64,
    last: i64,
) -> Result<i64, OpenError> {
    let mut statement = transaction
        .prepare("SELECT sequence, hash FROM mark WHERE sequence <= ?1 ORDER BY sequence DESC")?;
    let mut marks = statement.query(params![position])?;
    // A mark that is gone or never was says nothing against the log.
    let mut agreed = position.min(last);
    let mut is_newest = true;
    while let Some(mark) = marks.next()? {
        let (sequence, hash): (i64, [u8; 32]) = (mark.get(0)?, mark.get(1)?);
        let is_there = sequence <= last;
        let link = log.link(sequence.unsigned_abs())?;
        // Retention removed it: then it was what it was.
        let agrees = is_there && link.is_none_or(|link| link.0 == hash);
        match (agrees, is_newest) {
            (true, true) => return Ok(agreed),
            (true, false) => return Ok(sequence),
            (false, _) => agreed = 0,
        }
        is_newest = false;
    }
    Ok(agreed)
}

/// Forgets what a destination did after a sequence.
fn go_back(transaction: &Transaction<'_>, name: &str, to: i64) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE destination SET position = ?2 WHERE name = ?1",
        params![name, to],
    )?;
    for table in ["job", "attempt"] {
        transaction.execute(
            &format!("DELETE FROM {table} WHERE destination = ?1 AND sequence > ?2"),
            params![name, to],
        )?;
    }
    Ok(())
}
