//! Where a keyring comes from, as JSON spells it.

#[cfg(feature = "schema")]
use alloc::string::ToString;
use alloc::{format, string::String};

use serde::Deserialize;

use super::super::{
    ConfigError, HttpSource, KEYRING_TIMEOUT_SECONDS, Keyring, KeyringSource, REFRESH_SECONDS,
    check::{counted_name, seconds},
};
#[cfg(feature = "schema")]
use super::pattern;
#[cfg(feature = "schema")]
use crate::metric;

const DEFAULT_REFRESH_SECONDS: u64 = 30;
const DEFAULT_TIMEOUT_SECONDS: u64 = 5;

/// A source of signing secrets that is read again while Envoy runs:
/// `filter_state` or `http`, one of the two.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Keyring", extend("oneOf" = [
    {"required": ["filter_state"], "properties": {"filter_state": {"type": "string"}}},
    {"required": ["http"], "properties": {"http": {"type": "object"}}},
])))]
#[serde(deny_unknown_fields, expecting = "a keyring with name and source")]
pub(super) struct RawKeyring {
    /// Name in metrics and in an endpoint's `keyring`. None of the words that
    /// metrics are made of: their labels, such as `secret`, and `other`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::NAME), extend("not" = {"enum": metric::words()})))]
    pub(super) name: String,
    /// Key of a filter state object with the keyring's text, which a
    /// `set_filter_state` filter before this one fills from a watched file.
    /// Recommended: a change reaches all workers within milliseconds.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::TEXT)))]
    filter_state: Option<String>,
    /// An HTTP API with the keyring, polled by each worker.
    http: Option<RawHttp>,
}

/// An HTTP API of the form of Vault's KV version 2: the keyring stands in
/// `data.data` of the answer. The token is Envoy's to add
/// (`credential_injector`); it never reaches this filter.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "HttpSource")
)]
#[serde(deny_unknown_fields, expecting = "an HTTP source")]
struct RawHttp {
    /// Envoy cluster of the API; it should use TLS.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::TEXT)))]
    cluster: String,
    /// Value of the `host` header.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::TEXT)))]
    authority: String,
    /// Path, such as `/v1/secret/data/hookgate`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::REQUEST_PATH)))]
    path: String,
    /// How often each worker asks, in seconds: also the longest time until a
    /// rotation is known. After a failure it asks again within a second or two.
    #[serde(default = "default_refresh_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(min = *REFRESH_SECONDS.start(), max = *REFRESH_SECONDS.end())))]
    refresh_seconds: u64,
    /// How long an answer may take, in seconds.
    #[serde(default = "default_timeout_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(min = *KEYRING_TIMEOUT_SECONDS.start(), max = *KEYRING_TIMEOUT_SECONDS.end())))]
    timeout_seconds: u64,
}

const fn default_refresh_seconds() -> u64 {
    DEFAULT_REFRESH_SECONDS
}

const fn default_timeout_seconds() -> u64 {
    DEFAULT_TIMEOUT_SECONDS
}

impl RawKeyring {
    pub(super) fn check(self, path: &str) -> Result<Keyring, ConfigError> {
        counted_name(&format!("{path}.name"), &self.name)?;
        let source = match (self.filter_state, self.http) {
            (Some(key), None) => {
                text(
                    &format!("{path}.filter_state"),
                    &key,
                    "the key of a filter state object",
                )?;
                KeyringSource::FilterState(key)
            }
            (None, Some(http)) => KeyringSource::Http(http.check(&format!("{path}.http"))?),
            (None, None) => {
                let expected = "`filter_state` or `http`";
                return Err(ConfigError::value(path, "neither", expected));
            }
            (Some(_), Some(_)) => {
                let expected = "`filter_state` or `http`";
                return Err(ConfigError::value(path, "both", expected));
            }
        };
        Ok(Keyring {
            name: self.name,
            source,
        })
    }
}

impl RawHttp {
    fn check(self, path: &str) -> Result<HttpSource, ConfigError> {
        let at = |field: &str| format!("{path}.{field}");
        text(
            &at("cluster"),
            &self.cluster,
            "the name of an Envoy cluster",
        )?;
        text(&at("authority"), &self.authority, "a host name")?;
        if !self.path.starts_with('/') {
            let expected = "an absolute path such as `/v1/secret/data/hookgate`";
            return Err(ConfigError::text(&at("path"), &self.path, expected));
        }
        text(&at("path"), &self.path, "a path without spaces")?;
        Ok(HttpSource {
            refresh: seconds(
                &at("refresh_seconds"),
                self.refresh_seconds,
                REFRESH_SECONDS,
            )?,
            timeout: seconds(
                &at("timeout_seconds"),
                self.timeout_seconds,
                KEYRING_TIMEOUT_SECONDS,
            )?,
            cluster: self.cluster,
            authority: self.authority,
            path: self.path,
        })
    }
}

pub(super) fn text(path: &str, found: &str, expected: &str) -> Result<(), ConfigError> {
    let fits =
        (1..=255).contains(&found.len()) && found.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(());
    }
    let expected = format!("{expected}: 1 to 255 visible ASCII characters");
    Err(ConfigError::text(path, found, expected))
}
