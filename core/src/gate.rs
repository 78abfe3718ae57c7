//! A checked configuration with its secrets: what a worker needs to decide.

use alloc::{rc::Rc, string::String, vec::Vec};

use crate::{
    config::{self, Config},
    dedup::Table,
    secret::{SecretError, SigningSecret},
};

/// Holds everything that decides about deliveries, shared by all of a worker's.
#[derive(Debug)]
pub struct Gate {
    endpoints: Vec<Rc<Endpoint>>,
    pub(crate) settings: Settings,
}

/// Holds what applies to every endpoint. A delivery keeps a copy: it ends by
/// the configuration that it began with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) table: Table,
    pub(crate) upstream_timeout_millis: u128,
    pub(crate) pass_unknown_paths: bool,
    pub(crate) trust_traceparent: bool,
}

/// Holds an endpoint and its loaded secrets.
#[derive(Debug)]
pub struct Endpoint {
    /// Its configuration.
    pub config: config::Endpoint,
    /// The secrets that could be loaded. None: the endpoint is closed.
    pub secrets: Vec<SigningSecret>,
    /// Position among the gate's endpoints.
    pub index: usize,
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

impl Gate {
    /// Loads the secrets that a configuration names.
    ///
    /// `environment` returns a variable's bytes, or `None` where it isn't set.
    /// An endpoint without any secret is closed ([`Self::closed_endpoints`]),
    /// so that a platform which uses one of two endpoints sets one secret.
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
            upstream_timeout_millis: config.upstream_timeout.as_millis(),
            pass_unknown_paths: config.pass_unknown_paths,
            trust_traceparent: config.trust_traceparent,
        };
        let endpoints = config
            .endpoints
            .into_iter()
            .enumerate()
            .map(|(index, config)| {
                let secrets = load_secrets(&config, &mut environment)?;
                Ok(Rc::new(Endpoint {
                    config,
                    secrets,
                    index,
                }))
            })
            .collect::<Result<_, LoadError>>()?;
        Ok(Self {
            endpoints,
            settings,
        })
    }

    /// Lists the endpoints in the order of the configuration.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = &Endpoint> {
        self.endpoints.iter().map(AsRef::as_ref)
    }

    /// Lists the secrets that are configured and were not there.
    pub fn missing_secrets(&self) -> impl Iterator<Item = (&Endpoint, &config::SecretReference)> {
        self.endpoints().flat_map(|endpoint| {
            let loaded = |name: &str| endpoint.secrets.iter().any(|secret| secret.name() == name);
            let configured = endpoint.config.secrets.iter();
            configured
                .filter(move |secret| !loaded(&secret.name))
                .map(move |secret| (endpoint, secret))
        })
    }

    /// Lists the endpoints that have no secret and so refuse everything.
    pub fn closed_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints()
            .filter(|endpoint| endpoint.secrets.is_empty())
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

fn load_secrets(
    endpoint: &config::Endpoint,
    environment: &mut impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<SigningSecret>, LoadError> {
    let mut secrets = Vec::new();
    for reference in &endpoint.secrets {
        let Some(value) = environment(&reference.env).map(zeroize::Zeroizing::new) else {
            continue;
        };
        let secret = SigningSecret::new(&reference.name, &value).map_err(|error| LoadError {
            endpoint: endpoint.name.clone(),
            secret: reference.name.clone(),
            env: reference.env.clone(),
            error,
        })?;
        secrets.push(secret);
    }
    Ok(secrets)
}
