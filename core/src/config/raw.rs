//! The configuration as JSON spells it, with its defaults, and its checks.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt::Display, ops::RangeInclusive, time::Duration};

use serde::Deserialize;

use super::{
    ConfigError, Dedup, Endpoint, LEASE_SECONDS, MAX_BODY_BYTES, MAX_ENDPOINTS, MAX_ENTRIES,
    MAX_SECRETS, MIN_UPSTREAM_TIMEOUT_SECONDS, RETENTION_SECONDS, SecretReference,
    TOLERANCE_SECONDS,
};
use crate::{
    identity::{NameError, Source},
    signature::Tolerance,
};

/// Default of `upstream_timeout_seconds`.
pub const DEFAULT_UPSTREAM_TIMEOUT_SECONDS: u64 = 10;

/// Holds the defaults of an endpoint's optional numbers.
#[derive(Debug, Clone, Copy)]
pub struct EndpointDefaults {
    /// Default of both tolerances, in seconds: that of Stripe's libraries.
    pub tolerance_seconds: u64,
    /// Default of `max_body_bytes`: Stripe's largest known payloads are just
    /// over 1 MiB.
    pub max_body_bytes: u64,
}

/// Defaults of an endpoint.
pub const DEFAULT_ENDPOINT: EndpointDefaults = EndpointDefaults {
    tolerance_seconds: 300,
    max_body_bytes: 2 * 1_048_576,
};

