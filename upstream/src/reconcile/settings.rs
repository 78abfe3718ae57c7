//! What reconciliation works with.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    stripe::{Key, KeyError, Stripe},
    wanted::{Subscription, WantedError},
};
use crate::{
    config::{self, Place, PlaceError},
    http_client::chain,
    log::LogAddress,
};

/// What a state beside a log in a file is called, behind the log's name.
const SUFFIX: &str = ".reconcile";

/// Sets what is compared and how.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The log.
    pub(crate) log: LogAddress,
    /// Who is asked.
    pub(crate) stripe: Stripe,
    /// Where the API key is.
    key: Place,
    /// Requests in a second.
    pub(crate) per_second: NonZeroU32,
    /// How often a server compares.
    pub(crate) every: Duration,
    /// Where it is kept how far comparison came.
    pub(crate) state: PathBuf,
    /// The connected accounts that are compared; `None`: all.
    pub(crate) accounts: Option<Vec<String>>,
    /// What is to come, and where.
    pub(crate) subscriptions: Vec<Subscription>,
}

/// Says why nothing can be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The sources can't be used.
    #[error(transparent)]
    Wanted(#[from] WantedError),
    /// The API key can't be read.
    #[error(transparent)]
    Key(#[from] ApiKeyError),
    /// The client can't be made.
    #[error("can't make an HTTP client: {}", chain(.0))]
    Http(#[from] reqwest::Error),
    /// The state has no place.
    #[error(
        "reconcile.state: found none, expected a file: a log at {log} has none beside it where it could be kept how far comparison came"
    )]
    NoState {
        /// Where the log is.
        log: LogAddress,
    },
}

/// Says why there is no API key; never shows it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiKeyError {
    /// It isn't where it should be.
    #[error("reconcile.api_key: {0}")]
    Place(#[from] PlaceError),
    /// It is none.
    #[error("reconcile.api_key: {place}: {source}")]
    Form {
        /// Where.
        place: Place,
        /// Why.
        source: KeyError,
    },
}

impl Settings {
    /// Takes what the configuration says, and checks that the API key is there.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub(crate) fn load(
        table: &config::Reconcile,
        log: &LogAddress,
        gate: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let state = match (&table.state, log) {
            (Some(path), _) => path.clone(),
            (None, LogAddress::Sqlite(path)) => {
                let mut name = path.as_os_str().to_owned();
                name.push(SUFFIX);
                name.into()
            }
            (None, log) => return Err(SettingsError::NoState { log: log.clone() }),
        };
        let settings = Self {
            log: log.clone(),
            stripe: Stripe::new(table.api.0.clone())?,
            key: table.api_key.0.clone(),
            per_second: table.requests_per_second.as_count(),
            every: table.every.value(),
            state,
            accounts: table.accounts.clone(),
            subscriptions: Subscription::all(table, gate)?,
        };
        settings.key()?;
        Ok(settings)
    }

    /// Reads the API key, anew for each round: it may have been exchanged.
    ///
    /// # Errors
    /// [`ApiKeyError`].
    pub(crate) fn key(&self) -> Result<Key, ApiKeyError> {
        let text = self.key.read()?;
        Key::new(&text).map_err(|source| ApiKeyError::Form {
            place: self.key.clone(),
            source,
        })
    }
}
