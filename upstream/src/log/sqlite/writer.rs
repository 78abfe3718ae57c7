//! The one thread that writes: takes what waits, commits it, answers.
//!
//! Group commit: while one sync is under way the next records gather, so the
//! rate grows with the number of senders and not with the speed of the disk.

mod retention;

use std::{mem, time::Duration};

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinError, JoinHandle},
};
use tracing::{debug, error, info, warn};

use super::{
    lock::Lock,
    row,
    schema::{Damaged, SchemaError},
};
use crate::{
    clock,
    evidence::{self, Chain, Link},
    log::{Appended, LogError, Record, Sha256Sum},
};

/// Most records of one transaction: bounds how long the first one waits.
const MAX_BATCH: usize = 256;

/// Bytes appended between two checkpoints. Raising it makes checkpoints rarer
/// and the write-ahead file (and the work after a crash) larger.
const CHECKPOINT_BYTES: usize = 8 * 1_024 * 1_024;

/// What a row and its keys take beside the payload, roughly.
const ROW_BYTES: usize = 1_024;

/// Holds a record on its way to the writer.
#[derive(Debug)]
pub(super) struct Append {
    /// What to append.
    pub(super) record: Record,
    /// Where to answer; the receiver may be gone.
    pub(super) reply: oneshot::Sender<Result<Appended, LogError>>,
}

/// Holds what the writer is asked for.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "all but one in a thousand are appends"
)]
pub(super) enum Work {
    /// To append a record.
    Append(Append),
    /// To look for events that are older than they are kept.
    Retain,
}

/// Says why the writer gave up. It never goes on after these: it could confirm
/// what isn't on disk (<https://www.sqlite.org/howtocorrupt.html>, and for a
/// failed sync <https://lwn.net/Articles/752063/>).
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The disk, or the file's content, can't be trusted.
    #[error(
        "the log can't be written safely any more: {0}. Nothing unconfirmed was acknowledged; check the disk, then start again"
    )]
    Disk(rusqlite::Error),
    /// A defect of this program.
    #[error("the log's writer stopped: {0}")]
    Defect(JoinError),
}

/// Watches over the writer.
#[derive(Debug)]
pub(crate) struct Writing {
    task: JoinHandle<Result<(), rusqlite::Error>>,
}

impl Writing {
    /// Waits until the writer ends: all its senders are gone, or
    ///
    /// # Errors
    /// [`WriteError`].
    pub(crate) async fn ended(&mut self) -> Result<(), WriteError> {
        match (&mut self.task).await {
            Ok(ended) => ended.map_err(WriteError::Disk),
            Err(error) => Err(WriteError::Defect(error)),
        }
    }
}

/// Starts the writer of a prepared connection.
///
/// # Errors
/// [`SchemaError`] if the newest link can't be read, or isn't that of the newest
/// event.
pub(super) fn start(
    connection: Connection,
    queue: mpsc::Receiver<Work>,
    keep: Option<Duration>,
    lock: Lock,
) -> Result<Writing, SchemaError> {
    let writer = Writer::new(connection, keep)?;
    let task = tokio::task::spawn_blocking(move || {
        let ended = writer.run(queue);
        // Released only now that the connection is closed.
        drop(lock);
        ended
    });
    Ok(Writing { task })
}

struct Writer {
    connection: Connection,
    /// Ends at the newest durable record.
    chain: Chain,
    /// Bytes appended since the last checkpoint, roughly.
    unchecked_bytes: usize,
    /// Whether the last batch failed: a full disk is reported once, not with
    /// every batch that it refuses.
    failing: bool,
    /// How long events are kept, if not for ever.
    keep: Option<Duration>,
    /// Whether there are more events to remove than one transaction took.
    retaining: bool,
}

