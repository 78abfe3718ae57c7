//! The chain of a file: its head, and whether it holds.

use hookgate_core::{identity::Source, time::Timestamp};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row};

use super::{ReadError, SqliteReader, row};
use crate::{
    evidence::{Audit, Chain, Cutoff, Head, Kind, Link, LogId, Redaction, Verdict},
    log::{Sha256Sum, VerifyError},
};

/// How many events are verified between two calls of `progress`.
const STRIDE: u64 = 1_000;

impl SqliteReader {
    /// Returns the newest links.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn head(&self, now: Timestamp) -> Result<Head, ReadError> {
        Ok(head(&self.connection, now)?)
    }

    /// Returns the hash of one link; `None` if the log has no such event, not yet
    /// or not any more.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn link(&self, sequence: u64) -> Result<Option<Sha256Sum>, ReadError> {
        let found = self
            .connection
            .prepare_cached("SELECT sequence, hash FROM link WHERE sequence = ?1")?
            .query_row([row::integer(sequence)], link)
            .optional()?;
        Ok(found.map(|link| link.hash))
    }

    /// Verifies everything, as it is at one moment; `progress` is told how many
    /// events of how many are done.
    ///
    /// # Errors
    /// [`VerifyError`]. What is damaged is no error: the verdict has it.
    pub(crate) fn verify(
        &self,
        head: Option<Head>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Verdict, VerifyError> {
        let snapshot = self.connection.unchecked_transaction()?;
        let cutoff = cutoff(&snapshot)?;
        let mut audit = Audit::start(log_id(&snapshot)?, cutoff, head)?;
        if let Err(failure) = feed(&snapshot, &mut audit, cutoff, &mut progress) {
            // Such a file can be read, and says that it is damaged.
            if failure.sqlite_error_code() != Some(ErrorCode::DatabaseCorrupt) {
                return Err(failure.into());
            }
            audit.storage(failure.to_string());
        }
        Ok(audit.finish())
    }
}

fn feed(
    snapshot: &Connection,
    audit: &mut Audit,
    cutoff: Option<Cutoff>,
    progress: &mut impl FnMut(u64, u64),
) -> rusqlite::Result<()> {
    for (redaction, link) in redactions(snapshot)? {
        audit.redaction(redaction, link);
    }
    let after = row::integer(cutoff.map_or(0, |cutoff| cutoff.link.sequence));
    let total = "SELECT count(*) FROM link WHERE sequence > ?1";
    let total: i64 = snapshot.query_row(total, [after], |row| row.get(0))?;
    let total = total.unsigned_abs();

    let mut links = snapshot
        .prepare("SELECT sequence, hash FROM link WHERE sequence > ?1 ORDER BY sequence")?;
    let mut links = links.query_map([after], link)?;
    let mut next_link = links.next().transpose()?;
    let mut events = snapshot.prepare(&format!(
        "SELECT {}, payload FROM event WHERE event.sequence > ?1 ORDER BY event.sequence",
        row::COLUMNS
    ))?;
    let mut rows = events.query([after])?;
    let mut done: u64 = 0;
    while let Some(row) = rows.next()? {
        let sequence = row.get::<_, i64>("sequence")?.unsigned_abs();
        // Links of events that are gone.
        while let Some(link) = next_link.filter(|link| link.sequence < sequence) {
            audit.link(link);
            next_link = links.next().transpose()?;
        }
        let payload = row.get_ref("payload")?.as_blob().unwrap_or_default();
        match row::unchecked(row)? {
            Ok(entry) => audit.event(sequence, Ok((&entry, payload))),
            Err(damage) => audit.event(sequence, Err(damage)),
        }
        match next_link.filter(|link| link.sequence == sequence) {
            Some(link) => {
                audit.link(link);
                next_link = links.next().transpose()?;
            }
            None => audit.unlinked(),
        }
        done = done.saturating_add(1);
        if done.is_multiple_of(STRIDE) {
            progress(done, total);
        }
    }
    while let Some(link) = next_link {
        audit.link(link);
        next_link = links.next().transpose()?;
    }
    progress(total, total);
    let said: String = snapshot.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        audit.storage(said);
    }
    Ok(())
}

