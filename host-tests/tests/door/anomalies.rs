//! What the watch says in a real Envoy, with time that passes fifty times as fast.
//!
//! A tick is 200 ms and stands for ten seconds. What a week teaches is made here and
//! given to the gate as the state that its upstream has kept.

mod scene;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use bytes::Bytes;
use hookgate_host_tests::artefact;
use hookgate_host_tests::client::{self, Http1};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::PLATFORM;
use hookgate_host_tests::keeper::Keeper;
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::raw::Head;
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use self::scene::{Door, forged, known};
pub(crate) use self::scene::{Sender, fresh, gate, learnt};

#[tokio::test]
async fn a_spike_is_legitimate_and_nobody_is_accused() -> Result<()> {
    let door = Door::open(Setup::shipped(), &json!({})).await?;
    let address = door.envoy.address();
    let _more: Vec<Sender> = (0..5)
        .map(|_| Sender::start(address, Duration::from_millis(50), fresh))
        .collect();
    door.expect_verdict("legitimate_spike").await?;
    door.assert_no_attack_but("none").await
}

#[tokio::test]
async fn forgeries_of_one_source_are_told_with_their_network() -> Result<()> {
    let door = Door::open(Setup::shipped(), &json!({})).await?;
    let address = door.envoy.address();
    let _forger = Sender::start(address, Duration::from_millis(20), forged);
    let evidence = door.expect_verdict("forged_signatures").await?;
    assert!(evidence.contains("from 127.0.0.0/24"), "{evidence}");
    door.assert_no_attack_but("forged_signatures").await
}

#[tokio::test]
async fn forgeries_of_500_sources_are_told_as_those_of_many() -> Result<()> {
    let door = Door::open(Setup::shipped(), &json!({})).await?;
    let address = door.envoy.address();
    let attack = tokio::spawn(async move {
        for number in (0..500_u16).cycle() {
            let [high, low] = number.to_be_bytes();
            let source = IpAddr::V4(Ipv4Addr::new(127, 100 + high, low, 1));
            let mut connection = Http1::connect_from(source, address).await?;
            connection.send(forged(0)?).await?;
            sleep(Duration::from_millis(4)).await;
        }
        anyhow::Ok(())
    });
    let evidence = door.expect_verdict("forged_signatures").await?;
    attack.abort();
    assert!(evidence.contains("from many networks"), "{evidence}");
    door.assert_no_attack_but("forged_signatures").await
}

#[tokio::test]
async fn requests_that_are_held_open_are_told() -> Result<()> {
    let door = Door::open(Setup::shipped(), &json!({})).await?;
    let mut slow = Vec::new();
    for _ in 0..80 {
        let source = IpAddr::V4(Ipv4Addr::new(127, 0, 7, 1));
        let mut stream = client::connect_from(source, door.envoy.address()).await?;
        let signature = PLATFORM.sign_at(b"never", SystemTime::now())?;
        let head = Head::new("POST /webhooks/stripe")
            .header("content-length", "1000")
            .header("stripe-signature", signature);
        stream.write_all(&head.body(b"{")).await?;
        slow.push(stream);
    }
    let evidence = door.expect_verdict("slow_loris").await?;
    assert!(
        evidence.contains("requests open and incomplete"),
        "{evidence}"
    );
    Ok(())
}

/// Whoever can have events refused has nobody's deliveries shed.
#[tokio::test]
async fn an_upstream_that_refuses_is_no_cascade() -> Result<()> {
    let protect = json!({"protect": {"cascade": true}});
    let door = Door::open(Setup::shipped(), &protect).await?;
    door.keeper.kept().event_status = 400;
    assert_eq!(door.envoy.send(fresh(0)?).await?.status, 400);
    let ticked = [("result", "ticked")];
    let since = door.count("hookgate_watch", &ticked).await?;
    door.expect("hookgate_watch", &ticked, since + 30).await?;
    let shed = [("action", "shed")];
    assert_eq!(door.count("hookgate_protected", &shed).await?, 0);
    door.assert_no_attack_but("none").await?;
    let cascade = [("kind", "cascade")];
    let told = door.count("hookgate_anomaly_verdicts", &cascade).await?;
    assert_eq!(told, 0);
    Ok(())
}

