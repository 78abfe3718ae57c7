//! `hookgate export`: the log as JSON Lines.

use std::{
    io::{self, Write as _},
    num::NonZeroUsize,
};

use super::line::Line;
use crate::{
    cli::{ArgumentError, ExportArgs, From},
    log::{ReadError, Reader},
};

/// Most events that are read at a time.
const BATCH: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);

/// Says why an export ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

/// Prints every event from a place on, up to the newest of this moment: a log
/// that is appended to all the time would otherwise have no end.
///
/// # Errors
/// [`ExportError`]: what was printed before is whole.
pub(crate) async fn export(args: &ExportArgs) -> Result<(), ExportError> {
    let reader = Reader::open(&args.log.address()?).await?;
    let newest = reader.newest().await?.unwrap_or_default();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let first = match args.from {
        From::Sequence(sequence) => Some(sequence),
        From::Time(time) => reader.first_at(time).await?,
    };
    // Without a first one there is nothing that young.
    let mut next = first;
    while let Some(from) = next.filter(|from| *from <= newest) {
        let batch = reader.scan(from, BATCH).await?;
        let batch: Vec<_> = batch
            .into_iter()
            .take_while(|(entry, _)| entry.sequence <= newest)
            .collect();
        for (entry, payload) in &batch {
            serde_json::to_writer(&mut out, &Line::of(entry, payload)).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        next = batch
            .last()
            .map(|(entry, _)| entry.sequence.saturating_add(1));
    }
    Ok(out.flush()?)
}
