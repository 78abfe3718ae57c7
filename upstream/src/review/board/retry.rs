//! What waits for another attempt: the one that is due first.
//!
//! Read from the schedule, where an index holds those of each destination in that
//! order: however much other destinations are sent, and however long the log is.

use hookgate_core::time::Timestamp;
use rusqlite::params;

use super::{Board, RECENT, SHOWN, attempt};
use crate::{
    deliver::schedule::sqlite::places::{millis, unsigned},
    log::Entry,
    review::{case::PastAttempt, desk::ReviewError},
};

/// Holds an event that is tried again.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    /// Its place in the log.
    pub(crate) sequence: u64,
    /// The event; `None` if the log doesn't have it any more, or damaged.
    pub(crate) entry: Option<Entry>,
    /// Attempts so far.
    pub(crate) attempts: u32,
    /// When the next one is due.
    pub(crate) at: Timestamp,
    /// The last one; `None` if it is too long ago to be kept.
    pub(crate) last: Option<PastAttempt>,
}

impl Board {
    /// Returns what waits for another attempt at a destination, the one first that
    /// is due first: ten at most.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn retries(&self, destination: &str) -> Result<Vec<Retry>, ReviewError> {
        let mut retries = self.due(destination)?;
        for retry in &mut retries {
            retry.entry = self.entry(retry.sequence)?;
        }
        Ok(retries)
    }

    /// Returns the newest attempt of those that another one follows.
    pub(super) fn waited_for(&self, destination: &str) -> rusqlite::Result<Option<PastAttempt>> {
        let last = self.due(destination)?.into_iter().filter_map(|it| it.last);
        Ok(last.max_by_key(|attempt| attempt.at))
    }

    /// Tells whether one of the last thousand attempts was delivered there since.
    pub(super) fn delivered_since(
        &self,
        destination: &str,
        at: Timestamp,
    ) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1
                 FROM (SELECT * FROM attempt INDEXED BY attempt_at ORDER BY at DESC LIMIT ?1)
                 WHERE destination = ?2 AND outcome = 'delivered' AND at > ?3)",
            )?
            .query_row(params![RECENT, destination, millis(at)], |row| row.get(0))
    }

    fn due(&self, destination: &str) -> rusqlite::Result<Vec<Retry>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT attempt.number, attempt.at, attempt.via, attempt.outcome, attempt.status,
                 attempt.latency, attempt.answer, job.sequence, job.attempts, job.due_at
             FROM job INDEXED BY job_due LEFT JOIN attempt
                 ON attempt.destination = job.destination
                 AND attempt.sequence = job.sequence AND attempt.number = job.attempts
             WHERE job.destination = ?1 AND job.state = 1
             ORDER BY job.due_at LIMIT ?2",
        )?;
        let rows = statement.query_map(params![destination, SHOWN], |row| {
            let number: Option<u32> = row.get(0)?;
            Ok(Retry {
                sequence: unsigned(row.get(7)?),
                entry: None,
                attempts: row.get(8)?,
                at: Timestamp::from_unix_millis(unsigned(row.get(9)?)),
                last: number.map(|_| attempt(row)).transpose()?,
            })
        })?;
        rows.collect()
    }
}