/// Returns the newest links of a file.
pub(super) fn head(connection: &Connection, now: Timestamp) -> rusqlite::Result<Head> {
    let log = log_id(connection)?;
    let events = connection.query_row(
        "SELECT sequence, hash FROM link ORDER BY sequence DESC LIMIT 1",
        [],
        link,
    )?;
    Ok(Head {
        log,
        events,
        redactions: newest_redaction(connection, log)?,
        at: now,
    })
}

/// Returns the newest link of the redactions.
pub(super) fn newest_redaction(connection: &Connection, log: LogId) -> rusqlite::Result<Link> {
    let newest = connection
        .query_row(
            "SELECT number, hash FROM redaction ORDER BY number DESC LIMIT 1",
            [],
            link,
        )
        .optional()?;
    Ok(newest.unwrap_or_else(|| Chain::start(log, Kind::Redactions).newest()))
}

/// Returns the name of the log.
pub(super) fn log_id(connection: &Connection) -> rusqlite::Result<LogId> {
    connection.query_row("SELECT id FROM log", [], |row| Ok(LogId::new(row.get(0)?)))
}

/// Returns what retention removed.
pub(super) fn cutoff(connection: &Connection) -> rusqlite::Result<Option<Cutoff>> {
    connection
        .query_row(
            "SELECT sequence, hash, at, removed FROM cutoff",
            [],
            |row| {
                Ok(Cutoff {
                    link: link(row)?,
                    at: row::timestamp(row.get(2)?),
                    removed: row.get::<_, i64>(3)?.unsigned_abs(),
                })
            },
        )
        .optional()
}

fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link {
        sequence: row.get::<_, i64>(0)?.unsigned_abs(),
        hash: sum(row, 1)?,
    })
}

/// What is no hash fits no event, like any other wrong hash.
fn sum(row: &Row<'_>, column: usize) -> rusqlite::Result<Sha256Sum> {
    let bytes: Vec<u8> = row.get(column)?;
    Ok(Sha256Sum(bytes.try_into().unwrap_or([0; 32])))
}

/// Returns every redaction with the hash of its link.
pub(super) fn redactions(connection: &Connection) -> rusqlite::Result<Vec<(Redaction, Sha256Sum)>> {
    let mut statement = connection.prepare(
        "SELECT number, sequence, source, id, digest, sha256, reason, author, at, after,
            after_hash, hash FROM redaction ORDER BY number",
    )?;
    let rows = statement.query_map([], redaction)?;
    rows.collect()
}

/// Reads what there is: a record that can't be read fits its hash no more than
/// one that was changed.
fn redaction(row: &Row<'_>) -> rusqlite::Result<(Redaction, Sha256Sum)> {
    let integer = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let text = |column| {
        let bytes = row.get_ref(column)?.as_bytes_or_null()?;
        Ok::<_, rusqlite::Error>(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    let source = text(2)?.and_then(|name| Source::new(&name).ok());
    let unreadable = || Source::new("unreadable").map_err(|_| rusqlite::Error::InvalidQuery);
    let redaction = Redaction {
        number: integer(0)?,
        sequence: integer(1)?,
        source: source.map_or_else(unreadable, Ok)?,
        id: text(3)?.unwrap_or_default(),
        digest: sum(row, 4)?,
        sha256: sum(row, 5)?,
        reason: text(6)?.unwrap_or_default(),
        by: text(7)?,
        at: Timestamp::from_unix_millis(integer(8)?),
        after: Link {
            sequence: integer(9)?,
            hash: sum(row, 10)?,
        },
    };
    Ok((redaction, sum(row, 11)?))
}
