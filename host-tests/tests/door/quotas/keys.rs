//! What a great many senders cost.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use hookgate_host_tests::client::{Delivery, Http2};
use hookgate_host_tests::envoy::Envoy;
use hookgate_host_tests::event::{Event, PLATFORM};
use tokio::task::JoinSet;

use super::with_quotas;
use crate::{assert_problem, assert_stored, on_script};

const CONNECTIONS: u32 = 4;
/// Requests at once over one connection.
const BATCH: u32 = 50;

/// What a key of the table may cost, all told: a full bucket of 32 entries of
/// 16 bytes for each 16 keys, and the host's map.
const BYTES_PER_KEY: u64 = 48;
/// What Envoy takes and gives for all else while it runs.
const NOISE_BYTES: u64 = 1_500_000;

/// Each of them fails once, so each is a key. The full form is a million in
/// the shipped table.
#[tokio::test]
async fn load_a_million_senders_cost_the_table_and_no_more() -> Result<()> {
    let (keys, max_keys) = match env::var_os("HOOKGATE_SOAK") {
        Some(_) => (1_000_000, 65_536),
        None => (100_000, 8_192),
    };
    let quotas = format!(
        r#"{{"sources": {{"rate": 1, "per_seconds": 3600, "burst": 10}}, "max_keys": {max_keys}}}"#
    );
    let peer = "use_remote_address: true\n";
    let trusting = format!("{peer}          xff_num_trusted_hops: 1\n");
    let setup = with_quotas(&quotas).edit(peer, &trusting);
    let (mut envoy, _script) = on_script(setup, []).await?;
    fail_from(envoy.address(), 0..2_000).await?;
    let empty = allocated(&envoy).await?;
    // More than every bucket has room for.
    let filled = max_keys * 4;
    fail_from(envoy.address(), 2_000..filled).await?;
    let full = allocated(&envoy).await?;
    fail_from(envoy.address(), filled..keys).await?;
    let after = allocated(&envoy).await?;

    let table = full.saturating_sub(empty);
    eprintln!(
        "{} bytes a key with a table for {max_keys} full; {} more bytes after {keys} senders",
        table / u64::from(max_keys),
        after.saturating_sub(full)
    );
    assert!(table > u64::from(max_keys) * 16, "{table}");
    assert!(
        table <= u64::from(max_keys) * BYTES_PER_KEY + NOISE_BYTES,
        "{table}"
    );
    assert!(after <= full + NOISE_BYTES, "{full} {after}");

    let missing = envoy.admin();
    missing
        .expect_deliveries("stripe", "signature_missing", keys.into())
        .await?;
    for sender in ["10.0.0.7", "192.0.2.1"] {
        let delivery = PLATFORM.deliver(&Event::fresh()?)?;
        let delivery = delivery.header("x-forwarded-for", sender)?;
        assert_stored(&envoy.send(delivery).await?);
    }
    envoy.discard_output();
    Ok(())
}

/// Sends a request without a signature from each of these addresses.
async fn fail_from(address: SocketAddr, senders: std::ops::Range<u32>) -> Result<()> {
    let each = (senders.end - senders.start).div_ceil(CONNECTIONS);
    let mut connections = JoinSet::new();
    for start in senders.clone().step_by(usize::try_from(each)?) {
        let part = start..senders.end.min(start + each);
        connections.spawn(fail_over_one(address, part));
    }
    while let Some(done) = connections.join_next().await {
        done??;
    }
    Ok(())
}

/// Over HTTP/2, where a refusal doesn't end the connection.
async fn fail_over_one(address: SocketAddr, senders: std::ops::Range<u32>) -> Result<()> {
    let connection = Http2::connect(address).await?;
    for start in senders.clone().step_by(usize::try_from(BATCH)?) {
        let mut batch = JoinSet::new();
        for number in start..senders.end.min(start + BATCH) {
            let sender = Ipv4Addr::from_bits(0x0a00_0000 + number).to_string();
            let unsigned = Delivery::post(PLATFORM.path, "").header("x-forwarded-for", &sender)?;
            let mut connection = connection.clone();
            batch.spawn(async move { connection.send(unsigned).await });
        }
        while let Some(answer) = batch.join_next().await {
            assert_problem(&answer??, 400, "signature_missing");
        }
    }
    Ok(())
}

/// Returns the bytes that Envoy's allocator has given out.
async fn allocated(envoy: &Envoy) -> Result<u64> {
    let page: serde_json::Value = serde_json::from_str(&envoy.admin().page("/memory").await?)?;
    let allocated = page.get("allocated").and_then(|bytes| bytes.as_str());
    Ok(allocated.context("no figure at /memory")?.parse()?)
}
