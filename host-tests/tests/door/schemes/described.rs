//! Schemes that the operator describes: `{"hmac": …}`.
//!
//! What is signed is put together here from the description's words, not by the
//! core that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hookgate_core::request::RequestHead;
use hookgate_core::scheme::Scheme;
use hookgate_core::secret::SigningSecret;
use hookgate_core::time::Timestamp;
use hookgate_host_tests::client::{Answer, Delivery};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::fresh_id;
use serde_json::{Value, json};

use crate::{assert_problem, assert_stored, on_script};

const SECRET: &str = "described-secret-not-decoded";

/// Three senders: a time and an ID signed before the body, in hex behind a
/// prefix; a header behind it, in base64; the body alone.
fn gate() -> Value {
    let endpoint = |name: &str, hmac: Value| json!({"name": name, "path": format!("/{name}"), "keyring": "file", "scheme": {"hmac": hmac}});
    json!({
        "endpoints": [
            endpoint("timed", json!({
                "signature_header": "x-signature",
                "encoding": "hex",
                "prefix": "v0=",
                "signed": [{"text": "v0:"}, {"header": "x-time"}, {"text": ":"}, "body"],
                "timestamp_header": "x-time",
                "id": {"field": "event_id"},
                "type": {"field": "kind"},
                "account": {"field": "shop"},
            })),
            endpoint("around", json!({
                "signature_header": "x-mac",
                "encoding": "base64",
                "signed": ["body", {"text": "."}, {"header": "x-delivery-id"}],
                "id": {"header": "x-delivery-id"},
            })),
            endpoint("bare", json!({"signature_header": "x-bare", "encoding": "hex"})),
        ],
        "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
    })
}

fn keyring() -> String {
    let secrets = json!([{"name": "primary", "secret": SECRET}]);
    json!({"endpoints": {"timed": secrets, "around": secrets, "bare": secrets}}).to_string()
}

/// HMAC-SHA256 of the text under [`SECRET`]: what Shopify's scheme is, in base64.
fn mac(text: &str) -> Result<Vec<u8>> {
    let secret = SigningSecret::new("described", SECRET.as_bytes())?;
    let never = Timestamp::from_unix_seconds(0);
    let signed = Scheme::Shopify.sign(&secret, never, RequestHead(&[]), text.as_bytes());
    let value = signed.into_iter().next().map(|(_, value)| value);
    Ok(BASE64_STANDARD.decode(value.unwrap_or_default())?)
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

async fn send(
    envoy: &Envoy,
    path: &str,
    headers: &[(&str, &str)],
    payload: &str,
) -> Result<Answer> {
    let mut delivery = Delivery::post(path, payload.to_owned());
    for (name, value) in headers {
        delivery = delivery.header(name, value)?;
    }
    envoy.send(delivery).await
}

#[tokio::test]
async fn a_described_scheme_with_a_signed_time_is_held_to_it() -> Result<()> {
    let setup = Setup::shipped().gate(gate()).keyring(keyring());
    let (envoy, script) = on_script(setup, []).await?;
    let id = fresh_id();
    let payload = format!(r#"{{"event_id":"{id}","kind":"order.paid","shop":"shop_1"}}"#);
    let sign = |time: u64, payload: &str| {
        let digest = mac(&format!("v0:{time}:{payload}"))?;
        anyhow::Ok(format!("v0={}", hex::encode(digest)))
    };
    let time = now()?;
    let (at, signature) = (time.to_string(), sign(time, &payload)?);
    let genuine = [("x-time", at.as_str()), ("x-signature", signature.as_str())];
    assert_stored(&send(&envoy, "/timed", &genuine, &payload).await?);
    let received = script.expect_received(1).await?;
    for (name, value) in [
        ("ce-id", id.as_str()),
        ("ce-type", "order.paid"),
        ("ce-account", "shop_1"),
        ("ce-source", "/hookgate/timed"),
    ] {
        assert_eq!(received[0].header(name), Some(value), "{name}");
    }
    assert_eq!(received[0].header("ce-unsigned"), None);
    let again = send(&envoy, "/timed", &genuine, &payload).await?;
    assert_eq!(again.status, 200, "{again:?}");

    let stale = time - 301;
    let (stale_at, stale_signature) = (stale.to_string(), sign(stale, &payload)?);
    let upper = signature.to_uppercase();
    let bare = signature.trim_start_matches("v0=").to_owned();
    for (headers, payload, code) in [
        (
            vec![
                ("x-time", stale_at.as_str()),
                ("x-signature", stale_signature.as_str()),
            ],
            payload.as_str(),
            "timestamp_out_of_tolerance",
        ),
        (
            vec![
                ("x-time", stale_at.as_str()),
                ("x-signature", signature.as_str()),
            ],
            payload.as_str(),
            "timestamp_out_of_tolerance",
        ),
        (genuine.to_vec(), "{}", "signature_mismatch"),
        (
            vec![("x-time", at.as_str())],
            payload.as_str(),
            "signature_missing",
        ),
        (
            vec![("x-signature", signature.as_str())],
            payload.as_str(),
            "signature_malformed",
        ),
        (
            vec![("x-time", at.as_str()), ("x-signature", upper.as_str())],
            payload.as_str(),
            "signature_malformed",
        ),
        (
            vec![("x-time", at.as_str()), ("x-signature", bare.as_str())],
            payload.as_str(),
            "signature_malformed",
        ),
        (
            [genuine.as_slice(), &[("x-signature", signature.as_str())]].concat(),
            payload.as_str(),
            "signature_malformed",
        ),
        (
            [genuine.as_slice(), &[("x-time", at.as_str())]].concat(),
            payload.as_str(),
            "signature_malformed",
        ),
    ] {
        assert_problem(&send(&envoy, "/timed", &headers, payload).await?, 400, code);
    }
    script.expect_received(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_described_scheme_takes_its_id_from_a_header_that_is_signed() -> Result<()> {
    let setup = Setup::shipped().gate(gate()).keyring(keyring());
    let (envoy, script) = on_script(setup, []).await?;
    let (id, other) = (fresh_id(), fresh_id());
    let payload = r#"{"a":1}"#;
    let signature = BASE64_STANDARD.encode(mac(&format!("{payload}.{id}"))?);
    let genuine = [
        ("x-delivery-id", id.as_str()),
        ("x-mac", signature.as_str()),
    ];
    assert_stored(&send(&envoy, "/around", &genuine, payload).await?);
    let received = script.expect_received(1).await?;
    assert_eq!(received[0].header("ce-id"), Some(id.as_str()));
    let renamed = [
        ("x-delivery-id", other.as_str()),
        ("x-mac", signature.as_str()),
    ];
    let answer = send(&envoy, "/around", &renamed, payload).await?;
    assert_problem(&answer, 400, "signature_mismatch");
    script.expect_received(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_described_scheme_without_an_id_goes_by_what_is_signed() -> Result<()> {
    let setup = Setup::shipped().gate(gate()).keyring(keyring());
    let (envoy, script) = on_script(setup, []).await?;
    let payload = format!(r#"{{"n":"{}"}}"#, fresh_id());
    let signature = hex::encode(mac(&payload)?);
    let genuine = [("x-bare", signature.as_str())];
    assert_stored(&send(&envoy, "/bare", &genuine, &payload).await?);
    // Sent again by whoever: the same event.
    let spoofed = [("x-bare", signature.as_str()), ("x-delivery-id", "new")];
    let answer = send(&envoy, "/bare", &spoofed, &payload).await?;
    assert_eq!(answer.status, 200);
    script.expect_received(1).await?;
    Ok(())
}
