//! One gate in which every outcome can be had.

use anyhow::{Context, Result};
use hookgate_host_tests::event::Endpoint;
use hookgate_host_tests::keyring;
use serde_json::{Value, json};

const fn endpoint(name: &'static str, path: &'static str) -> Endpoint {
    Endpoint {
        path,
        name,
        variable: "",
        secret: "whsec_tests_conservation_7Qf2",
    }
}

/// Takes everything.
pub(super) const PLAIN: Endpoint = endpoint("plain", "/c/plain");
/// Is for forgeries and broken requests: small payloads only.
pub(super) const REFUSING: Endpoint = endpoint("refusing", "/c/refusing");
/// Is for clients that leave.
pub(super) const LEAVING: Endpoint = endpoint("leaving", "/c/leaving");
/// Takes deliveries from elsewhere only.
pub(super) const FENCED: Endpoint = endpoint("fenced", "/c/fenced");
/// Has no secret.
pub(super) const CLOSED: Endpoint = endpoint("closed", "/c/closed");
/// Ignores what its policy doesn't want.
pub(super) const IGNORING: Endpoint = endpoint("ignoring", "/c/ignoring");
/// Refuses what its policy doesn't want.
pub(super) const DENYING: Endpoint = endpoint("denying", "/c/denying");
/// Has a secret that signs live events only.
pub(super) const SCOPED: Endpoint = endpoint("scoped", "/c/scoped");
/// Has a decider.
pub(super) const DECIDING: Endpoint = endpoint("deciding", "/c/deciding");
/// Takes one event of each account.
pub(super) const BY_ACCOUNT: Endpoint = endpoint("by-account", "/c/by-account");
/// Takes one event of each type.
pub(super) const BY_TYPE: Endpoint = endpoint("by-type", "/c/by-type");
/// Takes one event.
pub(super) const BY_ENDPOINT: Endpoint = endpoint("by-endpoint", "/c/by-endpoint");

const ALL: [Endpoint; 12] = [
    PLAIN,
    REFUSING,
    LEAVING,
    FENCED,
    CLOSED,
    IGNORING,
    DENYING,
    SCOPED,
    DECIDING,
    BY_ACCOUNT,
    BY_TYPE,
    BY_ENDPOINT,
];

/// How many failures a sender has at an endpoint.
pub(super) const FAILURES: usize = 20;
/// How many fresh events all endpoints together take.
pub(super) const FRESH: usize = 400;

/// Returns the gate's configuration.
pub(super) fn configuration() -> Value {
    let hourly = |burst: usize| json!({"rate": 1, "per_seconds": 3600, "burst": burst, "exceeded": "refuse"});
    let unwanted = |otherwise: &str| {
        json!({
            "livemode": {"only": false, "otherwise": otherwise},
            "types": {"deny": ["customer.*"], "otherwise": otherwise},
            "accounts": {"known": ["acct_1Known"], "unknown": otherwise},
        })
    };
    let mut endpoints = Vec::new();
    for endpoint in ALL {
        let (field, value) = match endpoint {
            REFUSING => ("max_body_bytes", json!(4096)),
            FENCED => ("policy", json!({"source_ranges": ["198.51.100.0/24"]})),
            IGNORING => ("policy", unwanted("ignore")),
            DENYING => ("policy", unwanted("refuse")),
            DECIDING => {
                let types = ["issuing_authorization.request"];
                (
                    "policy",
                    json!({"synchronous": {"types": types, "route": "decider"}}),
                )
            }
            BY_ACCOUNT => ("quotas", json!({"accounts": hourly(1)})),
            BY_TYPE => (
                "quotas",
                json!({"types": [{"types": ["*"], "limit": hourly(1)}]}),
            ),
            BY_ENDPOINT => ("quotas", json!({"endpoint": hourly(1)})),
            _ => ("max_body_bytes", json!(65536)),
        };
        endpoints.push(json!({
            "name": endpoint.name, "path": endpoint.path, "keyring": "file", field: value,
        }));
    }
    json!({
        "endpoints": endpoints,
        "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
        "quotas": {"sources": hourly(FAILURES), "overall": hourly(FRESH)},
        // One bucket: as many open reservations as it has slots fill it.
        "dedup": {"max_entries": 1, "lease_seconds": 14},
        "upstream_timeout_seconds": 12,
        "watch": {"tick_milliseconds": 1000},
    })
}

/// Returns the keyring of all endpoints but [`CLOSED`].
pub(super) fn keyring() -> Result<String> {
    let open: Vec<Endpoint> = ALL.into_iter().filter(|one| *one != CLOSED).collect();
    let mut keyring: Value = serde_json::from_str(&keyring::of(&open))?;
    let scoped = keyring.pointer_mut("/endpoints/scoped/0");
    let scoped = scoped.and_then(Value::as_object_mut);
    let scoped = scoped.context("no such secret")?;
    scoped.insert("livemode".to_owned(), json!(true));
    Ok(keyring.to_string())
}
