//! The schedule as a second SQLite file beside the log.
//!
//! One thread owns it and takes what waits in one transaction, as the log's
//! writer does. The log itself is only read, so that an append never waits for
//! a delivery. A power loss may take back the last moments (WAL with
//! `synchronous=NORMAL`): then those events are delivered again, never missed.
//! Losing the whole file means starting each destination again from the log.

pub(crate) mod file;
mod origin;
mod parked;
pub(crate) mod places;
mod step;
mod worker;

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::Path,
    sync::Arc,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

pub(crate) use file::OpenError;
pub(crate) use parked::{parked, parked_at};

use self::worker::Command;
use super::{Backlog, Due, ScheduleError};
use crate::{
    deliver::{
        destination::Destination,
        job::{Attempt, Job, ParkReason, Settlement},
    },
    log::sqlite::SqliteReader,
};

/// Commands that may wait for the thread: a sender of them waits for room.
const QUEUE: usize = 1_024;

/// Makes the file beside a log from which nothing is delivered: the audit trail
/// is in it.
///
/// # Errors
/// [`OpenError`].
pub(crate) fn make(log: &Path) -> Result<(), OpenError> {
    let mut connection = file::open(&file::beside(log))?;
    origin::settle(&mut connection, &SqliteReader::open(log)?)
}

/// Asks the thread that owns the file.
#[derive(Debug)]
pub(crate) struct SqliteSchedule {
    commands: mpsc::Sender<Command>,
    thread: JoinHandle<()>,
}

impl SqliteSchedule {
    /// Opens the file beside a log, and makes it if need be.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn open(
        log: &Path,
        destinations: &[Arc<Destination>],
        approvals: NonZeroU32,
    ) -> Result<Self, OpenError> {
        let worker = worker::Worker::open(log, destinations, approvals)?;
        let (commands, waiting) = mpsc::channel(QUEUE);
        let thread = tokio::task::spawn_blocking(move || worker.run(waiting));
        Ok(Self { commands, thread })
    }

    /// Waits until the thread has closed both files.
    pub(crate) async fn close(self) {
        drop(self.commands);
        // A thread that has panicked has closed them too.
        let _ = self.thread.await;
    }

    /// See [`super::Schedule::due`].
    pub(crate) async fn due(
        &self,
        destination: &Arc<Destination>,
        room: NonZeroUsize,
    ) -> Result<Due, ScheduleError> {
        let destination = Arc::clone(destination);
        self.ask(|reply| Command::Due {
            destination,
            room,
            reply,
        })
        .await
    }

    /// See [`super::Schedule::hand_back`].
    pub(crate) async fn hand_back(&self, destination: &Arc<Destination>, jobs: &[Job]) {
        let destination = Arc::clone(destination);
        let sequences = jobs.iter().map(|job| job.entry.sequence).collect();
        let command = Command::HandBack {
            destination,
            sequences,
        };
        // A thread that has ended has forgotten them.
        let _ = self.commands.send(command).await;
    }

    /// See [`super::Schedule::settle`].
    pub(crate) async fn settle(
        &self,
        destination: &Arc<Destination>,
        job: &Job,
        attempts: &[Attempt],
        settlement: Settlement,
    ) -> Result<(), ScheduleError> {
        let destination = Arc::clone(destination);
        let (sequence, attempts) = (job.entry.sequence, attempts.to_vec());
        self.ask(|reply| Command::Settle {
            destination,
            sequence,
            attempts,
            settlement,
            reply,
        })
        .await
    }

    /// See [`super::Schedule::park`].
    pub(crate) async fn park(
        &self,
        destination: &Arc<Destination>,
        sequence: u64,
        reason: ParkReason,
    ) -> Result<bool, ScheduleError> {
        let destination = Arc::clone(destination);
        self.ask(|reply| Command::Park {
            destination,
            sequence,
            reason,
            reply,
        })
        .await
    }

    /// See [`super::Schedule::backlog`].
    pub(crate) async fn backlog(
        &self,
        destination: &Arc<Destination>,
    ) -> Result<Backlog, ScheduleError> {
        let destination = Arc::clone(destination);
        self.ask(|reply| Command::Backlog { destination, reply })
            .await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, ScheduleError>>) -> Command,
    ) -> Result<T, ScheduleError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| ScheduleError)?;
        answer.await.unwrap_or(Err(ScheduleError))
    }
}
