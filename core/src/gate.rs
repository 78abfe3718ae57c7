//! A checked configuration with its secrets: what a worker needs to decide.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::cell::{Cell, RefCell};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    config::{self, Config, Exceeded, GateQuotas, KeyringSource},
    dedup::Table,
    keyring::{self, Keyring, KeyringError, Signer},
    outcome::QuotaKind,
    protection::{Protection, Protector},
    quota::Quotas,
    request::RequestHead,
    secret::SecretError,
    time::Timestamp,
};

/// Holds everything that decides about deliveries, shared by all of a worker's.
#[derive(Debug)]
pub struct Gate {
    endpoints: Vec<Rc<Endpoint>>,
    keyrings: Vec<LiveKeyring>,
    pub(crate) settings: Settings,
    pub(crate) protector: Protector,
}

/// Holds what applies to every endpoint. A delivery keeps a copy: it ends by
/// the configuration that it began with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) table: Table,
    pub(crate) quotas: Quotas,
    pub(crate) limits: GateQuotas,
    pub(crate) upstream_timeout_millis: u128,
    pub(crate) pass_unknown_paths: bool,
    pub(crate) trust_traceparent: bool,
}

/// Holds an endpoint and its loaded secrets.
#[derive(Debug)]
pub struct Endpoint {
    /// Its configuration.
    pub config: config::Endpoint,
    /// Position among the gate's endpoints.
    pub index: usize,
    from_environment: Vec<Rc<Signer>>,
    from_keyring: RefCell<Vec<Rc<Signer>>>,
    has_keyring: Cell<bool>,
}

/// Holds a keyring's configuration, and the text that was seen last.
#[derive(Debug)]
struct LiveKeyring {
    config: config::Keyring,
    /// To parse a text once and not for each request or poll.
    seen: RefCell<Option<Zeroizing<Vec<u8>>>>,
    loaded: Cell<Option<[u8; 8]>>,
}

/// Says that a secret which is there can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("endpoint `{endpoint}`, secret `{secret}`, environment variable `{env}`: {error}")]
pub struct LoadError {
    endpoint: String,
    secret: String,
    env: String,
    error: SecretError,
}

/// Says what became of a keyring's new text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refresh {
    /// It is what was seen before.
    Unchanged,
    /// Its secrets are in use.
    Loaded,
    /// It was refused; the secrets before stay in use.
    Refused(KeyringError),
}

