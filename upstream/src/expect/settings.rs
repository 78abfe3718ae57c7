//! What expectations work with.

use std::path::{Path, PathBuf};

use hookgate_core::policy::TypePattern;

use super::{reporters::Reporters, store::StoreError};
use crate::{
    config::{self, PlaceError},
    console::OperatorsError,
    log::LogAddress,
};

/// What the file beside a log in a file is called, behind the log's name.
const SUFFIX: &str = ".expect";

/// Sets what is expected, and who may report.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where what is learnt is kept; `None`: for as long as the server runs.
    pub(crate) state: Option<PathBuf>,
    /// Types whose overdue events wait for a person.
    pub(crate) review: Vec<TypePattern>,
    /// Who may report outcomes.
    pub(crate) reporters: Reporters,
}

/// Says why nothing can be expected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// A token can't be used.
    #[error(transparent)]
    Token(#[from] OperatorsError),
    /// A token isn't where it should be.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The file can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A token would lead to two destinations.
    #[error("expectations.reporters: `{0}` has the token of an earlier reporter, expected another")]
    Shared(String),
}

impl Settings {
    /// Takes what the configuration says, and reads the tokens.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub(crate) fn load(
        table: &config::Expectations,
        log: &LogAddress,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            state: state_of(table, log),
            review: table.review.clone(),
            reporters: Reporters::load(&table.reporters)?,
        })
    }
}

/// Returns where what is learnt of a log is kept, if it is.
pub(crate) fn state_of(table: &config::Expectations, log: &LogAddress) -> Option<PathBuf> {
    let beside = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(SUFFIX);
        PathBuf::from(name)
    };
    match (&table.state, log) {
        (Some(path), _) => Some(path.clone()),
        (None, LogAddress::Sqlite(path)) => Some(beside(path)),
        (None, _) => None,
    }
}
