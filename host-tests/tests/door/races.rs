//! Deliveries of one event that race each other.

use std::sync::Arc;

use anyhow::{Context, Result};
use hookgate_host_tests::client::{Answer, Http1};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::script::{Act, Script};
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
    let (envoy, script) = on_script(patient().workers(4), [held]).await?;
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

/// Waits for an answer that is held back until everybody else has one.
fn patient() -> Setup {
    Setup::shipped().lease_and_timeout(120, 60)
}

/// Sends `event` over 200 connections that are all open before the first byte
/// is sent.
async fn race(envoy: &Envoy, event: &Event) -> Result<JoinSet<Result<Answer>>> {
    race_of(SENDERS, envoy, event).await
}

async fn race_of(senders: usize, envoy: &Envoy, event: &Event) -> Result<JoinSet<Result<Answer>>> {
    let mut connections = Vec::new();
    for _ in 0..senders {
        connections.push(Http1::connect(envoy.address()).await?);
    }
    let mut answers = JoinSet::new();
    for mut connection in connections {
        let delivery = PLATFORM.deliver(event)?;
        answers.spawn(async move { connection.send(delivery).await });
    }
    Ok(answers)
}

/// Two Envoys know nothing of each other: each forwards one copy, the log
/// stores one.
#[tokio::test]
async fn of_200_deliveries_over_two_envoys_exactly_one_is_logged() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let setup = || Setup::shipped().workers(2);
    let first = setup().start(upstream.address()).await?;
    let second = setup().start(upstream.address()).await?;
    let event = Event::fresh()?;
    let mut answers = race_of(SENDERS / 2, &first, &event).await?;
    let mut others = race_of(SENDERS / 2, &second, &event).await?;
    let mut stored = 0;
    while let Some(answer) = answers.join_next().await {
        stored += u32::from(heard(&answer??));
    }
    while let Some(answer) = others.join_next().await {
        stored += u32::from(heard(&answer??));
    }
    assert_eq!(stored, 1);
    assert_eq!(upstream.log().entries().await?.len(), 1);
    let forwarded = first.admin().forwarded().await? + second.admin().forwarded().await?;
    assert!((1..=2).contains(&forwarded), "{forwarded}");
    Ok(())
}

/// The upstream holds both copies until everybody else has an answer, and then
/// fails: nobody was told 2xx, and the next delivery is stored.
#[tokio::test]
async fn nobody_gets_2xx_while_the_copies_of_two_envoys_are_held_and_then_fail() -> Result<()> {
    let told = [Arc::new(Notify::new()), Arc::new(Notify::new())];
    let held = told
        .each_ref()
        .map(|told| Act::HoldThen(Arc::clone(told), 503));
    let script = Script::start(held).await?;
    let setup = || patient().workers(2);
    let first = setup().start(script.address()).await?;
    let second = setup().start(script.address()).await?;
    let event = Event::fresh()?;
    let mut answers = race_of(SENDERS / 2, &first, &event).await?;
    let mut others = race_of(SENDERS / 2, &second, &event).await?;
    for _ in 1..SENDERS / 2 {
        for racers in [&mut answers, &mut others] {
            let answer = racers.join_next().await.context("too few answers")???;
            assert_problem(&answer, 409, "in_progress");
        }
    }
    script.expect_received(2).await?;
    told.iter().for_each(|told| told.notify_one());
    for racers in [&mut answers, &mut others] {
        let last = racers.join_next().await.context("no last answer")???;
        assert_eq!(last.status, 503, "{last:?}");
    }
    assert_stored(&first.send(PLATFORM.deliver(&event)?).await?);
    Ok(())
}

/// Tells whether an answer is `stored`; else it is one of a delivery that came
/// too late.
#[track_caller]
fn heard(answer: &Answer) -> bool {
    match answer.code().as_str() {
        "stored" => true,
        "duplicate" => false,
        _ => {
            assert_problem(answer, 409, "in_progress");
            false
        }
    }
}
