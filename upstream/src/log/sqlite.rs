//! The log as one SQLite file: nothing to install, one machine.
//!
//! Durable when its transaction is synced to disk: WAL with
//! `synchronous=FULL`. One thread writes; it puts everything that waits into
//! one transaction, so that a sync is paid once for many events.
//! Source: <https://www.sqlite.org/wal.html>,
//! <https://www.sqlite.org/pragma.html#pragma_synchronous>.

mod backup;
mod evidence;
mod lock;
mod reader;
mod redact;
mod row;
mod schema;
mod writer;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

pub(crate) use backup::{BackupError, backup};
pub(crate) use reader::{ReadError, Scanned, SqliteReader};
pub(crate) use redact::redact;
pub(crate) use writer::{WriteError, Writing};

use self::{
    lock::Lock,
    schema::SchemaError,
    writer::{Append, Work},
};
use super::{Appended, Limits, LogError, Record};

/// How long a statement waits for another program that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the writer looks for old events: a tenth of how long they are
/// kept, within these.
const MIN_RETENTION_PERIOD: Duration = Duration::from_millis(100);
const MAX_RETENTION_PERIOD: Duration = Duration::from_mins(1);

/// Says why a file can't be used as the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The folder of the file can't be made.
    #[error("can't make the folder `{}` for the log: {source}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The lock file can't be made.
    #[error("can't lock the log by `{}`: {source}", path.display())]
    Lock {
        /// Of the lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another server has the log.
    #[error(
        "the log `{}` is in use by another `hookgate serve`: stop that one, or give this one its own --log",
        path.display()
    )]
    InUse {
        /// Of the log.
        path: PathBuf,
    },
    /// The file is of another program or of another version of this one.
    #[error("can't use `{}` as the log: {source}", path.display())]
    Schema {
        /// Of the log.
        path: PathBuf,
        /// Why.
        source: SchemaError,
    },
}

/// Appends to the file, through its writer.
#[derive(Debug)]
pub(crate) struct SqliteLog {
    queue: mpsc::Sender<Work>,
}

/// Opens the file for appending, makes it if need be, and starts its writer.
///
/// # Errors
/// [`OpenError`].
pub(crate) fn open(path: &Path, limits: Limits) -> Result<(SqliteLog, Writing), OpenError> {
    let folder = folder(path);
    fs::create_dir_all(folder).map_err(|source| OpenError::Folder {
        folder: folder.into(),
        source,
    })?;
    let lock = Lock::acquire(path)?;
    let connection = connect(path).map_err(|source| OpenError::Schema {
        path: path.into(),
        source,
    })?;
    // The file's name must survive a power loss as the events in it do.
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| OpenError::Folder {
            folder: folder.into(),
            source,
        })?;
    let (queue, waiting) = mpsc::channel(limits.queue);
    let writing = writer::start(connection, waiting, limits.keep, lock).map_err(|source| {
        OpenError::Schema {
            path: path.into(),
            source,
        }
    })?;
    if let Some(keep) = limits.keep {
        tokio::spawn(ask_to_retain(queue.downgrade(), keep));
    }
    Ok((SqliteLog { queue }, writing))
}

/// Asks the writer from time to time, for as long as somebody may append.
async fn ask_to_retain(queue: mpsc::WeakSender<Work>, keep: Duration) {
    let period = (keep / 10).clamp(MIN_RETENTION_PERIOD, MAX_RETENTION_PERIOD);
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(queue) = queue.upgrade() else { return };
        // A full queue has more urgent things in it.
        let _ = queue.try_send(Work::Retain);
    }
}

impl SqliteLog {
    /// Appends a record and waits until its transaction is on disk.
    ///
    /// # Errors
    /// [`LogError`].
    pub(crate) async fn append(&self, record: Record) -> Result<Appended, LogError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .try_send(Work::Append(Append { record, reply }))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => LogError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => LogError::Unavailable,
            })?;
        // A writer that ended without an answer confirmed nothing.
        answer.await.unwrap_or(Err(LogError::Unavailable))
    }

    /// Tells whether the writer is alive and keeps up.
    pub(crate) fn is_ready(&self) -> bool {
        !self.queue.is_closed() && self.queue.capacity() > 0
    }
}

fn connect(path: &Path) -> Result<Connection, SchemaError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    schema::prepare(&connection)?;
    Ok(connection)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
