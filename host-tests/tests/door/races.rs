//! Deliveries of one event that race each other.

use std::sync::Arc;

use anyhow::{Context, Result};
use hookgate_host_tests::client::{Answer, Http1};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::script::Act;
use hookgate_host_tests::upstream::Upstream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::{assert_problem, assert_stored, on_script};

const SENDERS: usize = 200;

/// Few enough that each worker has its first one at the same time.
const RACERS: usize = 12;
const RACES: usize = 1500;

#[tokio::test]
async fn of_200_deliveries_at_once_exactly_one_is_forwarded() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped().workers(4), []).await?;
    for _ in 0..5 {
        let before = script.count();
        let mut answers = race(&envoy, &Event::fresh()?).await?;
        let mut stored = 0;
        while let Some(answer) = answers.join_next().await {
            let answer = answer??;
            match answer.code().as_str() {
                "stored" => stored += 1,
                "duplicate" => assert_problem(&answer, 200, "duplicate"),
                _ => assert_problem(&answer, 409, "in_progress"),
            }
        }
        assert_eq!(stored, 1);
        script.expect_received(before + 1).await?;
    }
    Ok(())
}

/// A window of a microsecond needs many tries: without compare-and-swap about
/// one race in 250 has two winners, on two cores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_hundreds_of_small_races_each_has_one_winner() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped().workers(4), []).await?;
    let mut connections = Vec::new();
    for _ in 0..RACERS {
        connections.push(Http1::connect(envoy.address()).await?);
    }
    for race in 1..=RACES {
        let delivery = PLATFORM.deliver(&Event::fresh()?)?;
        let mut racers = JoinSet::new();
        for mut connection in connections.drain(..) {
            let delivery = delivery.clone();
            racers.spawn(async move { (connection.send(delivery).await, connection) });
        }
        let mut stored = 0;
        while let Some(racer) = racers.join_next().await {
            let (answer, connection) = racer?;
            stored += u32::from(answer?.code() == "stored");
            connections.push(connection);
        }
        assert_eq!((stored, script.count()), (1, race), "race {race}");
    }
    Ok(())
}

#[tokio::test]
async fn of_200_deliveries_at_once_exactly_one_is_logged() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let envoy = Setup::shipped()
        .workers(4)
        .start(upstream.address())
        .await?;
    let mut answers = race(&envoy, &Event::fresh()?).await?;
    while let Some(answer) = answers.join_next().await {
        let answer = answer??;
        assert!(matches!(answer.status, 200 | 409), "{answer:?}");
    }
    assert_eq!(envoy.admin().forwarded().await?, 1);
    assert_eq!(upstream.log().entries().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn nobody_gets_2xx_while_the_first_copy_is_held_and_then_fails() -> Result<()> {
    let told = Arc::new(Notify::new());
    let held = Act::HoldThen(Arc::clone(&told), 503);
    let (envoy, script) = on_script(Setup::shipped().workers(4), [held]).await?;
    let event = Event::fresh()?;

    let mut answers = race(&envoy, &event).await?;
    for _ in 1..SENDERS {
        let answer = answers.join_next().await.context("too few answers")???;
        assert_problem(&answer, 409, "in_progress");
    }
    script.expect_received(1).await?;
    told.notify_one();
    let last = answers.join_next().await.context("no last answer")???;
    assert_eq!(last.status, 503, "{last:?}");

    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    assert_problem(
        &envoy.send(PLATFORM.deliver(&event)?).await?,
        200,
        "duplicate",
    );
    script.expect_received(2).await?;
    for (outcome, count) in [
        ("in_progress", 199),
        ("upstream_failed", 1),
        ("stored", 1),
        ("duplicate", 1),
    ] {
        let admin = envoy.admin();
        admin.expect_deliveries("stripe", outcome, count).await?;
    }
    Ok(())
}

/// Sends `event` over 200 connections that are all open before the first byte
/// is sent.
async fn race(envoy: &Envoy, event: &Event) -> Result<JoinSet<Result<Answer>>> {
    let mut connections = Vec::new();
    for _ in 0..SENDERS {
        connections.push(Http1::connect(envoy.address()).await?);
    }
    let mut answers = JoinSet::new();
    for mut connection in connections {
        let delivery = PLATFORM.deliver(event)?;
        answers.spawn(async move { connection.send(delivery).await });
    }
    Ok(answers)
}
