//! What is parked, a page at a time: the one that was tried longest ago first.
//!
//! Each destination's parked events stand in an index in that order, so that a
//! page reads as many rows as it shows, however many there are, and a filter has
//! a bound on what it looks through.

use std::collections::VecDeque;

use hookgate_core::time::Timestamp;
use rusqlite::params;

use super::Board;
use crate::{
    deliver::schedule::{
        Parked,
        sqlite::places::{millis, signed, unsigned},
    },
    review::{Cursor, QueuePage, Selection, desk::ReviewError, queue::Tried},
};

/// Parked events that are looked through for one page: some 15 ms.
const MOST_SEEN: usize = 300;

/// Rows that are read of a destination at a time.
const STRIDE: i64 = 64;

/// Holds what was read of one destination and isn't looked at yet.
struct Line {
    destination: String,
    read: VecDeque<Parked>,
    /// Up to where it was read.
    until: Tried,
    has_more: bool,
}

impl Board {
    /// Returns what is parked and chosen behind a place, at most `most`.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn queue(
        &self,
        selection: &Selection,
        after: Option<&Tried>,
        most: usize,
    ) -> Result<QueuePage, ReviewError> {
        let mut lines = self.lines(selection, after)?;
        let mut page = QueuePage::default();
        let mut last = None;
        for _ in 0..MOST_SEEN {
            let Some(mut parked) = self.first(&mut lines)? else {
                return Ok(page);
            };
            if page.parked.len() == most {
                page.next = last.map(Cursor::Tried);
                return Ok(page);
            }
            last = Some(Tried::of(&parked));
            parked.entry = self.entry(parked.sequence)?;
            if selection.chooses_parked(&parked) {
                page.parked.push(parked);
            }
        }
        page.next = last.map(Cursor::Tried);
        Ok(page)
    }

    fn lines(
        &self,
        selection: &Selection,
        after: Option<&Tried>,
    ) -> Result<Vec<Line>, ReviewError> {
        let places = self.places()?.into_iter().map(|(name, ..)| name);
        let chosen = places.filter(|name| selection.chooses_place(name));
        let begin = |destination: String| {
            let mut until = Tried {
                at: Timestamp::from_unix_millis(0),
                sequence: 0,
                destination: destination.clone(),
            };
            if let Some(after) = after {
                until.at = after.at;
                until.sequence = after.sequence;
                // Of one time and sequence they are in the order of their names.
                if destination > after.destination {
                    until.sequence = after.sequence.saturating_sub(1);
                }
            }
            Line {
                destination,
                read: VecDeque::new(),
                until,
                has_more: true,
            }
        };
        Ok(chosen.map(begin).collect())
    }

    /// Takes the first one of all lines.
    fn first(&self, lines: &mut [Line]) -> Result<Option<Parked>, ReviewError> {
        for line in lines.iter_mut() {
            if line.read.is_empty() && line.has_more {
                line.read = self.some(&line.destination, &line.until)?.into();
                line.has_more = i64::try_from(line.read.len()) == Ok(STRIDE);
                if let Some(last) = line.read.back() {
                    line.until = Tried::of(last);
                }
            }
        }
        let heads = lines.iter_mut().filter(|line| !line.read.is_empty());
        let first = heads.min_by_key(|line| line.read.front().map(Tried::of));
        Ok(first.and_then(|line| line.read.pop_front()))
    }

    fn some(&self, destination: &str, after: &Tried) -> Result<Vec<Parked>, ReviewError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT job.sequence, coalesce(job.reason, ''), job.attempts, job.due_at,
                 attempt.status, attempt.answer
             FROM job INDEXED BY job_due LEFT JOIN attempt
                 ON attempt.destination = job.destination
                 AND attempt.sequence = job.sequence AND attempt.number = job.attempts
             WHERE job.destination = ?1 AND job.state = 3
                 AND job.due_at >= ?2 AND (job.due_at > ?2 OR job.sequence > ?3)
             ORDER BY job.due_at, job.sequence LIMIT ?4",
        )?;
        let (at, sequence) = (millis(after.at), signed(after.sequence));
        let rows = statement.query_map(params![destination, at, sequence, STRIDE], |row| {
            let answer: Option<Vec<u8>> = row.get(5)?;
            Ok(Parked {
                destination: destination.to_owned(),
                entry: None,
                sequence: unsigned(row.get(0)?),
                reason: row.get(1)?,
                attempts: row.get(2)?,
                last_at: Timestamp::from_unix_millis(unsigned(row.get(3)?)),
                status: row.get(4)?,
                answer: String::from_utf8_lossy(&answer.unwrap_or_default()).into_owned(),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Tried {
    fn of(parked: &Parked) -> Self {
        Self {
            at: parked.last_at,
            sequence: parked.sequence,
            destination: parked.destination.clone(),
        }
    }
}
