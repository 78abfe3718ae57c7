//! Where decisions are made: beside a log, and beside the servers that may be
//! delivering from it.

mod file;
mod hearing;
mod records;
pub(super) mod rows;
mod seen;
mod stream;

use std::io;

use hookgate_core::identity::Source;
use tokio::runtime::{Builder, Handle, Runtime};

pub(crate) use self::seen::TrailPage;
use self::{file::FileDesk, stream::StreamDesk};
use super::{
    audit::{Trail, TrailError},
    case::Case,
    ledger::LedgerError,
    operator::{Batch, Operator},
    outcome::{Item, Outcome},
    selection::Selection,
};
use crate::{
    deliver::schedule::{self, Parked, sqlite},
    evidence::Link,
    log::{self, Capability, Incapable, Kept, LogAddress, nats::EvidenceError},
};

/// Events that are decided about at once, all or none.
const CHUNK: usize = 1_000;

/// Decides about what waits for a person. Its calls block, and are none for a
/// thread that runs asynchronous tasks.
#[derive(Debug)]
pub(crate) enum Desk {
    /// Beside a log in a file.
    File(Box<FileDesk>),
    /// Beside a JetStream log.
    Stream(Box<StreamDesk>, Blocking),
}

/// Runs what is asynchronous, and lets others wait for it.
#[derive(Debug)]
pub(crate) struct Blocking {
    handle: Handle,
    /// Where it has one of its own.
    runtime: Option<Runtime>,
}

/// Says what is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// What is parked goes out again.
    Approve {
        /// To which destination; `None`: to the one that it was to go to.
        to: Option<String>,
    },
    /// What is parked is not delivered. The log keeps it.
    Discard,
    /// What isn't parked goes out again, delivered or not.
    Redeliver,
}

/// Says whether a decision is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// It is found out what would become of each event, and nothing is changed.
    Dry,
    /// It is.
    Real,
}

/// Asks for a decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// What.
    pub(crate) decision: &'a Decision,
    /// Who and why.
    pub(crate) operator: &'a Operator,
    /// Its name.
    pub(crate) batch: &'a Batch,
    /// Whether it is carried out.
    pub(crate) run: Run,
}

/// Says why nothing can be decided, or seen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewError {
    /// The log has no review.
    #[error(transparent)]
    Incapable(#[from] Incapable),
    /// The schedule can't be used.
    #[error(transparent)]
    Open(#[from] sqlite::OpenError),
    /// The schedule can't be read.
    #[error(transparent)]
    Schedule(#[from] schedule::ReadError),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] log::ReadError),
    /// SQLite refused.
    #[error("can't use the schedule of deliveries: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The schedule is of a log that was there before.
    #[error(
        "what is parked is of another log than this one: start `hookgate serve`, which begins anew"
    )]
    OtherLog,
    /// An event that was named doesn't wait for anybody, and never did.
    #[error("`{}` is not parked there", id.escape_debug())]
    NotParked {
        /// The event's ID.
        id: String,
    },
    /// A target isn't one.
    #[error(
        "`{name}` is not a destination of the server's configuration; found {}",
        listed(known)
    )]
    NotConfigured {
        /// The name.
        name: String,
        /// Those that are.
        known: Vec<String>,
    },
    /// The trail can't be gone on with, or trusted.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// The trail can't be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The log doesn't say which it is.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// No server keeps anything beside the log.
    #[error(
        "nothing is decided about beside this log yet: start `hookgate serve` with [[destinations]]"
    )]
    NotServed,
    /// A cursor is one of another log's.
    #[error("this is no page of the queue")]
    Cursor,
    /// The system gives no threads.
    #[error("can't start the runtime: {0}")]
    Runtime(#[source] io::Error),
}

impl ReviewError {
    /// Tells whether the broker is away, which may pass by itself.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Log(error) if error.is_away())
    }
}

impl From<log::sqlite::ReadError> for ReviewError {
    fn from(error: log::sqlite::ReadError) -> Self {
        Self::Log(error.into())
    }
}

