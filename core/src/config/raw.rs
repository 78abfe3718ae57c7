//! The configuration as JSON spells it, with its defaults, and its checks.
//!
//! The doc comments here are the reference: `docs/configuration.md` and the
//! JSON Schema are made of them.

mod endpoint;
mod keyring;
#[cfg(feature = "schema")]
pub(super) mod pattern;
mod policy;
mod quota;
#[cfg(feature = "watch")]
mod watch;

use alloc::{format, string::ToString, vec::Vec};
use core::time::Duration;

use serde::Deserialize;

use super::{
    ConfigError, Dedup, Endpoint, LEASE_SECONDS, MAX_ENDPOINTS, MAX_ENTRIES, MAX_KEYRINGS,
    MIN_UPSTREAM_TIMEOUT_SECONDS, RETENTION_SECONDS,
    check::{bounded, count, seconds, unique},
};
use crate::object::Objects;
pub use endpoint::DEFAULT_ENDPOINT;
use endpoint::RawEndpoint;
use keyring::RawKeyring;
pub use quota::DEFAULT_MAX_KEYS;
use quota::RawGateQuotas;
#[cfg(feature = "watch")]
use watch::RawWatch;

/// Default of `upstream_timeout_seconds`.
pub const DEFAULT_UPSTREAM_TIMEOUT_SECONDS: u64 = 10;

/// Defaults of `dedup`: a million entries for the 72 h of Stripe's automatic
/// retries, and a lease of 30 s.
pub const DEFAULT_DEDUP: Dedup = Dedup {
    max_entries: 1_000_000,
    retention: Duration::from_secs(259_200),
    lease: Duration::from_secs(30),
};

/// The configuration of Hookgate's filter for Envoy.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Configuration")
)]
#[serde(deny_unknown_fields, expecting = "a configuration")]
pub(super) struct Config {
    /// The webhook endpoints. Each needs a route in Envoy too.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_ENDPOINTS)))]
    endpoints: Vec<RawEndpoint>,
    /// Where keyrings come from: sources of signing secrets that are read
    /// again while Envoy runs.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_KEYRINGS)))]
    keyrings: Vec<RawKeyring>,
    /// Quotas that are not of one endpoint.
    #[serde(default)]
    quotas: RawGateQuotas,
    /// The dedup table, shared by all workers of one Envoy.
    #[serde(default)]
    dedup: RawDedup,
    /// How long the upstream may take to answer, in seconds; shorter than
    /// `dedup.lease_seconds`. More lets a slow log answer; meanwhile the sender
    /// waits, and Stripe gives up after about 10 s.
    #[serde(default = "default_upstream_timeout_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(min = MIN_UPSTREAM_TIMEOUT_SECONDS, max = *LEASE_SECONDS.end() - 1)))]
    upstream_timeout_seconds: u64,
    /// Lets paths of no endpoint through unverified instead of answering 404.
    /// Only for an Envoy that serves other things on the same listener.
    #[serde(default)]
    pass_unknown_paths: bool,
    /// Keeps a client's own `traceparent` and `tracestate`. Anybody can then
    /// write into your traces.
    #[serde(default)]
    trust_traceparent: bool,
    /// Watches deliveries for anomalies: `{}` is enough. Without it nothing is
    /// watched.
    #[cfg(feature = "watch")]
    watch: Option<RawWatch>,
}

/// The dedup table's size and times.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Dedup")
)]
#[serde(deny_unknown_fields, default, expecting = "the dedup settings")]
struct RawDedup {
    /// Identities remembered, at most 32 bytes of memory each. A change takes
    /// effect with a new, empty table; the old one's memory is free after a
    /// restart.
    #[cfg_attr(feature = "schema", schemars(range(min = *MAX_ENTRIES.start(), max = *MAX_ENTRIES.end())))]
    max_entries: u64,
    /// How long a stored event is remembered here, in seconds. The upstream's
    /// log remembers longer; a longer time here saves it work.
    #[cfg_attr(feature = "schema", schemars(range(min = *RETENTION_SECONDS.start(), max = *RETENTION_SECONDS.end())))]
    retention_seconds: u64,
    /// How long one delivery may hold an identity without an answer, in
    /// seconds. After a crash of a worker other deliveries of the same event
    /// hear 409 for as long.
    #[cfg_attr(feature = "schema", schemars(range(min = *LEASE_SECONDS.start(), max = *LEASE_SECONDS.end())))]
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

impl Config {
    pub(super) fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let mut parser = serde_json::Deserializer::from_slice(json);
        #[cfg(feature = "paths")]
        let config = serde_path_to_error::deserialize(Objects(&mut parser)).map_err(|error| {
            ConfigError::shape(&error.path().to_string(), &error.inner().to_string())
        })?;
        #[cfg(not(feature = "paths"))]
        let config = Self::deserialize(Objects(&mut parser))
            .map_err(|error| ConfigError::unplaced(&error.to_string()))?;
        parser
            .end()
            .map_err(|error| ConfigError::shape(".", &error.to_string()))?;
        Ok(config)
    }

