//! In a file beside the log's.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use hookgate_core::time::Timestamp;
use hookgate_watch::parts::Head;
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};

use super::{GateName, MAX_GATES, MAX_SHOWN, MAX_VERDICTS, StoreError, Verdict};

/// Marks a file as ours ("HkGw").
const APPLICATION_ID: i32 = 0x486b_4777;

/// Version of the layout below.
const VERSION: i32 = 2;

/// How long a statement waits for another program that reads the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// The version before, whose states are of one piece: they are learnt anew.
const WHOLE_STATES: i32 = 1;

/// What gates have learnt; one has a save once the last part of it came.
const GATES: &str = "
    CREATE TABLE gate (
        name TEXT PRIMARY KEY,
        at   INTEGER NOT NULL,
        save INTEGER
    ) STRICT;
    CREATE TABLE part (
        gate   TEXT NOT NULL REFERENCES gate ON DELETE CASCADE,
        save   INTEGER NOT NULL,
        number INTEGER NOT NULL,
        bytes  BLOB NOT NULL,
        PRIMARY KEY (gate, save, number)
    ) STRICT;";

/// What they said.
const VERDICTS: &str = "
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

    pub(super) async fn part(
        &self,
        gate: &GateName,
        part: Option<(u64, u32)>,
    ) -> Result<Option<Bytes>, StoreError> {
        let gate = gate.clone();
        let found = self.run(move |file| {
            let (save, number) = part.map_or((None, 0), |(save, number)| (Some(save), number));
            file.prepare_cached(
                "SELECT bytes FROM part JOIN gate ON name = gate
                 WHERE gate = ?1 AND part.save = ifnull(?2, gate.save) AND number = ?3",
            )?
            .query_row(params![gate.as_str(), save.map(signed), number], |row| {
                row.get::<_, Vec<u8>>(0)
            })
            .optional()
        });
        Ok(found.await?.map(Bytes::from))
    }

    pub(super) async fn save(
        &self,
        gate: &GateName,
        head: Head,
        part: Bytes,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let gate = gate.clone();
        self.run(move |file| {
            let transaction = file.transaction()?;
            let (name, save) = (gate.as_str(), signed(head.save));
            let run = |statement, params: &[&dyn ToSql]| {
                transaction.prepare_cached(statement)?.execute(params)
            };
            if head.number == 0 {
                run(
                    "INSERT INTO gate (name, at) VALUES (?1, ?2)
                     ON CONFLICT DO UPDATE SET at = excluded.at",
                    &[&name, &millis(now)],
                )?;
                run(
                    "DELETE FROM gate WHERE name <> ?1 AND name NOT IN (
                         SELECT name FROM gate ORDER BY at DESC LIMIT ?2)",
                    &[&name, &number(MAX_GATES)],
                )?;
                // What began before and never ended.
                run(
                    "DELETE FROM part WHERE gate = ?1 AND save IS NOT (
                         SELECT save FROM gate WHERE name = ?1)",
                    &[&name],
                )?;
            }
            // Only behind the part before it: what is thrown away meanwhile doesn't go on.
            let is_kept = run(
                "INSERT OR REPLACE INTO part (gate, save, number, bytes)
                 SELECT ?1, ?2, ?3, ?4 WHERE ?3 = 0 OR EXISTS (
                     SELECT 1 FROM part WHERE gate = ?1 AND save = ?2 AND number = ?3 - 1)",
                &[&name, &save, &head.number, &&*part],
            )? > 0;
            if is_kept && head.is_last {
                run("UPDATE gate SET save = ?2 WHERE name = ?1", &[&name, &save])?;
                run(
                    "DELETE FROM part WHERE gate = ?1 AND save <> ?2",
                    &[&name, &save],
                )?;
            }
            transaction.commit()?;
            Ok(is_kept)
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
    file.pragma_update(None, "foreign_keys", true)?;
    if found == (APPLICATION_ID, VERSION) {
        return Ok(file);
    }
    file.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    file.pragma_update(None, "synchronous", "FULL")?;
    // Fails on tables of somebody else, and leaves them.
    let transaction = file.transaction()?;
    transaction.execute_batch(GATES)?;
    transaction.execute_batch(if found == (APPLICATION_ID, WHOLE_STATES) {
        "DROP TABLE state"
    } else {
        VERDICTS
    })?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(file)
}

fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.unix_millis()).unwrap_or(i64::MAX)
}

/// The number of a save as SQLite has it.
const fn signed(save: u64) -> i64 {
    save.cast_signed()
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use hookgate_core::time::Timestamp;
    use rusqlite::{Connection, params};

    use super::{APPLICATION_ID, SqliteStore};
    use crate::gate_watch::{GateName, Verdict};

    /// The layout before there were parts.
    const FIRST: &str = "
        CREATE TABLE state (gate TEXT PRIMARY KEY, at INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
        CREATE TABLE verdict (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, told TEXT NOT NULL
        ) STRICT;
        CREATE INDEX verdict_at ON verdict (at);";

    #[tokio::test]
    async fn verdicts_of_the_layout_before_are_kept_and_its_states_learnt_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let verdict = Verdict {
            id: "edge.1".to_owned(),
            gate: GateName::new("edge").unwrap(),
            kind: "slow_loris".to_owned(),
            score: 0.5,
            subject: None,
            began: Timestamp::from_unix_millis(1_000),
            at: Timestamp::from_unix_millis(2_000),
            evidence: "40 requests open".to_owned(),
        };
        let file = Connection::open(folder.path().join("log.watch")).unwrap();
        file.execute_batch(FIRST).unwrap();
        file.execute("INSERT INTO state VALUES ('edge', 1, x'00')", [])
            .unwrap();
        file.execute(
            "INSERT INTO verdict VALUES (1, ?1, 2000, ?2)",
            params![verdict.id, verdict.json()],
        )
        .unwrap();
        file.pragma_update(None, "application_id", APPLICATION_ID)
            .unwrap();
        file.pragma_update(None, "user_version", 1).unwrap();
        drop(file);
        let store = SqliteStore::beside(&log);
        let told = store.since(Timestamp::from_unix_millis(0)).await.unwrap();
        assert_eq!(told, [verdict]);
        let gate = GateName::new("edge").unwrap();
        assert_eq!(store.part(&gate, None).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_file_of_somebody_else_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = Connection::open(folder.path().join("log.watch")).unwrap();
        file.execute_batch(FIRST).unwrap();
        let store = SqliteStore::beside(&folder.path().join("log"));
        let gate = GateName::new("edge").unwrap();
        assert!(store.part(&gate, None).await.is_err());
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
        let count: i64 = file.query_row(tables, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 2);
    }
}
