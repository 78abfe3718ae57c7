//! The gate's configuration: JSON, strict, refused whole.
//!
//! Bounds stand here, defaults in `raw`, and neither anywhere else. Secrets never
//! do: a configuration names where they are.

mod check;
mod decided;
mod error;
mod header;
mod raw;
mod scheme;

use alloc::{string::String, vec::Vec};
use core::{ops::RangeInclusive, time::Duration};

pub use error::ConfigError;
#[cfg(feature = "schema")]
pub use raw::schema;
pub use raw::{
    DEFAULT_DEDUP, DEFAULT_ENDPOINT, DEFAULT_MAX_KEYS, DEFAULT_UPSTREAM_TIMEOUT_SECONDS,
};

use crate::{
    identity::Source,
    keyring::{Scope, Validity},
    policy::{Policy, TypePattern},
    quota::{self, Limit},
    scheme::Scheme,
    signature::Tolerance,
};

/// Most endpoints of one gate.
pub const MAX_ENDPOINTS: usize = 256;
/// Most keyrings of one gate.
pub const MAX_KEYRINGS: usize = 16;
/// Most secrets of one endpoint, from the environment and from a keyring each:
/// every usable one costs one HMAC of every payload.
pub const MAX_SECRETS: usize = 8;
/// Most patterns in one list of types.
pub const MAX_TYPES: usize = 256;
/// Most accounts in a list.
pub const MAX_ACCOUNTS: usize = 10_000;
/// Most ranges of addresses of one endpoint.
pub const MAX_RANGES: usize = 256;
/// Most routes, and most quotas of types, of one endpoint.
pub const MAX_ROUTES: usize = 64;
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
/// Bounds of `quotas.max_keys`.
pub const MAX_KEYS: RangeInclusive<u64> = 64..=10_000_000;
/// Bounds of a quota's `rate`.
pub const RATE: RangeInclusive<u64> = 1..=quota::MAX_RATE as u64;
/// Bounds of a quota's `per_seconds`.
pub const PER_SECONDS: RangeInclusive<u64> = quota::MIN_PER.as_secs()..=quota::MAX_PER.as_secs();
/// Bounds of a quota's `burst`.
pub const BURST: RangeInclusive<u64> = 1..=quota::MAX_BURST as u64;
/// Bounds of a keyring's `refresh_seconds`.
pub const REFRESH_SECONDS: RangeInclusive<u64> = 1..=3_600;
/// Bounds of a keyring's `timeout_seconds`.
pub const KEYRING_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=60;

/// Bounds of `watch.tick_milliseconds`; the upper one is real time.
pub const TICK_MILLISECONDS: RangeInclusive<u64> = 20..=10_000;

/// Holds a checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The endpoints, with unique names and paths; at least one.
    pub endpoints: Vec<Endpoint>,
    /// The keyrings, with unique names, each used by an endpoint.
    pub keyrings: Vec<Keyring>,
    /// Quotas that are not of one endpoint.
    pub quotas: GateQuotas,
    /// The dedup table.
    pub dedup: Dedup,
    /// How long the upstream may take to answer; shorter than the lease.
    pub upstream_timeout: Duration,
    /// Whether paths of no endpoint pass the gate unverified (404 otherwise).
    pub pass_unknown_paths: bool,
    /// Whether a client's own `traceparent` and `tracestate` are kept.
    pub trust_traceparent: bool,
    /// How deliveries are watched for anomalies, if they are.
    pub watch: Option<Watch>,
}

/// Says how deliveries are watched for anomalies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The gate's name in what it saves and tells, `[a-z0-9-]{1,64}`.
    pub gate: String,
    /// How long a tick of the watch takes: ten seconds, less in tests.
    pub tick: Duration,
    /// The upstream that keeps what is learnt and said.
    pub upstream: Option<WatchUpstream>,
    /// Who else is told.
    pub alert: Option<WatchAlert>,
    /// What is done about verdicts.
    pub protect: WatchProtect,
}

/// Says which verdicts of the watch something is done about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchProtect {
    /// Whether the quotas of sources that forge signatures are tightened; then there
    /// is one that refuses.
    pub forged_signatures: bool,
    /// Whether deliveries are shed during a cascade.
    pub cascade: bool,
    /// Whether genuine events of a stranger are held for review.
    pub secret_suspect: bool,
}

/// Names the upstream that keeps what a watch learns and says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchUpstream {
    /// Envoy cluster of `hookgate serve`.
    pub cluster: String,
    /// Value of the `host` header.
    pub authority: String,
}

/// Names who is told verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchAlert {
    /// Envoy cluster of the receiver.
    pub cluster: String,
    /// Value of the `host` header.
    pub authority: String,
    /// Path, with a query if there is one.
    pub path: String,
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
    /// How its deliveries are signed.
    pub scheme: Scheme,
    /// Position of its keyring among [`Config::keyrings`].
    pub keyring: Option<usize>,
    /// Signing secrets of the environment; at least one without a keyring.
    pub secrets: Vec<SecretReference>,
    /// How old or early a signature may be.
    pub tolerance: Tolerance,
    /// Largest accepted payload in bytes.
    pub max_body_bytes: u64,
    /// Which genuine events are wanted.
    pub policy: Policy,
    /// Quotas for its fresh events.
    pub quotas: EndpointQuotas,
}

/// Names a signing secret and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReference {
    /// Name in attributes, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// Environment variable that holds the secret.
    pub env: String,
    /// When it may verify.
    pub validity: Validity,
    /// What it may sign.
    pub scope: Scope,
}

/// Names a keyring and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring {
    /// Name in metrics, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// Where its text comes from.
    pub source: KeyringSource,
}

/// Says where a keyring's text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringSource {
    /// A filter state object with this key, read for each request.
    FilterState(String),
    /// An HTTP API of the form of Vault's KV version 2, polled.
    Http(HttpSource),
}

/// Holds how to ask for a keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSource {
    /// Envoy cluster.
    pub cluster: String,
    /// Value of the `host` header.
    pub authority: String,
    /// Path.
    pub path: String,
    /// Time between two polls.
    pub refresh: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Holds the quotas that are not of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateQuotas {
    /// Failures by sender and endpoint.
    pub sources: Option<Quota>,
    /// Fresh events of all endpoints.
    pub overall: Option<Quota>,
    /// Keys that are told apart.
    pub max_keys: u32,
}

/// Holds the quotas for an endpoint's fresh events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointQuotas {
    /// All of them.
    pub endpoint: Option<Quota>,
    /// Each account's.
    pub accounts: Option<Quota>,
    /// Each type's; the first that matches counts.
    pub types: Vec<TypeQuota>,
}

/// Holds a quota for each of some types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeQuota {
    /// The types.
    pub types: Vec<TypePattern>,
    /// The quota of each.
    pub quota: Quota,
}

/// Holds a quota and what happens over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The quota.
    pub limit: Limit,
    /// What happens over it.
    pub exceeded: Exceeded,
}

/// Says what happens over a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// It is counted.
    Count,
    /// It is counted and refused.
    Refuse,
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
