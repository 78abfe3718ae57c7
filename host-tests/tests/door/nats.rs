//! The door on a real nats-server.

use anyhow::Result;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::nats::Nats;
use hookgate_host_tests::upstream::Upstream;

use crate::{assert_problem, assert_stored};

#[tokio::test]
async fn a_full_store_closes_the_door_and_is_never_a_duplicate() -> Result<()> {
    let mut nats = Nats::start().await?;
    let upstream = Upstream::nats(&nats).await?;
    let envoy = Setup::shipped().start(upstream.address()).await?;
    let known = Event::fresh()?;
    assert_stored(&envoy.send(PLATFORM.deliver(&known)?).await?);

    // Room for what is there, not for another 20 kB.
    nats.limit_stream(16 * 1024).await?;
    let refused = Event::fresh_of_size(20 * 1024)?;
    for _ in 0..3 {
        let answer = envoy.send(PLATFORM.deliver(&refused)?).await?;
        assert_problem(&answer, 503, "unavailable");
    }
    // The duplicate is still known, to the gate and to the log.
    assert_problem(
        &envoy.send(PLATFORM.deliver(&known)?).await?,
        200,
        "duplicate",
    );
    let forgetful = Setup::shipped().start(upstream.address()).await?;
    let answer = forgetful.send(PLATFORM.deliver(&known)?).await?;
    assert_eq!((answer.status, answer.code().as_str()), (200, "duplicate"));
    assert_eq!(upstream.log().entries().await?.len(), 1);

    nats.limit_stream(-1).await?;
    assert_stored(&envoy.send(PLATFORM.deliver(&refused)?).await?);
    assert_eq!(upstream.log().entries().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn one_id_at_both_endpoints_is_stored_twice() -> Result<()> {
    let nats = Nats::start().await?;
    let upstream = Upstream::nats(&nats).await?;
    let envoy = Setup::shipped().start(upstream.address()).await?;
    let event = Event::fresh()?;
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    assert_stored(&envoy.send(CONNECT.deliver(&event)?).await?);
    assert_problem(
        &envoy.send(CONNECT.deliver(&event)?).await?,
        200,
        "duplicate",
    );
    let entries = upstream.log().entries().await?;
    let sources: Vec<&str> = entries.iter().map(|entry| entry.source.as_str()).collect();
    assert_eq!(sources, ["stripe", "stripe-connect"]);
    Ok(())
}
