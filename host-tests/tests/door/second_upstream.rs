//! Two upstreams of one log behind one door: `envoy/cluster.yaml`.

use std::fs;

use anyhow::Result;
use hookgate_host_tests::artefact;
use hookgate_host_tests::bootstrap::Bootstrap;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::nats::Nats;
use hookgate_host_tests::upstream::Upstream;

use crate::assert_stored;

#[test]
fn the_clusters_file_is_the_complete_one_with_one_block() -> Result<()> {
    let path = artefact::root().join("envoy/cluster.yaml");
    let derived = Bootstrap::complete(&["second-upstream"])?;
    assert!(
        fs::read_to_string(path)? == derived.text(),
        "envoy/cluster.yaml is not envoy/complete.yaml with the block `second-upstream` alone, \
         bring the change to both"
    );
    Ok(())
}

#[tokio::test]
async fn every_delivery_is_stored_while_one_of_two_upstreams_is_away() -> Result<()> {
    let nats = Nats::start().await?;
    let mut first = Upstream::nats(&nats).await?;
    let mut second = Upstream::nats(&nats).await?;
    let envoy = Setup::complete(&["second-upstream"])
        .cluster(8084, second.address())
        .start(first.address())
        .await?;
    let mut sent = 0;
    let mut send = async |count: usize| {
        for _ in 0..count {
            assert_stored(&envoy.send(PLATFORM.deliver(&Event::fresh()?)?).await?);
        }
        sent += count;
        anyhow::Ok(())
    };
    send(20).await?;
    first.kill().await?;
    // What is under way when it dies is the sender's to repeat.
    envoy.admin().expect_unconnected(first.address()).await?;
    send(20).await?;
    first.restart().await?;
    second.kill().await?;
    envoy.admin().expect_unconnected(second.address()).await?;
    // Whether Envoy has heard already that the first is back or not.
    send(20).await?;
    second.restart().await?;
    send(20).await?;
    assert_eq!(first.log().entries().await?.len(), sent);
    Ok(())
}
