//! The statements: where a destination is, and what it still has to do.

use std::{num::NonZeroU32, sync::Arc};

use hookgate_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    deliver::{
        destination::{Destination, Order},
        job::{Attempt, ParkReason, Settlement},
    },
    log::Sha256Sum,
};

/// How long attempts and marks are kept.
const KEPT_MILLIS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// Says what a row waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its first attempt.
    Fresh = 0,
    /// Another attempt.
    Retrying = 1,
    /// An earlier event of its object.
    Behind = 2,
    /// A person.
    Parked = 3,
}

/// Holds a row of what is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) sequence: u64,
    /// Attempts made.
    pub(super) attempts: u32,
    /// Those of them that were made before a person let it go again.
    pub(super) spent: u32,
    pub(super) first_at: Timestamp,
}

/// Counts a destination's rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rows {
    pub(super) waiting: u64,
    pub(super) parked: u64,
    pub(super) oldest_sequence: Option<u64>,
}

pub(crate) fn position(connection: &Connection, name: &str) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached("SELECT position FROM destination WHERE name = ?1")?
        .query_row(params![name], |row| Ok(unsigned(row.get(0)?)))
        .optional()
}

/// Gives a destination its place, and marks it in the log's chain: `link` is the
/// hash there, if the log still has it.
pub(super) fn move_to(
    connection: &Connection,
    name: &str,
    position: u64,
    link: Option<Sha256Sum>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO destination (name, position) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET position = excluded.position",
        )?
        .execute(params![name, signed(position)])?;
    if let Some(Sha256Sum(hash)) = link {
        connection
            .prepare_cached("INSERT OR REPLACE INTO mark (sequence, hash, at) VALUES (?1, ?2, ?3)")?
            .execute(params![signed(position), hash, millis(now)])?;
    }
    Ok(())
}

/// Takes an event of the log in. One of an object that still has an earlier
/// one waits behind it; a parked one is finished, until a person decides.
pub(super) fn add(
    connection: &Connection,
    name: &str,
    sequence: u64,
    object: Option<&[u8]>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let behind = match object {
        None => false,
        Some(object) => connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM job INDEXED BY job_object
                 WHERE destination = ?1 AND object = ?2 AND state <> 3)",
            )?
            .query_row(params![name, object], |row| row.get(0))?,
    };
    let state = if behind { State::Behind } else { State::Fresh };
    insert(connection, name, sequence, object, now, (state, None))
}

/// Takes an event of the log in that waits for a person before its first attempt. It
/// keeps no later one of its object waiting.
pub(super) fn hold(
    connection: &Connection,
    name: &str,
    sequence: u64,
    object: Option<&[u8]>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let held = (State::Parked, Some(ParkReason::Held));
    insert(connection, name, sequence, object, now, held)
}

fn insert(
    connection: &Connection,
    name: &str,
    sequence: u64,
    object: Option<&[u8]>,
    now: Timestamp,
    (state, reason): (State, Option<ParkReason>),
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO job
                 (destination, sequence, state, attempts, first_at, due_at, object, reason)
             VALUES (?1, ?2, ?3, 0, ?4, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            name,
            signed(sequence),
            state as i64,
            millis(now),
            object,
            reason.map(ParkReason::as_str)
        ])?;
    Ok(())
}

/// Returns rows that are due, the longest due first.
pub(super) fn due(
    connection: &Connection,
    name: &str,
    state: State,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Place>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT sequence, attempts, spent, first_at FROM job
             WHERE destination = ?1 AND state = ?2 AND due_at <= ?3 ORDER BY due_at LIMIT ?4",
        )?
        .query_map(params![name, state as i64, millis(now), limit], |row| {
            Ok(Place {
                sequence: unsigned(row.get(0)?),
                attempts: row.get(1)?,
                spent: row.get(2)?,
                first_at: Timestamp::from_unix_millis(unsigned(row.get(3)?)),
            })
        })?
        .collect()
}

/// Returns when the next row that waits for another attempt is due.
pub(super) fn next_at(
    connection: &Connection,
    name: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached(
            "SELECT min(due_at) FROM job WHERE destination = ?1 AND state = 1 AND due_at > ?2",
        )?
        .query_row(params![name, millis(now)], |row| {
            let at: Option<i64> = row.get(0)?;
            Ok(at.map(|at| Timestamp::from_unix_millis(unsigned(at))))
        })
}

/// Removes a row whose event the log doesn't have any more.
pub(crate) fn remove(connection: &Connection, name: &str, sequence: u64) -> rusqlite::Result<()> {
    let object = object(connection, name, sequence)?;
    connection
        .prepare_cached("DELETE FROM job WHERE destination = ?1 AND sequence = ?2")?
        .execute(params![name, signed(sequence)])?;
    match object {
        Some(object) => release(connection, name, &object),
        None => Ok(()),
    }
}

/// Writes down what became of an event.
pub(super) fn settle(
    connection: &Connection,
    name: &str,
    sequence: u64,
    attempts: &[Attempt],
    settlement: Settlement,
) -> rusqlite::Result<()> {
    for attempt in attempts {
        record(connection, name, sequence, attempt)?;
    }
    let number = attempts.last().map_or(0, |attempt| attempt.number);
    match settlement {
        Settlement::Delivered => remove(connection, name, sequence),
        Settlement::Retry { at } => {
            connection
                .prepare_cached(
                    "UPDATE job SET state = 1, attempts = ?3, due_at = ?4
                     WHERE destination = ?1 AND sequence = ?2",
                )?
                .execute(params![name, signed(sequence), number, millis(at)])?;
            Ok(())
        }
        Settlement::Park { reason } => {
            let at = attempts.last().map_or(0, |attempt| millis(attempt.at));
            connection
                .prepare_cached(
                    "UPDATE job SET state = 3, attempts = ?3, due_at = ?4, reason = ?5
                     WHERE destination = ?1 AND sequence = ?2",
                )?
                .execute(params![name, signed(sequence), number, at, reason.as_str()])?;
            match object(connection, name, sequence)? {
                Some(object) => release(connection, name, &object),
                None => Ok(()),
            }
        }
    }
}

