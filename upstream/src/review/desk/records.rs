//! The statements on the audit trail.

use hookgate_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    deliver::schedule::sqlite::places::{millis, signed, unsigned},
    evidence::{Link, LogId},
    log::Sha256Sum,
    review::{
        audit::{self, Action, Record},
        operator::Batch,
        outcome::Item,
    },
};

const COLUMNS: &str = "number, log, at, batch, action, name, reason, destination, target, \
                       sequence, source, id, hash";

/// Adds a record at the end.
pub(super) fn append(connection: &Connection, record: &Record, link: Link) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO audit ({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
        ))?
        .execute(params![
            signed(record.number),
            record.log.as_bytes(),
            millis(record.at),
            record.batch,
            record.action.as_str(),
            record.name,
            record.reason,
            record.destination,
            record.target,
            signed(record.sequence),
            record.source,
            record.id,
            link.hash.0,
        ])?;
    Ok(())
}

/// Returns the newest link.
pub(super) fn newest(connection: &Connection) -> rusqlite::Result<Option<Link>> {
    connection
        .prepare_cached("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(Link {
                sequence: unsigned(row.get(0)?),
                hash: Sha256Sum(row.get(1)?),
            })
        })
        .optional()
}

/// Returns what was decided about an event in a batch.
pub(super) fn in_batch(
    connection: &Connection,
    batch: &Batch,
    item: &Item,
) -> rusqlite::Result<Option<Record>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM audit
             WHERE batch = ?1 AND destination = ?2 AND sequence = ?3"
        ))?
        .query_row(
            params![batch.as_str(), item.destination, signed(item.sequence)],
            record,
        )
        .optional()
}

/// Returns what was decided about an event at its destination, the first one
/// first. (Another event may have had its place in a log that was restored.)
pub(super) fn of(
    connection: &Connection,
    log: LogId,
    item: &Item,
) -> rusqlite::Result<Vec<Record>> {
    let event = item.entry.as_ref().map(|entry| &entry.attributes);
    let source = event.map_or("", |event| event.source.as_str());
    let id = event.map_or("", |event| event.id.as_str());
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM audit
             WHERE destination = ?1 AND sequence = ?2 AND log = ?3 AND source = ?4 AND id = ?5
             ORDER BY number"
        ))?
        .query_map(
            params![
                item.destination,
                signed(item.sequence),
                log.as_bytes(),
                source,
                id
            ],
            record,
        )?
        .collect()
}

/// Returns where something was decided about the events of an ID: destination and
/// sequence.
pub(super) fn places(
    connection: &Connection,
    log: LogId,
    id: &str,
) -> rusqlite::Result<Vec<(String, u64)>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT destination, sequence FROM audit
             WHERE id = ?1 AND log = ?2 AND action <> 'looked' ORDER BY sequence, destination",
        )?
        .query_map(params![id, log.as_bytes()], |row| {
            Ok((row.get(0)?, unsigned(row.get(1)?)))
        })?
        .collect()
}

/// Returns who has approved, since it was parked, that an event goes to a
/// target.
pub(super) fn approvals(
    connection: &Connection,
    log: LogId,
    item: &Item,
    target: &str,
) -> rusqlite::Result<Vec<String>> {
    let mut names = Vec::new();
    for record in of(connection, log, item)?.into_iter().rev() {
        match record.action {
            Action::Approved if record.target.as_deref() == Some(target) => names.push(record.name),
            Action::Approved | Action::Looked => {}
            Action::Released | Action::Discarded => break,
        }
    }
    Ok(names)
}

/// Returns what was decided about the events of an ID, and who looked at them,
/// the first one first.
pub(super) fn about(
    connection: &Connection,
    log: LogId,
    id: &str,
) -> rusqlite::Result<Vec<Record>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM audit WHERE id = ?1 AND log = ?2 ORDER BY number"
        ))?
        .query_map(params![id, log.as_bytes()], record)?
        .collect()
}

/// Returns the newest rows before a number, whatever stands in them.
pub(super) fn before(
    connection: &Connection,
    number: u64,
    most: usize,
) -> rusqlite::Result<Vec<audit::Row>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM audit WHERE number < ?1 ORDER BY number DESC LIMIT ?2"
        ))?
        .query_map(params![signed(number), most], row)?
        .collect()
}

/// Returns every row, whatever stands in it.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<audit::Row>> {
    connection
        .prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY number"))?
        .query_map([], row)?
        .collect()
}

fn row(row: &Row<'_>) -> rusqlite::Result<audit::Row> {
    let number = unsigned(row.get(0)?);
    let hash = row.get(12).map(Sha256Sum).ok();
    let written = record(row).ok().zip(hash);
    Ok(audit::Row { number, written })
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let action: String = row.get(4)?;
    Ok(Record {
        number: unsigned(row.get(0)?),
        log: LogId::new(row.get(1)?),
        at: Timestamp::from_unix_millis(unsigned(row.get(2)?)),
        batch: row.get(3)?,
        action: Action::read(&action).ok_or(rusqlite::Error::InvalidQuery)?,
        name: row.get(5)?,
        reason: row.get(6)?,
        destination: row.get(7)?,
        target: row.get(8)?,
        sequence: unsigned(row.get(9)?),
        source: row.get(10)?,
        id: row.get(11)?,
        parking: None,
    })
}
