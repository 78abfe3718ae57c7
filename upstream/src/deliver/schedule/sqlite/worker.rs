//! The thread that owns the file.

use std::{
    collections::{HashMap, HashSet},
    num::{NonZeroU32, NonZeroUsize},
    path::Path,
    sync::Arc,
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::{file, file::OpenError, origin, places, step::Step};
use crate::{
    clock,
    deliver::{
        destination::Destination,
        job::{Attempt, ParkReason, Settlement},
        schedule::{Backlog, Due, ScheduleError},
    },
    log::{
        self, Start,
        sqlite::{ReadError, SqliteReader},
    },
};

/// Commands of one transaction, at most.
const MAX_BATCH: usize = 256;

/// Says what is asked of the thread.
#[derive(Debug)]
pub(super) enum Command {
    Due {
        destination: Arc<Destination>,
        room: NonZeroUsize,
        reply: oneshot::Sender<Result<Due, ScheduleError>>,
    },
    HandBack {
        destination: Arc<Destination>,
        sequences: Vec<u64>,
    },
    Settle {
        destination: Arc<Destination>,
        sequence: u64,
        attempts: Vec<Attempt>,
        settlement: Settlement,
        reply: oneshot::Sender<Result<(), ScheduleError>>,
    },
    Park {
        destination: Arc<Destination>,
        sequence: u64,
        reason: ParkReason,
        reply: oneshot::Sender<Result<bool, ScheduleError>>,
    },
    Backlog {
        destination: Arc<Destination>,
        reply: oneshot::Sender<Result<Backlog, ScheduleError>>,
    },
}

/// Says why a transaction failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Read(#[from] log::ReadError),
    #[error(transparent)]
    Log(#[from] log::sqlite::ReadError),
}

/// Owns the file, and reads the log.
pub(super) struct Worker {
    connection: Connection,
    log: SqliteReader,
    /// What was handed out and isn't settled, by destination.
    under_way: HashMap<String, HashSet<u64>>,
}

/// Is given once the transaction is committed.
enum Answer {
    Due(oneshot::Sender<Result<Due, ScheduleError>>, Due),
    Settled(oneshot::Sender<Result<(), ScheduleError>>, Handed),
    Parked(oneshot::Sender<Result<bool, ScheduleError>>, bool),
    Backlog(oneshot::Sender<Result<Backlog, ScheduleError>>, Backlog),
}

/// Names what was handed out: a destination and a sequence.
struct Handed(String, u64);

impl Worker {
    /// Opens the file, and gives each new destination its place.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) fn open(
        log: &Path,
        destinations: &[Arc<Destination>],
        approvals: NonZeroU32,
    ) -> Result<Self, OpenError> {
        let path = file::beside(log);
        let mut connection = file::open(&path)?;
        let log = SqliteReader::open(log)?;
        origin::settle(&mut connection, &log)?;
        let sqlite = |source| OpenError::Sqlite {
            path: path.clone(),
            source,
        };
        for destination in destinations {
            let known = places::position(&connection, &destination.name).map_err(sqlite)?;
            if known.is_none() {
                let position = start(&log, destination.from)?;
                let link = log.link(position)?;
                places::move_to(&connection, &destination.name, position, link, clock::now())
                    .map_err(sqlite)?;
                info!(
                    destination = destination.name,
                    position, "a new destination"
                );
            }
        }
        let transaction = connection.transaction()?;
        places::configure(&transaction, destinations, approvals)?;
        transaction.commit()?;
        Ok(Self {
            connection,
            log,
            under_way: HashMap::new(),
        })
    }

    /// Serves commands until nobody can send any.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while commands.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
            let mut handed_out = Vec::new();
            match self.serve(&mut batch, &mut handed_out) {
                Ok(answers) => answers.into_iter().for_each(|answer| self.give(answer)),
                Err(failure) => {
                    // Whoever asked sees no answer, and asks again.
                    warn!(%failure, "the schedule of deliveries failed");
                    batch.clear();
                    handed_out.iter().for_each(|handed| self.take_back(handed));
                }
            }
        }
    }

    fn serve(
        &mut self,
        batch: &mut Vec<Command>,
        handed_out: &mut Vec<Handed>,
    ) -> Result<Vec<Answer>, Failure> {
        let behaviour = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behaviour)?;
        let now = clock::now();
        let mut answers = Vec::with_capacity(batch.len());
        for command in batch.drain(..) {
            answers.push(match command {
                Command::Due {
                    destination,
                    room,
                    reply,
                } => {
                    let under_way = (self.under_way)
                        .entry(destination.name.clone())
                        .or_default();
                    let step = Step::new(&transaction, &self.log, &destination, now);
                    let due = step.due(room, under_way)?;
                    for job in &due.jobs {
                        let sequence = job.entry.sequence;
                        under_way.insert(sequence);
                        handed_out.push(Handed(destination.name.clone(), sequence));
                    }
                    Answer::Due(reply, due)
                }
                Command::HandBack {
                    destination,
                    sequences,
                } => {
                    if let Some(under_way) = self.under_way.get_mut(&destination.name) {
                        under_way.retain(|sequence| !sequences.contains(sequence));
                    }
                    continue;
                }
                Command::Settle {
                    destination,
                    sequence,
                    attempts,
                    settlement,
                    reply,
                } => {
                    let name = &destination.name;
                    places::settle(&transaction, name, sequence, &attempts, settlement)?;
                    Answer::Settled(reply, Handed(name.clone(), sequence))
                }
                Command::Park {
                    destination,
                    sequence,
                    reason,
                    reply,
                } => {
                    let name = &destination.name;
                    let waits = places::park(&transaction, name, sequence, reason, now)?;
                    Answer::Parked(reply, waits)
                }
                Command::Backlog { destination, reply } => {
                    places::prune(&transaction, now)?;
                    let step = Step::new(&transaction, &self.log, &destination, now);
                    Answer::Backlog(reply, step.backlog()?)
                }
            });
        }
        transaction.commit()?;
        Ok(answers)
    }

    /// Answers. Whoever asked may be gone, which happens when all of it ends.
    fn give(&mut self, answer: Answer) {
        match answer {
            Answer::Due(reply, due) => {
                let _ = reply.send(Ok(due));
            }
            Answer::Settled(reply, handed) => {
                self.take_back(&handed);
                let _ = reply.send(Ok(()));
            }
            Answer::Parked(reply, waits) => {
                let _ = reply.send(Ok(waits));
            }
            Answer::Backlog(reply, backlog) => {
                let _ = reply.send(Ok(backlog));
            }
        }
    }

    fn take_back(&mut self, Handed(name, sequence): &Handed) {
        if let Some(under_way) = self.under_way.get_mut(name) {
            under_way.remove(sequence);
        }
    }
}

/// Returns the sequence after which a destination starts.
fn start(log: &SqliteReader, from: Start) -> Result<u64, ReadError> {
    let last = || Ok::<_, ReadError>(log.span()?.map_or(0, |span| span.last));
    match from {
        Start::Beginning => Ok(0),
        Start::Sequence(sequence) => Ok(sequence.saturating_sub(1).min(last()?)),
        Start::Time(time) => match log.first_at(time)? {
            Some(first) => Ok(first.saturating_sub(1)),
            None => last(),
        },
        Start::Now => last(),
    }
}
