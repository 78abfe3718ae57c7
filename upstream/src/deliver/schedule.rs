//! What is due at which destination, and what is remembered over a crash.

pub(crate) mod nats;
pub(crate) mod sqlite;

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use hookgate_core::time::Timestamp;

use super::{
    destination::Destination,
    job::{Attempt, Job, ParkReason, Settlement},
};
use crate::log::{self, Capability, Entry, Incapable, LogAddress};
use nats::NatsSchedule;
use sqlite::SqliteSchedule;

/// Keeps each destination's place in the log.
#[derive(Debug)]
pub(crate) enum Schedule {
    /// In a file beside the log.
    Sqlite(SqliteSchedule),
    /// In streams and consumers beside the log's stream.
    Nats(Box<NatsSchedule>),
}

/// Says why the schedule can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The file can't be used.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// JetStream can't hold it.
    #[error(transparent)]
    Nats(#[from] nats::OpenError),
    /// The log delivers nothing.
    #[error(transparent)]
    Incapable(#[from] Incapable),
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
    /// NATS can't be asked.
    #[error(transparent)]
    NatsOpen(#[from] nats::OpenError),
    /// NATS refused.
    #[error("can't read the parked events: {0}")]
    Nats(#[source] async_nats::Error),
    /// The log delivers nothing, and so parks nothing.
    #[error(transparent)]
    Incapable(#[from] Incapable),
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

/// Holds an event that automation gave up on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parked {
    /// Where it was to go.
    pub(crate) destination: String,
    /// The event; `None` if the log doesn't have it any more.
    pub(crate) entry: Option<Entry>,
    /// Its place in the log.
    pub(crate) sequence: u64,
    /// Why it waits: automation gave up (`refused`, `exhausted`, `damaged`), another
    /// person has to approve (`requested`), what should follow doesn't (`overdue`), or it
    /// came held (`held`).
    pub(crate) reason: String,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it was tried last.
    pub(crate) last_at: Timestamp,
    /// The HTTP status of the last answer, if there was one.
    pub(crate) status: Option<u16>,
    /// The beginning of the last answer, or why there was none.
    pub(crate) answer: String,
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

/// Returns what is parked and wanted, the oldest event first; a server may be delivering.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn parked(
    log: &LogAddress,
    destination: Option<&str>,
    limit: NonZeroUsize,
    wanted: impl Fn(&Parked) -> bool,
) -> Result<Vec<Parked>, ReadError> {
    match log {
        LogAddress::Sqlite(path) => sqlite::parked(path, destination, limit, wanted),
        LogAddress::Nats(server) => nats::parked(server, destination, limit, wanted).await,
        other => Err(other.lacks(Capability::Deliveries).into()),
    }
}

impl Schedule {
    /// Opens the schedule of a log, and fixes where new destinations start and
    /// how many people must approve of a redelivery.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) async fn open(
        log: &LogAddress,
        destinations: &[Arc<Destination>],
        approvals: NonZeroU32,
    ) -> Result<Self, OpenError> {
        match log {
            LogAddress::Sqlite(path) => {
                let schedule = SqliteSchedule::open(path, destinations, approvals)?;
                Ok(Self::Sqlite(schedule))
            }
            LogAddress::Nats(server) => {
                let schedule = NatsSchedule::open(server, destinations, approvals).await?;
                Ok(Self::Nats(Box::new(schedule)))
            }
            other => Err(other.lacks(Capability::Deliveries).into()),
        }
    }

    /// Carries out what people decided since, where that is not done with the
    /// decision.
    ///
    /// # Errors
    /// [`ScheduleError`]: nothing is lost; the same may be tried again.
    pub(crate) async fn carry_out(&self) -> Result<(), ScheduleError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Nats(schedule) => schedule.carry_out().await,
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
            Self::Nats(schedule) => schedule.due(destination, room).await,
        }
    }

    /// Takes events back that were handed out and not tried: they are due as
    /// they were. Events that can't be given back now are when the schedule is
    /// opened again.
    pub(crate) async fn hand_back(&self, destination: &Arc<Destination>, jobs: Vec<Job>) {
        match self {
            Self::Sqlite(schedule) => schedule.hand_back(destination, &jobs).await,
            Self::Nats(schedule) => schedule.hand_back(destination, &jobs).await,
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
            Self::Nats(schedule) => {
                schedule
                    .settle(destination, job, attempts, settlement)
                    .await
            }
        }
    }

    /// Lets an event wait for a person at a destination; returns `false` if it still is to be
    /// delivered there.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub(crate) async fn park(
        &self,
        destination: &Arc<Destination>,
        sequence: u64,
        reason: ParkReason,
    ) -> Result<bool, ScheduleError> {
        match self {
            Self::Sqlite(schedule) => schedule.park(destination, sequence, reason).await,
            Self::Nats(schedule) => {
                let parked = schedule.park(&destination.name, sequence, &[], reason);
                parked.await.map(|()| true)
            }
        }
    }

    /// Waits until nothing of it is open any more.
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(schedule) => schedule.close().await,
            // Its connection holds nothing.
            Self::Nats(_) => {}
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
            Self::Nats(schedule) => schedule.backlog(destination).await,
        }
    }
}
