//! Every refusal of the table: its status, its code, its counter, and nothing
//! forwarded.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bytes::Bytes;
use hookgate_host_tests::client::Delivery;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM, fresh_id};
use hookgate_host_tests::raw;

use crate::{assert_problem, assert_stored, on_script};

/// Signature headers and their verdicts; `{t}` is now, `{v1}` the genuine
/// signature, `{V1}` the same in upper case, `{other}` an outsider's.
const HEADERS: &[(&str, &str)] = &[
    ("t={t},v1={v1}", "stored"),
    ("t={t},v1={v1},v0={other}", "stored"),
    ("v1={v1},t={t}", "stored"),
    ("t={t},v1={other},v1={v1},v1=bad", "stored"),
    ("t={t}, v1={v1}", "stored"),
    ("", "signature_missing"),
    ("not a signature", "signature_malformed"),
    ("t={t}", "signature_malformed"),
    ("v1={v1}", "signature_malformed"),
    ("t={t},v0={v1}", "signature_malformed"),
    ("t={t},V1={v1}", "signature_malformed"),
    ("t=+{t},v1={v1}", "signature_malformed"),
    ("t={t}.0,v1={v1}", "signature_malformed"),
    ("t={t},t={t},v1={v1}", "signature_malformed"),
    ("t={t},,v1={v1}", "signature_malformed"),
    ("t={t};v1={v1}", "signature_malformed"),
    ("t={t},v1={v1},foo", "signature_malformed"),
    ("t=0,v1={v1}", "timestamp_out_of_tolerance"),
    ("t={t},v1={other}", "signature_mismatch"),
    ("t={t},v1={V1}", "signature_mismatch"),
    ("t={t},v1={v1}0", "signature_mismatch"),
    ("t={t},v1=", "signature_mismatch"),
];

#[tokio::test]
async fn signature_headers_get_their_verdicts() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let mut expected = BTreeMap::<&str, u64>::new();
    for (template, code) in HEADERS {
        let event = Event::fresh()?;
        let genuine = parts(&PLATFORM.sign_at(&event.payload, SystemTime::now())?)?;
        let other = parts(&CONNECT.sign_at(&event.payload, SystemTime::now())?)?.1;
        let header = template
            .replace("{t}", &genuine.0)
            .replace("{v1}", &genuine.1)
            .replace("{V1}", &genuine.1.to_uppercase())
            .replace("{other}", &other);
        let answer = envoy
            .send(PLATFORM.deliver_signed(&event, &header)?)
            .await?;
        assert_eq!(answer.code(), *code, "`{template}`");
        if *code == "stored" {
            assert_stored(&answer);
        } else {
            assert_problem(&answer, 400, code);
        }
        *expected.entry(code).or_default() += 1;
    }
    for (code, count) in &expected {
        envoy
            .admin()
            .expect_deliveries("stripe", code, *count)
            .await?;
    }
    let stored = expected.get("stored").copied().unwrap_or_default();
    script.expect_received(usize::try_from(stored)?).await?;
    assert_eq!(envoy.admin().forwarded().await?, stored);
    Ok(())
}

#[tokio::test]
async fn refuses_a_delivery_without_signature() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let unsigned = Delivery::post(PLATFORM.path, Event::fresh()?.payload);
    assert_problem(&envoy.send(unsigned).await?, 400, "signature_missing");
    envoy
        .admin()
        .expect_deliveries("stripe", "signature_missing", 1)
        .await?;
    script.expect_received(0).await?;
    Ok(())
}

#[tokio::test]
async fn refuses_what_is_signed_too_long_ago_or_in_the_future() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let now = SystemTime::now();
    let stale = now.checked_sub(Duration::from_secs(302)).context("time")?;
    let future = now + Duration::from_secs(360);
    for at in [stale, future, UNIX_EPOCH] {
        let event = Event::fresh()?;
        let signature = PLATFORM.sign_at(&event.payload, at)?;
        let answer = envoy
            .send(PLATFORM.deliver_signed(&event, &signature)?)
            .await?;
        assert_problem(&answer, 400, "timestamp_out_of_tolerance");
    }
    script.expect_received(0).await?;
    // Ten seconds within the limits: no machine is that slow.
    let (young, early) = (Duration::from_secs(290), Duration::from_secs(290));
    for at in [now.checked_sub(young).context("time")?, now + early] {
        let event = Event::fresh()?;
        let signature = PLATFORM.sign_at(&event.payload, at)?;
        assert_stored(
            &envoy
                .send(PLATFORM.deliver_signed(&event, &signature)?)
                .await?,
        );
    }
    envoy
        .admin()
        .expect_deliveries("stripe", "timestamp_out_of_tolerance", 3)
        .await
}

