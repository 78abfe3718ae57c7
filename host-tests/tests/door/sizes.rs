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
    let hurried = Setup::shipped().edit("request_timeout: 30s", "request_timeout: 1s");
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
