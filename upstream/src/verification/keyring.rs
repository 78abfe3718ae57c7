//! Keyring files: read again whenever their content changes.
//!
//! A thread looks once a second, so that no request waits for a disk, and a
//! text that can't be used changes nothing: the last good secrets stay.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, PoisonError, RwLock, Weak},
    thread,
    time::Duration,
};

use hookgate_core::{
    config,
    keyring::{Keyring, KeyringError, MAX_KEYRING_BYTES, Signer},
    scheme::Scheme,
};
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};
use zeroize::Zeroizing;

/// Time between two looks at a file.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Names a file, and which of the gate's keyrings is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyringFile {
    /// `None`: the only one that the gate has.
    name: Option<String>,
    /// The file.
    pub(super) path: PathBuf,
}

/// Says why a keyring file can't be used; shows nothing of its text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyringFileError {
    /// The gate has no keyring of this name.
    #[error("--keyring: the gate has no keyring `{name}`, expected one of: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Those that it has.
        known: String,
    },
    /// A file without a name, and the gate has none or several keyrings.
    #[error(
        "--keyring: found {found} keyrings in the gate's configuration, expected NAME=FILE with one of: {known}"
    )]
    Nameless {
        /// How many it has.
        found: usize,
        /// Those that it has.
        known: String,
    },
    /// The file can't be read.
    #[error("can't read the keyring `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text isn't a keyring.
    #[error("the keyring `{}`: {source}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// Why.
        source: KeyringError,
    },
}

impl FromStr for KeyringFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |name: &str| hookgate_core::identity::Source::new(name).is_ok();
        Ok(match text.split_once('=') {
            Some((name, path)) if is_name(name) => Self {
                name: Some(name.to_owned()),
                path: path.into(),
            },
            _ => Self {
                name: None,
                path: text.into(),
            },
        })
    }
}

impl KeyringFile {
    /// Finds its keyring's position.
    ///
    /// # Errors
    /// [`KeyringFileError::Unknown`], [`KeyringFileError::Nameless`].
    pub(super) fn keyring_among(
        &self,
        keyrings: &[config::Keyring],
    ) -> Result<usize, KeyringFileError> {
        let names: Vec<&str> = keyrings
            .iter()
            .map(|keyring| keyring.name.as_str())
            .collect();
        let known = names.join(", ");
        match &self.name {
            None if names.len() == 1 => Ok(0),
            None => Err(KeyringFileError::Nameless {
                found: names.len(),
                known,
            }),
            Some(name) => names.iter().position(|other| other == name).ok_or_else(|| {
                KeyringFileError::Unknown {
                    name: name.clone(),
                    known,
                }
            }),
        }
    }
}

/// Says what a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The keyring itself.
    Text,
    /// The answer of an API of the form of Vault's KV version 2.
    Answer,
}

/// Names an endpoint that uses a keyring.
#[derive(Debug)]
pub(super) struct User {
    pub(super) endpoint: String,
    pub(super) scheme: Scheme,
}

/// Holds the last good secrets of a file.
#[derive(Debug)]
pub(super) struct Live {
    path: PathBuf,
    form: Form,
    users: Vec<User>,
    signers: RwLock<BTreeMap<String, Vec<Signer>>>,
}

/// Reads a file and watches it for as long as the result is held.
///
/// # Errors
/// [`KeyringFileError::Read`], [`KeyringFileError::Parse`]: at the start there
/// is no last good text.
pub(super) fn watch(
    path: &Path,
    form: Form,
    users: Vec<User>,
) -> Result<Arc<Live>, KeyringFileError> {
    let live = Live {
        path: path.into(),
        form,
        users,
        signers: RwLock::default(),
    };
    let text = live.read()?;
    live.take(&text)?;
    let live = Arc::new(live);
    let watched = Arc::downgrade(&live);
    let seen = Seen::Text(Sha256::digest(&text).into());
    thread::spawn(move || poll(&watched, seen));
    Ok(live)
}

/// What was seen last, so that it is said and parsed once.
#[derive(PartialEq, Eq)]
enum Seen {
    Text([u8; 32]),
    Nothing(io::ErrorKind),
}

fn poll(watched: &Weak<Live>, mut last: Seen) {
    loop {
        thread::sleep(POLL_INTERVAL);
        let Some(live) = watched.upgrade() else {
            return;
        };
        let read = live.read();
        let seen = match &read {
            Ok(text) => Seen::Text(Sha256::digest(text).into()),
            Err(KeyringFileError::Read { source, .. }) => Seen::Nothing(source.kind()),
            Err(_) => continue,
        };
        if seen == last {
            continue;
        }
        last = seen;
        match read.and_then(|text| live.take(&text)) {
            Ok(()) => info!(file = %live.path.display(), "took a keyring"),
            // Names the place and never the text.
            Err(error) => warn!(%error, "kept the last good keyring"),
        }
    }
}

impl Live {
    /// Returns the secrets of an endpoint.
    pub(super) fn signers(&self, endpoint: &str) -> Vec<Signer> {
        let signers = self.signers.read().unwrap_or_else(PoisonError::into_inner);
        signers.get(endpoint).cloned().unwrap_or_default()
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, KeyringFileError> {
        use io::Read as _;
        let read_error = |source| KeyringFileError::Read {
            path: self.path.clone(),
            source,
        };
        let most = u64::try_from(MAX_KEYRING_BYTES).unwrap_or(u64::MAX);
        let file = fs::File::open(&self.path).map_err(read_error)?;
        let length = file.metadata().map_err(read_error)?.len().min(most);
        // Enough at once: what a buffer outgrows stays in memory.
        let capacity = usize::try_from(length).unwrap_or(MAX_KEYRING_BYTES) + 64;
        let mut text = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(most.saturating_add(1))
            .read_to_end(&mut text)
            .map_err(read_error)?;
        Ok(text)
    }

    /// Takes a text's secrets instead of those before, all or none.
    fn take(&self, text: &[u8]) -> Result<(), KeyringFileError> {
        let scheme_of = |name: &str| {
            let user = self.users.iter().find(|user| user.endpoint == name)?;
            Some(&user.scheme)
        };
        let keyring = match self.form {
            Form::Text => Keyring::parse(text, scheme_of),
            Form::Answer => Keyring::parse_kv2(text, scheme_of),
        };
        let keyring = keyring.map_err(|source| KeyringFileError::Parse {
            path: self.path.clone(),
            source,
        })?;
        let signers = self.users.iter().map(|user| {
            let signers = keyring.signers(&user.endpoint).iter();
            let signers = signers.map(|signer| signer.as_ref().clone()).collect();
            (user.endpoint.clone(), signers)
        });
        let signers: BTreeMap<_, _> = signers.collect();
        *self.signers.write().unwrap_or_else(PoisonError::into_inner) = signers;
        Ok(())
    }
}
