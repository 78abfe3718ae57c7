//! Requests that no careful client sends: trailers, odd bytes, odd framing.

use std::time::SystemTime;

use anyhow::Result;
use hookgate_host_tests::client::{Delivery, Http1, Http2};
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::raw::{self, Head};

use crate::{assert_problem, assert_stored, on_script, on_sqlite};

fn with_trailers(delivery: Delivery) -> Result<Delivery> {
    delivery
        .trailer("x-anything", "trailing")?
        .trailer("ce-id", "evt_smuggled")?
        .trailer("stripe-signature", "t=1,v1=smuggled")
}

#[tokio::test]
async fn a_forged_delivery_with_trailers_is_refused_over_http1() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let forged = with_trailers(PLATFORM.forge(&Event::fresh()?)?)?;
    let answer = Http1::connect(envoy.address()).await?.send(forged).await?;
    assert_problem(&answer, 400, "signature_mismatch");
    script.expect_received(0).await?;
    assert_eq!(envoy.admin().forwarded().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_forged_delivery_with_trailers_is_refused_over_http2() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let forged = with_trailers(PLATFORM.forge(&Event::fresh()?)?)?;
    let answer = Http2::connect(envoy.address()).await?.send(forged).await?;
    assert_problem(&answer, 400, "signature_mismatch");
    script.expect_received(0).await?;
    assert_eq!(envoy.admin().forwarded().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_genuine_delivery_with_trailers_arrives_without_them() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let (first, second) = (Event::fresh()?, Event::fresh()?);
    let delivery = with_trailers(PLATFORM.deliver(&first)?)?;
    assert_stored(
        &Http1::connect(envoy.address())
            .await?
            .send(delivery)
            .await?,
    );
    let delivery = with_trailers(PLATFORM.deliver(&second)?)?;
    assert_stored(
        &Http2::connect(envoy.address())
            .await?
            .send(delivery)
            .await?,
    );

    for (event, received) in [first, second].iter().zip(script.expect_received(2).await?) {
        assert_eq!(received.body, event.payload);
        assert_eq!(received.header("ce-id"), Some(event.id.as_str()));
        assert_eq!(received.headers.get_all("ce-id").iter().count(), 1);
        assert_eq!(
            received.headers.get_all("stripe-signature").iter().count(),
            1
        );
        assert_eq!(received.trailers, None);
    }
    Ok(())
}

#[tokio::test]
async fn a_signature_that_is_not_utf8_harms_nobody() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    for value in [&b"\xff"[..], b"t=\xff\xfe,v1=00", b"\xc3("] {
        let request = Head::new(&format!("POST {}", PLATFORM.path))
            .header("stripe-signature", value)
            .sized_body(&event.payload);
        let answer = raw::send(envoy.address(), &request).await?;
        assert_problem(&answer, 400, "signature_malformed");
    }
    // Nor do such bytes anywhere else in the head of a genuine delivery.
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let request = Head::new(&format!("POST {}", PLATFORM.path))
        .header("stripe-signature", signature)
        .header("user-agent", b"\xff\xfe")
        .header("ce-id", b"\xff")
        .sized_body(&event.payload);
    assert_stored(&raw::send(envoy.address(), &request).await?);
    script.expect_received(1).await?;
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    envoy
        .admin()
        .expect_deliveries("stripe", "signature_malformed", 3)
        .await
}

#[tokio::test]
async fn a_signature_header_that_comes_twice_is_refused() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    for second in [signature.as_str(), "t=1,v1=00", ""] {
        let delivery = PLATFORM
            .deliver_signed(&event, &signature)?
            .header("Stripe-Signature", second)?;
        assert_problem(&envoy.send(delivery).await?, 400, "signature_malformed");
        let delivery = Delivery::post(PLATFORM.path, event.payload.clone())
            .header("stripe-signature", second)?
            .header("stripe-signature", &signature)?;
        let answer = Http2::connect(envoy.address())
            .await?
            .send(delivery)
            .await?;
        assert_problem(&answer, 400, "signature_malformed");
    }
    script.expect_received(0).await?;
    Ok(())
}

#[tokio::test]
async fn a_body_in_chunks_of_one_byte_is_accepted() -> Result<()> {
    let (envoy, upstream) = on_sqlite().await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let request = Head::new(&format!("POST {}", PLATFORM.path))
        .header("stripe-signature", signature)
        .chunked_body(&event.payload, 1);
    let answer = raw::parse(&raw::exchange(envoy.address(), &request).await?)?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        upstream.log().payload(&event.id, "stripe").await?,
        event.payload
    );
    Ok(())
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_its_body_is_served() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let request = Head::new(&format!("POST {}", PLATFORM.path))
        .header("stripe-signature", signature)
        .header("expect", "100-continue")
        .sized_body(&event.payload);
    let answers = raw::exchange(envoy.address(), &request).await?;
    let text = String::from_utf8_lossy(&answers);
    assert!(text.starts_with("HTTP/1.1 100 Continue\r\n"), "{text}");
    assert!(text.contains("HTTP/1.1 200 OK\r\n"), "{text}");
    assert_eq!(
        script.expect_received(1).await?.remove(0).body,
        event.payload
    );
    Ok(())
}

#[tokio::test]
async fn ambiguous_framing_is_refused() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let head =
        || Head::new(&format!("POST {}", PLATFORM.path)).header("stripe-signature", &signature);
    let length = event.payload.len().to_string();
    let requests = [
        head()
            .header("content-length", &length)
            .chunked_body(&event.payload, 64),
        head()
            .header("content-length", "5")
            .sized_body(&event.payload),
        head()
            .header("transfer-encoding", "identity, chunked")
            .sized_body(&event.payload),
        head()
            .header("x-folded", "a\r\n b\r\n\tc")
            .header("bad name", "x")
            .sized_body(&event.payload),
    ];
    for request in requests {
        let answer = raw::send(envoy.address(), &request).await?;
        assert!(matches!(answer.status, 400 | 501), "{answer:?}");
    }
    script.expect_received(0).await?;
    Ok(())
}

#[tokio::test]
async fn a_request_behind_a_smuggled_one_is_verified_like_any_other() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    // The second request stands where a naive server sees the first one's body.
    let inner = Head::new("POST /v1/events")
        .header("ce-id", "evt_smuggled")
        .sized_body(&event.payload);
    let mut request = format!(
        "POST {} HTTP/1.1\r\nhost: door.test\r\nstripe-signature: {signature}\r\n\
         content-length: {}\r\n\r\n",
        PLATFORM.path,
        event.payload.len()
    )
    .into_bytes();
    request.extend_from_slice(&event.payload);
    request.extend_from_slice(&inner);
    let answers = raw::exchange(envoy.address(), &request).await?;
    let text = String::from_utf8_lossy(&answers);
    assert!(
        text.contains("stored") && text.contains("endpoint_unknown"),
        "{text}"
    );
    script.expect_received(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_header_name_with_underscores_never_passes() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let delivery = PLATFORM
        .deliver(&Event::fresh()?)?
        .header("ce_id", "evt_smuggled")?;
    assert_problem(&envoy.send(delivery).await?, 400, "bad_request");
    script.expect_received(0).await?;
    Ok(())
}
