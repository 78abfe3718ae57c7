//! One endpoint as JSON spells it.

#[cfg(feature = "schema")]
use alloc::string::ToString;
use alloc::{format, string::String, vec::Vec};

use serde::Deserialize;

#[cfg(feature = "schema")]
use super::pattern;
use super::{
    super::{
        ConfigError, Endpoint, Keyring, MAX_BODY_BYTES, MAX_SECRETS, SecretReference,
        TOLERANCE_SECONDS,
        check::{bounded, count, counted_name, name, seconds, timestamp, unique},
        decided::Decided,
        scheme::RawScheme,
    },
    policy::RawPolicy,
    quota::RawEndpointQuotas,
};
#[cfg(feature = "schema")]
use crate::metric;
use crate::{
    keyring::{Scope, Validity},
    scheme::Scheme,
    signature::Tolerance,
};

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

/// One webhook endpoint. It needs `keyring`, `secrets` or both.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Endpoint", extend("anyOf" = [
    {"required": ["keyring"], "properties": {"keyring": {"type": "string"}}},
    {"required": ["secrets"], "properties": {"secrets": {"minItems": 1}}},
])))]
#[serde(deny_unknown_fields, expecting = "an endpoint")]
pub(super) struct RawEndpoint {
    /// Name in metrics, in `ce-endpoint` and in keyrings. None of the words that
    /// metrics are made of: their labels, such as `secret`, and `other`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::NAME), extend("not" = {"enum": metric::words()})))]
    pub(super) name: String,
    /// Path, matched exactly after Envoy's normalization; a query is ignored.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = pattern::PATH), extend("not" = {"pattern": pattern::NO_PATH}))
    )]
    pub(super) path: String,
    /// First half of each event's identity; the name if absent. Endpoints share
    /// one only if both name it and have the same scheme: an event that reaches
    /// both is then stored once, and whoever holds either secret can suppress
    /// events of both.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::NAME)))]
    pub(super) source: Option<String>,
    /// How deliveries are signed.
    #[serde(default)]
    pub(super) scheme: RawScheme,
    /// Name of the keyring with this endpoint's signing secrets.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::NAME)))]
    keyring: Option<String>,
    /// Signing secrets in Envoy's environment. Each usable secret costs one
    /// HMAC of every payload.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_SECRETS)))]
    secrets: Vec<RawSecret>,
    /// Oldest accepted signature, in seconds, where the scheme signs a time.
    /// More lets a captured request be replayed for longer; raise the
    /// upstream's `--tolerance` with it.
    #[serde(default = "default_tolerance_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(min = *TOLERANCE_SECONDS.start(), max = *TOLERANCE_SECONDS.end())))]
    tolerance_past_seconds: u64,
    /// How far a sender's clock may be ahead, in seconds.
    #[serde(default = "default_tolerance_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(min = *TOLERANCE_SECONDS.start(), max = *TOLERANCE_SECONDS.end())))]
    tolerance_future_seconds: u64,
    /// Largest payload, in bytes; raise the route's `request_body_buffer_limit`
    /// and the upstream's `--max-body-bytes` with it.
    #[serde(default = "default_max_body_bytes")]
    #[cfg_attr(feature = "schema", schemars(range(min = *MAX_BODY_BYTES.start(), max = *MAX_BODY_BYTES.end())))]
    max_body_bytes: u64,
    /// Which genuine events are wanted, and where they go. All, if absent.
    #[serde(default)]
    policy: RawPolicy,
    /// Quotas for the genuine events of this endpoint.
    #[serde(default)]
    quotas: RawEndpointQuotas,
}

/// A signing secret in Envoy's environment.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Secret")
)]
#[serde(deny_unknown_fields, expecting = "an object with name and env")]
struct RawSecret {
    /// Name in `ce-secretname` and in metrics, so that you see which secret is
    /// still used.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::NAME)))]
    name: String,
    /// Environment variable with the secret; list it in `host_env_keys`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::VARIABLE)))]
    env: String,
    /// Before this time it verifies nothing.
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    not_before: Option<String>,
    /// From this time on it verifies nothing.
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    not_after: Option<String>,
    /// The mode (`true`: live) that it signs; other events answer 400
    /// `secret_scope`. For Stripe only.
    livemode: Option<bool>,
    /// Whether it signs events of connected accounts (`true`) or of the
    /// platform itself (`false`); other events answer 400 `secret_scope`. Only
    /// where the scheme signs the account.
    connect: Option<bool>,
}

