//! Reads the file while a server may be writing it.

mod scan;
mod search;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use hookgate_core::{identity::Source, policy::TypePattern};
use rusqlite::{Connection, OpenFlags, params};

use super::{BUSY_TIMEOUT, row, schema};
use crate::log::{Entry, Query, reader};
pub(crate) use scan::Scanned;

/// Says why the file can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// There is no file.
    #[error("there is no log at `{}`: `hookgate serve --log sqlite:{}` makes it", path.display(), path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// There is a folder.
    #[error("`{}` is a folder, expected the file of a log, such as `{}`", path.display(), path.join("hookgate.db").display())]
    Folder {
        /// Where.
        path: PathBuf,
    },
    /// The file isn't a log that this program can read.
    #[error("can't read `{}` as the log: {source}", path.display())]
    Schema {
        /// Of the log.
        path: PathBuf,
        /// Why.
        source: schema::SchemaError,
    },
    /// SQLite refused.
    #[error("can't read the log: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// Reads the file, and never writes it.
#[derive(Debug)]
pub(crate) struct SqliteReader {
    pub(super) connection: Connection,
}

impl SqliteReader {
    /// Opens the file for reading.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        if !path.exists() {
            return Err(ReadError::Missing { path: path.into() });
        }
        if path.is_dir() {
            return Err(ReadError::Folder { path: path.into() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        schema::check(&connection).map_err(|source| ReadError::Schema {
            path: path.into(),
            source,
        })?;
        Ok(Self { connection })
    }

    /// Returns the newest events that match, in the order of the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn events(&self, query: &Query) -> Result<Vec<Entry>, reader::ReadError> {
        let mut statement = self
            .connection
            .prepare(&format!(
                "SELECT {} FROM event
                 WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR type GLOB ?2)
                 ORDER BY sequence DESC LIMIT ?3",
                row::COLUMNS
            ))
            .map_err(ReadError::from)?;
        let limit = i64::try_from(query.limit.get()).unwrap_or(i64::MAX);
        let source = query.source.as_ref().map(Source::as_str);
        // A pattern has no other character than `*` that means more than itself.
        let type_name = query.type_name.as_ref().map(TypePattern::as_str);
        let rows = statement
            .query_map(params![source, type_name, limit], row::entry)
            .map_err(ReadError::from)?;
        let mut entries = Vec::new();
        for entry in rows {
            entries.push(entry.map_err(ReadError::from)??);
        }
        entries.reverse();
        Ok(entries)
    }

    /// Tells whether the log has an identity, or remembers it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn has(&self, source: &Source, id: &str) -> Result<bool, ReadError> {
        let mut statement = self.connection.prepare_cached(row::FIRST_COPY)?;
        Ok(statement.exists(params![id, source.as_str()])?)
    }

    /// Returns the events with this ID, one per source.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn event(
        &self,
        id: &str,
        source: Option<&Source>,
    ) -> Result<Vec<(Entry, Bytes)>, reader::ReadError> {
        let mut statement = self
            .connection
            .prepare(&format!(
                "SELECT {}, payload FROM event
                 WHERE id = ?1 AND (?2 IS NULL OR source = ?2) ORDER BY sequence",
                row::COLUMNS
            ))
            .map_err(ReadError::from)?;
        let rows = statement
            .query_map(params![id, source.map(Source::as_str)], |row| {
                Ok((row::entry(row)?, row.get::<_, Vec<u8>>("payload")?))
            })
            .map_err(ReadError::from)?;
        let mut found = Vec::new();
        for row in rows {
            let (entry, payload) = row.map_err(ReadError::from)?;
            found.push((entry?, payload.into()));
        }
        Ok(found)
    }
}