/// Lets an event wait for a person that waits for nothing; returns whether it waits for one
/// then. One that is still to be delivered is left as it is.
pub(super) fn park(
    connection: &Connection,
    name: &str,
    sequence: u64,
    reason: ParkReason,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    // What a destination hasn't come to has no row yet, and is to be delivered.
    if position(connection, name)?.is_none_or(|position| position < sequence) {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "INSERT INTO job
                 (destination, sequence, state, attempts, first_at, due_at, object, reason)
             SELECT ?1, ?2, 3, coalesce(max(number), 0), ?3, ?3, NULL, ?4 FROM attempt
             WHERE destination = ?1 AND sequence = ?2
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            name,
            signed(sequence),
            millis(now),
            reason.as_str()
        ])?;
    let state: i64 = connection
        .prepare_cached("SELECT state FROM job WHERE destination = ?1 AND sequence = ?2")?
        .query_row(params![name, signed(sequence)], |row| row.get(0))?;
    Ok(state == State::Parked as i64)
}

fn object(connection: &Connection, name: &str, sequence: u64) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT object FROM job WHERE destination = ?1 AND sequence = ?2")?
        .query_row(params![name, signed(sequence)], |row| row.get(0))
        .optional()
        .map(Option::flatten)
}

/// Lets the next event of an object go.
fn release(connection: &Connection, name: &str, object: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE job SET state = 0 WHERE destination = ?1 AND sequence = (
                 SELECT min(sequence) FROM job INDEXED BY job_object
                 WHERE destination = ?1 AND object = ?2 AND state <> 3) AND state = 2",
        )?
        .execute(params![name, object])?;
    Ok(())
}

fn record(
    connection: &Connection,
    name: &str,
    sequence: u64,
    attempt: &Attempt,
) -> rusqlite::Result<()> {
    let latency = i64::try_from(attempt.latency.as_millis()).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempt
                 (destination, sequence, number, at, via, outcome, status, latency, answer)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            name,
            signed(sequence),
            attempt.number,
            millis(attempt.at),
            attempt.via.as_str(),
            attempt.outcome.as_str(),
            attempt.status,
            latency,
            attempt.answer.as_ref(),
        ])?;
    Ok(())
}

/// Forgets attempts and marks of long ago; a few at a time.
pub(super) fn prune(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let before = millis(now).saturating_sub(KEPT_MILLIS);
    connection
        .prepare_cached(
            "DELETE FROM attempt WHERE (destination, sequence, number) IN (
                 SELECT destination, sequence, number FROM attempt WHERE at < ?1 LIMIT 256)",
        )?
        .execute(params![before])?;
    connection
        .prepare_cached(
            "DELETE FROM mark WHERE sequence IN (
                 SELECT sequence FROM mark WHERE at < ?1 LIMIT 256)",
        )?
        .execute(params![before])?;
    Ok(())
}

/// Keeps which destinations the configuration has, and how many must approve.
pub(super) fn configure(
    connection: &Connection,
    destinations: &[Arc<Destination>],
    approvals: NonZeroU32,
) -> rusqlite::Result<()> {
    connection.execute_batch("UPDATE destination SET active = 0; DELETE FROM review;")?;
    for destination in destinations {
        let ordered = destination.order == Order::Object;
        connection.execute(
            "UPDATE destination SET active = 1, ordered = ?2 WHERE name = ?1",
            params![destination.name, ordered],
        )?;
    }
    connection.execute(
        "INSERT INTO review (approvals) VALUES (?1)",
        params![approvals.get()],
    )?;
    Ok(())
}

pub(super) fn rows(connection: &Connection, name: &str) -> rusqlite::Result<Rows> {
    let mut statement = connection.prepare_cached(
        "SELECT state, count(*), min(sequence) FROM job WHERE destination = ?1 GROUP BY state",
    )?;
    let counts = statement.query_map(params![name], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            unsigned(row.get(1)?),
            unsigned(row.get(2)?),
        ))
    })?;
    let mut rows = Rows::default();
    for count in counts {
        let (state, count, first) = count?;
        if state == State::Parked as i64 {
            rows.parked = count;
            continue;
        }
        rows.waiting += count;
        rows.oldest_sequence = Some(rows.oldest_sequence.map_or(first, |it| it.min(first)));
    }
    Ok(rows)
}

pub(crate) fn millis(time: Timestamp) -> i64 {
    signed(time.unix_millis())
}

pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use hookgate_core::time::Timestamp;

    use super::{super::file, ParkReason, move_to, park};

    #[test]
    fn what_a_destination_has_not_come_to_is_delivered_before_it_waits_for_a_person() {
        let folder = tempfile::tempdir().unwrap();
        let connection = file::open(&folder.path().join("schedule")).unwrap();
        let now = Timestamp::from_unix_seconds(1_760_000_000);
        let park = |sequence| park(&connection, "orders", sequence, ParkReason::Overdue, now);
        let rows = || connection.query_row("SELECT count(*) FROM job", [], |row| row.get(0));
        assert_eq!(park(1), Ok(false));
        move_to(&connection, "orders", 4, None, now).unwrap();
        assert_eq!((park(5), rows()), (Ok(false), Ok(0)));
        assert_eq!((park(4), rows()), (Ok(true), Ok(1)));
    }
}