/// Defaults of `dedup`: a million entries for the 72 h of Stripe's automatic
/// retries, and a lease of 30 s.
pub const DEFAULT_DEDUP: Dedup = Dedup {
    max_entries: 1_000_000,
    retention: Duration::from_secs(259_200),
    lease: Duration::from_secs(30),
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a configuration")]
pub(super) struct Config {
    endpoints: Vec<RawEndpoint>,
    #[serde(default)]
    dedup: RawDedup,
    #[serde(default = "default_upstream_timeout_seconds")]
    upstream_timeout_seconds: u64,
    #[serde(default)]
    pass_unknown_paths: bool,
    #[serde(default)]
    trust_traceparent: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an endpoint")]
struct RawEndpoint {
    name: String,
    path: String,
    source: Option<String>,
    secrets: Vec<RawSecret>,
    #[serde(default = "default_tolerance_seconds")]
    tolerance_past_seconds: u64,
    #[serde(default = "default_tolerance_seconds")]
    tolerance_future_seconds: u64,
    #[serde(default = "default_max_body_bytes")]
    max_body_bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with name and env")]
struct RawSecret {
    name: String,
    env: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the dedup settings")]
struct RawDedup {
    max_entries: u64,
    retention_seconds: u64,
    lease_seconds: u64,
}

impl Default for RawDedup {
    fn default() -> Self {
        Self {
            max_entries: DEFAULT_DEDUP.max_entries.into(),
            retention_seconds: DEFAULT_DEDUP.retention.as_secs(),
            lease_seconds: DEFAULT_DEDUP.lease.as_secs(),
        }
    }
}

const fn default_upstream_timeout_seconds() -> u64 {
    DEFAULT_UPSTREAM_TIMEOUT_SECONDS
}

const fn default_tolerance_seconds() -> u64 {
    DEFAULT_ENDPOINT.tolerance_seconds
}

const fn default_max_body_bytes() -> u64 {
    DEFAULT_ENDPOINT.max_body_bytes
}

impl Config {
    pub(super) fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let mut parser = serde_json::Deserializer::from_slice(json);
        let config = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
            ConfigError::shape(&error.path().to_string(), &error.inner().to_string())
        })?;
        parser
            .end()
            .map_err(|error| ConfigError::shape(".", &error.to_string()))?;
        Ok(config)
    }

    pub(super) fn check(self) -> Result<super::Config, ConfigError> {
        count("endpoints", self.endpoints.len(), 1..=MAX_ENDPOINTS)?;
        self.check_unique()?;
        let dedup = self.dedup.check()?;
        let timeout = MIN_UPSTREAM_TIMEOUT_SECONDS..=dedup.lease.as_secs() - 1;
        if !timeout.contains(&self.upstream_timeout_seconds) {
            return Err(ConfigError::value(
                "upstream_timeout_seconds",
                self.upstream_timeout_seconds,
                format!(
                    "{} to {}, below dedup.lease_seconds",
                    timeout.start(),
                    timeout.end()
                ),
            ));
        }
        Ok(super::Config {
            dedup,
            upstream_timeout: Duration::from_secs(self.upstream_timeout_seconds),
            pass_unknown_paths: self.pass_unknown_paths,
            trust_traceparent: self.trust_traceparent,
            endpoints: self
                .endpoints
                .into_iter()
                .enumerate()
                .map(|(index, endpoint)| endpoint.check(&format!("endpoints[{index}]")))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Names and paths are unique, and a source is shared on purpose only.
    fn check_unique(&self) -> Result<(), ConfigError> {
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            for earlier in self.endpoints.iter().take(index) {
                let at = |field| format!("endpoints[{index}].{field}");
                if earlier.name == endpoint.name {
                    let expected = "a name that no other endpoint has";
                    return Err(ConfigError::value(&at("name"), &endpoint.name, expected));
                }
                if earlier.path == endpoint.path {
                    let expected = "a path that no other endpoint has";
                    return Err(ConfigError::value(&at("path"), &endpoint.path, expected));
                }
                let explicit = earlier.source.is_some() && endpoint.source.is_some();
                if earlier.source() == endpoint.source() && !explicit {
                    return Err(ConfigError::value(
                        &at("source"),
                        endpoint.source(),
                        "a source of its own, or both endpoints to name the shared one",
                    ));
                }
            }
        }
        Ok(())
    }
}

impl RawEndpoint {
    fn source(&self) -> &str {
        self.source.as_deref().unwrap_or(&self.name)
    }

    fn check(self, path: &str) -> Result<Endpoint, ConfigError> {
        let at = |field: &str| format!("{path}.{field}");
        name(&at("name"), &self.name)?;
        let source = name(&at("source"), self.source())?;
        if !is_exact_path(&self.path) {
            return Err(ConfigError::value(
                &at("path"),
                &self.path,
                "a normalized absolute path without query, such as `/webhooks/stripe`",
            ));
        }
        count(&at("secrets"), self.secrets.len(), 1..=MAX_SECRETS)?;
        for (index, secret) in self.secrets.iter().enumerate() {
            secret.check(&format!("{path}.secrets[{index}]"))?;
            let mut earlier = self.secrets.iter().take(index);
            if earlier.any(|other| other.name == secret.name) {
                return Err(ConfigError::value(
                    &format!("{path}.secrets[{index}].name"),
                    &secret.name,
                    "a name that no other secret of the endpoint has",
                ));
            }
        }
        let tolerance = Tolerance {
            past: seconds(
                &at("tolerance_past_seconds"),
                self.tolerance_past_seconds,
                TOLERANCE_SECONDS,
            )?,
            future: seconds(
                &at("tolerance_future_seconds"),
                self.tolerance_future_seconds,
                TOLERANCE_SECONDS,
            )?,
        };
        bounded(&at("max_body_bytes"), self.max_body_bytes, MAX_BODY_BYTES)?;
        Ok(Endpoint {
            name: self.name,
            path: self.path,
            source,
            secrets: self
                .secrets
                .into_iter()
                .map(|RawSecret { name, env }| SecretReference { name, env })
                .collect(),
            tolerance,
            max_body_bytes: self.max_body_bytes,
        })
    }
}

impl RawSecret {
    /// Quotes nothing: a secret pasted into a wrong field can have any form.
    fn check(&self, path: &str) -> Result<(), ConfigError> {
        const FOUND: &str = "…";
        if let Err(error) = Source::new(&self.name) {
            let expected = expected(error);
            return Err(ConfigError::value(&format!("{path}.name"), FOUND, expected));
        }
        if !is_variable(&self.env) {
            let expected = "the name of an environment variable, [A-Z_][A-Z0-9_]*, not the secret";
            return Err(ConfigError::value(&format!("{path}.env"), FOUND, expected));
        }
        Ok(())
    }
}

impl RawDedup {
    fn check(&self) -> Result<Dedup, ConfigError> {
        bounded("dedup.max_entries", self.max_entries, MAX_ENTRIES)?;
        Ok(Dedup {
            max_entries: u32::try_from(self.max_entries).unwrap_or(u32::MAX),
            retention: seconds(
                "dedup.retention_seconds",
                self.retention_seconds,
                RETENTION_SECONDS,
            )?,
            lease: seconds("dedup.lease_seconds", self.lease_seconds, LEASE_SECONDS)?,
        })
    }
}

fn bounded<T: PartialOrd + Display>(
    path: &str,
    found: T,
    bounds: RangeInclusive<T>,
) -> Result<T, ConfigError> {
    if bounds.contains(&found) {
        return Ok(found);
    }
    let expected = format!("{} to {}", bounds.start(), bounds.end());
    Err(ConfigError::value(path, found, expected))
}

fn count(path: &str, found: usize, bounds: RangeInclusive<usize>) -> Result<(), ConfigError> {
    bounded(path, found, bounds)
        .map(drop)
        .map_err(|error| match error {
            ConfigError::Value {
                path,
                found,
                expected,
            } => ConfigError::Value {
                path,
                found: format!("{found} entries"),
                expected,
            },
            shape @ ConfigError::Shape { .. } => shape,
        })
}

fn seconds(path: &str, found: u64, bounds: RangeInclusive<u64>) -> Result<Duration, ConfigError> {
    bounded(path, found, bounds).map(Duration::from_secs)
}

fn name(path: &str, found: &str) -> Result<Source, ConfigError> {
    Source::new(found).map_err(|error| ConfigError::value(path, found, expected(error)))
}

fn expected(error: NameError) -> String {
    let text = error.to_string();
    text.strip_prefix("expected ").unwrap_or(&text).to_string()
}

/// Tells whether Envoy's normalization leaves the path as it is, so that what
/// is configured can be what arrives.
fn is_exact_path(path: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~:@!$&'()*+,;=".contains(&byte);
    let segments = || path.split('/').skip(1);
    path.len() <= 256
        && path.starts_with('/')
        && path.bytes().all(allowed)
        && !segments().any(|segment| matches!(segment, "." | ".."))
        && !path.contains("//")
}

/// Tells whether this is a variable's name by convention, which a secret pasted
/// here hardly ever is.
fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    bytes.next().is_some_and(first) && bytes.all(|byte| first(byte) || byte.is_ascii_digit())
}
