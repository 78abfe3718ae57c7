//! The door's behaviour, seen from outside: the shipped module in the shipped
//! configuration in a real Envoy.
//!
//! Tests whose names start with `kill_` or `load_` are about this machine's
//! processes and are left out where Envoy runs in a container; so no other
//! name may have either in it (`payload_` has).

mod anomalies;
mod capabilities;
mod changes;
mod clock;
mod complete;
mod complete_gate;
mod configuration;
mod conservation;
mod cost;
mod deliveries;
mod effects;
mod faults;
mod gate_token;
mod global_quota;
mod held;
mod honesty;
mod json_cases;
mod kills;
mod memory;
mod nats;
mod observation;
mod paths;
mod policy;
mod quotas;
mod races;
mod refusals;
mod requests;
mod samples;
mod schemes;
mod second_upstream;
mod secrets;
mod signature_fuzz;
mod sizes;
mod slow_senders;
mod smuggling;
mod spellings;
mod stop_iteration;
mod tls;
mod tracing;
mod traps;
mod watch;

use anyhow::Result;
use hookgate_host_tests::client::Answer;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::script::{Act, Script};
use hookgate_host_tests::upstream::Upstream;

/// Starts the shipped Envoy in front of a real upstream on SQLite.
async fn on_sqlite() -> Result<(Envoy, Upstream)> {
    let upstream = Upstream::sqlite().await?;
    let envoy = Setup::shipped().start(upstream.address()).await?;
    Ok((envoy, upstream))
}

/// Starts an Envoy in front of an upstream that does `acts`, then stores.
async fn on_script(setup: Setup, acts: impl IntoIterator<Item = Act>) -> Result<(Envoy, Script)> {
    let script = Script::start(acts).await?;
    let envoy = setup.start(script.address()).await?;
    Ok((envoy, script))
}

/// Asserts an answer of the gate's or Envoy's own: status, code and shape.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let seen = (answer.status, answer.code());
    assert_eq!(seen, (status, code.to_owned()), "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{answer:?}"
    );
    assert_eq!(json.get("status"), Some(&status.into()), "{answer:?}");
    for text in ["title", "detail"] {
        assert!(json.get(text).is_some_and(|v| v.is_string()), "{answer:?}");
    }
    if matches!(status, 408 | 409 | 429 | 503 | 504) {
        let seconds = answer.header("retry-after").unwrap_or_default();
        assert!(seconds.parse::<u32>().is_ok_and(|s| s > 0), "{answer:?}");
    }
}

/// Asserts that the upstream stored the event.
#[track_caller]
fn assert_stored(answer: &Answer) {
    let seen = (answer.status, answer.code());
    assert_eq!(seen, (200, "stored".to_owned()), "{answer:?}");
}
