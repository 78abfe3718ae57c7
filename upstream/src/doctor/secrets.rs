//! The secrets that a delivery is looked at with. They come from the environment and
//! from files, never from arguments, which every user of a machine can read; each is
//! called by the name of its variable or its file.

use std::{env, path::PathBuf};

use hookgate_doctor::{Secret, input::MAX_SECRET_BYTES};
use zeroize::Zeroizing;

use super::{DoctorError, read as read_file};
use crate::{cli::DoctorArgs, secrets::variable_name};

/// Where the secrets of the shipped gate are.
const OWN: &str = "STRIPE_WEBHOOK_SECRET";
const OTHER: &str = "STRIPE_CONNECT_WEBHOOK_SECRET";

/// Reads every secret that is named; if none is, those of the shipped gate that are
/// set.
///
/// # Errors
/// [`DoctorError`].
pub(super) fn read(args: &DoctorArgs) -> Result<Vec<Secret>, DoctorError> {
    let mut secrets = Vec::new();
    let mut take = |label: &str, value: &[u8], is_other: bool| {
        secrets.push(match is_other {
            true => Secret::of_another_endpoint(label, value),
            false => Secret::new(label, value),
        });
    };
    for (option, variables, files, is_other) in [
        ("--secret-env", &args.secret_env, &args.secret_file, false),
        (
            "--other-secret-env",
            &args.other_secret_env,
            &args.other_secret_file,
            true,
        ),
    ] {
        for variable in variables {
            let name = variable_name(variable)
                .map_err(|source| DoctorError::Variable { option, source })?;
            let value = variable_value(name).ok_or_else(|| DoctorError::Unset {
                variable: name.to_owned(),
            })?;
            take(name, &value, is_other);
        }
        for path in files {
            let value = Zeroizing::new(read_file(path, MAX_SECRET_BYTES)?);
            take(&path.display().to_string(), &value, is_other);
        }
    }
    let none_is_named = [&args.secret_env, &args.other_secret_env]
        .iter()
        .all(|it| it.is_empty())
        && [&args.secret_file, &args.other_secret_file]
            .into_iter()
            .all(Vec::<PathBuf>::is_empty);
    if none_is_named {
        for (variable, is_other) in [(OWN, false), (OTHER, true)] {
            if let Some(value) = variable_value(variable) {
                take(variable, &value, is_other);
            }
        }
    }
    Ok(secrets)
}

fn variable_value(name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let value = env::var_os(name)?;
    Some(Zeroizing::new(value.into_encoded_bytes()))
}
