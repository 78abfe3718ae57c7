//! `hookgate import`: events of another log through the ordinary append.

use std::{
    fs::File,
    io::{self, BufRead, Write as _},
    path::{Path, PathBuf},
};

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::line::{Line, LineError};
use crate::{
    cli::{ArgumentError, ImportArgs},
    config::Replicas,
    log::{Appended, Capability, Limits, Log, LogError, OpenError, Record, sqlite::WriteError},
    progress::Progress,
};

/// Lines on their way to a log in a file: they share a transaction, and are
/// taken in the order in which they are handed over.
const IN_FLIGHT: usize = 64;

/// Returns what the log takes: as from `hookgate serve`.
fn limits(replicas: Replicas) -> Limits {
    Limits {
        queue: IN_FLIGHT * 2,
        max_payload_bytes: 2 * 1_024 * 1_024,
        keep: None,
        replicas: replicas.as_size(),
    }
}

/// Says why an import ended. What it appended before stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The file can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not what was exported.
    #[error("line {line}: {source}. The lines before it are imported; nothing after it is")]
    Line {
        /// Counted from 1.
        line: u64,
        /// Why.
        source: LineError,
    },
    /// The log didn't confirm.
    #[error(
        "line {line}: {source}. Run the import again: what is there already is not stored twice"
    )]
    Append {
        /// Counted from 1.
        line: u64,
        /// Why.
        source: LogError,
    },
    /// The log didn't confirm, and doesn't know what it has.
    #[error(
        "line {line}: {source}. The lines before it are imported, and this log would store them again: go on with `tail -n +{line} FILE | hookgate import -`. Line {line} itself may be stored already"
    )]
    AppendOnce {
        /// Counted from 1.
        line: u64,
        /// Why.
        source: LogError,
    },
    /// The log can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log can't be trusted any more.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

#[derive(Debug, Default)]
struct Count {
    lines: u64,
    stored: u64,
    duplicates: u64,
    redacted: u64,
}

/// Appends every line.
///
/// # Errors
/// [`ImportError`].
pub(crate) async fn import(args: &ImportArgs) -> Result<(), ImportError> {
    let config = args.log.config().map_err(ArgumentError::from)?;
    let address = args.log.address_in(&config)?;
    let replicas = args.replicas.or(config.replicas).unwrap_or_default();
    let (lines, size) = open(&args.file)?;
    let (log, keeper) = Log::open(&address, limits(replicas)).await?;
    let in_flight = match &log {
        Log::Sqlite(_) => IN_FLIGHT,
        // Publishes overtake each other, and the order of events matters.
        _ => 1,
    };
    let imported = append_all(&log, in_flight, lines, size, &args.file).await;
    let imported = match imported {
        Err(ImportError::Append { line, source }) if !address.can(Capability::ExactDuplicates) => {
            Err(ImportError::AppendOnce { line, source })
        }
        imported => imported,
    };
    drop(log);
    keeper.close().await?;
    let count = imported?;
    let mut out = io::stdout().lock();
    if args.json {
        let line = json!({
            "lines": count.lines,
            "stored": count.stored,
            "duplicates": count.duplicates,
            "redacted": count.redacted,
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(
            out,
            "imported {} events; {} were there already, {} are redacted and were left out",
            count.stored, count.duplicates, count.redacted
        )?;
    }
    Ok(())
}

async fn append_all(
    log: &Log,
    in_flight: usize,
    lines: impl Iterator<Item = io::Result<String>>,
    size: Option<u64>,
    path: &Path,
) -> Result<Count, ImportError> {
    let progress = Progress::start("bytes");
    let mut bytes: u64 = 0;
    let mut ended = false;
    let records = (1..).zip(lines).map(|(line, text)| {
        let text = text.map_err(|source| ImportError::Read {
            path: path.into(),
            source,
        })?;
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        bytes = bytes.saturating_add(length).saturating_add(1);
        if let Some(size) = size {
            progress.at(bytes, size);
        }
        let record = Line::read(&text).map_err(|source| ImportError::Line { line, source })?;
        Ok((line, record))
    });
    // Nothing after a damaged line is even begun.
    let records = records.take_while(|read| !std::mem::replace(&mut ended, read.is_err()));
    let mut appended = stream::iter(records)
        .map(|read| append(log, read))
        .buffered(in_flight);
    let mut count = Count::default();
    while let Some(appended) = appended.next().await {
        count.lines = count.lines.saturating_add(1);
        let kind = match appended? {
            Some(Appended::Stored { .. }) => &mut count.stored,
            Some(Appended::Duplicate { .. }) => &mut count.duplicates,
            None => &mut count.redacted,
        };
        *kind = kind.saturating_add(1);
    }
    Ok(count)
}

async fn append(
    log: &Log,
    read: Result<(u64, Option<Record>), ImportError>,
) -> Result<Option<Appended>, ImportError> {
    match read? {
        (_, None) => Ok(None),
        (line, Some(record)) => {
            let appended = log.append(record).await;
            let appended = appended.map_err(|source| ImportError::Append { line, source })?;
            Ok(Some(appended))
        }
    }
}

/// Opens the file, and says how long it is if that is known.
fn open(path: &Path) -> Result<(Lines, Option<u64>), ImportError> {
    if path.as_os_str() == "-" {
        return Ok((Lines::Stdin(io::stdin().lines()), None));
    }
    let read_error = |source| ImportError::Read {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(read_error)?;
    let size = file.metadata().map_err(read_error)?.len();
    Ok((Lines::File(io::BufReader::new(file).lines()), Some(size)))
}

enum Lines {
    Stdin(io::Lines<io::StdinLock<'static>>),
    File(io::Lines<io::BufReader<File>>),
}

impl Iterator for Lines {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Stdin(lines) => lines.next(),
            Self::File(lines) => lines.next(),
        }
    }
}
