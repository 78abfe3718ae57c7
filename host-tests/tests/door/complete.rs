//! `envoy/complete.yaml`: the shipped file with everything on.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use hookgate_host_tests::bootstrap::Bootstrap;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::script::Script;

use crate::{assert_problem, assert_stored};

#[test]
fn without_its_blocks_the_complete_file_is_the_shipped_one() -> Result<()> {
    let shipped = Bootstrap::shipped()?;
    let bare = Bootstrap::complete(&[])?;
    let differing = (1..)
        .zip(shipped.text().lines().zip(bare.text().lines()))
        .find(|(_, (ours, theirs))| ours != theirs);
    if let Some((line, (ours, theirs))) = differing {
        anyhow::bail!(
            "envoy/complete.yaml without its blocks differs from envoy/envoy.yaml, \
             bring the change to both:\nline {line} of envoy.yaml: {ours}\nthere: {theirs}"
        );
    }
    assert_eq!(shipped.text(), bare.text());
    Ok(())
}

#[tokio::test]
async fn every_block_alone_and_all_of_them_serve() -> Result<()> {
    let names = Bootstrap::block_names()?;
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(all.len() > 5, "{all:?}");
    let alone = all.iter().map(std::slice::from_ref);
    for blocks in alone.chain([all.as_slice()]) {
        // What the blocks talk to is away, and the door is open all the same.
        let script = Script::start([]).await?;
        let setup = with_nobody_there(Setup::complete(blocks), blocks)?;
        let envoy = setup
            .start(script.address())
            .await
            .with_context(|| format!("{blocks:?}"))?;
        assert_stored(&envoy.send(PLATFORM.deliver(&Event::fresh()?)?).await?);
        let connected = Event::fresh_of_account("acct_1TestSeller0002")?;
        let answer = envoy.send(CONNECT.deliver(&connected)?).await?;
        if blocks.contains(&"gate-configuration") {
            // Its secrets are in Vault.
            assert_problem(&answer, 503, "unavailable");
        } else {
            assert_stored(&answer);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_route_that_the_client_names_is_not_taken() -> Result<()> {
    let (upstream, payouts) = (Script::start([]).await?, Script::start([]).await?);
    let envoy = Setup::complete(&["routing-by-type"])
        .cluster(8082, payouts.address())
        .start(upstream.address())
        .await?;
    let delivery = PLATFORM
        .deliver(&Event::fresh()?)?
        .header("x-hookgate-route", "payouts")?;
    assert_stored(&envoy.send(delivery).await?);
    assert_eq!((upstream.count(), payouts.count()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_clients_trace_is_not_continued() -> Result<()> {
    const CLIENTS: &str = "0af7651916cd43dd8448eb211c80319c";
    let upstream = Script::start([]).await?;
    let setup = with_nobody_there(Setup::complete(&["tracing"]), &["tracing"])?;
    let envoy = setup.start(upstream.address()).await?;
    let event = Event::fresh()?;
    let delivery = PLATFORM
        .deliver(&event)?
        .header("traceparent", format!("00-{CLIENTS}-b7ad6b7169203331-01"))?;
    assert_stored(&envoy.send(delivery).await?);

    let received = upstream.received();
    let traceparent = received.first().and_then(|r| r.header("traceparent"));
    let trace_id = traceparent.and_then(|text| text.split('-').nth(1));
    let logged = envoy.access_log(&event.id).await?;
    assert_eq!(logged.get("trace_id").and_then(|v| v.as_str()), trace_id);
    assert_ne!(trace_id, Some(CLIENTS));
    assert_eq!(trace_id.map(str::len), Some(32));
    Ok(())
}

/// Puts the blocks' clusters where nobody listens.
fn with_nobody_there(mut setup: Setup, blocks: &[&str]) -> Result<Setup> {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    for (block, port) in [
        ("tracing", 4317),
        ("global-quota", 8081),
        ("routing-by-type", 8082),
        ("decider", 8083),
        ("second-upstream", 8084),
        ("http-keyring", 8200),
    ] {
        if blocks.contains(&block) {
            setup = setup.cluster(port, nobody);
        }
    }
    if blocks.contains(&"http-keyring") {
        let authority = rcgen::generate_simple_self_signed(["vault".to_owned()])?;
        setup = setup.vault("hvs.tests", authority.cert.pem());
    }
    Ok(setup)
}
