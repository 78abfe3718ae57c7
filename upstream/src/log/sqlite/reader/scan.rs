//! Reads the log in its order, from anywhere in it.

use std::num::NonZeroUsize;

use bytes::Bytes;
use hookgate_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{ReadError, SqliteReader};
use crate::log::{Damage, Entry, reader, reader::Span, sqlite::row};

/// Holds what was read at one place of the log.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// The place.
    pub(crate) sequence: u64,
    /// The event, without its payload; or what is wrong with it.
    pub(crate) entry: Result<Entry, Damage>,
}

impl SqliteReader {
    /// Returns where the log begins and ends; `None` while it is empty.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn span(&self) -> Result<Option<Span>, ReadError> {
        // Together in one SELECT they would read the whole table.
        let ends = "SELECT (SELECT min(sequence) FROM event), (SELECT max(sequence) FROM event)";
        let (first, last) = self
            .connection
            .prepare_cached(ends)?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (first, last): (Option<i64>, Option<i64>) = (first, last);
        Ok(first.zip(last).map(|(first, last)| Span {
            first: first.unsigned_abs(),
            last: last.unsigned_abs(),
        }))
    }

    /// Returns the sequence of the first event that the log took at or after a
    /// time. Events are in the order of their times but for a clock that
    /// stepped back; then it is near there.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn first_at(&self, time: Timestamp) -> Result<Option<u64>, ReadError> {
        let Some(span) = self.span()? else {
            return Ok(None);
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT stored_at FROM event WHERE sequence >= ?1 ORDER BY sequence LIMIT 1",
        )?;
        let (mut low, mut high) = (span.first, span.last.saturating_add(1));
        while low < high {
            let middle = low + (high - low) / 2;
            let stored_at: Option<i64> = statement
                .query_row(params![integer(middle)], |row| row.get(0))
                .optional()?;
            if stored_at.is_some_and(|at| at.unsigned_abs() < time.unix_millis()) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok((low <= span.last).then_some(low))
    }

    /// Returns what the log has from a sequence on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn entries_from(
        &self,
        sequence: u64,
        limit: NonZeroUsize,
    ) -> Result<Vec<Scanned>, ReadError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {} FROM event WHERE event.sequence >= ?1 ORDER BY event.sequence LIMIT ?2",
            row::COLUMNS
        ))?;
        let limit = i64::try_from(limit.get()).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![integer(sequence), limit], |row| {
            Ok(Scanned {
                sequence: row.get::<_, i64>("sequence")?.unsigned_abs(),
                entry: row::entry(row)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns what the log has from a sequence on, with payloads, until they
    /// are more than `bytes`.
    ///
    /// # Errors
    /// [`reader::ReadError`], among others [`Damage`].
    pub(crate) fn scan(
        &self,
        sequence: u64,
        limit: NonZeroUsize,
        bytes: usize,
    ) -> Result<Vec<(Entry, Bytes)>, reader::ReadError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!(
                "SELECT {}, payload FROM event
                 WHERE event.sequence >= ?1 ORDER BY event.sequence LIMIT ?2",
                row::COLUMNS
            ))
            .map_err(ReadError::from)?;
        let limit = i64::try_from(limit.get()).unwrap_or(i64::MAX);
        let rows = statement
            .query_map(params![integer(sequence), limit], |row| {
                Ok((row::entry(row)?, row.get::<_, Vec<u8>>("payload")?))
            })
            .map_err(ReadError::from)?;
        let mut found = Vec::new();
        let mut read = 0;
        for row in rows {
            let (entry, payload) = row.map_err(ReadError::from)?;
            read += payload.len();
            found.push((entry?, Bytes::from(payload)));
            if read >= bytes {
                break;
            }
        }
        Ok(found)
    }

    /// Returns the event at a sequence with its payload; `None` if retention
    /// has removed it.
    ///
    /// # Errors
    /// [`reader::ReadError`], among others [`Damage`].
    pub(crate) fn at(&self, sequence: u64) -> Result<Option<(Entry, Bytes)>, reader::ReadError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!(
                "SELECT {}, payload FROM event WHERE event.sequence = ?1",
                row::COLUMNS
            ))
            .map_err(ReadError::from)?;
        let found = statement
            .query_row(params![integer(sequence)], |row| {
                Ok((row::entry(row)?, row.get::<_, Vec<u8>>("payload")?))
            })
            .optional()
            .map_err(ReadError::from)?;
        let Some((entry, payload)) = found else {
            return Ok(None);
        };
        let entry = entry?;
        entry.verify(&payload)?;
        Ok(Some((entry, payload.into())))
    }
}

fn integer(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
