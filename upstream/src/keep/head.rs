//! `hookgate head`: the newest link, to be kept outside the log.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    cli::{ArgumentError, HeadArgs},
    clock,
    log::{self, VerifyError},
};

/// Says why there is no head.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadCommandError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] VerifyError),
    /// The file is there: an older head is not to be lost.
    #[error("`{}` is there already: choose another name for this head", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// The file can't be written.
    #[error("can't write the head to `{}`: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

/// Prints or writes the head.
///
/// # Errors
/// [`HeadCommandError`].
pub(crate) async fn head(args: &HeadArgs) -> Result<(), HeadCommandError> {
    let head = log::head(&args.log.address()?, clock::now()).await?;
    if let Some(path) = &args.out {
        return write(path, &head.to_json());
    }
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", head.to_json())?;
    } else {
        writeln!(out, "log        {}", head.log)?;
        writeln!(out, "event      {}", head.events.sequence)?;
        writeln!(out, "hash       {}", head.events.hash)?;
        writeln!(out, "redactions {}", head.redactions.sequence)?;
        writeln!(out, "taken      {}", head.at)?;
    }
    Ok(())
}

fn write(path: &Path, head: &str) -> Result<(), HeadCommandError> {
    let written = File::create_new(path).and_then(|mut file| {
        writeln!(file, "{head}")?;
        file.sync_all()
    });
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => HeadCommandError::Exists { path: path.into() },
        _ => HeadCommandError::Write {
            path: path.into(),
            source,
        },
    })
}
