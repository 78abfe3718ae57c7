//! What waits for a person, read while a server may be delivering.

use std::{num::NonZeroUsize, path::Path};

use hookgate_core::time::Timestamp;
use rusqlite::params;

use super::file::{self, OpenError};
use crate::{
    deliver::schedule::{Parked, ReadError},
    log::{self, sqlite::SqliteReader},
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
    let mut statement = connection.prepare(
        "SELECT job.destination, job.sequence, coalesce(job.reason, ''), job.attempts, job.due_at,
             attempt.status, attempt.answer
         FROM job LEFT JOIN attempt ON attempt.destination = job.destination
             AND attempt.sequence = job.sequence AND attempt.number = job.attempts
         WHERE job.state = 3 AND (?1 IS NULL OR job.destination = ?1)
         ORDER BY job.sequence",
    )?;
    let rows = statement.query_map(params![destination], |row| {
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
    })?;
    let mut found = Vec::new();
    for row in rows {
        let mut parked = row?;
        parked.entry = match reader.at(parked.sequence) {
            Ok(found) => found.map(|(entry, _)| entry),
            // Which may be why it is here.
            Err(log::ReadError::Damage(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if wanted(&parked) {
            found.push(parked);
        }
        if found.len() == limit.get() {
            break;
        }
    }
    Ok(found)
}