#[tokio::test]
async fn refuses_a_body_that_the_signature_does_not_cover() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let mut longer = event.payload.to_vec();
    longer.push(b' ');
    let mut flipped = event.payload.to_vec();
    if let Some(byte) = flipped.get_mut(20) {
        *byte ^= 1;
    }
    let shorter = event.payload.slice(..event.payload.len() - 1);
    let changed = [longer.into(), flipped.into(), shorter, Bytes::new()];
    for payload in &changed {
        let id = event.id.clone();
        let payload = payload.clone();
        let delivery = PLATFORM.deliver_signed(&Event { id, payload }, &signature)?;
        assert_problem(&envoy.send(delivery).await?, 400, "signature_mismatch");
    }
    // The secret of the one endpoint opens no other.
    let connect_signature = CONNECT.sign_at(&event.payload, SystemTime::now())?;
    let delivery = PLATFORM.deliver_signed(&event, &connect_signature)?;
    assert_problem(&envoy.send(delivery).await?, 400, "signature_mismatch");

    let count = u64::try_from(changed.len() + 1)?;
    envoy
        .admin()
        .expect_deliveries("stripe", "signature_mismatch", count)
        .await?;
    script.expect_received(0).await?;
    Ok(())
}

#[tokio::test]
async fn refuses_signed_payloads_that_are_no_events() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let id = fresh_id();
    let deep = "[".repeat(100_000);
    let payloads = [
        "not json".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"object":"event","type":"a.b"}"#.to_owned(),
        format!(r#"{{"id":"{id}","object":"event"}}"#),
        format!(r#"{{"id":"{id}","object":"invoice","type":"a.b"}}"#),
        format!(r#"{{"id":"{id}\n","object":"event","type":"a.b"}}"#),
        format!(r#"{{"id":"{id}","id":"{id}","object":"event","type":"a.b"}}"#),
        format!(r#"{{"id":"{id}","\u0069d":"{id}","object":"event","type":"a.b"}}"#),
        format!(r#"{{"id":7,"object":"event","type":"{id}"}}"#),
        format!(
            r#"{{"id":"{}","object":"event","type":"a.b"}}"#,
            "e".repeat(256)
        ),
        format!(r#"{{"id":"{id}","object":"event","type":"a b"}}"#),
        format!(r#"{{"id":"{id}","object":"event","type":"a.b"}} trailing"#),
        format!(r#"{{"id":"{id}","object":"event","type":"a.b","data":{deep}"#),
        format!("\u{feff}{{\"id\":\"{id}\",\"object\":\"event\",\"type\":\"a.b\"}}"),
    ];
    for payload in &payloads {
        let payload = Bytes::from(payload.clone());
        let event = Event {
            id: id.clone(),
            payload,
        };
        let answer = envoy.send(PLATFORM.deliver(&event)?).await?;
        let shown = event.payload.get(..200.min(event.payload.len()));
        assert_eq!(answer.code(), "payload_invalid", "{shown:?}");
        assert_problem(&answer, 400, "payload_invalid");
    }
    let count = u64::try_from(payloads.len())?;
    envoy
        .admin()
        .expect_deliveries("stripe", "payload_invalid", count)
        .await?;
    script.expect_received(0).await?;
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    Ok(())
}

#[tokio::test]
async fn refuses_every_method_but_post() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let answer = envoy.send(Delivery::get(PLATFORM.path)).await?;
    assert_problem(&answer, 405, "method_not_allowed");
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let event = Event::fresh()?;
        let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
        let request = raw::Head::new(&format!("{method} {}", PLATFORM.path))
            .header("stripe-signature", signature)
            .sized_body(&event.payload);
        let answer = raw::send(envoy.address(), &request).await?;
        assert_problem(&answer, 405, "method_not_allowed");
    }
    envoy
        .admin()
        .expect_deliveries("stripe", "method_not_allowed", 5)
        .await?;
    script.expect_received(0).await?;
    Ok(())
}

#[tokio::test]
async fn a_type_that_waits_for_a_decision_is_never_stored() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let Event { id, payload } = Event::fresh()?;
    let text = String::from_utf8(payload.to_vec())?;
    let text = text.replace("payment_intent.succeeded", "issuing_authorization.request");
    let event = Event {
        id,
        payload: text.into(),
    };
    for _ in 0..2 {
        let answer = envoy.send(PLATFORM.deliver(&event)?).await?;
        assert_problem(&answer, 503, "no_decider");
    }
    envoy
        .admin()
        .expect_deliveries("stripe", "no_decider", 2)
        .await?;
    script.expect_received(0).await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_delivery_leaves_no_trace_in_the_gates_memory() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    assert_problem(
        &envoy.send(PLATFORM.forge(&event)?).await?,
        400,
        "signature_mismatch",
    );
    let stale = PLATFORM.deliver_aged(&event, Duration::from_secs(600))?;
    assert_problem(&envoy.send(stale).await?, 400, "timestamp_out_of_tolerance");
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    // Nor does it make the genuine one forgotten.
    assert_problem(
        &envoy.send(PLATFORM.forge(&event)?).await?,
        400,
        "signature_mismatch",
    );
    assert_problem(
        &envoy.send(PLATFORM.deliver(&event)?).await?,
        200,
        "duplicate",
    );
    script.expect_received(1).await?;
    Ok(())
}

/// Splits a header of the form `t=…,v1=…`.
fn parts(header: &str) -> Result<(String, String)> {
    let (t, v1) = header
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(",v1="))
        .context("not a signature header")?;
    Ok((t.to_owned(), v1.to_owned()))
}
