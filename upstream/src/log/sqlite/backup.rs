//! Copies a file that a server may be writing, as it is at one moment.
//!
//! By SQLite's backup interface over a read transaction: the copy doesn't begin
//! again when the server appends. Until it ends, the write-ahead file grows.
//! Source: <https://www.sqlite.org/backup.html>.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{SqliteReader, folder};
use crate::{
    evidence::Verdict,
    log::{Incapable, ReadError, VerifyError},
};

/// How many pages are copied between two calls of `progress`.
const PAGES: i32 = 256;

/// Says why there is no backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is there.
    #[error("`{}` is there already: choose another name for this backup", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// The file can't be written.
    #[error("can't write the backup `{}`: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("can't copy the log: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The copy can't be verified.
    #[error("the copy can't be verified: {0}")]
    Verify(#[from] VerifyError),
    /// The log can't be copied.
    #[error(transparent)]
    Incapable(#[from] Incapable),
}

/// Copies the log to a new file and verifies the copy, which is there under its
/// name only if it is whole. `progress` is told how many pages of how many are
/// done.
///
/// # Errors
/// [`BackupError`]. What is damaged is no error: the verdict has it, and the
/// copy is kept beside, under `.damaged`.
pub(crate) fn backup(
    log: &Path,
    copy: &Path,
    progress: impl FnMut(u64, u64),
) -> Result<Verdict, BackupError> {
    if copy.exists() {
        return Err(BackupError::Exists { path: copy.into() });
    }
    let write_error = |source| BackupError::Write {
        path: copy.into(),
        source,
    };
    let unfinished = with_ending(copy, ".part");
    // Of an earlier attempt; SQLite would take it for a file with content.
    match fs::remove_file(&unfinished) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(write_error(source)),
        _ => {}
    }
    let reader = SqliteReader::open(log).map_err(ReadError::from)?;
    fill(&reader.connection, &unfinished, progress)?;
    let verdict = SqliteReader::open(&unfinished)
        .map_err(ReadError::from)?
        .verify(None, |_, _| ())?;
    let name = if verdict.is_sound() {
        copy.to_owned()
    } else {
        with_ending(copy, ".damaged")
    };
    File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, name))
        .and_then(|()| File::open(folder(copy))?.sync_all())
        .map_err(write_error)?;
    Ok(verdict)
}

fn fill(
    log: &Connection,
    copy: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), BackupError> {
    let snapshot = log.unchecked_transaction()?;
    // A transaction begins with its first read.
    snapshot.query_row("SELECT count(*) FROM log", [], |_| Ok(()))?;
    let mut file = Connection::open(copy)?;
    {
        let backup = Backup::new(&snapshot, &mut file)?;
        loop {
            let step = backup.step(PAGES)?;
            let at = backup.progress();
            let pages = |count: i32| u64::try_from(count).unwrap_or_default();
            progress(
                pages(at.pagecount.saturating_sub(at.remaining)),
                pages(at.pagecount),
            );
            if step == StepResult::Done {
                break;
            }
        }
    }
    // One file, without a write-ahead file beside it, until a server has it.
    file.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))?;
    Ok(())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
