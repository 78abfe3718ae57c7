//! Payloads that are too long or come too slowly.

use std::time::SystemTime;

use anyhow::Result;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::raw::{self, Head};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::{assert_problem, assert_stored, on_script, on_sqlite};

/// The shipped limit of a payload.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_stored() -> Result<()> {
    let (envoy, upstream) = on_sqlite().await?;
    let event = Event::fresh_of_size(MAX_BODY_BYTES)?;
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    let entries = upstream.log().entries().await?;
    let sizes: Vec<u64> = entries.iter().map(|entry| entry.size).collect();
    assert_eq!(sizes, [u64::try_from(MAX_BODY_BYTES)?]);
    Ok(())
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whole_or_chunked() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh_of_size(MAX_BODY_BYTES + 1)?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let head =
        || Head::new(&format!("POST {}", PLATFORM.path)).header("stripe-signature", &signature);
    for request in [
        head().sized_body(&event.payload),
        head().chunked_body(&event.payload, 16 * 1024),
    ] {
        let answer = raw::send(envoy.address(), &request).await?;
        assert_problem(&answer, 413, "payload_too_large");
    }
    script.expect_received(0).await?;
    envoy
        .admin()
        .expect_deliveries("stripe", "payload_too_large", 2)
        .await
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_refused() -> Result<()> {
    let hurried = Setup::shipped().edit("request_timeout: 30s", "request_timeout: 3s");
    let (envoy, script) = on_script(hurried, []).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let mut request = Head::new(&format!("POST {}", PLATFORM.path))
        .header("stripe-signature", signature)
        .sized_body(&event.payload);
    request.pop();
    let mut client = TcpStream::connect(envoy.address()).await?;
    client.write_all(&request).await?;
    let answer = raw::parse(&raw::read_to_end(&mut client).await?)?;
    assert_problem(&answer, 408, "request_timeout");
    script.expect_received(0).await?;
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    Ok(())
}

/// Up to the limit and one byte beyond, whole and in chunks, and what is said
/// of the length makes no difference.
#[tokio::test]
async fn the_limit_is_the_same_however_a_body_comes() -> Result<()> {
    const LIMIT: usize = 4_096;
    let mut gate = serde_json::json!({
        "endpoints": [{"name": PLATFORM.name, "path": PLATFORM.path, "keyring": "file"}],
        "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
    });
    if let Some(limit) = gate.pointer_mut("/endpoints/0") {
        limit["max_body_bytes"] = LIMIT.into();
    }
    let (envoy, script) = on_script(Setup::shipped().gate(gate), []).await?;
    let mut stored = 0;
    for size in [LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT] {
        for chunk in [None, Some(1), Some(7), Some(LIMIT), Some(2 * LIMIT)] {
            let event = Event::fresh_of_size(size)?;
            let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
            let head = Head::new(&format!("POST {}", PLATFORM.path))
                .header("stripe-signature", &signature);
            let request = match chunk {
                None => head.sized_body(&event.payload),
                Some(chunk) => head.chunked_body(&event.payload, chunk),
            };
            let answer = raw::send(envoy.address(), &request).await?;
            if size <= LIMIT {
                assert_stored(&answer);
                stored += 1;
            } else {
                assert_problem(&answer, 413, "payload_too_large");
            }
        }
    }
    script.expect_received(stored).await.map(drop)
}

/// Bytes without an end: the door hears as many as the limit, and then no more.
#[tokio::test]
async fn a_body_without_an_end_is_refused_at_the_limit() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let signature = PLATFORM.sign_at(b"another body", SystemTime::now())?;
    let head = Head::new(&format!("POST {}", PLATFORM.path))
        .header("stripe-signature", &signature)
        .header("transfer-encoding", "chunked")
        .body(b"");
    let (mut from, mut to) = TcpStream::connect(envoy.address()).await?.into_split();
    to.write_all(&head).await?;
    let sender = tokio::spawn(async move {
        let chunk = [&b"4000\r\n"[..], &[b'x'; 0x4000], b"\r\n"].concat();
        let mut sent = 0;
        while to.write_all(&chunk).await.is_ok() {
            sent += 0x4000;
            // It would go on for ever.
            assert!(sent < 100 * MAX_BODY_BYTES, "never refused");
        }
        sent
    });
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(
        std::time::Duration::from_secs(20),
        tokio::io::AsyncReadExt::read_to_end(&mut from, &mut answer),
    )
    .await?;
    assert_problem(&raw::parse(&answer)?, 413, "payload_too_large");
    drop(from);
    let sent = sender.await?;
    eprintln!("refused after {sent} bytes were sent");
    script.expect_received(0).await.map(drop)
}

/// The signature is over the bytes as they come: nobody decodes them.
#[tokio::test]
async fn an_encoded_body_is_taken_as_the_bytes_that_it_is() -> Result<()> {
    let (envoy, upstream) = on_sqlite().await?;
    for (encoding, body_is_event) in [
        ("identity", true),
        ("gzip", true),
        ("gzip", false),
        ("br", false),
        ("x-unknown, gzip", false),
    ] {
        let mut event = Event::fresh()?;
        if !body_is_event {
            // The start of a gzip stream: no JSON.
            event.payload = [b"\x1f\x8b\x08\x00", &event.payload[..]].concat().into();
        }
        let delivery = PLATFORM
            .deliver(&event)?
            .header("content-encoding", encoding)?;
        let answer = envoy.send(delivery).await?;
        if body_is_event {
            assert_stored(&answer);
            let stored = upstream.log().payload(&event.id, "stripe").await?;
            assert_eq!(stored, event.payload);
        } else {
            assert_problem(&answer, 400, "payload_invalid");
        }
    }
    assert_eq!(upstream.log().entries().await?.len(), 2);
    Ok(())
}

/// Whatever a client expects, it is told its verdict or refused.
#[tokio::test]
async fn an_expectation_that_nobody_knows_changes_no_verdict() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    for expectation in ["100-continue", "200-ok", "100-continue, x", ""] {
        for genuine in [true, false] {
            let event = Event::fresh()?;
            let signed = if genuine { &event.payload[..] } else { b"x" };
            let signature = PLATFORM.sign_at(signed, SystemTime::now())?;
            let request = Head::new(&format!("POST {}", PLATFORM.path))
                .header("stripe-signature", signature)
                .header("expect", expectation)
                .sized_body(&event.payload);
            let bytes = raw::exchange(envoy.address(), &request).await?;
            let text = String::from_utf8_lossy(&bytes);
            let last = text.rsplit("HTTP/1.1 ").next().unwrap_or_default();
            let status: u16 = last.get(..3).unwrap_or_default().parse()?;
            if genuine {
                assert!(matches!(status, 200 | 417), "{expectation}: {text}");
            } else {
                assert!(matches!(status, 400 | 417), "{expectation}: {text}");
            }
        }
    }
    assert!(script.count() >= 1 && script.count() <= 4);
    Ok(())
}
