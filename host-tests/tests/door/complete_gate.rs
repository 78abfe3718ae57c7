//! What `gate-configuration` of `envoy/complete.yaml` turns on.

use anyhow::Result;
use hookgate_host_tests::client::Answer;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{CONNECT, Endpoint, Event, PLATFORM};
use hookgate_host_tests::script::{Act, Script};
use hookgate_host_tests::vault::Vault;
use hookgate_host_tests::wait;
use serde_json::{Value, json};

use crate::{assert_problem, assert_stored};

const TOKEN: &str = "hvs.tests";

#[tokio::test]
async fn a_payout_goes_to_the_upstream_of_its_own() -> Result<()> {
    let (upstream, payouts) = (Script::start([]).await?, Script::start([]).await?);
    let envoy = Setup::complete(&["gate-configuration", "routing-by-type"])
        .cluster(8082, payouts.address())
        .start(upstream.address())
        .await?;
    let payout = Event::fresh_of_type("payout.paid")?;
    assert_stored(&envoy.send(PLATFORM.deliver(&payout)?).await?);
    assert_problem(
        &envoy.send(PLATFORM.deliver(&payout)?).await?,
        200,
        "duplicate",
    );
    assert_eq!((upstream.count(), payouts.count()), (0, 1));
    assert_stored(&envoy.send(PLATFORM.deliver(&Event::fresh()?)?).await?);
    assert_eq!((upstream.count(), payouts.count()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn the_decider_answers_each_delivery_itself() -> Result<()> {
    let (upstream, decider) = (
        Script::start([]).await?,
        Script::start([Act::Status(200), Act::Status(402)]).await?,
    );
    let envoy = Setup::complete(&["gate-configuration", "decider"])
        .cluster(8083, decider.address())
        .start(upstream.address())
        .await?;
    let request = Event::fresh_of_type("issuing_authorization.request")?;
    for status in [200, 402] {
        let answer = envoy.send(PLATFORM.deliver(&request)?).await?;
        assert_eq!(answer.status, status);
    }
    let received = decider.expect_received(2).await?;
    for request in received {
        assert_eq!(request.path, PLATFORM.path);
    }
    assert_eq!(upstream.count(), 0);
    Ok(())
}

#[tokio::test]
async fn vault_has_the_secrets_and_envoy_the_token() -> Result<()> {
    // The watched file has another secret for the same endpoint.
    let connect = Endpoint {
        secret: "whsec_tests_vault_8Jd2Lq5c",
        ..CONNECT
    };
    let vault = Vault::start(TOKEN, &keyring(&connect)).await?;
    let upstream = Script::start([]).await?;
    let envoy = Setup::complete(&["gate-configuration", "http-keyring"])
        .cluster(8200, vault.address())
        .vault(TOKEN, vault.certificate()?)
        .start(upstream.address())
        .await?;
    // Each worker asks for itself: one may know the secrets before another does.
    for _ in 0..2 {
        let genuine = past_unavailable(&envoy, &connect).await?;
        assert_stored(&genuine);
    }
    let before = past_unavailable(&envoy, &CONNECT).await?;
    assert_problem(&before, 400, "signature_mismatch");
    assert!(vault.answers()?.iter().all(|status| *status == 200));
    for page in ["/config_dump", "/stats"] {
        let shown = envoy.admin().page(page).await?;
        for secret in [TOKEN, connect.secret] {
            assert!(!shown.contains(secret), "a secret shows at {page}");
        }
    }
    Ok(())
}

/// The answer to a fresh event once the worker that hears it has its secrets.
async fn past_unavailable(envoy: &Envoy, endpoint: &Endpoint) -> Result<Answer> {
    wait::until("the secrets from Vault", wait::PATIENCE, async || {
        let answer = envoy.send(endpoint.deliver(&Event::fresh()?)?).await?;
        Ok((answer.status != 503).then_some(answer))
    })
    .await
}

fn keyring(endpoint: &Endpoint) -> Value {
    let secret = json!({"name": "vaulted", "secret": endpoint.secret});
    json!({"endpoints": {endpoint.name: [secret]}})
}
