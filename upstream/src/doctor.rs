//! `hookgate doctor`: why a signature verifies or doesn't.

mod report;
mod secrets;

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use hookgate_core::signature::Tolerance;
use hookgate_doctor::{
    Delivery, InputError, MAX_PAYLOAD_BYTES, Verdict, diagnose,
    saved::{self, MAX_SAVED_BYTES, SavedError},
};

use crate::{cli::DoctorArgs, clock, secrets::VariableError};

/// Says why nothing was looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoctorError {
    /// A file can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// Which; `-` for stdin.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no saved request.
    #[error("`{}`: {source}", path.display())]
    Saved {
        /// Which; `-` for stdin.
        path: PathBuf,
        /// Why.
        source: SavedError,
    },
    /// An option names no variable.
    #[error("{option}: {source}")]
    Variable {
        /// Which option.
        option: &'static str,
        /// Why.
        source: VariableError,
    },
    /// A secret's variable isn't set.
    #[error("found no environment variable `{variable}`, expected a signing secret")]
    Unset {
        /// Its name.
        variable: String,
    },
    /// Both would be read from stdin.
    #[error("the payload and --saved can't both be `-`")]
    TwiceStdin,
    /// It is more than is looked at.
    #[error(transparent)]
    Input(#[from] InputError),
    /// What was found can't be printed.
    #[error("can't print: {0}")]
    Print(io::Error),
}

/// Looks at a delivery and prints what it found; tells whether it is valid.
///
/// # Errors
/// [`DoctorError`].
pub(crate) fn doctor(args: &DoctorArgs) -> Result<bool, DoctorError> {
    let secrets = secrets::read(args)?;
    let delivery = delivery(args)?;
    let tolerance = Tolerance {
        past: args.tolerance,
        future: args.tolerance,
    };
    let now = args.at.unwrap_or_else(clock::now);
    let diagnosis = diagnose(&delivery, &secrets, now, tolerance)?;
    let framework = args.framework.map(Into::into);
    if args.json {
        report::json(&diagnosis, framework)
    } else {
        report::text(&diagnosis, framework)
    }
    .map_err(DoctorError::Print)?;
    Ok(diagnosis.verdict == Verdict::Valid)
}

fn delivery(args: &DoctorArgs) -> Result<Delivery, DoctorError> {
    let is_stdin = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    if is_stdin(&args.payload) && is_stdin(&args.saved) {
        return Err(DoctorError::TwiceStdin);
    }
    let mut delivery = match &args.saved {
        None => Delivery::default(),
        Some(path) => {
            let text = read(path, MAX_SAVED_BYTES)?;
            saved::read(&text).map_err(|source| DoctorError::Saved {
                path: path.clone(),
                source,
            })?
        }
    };
    if let Some(path) = &args.payload {
        delivery.payload = read(path, MAX_PAYLOAD_BYTES)?;
    }
    let mut head = delivery.head;
    if let Some(signature) = &args.signature {
        // What is given counts, and not what was saved.
        let signed = Delivery::signed(signature.as_bytes(), &[]).head;
        head.retain(|(name, _)| signed.iter().all(|(other, _)| name != other));
        head.extend(signed);
    }
    head.extend(args.headers.iter().cloned());
    Ok(Delivery::new(head, delivery.payload))
}

/// Reads a file, or stdin for `-`, and one byte more than is looked at.
fn read(path: &Path, most: usize) -> Result<Vec<u8>, DoctorError> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let outcome = if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    outcome.map_err(|source| DoctorError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
}