impl Writer {
    fn new(connection: Connection, keep: Option<Duration>) -> Result<Self, SchemaError> {
        let event = connection.query_row(
            "SELECT max(coalesce((SELECT max(sequence) FROM event), 0),
                        coalesce((SELECT max(sequence) FROM cutoff), 0))",
            [],
            |row| row.get(0),
        )?;
        let (link, hash) = connection.query_row(
            "SELECT sequence, hash FROM link ORDER BY sequence DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if event != link {
            let found = Damaged::Tail { event, link };
            return Err(SchemaError::Damaged { found });
        }
        let chain = Chain::resume(Link {
            sequence: link.unsigned_abs(),
            hash: Sha256Sum(hash),
        });
        Ok(Self {
            connection,
            chain,
            unchecked_bytes: 0,
            failing: false,
            keep,
            retaining: false,
        })
    }

    fn run(mut self, mut queue: mpsc::Receiver<Work>) -> rusqlite::Result<()> {
        let mut works = Vec::with_capacity(MAX_BATCH);
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while self.wait(&mut queue, &mut works) {
            for work in works.drain(..) {
                match work {
                    Work::Append(append) => batch.push(append),
                    Work::Retain => self.retaining = self.keep.is_some(),
                }
            }
            match self.commit(&batch) {
                Ok(answers) => {
                    if mem::take(&mut self.failing) {
                        info!("the log takes events again");
                    }
                    for (append, appended) in batch.drain(..).zip(answers) {
                        append.answer(Ok(appended));
                    }
                }
                Err(failure) if is_recoverable(&failure) => {
                    if !mem::replace(&mut self.failing, true) {
                        warn!(%failure, "the log takes no events");
                    }
                    refuse(&mut batch);
                }
                Err(failure) => {
                    error!(%failure, "the log can't be trusted any more");
                    // Before anybody is answered: no record may follow.
                    queue.close();
                    refuse(&mut batch);
                    return Err(failure);
                }
            }
            self.retain()?;
            self.checkpoint_if_due()?;
        }
        Ok(())
    }

    /// Takes what waits. While there is something to remove, only that: then an
    /// append waits for one small transaction at most. `false`: all senders are
    /// gone.
    fn wait(&self, queue: &mut mpsc::Receiver<Work>, works: &mut Vec<Work>) -> bool {
        if !self.retaining {
            return queue.blocking_recv_many(works, MAX_BATCH) > 0;
        }
        while works.len() < MAX_BATCH {
            match queue.try_recv() {
                Ok(work) => works.push(work),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return !works.is_empty(),
            }
        }
        true
    }

    /// Removes a few events that are older than they are kept.
    fn retain(&mut self) -> rusqlite::Result<()> {
        let Some(keep) = self.keep.filter(|_| self.retaining) else {
            return Ok(());
        };
        let now = clock::now();
        let removed = retention::remove(&mut self.connection, keep, now)
            .and_then(|removed| Ok((removed, retention::forget(&self.connection, now)?)));
        match removed {
            Ok((removed, forgotten)) => {
                self.retaining = removed.is_some() || forgotten > 0;
                if let Some(removed) = removed {
                    debug!(
                        events = removed.events,
                        "removed what is older than it is kept"
                    );
                    self.unchecked_bytes += removed.bytes;
                }
                Ok(())
            }
            // Tried again when it is asked for the next time.
            Err(failure) if is_recoverable(&failure) => {
                warn!(%failure, "old events could not be removed");
                self.retaining = false;
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Appends a batch in one transaction. `Ok` means that it is on disk.
    fn commit(&mut self, batch: &[Append]) -> rusqlite::Result<Vec<Appended>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let stored_at = clock::now();
        let mut chain = self.chain;
        let mut bytes = 0;
        let mut answers = Vec::with_capacity(batch.len());
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(row::INSERT)?;
            let mut link = transaction.prepare_cached(row::INSERT_LINK)?;
            let mut first_copy = transaction.prepare_cached(row::FIRST_COPY)?;
            for Append { record, .. } in batch {
                let sequence = chain.newest().sequence.saturating_add(1);
                if row::insert(&mut insert, sequence, stored_at, record)? == 1 {
                    let content = evidence::content(&record.attributes);
                    let digest = evidence::event(sequence, stored_at, &content);
                    link.execute(params![
                        row::integer(sequence),
                        chain.extend(&digest).hash.0
                    ])?;
                    bytes += record.payload.len() + ROW_BYTES;
                    answers.push(Appended::Stored {
                        sequence: Some(sequence),
                    });
                } else {
                    let attributes = &record.attributes;
                    let found: Option<i64> = first_copy
                        .query_row(params![attributes.id, attributes.source.as_str()], |row| {
                            row.get(0)
                        })
                        .optional()?;
                    let found = found.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
                    answers.push(Appended::Duplicate {
                        sequence: found.unsigned_abs(),
                    });
                }
            }
        }
        transaction.commit()?;
        debug!(
            records = batch.len(),
            last_sequence = chain.newest().sequence,
            "committed a batch"
        );
        self.chain = chain;
        self.unchecked_bytes += bytes;
        Ok(answers)
    }

    /// Copies the write-ahead file into the main one from time to time, after
    /// everybody has been answered. Unlike SQLite's automatic checkpoint it
    /// doesn't look away when a sync fails.
    fn checkpoint_if_due(&mut self) -> rusqlite::Result<()> {
        if self.unchecked_bytes < CHECKPOINT_BYTES {
            return Ok(());
        }
        let passive = "PRAGMA wal_checkpoint(PASSIVE)";
        match self.connection.query_row(passive, [], |_| Ok(())) {
            Ok(()) => {
                self.unchecked_bytes = 0;
                Ok(())
            }
            // Tried again after the next batch; the write-ahead file grows.
            Err(failure) if is_recoverable(&failure) => {
                warn!(%failure, "the log could not be checkpointed");
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }
}

impl Append {
    fn answer(self, answer: Result<Appended, LogError>) {
        // The sender may have gone; the record is durable or not all the same.
        let _ = self.reply.send(answer);
    }
}

fn refuse(batch: &mut Vec<Append>) {
    for append in batch.drain(..) {
        append.answer(Err(LogError::Unavailable));
    }
}

/// Tells whether the file is as it was before the failure, so that the next
/// batch may be tried. Everything that isn't known to be so ends the writer.
fn is_recoverable(failure: &rusqlite::Error) -> bool {
    matches!(
        failure.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
        )
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookgate_core::time::Timestamp;
    use rusqlite::Connection;
    use tokio::sync::{mpsc, oneshot};

    use super::{Append, Work, Writer, is_recoverable};
    use crate::log::{Appended, Attributes, LogError, Record, Sha256Sum, sqlite::schema};

    fn record(id: &str, payload_bytes: usize) -> Record {
        let payload = Bytes::from(vec![b'x'; payload_bytes]);
        Record {
            attributes: Attributes {
                livemode: Some(false),
                signed_at: Some(Timestamp::from_unix_seconds(1_760_000_000)),
                signature: "t=1760000000,v1=0".to_owned(),
                sha256: Sha256Sum::of(&payload),
                ..Attributes::sample(id, Timestamp::from_unix_seconds(1_760_000_001))
            },
            payload,
        }
    }

    fn batch(ids: &[&str], payload_bytes: usize) -> Vec<Append> {
        let append = |id: &&str| Append {
            record: record(id, payload_bytes),
            reply: oneshot::channel().0,
        };
        ids.iter().map(append).collect()
    }

    fn writer() -> (tempfile::TempDir, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("log.db")).unwrap();
        schema::prepare(&connection).unwrap();
        (folder, Writer::new(connection, None).unwrap())
    }

    #[test]
    fn settles_duplicates_within_one_batch() {
        let (_folder, mut writer) = writer();
        assert_eq!(
            writer.commit(&batch(&["evt_1", "evt_2", "evt_1"], 10)),
            Ok(vec![
                Appended::Stored { sequence: Some(1) },
                Appended::Stored { sequence: Some(2) },
                Appended::Duplicate { sequence: 1 },
            ])
        );
        assert_eq!(
            writer.commit(&batch(&["evt_2", "evt_3"], 10)),
            Ok(vec![
                Appended::Duplicate { sequence: 2 },
                Appended::Stored { sequence: Some(3) },
            ])
        );
    }

    /// A bounded number of pages fails with the very SQLITE_FULL that a full
    /// disk fails with, and needs no disk of its own.
    #[test]
    fn goes_on_after_a_full_disk_with_the_sequence_that_comes_next() {
        let (_folder, mut writer) = writer();
        writer.commit(&batch(&["evt_1"], 10)).unwrap();
        let pages: i64 = writer
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        let limit = |writer: &Writer, pages: i64| {
            writer
                .connection
                .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
                .unwrap();
        };
        limit(&writer, pages + 2);

        let full = batch(&["evt_2", "evt_3"], 100_000);
        let failure = writer.commit(&full).unwrap_err();
        assert!(is_recoverable(&failure), "{failure}");
        assert_eq!(
            failure.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DiskFull)
        );

        limit(&writer, 1_000_000);
        assert_eq!(
            writer.commit(&full),
            Ok(vec![
                Appended::Stored { sequence: Some(2) },
                Appended::Stored { sequence: Some(3) },
            ])
        );
    }

    /// A sequence that is taken can only come from a second writer: nothing is
    /// known about the file any more.
    #[test]
    fn ends_when_the_file_is_not_what_it_left() {
        let (_folder, mut writer) = writer();
        let before = writer.chain;
        writer.commit(&batch(&["evt_1"], 10)).unwrap();
        writer.chain = before;
        let (sender, queue) = mpsc::channel(4);
        let (reply, mut answer) = oneshot::channel();
        sender
            .try_send(Work::Append(Append {
                record: record("evt_2", 10),
                reply,
            }))
            .unwrap();
        drop(sender);
        let failure = writer.run(queue).unwrap_err();
        assert!(!is_recoverable(&failure), "{failure}");
        assert_eq!(answer.try_recv(), Ok(Err(LogError::Unavailable)));
    }
}