    pub(super) fn check(self) -> Result<super::Config, ConfigError> {
        count("endpoints", self.endpoints.len(), 1..=MAX_ENDPOINTS)?;
        count("keyrings", self.keyrings.len(), 0..=MAX_KEYRINGS)?;
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
        let keyrings: Vec<_> = self
            .keyrings
            .into_iter()
            .enumerate()
            .map(|(index, keyring)| keyring.check(&format!("keyrings[{index}]")))
            .collect::<Result<_, _>>()?;
        let named = |endpoint: &RawEndpoint| endpoint.source.is_some();
        let sources_named: Vec<bool> = self.endpoints.iter().map(named).collect();
        let endpoints: Vec<_> = self
            .endpoints
            .into_iter()
            .enumerate()
            .map(|(index, endpoint)| endpoint.check(&format!("endpoints[{index}]"), &keyrings))
            .collect::<Result<_, _>>()?;
        check_sources(&endpoints, &sources_named)?;
        let is_used = |index| {
            endpoints
                .iter()
                .any(|endpoint| endpoint.keyring == Some(index))
        };
        if let Some((index, keyring)) = (keyrings.iter().enumerate()).find(|(i, _)| !is_used(*i)) {
            let expected = "a keyring that an endpoint names in its `keyring`";
            let path = format!("keyrings[{index}].name");
            return Err(ConfigError::text(&path, &keyring.name, expected));
        }
        let quotas = self.quotas.check("quotas")?;
        Ok(super::Config {
            endpoints,
            keyrings,
            dedup,
            upstream_timeout: Duration::from_secs(self.upstream_timeout_seconds),
            pass_unknown_paths: self.pass_unknown_paths,
            trust_traceparent: self.trust_traceparent,
            #[cfg(feature = "watch")]
            watch: self
                .watch
                .map(|watch| watch.check("watch", &quotas))
                .transpose()?,
            #[cfg(not(feature = "watch"))]
            watch: None,
            quotas,
        })
    }

    /// Names and paths are unique.
    fn check_unique(&self) -> Result<(), ConfigError> {
        for (index, keyring) in self.keyrings.iter().enumerate() {
            let earlier = self.keyrings.iter().take(index);
            let path = format!("keyrings[{index}].name");
            unique(
                &path,
                &keyring.name,
                earlier.map(|other| other.name.as_str()),
            )?;
        }
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let at = |field| format!("endpoints[{index}].{field}");
            let earlier = || self.endpoints.iter().take(index);
            let names = earlier().map(|other| other.name.as_str());
            unique(&at("name"), &endpoint.name, names)?;
            let paths = earlier().map(|other| other.path.as_str());
            unique(&at("path"), &endpoint.path, paths)?;
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

/// A source is shared on purpose only, and by one scheme: what two schemes call
/// an event has nothing to do with each other.
fn check_sources(endpoints: &[Endpoint], named: &[bool]) -> Result<(), ConfigError> {
    let all = || endpoints.iter().zip(named).enumerate();
    for (index, (endpoint, is_named)) in all() {
        let shares = |(_, (other, other_is_named)): &(usize, (&Endpoint, &bool))| {
            let is_explicit = *is_named && **other_is_named;
            other.source == endpoint.source && !(is_explicit && other.scheme == endpoint.scheme)
        };
        if all().take(index).any(|earlier| shares(&earlier)) {
            let path = format!("endpoints[{index}].source");
            let expected = "a source of its own, or both endpoints to name the shared one and to have one scheme";
            let found = endpoint.source.as_str();
            return Err(ConfigError::text(&path, found, expected));
        }
    }
    Ok(())
}

/// Returns the JSON Schema of the configuration (draft 2020-12).
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Config)
}
