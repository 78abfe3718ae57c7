//! One server per file.
//!
//! The writer knows the last sequence by heart, so a second one would be
//! refused by the file's keys event by event; better to refuse it at start.
//! The lock is a file beside the log: opening the log itself a second time
//! would drop SQLite's own locks when it is closed (POSIX).

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use super::OpenError;

/// Holds the lock until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the log at `path`.
    ///
    /// # Errors
    /// [`OpenError::InUse`], [`OpenError::Lock`].
    pub(super) fn acquire(path: &Path) -> Result<Self, OpenError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock_error = |source| OpenError::Lock {
            path: name.clone().into(),
            source,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&name)
            .map_err(lock_error)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.into() }),
            Err(TryLockError::Error(source)) => Err(lock_error(source)),
        }
    }
}
