//! What is due at which destination, and what is remembered over a crash.

pub(crate) mod sqlite;

use std::{num::NonZeroUsize, sync::Arc};

use hookgate_core::time::Timestamp;

use super::{
    destination::Destination,
    job::{Attempt, Job, Settlement},
};
use crate::log::{self, LogAddress};
use sqlite::SqliteSchedule;

/// Keeps each destination's place in the log.
#[derive(Debug)]
pub(crate) enum Schedule {
    /// In a file beside the log.
    Sqlite(SqliteSchedule),
}

/// Says why the schedule can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The log has no places.
    #[error(
        "`{log}` delivers to no destinations, its broker's own consumers do: take the [[destinations]] out, or use a log `sqlite:PATH`"
    )]
    Unsupported {
        /// Which.
        log: LogAddress,
    },
    /// The file can't be used.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
}

/// Says why the schedule can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The schedule can't be opened.
    #[error(transparent)]
    Open(#[from] sqlite::OpenError),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] log::ReadError),
    /// SQLite refused.
    #[error("can't read the schedule of deliveries: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// Says that the schedule failed; it has told the operator why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the schedule of deliveries failed")]
pub(crate) struct ScheduleError;

/// Holds what is due.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// Events, with their payloads. None of them is handed out again before it
    /// is settled.
    pub(crate) jobs: Vec<Job>,
    /// When the next of those that wait is due, as far as is known.
    pub(crate) next_at: Option<Timestamp>,
}

/// Says how much a destination has before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Events that aren't delivered: those under way or waiting, and those of
    /// the log that weren't looked at yet, of which the filter may skip some.
    pub(crate) undelivered: u64,
    /// When the log took the oldest of them.
    pub(crate) oldest: Option<Timestamp>,
    /// Events that wait for a person.
    pub(crate) parked: u64,
}

impl Schedule {
    /// Opens the schedule of a log, and fixes where new destinations start.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn open(
        log: &LogAddress,
        destinations: &[Arc<Destination>],
    ) -> Result<Self, OpenError> {
        match log {
            LogAddress::Sqlite(path) => Ok(Self::Sqlite(SqliteSchedule::open(path, destinations)?)),
            other => Err(OpenError::Unsupported { log: other.clone() }),
        }
    }

    /// Hands out what is due now, at most `room` events.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub(crate) async fn due(
        &self,
        destination: &Arc<Destination>,
        room: NonZeroUsize,
    ) -> Result<Due, ScheduleError> {
        match self {
            Self::Sqlite(schedule) => schedule.due(destination, room).await,
        }
    }

    /// Writes down what became of an event that was handed out.
    ///
    /// # Errors
    /// [`ScheduleError`]: nothing is written down; the same may be tried again.
    pub(crate) async fn settle(
        &self,
        destination: &Arc<Destination>,
        job: &Job,
        attempts: &[Attempt],
        settlement: Settlement,
    ) -> Result<(), ScheduleError> {
        match self {
            Self::Sqlite(schedule) => {
                schedule
                    .settle(destination, job, attempts, settlement)
                    .await
            }
        }
    }

    /// Says how much a destination has before it.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub(crate) async fn backlog(
        &self,
        destination: &Arc<Destination>,
    ) -> Result<Backlog, ScheduleError> {
        match self {
            Self::Sqlite(schedule) => schedule.backlog(destination).await,
        }
    }
}
