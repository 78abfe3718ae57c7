//! Looks for events backwards, without reading a payload.

use std::{num::NonZeroUsize, time::Instant};

use hookgate_core::{identity::Source, policy::TypePattern};
use rusqlite::params;

use super::{ReadError, Scanned, SqliteReader};
use crate::log::{
    Found, Sought,
    sqlite::row::{self, integer},
};

/// Rows of one statement: between two of them it is seen how late it is.
const STRIDE: u64 = 1_000;

impl SqliteReader {
    /// Looks for the newest events before a sequence (`None`: before the end),
    /// until `limit` are found or it is `until`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn backwards(
        &self,
        before: Option<u64>,
        sought: &Sought,
        limit: NonZeroUsize,
        until: Instant,
    ) -> Result<Found, ReadError> {
        let mut found = Found::default();
        let Some(span) = self.span()? else {
            return Ok(found);
        };
        let newest = span.last.saturating_add(1);
        let mut end = before.unwrap_or(newest).min(newest);
        while end > span.first {
            let start = end.saturating_sub(STRIDE).max(span.first);
            let room = limit.get().saturating_sub(found.events.len());
            // One more, so that it is known whether there are more.
            let mut some = self.matching(start, end, sought, room.saturating_add(1))?;
            if some.len() > room {
                some.truncate(room);
                let last = some.last().map_or(end, |it| it.sequence);
                found.seen += end - last;
                found.events.extend(some.into_iter().map(|it| it.entry));
                found.before = Some(last);
                return Ok(found);
            }
            found.events.extend(some.into_iter().map(|it| it.entry));
            found.seen += end - start;
            end = start;
            if end > span.first && Instant::now() >= until {
                found.before = Some(end);
                break;
            }
        }
        Ok(found)
    }

    fn matching(
        &self,
        start: u64,
        end: u64,
        sought: &Sought,
        limit: usize,
    ) -> Result<Vec<Scanned>, ReadError> {
        // The unary plus keeps SQLite from an index of (id, source).
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {} FROM event
             WHERE event.sequence >= ?1 AND event.sequence < ?2
                 AND (?3 IS NULL OR +source = ?3) AND (?4 IS NULL OR type GLOB ?4)
                 AND (?5 IS NULL OR account = ?5)
                 AND (?6 IS NULL OR substr(traceparent, 4, 32) = ?6)
             ORDER BY event.sequence DESC LIMIT ?7",
            row::COLUMNS
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(
            params![
                integer(start),
                integer(end),
                sought.source.as_ref().map(Source::as_str),
                // A pattern has no other character than `*` that means more than
                // itself.
                sought.type_name.as_ref().map(TypePattern::as_str),
                sought.account,
                sought.trace_id,
                limit
            ],
            |row| {
                Ok(Scanned {
                    sequence: row.get::<_, i64>("sequence")?.unsigned_abs(),
                    entry: row::entry(row)?,
                })
            },
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
