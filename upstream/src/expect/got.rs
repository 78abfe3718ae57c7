//! Since when a destination has an event, as the schedule of deliveries knows.

use std::path::{Path, PathBuf};

use hookgate_watch::expect::Got;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    deliver::schedule::sqlite::{
        file::{beside, open_to_read},
        places::{position, signed, unsigned},
    },
    log::LogAddress,
};

/// Reads the schedule beside a log in a file; knows nothing beside others.
#[derive(Debug)]
pub(super) struct Deliveries {
    path: Option<PathBuf>,
    connection: Option<Connection>,
}

impl Deliveries {
    pub(super) fn of(log: &LogAddress) -> Self {
        let path = match log {
            LogAddress::Sqlite(path) => Some(beside(Path::new(path))),
            _ => None,
        };
        Self {
            path,
            connection: None,
        }
    }

    /// Says since when a destination has an event. What can't be read isn't known.
    pub(super) fn got(&mut self, sequence: u64, destination: &str) -> Got {
        if self.connection.is_none()
            && let Some(path) = &self.path
        {
            self.connection = open_to_read(path).ok().flatten();
        }
        let Some(connection) = &self.connection else {
            return Got::Unknown;
        };
        read(connection, sequence, destination).unwrap_or(Got::Unknown)
    }
}

fn read(connection: &Connection, sequence: u64, destination: &str) -> rusqlite::Result<Got> {
    let Some(place) = position(connection, destination)? else {
        // Nobody of ours: it reads the log by itself.
        return Ok(Got::Unknown);
    };
    let waits: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM job WHERE destination = ?1 AND sequence = ?2)",
        )?
        .query_row(params![destination, signed(sequence)], |row| row.get(0))?;
    if waits || place < sequence {
        return Ok(Got::NotYet);
    }
    let at: Option<i64> = connection
        .prepare_cached(
            "SELECT max(at) FROM attempt
             WHERE destination = ?1 AND sequence = ?2 AND outcome = 'delivered'",
        )?
        .query_row(params![destination, signed(sequence)], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(at.map_or(Got::Never, |at| Got::At(unsigned(at))))
}
