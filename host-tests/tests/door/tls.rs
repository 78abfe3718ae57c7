//! The TLS listener and the sender of our own.

use std::process::Output;
use std::time::Duration;

use anyhow::Result;
use hookgate_host_tests::artefact;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{PLATFORM, fresh_id};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::{on_script, on_sqlite};

#[tokio::test]
async fn hookgate_send_delivers_through_either_listener() -> Result<()> {
    let (envoy, upstream) = on_sqlite().await?;
    let id = fresh_id();
    let plain = format!("http://{}{}", envoy.address(), PLATFORM.path);
    let tls = format!(
        "https://localhost:{}{}",
        envoy.tls_address().port(),
        PLATFORM.path
    );

    let stored = send(&[&tls, "--ca", envoy.certificate(), "--id", &id]).await?;
    assert_eq!(
        shown(&stored)?,
        (true, 200, "stored".to_owned(), Some(id.clone()))
    );
    let duplicate = send(&[&plain, "--id", &id]).await?;
    assert_eq!(
        shown(&duplicate)?,
        (true, 200, "duplicate".to_owned(), Some(id))
    );
    let stale = send(&[&plain, "--age", "10m"]).await?;
    let (succeeded, status, code, _) = shown(&stale)?;
    assert_eq!(
        (succeeded, status, code.as_str()),
        (false, 400, "timestamp_out_of_tolerance")
    );
    assert_eq!(upstream.log().entries().await?.len(), 1);
    Ok(())
}

async fn send(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(artefact::hookgate()?)
        .arg("send")
        .args(arguments)
        .arg("--json")
        .env(PLATFORM.variable, PLATFORM.secret)
        .kill_on_drop(true)
        .output()
        .await?)
}

fn shown(output: &Output) -> Result<(bool, u64, String, Option<String>)> {
    let json: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| anyhow::anyhow!("{}", String::from_utf8_lossy(&output.stderr)))?;
    let text = |name: &str| Some(json.get(name)?.as_str()?.to_owned());
    Ok((
        output.status.success(),
        json.get("http_status")
            .and_then(|v| v.as_u64())
            .unwrap_or_default(),
        text("code").unwrap_or_default(),
        text("event_id"),
    ))
}

/// Whoever connects and says nothing is not heard for long.
#[tokio::test]
async fn a_handshake_that_never_comes_is_cut_off() -> Result<()> {
    let hurried = Setup::shipped().edit(
        "transport_socket_connect_timeout: 10s",
        "transport_socket_connect_timeout: 1s",
    );
    let (envoy, _script) = on_script(hurried, []).await?;
    let mut silent = TcpStream::connect(envoy.tls_address()).await?;
    let mut byte = [0];
    let read = timeout(Duration::from_secs(10), silent.read(&mut byte)).await?;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    Ok(())
}
