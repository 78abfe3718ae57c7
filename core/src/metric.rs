//! What is counted: each name and label, once.
//!
//! A statistic is called `<family>.<label>.<value>…`; Envoy's `stats_tags` in
//! `envoy/envoy.yaml` make labels of it. Values come from the configuration,
//! keyrings and the tables of outcomes only, because no host ever frees a name.
//!
//! Conservation, exact while no VM traps:
//!
//! ```text
//! received  = verified + refused + aborted{unverified} + passed + open{unverified}
//! verified  = forwarded + duplicate + in_progress + limited + ignored + denied
//!             + unavailable + aborted{verified}
//! forwarded = committed + released + in_doubt + passed_through + open{forwarded}
//! ```
//! After a trap the left sides are larger by [`LOST`].

use alloc::{collections::BTreeSet, format, string::String};

/// Says how a family is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// Names a family of statistics with the same labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Name, the same in Prometheus.
    pub name: &'static str,
    /// How it is counted.
    pub kind: Kind,
    /// Labels, in the order of the values.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// Declares the families once, and lists them.
macro_rules! families {
    ($($constant:ident = $kind:ident, $name:literal, [$($label:literal),*], $help:literal;)+) => {
        $(#[doc = $help] pub const $constant: Family = Family {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)+

        impl Family {
            /// Lists every family.
            pub const ALL: &[Self] = &[$($constant),+];
        }
    };
}

families! {
    RECEIVED = Counter, "hookgate_received", ["endpoint"],
        "Requests whose headers have come; endpoint `_` is a path of no endpoint.";
    VERIFIED = Counter, "hookgate_verified", ["endpoint", "scheme", "secret"],
        "Deliveries whose signature is genuine, by the secret that signed.";
    FORWARDED = Counter, "hookgate_forwarded", ["endpoint"],
        "Deliveries that went to the upstream, or to a decider.";
    DELIVERIES = Counter, "hookgate_deliveries", ["endpoint", "outcome", "reason"],
        "How deliveries ended, each once.";
    OPEN = Gauge, "hookgate_open", ["stage", "worker"],
        "Deliveries under way: before verification, or forwarded and not answered.";
    LOST = Counter, "hookgate_lost", ["stage"],
        "Deliveries that were open when their VM trapped: no outcome was counted for them.";
    QUOTA_EXCEEDED = Counter, "hookgate_quota_exceeded", ["endpoint", "quota", "action"],
        "Deliveries over a quota, counted or refused.";
    UNKNOWN_ACCOUNT = Counter, "hookgate_unknown_account", ["endpoint"],
        "Genuine events of an account that isn't known.";
    KEYRING = Counter, "hookgate_keyring", ["keyring", "result"],
        "Keyrings read by a worker: loaded, refused (does not parse; the last good one stays) or failed (its source failed).";
    SECRETS = Gauge, "hookgate_secrets", ["endpoint"],
        "Signing secrets that may verify now; 0 closes the endpoint. Absent until the first keyring was read.";
    PAYLOAD_BYTES = Histogram, "hookgate_payload_bytes", ["endpoint"],
        "Sizes of whole payloads, in bytes.";
    SIGNATURE_AGE_SECONDS = Histogram, "hookgate_signature_age_seconds", ["endpoint"],
        "How long before its arrival a delivery was signed, in seconds.";
    ANOMALY = Gauge, "hookgate_anomaly", ["kind"],
        "How sure the watch is of a verdict that stands, in hundredths: 50 at its threshold, 100 at most; 0 while it doesn't stand.";
    VERDICTS = Counter, "hookgate_anomaly_verdicts", ["kind"],
        "Verdicts that the watch told.";
    WATCH = Counter, "hookgate_watch", ["result"],
        "What the watch did: `ticked`, `taken` (another worker looks), `restored`, `saved`, `alerted`; and what came to nothing: `counts_refused`, `orders_refused`, `state_refused`, `restore_failed`, `save_failed`, `alert_failed`.";
    PROTECTED = Counter, "hookgate_protected", ["action"],
        "What was done about verdicts of the watch: `tighten`, a failure that was charged eightfold or a sender refused by that; `shed`, a delivery that was told 503; `hold`, a genuine event that goes to the upstream to wait for a person there.";
    UPSTREAM_MILLISECONDS = Histogram, "hookgate_upstream_milliseconds", ["endpoint"],
        "How long the upstream took to answer, in milliseconds.";
}

/// What the upstream counts names under that come late, and no label of ours.
pub const OTHER: &str = "other";

/// Lists the words that no endpoint and no keyring can be called: labels, which
/// stand between the values in a statistic's name and are found there by what
/// they are, and [`OTHER`].
#[must_use]
pub fn words() -> BTreeSet<&'static str> {
    let labels = Family::ALL.iter().flat_map(|family| family.labels);
    // Not collected: that sorts first, and the sort is half a per cent of the npm package.
    let mut words = BTreeSet::new();
    words.extend(labels.copied().chain([OTHER]));
    words
}

impl Family {
    /// Returns the name of the statistic with these values of the labels.
    #[must_use]
    pub fn statistic(&self, values: &[&str]) -> String {
        let mut name = String::from(self.name);
        for (label, value) in self.labels.iter().zip(values) {
            name.push_str(&format!(".{label}.{value}"));
        }
        name
    }
}
