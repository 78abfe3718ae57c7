//! The gate's configuration: JSON, strict, refused whole.
//!
//! Bounds stand here, defaults in `raw`, and neither anywhere else. Secrets never
//! do: a configuration names the environment variables that hold them.

mod error;
mod raw;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "no endpoint reads its scheme yet")
)]
mod scheme;

use alloc::{string::String, vec::Vec};
use core::{ops::RangeInclusive, time::Duration};

pub use error::ConfigError;
pub use raw::{DEFAULT_DEDUP, DEFAULT_ENDPOINT, DEFAULT_UPSTREAM_TIMEOUT_SECONDS};

use crate::{identity::Source, signature::Tolerance};

/// Most endpoints of one gate.
pub const MAX_ENDPOINTS: usize = 256;
/// Most secrets of one endpoint: each costs one HMAC of every payload.
pub const MAX_SECRETS: usize = 8;
/// Bounds of `tolerance_past_seconds` and `tolerance_future_seconds`.
pub const TOLERANCE_SECONDS: RangeInclusive<u64> = 1..=86_400;
/// Bounds of `max_body_bytes`.
pub const MAX_BODY_BYTES: RangeInclusive<u64> = 1..=16 * 1_048_576;
/// Bounds of `dedup.max_entries`.
pub const MAX_ENTRIES: RangeInclusive<u64> = 1..=100_000_000;
/// Bounds of `dedup.retention_seconds`: up to the 30 days of Stripe's resends.
pub const RETENTION_SECONDS: RangeInclusive<u64> = 60..=2_592_000;
/// Bounds of `dedup.lease_seconds`.
pub const LEASE_SECONDS: RangeInclusive<u64> = 2..=600;
/// Lower bound of `upstream_timeout_seconds`; the upper one is the lease.
pub const MIN_UPSTREAM_TIMEOUT_SECONDS: u64 = 1;

/// Holds a checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The endpoints, with unique names and paths; at least one.
    pub endpoints: Vec<Endpoint>,
    /// The dedup table.
    pub dedup: Dedup,
    /// How long the upstream may take to answer; shorter than the lease.
    pub upstream_timeout: Duration,
    /// Whether paths of no endpoint pass the gate unverified (404 otherwise).
    pub pass_unknown_paths: bool,
    /// Whether a client's own `traceparent` and `tracestate` are kept.
    pub trust_traceparent: bool,
}

/// Holds one checked webhook endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name in metrics and attributes, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// Path, matched exactly; a query is ignored.
    pub path: String,
    /// First part of each event's identity.
    pub source: Source,
    /// The signing secrets, at least one.
    pub secrets: Vec<SecretReference>,
    /// How old or early a signature may be.
    pub tolerance: Tolerance,
    /// Largest accepted payload in bytes.
    pub max_body_bytes: u64,
}

/// Names a signing secret and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReference {
    /// Name in attributes, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// Environment variable that holds the secret.
    pub env: String,
}

/// Holds the size and the times of the dedup table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dedup {
    /// Entries that the table is sized for.
    pub max_entries: u32,
    /// How long a stored event is remembered.
    pub retention: Duration,
    /// How long a delivery may hold an identity without an answer.
    pub lease: Duration,
}

impl Config {
    /// Parses and checks a JSON configuration.
    ///
    /// # Errors
    /// [`ConfigError`] with the path, what was found and what was expected.
    pub fn from_json(json: &[u8]) -> Result<Self, ConfigError> {
        raw::Config::parse(json)?.check()
    }
}

#[cfg(test)]
mod tests;
