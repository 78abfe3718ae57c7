//! `hookgate backup`: a verified copy of a log that may be running.

use std::io::{self, Write as _};

use serde_json::json;

use crate::{
    cli::{ArgumentError, BackupArgs},
    log::{Capability, LogAddress, sqlite},
    progress::Progress,
};

/// Says why there is no backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupCommandError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The copy can't be made.
    #[error(transparent)]
    Copy(#[from] sqlite::BackupError),
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

/// Copies the log and says what the copy amounts to. `true` means that it is
/// sound.
///
/// # Errors
/// [`BackupCommandError`].
pub(crate) fn backup(args: &BackupArgs) -> Result<bool, BackupCommandError> {
    let log = match args.log.address()? {
        LogAddress::Sqlite(path) => path,
        other => return Err(sqlite::BackupError::from(other.lacks(Capability::Backup)).into()),
    };
    let verdict = {
        let progress = Progress::start("pages");
        sqlite::backup(&log, &args.file, |done, total| progress.at(done, total))?
    };
    let sound = verdict.is_sound();
    let mut out = io::stdout().lock();
    if args.json {
        let line = json!({
            "sound": sound,
            "events": verdict.events,
            "sequence": verdict.newest.sequence,
            "hash": verdict.newest.hash.to_string(),
            "damaged": verdict.damaged,
        });
        writeln!(out, "{line}")?;
    } else if sound {
        writeln!(
            out,
            "{} events, up to event {}; the copy is verified",
            verdict.events, verdict.newest.sequence
        )?;
    } else {
        for finding in &verdict.findings {
            writeln!(out, "DAMAGED {finding}")?;
        }
        writeln!(
            out,
            "the log is damaged, and so is its copy, which is kept as `{}.damaged`",
            args.file.display()
        )?;
    }
    Ok(sound)
}