const fn default_tolerance_seconds() -> u64 {
    DEFAULT_ENDPOINT.tolerance_seconds
}

const fn default_max_body_bytes() -> u64 {
    DEFAULT_ENDPOINT.max_body_bytes
}

impl RawEndpoint {
    pub(super) fn source(&self) -> &str {
        self.source.as_deref().unwrap_or(&self.name)
    }

    pub(super) fn check(self, path: &str, keyrings: &[Keyring]) -> Result<Endpoint, ConfigError> {
        let at = |field: &str| format!("{path}.{field}");
        counted_name(&at("name"), &self.name)?;
        let source = name(&at("source"), self.source())?;
        if !is_exact_path(&self.path) {
            return Err(ConfigError::text(
                &at("path"),
                &self.path,
                "a normalized absolute path without query, such as `/webhooks/stripe`",
            ));
        }
        let keyring = self
            .keyring
            .as_deref()
            .map(|found| {
                let mut names = keyrings.iter();
                names
                    .position(|keyring| keyring.name == found)
                    .ok_or_else(|| {
                        ConfigError::text(&at("keyring"), found, "the name of one of `keyrings`")
                    })
            })
            .transpose()?;
        if keyring.is_none() && self.secrets.is_empty() {
            let expected = "`keyring`, `secrets` or both";
            return Err(ConfigError::value(path, "neither", expected));
        }
        let scheme = self.scheme.check(&at("scheme"))?;
        count(&at("secrets"), self.secrets.len(), 0..=MAX_SECRETS)?;
        let secrets: Vec<_> = self
            .secrets
            .into_iter()
            .enumerate()
            .map(|(index, secret)| secret.check(&format!("{path}.secrets[{index}]"), &scheme))
            .collect::<Result<_, _>>()?;
        for (index, secret) in secrets.iter().enumerate() {
            let earlier = || secrets.iter().take(index);
            let at = |field| format!("{path}.secrets[{index}].{field}");
            let names = earlier().map(|other| other.name.as_str());
            unique(&at("name"), &secret.name, names)?;
            // Which of two names verified could not be told.
            let variables = earlier().map(|other| other.env.as_str());
            unique(&at("env"), &secret.env, variables)?;
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
            policy: self.policy.check(&at("policy"), &scheme)?,
            quotas: self.quotas.check(&at("quotas"), &scheme)?,
            secrets,
            name: self.name,
            path: self.path,
            source,
            scheme,
            keyring,
            tolerance,
            max_body_bytes: self.max_body_bytes,
        })
    }
}

impl RawSecret {
    fn check(self, path: &str, scheme: &Scheme) -> Result<SecretReference, ConfigError> {
        name(&format!("{path}.name"), &self.name)?;
        if !is_variable(&self.env) {
            let expected = "the name of an environment variable, [A-Z_][A-Z0-9_]*, not the secret";
            return Err(ConfigError::text(
                &format!("{path}.env"),
                &self.env,
                expected,
            ));
        }
        let not_before = timestamp(&format!("{path}.not_before"), self.not_before.as_deref())?;
        let not_after = timestamp(&format!("{path}.not_after"), self.not_after.as_deref())?;
        let validity = Validity::new(not_before, not_after).ok_or_else(|| {
            let found = self.not_after.as_deref().unwrap_or_default();
            let expected = "a time after not_before";
            ConfigError::text(&format!("{path}.not_after"), found, expected)
        })?;
        for (field, declared, decided) in [
            ("livemode", self.livemode, Decided::Mode),
            ("connect", self.connect, Decided::Account),
        ] {
            if let Some(declared) = declared {
                let found = if declared { "true" } else { "false" };
                decided.rely(&format!("{path}.{field}"), found, scheme)?;
            }
        }
        Ok(SecretReference {
            name: self.name,
            env: self.env,
            validity,
            scope: Scope {
                livemode: self.livemode,
                connect: self.connect,
            },
        })
    }
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
