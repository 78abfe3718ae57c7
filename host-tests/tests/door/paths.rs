//! Paths: two endpoints, exactly, and 404 for everything else.

use std::time::SystemTime;

use anyhow::Result;
use hookgate_host_tests::client::Delivery;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::raw::{self, Head};

use crate::{assert_problem, assert_stored, on_script};

#[tokio::test]
async fn an_unknown_path_is_answered_404_even_if_signed() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let paths = [
        "/",
        "/v1/events",
        "/webhooks",
        "/webhooks/stripe/",
        "/webhooks/stripe/other",
        "/webhooks/stripe/connect/",
        "/webhooks/stripeconnect",
        "/Webhooks/Stripe",
        "/healthz",
    ];
    for path in paths {
        let delivery =
            Delivery::post(path, event.payload.clone()).header("stripe-signature", &signature)?;
        assert_problem(&envoy.send(delivery).await?, 404, "endpoint_unknown");
    }
    script.expect_received(0).await?;
    assert_eq!(envoy.admin().forwarded().await?, 0);
    let count = u64::try_from(paths.len())?;
    envoy
        .admin()
        .expect_deliveries("_", "endpoint_unknown", count)
        .await
}

#[tokio::test]
async fn no_spelling_of_a_path_reaches_an_endpoint_unverified() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let forged = PLATFORM.sign_at(b"something else", SystemTime::now())?;
    for target in [
        "/webhooks/./stripe",
        "/webhooks/x/../stripe",
        "/../webhooks/stripe",
        "/webhooks//stripe",
        "//webhooks/stripe",
        "/webhooks%2Fstripe",
        "/webhooks%2fstripe",
        "/webhooks%5Cstripe",
        "/webhooks\\stripe",
        "/webhooks/%73tripe",
        "/webhooks/stripe%00",
        "/webhooks/stripe;x=1",
        "/webhooks/stripe?x=/../../v1/events",
        "/webhooks/stripe#x",
        "/webhooks/stripe/../../v1/events",
        "/webhooks/stripe/%2e%2e/%2e%2e/v1/events",
        "http://door.test/webhooks/stripe",
        "http://door.test/v1/events",
        "*",
    ] {
        for request_line in [format!("POST {target}"), format!("PUT {target}")] {
            let event = Event::fresh()?;
            let request = Head::new(&request_line)
                .header("stripe-signature", &forged)
                .sized_body(&event.payload);
            let answer = raw::send(envoy.address(), &request).await?;
            assert!((400..=405).contains(&answer.status), "{target}: {answer:?}");
        }
    }
    script.expect_received(0).await?;
    assert_eq!(envoy.admin().forwarded().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_query_changes_nothing() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    let path = format!("{}?tenant=1", PLATFORM.path);
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let with_query =
        Delivery::post(&path, event.payload.clone()).header("stripe-signature", &signature)?;
    assert_stored(&envoy.send(with_query).await?);
    assert_problem(
        &envoy.send(PLATFORM.deliver(&event)?).await?,
        200,
        "duplicate",
    );
    script.expect_received(1).await?;
    Ok(())
}
