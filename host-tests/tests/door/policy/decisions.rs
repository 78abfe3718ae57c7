//! Types for which the sender waits for a decision: the gate verifies, and
//! otherwise stays out of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use hookgate_host_tests::client::Answer;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::script::{Act, Script};
use serde_json::json;
use tokio::sync::Notify;

use super::{event, gate};
use crate::{assert_problem, assert_stored};

const ANY: &str = "issuing_authorization.request";

/// Starts an endpoint that takes one event and then none for an hour, and whose
/// decisions are made by a script.
async fn start(acts: impl IntoIterator<Item = Act>) -> Result<(Envoy, Script, Script)> {
    let (upstream, decider) = (Script::start([]).await?, Script::start(acts).await?);
    let one = json!({"rate": 1, "per_seconds": 3600, "burst": 1, "exceeded": "refuse"});
    let endpoint = json!({
        "name": PLATFORM.name,
        "path": PLATFORM.path,
        "keyring": "file",
        "policy": {
            // Being listed as synchronous allows a type.
            "types": {"allow": ["invoice.*"], "deny": ["*.request"], "otherwise": "refuse"},
            "synchronous": {"types": ["*.request"], "route": "decider"},
        },
        "quotas": {
            "endpoint": one,
            "accounts": one,
            "types": [{"types": ["*"], "limit": one}],
        },
    });
    let envoy = Setup::complete(&["decider"])
        .gate(gate(&[endpoint]))
        .cluster(8083, decider.address())
        .start(upstream.address())
        .await?;
    Ok((envoy, upstream, decider))
}

fn request() -> Result<Event> {
    event(json!({"type": ANY, "account": "acct_1"}))
}

async fn send(envoy: &Envoy, event: &Event) -> Result<Answer> {
    envoy.send(PLATFORM.deliver(event)?).await
}

#[tokio::test]
async fn the_answer_is_the_deciders_own() -> Result<()> {
    let statuses = [200, 402, 404, 302, 429, 500, 503];
    let acts = statuses.map(Act::Status).into_iter().chain([Act::Store]);
    let (envoy, upstream, decider) = start(acts).await?;
    let request = request()?;
    for status in statuses {
        let answer = send(&envoy, &request).await?;
        assert_eq!(
            (answer.status, answer.body.len()),
            (status, 0),
            "{answer:?}"
        );
    }
    let answer = send(&envoy, &request).await?;
    assert_eq!(answer.body.as_ref(), br#"{"status":"stored","sequence":8}"#);

    let received = decider.expect_received(8).await?;
    for delivery in &received {
        assert_eq!(delivery.body, request.payload);
        assert_eq!(delivery.header("ce-id"), Some(request.id.as_str()));
        assert_eq!(delivery.header("x-hookgate-route"), Some("decider"));
    }
    assert_eq!(upstream.count(), 0);
    let admin = envoy.admin();
    admin.expect_deliveries("stripe", "passed_through", 8).await
}

#[tokio::test]
async fn a_decision_is_neither_charged_nor_remembered() -> Result<()> {
    let (envoy, upstream, decider) = start([]).await?;
    let awaited = request()?;
    for _ in 0..3 {
        assert_stored(&send(&envoy, &awaited).await?);
        assert_stored(&send(&envoy, &request()?).await?);
    }
    // So the one event that may be stored still may, under the same ID too.
    let stored = String::from_utf8(awaited.payload.to_vec())?.replace(ANY, "invoice.paid");
    let stored = Event {
        payload: stored.into(),
        ..awaited
    };
    assert_stored(&send(&envoy, &stored).await?);
    let next = event(json!({"type": "invoice.paid"}))?;
    assert_problem(&send(&envoy, &next).await?, 429, "rate_limited");
    assert_stored(&send(&envoy, &request()?).await?);
    assert_eq!((upstream.count(), decider.count()), (1, 7));
    Ok(())
}

#[tokio::test]
async fn two_deliveries_at_once_are_two_decisions() -> Result<()> {
    let told = Arc::new(Notify::new());
    let act = Act::HoldThen(Arc::clone(&told), 402);
    let (envoy, _upstream, decider) = start([act]).await?;
    let request = request()?;
    let (held, second) = tokio::join!(send(&envoy, &request), async {
        decider.expect_received(1).await?;
        let second = send(&envoy, &request).await;
        told.notify_one();
        second
    });
    assert_eq!(held?.status, 402);
    assert_stored(&second?);
    Ok(())
}

#[tokio::test]
async fn no_decision_is_no_answer_of_ours() -> Result<()> {
    let (envoy, upstream, decider) = start([Act::Reset, Act::Silence]).await?;
    let request = request()?;
    for status in [503, 504] {
        let answer = send(&envoy, &request).await?;
        assert_problem(&answer, status, "unavailable");
    }
    drop(decider);
    // Its port is closed once the task that listened is gone.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_problem(&send(&envoy, &request).await?, 503, "unavailable");
    assert_eq!(upstream.count(), 0);
    let admin = envoy.admin();
    admin.expect_deliveries("stripe", "in_doubt", 3).await?;
    admin.expect_deliveries("stripe", "passed_through", 0).await
}

#[tokio::test]
async fn only_genuine_requests_reach_the_decider() -> Result<()> {
    let (envoy, _upstream, decider) = start([]).await?;
    let forged = PLATFORM.forge(&request()?)?;
    assert_problem(&envoy.send(forged).await?, 400, "signature_mismatch");
    decider.expect_received(0).await?;
    Ok(())
}