impl Desk {
    /// Opens the schedule beside a log; a server may be delivering.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn open(log: &LogAddress) -> Result<Self, ReviewError> {
        match log {
            LogAddress::Sqlite(path) => Ok(Self::File(Box::new(FileDesk::open(path)?))),
            LogAddress::Nats(server) => {
                let blocking = Blocking::start()?;
                let desk = blocking.on(StreamDesk::open(server))?;
                Ok(Self::Stream(Box::new(desk), blocking))
            }
            other => Err(other.lacks(Capability::Review).into()),
        }
    }

    /// As [`Desk::open`], for whoever opens it again and again: on a runtime of
    /// theirs, and where there is a connection over that.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn kept(log: &Kept, runtime: &Handle) -> Result<Self, ReviewError> {
        let Some(connection) = log.connection() else {
            return Self::open(log.address());
        };
        let blocking = Blocking::shared(runtime);
        let desk = blocking.on(StreamDesk::kept(connection))?;
        Ok(Self::Stream(Box::new(desk), blocking))
    }

    /// Returns what a decision about parked events is about: those that are chosen,
    /// the oldest event first; and of the events that are named by their IDs those
    /// that were decided about before, so that whoever comes second is told who
    /// came first.
    ///
    /// # Errors
    /// [`ReviewError`], among others [`ReviewError::NotParked`].
    pub(crate) fn chosen(&self, selection: &Selection) -> Result<Vec<Item>, ReviewError> {
        match self {
            Self::File(desk) => desk.chosen(selection),
            Self::Stream(desk, blocking) => blocking.on(desk.chosen(selection)),
        }
    }

    /// Returns what a destination confirmed in the last 90 days, is chosen, and
    /// which the log still has, in its order. An event that is named by its ID is
    /// returned whatever became of it there.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn delivered(
        &self,
        destination: &str,
        selection: &Selection,
    ) -> Result<Vec<Item>, ReviewError> {
        match self {
            Self::File(desk) => desk.delivered(destination, selection),
            Self::Stream(desk, blocking) => blocking.on(desk.delivered(destination, selection)),
        }
    }

    /// Returns the facts of an event, at each destination where it is parked.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn cases(
        &self,
        id: &str,
        source: Option<&Source>,
    ) -> Result<Vec<Case>, ReviewError> {
        match self {
            Self::File(desk) => desk.cases(id, source),
            Self::Stream(desk, blocking) => blocking.on(desk.cases(id, source)),
        }
    }

    /// Decides about events, at most a thousand at once: what became of each, in
    /// their order. Interrupted between two of these, the same request under the
    /// same batch does the rest and nothing twice.
    ///
    /// # Errors
    /// [`ReviewError`]: nothing became of the events of the failed thousand and
    /// those after it.
    pub(crate) fn decide(
        &mut self,
        items: &[Item],
        request: Request<'_>,
    ) -> Result<Vec<Outcome>, ReviewError> {
        match self {
            Self::File(desk) => desk.decide(items, request),
            Self::Stream(desk, blocking) => blocking.on(desk.decide(items, request)),
        }
    }

    /// Reads and verifies the audit trail. `noted` is a link of it from before.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(crate) fn trail(&self, noted: Option<Link>) -> Result<Trail, ReviewError> {
        match self {
            Self::File(desk) => desk.trail(noted),
            Self::Stream(desk, blocking) => blocking.on(desk.trail(noted)),
        }
    }
}

impl Blocking {
    fn start() -> Result<Self, ReviewError> {
        // One thread of its own, so that connections are kept up between calls.
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(ReviewError::Runtime)?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    fn shared(runtime: &Handle) -> Self {
        Self {
            handle: runtime.clone(),
            runtime: None,
        }
    }

    fn on<T>(&self, task: impl Future<Output = T>) -> T {
        self.handle.block_on(task)
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        // Waits for nothing, so that it may happen wherever.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl From<&Parked> for Item {
    fn from(parked: &Parked) -> Self {
        Self {
            destination: parked.destination.clone(),
            sequence: parked.sequence,
            entry: parked.entry.clone(),
        }
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none: start `hookgate serve` with [[destinations]]".to_owned(),
        names => names.join(", "),
    }
}

fn is_one_of(name: &str, known: Vec<String>) -> Result<(), ReviewError> {
    if known.iter().any(|it| it == name) {
        return Ok(());
    }
    let name = name.to_owned();
    Err(ReviewError::NotConfigured { name, known })
}
