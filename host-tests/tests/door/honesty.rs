//! A 2xx is the upstream's own, or a duplicate's: nothing else may look like
//! one, whatever the client asks of Envoy.

use anyhow::Result;
use hookgate_host_tests::client::{Answer, Delivery, Http1, Http2};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::script::Act;

use crate::{assert_stored, on_script};

/// Sends over HTTP/1.1 and over HTTP/2 what calls itself gRPC, which makes
/// Envoy turn every local reply into a 200 with a `grpc-status`.
async fn as_grpc(
    envoy: &Envoy,
    mut delivery: impl FnMut() -> Result<Delivery>,
) -> Result<[Answer; 4]> {
    let mut next = |kind: &str| {
        delivery()?
            .without("content-type")
            .header("content-type", kind)
    };
    let mut http1 = Http1::connect(envoy.address()).await?;
    let first = http1.send(next("application/grpc")?).await?;
    let mut http1 = Http1::connect(envoy.address()).await?;
    let second = http1.send(next("application/grpc+json")?).await?;
    let mut http2 = Http2::connect(envoy.address()).await?;
    let third = http2.send(next("application/grpc")?).await?;
    let fourth = http2.send(next("application/grpc+proto")?).await?;
    Ok([first, second, third, fourth])
}

#[tokio::test]
async fn a_forgery_that_calls_itself_grpc_is_refused_like_any_other() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    for answer in as_grpc(&envoy, || PLATFORM.forge(&Event::fresh()?)).await? {
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    for answer in as_grpc(&envoy, || Ok(Delivery::post("/nowhere", "x"))).await? {
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    script.expect_received(0).await.map(drop)
}

#[tokio::test]
async fn an_upstream_that_fails_a_delivery_that_calls_itself_grpc_is_no_success() -> Result<()> {
    let acts = [Act::Silence, Act::Reset, Act::Reset, Act::Silence];
    let setup = Setup::shipped().lease_and_timeout(5, 3);
    let (envoy, script) = on_script(setup, acts).await?;
    let event = Event::fresh()?;
    for answer in as_grpc(&envoy, || PLATFORM.deliver(&Event::fresh()?)).await? {
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    script.expect_received(4).await?;
    for answer in as_grpc(&envoy, || PLATFORM.deliver(&event)).await? {
        assert_eq!(answer.status, 200, "the first stored, the others repeats");
    }
    script.expect_received(5).await.map(drop)
}

/// Envoy believes `x-envoy-*` of peers that it counts as internal, and one of
/// them asks it to answer a timeout with 204.
#[tokio::test]
async fn an_internal_client_cannot_ask_for_a_2xx_on_timeout() -> Result<()> {
    let setup = Setup::shipped().lease_and_timeout(5, 3).edit(
        "use_remote_address: true",
        "use_remote_address: true\n          internal_address_config: \
         {cidr_ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}]}",
    );
    let (envoy, script) = on_script(setup, [Act::Silence]).await?;
    let event = Event::fresh()?;
    let steering = PLATFORM
        .deliver(&event)?
        .header("x-envoy-upstream-rq-timeout-alt-response", "1")?
        .header("x-envoy-upstream-alt-stat-name", "outsider")?
        .header("x-envoy-retry-on", "5xx,reset")?
        .header("x-envoy-max-retries", "5")?;
    let answer = envoy.send(steering).await?;
    assert_eq!(answer.status, 504, "{answer:?}");
    script.expect_received(1).await?;
    assert_eq!(
        envoy.admin().sum(|name| name.contains("outsider")).await?,
        0
    );
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    Ok(())
}
