//! One quota for several Envoys: Envoy's own rate-limit filter behind the gate,
//! on the account that the gate has verified.

use anyhow::Result;
use hookgate_host_tests::client::Answer;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::redis::Redis;
use hookgate_host_tests::rls::RateLimitService;
use hookgate_host_tests::upstream::Upstream;

use crate::{assert_problem, assert_stored};

const BUSY: &str = "acct_1TestBusy0001";
const OTHER: &str = "acct_1TestOther0001";

/// Starts an Envoy with the shipped filter and its own service on `redis`.
async fn limited(redis: &Redis, upstream: &Upstream) -> Result<(Envoy, RateLimitService)> {
    let service = RateLimitService::start(redis, 2).await?;
    let envoy = Setup::complete(&["global-quota"])
        .cluster(8081, service.address())
        // A loaded machine must not pass for a service that is away.
        .edit("timeout: 0.1s", "timeout: 10s")
        .start(upstream.address())
        .await?;
    Ok((envoy, service))
}

async fn deliver(envoy: &Envoy, event: &Event) -> Result<Answer> {
    envoy.send(CONNECT.deliver(event)?).await
}

/// Returns how many deliveries Envoy let through unasked.
async fn failed(envoy: &Envoy) -> Result<u64> {
    let error = |name: &str| name == "cluster.upstream.ratelimit.error";
    envoy.admin().sum(error).await
}

#[tokio::test]
async fn two_envoys_share_the_quota_of_an_account() -> Result<()> {
    let (redis, upstream) = (Redis::start().await?, Upstream::sqlite().await?);
    let (first, _first_service) = limited(&redis, &upstream).await?;
    let (second, _second_service) = limited(&redis, &upstream).await?;
    for envoy in [&first, &second] {
        assert_stored(&deliver(envoy, &Event::fresh_of_account(BUSY)?).await?);
    }

    let event = Event::fresh_of_account(BUSY)?;
    for envoy in [&first, &second] {
        let refused = deliver(envoy, &event).await?;
        assert_problem(&refused, 429, "rate_limited");
        let seconds = refused.header("retry-after").unwrap_or_default();
        assert!(
            seconds.parse().is_ok_and(|s| (1..=60).contains(&s)),
            "{refused:?}"
        );
        assert_stored(&deliver(envoy, &Event::fresh_of_account(OTHER)?).await?);
    }
    assert_eq!(upstream.log().entries().await?.len(), 4);

    // Neither gate remembers what it did not forward: no 409, no `duplicate`.
    redis.forget().await?;
    assert_stored(&deliver(&first, &event).await?);
    let again = deliver(&first, &event).await?;
    assert_problem(&again, 200, "duplicate");
    assert_eq!(upstream.log().entries().await?.len(), 5);
    Ok(())
}

#[tokio::test]
async fn only_verified_fresh_events_are_charged_and_to_the_signed_account() -> Result<()> {
    let (redis, upstream) = (Redis::start().await?, Upstream::sqlite().await?);
    let (envoy, service) = limited(&redis, &upstream).await?;

    let event = Event::fresh_of_account(BUSY)?;
    let forged = CONNECT.forge(&event)?.header("ce-account", OTHER)?;
    assert_problem(&envoy.send(forged).await?, 400, "signature_mismatch");
    let claimed = CONNECT.deliver(&event)?.header("ce-account", OTHER)?;
    assert_stored(&envoy.send(claimed).await?);
    assert_problem(&deliver(&envoy, &event).await?, 200, "duplicate");
    let own = PLATFORM.deliver(&Event::fresh()?)?;
    assert_stored(&envoy.send(own.header("ce-account", OTHER)?).await?);

    assert_eq!(service.asked()?, [BUSY]);
    Ok(())
}

#[tokio::test]
async fn who_is_over_the_quota_of_a_service_that_does_not_say_when_hears_of_a_minute() -> Result<()>
{
    let (redis, upstream) = (Redis::start().await?, Upstream::sqlite().await?);
    let service = RateLimitService::start(&redis, 1).await?;
    let envoy = Setup::complete(&["global-quota"])
        .cluster(8081, service.address())
        .edit("timeout: 0.1s", "timeout: 10s")
        .edit(
            "enable_x_ratelimit_headers: DRAFT_VERSION_03",
            "enable_x_ratelimit_headers: \"OFF\"",
        )
        .start(upstream.address())
        .await?;
    assert_stored(&deliver(&envoy, &Event::fresh_of_account(BUSY)?).await?);
    let refused = deliver(&envoy, &Event::fresh_of_account(BUSY)?).await?;
    assert_problem(&refused, 429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("60"));
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_away_leaves_the_door_open() -> Result<()> {
    let (redis, upstream) = (Redis::start().await?, Upstream::sqlite().await?);
    let (envoy, mut service) = limited(&redis, &upstream).await?;
    service.kill().await?;
    for _ in 0..3 {
        assert_stored(&deliver(&envoy, &Event::fresh_of_account(BUSY)?).await?);
    }
    assert_eq!(upstream.log().entries().await?.len(), 3);
    assert_eq!(failed(&envoy).await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_store_that_is_away_leaves_the_door_open() -> Result<()> {
    let (redis, upstream) = (Redis::start().await?, Upstream::sqlite().await?);
    let (envoy, service) = limited(&redis, &upstream).await?;
    drop(redis);
    for _ in 0..3 {
        assert_stored(&deliver(&envoy, &Event::fresh_of_account(BUSY)?).await?);
    }
    assert_eq!(service.asked()?.len(), 3);
    assert_eq!(failed(&envoy).await?, 3);
    Ok(())
}