impl Gate {
    /// Loads the secrets that a configuration names in the environment.
    ///
    /// `environment` returns a variable's bytes, or `None` where it isn't set.
    /// An endpoint without any secret is closed, so that a platform which uses
    /// one of two endpoints sets one secret.
    ///
    /// # Errors
    /// [`LoadError`] for a secret that can only be a mistake.
    pub fn load(
        config: Config,
        mut environment: impl FnMut(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, LoadError> {
        let settings = Settings {
            table: Table::new(
                config.dedup.max_entries,
                config.dedup.retention,
                config.dedup.lease,
            ),
            quotas: Quotas::new(config.quotas.max_keys),
            limits: config.quotas,
            upstream_timeout_millis: config.upstream_timeout.as_millis(),
            pass_unknown_paths: config.pass_unknown_paths,
            trust_traceparent: config.trust_traceparent,
        };
        let endpoints = config
            .endpoints
            .into_iter()
            .enumerate()
            .map(|(index, config)| {
                Ok(Rc::new(Endpoint {
                    from_environment: from_environment(&config, &mut environment)?,
                    from_keyring: RefCell::default(),
                    has_keyring: Cell::new(false),
                    config,
                    index,
                }))
            })
            .collect::<Result<_, LoadError>>()?;
        let live = |config| LiveKeyring {
            config,
            seen: RefCell::default(),
            loaded: Cell::new(None),
        };
        Ok(Self {
            endpoints,
            keyrings: config.keyrings.into_iter().map(live).collect(),
            settings,
            protector: Protector::default(),
        })
    }

    /// Lists the endpoints in the order of the configuration.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = &Endpoint> {
        self.endpoints.iter().map(AsRef::as_ref)
    }

    /// Returns the quotas that count what an endpoint takes, and what each does.
    #[must_use]
    pub fn quotas_of(&self, endpoint: &Endpoint) -> Vec<(QuotaKind, Exceeded)> {
        let GateQuotas {
            sources, overall, ..
        } = &self.settings.limits;
        let own = &endpoint.config.quotas;
        let types = own.types.iter().map(|of| (QuotaKind::Type, Some(of.quota)));
        [
            (QuotaKind::Source, *sources),
            (QuotaKind::Account, own.accounts),
            (QuotaKind::Endpoint, own.endpoint),
            (QuotaKind::Overall, *overall),
        ]
        .into_iter()
        .chain(types)
        .filter_map(|(kind, quota)| Some((kind, quota?.exceeded)))
        .collect()
    }

    /// Lists the keyrings in the order of the configuration.
    pub fn keyrings(&self) -> impl ExactSizeIterator<Item = &config::Keyring> {
        self.keyrings.iter().map(|keyring| &keyring.config)
    }

    /// Returns the keyring that has to be read before this request is judged:
    /// its position, and the filter state object with its text.
    #[must_use]
    pub fn keyring_of(&self, head: RequestHead<'_>) -> Option<(usize, &str)> {
        let index = self.endpoint(head.only(":path")?)?.config.keyring?;
        match &self.keyrings.get(index)?.config.source {
            KeyringSource::FilterState(key) => Some((index, key)),
            KeyringSource::Http(_) => None,
        }
    }

    /// Takes a keyring's text: the source's own, or an API's whole answer.
    ///
    /// What can't be used changes nothing: the last good secrets stay.
    pub fn refresh(&self, keyring: usize, text: &[u8]) -> Refresh {
        let Some(live) = self.keyrings.get(keyring) else {
            return Refresh::Unchanged;
        };
        // What an API puts around the keyring differs in every answer.
        let found = match live.config.source {
            KeyringSource::FilterState(_) => Ok(text),
            KeyringSource::Http(_) => keyring::kv2_data(text),
        };
        let text = *found.as_ref().unwrap_or(&text);
        let mut seen = live.seen.borrow_mut();
        if seen.as_ref().is_some_and(|seen| seen.as_slice() == text) {
            return Refresh::Unchanged;
        }
        *seen = Some(Zeroizing::new(text.into()));
        let users = || {
            let mut all = self.endpoints.iter();
            core::iter::from_fn(move || all.find(|user| user.config.keyring == Some(keyring)))
        };
        let scheme_of = |name: &str| {
            let user = users().find(|user| user.config.name == name)?;
            Some(&user.config.scheme)
        };
        match found.and_then(|text| Keyring::parse(text, scheme_of)) {
            Ok(parsed) => {
                for user in users() {
                    *user.from_keyring.borrow_mut() = parsed.signers(&user.config.name).into();
                    user.has_keyring.set(true);
                }
                let [a, b, c, d, e, f, g, h, ..]: [u8; 32] =
                    seen.as_ref().map(Sha256::digest).unwrap_or_default().into();
                live.loaded.set(Some([a, b, c, d, e, f, g, h]));
                Refresh::Loaded
            }
            Err(error) => Refresh::Refused(error),
        }
    }

    /// Returns bits of the SHA-256 of a keyring's text in use, by which workers
    /// can tell whether they use the same; `None` before the first.
    #[must_use]
    pub fn keyring_in_use(&self, keyring: usize) -> Option<[u8; 8]> {
        self.keyrings.get(keyring)?.loaded.get()
    }

    /// Lists the secrets of the environment that are configured and were not
    /// there.
    pub fn missing_secrets(&self) -> impl Iterator<Item = (&Endpoint, &config::SecretReference)> {
        self.endpoints().flat_map(|endpoint| {
            let loaded = |name: &str| {
                let mut loaded = endpoint.from_environment.iter();
                loaded.any(|signer| signer.secret.name() == name)
            };
            let configured = endpoint.config.secrets.iter();
            configured
                .filter(move |secret| !loaded(&secret.name))
                .map(move |secret| (endpoint, secret))
        })
    }

    /// Does this about verdicts of the watch from now on.
    pub fn protect(&self, protection: Protection) {
        self.protector.set(protection);
    }

    /// Tells whether a delivery's peer address matters.
    #[must_use]
    pub fn needs_source_address(&self) -> bool {
        self.settings.limits.sources.is_some()
            || self
                .endpoints()
                .any(|endpoint| !endpoint.config.policy.source_ranges.is_empty())
    }

    /// Returns the dedup table's geometry.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.settings.table
    }

    /// Finds an endpoint by exact path; a query doesn't count.
    pub(crate) fn endpoint(&self, path: &[u8]) -> Option<Rc<Endpoint>> {
        let path = path.split(|&byte| byte == b'?').next()?;
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.config.path.as_bytes() == path)
            .cloned()
    }
}

impl Endpoint {
    /// Returns the secrets that may verify at `now`, those of the environment
    /// first. None: the endpoint is closed.
    #[must_use]
    pub fn signers(&self, now: Timestamp) -> Vec<Rc<Signer>> {
        self.from_environment
            .iter()
            .chain(self.from_keyring.borrow().iter())
            .filter(|signer| signer.validity.contains(now))
            .cloned()
            .collect()
    }

    /// Tells whether what the endpoint is to have was read: its keyring, if it
    /// uses one, at least once.
    #[must_use]
    pub fn has_been_loaded(&self) -> bool {
        self.config.keyring.is_none() || self.has_keyring.get()
    }
}

fn from_environment(
    endpoint: &config::Endpoint,
    environment: &mut impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<Rc<Signer>>, LoadError> {
    let mut signers = Vec::new();
    for reference in &endpoint.secrets {
        let Some(value) = environment(&reference.env).map(Zeroizing::new) else {
            continue;
        };
        let secret = endpoint.scheme.secret(&reference.name, &value);
        signers.push(Rc::new(Signer {
            secret: secret.map_err(|error| LoadError {
                endpoint: endpoint.name.clone(),
                secret: reference.name.clone(),
                env: reference.env.clone(),
                error,
            })?,
            validity: reference.validity,
            scope: reference.scope,
        }));
    }
    Ok(signers)
}