#[tokio::test]
async fn an_upstream_that_fails_is_a_cascade() -> Result<()> {
    let door = Door::open(Setup::shipped(), &json!({})).await?;
    door.keeper.kept().event_status = 503;
    let evidence = door.expect_verdict("cascade").await?;
    assert!(evidence.contains("of requests failed"), "{evidence}");
    door.assert_no_attack_but("none").await
}

#[tokio::test]
async fn forgers_are_refused_sooner_and_whoever_is_genuine_is_served() -> Result<()> {
    let protect = json!({"protect": {"forged_signatures": true}});
    let door = Door::open(Setup::shipped(), &protect).await?;
    let address = door.envoy.address();
    // A connection each: after a refusal the gate may close it.
    let status_of = async |host: u8, delivery: client::Delivery| -> Result<u16> {
        let source = IpAddr::V4(Ipv4Addr::new(127, 77, 0, host));
        let mut connection = Http1::connect_from(source, address).await?;
        Ok(connection.send(delivery).await?.status)
    };
    let mut heard = 0;
    loop {
        match status_of(1, forged(0)?).await? {
            400 => heard += 1,
            status => break assert_eq!(status, 429),
        }
        // Half of its quota of 2,000: eight times as soon, after the verdict.
        assert!(heard < 1_000, "heard {heard} times");
        sleep(Duration::from_millis(5)).await;
    }
    let tightened = [("action", "tighten")];
    door.expect("hookgate_protected", &tightened, 1).await?;
    // Another sender in the same network, which never failed and from then on is known.
    for number in 0..5 {
        assert_eq!(status_of(2, fresh(number)?).await?, 200);
        assert_eq!(status_of(2, forged(0)?).await?, 400);
    }
    // One elsewhere, which is known for a week.
    assert_eq!(door.envoy.send(fresh(0)?).await?.status, 200);
    assert_eq!(door.envoy.send(forged(0)?).await?.status, 400);
    let shed = [("action", "shed")];
    assert_eq!(door.count("hookgate_protected", &shed).await?, 0);
    door.assert_no_attack_but("forged_signatures").await
}

