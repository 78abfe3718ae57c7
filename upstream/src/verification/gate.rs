//! Verification by the gate's own configuration.

use std::{collections::BTreeMap, env};

use hookgate_core::{
    config::{self, Config},
    event::Event,
    reply::Code,
    scheme::Scheme,
    secret::{SecretError, SigningSecret},
};

use super::{Doubt, Rules, Sender, Signer, Signers};

/// Holds the gate's endpoints, by name, with their secrets.
#[derive(Debug)]
pub(crate) struct Gate {
    endpoints: BTreeMap<String, Endpoint>,
}

#[derive(Debug)]
struct Endpoint {
    config: config::Endpoint,
    secrets: Vec<SigningSecret>,
}

/// Says why the gate's secrets can't be loaded; never shows one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
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
}

/// Says what a secret may sign.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scope;

impl Scope {
    /// Refuses an event that is out of the scope.
    ///
    /// # Errors
    /// `secret_scope`.
    pub(super) const fn check(self, _event: &Event) -> Result<(), Code> {
        Ok(())
    }
}

impl Signer {
    /// A secret that may sign whatever its source sends.
    pub(super) fn of_all(secret: &SigningSecret) -> Self {
        Self {
            secret: secret.clone(),
            scope: Scope,
        }
    }
}

impl Gate {
    /// Loads the secrets that the configuration names.
    ///
    /// # Errors
    /// [`GateSecretsError`].
    pub(crate) fn load(config: Config) -> Result<Self, GateSecretsError> {
        let mut endpoints = BTreeMap::new();
        for endpoint in config.endpoints {
            let secrets = environment_secrets(&endpoint)?;
            let name = endpoint.name.clone();
            endpoints.insert(
                name,
                Endpoint {
                    config: endpoint,
                    secrets,
                },
            );
        }
        if endpoints
            .values()
            .all(|endpoint| endpoint.secrets.is_empty())
        {
            return Err(GateSecretsError::None);
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
        let secrets: Vec<Signer> = endpoint.secrets.iter().map(Signer::of_all).collect();
        if secrets.is_empty() {
            return Err(Doubt::Gate(Code::Unavailable));
        }
        Ok(Rules {
            scheme: Scheme::Stripe,
            signers: Some(Signers {
                secrets,
                tolerance: endpoint.config.tolerance,
            }),
            max_body_bytes: usize::try_from(endpoint.config.max_body_bytes).ok(),
        })
    }
}

fn environment_secrets(
    endpoint: &config::Endpoint,
) -> Result<Vec<SigningSecret>, GateSecretsError> {
    let mut secrets = Vec::new();
    for reference in &endpoint.secrets {
        let Some(value) = env::var_os(&reference.env) else {
            continue;
        };
        let secret = Scheme::Stripe.secret(&reference.name, value.as_encoded_bytes());
        secrets.push(secret.map_err(|error| GateSecretsError::Invalid {
            endpoint: endpoint.name.clone(),
            variable: reference.env.clone(),
            error,
        })?);
    }
    Ok(secrets)
}
