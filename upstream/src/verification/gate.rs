//! Verification by the gate's own configuration.

use std::{collections::BTreeMap, env, sync::Arc};

use hookgate_core::{
    config::{self, Config, KeyringSource},
    keyring::Signer,
    reply::Code,
    secret::SecretError,
};
use tracing::warn;

use super::{
    Doubt, Rules, Sender, Signers,
    keyring::{self, KeyringFile, KeyringFileError, Live, User},
};

/// Holds the gate's endpoints, by name, with their secrets.
#[derive(Debug)]
pub(crate) struct Gate {
    endpoints: BTreeMap<String, Endpoint>,
}

#[derive(Debug)]
struct Endpoint {
    config: Arc<config::Endpoint>,
    from_environment: Vec<Signer>,
    keyring: Option<Arc<Live>>,
}

/// Says why the gate's secrets can't be loaded; never shows one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateSecretsError {
    /// None is there, so that nothing could be verified.
    #[error(
        "found no signing secret for any endpoint of the gate: set the environment variables that its configuration names, or give its keyring with --keyring FILE"
    )]
    None,
    /// One can only be a mistake.
    #[error("endpoint `{endpoint}`, environment variable `{variable}`: {error}")]
    Invalid {
        /// Whose.
        endpoint: String,
        /// Where.
        variable: String,
        /// Why.
        error: SecretError,
    },
    /// A keyring can't be used.
    #[error(transparent)]
    Keyring(#[from] KeyringFileError),
}

impl Gate {
    /// Loads the secrets that the configuration names: those of the environment,
    /// and those of its keyrings from these files, which are watched from now on.
    ///
    /// # Errors
    /// [`GateSecretsError`].
    pub(crate) fn load(config: Config, files: &[KeyringFile]) -> Result<Self, GateSecretsError> {
        let Config {
            endpoints,
            keyrings,
            ..
        } = config;
        let mut live: Vec<Option<Arc<Live>>> = vec![None; keyrings.len()];
        for file in files {
            let index = file.keyring_among(&keyrings)?;
            let users = endpoints
                .iter()
                .filter(|endpoint| endpoint.keyring == Some(index))
                .map(|endpoint| User {
                    endpoint: endpoint.name.clone(),
                    scheme: endpoint.scheme.clone(),
                });
            let form = match keyrings.get(index).map(|keyring| &keyring.source) {
                Some(KeyringSource::Http(_)) => keyring::Form::Answer,
                _ => keyring::Form::Text,
            };
            let opened = keyring::watch(&file.path, form, users.collect())?;
            if let Some(slot) = live.get_mut(index) {
                *slot = Some(opened);
            }
        }
        let endpoints = endpoints
            .into_iter()
            .map(|config| {
                let keyring = config.keyring.and_then(|index| live.get(index)?.clone());
                let endpoint = Endpoint {
                    from_environment: from_environment(&config)?,
                    keyring,
                    config: Arc::new(config),
                };
                Ok((endpoint.config.name.clone(), endpoint))
            })
            .collect::<Result<BTreeMap<_, _>, GateSecretsError>>()?;
        let closed: Vec<&str> = endpoints
            .values()
            .filter(|endpoint| endpoint.is_closed())
            .map(|endpoint| endpoint.config.name.as_str())
            .collect();
        if closed.len() == endpoints.len() {
            return Err(GateSecretsError::None);
        }
        if !closed.is_empty() {
            let endpoints = closed.join(",");
            warn!(
                endpoints,
                "these have no secret here: their events are refused"
            );
        }
        Ok(Self { endpoints })
    }

    /// Returns the largest payload of any endpoint.
    pub(crate) fn max_body_bytes(&self) -> u64 {
        let limits = self.endpoints.values();
        let limits = limits.map(|endpoint| endpoint.config.max_body_bytes);
        limits.max().unwrap_or_default()
    }

    pub(super) fn sources(&self) -> Vec<&str> {
        let endpoints = self.endpoints.values();
        let mut sources: Vec<&str> = endpoints
            .map(|endpoint| endpoint.config.source.as_str())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// Returns what applies to a sender.
    ///
    /// # Errors
    /// [`Doubt::Sender`]; [`Code::Unavailable`] while its endpoint has no secret.
    pub(super) fn rules(&self, sender: Sender<'_>) -> Result<Rules, Doubt> {
        let endpoint = self
            .endpoints
            .get(sender.endpoint)
            .filter(|endpoint| endpoint.config.source == *sender.source)
            .ok_or(Doubt::Sender)?;
        let config = &endpoint.config;
        let mut secrets = endpoint.from_environment.clone();
        if let Some(keyring) = &endpoint.keyring {
            secrets.extend_from_slice(keyring.signers(&config.name).as_slice());
        }
        // As of the gate's own judgement, which may be some retries ago.
        secrets.retain(|signer| signer.validity.contains(sender.received_at));
        if secrets.is_empty() {
            return Err(Doubt::Gate(Code::Unavailable));
        }
        Ok(Rules {
            signers: Some(Signers {
                secrets,
                tolerance: config.tolerance,
            }),
            endpoint: Some(Arc::clone(config)),
        })
    }
}

impl Endpoint {
    /// Tells whether it can't have a secret, whatever its keyring will hold.
    fn is_closed(&self) -> bool {
        self.keyring.is_none() && self.from_environment.is_empty()
    }
}

fn from_environment(endpoint: &config::Endpoint) -> Result<Vec<Signer>, GateSecretsError> {
    let mut signers = Vec::new();
    for reference in &endpoint.secrets {
        let Some(value) = env::var_os(&reference.env) else {
            continue;
        };
        let secret = endpoint
            .scheme
            .secret(&reference.name, value.as_encoded_bytes());
        signers.push(Signer {
            secret: secret.map_err(|error| GateSecretsError::Invalid {
                endpoint: endpoint.name.clone(),
                variable: reference.env.clone(),
                error,
            })?,
            validity: reference.validity,
            scope: reference.scope,
        });
    }
    Ok(signers)
}
