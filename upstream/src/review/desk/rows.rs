//! The statements on what is due and parked.

use std::time::Duration;

use hookgate_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    deliver::{
        job::ParkReason,
        schedule::sqlite::places::{State, millis, signed, unsigned},
    },
    evidence::LogId,
    review::case::PastAttempt,
};

/// Says what an event waits for at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Nothing.
    Not,
    /// Its next attempt, or the end of one.
    ForDelivery,
    /// A person.
    ForPerson,
}

/// Returns of which log the schedule is.
pub(super) fn log(connection: &Connection) -> rusqlite::Result<Option<LogId>> {
    connection
        .query_row("SELECT id FROM log", [], |row| {
            Ok(LogId::new(row.get::<_, [u8; 16]>(0)?))
        })
        .optional()
}

/// Returns how many people must approve of a redelivery.
pub(super) fn approvals(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("SELECT approvals FROM review", [], |row| row.get(0))
}

/// Returns the destinations of the server's configuration.
pub(super) fn configured(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT name FROM destination WHERE active = 1 ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// Tells whether a destination's events of one object wait for each other.
pub(super) fn is_ordered(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT ordered FROM destination WHERE name = ?1")?
        .query_row(params![name], |row| row.get(0))
}

pub(super) fn waiting(
    connection: &Connection,
    name: &str,
    sequence: u64,
) -> rusqlite::Result<Waiting> {
    let state: Option<i64> = connection
        .prepare_cached("SELECT state FROM job WHERE destination = ?1 AND sequence = ?2")?
        .query_row(params![name, signed(sequence)], |row| row.get(0))
        .optional()?;
    Ok(match state {
        None => Waiting::Not,
        Some(state) if state == State::Parked as i64 => Waiting::ForPerson,
        Some(_) => Waiting::ForDelivery,
    })
}

/// Makes a parked event due. What it was tried before doesn't count for its
/// retries; of an object that has others under way it waits for its turn.
pub(super) fn release(
    connection: &Connection,
    name: &str,
    sequence: u64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE job SET spent = attempts, first_at = ?3, due_at = ?3, reason = NULL,
                 state = iif(EXISTS (SELECT 1 FROM job AS other INDEXED BY job_object
                     WHERE other.destination = ?1 AND other.object = job.object
                         AND other.state <> 3), 2, 0)
             WHERE destination = ?1 AND sequence = ?2 AND state = 3",
        )?
        .execute(params![name, signed(sequence), millis(now)])?;
    Ok(())
}

/// Makes an event due that doesn't wait for anything at a destination. Its
/// attempts go on with the number after the last one.
pub(super) fn make_due(
    connection: &Connection,
    name: &str,
    sequence: u64,
    object: Option<&[u8]>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let made: u32 = connection
        .prepare_cached(
            "SELECT coalesce(max(number), 0) FROM attempt
             WHERE destination = ?1 AND sequence = ?2",
        )?
        .query_row(params![name, signed(sequence)], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO job
                 (destination, sequence, state, attempts, spent, first_at, due_at, object)
             VALUES (?1, ?2, iif(EXISTS (SELECT 1 FROM job AS other INDEXED BY job_object
                     WHERE other.destination = ?1 AND other.object = ?5 AND other.state <> 3),
                 2, 0), ?3, ?3, ?4, ?4, ?5)",
        )?
        .execute(params![name, signed(sequence), made, millis(now), object])?;
    Ok(())
}

/// Parks an event that was made due: another person has to approve.
pub(super) fn request(
    connection: &Connection,
    name: &str,
    sequence: u64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE job SET state = 3, due_at = ?3, reason = ?4
             WHERE destination = ?1 AND sequence = ?2",
        )?
        .execute(params![
            name,
            signed(sequence),
            millis(now),
            ParkReason::Requested.as_str()
        ])?;
    Ok(())
}

/// Returns what a destination confirmed, in the order of the log.
pub(super) fn delivered(connection: &Connection, name: &str) -> rusqlite::Result<Vec<u64>> {
    connection
        .prepare(
            "SELECT DISTINCT sequence FROM attempt
             WHERE destination = ?1 AND outcome = 'delivered' ORDER BY sequence",
        )?
        .query_map(params![name], |row| Ok(unsigned(row.get(0)?)))?
        .collect()
}

/// Returns what is parked at a destination for one reason and with one status, in
/// the order of the log.
pub(super) fn alike(
    connection: &Connection,
    name: &str,
    reason: &str,
    status: Option<u16>,
) -> rusqlite::Result<Vec<u64>> {
    connection
        .prepare_cached(
            "SELECT job.sequence FROM job LEFT JOIN attempt
                 ON attempt.destination = job.destination
                 AND attempt.sequence = job.sequence AND attempt.number = job.attempts
             WHERE job.destination = ?1 AND job.state = 3 AND job.reason = ?2
                 AND attempt.status IS ?3
             ORDER BY job.sequence",
        )?
        .query_map(params![name, reason, status], |row| {
            Ok(unsigned(row.get(0)?))
        })?
        .collect()
}

/// Returns the attempts of an event at a destination, the first one first.
pub(in crate::review) fn attempts(
    connection: &Connection,
    name: &str,
    sequence: u64,
) -> rusqlite::Result<Vec<PastAttempt>> {
    connection
        .prepare_cached(
            "SELECT number, at, via, outcome, status, latency, answer FROM attempt
             WHERE destination = ?1 AND sequence = ?2 ORDER BY number",
        )?
        .query_map(params![name, signed(sequence)], attempt)?
        .collect()
}

/// Reads the columns number, at, via, outcome, status, latency and answer.
pub(in crate::review) fn attempt(row: &Row<'_>) -> rusqlite::Result<PastAttempt> {
    Ok(PastAttempt {
        number: row.get(0)?,
        at: Timestamp::from_unix_millis(unsigned(row.get(1)?)),
        via: row.get(2)?,
        outcome: row.get(3)?,
        status: row.get(4)?,
        latency: Duration::from_millis(unsigned(row.get(5)?)),
        answer: String::from_utf8_lossy(&row.get::<_, Vec<u8>>(6)?).into_owned(),
    })
}

/// Tells whether what keeps the trail's records from being changed is there.
pub(super) fn is_guarded(connection: &Connection) -> rusqlite::Result<bool> {
    let guards: i64 = connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'
             AND name IN ('audit_update', 'audit_delete', 'audit_insert')",
        [],
        |row| row.get(0),
    )?;
    Ok(guards == 3)
}
