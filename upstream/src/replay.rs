//! `hookgate watch replay`: what the watch would have said of a history.

mod drawing;
mod history;
mod report;
mod samples;

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use hookgate_watch::rate::Expected;

use crate::{
    cli::{ArgumentError, ReplayArgs},
    log::{ReadError, Reader},
};

/// Says why there is nothing to replay.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file can't be read.
    #[error("can't read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A row is none.
    #[error(
        "{}, line {line}: expected `timestamp,value`, such as `2026-11-24T00:00:00Z,12`",
        path.display()
    )]
    Row {
        /// In which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The drawing can't be written.
    #[error("can't write {}: {error}", path.display())]
    Draw {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

/// What was said of a time of the history.
#[derive(Debug, PartialEq)]
struct Said {
    /// Second since 1970.
    at: u64,
    cause: &'static str,
    /// The type or account that it is about, if it is about one.
    subject: Option<String>,
    /// 0.5 to 1.
    score: f64,
    evidence: String,
    action: &'static str,
}

/// A history, and what was said of it.
#[derive(Debug, Default)]
struct Replayed {
    /// Seconds since 1970 and values, in the order of time, for the drawing.
    samples: Vec<(u64, f64)>,
    said: Vec<Said>,
    /// By series: what is expected in the next 24 hours; empty where no week is known.
    forecasts: Vec<(String, Vec<Expected>)>,
}

/// Replays a file or the log, prints and draws.
///
/// # Errors
/// [`ReplayError`].
pub(crate) async fn replay(args: &ReplayArgs) -> Result<(), ReplayError> {
    let replayed = match &args.file {
        Some(path) => samples::replay(&samples::read(path)?),
        None => history::replay(&Reader::open(&args.log.address()?).await?).await?,
    };
    if let Some(path) = &args.svg {
        let draw = |error| ReplayError::Draw {
            path: path.clone(),
            error,
        };
        fs::write(path, drawing::svg(&replayed)).map_err(draw)?;
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        report::json(&mut out, &replayed, args.forecast)?;
    } else {
        report::table(&mut out, &replayed, args.forecast)?;
    }
    Ok(out.flush()?)
}
