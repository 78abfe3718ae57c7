//! In a file beside the log's.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use hookgate_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{GateName, MAX_GATES, MAX_SHOWN, MAX_VERDICTS, StoreError, Verdict};

/// Marks a file as ours ("HkGw").
const APPLICATION_ID: i32 = 0x486b_4777;

/// Version of the layout below.
const VERSION: i32 = 1;

/// How long a statement waits for another program that reads the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

const LAYOUT: &str = "
    CREATE TABLE state (
        gate  TEXT PRIMARY KEY,
        at    INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
    CREATE TABLE verdict (
        number INTEGER PRIMARY KEY,
        id     TEXT NOT NULL UNIQUE,
        at     INTEGER NOT NULL,
        told   TEXT NOT NULL
    ) STRICT;
    CREATE INDEX verdict_at ON verdict (at);";

/// Keeps everything in one file.
#[derive(Debug, Clone)]
pub(super) struct SqliteStore {
    path: PathBuf,
    opened: Arc<Mutex<Option<Connection>>>,
}

impl SqliteStore {
    /// Names the file beside a log.
    pub(super) fn beside(log: &Path) -> Self {
        let mut name = log.as_os_str().to_owned();
        name.push(".watch");
        Self {
            path: name.into(),
            opened: Arc::default(),
        }
    }

    pub(super) async fn state(&self, gate: &GateName) -> Result<Option<Bytes>, StoreError> {
        let gate = gate.clone();
        let found = self.run(move |file| {
            file.prepare_cached("SELECT bytes FROM state WHERE gate = ?1")?
                .query_row([gate.as_str()], |row| row.get::<_, Vec<u8>>(0))
                .optional()
        });
        Ok(found.await?.map(Bytes::from))
    }

    pub(super) async fn save(
        &self,
        gate: &GateName,
        state: Bytes,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let gate = gate.clone();
        self.run(move |file| {
            let transaction = file.transaction()?;
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO state (gate, at, bytes) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![gate.as_str(), millis(now), &*state])?;
            transaction
                .prepare_cached(
                    "DELETE FROM state WHERE gate <> ?1 AND gate NOT IN (
                         SELECT gate FROM state ORDER BY at DESC LIMIT ?2)",
                )?
                .execute(params![gate.as_str(), number(MAX_GATES)])?;
            transaction.commit()
        })
        .await
    }

    pub(super) async fn add(&self, verdict: Verdict) -> Result<bool, StoreError> {
        self.run(move |file| {
            let transaction = file.transaction()?;
            let added = transaction
                .prepare_cached(
                    "INSERT INTO verdict (id, at, told) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![verdict.id, millis(verdict.at), verdict.json()])?;
            transaction
                .prepare_cached(
                    "DELETE FROM verdict WHERE number <= (SELECT max(number) FROM verdict) - ?1",
                )?
                .execute([number(MAX_VERDICTS)])?;
            transaction.commit()?;
            Ok(added > 0)
        })
        .await
    }

    pub(super) async fn since(&self, time: Timestamp) -> Result<Vec<Verdict>, StoreError> {
        let told = self.run(move |file| {
            let mut statement = file.prepare_cached(
                "SELECT told FROM verdict WHERE at >= ?1 ORDER BY number DESC LIMIT ?2",
            )?;
            let limits = [millis(time), number(MAX_SHOWN)];
            let rows = statement.query_map(limits, |row| row.get::<_, String>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
        let told = told.await?;
        let read = |text: &String| Verdict::parse(text.as_bytes()).ok();
        Ok(told.iter().rev().filter_map(read).collect())
    }

    /// Runs statements on a thread that may wait for the disk.
    async fn run<T: Send + 'static>(
        &self,
        statements: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Self { path, opened } = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
            let run = || {
                let file = match opened.take() {
                    Some(file) => opened.insert(file),
                    None => opened.insert(open(&path)?),
                };
                statements(file)
            };
            run().map_err(|source| StoreError::Sqlite {
                path: path.clone(),
                source,
            })
        });
        task.await.map_err(|_| StoreError::Ended)?
    }
}

/// Opens the file, and makes it if need be.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut file = Connection::open(path)?;
    file.busy_timeout(BUSY_TIMEOUT)?;
    let pragma = |name| file.pragma_query_value::<i32, _>(None, name, |row| row.get(0));
    let found = (pragma("application_id")?, pragma("user_version")?);
    if found == (APPLICATION_ID, VERSION) {
        return Ok(file);
    }
    file.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    file.pragma_update(None, "synchronous", "FULL")?;
    // Fails on tables of somebody else, and leaves them.
    let transaction = file.transaction()?;
    transaction.execute_batch(LAYOUT)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(file)
}

fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.unix_millis()).unwrap_or(i64::MAX)
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
