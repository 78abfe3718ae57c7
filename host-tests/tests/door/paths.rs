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

/// What a genuine delivery gets along each spelling of the platform's path: the
/// door's own, or one that means the same by RFC 3986. Never another endpoint's.
const SPELLINGS: &[(&str, u16)] = &[
    ("/webhooks/stripe", 200),
    ("/webhooks/./stripe", 200),
    ("/webhooks/x/../stripe", 200),
    ("/webhooks/stripe/../stripe", 200),
    ("/webhooks/stripe/connect/../../stripe", 200),
    ("/../webhooks/stripe", 200),
    ("/../../../../webhooks/stripe", 200),
    ("/webhooks/x/%2e%2e/stripe", 200),
    ("/webhooks/x/%2E%2E/stripe", 200),
    ("/webhooks/x/.%2e/stripe", 200),
    ("/webhooks/%2e/stripe", 200),
    ("/webhooks/%73tripe", 200),
    ("/%77ebhooks/stripe", 200),
    // Envoy turns them, before gate and routes look.
    ("/webhooks\\stripe", 200),
    ("/webhooks/x/..\\stripe", 200),
    ("/webhooks/stripe?", 200),
    ("/webhooks/stripe?a=1", 200),
    ("/webhooks/stripe?/../connect", 200),
    ("/webhooks/stripe?a=%2f%2e%2e", 200),
    ("http://door.test/webhooks/stripe", 200),
    ("http://evil.test/webhooks/stripe", 200),
    ("http://door.test/webhooks/x/../stripe", 200),
    ("/webhooks/stripe/", 404),
    ("/webhooks/stripe//", 404),
    ("/webhooks/stripe/.", 404),
    ("/webhooks/stripe/x/..", 404),
    ("/webhooks//stripe", 404),
    ("//webhooks/stripe", 404),
    ("/webhooks/stripe/connect", 400),
    ("/webhooks/stripe/./connect", 400),
    ("/webhooks/stripe/x/%2e%2e/connect", 400),
    ("/WEBHOOKS/STRIPE", 404),
    ("/webhooks/Stripe", 404),
    ("/webhooks/stripe;x=1", 404),
    ("/webhooks;x/stripe", 404),
    ("/webhooks/stripe%3bx", 404),
    ("/webhooks/stripe%3fx", 404),
    ("/webhooks/stripe%23x", 404),
    ("/webhooks/stripe%20", 404),
    ("/webhooks/stripe%c0%ae", 404),
    ("/webhooks/%252e/stripe", 404),
    ("/webhooks/stripe%00", 400),
    ("/webhooks/stripe%", 404),
    ("/webhooks/stripe%zz", 404),
    ("/webhooks%2fstripe", 400),
    ("/webhooks%2Fstripe", 400),
    ("/webhooks/stripe%2f", 400),
    ("/webhooks%5cstripe", 400),
    ("/webhooks%5Cstripe", 400),
    ("/webhooks/..%2fwebhooks/stripe", 400),
    ("/webhooks/stripe#x", 400),
    ("#/webhooks/stripe", 400),
    ("webhooks/stripe", 400),
    ("*", 400),
    ("http://door.test", 404),
    ("door.test:80/webhooks/stripe", 400),
    ("/webhooks/stripe\x01", 400),
    ("/webhooks/str\u{131}pe", 400),
    ("/v1/events", 404),
    ("/webhooks/stripe/../../v1/events", 404),
    ("/webhooks/stripe/%2e%2e/%2e%2e/v1/events", 404),
];

#[tokio::test]
async fn each_spelling_of_a_path_means_one_endpoint_to_gate_and_routes_alike() -> Result<()> {
    let quota = r#""quotas": {"sources": {"rate": 60, "per_seconds": 60, "burst": 100}},"#;
    let (envoy, script) = on_script(Setup::shipped().edit(quota, ""), []).await?;
    let mut wrong = Vec::new();
    for (target, expected) in SPELLINGS {
        let event = Event::fresh()?;
        let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
        let request = Head::new(&format!("POST {target}"))
            .header("stripe-signature", &signature)
            .sized_body(&event.payload);
        let answer = raw::send_at_once(envoy.address(), &request).await?;
        let status = answer.status;
        if status != *expected {
            wrong.push(format!("{target}: {status} instead of {expected}"));
        }
        let received = script.received();
        assert_eq!(received.len(), usize::from(status == 200), "{target}");
        for one in received {
            let path = one.path.split('?').next();
            assert_eq!(path, Some("/v1/events"), "{target}");
            assert_eq!(
                one.header("ce-source"),
                Some("/hookgate/stripe"),
                "{target}"
            );
            assert_eq!(one.header("ce-id"), Some(event.id.as_str()), "{target}");
        }
        script.forget();
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    Ok(())
}
