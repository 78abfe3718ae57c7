//! What a genuine delivery looks like when it reaches the upstream and the log.

use anyhow::{Context, Result};
use hookgate_host_tests::client::{Http1, Http2};
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::script::Act;
use hookgate_host_tests::upstream::Upstream;

use crate::{assert_problem, assert_stored, on_script, on_sqlite};

#[tokio::test]
async fn forwards_the_body_untouched_with_cloudevents_attributes() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, std::time::SystemTime::now())?;
    let answer = envoy
        .send(PLATFORM.deliver_signed(&event, &signature)?)
        .await?;
    assert_stored(&answer);

    let received = script.expect_received(1).await?.remove(0);
    assert_eq!(
        (received.method.as_str(), received.path.as_str()),
        ("POST", "/v1/events")
    );
    assert_eq!(received.body, event.payload);
    assert_eq!(
        received.header("stripe-signature"),
        Some(signature.as_str())
    );
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", event.id.as_str()),
        ("ce-type", "payment_intent.succeeded"),
        ("ce-source", "/hookgate/stripe"),
        ("ce-time", "2025-10-01T06:26:40Z"),
        ("ce-livemode", "false"),
        ("ce-endpoint", "stripe"),
    ] {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
    assert_eq!(received.header("ce-account"), None);
    assert!(
        received
            .header("ce-secretname")
            .is_some_and(|name| !name.is_empty())
    );
    let signed_at = received.header("ce-signedat").context("no ce-signedat")?;
    let received_at = received
        .header("ce-receivedat")
        .context("no ce-receivedat")?;
    // Both are RFC 3339 in UTC, so they compare as text up to the seconds.
    assert!(signed_at.ends_with('Z') && received_at.ends_with('Z'));
    assert!(
        signed_at.get(..19) <= received_at.get(..19),
        "{signed_at} {received_at}"
    );
    Ok(())
}

#[tokio::test]
async fn strips_the_gates_own_headers_from_what_a_client_sends() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    let forged_parent = "00-11111111111111111111111111111111-2222222222222222-01";
    let delivery = PLATFORM
        .deliver(&event)?
        .header("ce-id", "evt_smuggled")?
        .header("CE-Source", "/hookgate/other")?
        .header("ce-subject", "smuggled")?
        .header("x-hookgate-anything", "smuggled")?
        .header("x-envoy-upstream-rq-timeout-ms", "1")?
        .header("traceparent", forged_parent)?
        .header("tracestate", "smuggled=1")?;
    assert_stored(&envoy.send(delivery).await?);

    let received = script.expect_received(1).await?.remove(0);
    let ids: Vec<_> = received.headers.get_all("ce-id").iter().collect();
    assert_eq!(ids, [event.id.as_str()]);
    assert_eq!(received.headers.get_all("ce-source").iter().count(), 1);
    for (name, value) in &received.headers {
        assert!(
            !String::from_utf8_lossy(value.as_bytes()).contains("smuggled"),
            "{name}"
        );
    }
    assert_ne!(received.header("traceparent"), Some(forged_parent));
    Ok(())
}

