//! Whose address counts: the peer's, or what a trusted proxy says.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;
use hookgate_host_tests::client::{Answer, Http1};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};

use super::{assert_limited, with_endpoint, with_quotas};
use crate::{assert_problem, assert_stored, on_script};

/// Two failures of each sender, and none back in this test's time.
const SOURCES: &str = r#"{"sources": {"rate": 1, "per_seconds": 3600, "burst": 2}}"#;
const POLICY: &str = r#""source";q=2;w=7200"#;
const RANGES: &str = r#""policy": {"source_ranges": ["198.51.100.0/24", "2001:db8:7::/48"]}"#;

/// Trusts one proxy in front.
fn behind_a_proxy(setup: Setup) -> Setup {
    let peer = "use_remote_address: true\n";
    setup.edit(peer, &format!("{peer}          xff_num_trusted_hops: 1\n"))
}

async fn forge(envoy: &Envoy, forwarded_for: &str) -> Result<Answer> {
    let forgery = PLATFORM.forge(&Event::fresh()?)?;
    envoy
        .send(forgery.header("x-forwarded-for", forwarded_for)?)
        .await
}

async fn deliver(envoy: &Envoy, forwarded_for: &str) -> Result<Answer> {
    let delivery = PLATFORM.deliver(&Event::fresh()?)?;
    envoy
        .send(delivery.header("x-forwarded-for", forwarded_for)?)
        .await
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_address_that_it_saw_counts() -> Result<()> {
    let setup = behind_a_proxy(with_quotas(SOURCES));
    let (envoy, _script) = on_script(setup, []).await?;
    for sender in ["198.51.100.1", "203.0.113.9, 198.51.100.1"] {
        assert_problem(&forge(&envoy, sender).await?, 400, "signature_mismatch");
    }
    // What the sender itself wrote stands on the left and doesn't help.
    for sender in ["198.51.100.1", "203.0.113.1, 198.51.100.1"] {
        assert_limited(&forge(&envoy, sender).await?, POLICY, "source")?;
        assert_limited(&deliver(&envoy, sender).await?, POLICY, "source")?;
    }
    assert_problem(
        &forge(&envoy, "198.51.100.2").await?,
        400,
        "signature_mismatch",
    );
    assert_stored(&deliver(&envoy, "203.0.113.1").await?);
    Ok(())
}

#[tokio::test]
async fn an_ipv6_sender_counts_by_its_64() -> Result<()> {
    let setup = behind_a_proxy(with_quotas(SOURCES));
    let (envoy, _script) = on_script(setup, []).await?;
    for sender in ["2001:db8:0:1::1", "2001:db8:0:1::2"] {
        assert_problem(&forge(&envoy, sender).await?, 400, "signature_mismatch");
    }
    let neighbour = "2001:db8:0:1:ffff:ffff:ffff:ffff";
    assert_limited(&forge(&envoy, neighbour).await?, POLICY, "source")?;
    assert_limited(&deliver(&envoy, neighbour).await?, POLICY, "source")?;
    assert_problem(
        &forge(&envoy, "2001:db8:0:2::1").await?,
        400,
        "signature_mismatch",
    );
    assert_stored(&deliver(&envoy, "2001:db8:0:2::1").await?);
    Ok(())
}

#[tokio::test]
async fn without_a_trusted_proxy_forwarding_headers_help_nobody() -> Result<()> {
    let (envoy, _script) = on_script(with_quotas(SOURCES), []).await?;
    for sender in ["198.51.100.1", "198.51.100.2"] {
        assert_problem(&forge(&envoy, sender).await?, 400, "signature_mismatch");
    }
    assert_limited(&forge(&envoy, "198.51.100.3").await?, POLICY, "source")?;
    assert_limited(&deliver(&envoy, "198.51.100.4").await?, POLICY, "source")?;
    // Another peer is another sender, whatever it says.
    let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let mut other = Http1::connect_from(other, envoy.address()).await?;
    let delivery = PLATFORM.deliver(&Event::fresh()?)?;
    let delivery = delivery.header("x-forwarded-for", "127.0.0.1")?;
    assert_stored(&other.send(delivery).await?);
    Ok(())
}

#[tokio::test]
async fn source_ranges_are_of_the_trusted_address() -> Result<()> {
    let (envoy, _script) = on_script(behind_a_proxy(with_endpoint(RANGES)), []).await?;
    for sender in ["198.51.100.7", "203.0.113.1, 198.51.100.7", "2001:db8:7::1"] {
        assert_stored(&deliver(&envoy, sender).await?);
    }
    for sender in ["203.0.113.1", "198.51.100.7, 203.0.113.1", "2001:db8:8::1"] {
        assert_problem(&deliver(&envoy, sender).await?, 403, "denied_source");
    }
    let (direct, _script) = on_script(with_endpoint(RANGES), []).await?;
    assert_problem(
        &deliver(&direct, "198.51.100.7").await?,
        403,
        "denied_source",
    );
    Ok(())
}
