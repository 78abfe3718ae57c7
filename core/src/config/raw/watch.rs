//! How deliveries are watched, as JSON spells it.

#[cfg(feature = "schema")]
use alloc::string::ToString;
use alloc::{format, string::String};
use core::time::Duration;

use serde::Deserialize;

use super::super::{
    ConfigError, Exceeded, GateQuotas, TICK_MILLISECONDS, Watch, WatchAlert, WatchProtect,
    WatchUpstream,
    check::{bounded, name},
};
use super::keyring::text;
#[cfg(feature = "schema")]
use super::pattern;

/// Watches deliveries for anomalies: rates, invalid signatures, an upstream that
/// fails, requests that are held open, strangers who sign. Verdicts are metrics
/// (`hookgate_anomaly`) and log lines; nothing is refused for them, unless `protect`
/// says so. What each means: [docs/anomaly.md](anomaly.md).
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Watch")
)]
#[serde(deny_unknown_fields, default, expecting = "how deliveries are watched")]
pub(super) struct RawWatch {
    /// The gate's name in what it saves and tells. Envoys that see the same traffic
    /// keep what they learn under names of their own.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::NAME)))]
    gate: String,
    /// How long a tick takes, which the watch takes for ten seconds. Less is for
    /// tests: time passes faster.
    #[cfg_attr(feature = "schema", schemars(range(min = *TICK_MILLISECONDS.start(), max = *TICK_MILLISECONDS.end())))]
    tick_milliseconds: u64,
    /// The upstream that keeps what is learnt, over restarts of Envoy, and shows
    /// what was said. Without it a gate learns anew after each restart, for a week.
    upstream: Option<RawUpstream>,
    /// Who else is told each verdict.
    alert: Option<RawAlert>,
    /// What is done about verdicts.
    protect: RawProtect,
}

/// What is done about verdicts while they last: nothing, as shipped. It is counted in
/// `hookgate_protected`.
#[derive(Deserialize, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WatchProtect")
)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "what is done about verdicts"
)]
struct RawProtect {
    /// While signatures are forged: a failure costs a sender in the networks that
    /// forge eight of its `quotas.sources`, which has to be there with `exceeded`
    /// `refuse`. Never one whose network sent something genuine, and not before the
    /// watch knows a week.
    forged_signatures: bool,
    /// While the upstream fails or slows down: nine in ten new deliveries are
    /// answered 503 `overloaded` before they are read; one a second goes through
    /// each worker at least.
    cascade: bool,
    /// While a stranger signs: what comes from a network that never signed before, or
    /// from a known one with two new ones of API version, type and account, goes to
    /// the upstream with `ce-heldfor`. There it is stored, and waits for a person
    /// before it is delivered: `hookgate serve` needs destinations for that, at a log
    /// in SQLite or NATS. Who reads a log by itself has to look at the attribute.
    secret_suspect: bool,
}

impl Default for RawWatch {
    fn default() -> Self {
        Self {
            gate: "gate".into(),
            tick_milliseconds: *TICK_MILLISECONDS.end(),
            upstream: None,
            alert: None,
            protect: RawProtect::default(),
        }
    }
}

/// `hookgate serve`, at a log in SQLite or NATS.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WatchUpstream")
)]
#[serde(deny_unknown_fields, expecting = "an upstream")]
struct RawUpstream {
    /// Envoy cluster of the upstream: the one that events go to.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::TEXT)))]
    cluster: String,
    /// Value of the `host` header.
    #[serde(default = "default_authority")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::TEXT)))]
    authority: String,
}

/// A receiver of verdicts: each is POSTed as a CloudEvent in JSON, at most three
/// times. A token is Envoy's to add (`credential_injector`); it never reaches this
/// filter.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WatchAlert")
)]
#[serde(deny_unknown_fields, expecting = "a receiver of verdicts")]
struct RawAlert {
    /// Envoy cluster of the receiver; it should use TLS.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::TEXT)))]
    cluster: String,
    /// Value of the `host` header.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::TEXT)))]
    authority: String,
    /// Path, such as `/alerts`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::REQUEST_PATH)))]
    path: String,
}

fn default_authority() -> String {
    "hookgate".into()
}

impl RawWatch {
    pub(super) fn check(self, path: &str, quotas: &GateQuotas) -> Result<Watch, ConfigError> {
        let at = |field: &str| format!("{path}.{field}");
        name(&at("gate"), &self.gate)?;
        let tick = self.tick_milliseconds;
        bounded(&at("tick_milliseconds"), tick, TICK_MILLISECONDS)?;
        let upstream = self.upstream.map(|it| it.check(&at("upstream")));
        let alert = self.alert.map(|it| it.check(&at("alert")));
        Ok(Watch {
            gate: self.gate,
            tick: Duration::from_millis(tick),
            upstream: upstream.transpose()?,
            alert: alert.transpose()?,
            protect: self.protect.check(&at("protect"), quotas)?,
        })
    }
}

impl RawProtect {
    fn check(&self, path: &str, quotas: &GateQuotas) -> Result<WatchProtect, ConfigError> {
        let refuses = |quota: super::super::Quota| quota.exceeded == Exceeded::Refuse;
        if self.forged_signatures && !quotas.sources.is_some_and(refuses) {
            let expected = "`false`, or a quota in `quotas.sources` with `exceeded` `refuse`, which is what is tightened";
            let path = format!("{path}.forged_signatures");
            return Err(ConfigError::value(&path, true, expected));
        }
        Ok(WatchProtect {
            forged_signatures: self.forged_signatures,
            cascade: self.cascade,
            secret_suspect: self.secret_suspect,
        })
    }
}

impl RawUpstream {
    fn check(self, path: &str) -> Result<WatchUpstream, ConfigError> {
        target(path, &self.cluster, &self.authority)?;
        Ok(WatchUpstream {
            cluster: self.cluster,
            authority: self.authority,
        })
    }
}

impl RawAlert {
    fn check(self, path: &str) -> Result<WatchAlert, ConfigError> {
        target(path, &self.cluster, &self.authority)?;
        let at = format!("{path}.path");
        if !self.path.starts_with('/') {
            let expected = "an absolute path such as `/alerts`";
            return Err(ConfigError::text(&at, &self.path, expected));
        }
        text(&at, &self.path, "a path without spaces")?;
        Ok(WatchAlert {
            cluster: self.cluster,
            authority: self.authority,
            path: self.path,
        })
    }
}

fn target(path: &str, cluster: &str, authority: &str) -> Result<(), ConfigError> {
    text(
        &format!("{path}.cluster"),
        cluster,
        "the name of an Envoy cluster",
    )?;
    text(&format!("{path}.authority"), authority, "a host name")
}
