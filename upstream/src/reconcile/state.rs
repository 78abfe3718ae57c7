//! How far comparison came, in a file beside the log. Losing it costs requests,
//! and no event.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use hookgate_core::time::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{account::Account, round::Round, tally::Tally};

/// Holds how far comparison came. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// When the log began: what is older was never to be delivered.
    pub(crate) installed_at: Option<u64>,
    /// Until when each account is compared without a gap.
    #[serde(default)]
    marks: BTreeMap<Account, u64>,
    /// When the last round over all 30 days began.
    #[serde(default)]
    pub(crate) whole_at: Option<u64>,
    /// A round that has not ended.
    #[serde(default)]
    pub(crate) pending: Option<Pending>,
}

/// Holds a round that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pending {
    /// What was asked for; only the same goes on with it.
    pub(crate) request: String,
    /// How far it is.
    pub(crate) round: Round,
    /// What it found.
    pub(crate) tally: Tally,
}

/// Says why the state can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// It can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It isn't what was written.
    #[error(
        "`{}` is not what reconciliation wrote there: {source}. Remove it, and comparison begins anew, which costs requests only",
        path.display()
    )]
    Form {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It can't be written.
    #[error("can't write `{}`: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl State {
    /// Reads a file; without one, nothing is compared yet.
    ///
    /// # Errors
    /// [`StateError::Read`], [`StateError::Form`].
    pub(crate) fn read(path: &Path) -> Result<Self, StateError> {
        read(path)
    }

    /// Writes the file: whole or not at all, whenever the power goes.
    ///
    /// # Errors
    /// [`StateError::Write`].
    pub(crate) fn write(&self, path: &Path) -> Result<(), StateError> {
        write(path, self)
    }

    /// Returns until when an account is compared.
    pub(crate) fn mark(&self, account: &Account) -> Option<Timestamp> {
        let mark = self.marks.get(account);
        mark.map(|seconds| Timestamp::from_unix_seconds(*seconds))
    }

    /// Takes note of what a round compared, where no gap is left before it.
    pub(crate) fn advance(&mut self, round: &Round) {
        let installed_at = self.installed_at.unwrap_or_default();
        let until = round.until().unix_seconds();
        for (account, since) in round.whole() {
            let mark = self.marks.entry(account.clone()).or_insert(installed_at);
            if since <= *mark || round.is_all_that_is_listed(since) {
                *mark = until.max(*mark);
            }
        }
    }
}

/// Reads a file of ours; without one there is nothing yet.
///
/// # Errors
/// [`StateError::Read`], [`StateError::Form`].
pub(super) fn read<T: Default + DeserializeOwned>(path: &Path) -> Result<T, StateError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(source) => {
            return Err(StateError::Read {
                path: path.into(),
                source,
            });
        }
    };
    serde_json::from_str(&text).map_err(|source| StateError::Form {
        path: path.into(),
        source,
    })
}

/// Writes a file: whole or not at all, whenever the power goes.
///
/// # Errors
/// [`StateError::Write`].
pub(super) fn write(path: &Path, content: &impl Serialize) -> Result<(), StateError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    let written = || {
        let mut file = fs::File::create(&unfinished)?;
        serde_json::to_writer(&mut file, content)?;
        file.flush()?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    written().map_err(|source| StateError::Write {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use hookgate_core::time::Timestamp;

    use super::{Account, Pending, Round, State, StateError, Tally};
    use crate::reconcile::round::{TOO_YOUNG, earlier};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_760_000_000);

    fn compared(since: Duration) -> Round {
        let mut round = Round::new(NOW, [(Account::Platform, earlier(NOW, since))]);
        round.compared(None, false);
        round
    }

    fn state() -> State {
        State {
            installed_at: Some(earlier(NOW, Duration::from_hours(48)).unix_seconds()),
            ..State::default()
        }
    }

    #[test]
    fn reads_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db.reconcile");
        assert_eq!(State::read(&path).unwrap(), State::default());
        let mut state = state();
        state.advance(&compared(Duration::from_hours(48)));
        state.pending = Some(Pending {
            request: "all".to_owned(),
            round: compared(Duration::from_hours(1)),
            tally: Tally::default(),
        });
        state.write(&path).unwrap();
        assert_eq!(State::read(&path).unwrap(), state);
        fs::write(&path, "{").unwrap();
        let error = State::read(&path).unwrap_err();
        assert!(matches!(error, StateError::Form { .. }), "{error}");
    }

    #[test]
    fn leaves_no_gap_behind_a_mark() {
        let until = earlier(NOW, TOO_YOUNG);
        let installed = earlier(NOW, Duration::from_hours(48));
        for (since, mark) in [
            (Duration::from_hours(48), until),
            (Duration::from_hours(1), installed),
            (Duration::from_hours(24 * 30), until),
        ] {
            let mut state = state();
            state.advance(&compared(since));
            assert_eq!(state.mark(&Account::Platform), Some(mark), "{since:?}");
        }
    }

    #[test]
    fn forgets_what_stripe_lists_no_more() {
        let mut state = State {
            installed_at: Some(0),
            ..State::default()
        };
        state.advance(&compared(Duration::from_hours(24 * 365)));
        assert_eq!(
            state.mark(&Account::Platform),
            Some(earlier(NOW, TOO_YOUNG))
        );
    }
}
