//! What waits for a person, read while a server may be delivering.

use std::{num::NonZeroUsize, path::Path};

use hookgate_core::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{
    file::{self, OpenError},
    places::signed,
};
use crate::{
    deliver::schedule::{Parked, ReadError},
    log::{self, Entry, sqlite::SqliteReader},
};

/// Returns what is parked and wanted, the oldest event first.
///
/// # Errors
/// [`ReadError`].
pub(crate) fn parked(
    log: &Path,
    destination: Option<&str>,
    limit: NonZeroUsize,
    wanted: impl Fn(&Parked) -> bool,
) -> Result<Vec<Parked>, ReadError> {
    let path = file::beside(log);
    let reader = SqliteReader::open(log).map_err(OpenError::from)?;
    let Some(connection) = file::open_to_read(&path)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare(&format!(
        "{SELECT} AND (?1 IS NULL OR job.destination = ?1) ORDER BY job.sequence"
    ))?;
    let rows = statement.query_map(params![destination], read)?;
    let mut found = Vec::new();
    for row in rows {
        let mut parked = row?;
        parked.entry = entry(&reader, parked.sequence)?;
        if wanted(&parked) {
            found.push(parked);
        }
        if found.len() == limit.get() {
            break;
        }
    }
    Ok(found)
}

/// Returns where an event of the log is parked.
///
/// # Errors
/// [`ReadError`].
pub(crate) fn parked_at(
    connection: &Connection,
    reader: &SqliteReader,
    sequence: u64,
) -> Result<Vec<Parked>, ReadError> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} AND job.sequence = ?1 ORDER BY job.destination"
    ))?;
    let rows = statement.query_map(params![signed(sequence)], read)?;
    let mut found = rows.collect::<rusqlite::Result<Vec<Parked>>>()?;
    for parked in &mut found {
        parked.entry = entry(reader, sequence)?;
    }
    Ok(found)
}

const SELECT: &str = "
    SELECT job.destination, job.sequence, coalesce(job.reason, ''), job.attempts, job.due_at,
        attempt.status, attempt.answer
    FROM job LEFT JOIN attempt ON attempt.destination = job.destination
        AND attempt.sequence = job.sequence AND attempt.number = job.attempts
    WHERE job.state = 3";

fn read(row: &Row<'_>) -> rusqlite::Result<Parked> {
    let answer: Option<Vec<u8>> = row.get(6)?;
    Ok(Parked {
        destination: row.get(0)?,
        entry: None,
        sequence: row.get::<_, i64>(1)?.unsigned_abs(),
        reason: row.get(2)?,
        attempts: row.get(3)?,
        last_at: Timestamp::from_unix_millis(row.get::<_, i64>(4)?.unsigned_abs()),
        status: row.get(5)?,
        answer: String::from_utf8_lossy(&answer.unwrap_or_default()).into_owned(),
    })
}

fn entry(reader: &SqliteReader, sequence: u64) -> Result<Option<Entry>, ReadError> {
    match reader.at(sequence) {
        Ok(found) => Ok(found.map(|(entry, _)| entry)),
        // Which may be why it is here.
        Err(log::ReadError::Damage(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
