//! The gates that deliveries are driven through.

use hookgate_core::config::Config;
use hookgate_core::gate::Gate;

/// The platform's key, the other one's, and one that nobody here knows.
pub(super) const KEYS: [&str; 3] = ["whsec_platform", "whsec_connect", "whsec_stranger"];

/// Largest payload of `plain`, in bytes.
pub(super) const SMALL: usize = 160;

/// How long a delivery may hold an event, and how long a stored one is remembered, in
/// seconds.
pub(super) const LEASE: u64 = 30;
pub(super) const RETENTION: u64 = 3_600;

/// When `timed` loses its key, in Unix seconds.
pub(super) const EXPIRES: u64 = super::START + 40;

const GATE: &str = r#"{
    "endpoints": [
        {"name": "plain", "path": "/plain", "max_body_bytes": 160,
         "secrets": [{"name": "p", "env": "P"}, {"name": "c", "env": "C"}]},
        {"name": "choosy", "path": "/choosy",
         "secrets": [{"name": "c", "env": "C", "connect": true, "livemode": false}],
         "policy": {"types": {"deny": ["b.*"]},
                    "synchronous": {"types": ["c.*"], "route": "decider"},
                    "accounts": {"known": ["acct_1"], "unknown": "refuse"}}},
        {"name": "fenced", "path": "/fenced", "secrets": [{"name": "p", "env": "P"}],
         "policy": {"source_ranges": ["192.0.2.0/24"]}},
        {"name": "closed", "path": "/closed", "secrets": [{"name": "n", "env": "N"}]},
        {"name": "timed", "path": "/timed", "tolerance_past_seconds": 10, "tolerance_future_seconds": 20,
         "secrets": [{"name": "p", "env": "P", "not_after": "2027-01-15T08:00:40Z"}]},
        {"name": "limited", "path": "/limited", "secrets": [{"name": "p", "env": "P"}],
         "quotas": {"endpoint": {"rate": 1, "per_seconds": 60, "burst": 2, "exceeded": "refuse"}}}
    ],
    "dedup": {"max_entries": 1, "lease_seconds": 30, "retention_seconds": 3600},
    "quotas": QUOTAS,
    "pass_unknown_paths": PASS
}"#;

/// Is what the model knows of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// Names and keys of its secrets.
    pub(super) secrets: &'static [(&'static str, &'static str)],
    pub(super) max_body_bytes: usize,
    pub(super) past: u64,
    pub(super) future: u64,
}

const fn endpoint(
    name: &'static str,
    path: &'static str,
    secrets: &'static [(&'static str, &'static str)],
) -> Endpoint {
    Endpoint {
        name,
        path,
        secrets,
        max_body_bytes: 2 * 1_048_576,
        past: 300,
        future: 300,
    }
}

const PLATFORM: (&str, &str) = ("p", KEYS[0]);
const CONNECT: (&str, &str) = ("c", KEYS[1]);

pub(super) const ENDPOINTS: [Endpoint; 6] = [
    Endpoint {
        max_body_bytes: SMALL,
        ..endpoint("plain", "/plain", &[PLATFORM, CONNECT])
    },
    endpoint("choosy", "/choosy", &[CONNECT]),
    endpoint("fenced", "/fenced", &[PLATFORM]),
    endpoint("closed", "/closed", &[]),
    Endpoint {
        past: 10,
        future: 20,
        ..endpoint("timed", "/timed", &[PLATFORM])
    },
    endpoint("limited", "/limited", &[PLATFORM]),
];

/// Holds a gate, and what the model has to know of it.
pub(super) struct Setup {
    pub(super) gate: Gate,
    /// Whether paths of no endpoint pass.
    pub(super) passes: bool,
    /// Whether failures of an address are limited.
    pub(super) limits_sources: bool,
}

impl Setup {
    pub(super) fn of(choice: u8) -> Self {
        let (passes, limits_sources) = (choice & 1 == 1, choice & 2 == 2);
        let quotas = if limits_sources {
            r#"{"sources": {"rate": 1, "per_seconds": 60, "burst": 3}}"#
        } else {
            "{}"
        };
        let json = GATE
            .replace("QUOTAS", quotas)
            .replace("PASS", &passes.to_string());
        let config = Config::from_json(json.as_bytes()).expect("a configuration");
        let gate = Gate::load(config, |variable| match variable {
            "P" => Some(KEYS[0].into()),
            "C" => Some(KEYS[1].into()),
            _ => None,
        });
        Self {
            gate: gate.expect("usable secrets"),
            passes,
            limits_sources,
        }
    }
}