#[tokio::test]
async fn a_cascade_is_shed_and_ends_when_the_upstream_is_well() -> Result<()> {
    let protect = json!({"protect": {"cascade": true}});
    let door = Door::open(Setup::shipped(), &protect).await?;
    let shed = [("action", "shed")];
    let refused = [("outcome", "refused"), ("reason", "overloaded")];
    assert_eq!(door.count("hookgate_protected", &shed).await?, 0);
    door.keeper.kept().event_status = 503;
    door.expect("hookgate_protected", &shed, 40).await?;
    let answer = wait::until("an answer that sheds", wait::PATIENCE, async || {
        let answer = door.envoy.send(fresh(0)?).await?;
        let is_shed = answer.body.windows(10).any(|it| it == b"overloaded");
        Ok(is_shed.then_some(answer))
    })
    .await?;
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key("retry-after"));
    door.keeper.kept().event_status = 200;
    // Some still went through, and so it is seen that the upstream is well.
    wait::until(
        "twenty stored one after the other",
        wait::PATIENCE,
        async || {
            for number in 0..20 {
                if door.envoy.send(fresh(number)?).await?.status != 200 {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        },
    )
    .await?;
    let counted = door.count("hookgate_protected", &shed).await?;
    assert_eq!(door.count("hookgate_deliveries", &refused).await?, counted);
    door.assert_no_attack_but("none").await?;
    for kind in ["all_silent", "series_silent"] {
        let labels = [("kind", kind)];
        let found = door.count("hookgate_anomaly_verdicts", &labels).await?;
        assert_eq!(found, 0, "{kind}: for what was shed");
    }
    Ok(())
}

#[tokio::test]
async fn silence_is_told() -> Result<()> {
    let door = Door::open(Setup::shipped(), &json!({})).await?;
    door.usual.stop();
    door.expect_verdict("all_silent").await?;
    door.assert_no_attack_but("none").await
}

#[tokio::test]
async fn known_events_that_come_again_and_again_are_a_storm() -> Result<()> {
    let door = Door::open(Setup::shipped(), &json!({})).await?;
    let address = door.envoy.address();
    let _storm = Sender::start(address, Duration::from_millis(20), known);
    let evidence = door.expect_verdict("duplicate_storm").await?;
    assert!(evidence.contains("of known events"), "{evidence}");
    door.assert_no_attack_but("none").await
}

#[tokio::test]
async fn an_alert_that_was_refused_comes_again_and_once_to_each() -> Result<()> {
    let alert = json!({"alert": {"cluster": "upstream", "authority": "a", "path": "/alerts"}});
    let door = Door::open(Setup::shipped(), &alert).await?;
    door.keeper.kept().refusals = 2;
    let address = door.envoy.address();
    let _forger = Sender::start(address, Duration::from_millis(20), forged);
    door.expect_verdict("forged_signatures").await?;
    let told = |path: &str| {
        let kept = door.keeper.kept();
        let told = kept.told.iter().filter(|(it, _)| it == path);
        told.filter(|(_, event)| event.pointer("/data/kind") == Some(&"forged_signatures".into()))
            .count()
    };
    wait::until("the alert", wait::PATIENCE, async || {
        Ok((told("/alerts") > 0).then_some(()))
    })
    .await?;
    assert_eq!((told("/alerts"), told("/v1/watch/verdicts")), (1, 1));
    Ok(())
}

/// The listener before goes on with its connections for minutes, and its module ticks.
#[tokio::test]
async fn a_verdict_is_told_to_whom_the_newest_configuration_names() -> Result<()> {
    let alert = json!({"alert": {"cluster": "upstream", "authority": "a", "path": "/before"}});
    let door = Door::open(Setup::shipped().updatable(), &alert).await?;
    let admin = door.envoy.admin();
    door.envoy.update_listeners("/before", "/from-now-on")?;
    admin.expect_listener_updates("update_success", 2).await?;
    let address = door.envoy.address();
    let _forger = Sender::start(address, Duration::from_millis(20), forged);
    door.expect_verdict("forged_signatures").await?;
    let told = |path: &str| {
        let kept = door.keeper.kept();
        kept.told.iter().filter(|(it, _)| it == path).count()
    };
    wait::until("the alert", wait::PATIENCE, async || {
        Ok((told("/from-now-on") + told("/before") > 0).then_some(()))
    })
    .await?;
    assert_eq!((told("/before"), told("/from-now-on")), (0, 1));
    Ok(())
}

#[tokio::test]
async fn kill_of_the_worker_that_looks_lets_another_look() -> Result<()> {
    let setup = Setup::shipped().module(artefact::trap_module()?);
    let door = Door::open(setup, &json!({})).await?;
    let taken = door.count("hookgate_watch", &[("result", "taken")]).await?;
    assert_eq!(taken, 1);
    let trap = fresh(0)?.header("x-hookgate-test-trap", "watch")?;
    assert_eq!(door.envoy.send(trap).await?.status, 200);
    door.expect("hookgate_watch", &[("result", "taken")], 2)
        .await?;
    door.expect("hookgate_watch", &[("result", "restored")], 2)
        .await?;
    let address = door.envoy.address();
    let _forger = Sender::start(address, Duration::from_millis(20), forged);
    door.expect_verdict("forged_signatures").await?;
    Ok(())
}

#[tokio::test]
async fn what_was_learnt_outlives_envoy() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let configuration = gate(&json!({"tick_milliseconds": 20}));
    let setup = || Setup::shipped().gate(configuration.clone());
    let saved = async |envoy: &Envoy, result: &str| -> Result<u64> {
        let page = envoy.admin().page("/stats/prometheus").await?;
        Exposition::parse(&page)?.sum("hookgate_watch", &[("result", result)])
    };
    let envoy = setup().start(upstream.address()).await?;
    envoy.send(fresh(0)?).await?;
    wait::until("a state that is saved", wait::PATIENCE, async || {
        Ok((saved(&envoy, "saved").await? > 0).then_some(()))
    })
    .await?;
    assert_eq!(saved(&envoy, "restored").await?, 0);
    drop(envoy);
    let envoy = setup().start(upstream.address()).await?;
    envoy.send(fresh(0)?).await?;
    wait::until("the state again", wait::PATIENCE, async || {
        Ok((saved(&envoy, "restored").await? > 0).then_some(()))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn an_upstream_that_gives_back_nonsense_or_nothing_harms_nobody() -> Result<()> {
    let keeper = Keeper::start().await?;
    let configuration = gate(&json!({"tick_milliseconds": 20}));
    let envoy = Setup::shipped()
        .gate(configuration)
        .start(keeper.address())
        .await?;
    let count = async |result: &str| -> Result<u64> {
        let page = envoy.admin().page("/stats/prometheus").await?;
        Exposition::parse(&page)?.sum("hookgate_watch", &[("result", result)])
    };
    let until = async |result: &'static str, least: u64| {
        wait::until(result, wait::PATIENCE, async || {
            Ok((count(result).await? >= least).then_some(()))
        })
        .await
    };
    until("restore_failed", 2).await?;
    // It looks all the same, and saves nothing over what it doesn't know.
    until("ticked", 60).await?;
    // Nor does it where somebody on the way answers that there is no such page, or the
    // rest of a state is gone, or with a page of its own.
    let page = vec![Bytes::from_static(b"<html>")];
    for state in [None, Some(learnt()[..1].to_vec()), Some(page)] {
        let (failed, ticked) = (count("restore_failed").await?, count("ticked").await?);
        {
            let mut kept = keeper.kept();
            (kept.unknown_status, kept.state) = (404, state);
        }
        until("restore_failed", failed + 2).await?;
        until("ticked", ticked + 60).await?;
    }
    assert_eq!(keeper.kept().saved.len(), 0);
    keeper.kept().state = Some(vec![Bytes::from_static(b"HGWT\x03\x00 nonsense")]);
    until("state_refused", 1).await?;
    until("saved", 1).await?;
    assert_eq!(count("restored").await?, 0);
    assert_eq!(envoy.send(fresh(0)?).await?.status, 200);
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_client_cannot_speak_as_the_watch() -> Result<()> {
    let keeper = Keeper::start().await?;
    let mut configuration = gate(&json!({}));
    let fields = configuration.as_object_mut().context("a configuration")?;
    fields.insert("pass_unknown_paths".to_owned(), true.into());
    // A route that nobody should have: whatever is asked of the upstream.
    let first = "              - match: {path: /webhooks/stripe}\n";
    let open =
        "              - match: {prefix: /v1/watch}\n                route: {cluster: upstream}\n";
    let envoy = Setup::shipped()
        .gate(configuration)
        .edit(first, &format!("{open}{first}"))
        .start(keeper.address())
        .await?;
    let event = json!({"data": {"kind": "slow_loris"}}).to_string();
    let told = client::Delivery::post("/v1/watch/verdicts", event.into_bytes())
        .header("x-hookgate-watch", "1")?;
    assert_eq!(envoy.send(told).await?.status, 403);
    assert_eq!(keeper.kept().told, []);
    Ok(())
}
