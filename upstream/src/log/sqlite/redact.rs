//! Removes a payload from the file, and every copy of it that SQLite keeps.
//!
//! Through SQLite's own lock, beside the server: it works whether one runs or
//! not, and needs no port that would have to be guarded. A server's appends
//! wait for two short transactions.

use std::path::Path;

use hookgate_core::identity::Source;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::{BUSY_TIMEOUT, ReadError, evidence, row, schema};
use crate::{
    evidence::{Chain, Redaction},
    log::{Entry, RedactError, RedactRequest, RedactTarget, Redacted, redact::one},
};

/// Removes one payload.
///
/// # Errors
/// [`RedactError`].
pub(crate) fn redact(path: &Path, request: &RedactRequest<'_>) -> Result<Redacted, RedactError> {
    let mut connection = open(path)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let entry = find(&transaction, request.target)?;
    let earlier = evidence::redactions(&transaction)?
        .into_iter()
        .find(|(redaction, _)| redaction.sequence == entry.sequence);
    let redacted = match earlier {
        Some((redaction, _)) => Redacted::Before(redaction),
        None => Redacted::Now(remove(&transaction, &entry, request)?),
    };
    transaction.commit()?;
    // Also after an earlier one, which may not have come so far.
    empty_write_ahead(&connection, path)?;
    Ok(redacted)
}

fn open(path: &Path) -> Result<Connection, RedactError> {
    if !path.exists() {
        return Err(ReadError::Missing { path: path.into() }.into());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let usable = schema::check(&connection).and_then(|()| schema::write_ahead(&connection));
    usable.map_err(|source| ReadError::Schema {
        path: path.into(),
        source,
    })?;
    Ok(connection)
}

fn find(connection: &Connection, target: RedactTarget<'_>) -> Result<Entry, RedactError> {
    let RedactTarget::Event { id, source } = target else {
        return Err(RedactError::Sequence);
    };
    let mut statement = connection.prepare(&format!(
        "SELECT {} FROM event WHERE id = ?1 AND (?2 IS NULL OR source = ?2)",
        row::COLUMNS
    ))?;
    let rows = statement.query_map(params![id, source.map(Source::as_str)], row::entry)?;
    let mut found = Vec::new();
    for entry in rows {
        found.push(entry??);
    }
    one(found, |entry| entry, id)
}

fn remove(
    transaction: &Transaction<'_>,
    entry: &Entry,
    request: &RedactRequest<'_>,
) -> rusqlite::Result<Redaction> {
    let head = evidence::head(transaction, request.at)?;
    let redaction = Redaction {
        number: head.redactions.sequence.saturating_add(1),
        sequence: entry.sequence,
        source: entry.attributes.source.clone(),
        id: entry.attributes.id.clone(),
        digest: entry.digest(),
        sha256: entry.attributes.sha256,
        reason: request.reason.to_owned(),
        by: request.by.map(str::to_owned),
        at: request.at,
        after: head.events,
    };
    let link = Chain::resume(head.redactions).extend(&redaction.digest_of_record());
    transaction.execute(
        "UPDATE event SET payload = x'' WHERE sequence = ?1",
        [row::integer(redaction.sequence)],
    )?;
    transaction.execute(
        "INSERT INTO redaction (number, sequence, source, id, digest, sha256, reason, author, at,
            after, after_hash, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            row::integer(redaction.number),
            row::integer(redaction.sequence),
            redaction.source.as_str(),
            redaction.id,
            redaction.digest.0,
            redaction.sha256.0,
            redaction.reason,
            redaction.by,
            row::millis(redaction.at),
            row::integer(redaction.after.sequence),
            redaction.after.hash.0,
            link.hash.0,
        ],
    )?;
    Ok(redaction)
}

/// Writes everything into the main file and leaves the write-ahead file empty:
/// it holds the page as it was.
fn empty_write_ahead(connection: &Connection, path: &Path) -> Result<(), RedactError> {
    let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: bool = connection.query_row(truncate, [], |row| row.get(0))?;
    if busy {
        return Err(RedactError::Copy {
            wal: format!("{}-wal", path.display()),
        });
    }
    Ok(())
}