#[tokio::test]
async fn a_client_cannot_steer_how_envoy_forwards() -> Result<()> {
    let failing = [Act::Status(503), Act::Status(503), Act::Status(503)];
    let (envoy, script) = on_script(Setup::shipped(), failing).await?;
    let delivery = PLATFORM
        .deliver(&Event::fresh()?)?
        .header("x-envoy-retry-on", "5xx")?
        .header("x-envoy-max-retries", "5")?
        .header("x-envoy-original-path", "/elsewhere")?
        .header("x-envoy-decorator-operation", "elsewhere")?
        .header("x-envoy-upstream-rq-timeout-ms", "1")?;
    assert_eq!(envoy.send(delivery).await?.status, 503);
    let received = script.expect_received(1).await?;
    for (name, value) in received.iter().flat_map(|one| &one.headers) {
        assert_ne!(value, "/elsewhere", "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn the_log_holds_what_was_delivered() -> Result<()> {
    let (envoy, upstream) = on_sqlite().await?;
    let event = Event::fresh()?;
    let signature = CONNECT.sign_at(&event.payload, std::time::SystemTime::now())?;
    let answer = envoy
        .send(CONNECT.deliver_signed(&event, &signature)?)
        .await?;
    assert_stored(&answer);

    let entries = upstream.log().entries().await?;
    let [entry] = entries.as_slice() else {
        anyhow::bail!("{} entries instead of one", entries.len());
    };
    assert_eq!(Some(entry.sequence), answer.sequence());
    assert_eq!(
        (entry.source.as_str(), entry.endpoint.as_str()),
        ("stripe-connect", "stripe-connect")
    );
    assert_eq!(
        (&entry.id, entry.r#type.as_str()),
        (&event.id, "payment_intent.succeeded")
    );
    assert_eq!(
        (entry.livemode, entry.account.as_deref()),
        (Some(false), None)
    );
    assert_eq!(entry.time.as_deref(), Some("2025-10-01T06:26:40Z"));
    assert_eq!(entry.signature, signature);
    assert_eq!(entry.size, u64::try_from(event.payload.len())?);
    assert_eq!(
        upstream.log().payload(&event.id, "stripe-connect").await?,
        event.payload
    );
    Ok(())
}

#[tokio::test]
async fn takes_many_deliveries_over_one_connection_of_either_protocol() -> Result<()> {
    let (envoy, upstream) = on_sqlite().await?;
    let mut http1 = Http1::connect(envoy.address()).await?;
    let mut http2 = Http2::connect(envoy.address()).await?;
    for _ in 0..20 {
        assert_stored(&http1.send(PLATFORM.deliver(&Event::fresh()?)?).await?);
        assert_stored(&http2.send(CONNECT.deliver(&Event::fresh()?)?).await?);
    }
    assert_eq!(upstream.log().entries().await?.len(), 40);
    envoy
        .admin()
        .expect_deliveries("stripe", "stored", 20)
        .await?;
    envoy
        .admin()
        .expect_deliveries("stripe-connect", "stored", 20)
        .await
}

#[tokio::test]
async fn a_gate_that_forgot_learns_of_the_duplicate_from_the_log() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let event = Event::fresh()?;
    let first = Setup::shipped().start(upstream.address()).await?;
    let stored = first.send(PLATFORM.deliver(&event)?).await?;
    assert_stored(&stored);
    drop(first);

    let second = Setup::shipped().start(upstream.address()).await?;
    let answer = second.send(PLATFORM.deliver(&event)?).await?;
    assert_eq!((answer.status, answer.code().as_str()), (200, "duplicate"));
    assert_eq!(answer.sequence(), stored.sequence());
    // The log has it, so now the gate has it too.
    let forwarded = second.admin().forwarded().await?;
    assert_problem(
        &second.send(PLATFORM.deliver(&event)?).await?,
        200,
        "duplicate",
    );
    assert_eq!(second.admin().forwarded().await?, forwarded);
    assert_eq!(upstream.log().entries().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_trace_of_the_sender_is_continued_where_it_is_trusted() -> Result<()> {
    let timeout = r#""upstream_timeout_seconds": 10"#;
    let trusting = format!(r#"{timeout}, "trust_traceparent": true"#);
    let (envoy, script) = on_script(Setup::shipped().edit(timeout, &trusting), []).await?;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (sent, kept) in [(parent, true), ("00-of-nobody-01", false)] {
        let delivery = PLATFORM.deliver(&Event::fresh()?)?;
        let delivery = delivery.header("traceparent", sent)?;
        assert_stored(&envoy.send(delivery).await?);
        let received = script.expect_received(if kept { 1 } else { 2 }).await?;
        let traceparent = received.last().and_then(|it| it.header("traceparent"));
        assert_eq!(traceparent == Some(sent), kept, "{traceparent:?}");
    }
    Ok(())
}
